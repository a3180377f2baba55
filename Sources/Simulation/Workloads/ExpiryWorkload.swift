import CQL
import DataModel
import MartletClient
import Primitives

/// Clients that write values with a time to live, and look whether they are there for so long.
///
/// `Sendable` is unchecked because a world and all that belongs to it is used by one thread at a time.
package final class ExpiryWorkload: Workload, @unchecked Sendable {
    /// What clients did, before it is known what clocks have shown.
    private enum Action: Sendable, CustomStringConvertible {
        case write(value: Int64, timestamp: Int64, seconds: Int32?)
        case delete(timestamp: Int64)
        case read

        var description: String {
            switch self {
            case .write(let value, let timestamp, let seconds):
                "write \(value) at timestamp \(timestamp)" + (seconds.map { " for \($0) s" } ?? "")
            case .delete(let timestamp): "delete at timestamp \(timestamp)"
            case .read: "read"
            }
        }
    }

    private let recorder: HistoryRecorder<Action, RowResult>
    private let timestamps: ClientTimestamps
    private let clock: HistoryClock
    /// What the clocks of nodes have shown, by their index.
    private let clocks: () -> [WallClockRecord]
    private var nextValue: Int64 = 0
    private let keyCount = 6

    init(_ clock: HistoryClock, clocks: @escaping () -> [WallClockRecord]) {
        self.recorder = HistoryRecorder("expiring row", clock)
        self.timestamps = ClientTimestamps(clock)
        self.clock = clock
        self.clocks = clocks
    }

    package var schema: [String] { ["CREATE TABLE expiring (k int PRIMARY KEY, v bigint)"] }

    package func act(_ client: WorkloadClient) async {
        let key: Int = client.generator.below(keyCount)
        switch client.generator.below(20) {
        case 0..<9: await write(key, client)
        case 9: await delete(key, client)
        default: await read(key, client)
        }
    }

    package func lookAgain(_ client: WorkloadClient) async -> Bool {
        for key in recorder.keys {
            let isSeen: Bool = await read(key, client)
            if !isSeen { return false }
        }
        return true
    }

    package func violations() -> [Violation] {
        let clocks: [WallClockRecord] = self.clocks()
        return recorder.keys.compactMap { key in
            ExpiryChecker().violation(
                recorder.history(of: key).compactMap { judged($0, clocks) }, of: "expiring row \(key)")
        }
    }

    /// An operation with what clocks may have shown to whoever carried it out; nil when that is not known.
    private func judged(
        _ operation: Operation<Action, RowResult>, _ clocks: [WallClockRecord]
    ) -> Operation<ExpiringAction, RowResult>? {
        let start: UInt64 = operation.invoked.nanoseconds
        let end: UInt64 = operation.returned?.nanoseconds ?? clock.nanoseconds
        guard let shown = clocks[operation.node - 1].seconds(from: start, to: end) else { return nil }
        let action: ExpiringAction
        switch operation.action {
        case .write(let value, let timestamp, let seconds):
            let expires: ClosedRange<Int64>? = seconds.map {
                shown.lowerBound + Int64($0)...shown.upperBound + Int64($0)
            }
            action = .write(value: value, timestamp: timestamp, expires: expires)
        case .delete(let timestamp): action = .delete(timestamp: timestamp)
        case .read:
            let latest: Int64? = clocks.compactMap { $0.seconds(from: 0, to: end)?.upperBound }.max()
            action = .read(now: shown, latest: latest ?? shown.upperBound)
        }
        return Operation(
            number: operation.number, client: operation.client, node: operation.node, action: action,
            invoked: operation.invoked, returned: operation.returned, result: operation.result)
    }

    // MARK: Requests

    private func write(_ key: Int, _ client: WorkloadClient) async {
        nextValue += 1
        let value: Int64 = nextValue
        let timestamp: Int64 = timestamps.next(client)
        let seconds: Int32? = client.generator.oneIn(5) ? nil : Int32(1 + client.generator.below(6))
        let k = Int32(truncatingIfNeeded: key)
        let isInsert: Bool = client.generator.oneIn(2)
        var values: [(any CQLEncodable)?] = isInsert ? [k, value] : []
        if let seconds { values.append(seconds) }
        if !isInsert { values += [value, k] as [(any CQLEncodable)?] }
        let using: String = seconds == nil ? "" : " USING TTL ?"
        let text: String =
            isInsert
            ? "INSERT INTO sim.expiring (k, v) VALUES (?, ?)" + using
            : "UPDATE sim.expiring" + using + " SET v = ? WHERE k = ?"
        await change(
            key, .write(value: value, timestamp: timestamp, seconds: seconds), text, values, timestamp, client)
    }

    private func delete(_ key: Int, _ client: WorkloadClient) async {
        let timestamp: Int64 = timestamps.next(client)
        let values: [(any CQLEncodable)?] = [Int32(truncatingIfNeeded: key)]
        await change(
            key, .delete(timestamp: timestamp), "DELETE FROM sim.expiring WHERE k = ?", values, timestamp, client)
    }

    private func change(
        _ key: Int, _ action: Action, _ text: String, _ values: [(any CQLEncodable)?], _ timestamp: Int64,
        _ client: WorkloadClient
    ) async {
        let node: Int = client.nextNode()
        let ticket = recorder.begin(key, action, client: client.number, node: node + 1)
        var options = QueryOptions(consistency: .quorum)
        options.timestamp = timestamp
        recorder.settle([ticket], await client.send(text, values, options, to: node), .acknowledged)
    }

    @discardableResult
    private func read(_ key: Int, _ client: WorkloadClient) async -> Bool {
        let node: Int = client.nextNode()
        let ticket = recorder.begin(key, .read, client: client.number, node: node + 1)
        let answer = await client.send(
            "SELECT v, writetime(v) FROM sim.expiring WHERE k = ?", [Int32(truncatingIfNeeded: key)],
            QueryOptions(consistency: .quorum), to: node)
        guard case .done(let result) = answer else {
            recorder.forget([ticket], answer)
            return false
        }
        var found = RowResult.absent
        // A row whose value has expired may have a key that stays.
        if let row = result.rows.first(where: { _ in true }), let value = try? row["v", as: Int64.self],
            let timestamp = try? row[1, as: Int64.self]
        {
            found = .found(value: value, timestamp: timestamp)
        }
        recorder.end(ticket, found)
        return true
    }
}
