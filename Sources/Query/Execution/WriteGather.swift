import Cluster
import Coordination
import DataModel

/// How a request wants its writes to be carried out.
struct WriteTerms: Sendable {
    let level: Consistency
    let kind: WriteKind
    let deadline: Deadline
    let trace: RequestTrace?
}

/// Waits for coordinated writes that were started together. The first failure counts, and ends the waiting.
///
/// Confined to its loop; `Sendable` is unchecked for that reason.
final class WriteGather: WriteObserver, @unchecked Sendable {
    private var openCount = 0
    private var failure: (any Error)?
    private var waiting: UnsafeContinuation<(any Error)?, Never>?

    /// One more write is about to start.
    func begin() { openCount += 1 }

    func coordinatedWriteEnded(_ tag: UInt64, _ failure: (any Error)?) {
        openCount -= 1
        if self.failure == nil { self.failure = failure }
        guard openCount == 0 || self.failure != nil else { return }
        waiting?.resume(returning: self.failure)
        waiting = nil
    }

    /// Returns once all writes have succeeded, or one has failed.
    func end() async -> (any Error)? {
        if openCount == 0 || failure != nil { return failure }
        return await withUnsafeContinuation { waiting = $0 }
    }
}
