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
        try await LoopWork("take over hints", on: host.loops[0], of: host) {
            // For a node that has gone for good nobody waits.
            guard isMember(target) else { return }
            for (index, hint) in hints.enumerated() {
                // All that are kept before it are written with the last one.
                try await take(hint, for: target, isLast: index == hints.count - 1)
            }
        }.value()
    }

    private func take(_ hint: Hint, for target: NodeID, isLast: Bool) async throws(HintRefusal) {
        let (created, grace): (Int64, UInt32) = (hint.createdMicroseconds, hint.graceSeconds)
        do throws(HintRefusal) {
            if isLast {
                try await store.appendDurably(
                    for: target, created: created, grace: grace, mutation: hint.mutation, on: 0)
            } else {
                try store.append(
                    for: target, created: created, grace: grace, mutation: hint.mutation.span.bytes, on: 0)
            }
        } catch {
            switch error {
            case .overloaded, .closed, .disk: throw error
            case .disabled, .windowPassed, .targetFull, .tooLarge: missed?.note(hint.mutation.span.bytes)
            }
        }
    }
}
