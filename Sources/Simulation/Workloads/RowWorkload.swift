import CQL
import DataModel
package import MartletClient
import Primitives

/// Clients that write, delete, read and scan rows of small partitions, with levels whose quorums meet.
///
/// Every write brings a timestamp of its own, from a clock that may be seconds off: so that what is newest is not always
/// what came last.
///
/// `Sendable` is unchecked because a world and all that belongs to it is used by one thread at a time.
package final class RowWorkload: Workload, @unchecked Sendable {
    let recorder: HistoryRecorder<RowAction, RowResult>
    private let timestamps: ClientTimestamps
    private let shape: ClusterShape
    private let partitionCount: Int
    let rowsOfPartition = 4
    let table: String
    /// Whether partitions have a static row as well; it is the one after the others.
    let hasStatic: Bool
    /// For each operation, by its number, who is sure to see what it did, or who it looked for.
    private var domains: [Int: Set<ReadDomain>] = [:]
    private var nextValue: Int64 = 0
    private var atTheEnd: [Int: [ReplicaReading]] = [:]

    package init(_ clock: HistoryClock, _ shape: ClusterShape, hasStatic: Bool, partitionCount: Int = 6) {
        self.recorder = HistoryRecorder(hasStatic ? "row beside static" : "row", clock)
        self.timestamps = ClientTimestamps(clock)
        self.shape = shape
        self.partitionCount = partitionCount
        self.hasStatic = hasStatic
        self.table = hasStatic ? "sim.sharing" : "sim.rows"
    }

    package var schema: [String] {
        let shared: String = hasStatic ? ", s bigint static" : ""
        return ["CREATE TABLE \(table) (p int, c int, v bigint, pad text\(shared), PRIMARY KEY (p, c))"]
    }

    package func act(_ client: WorkloadClient) async {
        let partition: Int = client.generator.below(partitionCount)
        if hasStatic, client.generator.oneIn(3) { return await actOnStatic(partition, client) }
        let row: Int = client.generator.below(rowsOfPartition)
        switch client.generator.below(100) {
        case 0..<40: await write(partition, row, client)
        case 40..<47: await delete(partition, row...row, client)
        case 47..<50: await delete(partition, row...(rowsOfPartition - 1), client)
        case 50..<52: await delete(partition, nil, client)
        case 52..<80: await read(partition, row, client)
        case 80..<90: await scan(partition, pageSize: nil, client)
        case 90..<97: await scan(partition, pageSize: 2, client)
        default: await scan(nil, pageSize: client.generator.oneIn(2) ? 3 : nil, client)
        }
    }

    package func lookAgain(_ client: WorkloadClient) async -> Bool {
        for partition in 0..<partitionCount {
            let isSeen: Bool = await scan(partition, pageSize: nil, client)
            if !isSeen { return false }
        }
        return true
    }

    /// Reads every partition at ALL, which makes replicas equal.
    package func repair(_ client: WorkloadClient) async -> Bool {
        for partition in 0..<partitionCount {
            let isSeen: Bool = await scan(partition, pageSize: nil, client, level: .all)
            if !isSeen { return false }
        }
        return true
    }

    package func violations() -> [Violation] {
        var violations: [Violation] = []
        for key in recorder.keys {
            let subject = name(of: key)
            let history: RowHistory = recorder.history(of: key)
            let readings: [ReplicaReading] = atTheEnd[key] ?? []
            var found: Violation?
            for domain in allDomains where found == nil {
                found = QuorumVisibilityChecker().violation(history.seen(by: domain, domains), of: subject)
            }
            found =
                found ?? DeletionChecker().violation(history, atTheEnd: readings, of: subject)
                ?? ReplicaAgreement().violation(readings, of: subject)
            if let found { violations.append(found) }
        }
        return violations
    }

    /// Takes what one replica holds of a partition, once everything is quiet.
    package func note(_ result: QueryResult, of partition: Int, heldBy node: Int) throws {
        let found: [Int: RowResult] = try rows(of: result)
        for row in 0..<rowsOfPartition + (hasStatic ? 1 : 0) {
            let key: Int = key(partition, row)
            atTheEnd[key, default: []].append(ReplicaReading(node: node, result: found[key] ?? .absent))
        }
    }

    package func forgetReadings() {
        atTheEnd = [:]
    }

    package var partitions: Range<Int> { 0..<partitionCount }

    /// What a replica is asked for a partition.
    package var selectPartition: String { selectAll + " WHERE p = ?" }

    private var selectAll: String {
        "SELECT p, c, v, writetime(v)\(hasStatic ? ", s, writetime(s)" : "") FROM \(table)"
    }

    private func key(_ partition: Int, _ row: Int) -> Int { partition * (rowsOfPartition + 1) + row }

    private func name(of key: Int) -> String {
        let (partition, row): (Int, Int) = key.quotientAndRemainder(dividingBy: rowsOfPartition + 1)
        return "row \(partition)/\(row == rowsOfPartition ? "static" : "\(row)") of \(table)"
    }

    // MARK: Levels

    private var allDomains: [ReadDomain] {
        [.cluster] + (shape.knowsDatacenters ? shape.datacenters.map { .datacenter($0) } : [])
    }

    /// Where a request goes, at which level, and whose quorums it meets.
    private struct Course {
        let node: Int
        /// The nodes of which any may be asked to go on.
        let nodes: [Int]
        let level: Consistency
        let domains: Set<ReadDomain>
    }

    private func course(_ client: WorkloadClient, isRead: Bool) -> Course {
        let node: Int = client.nextNode()
        let everywhere = Array(0..<shape.nodeCount)
        guard shape.knowsDatacenters else {
            return Course(node: node, nodes: everywhere, level: .quorum, domains: [.cluster])
        }
        let datacenter: String = shape.places[node].datacenter
        switch client.generator.below(4) {
        case 0: return Course(node: node, nodes: everywhere, level: .quorum, domains: [.cluster])
        case 1 where !isRead:
            return Course(node: node, nodes: everywhere, level: .eachQuorum, domains: Set(allDomains))
        default:
            return Course(
                node: node, nodes: shape.nodes(in: datacenter), level: .localQuorum, domains: [.datacenter(datacenter)])
        }
    }

    private func begin(
        _ keys: [Int], _ action: RowAction, _ course: Course, _ client: WorkloadClient
    ) -> [HistoryRecorder<RowAction, RowResult>.Ticket] {
        keys.map { key in
            let ticket = recorder.begin(key, action, client: client.number, node: course.node + 1)
            domains[ticket.number] = course.domains
            return ticket
        }
    }

    // MARK: Changes

    private func write(_ partition: Int, _ row: Int, _ client: WorkloadClient) async {
        nextValue += 1
        let value: Int64 = nextValue
        let timestamp: Int64 = timestamps.next(client)
        let pad = String(repeating: "x", count: client.generator.below(200))
        let (p, c) = (Int32(truncatingIfNeeded: partition), Int32(truncatingIfNeeded: row))
        let isInsert: Bool = client.generator.oneIn(2)
        let text: String =
            isInsert
            ? "INSERT INTO \(table) (v, pad, p, c) VALUES (?, ?, ?, ?)"
            : "UPDATE \(table) SET v = ?, pad = ? WHERE p = ? AND c = ?"
        await change(
            [key(partition, row)], .write(value: value, timestamp: timestamp), text, [value, pad, p, c], timestamp,
            client)
    }

    /// - Parameter rows: which rows; the whole partition when nil.
    private func delete(_ partition: Int, _ rows: ClosedRange<Int>?, _ client: WorkloadClient) async {
        let timestamp: Int64 = timestamps.next(client)
        let keys: [Int] = (rows ?? 0...(rowsOfPartition - (hasStatic ? 0 : 1))).map { key(partition, $0) }
        var text = "DELETE FROM \(table) WHERE p = ?"
        var values: [(any CQLEncodable)?] = [Int32(truncatingIfNeeded: partition)]
        if let rows {
            values.append(Int32(truncatingIfNeeded: rows.lowerBound))
            if rows.count == 1 {
                text += " AND c = ?"
            } else if rows.upperBound == rowsOfPartition - 1 {
                text += " AND c >= ?"
            } else {
                text += " AND c >= ? AND c <= ?"
                values.append(Int32(truncatingIfNeeded: rows.upperBound))
            }
        }
        await change(keys, .delete(timestamp: timestamp), text, values, timestamp, client)
    }

    private func change(
        _ keys: [Int], _ action: RowAction, _ text: String, _ values: [(any CQLEncodable)?], _ timestamp: Int64,
        _ client: WorkloadClient
    ) async {
        let course: Course = course(client, isRead: false)
        let tickets = begin(keys, action, course, client)
        var options = QueryOptions(consistency: course.level)
        options.timestamp = timestamp
        let isPrepared: Bool = !client.generator.oneIn(8)
        recorder.settle(
            tickets, await client.send(text, values, options, to: course.node, isPrepared: isPrepared), .acknowledged)
    }

    /// Changes or reads the static row; deletes some of the others between two bounds.
    private func actOnStatic(_ partition: Int, _ client: WorkloadClient) async {
        let p = Int32(truncatingIfNeeded: partition)
        let own: Int = key(partition, rowsOfPartition)
        nextValue += 1
        let value: Int64 = nextValue
        let row: Int = client.generator.below(rowsOfPartition)
        switch client.generator.below(20) {
        case 0..<5:
            let timestamp: Int64 = timestamps.next(client)
            await change(
                [own], .write(value: value, timestamp: timestamp), "UPDATE \(table) SET s = ? WHERE p = ?", [value, p],
                timestamp, client)
        case 5..<8:
            let timestamp: Int64 = timestamps.next(client)
            await change(
                [own, key(partition, row)], .write(value: value, timestamp: timestamp),
                "INSERT INTO \(table) (p, c, v, s) VALUES (?, ?, ?, ?)",
                [p, Int32(truncatingIfNeeded: row), value, value], timestamp, client)
        case 8:
            let timestamp: Int64 = timestamps.next(client)
            await change(
                [own], .delete(timestamp: timestamp), "DELETE s FROM \(table) WHERE p = ?", [p], timestamp, client)
        case 9..<11:
            await delete(partition, row...max(row, client.generator.below(rowsOfPartition)), client)
        default:
            let how: String = client.generator.oneIn(2) ? "DISTINCT p, s, writetime(s)" : "p, s, writetime(s)"
            await readStatic(partition, "SELECT \(how) FROM \(table) WHERE p = ? LIMIT 1", client)
        }
    }

    // MARK: Reads

    private func readStatic(_ partition: Int, _ text: String, _ client: WorkloadClient) async {
        let course: Course = course(client, isRead: true)
        let tickets = begin([key(partition, rowsOfPartition)], .read, course, client)
        let answer = await client.send(
            text, [Int32(truncatingIfNeeded: partition)], QueryOptions(consistency: course.level), to: course.node)
        guard case .done(let result) = answer else { return recorder.forget(tickets, answer) }
        var found = RowResult.absent
        if let row = result.rows.first(where: { _ in true }), let value = try? row[1, as: Int64.self],
            let timestamp = try? row[2, as: Int64.self]
        {
            found = .found(value: value, timestamp: timestamp)
        }
        for ticket in tickets { recorder.end(ticket, found) }
    }

    private func read(_ partition: Int, _ row: Int, _ client: WorkloadClient) async {
        let course: Course = course(client, isRead: true)
        let tickets = begin([key(partition, row)], .read, course, client)
        let values: [(any CQLEncodable)?] = [Int32(truncatingIfNeeded: partition), Int32(truncatingIfNeeded: row)]
        let answer = await client.send(
            selectPartition + " AND c = ?", values, QueryOptions(consistency: course.level), to: course.node)
        guard case .done(let result) = answer, let found = try? rows(of: result) else {
            return recorder.forget(tickets, answer)
        }
        for ticket in tickets { recorder.end(ticket, found[ticket.key] ?? .absent) }
    }

    /// Reads a partition, or the whole table, page after page, each from any node.
    ///
    /// - Returns: whether all pages came.
    @discardableResult
    private func scan(
        _ partition: Int?, pageSize: Int32?, _ client: WorkloadClient, level wanted: Consistency? = nil
    ) async -> Bool {
        var course: Course = course(client, isRead: true)
        if let wanted {
            course = Course(node: course.node, nodes: course.nodes, level: wanted, domains: Set(allDomains))
        }
        let rowCount: Int = rowsOfPartition + (hasStatic ? 1 : 0)
        let keys: [Int] = (partition.map { $0...$0 } ?? 0...(partitionCount - 1)).flatMap { partition in
            (0..<rowCount).map { key(partition, $0) }
        }
        let tickets = begin(keys, .read, course, client)
        var options = QueryOptions(consistency: course.level)
        options.pageSize = pageSize
        let text: String = partition == nil ? selectAll : selectPartition
        let values: [(any CQLEncodable)?] = partition.map { [Int32(truncatingIfNeeded: $0)] } ?? []
        var found: [Int: RowResult] = [:]
        var failure: String?
        var node: Int = course.node
        repeat {
            switch await client.send(text, values, options, to: node) {
            case .done(let result):
                do {
                    found.merge(try rows(of: result)) { first, _ in first }
                } catch { failure = "\(error)" }
                options.pagingState = result.pagingState
            case .refused(let reason), .unknown(let reason): failure = reason
            }
            node = client.nextNode(in: course.nodes)
        } while failure == nil && options.pagingState != nil
        for ticket in tickets {
            if let failure {
                recorder.forget(ticket, because: failure)
            } else {
                recorder.end(ticket, found[ticket.key] ?? .absent)
            }
        }
        return failure == nil
    }

    /// What an answer says of each row in it.
    private func rows(of result: QueryResult) throws -> [Int: RowResult] {
        var found: [Int: RowResult] = [:]
        for row in result.rows {
            guard let p = try row["p", as: Int32.self] else {
                throw ClientError.malformedResponse("a row without its key")
            }
            if hasStatic, let value = try row["s", as: Int64.self], let timestamp = try row[5, as: Int64.self] {
                found[key(Int(p), rowsOfPartition)] = .found(value: value, timestamp: timestamp)
            }
            // The static row alone comes without a clustering key.
            guard let c = try row["c", as: Int32.self] else {
                if hasStatic { continue }
                throw ClientError.malformedResponse("a row without its key")
            }
            guard let value = try row["v", as: Int64.self], let timestamp = try row[3, as: Int64.self] else {
                throw ClientError.malformedResponse("a row without its values: \(row.literal(at: 2))")
            }
            found[key(Int(p), Int(c))] = .found(value: value, timestamp: timestamp)
        }
        return found
    }
}
