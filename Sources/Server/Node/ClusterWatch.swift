import CQL
import Cluster
import DataModel
import Environment
import Primitives
import Query
import Synchronization

/// What this node knows of the others that nobody has to agree on, and what clients are told of it.
///
///     members, liveness, gossip ─▶ ClusterWatch ─┬─▶ TOPOLOGY_CHANGE and STATUS_CHANGE events
///                                                └─▶ system.peers
///
/// A client is told of a node once that takes clients: drivers connect at once. A node that is joining takes none yet.
final class ClusterWatch: Sendable {
    private struct Peer {
        var isAlive = false
        var isReady = false
        /// Whether clients believe the node to be up.
        var isShownUp = false
        var isShownMember = false
        var schemaVersion: UUID?
        var epoch: UInt64 = 0
    }

    private struct State {
        var peers: [NodeID: Peer] = [:]
        var members: [Member] = []
        /// The epoch of the schema, and when this node came to it, in nanoseconds of the monotonic clock.
        var schemaEpoch: UInt64 = 0
        var schemaChangedAt: UInt64 = 0
        var events: [Event] = []
    }

    /// Gossip tells everybody of a change within this time.
    private static let patienceNanoseconds: UInt64 = 5_000_000_000

    private let state = Mutex(State())
    private let local: NodeID
    private let time: any TimeSource
    private let tell: @Sendable (Event) -> Void

    init(local: NodeID, time: any TimeSource, tell: @escaping @Sendable (Event) -> Void) {
        self.local = local
        self.time = time
        self.tell = tell
    }

    // MARK: What it hears

    /// There are other members from now on.
    func membersChanged(_ members: [Member]) {
        update { state in
            let before: [Member] = state.members
            state.members = members
            for member in members where member.id != local {
                let old: Member? = before.first { $0.id == member.id }
                var peer: Peer = state.peers[member.id] ?? Peer()
                if member.state == .left {
                    guard peer.isShownMember else { continue }
                    state.peers[member.id] = nil
                    state.events.append(.topology(.removedNode, NodeAddresses.endpoint(member.native)))
                    continue
                }
                if let old, peer.isShownMember, old.native != member.native {
                    state.events.append(.topology(.removedNode, NodeAddresses.endpoint(old.native)))
                    peer.isShownMember = false
                    peer.isShownUp = false
                } else if let old, peer.isShownMember, old.tokens != member.tokens {
                    state.events.append(.topology(.movedNode, NodeAddresses.endpoint(member.native)))
                }
                state.peers[member.id] = peer
                ClusterWatch.show(member, &state)
            }
        }
    }

    /// This node has come to another schema.
    func schemaChanged(_ epoch: UInt64) {
        state.withLock { state in
            guard state.schemaEpoch != epoch else { return }
            state.schemaEpoch = epoch
            state.schemaChangedAt = time.monotonicNanoseconds
        }
    }

    func livenessChanged(_ node: NodeID, isAlive: Bool) {
        update { state in
            state.peers[node, default: Peer()].isAlive = isAlive
            // A node that comes back says anew when it takes clients.
            if !isAlive { state.peers[node]?.isReady = false }
            if let member = state.members.first(where: { $0.id == node }) { ClusterWatch.show(member, &state) }
        }
    }

    func heard(_ node: NodeID, _ key: ApplicationState, _ value: String) {
        update { state in
            switch key {
            case .nativeReady: state.peers[node, default: Peer()].isReady = value == "true"
            case .schema: state.peers[node, default: Peer()].schemaVersion = UUID(text: value)
            case .metadataEpoch: state.peers[node, default: Peer()].epoch = UInt64(value) ?? 0
            default: return
            }
            if let member = state.members.first(where: { $0.id == node }) { ClusterWatch.show(member, &state) }
        }
    }

    private static func show(_ member: Member, _ state: inout State) {
        guard var peer = state.peers[member.id], member.state.isOwner else { return }
        let isUp: Bool = peer.isAlive && peer.isReady
        let endpoint: InetEndpoint = NodeAddresses.endpoint(member.native)
        if isUp, !peer.isShownMember {
            peer.isShownMember = true
            state.events.append(.topology(.newNode, endpoint))
        }
        if isUp != peer.isShownUp {
            peer.isShownUp = isUp
            state.events.append(.status(isUp ? .up : .down, endpoint))
        }
        state.peers[member.id] = peer
    }

    private func update(_ body: (inout State) -> Void) {
        let events: [Event] = state.withLock { state in
            body(&state)
            defer { state.events = [] }
            return state.events
        }
        for event in events { tell(event) }
    }

    // MARK: What it shows

    /// The other nodes for `system.peers`.
    ///
    /// A node shows the version of the schema that it says it has. One that has just been told of a change has not said
    /// so yet; for a moment it is taken to be where this node is, so that drivers do not wait for nothing.
    func peers(_ schema: Schema) -> [PeerDescription] {
        state.withLock { state in
            let isFresh: Bool = time.monotonicNanoseconds &- state.schemaChangedAt < ClusterWatch.patienceNanoseconds
            return state.members.filter { $0.id != local && $0.state.isOwner }.map { member in
                let peer: Peer = state.peers[member.id] ?? Peer()
                let isBehind: Bool = peer.epoch < state.schemaEpoch && !(isFresh && peer.isAlive)
                return PeerDescription(
                    hostID: member.id.uuid, dataCenter: member.datacenter, rack: member.rack, tokens: member.tokens,
                    releaseVersion: member.releaseVersion,
                    schemaVersion: isBehind ? peer.schemaVersion ?? schema.version : schema.version,
                    broadcast: NodeAddresses.endpoint(member.internode), native: NodeAddresses.endpoint(member.native))
            }
        }
    }
}
