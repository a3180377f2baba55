import CQL
import DataModel
import MartletClient
import Primitives

/// Clients that write and read rows whose columns one of them drops and adds again.
///
/// `Sendable` is unchecked because a world and all that belongs to it is used by one thread at a time.
package final class ColumnWorkload: Workload, @unchecked Sendable {
    private let recorder: HistoryRecorder<ColumnAction, ColumnResult>
    private let clock: HistoryClock
    private let timestamps: ClientTimestamps
    private let learningMilliseconds: Int
    /// For each column that comes and goes, when it was dropped.
    private var drops: [Int: [ColumnDrop]] = [:]
    /// Whether each column is there, as far as the client knows that changes them.
    private var isThere: [Bool] = [false, false, false]
    private var nextValue: Int64 = 0
    private let keyCount = 5
    /// The column that is always there has the number 0.
    private var columns: Range<Int> { 0..<(isThere.count + 1) }

    /// - Parameter learningMilliseconds: how long a node may not know of a change.
    package init(_ clock: HistoryClock, learningMilliseconds: Int) {
        self.recorder = HistoryRecorder("column", clock)
        self.clock = clock
        self.timestamps = ClientTimestamps(clock)
        self.learningMilliseconds = learningMilliseconds
    }

    package var schema: [String] { ["CREATE TABLE altered (k int PRIMARY KEY, x0 bigint)"] }

    package func act(_ client: WorkloadClient) async {
        if client.number == 1, client.generator.oneIn(20) { return await alter(client) }
        let key: Int = client.generator.below(keyCount)
        if client.generator.oneIn(2) { await write(key, client) } else { await read(key, client) }
    }

    package func lookAgain(_ client: WorkloadClient) async -> Bool {
        for key in 0..<keyCount {
            let isSeen: Bool = await read(key, client)
            if !isSeen { return false }
        }
        return true
    }

    package func violations() -> [Violation] {
        let checker = ColumnChecker(learningMilliseconds: learningMilliseconds)
        return recorder.keys.compactMap { place in
            let column: Int = place % columns.count
            return checker.violation(
                recorder.history(of: place), drops: drops[column] ?? [],
                of: "column x\(column) of row \(place / columns.count)")
        }
    }

    // MARK: Requests

    private func alter(_ client: WorkloadClient) async {
        let index: Int = client.generator.below(isThere.count)
        let column: Int = index + 1
        let node: Int = client.nextNode()
        let isDrop: Bool = isThere[index]
        let text = "ALTER TABLE sim.altered \(isDrop ? "DROP" : "ADD") x\(column)" + (isDrop ? "" : " bigint")
        _ = clock.nextOperation()
        let invoked: Moment = clock.now
        let answer = await client.send(text, [], QueryOptions(consistency: .quorum), to: node, isPrepared: false)
        clock.note("columns at node \(node + 1): \(text): \(answer)")
        switch answer {
        case .done:
            if isDrop { drops[column, default: []].append(ColumnDrop(invoked: invoked, returned: clock.now)) }
            isThere[index].toggle()
        case .refused:
            // An earlier change whose outcome was not known may have been made.
            isThere[index].toggle()
        case .unknown:
            if isDrop { drops[column, default: []].append(ColumnDrop(invoked: invoked)) }
        }
    }

    private func write(_ key: Int, _ client: WorkloadClient) async {
        let node: Int = client.nextNode()
        let timestamp: Int64 = timestamps.next(client)
        var tickets: [HistoryRecorder<ColumnAction, ColumnResult>.Ticket] = []
        var names: [String] = ["k"]
        var values: [(any CQLEncodable)?] = [Int32(truncatingIfNeeded: key)]
        let chosen: [Int] = columns.filter { $0 == 0 || isThere[$0 - 1] }.filter { _ in !client.generator.oneIn(3) }
        guard !chosen.isEmpty else { return }
        for column in chosen {
            nextValue += 1
            names.append("x\(column)")
            values.append(nextValue)
            tickets.append(
                recorder.begin(
                    key * columns.count + column, .write(value: nextValue, timestamp: timestamp), client: client.number,
                    node: node + 1))
        }
        var options = QueryOptions(consistency: .quorum)
        options.timestamp = timestamp
        let marks: String = names.map { _ in "?" }.joined(separator: ", ")
        let answer = await client.send(
            "INSERT INTO sim.altered (\(names.joined(separator: ", "))) VALUES (\(marks))", values, options, to: node)
        recorder.settle(tickets, answer, .acknowledged)
    }

    @discardableResult
    private func read(_ key: Int, _ client: WorkloadClient) async -> Bool {
        let node: Int = client.nextNode()
        let tickets = columns.map {
            recorder.begin(key * columns.count + $0, .read, client: client.number, node: node + 1)
        }
        let answer = await client.send(
            "SELECT * FROM sim.altered WHERE k = ?", [Int32(truncatingIfNeeded: key)],
            QueryOptions(consistency: .quorum), to: node)
        guard case .done(let result) = answer else {
            recorder.forget(tickets, answer)
            return false
        }
        let row: Row? = result.rows.first { _ in true }
        for (column, ticket) in zip(columns, tickets) {
            guard let row else {
                // Nobody has written the row: the column that is always there says that. Of others a node may not know.
                if column == 0 { recorder.end(ticket, .value(nil)) } else { recorder.forget(ticket, because: "no row") }
                continue
            }
            guard row.index(of: "x\(column)") != nil else {
                recorder.forget(ticket, because: "node \(node + 1) has no such column")
                continue
            }
            do {
                let value: Int64? = try row["x\(column)", as: Int64.self]
                recorder.end(ticket, .value(value))
            } catch { recorder.forget(ticket, because: "\(error)") }
        }
        return true
    }
}
