package import Cluster
package import Environment

/// Takes over the hints that a node which is about to leave has for replicas that are down.
package struct HintSuccession: Sendable {
    private let store: HintStore
    private let missed: MissedWrites?
    /// Where hints are taken: loop 0.
    private let host: Host
    /// Whether a node is there to come back; asked on loop 0.
    private let isMember: @Sendable (NodeID) -> Bool

    /// - Parameter missed: told of hints that are not kept.
    package init(
        store: HintStore, missed: MissedWrites?, host: Host, isMember: @escaping @Sendable (NodeID) -> Bool
    ) {
        self.store = store
        self.missed = missed
        self.host = host
        self.isMember = isMember
    }

    /// Keeps hints for another node, and returns once they are as durable as the options ask.
    ///
    /// - Throws: when they cannot be kept now: they come again.
    func take(_ hints: [Hint], for target: NodeID) async throws {
        let works: [LoopWork<Void>] = hints.map { hint in
            // All of them share one write.
            LoopWork("take over a hint", on: host.loops[0], of: host) { try await take(hint, for: target) }
        }
        for work in works { try await work.value() }
    }

    private func take(_ hint: Hint, for target: NodeID) async throws(HintRefusal) {
        // For a node that has gone for good nobody waits.
        guard isMember(target) else { return }
        do throws(HintRefusal) {
            try await store.appendDurably(
                for: target, created: hint.createdMicroseconds, grace: hint.graceSeconds, mutation: hint.mutation,
                on: 0)
        } catch {
            switch error {
            case .overloaded, .closed, .disk: throw error
            case .disabled, .windowPassed, .targetFull, .tooLarge: missed?.note(hint.mutation.span.bytes)
            }
        }
    }
}
