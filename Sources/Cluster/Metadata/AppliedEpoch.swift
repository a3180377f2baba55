package import Environment
import Synchronization

/// By which value of the cluster's metadata this node acts: its coordinators place data by it, and its storage has the
/// tables that it names.
///
/// A node knows a value as soon as it has learned it, and acts by it a moment later; later still when storage cannot carry
/// out what the value asks for. Asked and told on any loop.
package final class AppliedEpoch: Sendable {
    private struct Waiting {
        let epoch: UInt64
        let continuation: UnsafeContinuation<Bool, Never>
    }

    private struct State {
        var epoch: UInt64 = 0
        /// Why the node is not further, in words for a person.
        var obstacle: String?
        var waiting: [UInt64: Waiting] = [:]
        var waitCount: UInt64 = 0
    }

    private let state = Mutex(State())

    package init() {}

    /// The node acts by this epoch or a later one.
    package var epoch: UInt64 { state.withLock(\.epoch) }

    /// Why the node does not act by an epoch yet that it has learned; nil when it does.
    package func obstacle(to epoch: UInt64) -> String? {
        state.withLock { state in
            state.epoch >= epoch ? nil : state.obstacle ?? "the node is still starting"
        }
    }

    /// The node acts by an epoch from now on.
    package func reached(_ epoch: UInt64) {
        let ready: [Waiting] = state.withLock { state in
            guard epoch > state.epoch else { return [] }
            state.epoch = epoch
            state.obstacle = nil
            let numbers: [UInt64] = state.waiting.filter { $0.value.epoch <= epoch }.keys.sorted()
            return numbers.compactMap { state.waiting.removeValue(forKey: $0) }
        }
        for one in ready { one.continuation.resume(returning: true) }
    }

    /// The node could not get any further.
    package func failed(_ obstacle: String) {
        state.withLock { $0.obstacle = obstacle }
    }

    /// Waits until the node acts by an epoch, at most for `limit`; false when time was up first. On `loop`.
    package func wait(for epoch: UInt64, within limit: Duration, on loop: any Loop) async -> Bool {
        let number: UInt64? = state.withLock { state in
            guard state.epoch < epoch else { return nil }
            state.waitCount += 1
            return state.waitCount
        }
        guard let number else { return true }
        let timer: any LoopTimer = loop.schedule(after: limit) { [self] in end(number, false) }
        defer { timer.cancel() }
        return await withUnsafeContinuation { continuation in
            let isReached: Bool = state.withLock { state in
                guard state.epoch < epoch else { return true }
                state.waiting[number] = Waiting(epoch: epoch, continuation: continuation)
                return false
            }
            if isReached { continuation.resume(returning: true) }
        }
    }

    private func end(_ number: UInt64, _ isReached: Bool) {
        let ended: Waiting? = state.withLock { $0.waiting.removeValue(forKey: number) }
        ended?.continuation.resume(returning: isReached)
    }
}
