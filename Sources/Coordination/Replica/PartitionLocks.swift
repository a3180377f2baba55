package import DataModel
package import Environment

/// Lets one request at a time read a partition and write what follows from it; others wait in the order they came.
///
/// Confined to one shard's loop. Plain writes take no lock: they depend on nothing that they read.
package final class PartitionLocks {
    /// A request that waits for its turn, or for the end of its patience.
    ///
    /// `Sendable` is unchecked because it is used on the loop of its locks only.
    private final class Turn: @unchecked Sendable {
        var continuation: UnsafeContinuation<Bool, Never>?
        var timer: (any LoopTimer)?

        func end(_ hasEntered: Bool) {
            timer?.cancel()
            timer = nil
            let waiting = continuation
            continuation = nil
            waiting?.resume(returning: hasEntered)
        }
    }

    private var waiting: [Token: [Turn]] = [:]

    package init() {}

    /// Waits for the partition, at most for `limit`; false when time was up first.
    package func enter(_ token: Token, within limit: Duration, on loop: any Loop) async -> Bool {
        guard waiting[token] != nil else {
            waiting[token] = []
            return true
        }
        let turn = Turn()
        return await withUnsafeContinuation { continuation in
            turn.continuation = continuation
            turn.timer = loop.schedule(after: limit) { turn.end(false) }
            waiting[token]?.append(turn)
        }
    }

    /// Lets the next one in that is still waiting.
    package func leave(_ token: Token) {
        guard var queue = waiting[token] else { return }
        while !queue.isEmpty {
            let next: Turn = queue.removeFirst()
            guard next.continuation != nil else { continue }
            waiting[token] = queue
            next.end(true)
            return
        }
        waiting[token] = nil
    }
}
