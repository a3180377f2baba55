package import Cluster
package import Environment
import Primitives

/// Makes sure that nobody works by a step of a change of the ring that is older than the one before the next.
///
///     all that are up:  work by the step, end what was planned before ─▶ refuse what was planned before ─▶ enough?
///
/// Those that are down, or cannot be reached, are refused once they come back: enough of every range's replicas, before
/// and after the change, refuse what is planned by an older placement.
package final class RingBarrier: Sendable {
    private let host: Host
    private let local: NodeID
    private let messenger: any Messenger
    private let isAlive: @Sendable (NodeID) -> Bool
    private let keeper: any PlacementKeeper
    /// Is told that a node knows an epoch that this one does not.
    private let behind: @Sendable (UInt64, NodeID) -> Void

    /// For one question; it is asked again as long as the node is up.
    private static let patience: Duration = .seconds(5)
    private static let margin: Duration = .seconds(1)
    private static let pause: Duration = .milliseconds(200)

    package init(
        host: Host, local: NodeID, messenger: any Messenger, keeper: any PlacementKeeper,
        isAlive: @escaping @Sendable (NodeID) -> Bool, behind: @escaping @Sendable (UInt64, NodeID) -> Void
    ) {
        self.host = host
        self.local = local
        self.messenger = messenger
        self.keeper = keeper
        self.isAlive = isAlive
        self.behind = behind
    }

    /// Has this node answer the questions of others. Called once, before messages come.
    package func register() {
        messenger.handle(.ringBarrier) { [self] message in
            let question: (phase: RingMessages.Phase, epoch: UInt64)
            do {
                question = try RingMessages.decodeBarrier(message.body)
            } catch { throw Refusal(code: RingMessages.refusesMalformed, reason: "\(error)") }
            behind(question.epoch, message.sender)
            // A seal too: who has started anew since may be behind, and an epoch that nobody knows would refuse everybody.
            guard await keeper.settle(at: question.epoch, within: RingBarrier.patience) else {
                throw Refusal(
                    code: RingMessages.refusesUnsettled,
                    reason: "This node does not work by the placement of epoch \(question.epoch) yet")
            }
            if question.phase == .seal { await keeper.seal(question.epoch) }
            return []
        }
    }

    /// Waits until the next step of a change may be taken.
    ///
    /// - Parameters:
    ///   - epoch: that of the last step.
    ///   - metadata: as it is or, for the first step of a change, as it would be.
    ///   - wait: is told whose word is missing, and says whether to go on waiting.
    /// - Throws: `CancellationError`; and what `wait` throws.
    package func pass(
        _ epoch: UInt64, for change: RingChange, in metadata: ClusterMetadata,
        _ wait: @Sendable ([NodeID]) async throws -> Void
    ) async throws {
        let topology = Topology(metadata, local: local)
        let strategies: [ReplicationStrategy] = metadata.guardedStrategies
        // One that is not among the members yet has planned nothing, and is asked all the same: it is to receive.
        let members: [NodeID] = metadata.members.filter { $0.state != .left && $0.id != change.dead }.map(\.id)
        var settled: Set<NodeID> = []
        var sealed: Set<NodeID> = []
        while true {
            let alive: [NodeID] = members.filter { $0 == local || isAlive($0) }
            settled.formUnion(await ask(.settle, epoch, alive.filter { !settled.contains($0) }))
            if alive.allSatisfy(settled.contains) {
                sealed.formUnion(await ask(.seal, epoch, settled.sorted().filter { !sealed.contains($0) }))
                // Whoever forces a change says that the others are gone.
                if change.isForced || change.isWithoutData { return }
                if BarrierQuorum(of: change, in: topology, strategies, answered: sealed).missing.isEmpty { return }
            }
            let unsettled: [NodeID] = alive.filter { !settled.contains($0) }
            let missing: [NodeID] = BarrierQuorum(of: change, in: topology, strategies, answered: sealed).missing
            try await wait(unsettled.isEmpty ? missing : unsettled)
            try await host.time.sleep(for: RingBarrier.pause)
        }
    }

    /// Those that have done it.
    private func ask(_ phase: RingMessages.Phase, _ epoch: UInt64, _ nodes: [NodeID]) async -> [NodeID] {
        let body: [UInt8] = RingMessages.encode(phase, epoch)
        return await NodePoll(host: host, name: "ring barrier").agreeing(among: nodes) { [self] node in
            if node == local { return await answer(phase, epoch) }
            do {
                _ = try await messenger.request(
                    .ringBarrier, body, to: node, timeout: RingBarrier.patience + RingBarrier.margin)
                return true
            } catch {
                // It is asked again as long as it is up.
                return false
            }
        }
    }

    private func answer(_ phase: RingMessages.Phase, _ epoch: UInt64) async -> Bool {
        switch phase {
        case .settle: return await keeper.settle(at: epoch, within: RingBarrier.patience)
        case .seal:
            await keeper.seal(epoch)
            return true
        }
    }
}
