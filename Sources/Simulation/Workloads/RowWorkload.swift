import CQL
package import DataModel
package import MartletClient
import Primitives
import SimulatedHost

/// Clients that write, delete, read and scan rows of small partitions at QUORUM.
///
/// Every write brings a timestamp of its own, from a clock that may be seconds off: so that what is newest is not always
/// what came last.
///
/// `Sendable` is unchecked because a world and all that belongs to it is used by one thread at a time.
package final class RowWorkload: Workload, @unchecked Sendable {
    let recorder: HistoryRecorder<RowAction, RowResult>
    private let clock: HistoryClock
    private let partitionCount: Int
    let rowsOfPartition = 4
    /// The consistency of everything before the end.
    let level: Consistency
    private var usedTimestamps: Set<Int64> = []
    private var nextValue: Int64 = 0
    private var atTheEnd: [Int: [ReplicaReading]] = [:]

    package init(_ clock: HistoryClock, partitionCount: Int = 6, level: Consistency = .quorum) {
        self.recorder = HistoryRecorder("row", clock)
        self.clock = clock
        self.partitionCount = partitionCount
        self.level = level
    }

    package var schema: [String] {
        ["CREATE TABLE rows (p int, c int, v bigint, pad text, PRIMARY KEY (p, c))"]
    }

    package func act(_ client: WorkloadClient) async {
        let partition: Int = client.generator.below(partitionCount)
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
            let subject = "row \(key / rowsOfPartition)/\(key % rowsOfPartition)"
            let history: RowHistory = recorder.history(of: key)
            let readings: [ReplicaReading] = atTheEnd[key] ?? []
            let found: Violation? =
                QuorumVisibilityChecker().violation(history, of: subject)
                ?? DeletionChecker().violation(history, atTheEnd: readings, of: subject)
                ?? ReplicaAgreement().violation(readings, of: subject)
            if let found { violations.append(found) }
        }
        return violations
    }

    /// Takes what one replica holds of a partition, once everything is quiet.
    package func note(_ result: QueryResult, of partition: Int, heldBy node: Int) throws {
        let found: [Int: RowResult] = try rows(of: result)
        for row in 0..<rowsOfPartition {
            let key: Int = partition * rowsOfPartition + row
            atTheEnd[key, default: []].append(ReplicaReading(node: node, result: found[key] ?? .absent))
        }
    }

    package func forgetReadings() {
        atTheEnd = [:]
    }

    package var partitions: Range<Int> { 0..<partitionCount }

    /// What a replica is asked for a partition.
    package static let selectPartition = "SELECT p, c, v, writetime(v) FROM sim.rows WHERE p = ?"

    // MARK: Changes

    private func write(_ partition: Int, _ row: Int, _ client: WorkloadClient) async {
        nextValue += 1
        let value: Int64 = nextValue
        let timestamp: Int64 = freshTimestamp(client)
        let key: Int = partition * rowsOfPartition + row
        let pad = String(repeating: "x", count: client.generator.below(200))
        let (p, c) = (Int32(truncatingIfNeeded: partition), Int32(truncatingIfNeeded: row))
        let isInsert: Bool = client.generator.oneIn(2)
        let text: String =
            isInsert
            ? "INSERT INTO sim.rows (v, pad, p, c) VALUES (?, ?, ?, ?)"
            : "UPDATE sim.rows SET v = ?, pad = ? WHERE p = ? AND c = ?"
        await change([key], .write(value: value, timestamp: timestamp), text, [value, pad, p, c], timestamp, client)
    }

    /// - Parameter rows: which rows; the whole partition when nil.
    private func delete(_ partition: Int, _ rows: ClosedRange<Int>?, _ client: WorkloadClient) async {
        let timestamp: Int64 = freshTimestamp(client)
        let p = Int32(truncatingIfNeeded: partition)
        let keys: [Int] = (rows ?? 0...(rowsOfPartition - 1)).map { partition * rowsOfPartition + $0 }
        var text = "DELETE FROM sim.rows WHERE p = ?"
        var values: [(any CQLEncodable)?] = [p]
        if let rows {
            let low = Int32(truncatingIfNeeded: rows.lowerBound)
            text += rows.count == 1 ? " AND c = ?" : " AND c >= ?"
            values.append(low)
        }
        await change(keys, .delete(timestamp: timestamp), text, values, timestamp, client)
    }

    private func change(
        _ keys: [Int], _ action: RowAction, _ text: String, _ values: [(any CQLEncodable)?], _ timestamp: Int64,
        _ client: WorkloadClient
    ) async {
        let node: Int = client.nextNode()
        let tickets = keys.map { recorder.begin($0, action, client: client.number, node: node + 1) }
        var options = QueryOptions(consistency: level)
        options.timestamp = timestamp
        let isPrepared: Bool = !client.generator.oneIn(8)
        let answer = await client.send(text, values, options, to: node, isPrepared: isPrepared)
        for ticket in tickets {
            switch answer {
            case .done: recorder.end(ticket, .acknowledged)
            case .refused(let reason): recorder.forget(ticket, because: reason)
            case .unknown(let reason): recorder.leaveOpen(ticket, because: reason)
            }
        }
    }

    private func freshTimestamp(_ client: WorkloadClient) -> Int64 {
        let elapsed = Int64(clamping: clock.nanoseconds / 1_000)
        var timestamp: Int64 = SimulatedTime.startMicroseconds + elapsed
        if client.generator.oneIn(4) { timestamp += Int64(client.generator.below(4_000_000)) - 2_000_000 }
        while !usedTimestamps.insert(timestamp).inserted { timestamp += 1 }
        return timestamp
    }

    // MARK: Reads

    private func read(_ partition: Int, _ row: Int, _ client: WorkloadClient) async {
        let node: Int = client.nextNode()
        let key: Int = partition * rowsOfPartition + row
        let ticket = recorder.begin(key, .read, client: client.number, node: node + 1)
        let values: [(any CQLEncodable)?] = [Int32(truncatingIfNeeded: partition), Int32(truncatingIfNeeded: row)]
        let answer = await client.send(
            RowWorkload.selectPartition + " AND c = ?", values, QueryOptions(consistency: level), to: node)
        switch answer {
        case .done(let result):
            do {
                recorder.end(ticket, try rows(of: result)[key] ?? .absent)
            } catch { recorder.forget(ticket, because: "\(error)") }
        case .refused(let reason), .unknown(let reason): recorder.forget(ticket, because: reason)
        }
    }

    /// Reads a partition, or the whole table, page after page, each from any node.
    ///
    /// - Returns: whether all pages came.
    @discardableResult
    private func scan(
        _ partition: Int?, pageSize: Int32?, _ client: WorkloadClient, level wanted: Consistency? = nil
    ) async -> Bool {
        let first: Int = (partition ?? 0) * rowsOfPartition
        let last: Int = ((partition ?? (partitionCount - 1)) + 1) * rowsOfPartition
        var node: Int = client.nextNode()
        let tickets = (first..<last).map { recorder.begin($0, .read, client: client.number, node: node + 1) }
        var options = QueryOptions(consistency: wanted ?? level)
        options.pageSize = pageSize
        let text: String = partition == nil ? "SELECT p, c, v, writetime(v) FROM sim.rows" : RowWorkload.selectPartition
        let values: [(any CQLEncodable)?] = partition.map { [Int32(truncatingIfNeeded: $0)] } ?? []
        var found: [Int: RowResult] = [:]
        var failure: String?
        repeat {
            switch await client.send(text, values, options, to: node) {
            case .done(let result):
                do {
                    found.merge(try rows(of: result)) { _, later in later }
                } catch { failure = "\(error)" }
                options.pagingState = result.pagingState
            case .refused(let reason), .unknown(let reason): failure = reason
            }
            node = client.nextNode()
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
            guard let p = try row["p", as: Int32.self], let c = try row["c", as: Int32.self],
                let value = try row["v", as: Int64.self], let timestamp = try row[3, as: Int64.self]
            else { throw ClientError.malformedResponse("a row without its values: \(row.literal(at: 2))") }
            found[Int(p) * rowsOfPartition + Int(c)] = .found(value: value, timestamp: timestamp)
        }
        return found
    }
}
