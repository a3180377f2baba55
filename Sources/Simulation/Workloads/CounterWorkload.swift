import CQL
import DataModel
import MartletClient
import Primitives

/// Clients that add to counters and read them.
///
/// `Sendable` is unchecked because a world and all that belongs to it is used by one thread at a time.
package final class CounterWorkload: Workload, @unchecked Sendable {
    private let recorder: HistoryRecorder<CounterAction, CounterResult>
    private let keyCount: Int

    package init(_ clock: HistoryClock, keyCount: Int = 3) {
        self.recorder = HistoryRecorder("counter", clock)
        self.keyCount = keyCount
    }

    package var schema: [String] { ["CREATE TABLE counters (k int PRIMARY KEY, n counter)"] }

    package func act(_ client: WorkloadClient) async {
        let key: Int = client.generator.below(keyCount)
        let isRead: Bool = client.generator.oneIn(3)
        // Amounts of different sizes, so that a sum says which of them are in it.
        let amount: Int64 = 1 << Int64(client.generator.below(20))
        await perform(isRead ? .read : .add(client.generator.oneIn(4) ? -amount : amount), on: key, client)
    }

    package func lookAgain(_ client: WorkloadClient) async -> Bool {
        for key in recorder.keys {
            let isDone: Bool = await perform(.read, on: key, client)
            if !isDone { return false }
        }
        return true
    }

    package func violations() -> [Violation] {
        recorder.keys.compactMap { CounterChecker().violation(recorder.history(of: $0), of: "counter \($0)") }
    }

    @discardableResult
    private func perform(_ action: CounterAction, on key: Int, _ client: WorkloadClient) async -> Bool {
        let node: Int = client.nextNode()
        let ticket = recorder.begin(key, action, client: client.number, node: node + 1)
        let options = QueryOptions(consistency: .quorum)
        let answer: Attempt<QueryResult>
        switch action {
        case .add(let amount):
            let values: [(any CQLEncodable)?] = [amount, Int32(truncatingIfNeeded: key)]
            answer = await client.send("UPDATE sim.counters SET n = n + ? WHERE k = ?", values, options, to: node)
        case .read:
            let values: [(any CQLEncodable)?] = [Int32(truncatingIfNeeded: key)]
            answer = await client.send("SELECT n FROM sim.counters WHERE k = ?", values, options, to: node)
        }
        switch answer {
        case .done(let result):
            if action == .read {
                let row: Row? = result.rows.first { _ in true }
                let value: Int64? = try? row?["n", as: Int64.self]
                recorder.end(ticket, .value(value ?? 0))
            } else {
                recorder.end(ticket, .acknowledged)
            }
            return true
        case .refused(let reason): recorder.forget(ticket, because: reason)
        case .unknown(let reason):
            if action == .read {
                recorder.forget(ticket, because: reason)
            } else {
                recorder.leaveOpen(ticket, because: reason)
            }
        }
        return false
    }
}
