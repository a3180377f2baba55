import Cluster
import DataModel
import Environment
import Primitives

/// Finds out whether all that was written before has come to those who own more after a change of the ring.
///
/// A write that reached the owners of before and not those to come has failed for its client, and may have been read all
/// the same: it is not to vanish when those who go are asked no more, and come back with a hint.
struct RingArrivals: Sendable {
    let host: Host
    let local: NodeID
    let messenger: any Messenger
    let keeper: any PlacementKeeper
    let log: MetadataLog

    /// For one question: longer than writes take that nobody answers.
    private static let patience: Duration = .seconds(5)
    private static let margin: Duration = .seconds(1)

    /// Has this node answer the questions of others. Called once, before messages come.
    func register() {
        messenger.handle(.ringArrival) { message in
            guard message.body.count == 16, let id = UUID(message.body.span.bytes) else {
                throw Refusal(code: RingMessages.refusesMalformed, reason: "no id of a change")
            }
            guard let metadata = log.current, let change = metadata.change(id) else {
                throw Refusal(code: RingMessages.refusesUnknown, reason: "The change \(id) is not known here")
            }
            guard await isSettled(change, in: metadata) else {
                throw Refusal(code: RingMessages.refusesUnsettled, reason: "Writes have not come to their replicas yet")
            }
            return []
        }
    }

    /// Whether nothing that this node has written is still to come to those who gain by a change.
    private func isSettled(_ change: RingChange, in metadata: ClusterMetadata) async -> Bool {
        let topology = Topology(metadata, local: local)
        let gainers: [NodeID] = metadata.strategies.flatMap { strategy in
            topology.moves(of: change.id, strategy).flatMap(\.gainers)
        }
        return await keeper.arrive(at: Set(gainers), within: RingArrivals.patience)
    }

    /// Asks all of some nodes at once; those that have not said that all has arrived.
    func missing(of change: RingChange, in metadata: ClusterMetadata, among nodes: [NodeID]) async -> [NodeID] {
        let body: [UInt8] = change.id.bytes
        let settled: [NodeID] = await NodePoll(host: host, name: "arrival of writes").agreeing(among: nodes) { node in
            if node == local { return await isSettled(change, in: metadata) }
            do {
                _ = try await messenger.request(
                    .ringArrival, body, to: node, timeout: RingArrivals.patience + RingArrivals.margin)
                return true
            } catch {
                // It is asked again.
                return false
            }
        }
        return nodes.filter { !settled.contains($0) }
    }
}
