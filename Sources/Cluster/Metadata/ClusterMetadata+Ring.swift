package import DataModel
package import Primitives

/// Why the ring is not changed.
package enum RingChangeRefused: Error, Equatable, Sendable, CustomStringConvertible {
    /// Another change is under way where this one would be.
    case busy(RingChange.Kind, NodeID)
    case unknownNode(NodeID)
    /// The node is not one that this can be done with.
    case wrongState(NodeID, MemberState)
    /// Somebody has to own the ring.
    case lastNode
    /// Of a keyspace there would be fewer nodes than copies.
    case tooFewNodes(keyspace: String, factor: Int, nodeCount: Int)
    /// Another node has one of the tokens.
    case tokenTaken(Token)
    case noTokens
    /// The change is not under way, or no longer.
    case noSuchChange
    /// It has taken another step meanwhile, or is being taken back.
    case superseded
    /// The ranges that still have to be handed over.
    case unfinished(rangeCount: Int)

    package var description: String {
        switch self {
        case .busy(let kind, let node):
            "Other changes of the ring are in progress: \(kind.words) \(node). Wait for its end, or abort it"
        case .unknownNode(let node): "Host ID \(node) not found"
        case .wrongState(let node, .left): "The node \(node) is out of the ring"
        case .wrongState(let node, let state): "The node \(node) is \(state), and this needs one that is normal"
        case .lastNode: "No other normal nodes in the ring; decommission would be pointless"
        case .tooFewNodes(let keyspace, let factor, let nodeCount):
            "Not enough live nodes to maintain replication factor in keyspace \(keyspace) (RF = \(factor), "
                + "N = \(nodeCount)). Perform a forceful decommission to ignore."
        case .tokenTaken(let token): "target token \(token.value) is already owned by another node."
        case .noTokens: "A node cannot have no tokens"
        case .noSuchChange: "No such change of the ring is in progress"
        case .superseded: "The change of the ring has gone on, or is being taken back"
        case .unfinished(let rangeCount): "\(rangeCount) ranges have not been handed over yet"
        }
    }
}

extension RingChange.Kind {
    /// The change as a sentence says it, before the name of the node.
    package var words: String {
        switch self {
        case .join: "the bootstrap of"
        case .replace: "the replacement by"
        case .leave: "the decommission of"
        case .remove: "the removal of"
        case .move: "the move of"
        }
    }
}

/// The steps of changes of the ring: each makes the next value of the present one.
extension ClusterMetadata {
    /// How the keyspaces that all nodes share are replicated, each strategy once, in the order of the keyspaces' names.
    package var strategies: [ReplicationStrategy] {
        var strategies: [ReplicationStrategy] = []
        for (strategy, _) in keyspacesByStrategy where !strategies.contains(strategy) { strategies.append(strategy) }
        return strategies
    }

    /// Keyspaces of which nobody misses a row: no change of the ring waits for them.
    package static let expendableKeyspaces: Set<String> = ["system_traces", "system_distributed"]

    /// The strategies of keyspaces that are not expendable.
    package var guardedStrategies: [ReplicationStrategy] {
        keyspacesByStrategy.filter { !ClusterMetadata.expendableKeyspaces.isSuperset(of: $0.keyspaces) }.map(\.strategy)
    }

    /// The keyspaces that all nodes share, by how they are replicated.
    package var keyspacesByStrategy: [(strategy: ReplicationStrategy, keyspaces: [String])] {
        let datacenters: [String] = Set(members.filter { $0.state != .left }.map(\.datacenter)).sorted {
            $0.utf8.lexicographicallyPrecedes($1.utf8)
        }
        var found: [(strategy: ReplicationStrategy, keyspaces: [String])] = []
        for keyspace in schema.sortedKeyspaces {
            // A keyspace whose replication says nothing has its data nowhere.
            guard let strategy = try? ReplicationStrategy(keyspace.replication, datacenters: datacenters),
                strategy != .local
            else { continue }
            if let index = found.firstIndex(where: { $0.strategy == strategy }) {
                found[index].keyspaces.append(keyspace.name)
            } else {
                found.append((strategy, [keyspace.name]))
            }
        }
        return found
    }

    /// Whether there are keyspaces that people have made.
    package var hasUserKeyspaces: Bool {
        schema.keyspaces.values.contains { !$0.isLocal && !$0.name.hasPrefix("system") }
    }

    /// The change that a node is in the middle of.
    package func change(of node: NodeID) -> RingChange? {
        changes.first { $0.node == node || $0.replaced == node }
    }

    /// Begins a change.
    ///
    /// - Parameter member: the node whose tokens change, as it is to be among the members.
    package func beginning(
        _ change: RingChange, _ member: Member
    ) throws(RingChangeRefused) -> ClusterMetadata {
        for other in changes {
            let touched: [NodeID] = [other.node, other.replaced ?? other.node]
            guard !touched.contains(change.node), !touched.contains(change.replaced ?? change.node) else {
                throw .busy(other.kind, other.node)
            }
        }
        if let other = changes.last, changes.count >= ClusterMetadata.maximumChangeCount {
            throw .busy(other.kind, other.node)
        }
        var after: ClusterMetadata = self
        var placed: Member = member
        placed.state = change.memberState
        after.set(placed)
        var begun: RingChange = change
        begun.beganEpoch = epoch &+ 1
        begun.stepEpoch = epoch &+ 1
        after.set(begun)
        if let conflict = Topology(after, local: .none).conflict(of: change.id, after.strategies) {
            let other: RingChange? = self.change(conflict)
            throw .busy(other?.kind ?? .join, other?.node ?? change.node)
        }
        after.voters = after.chosenVoters
        return after
    }

    /// The tokens whose replicas a change changes.
    package func affected(by change: RingChange) -> RangeSet {
        Topology(self, local: .none).affected(by: change.id, strategies)
    }

    /// The tokens that are still to be handed over by a change.
    package func remaining(of change: RingChange) -> RangeSet {
        affected(by: change).subtracting(change.handedOver)
    }

    /// Hands tokens over to those that hold them now; nil when they have been.
    package func handingOver(_ id: UUID, _ ranges: RangeSet) throws(RingChangeRefused) -> ClusterMetadata? {
        guard var change = change(id) else { throw .noSuchChange }
        guard !change.isAborting else { throw .superseded }
        if change.handedOver.contains(ranges) { return nil }
        change.handedOver = change.handedOver.union(ranges)
        change.stepEpoch = epoch &+ 1
        var after: ClusterMetadata = self
        after.set(change)
        return after
    }

    /// Ends a change whose tokens have all been handed over.
    ///
    /// - Parameter step: the step after which all nodes have been waited for.
    package func ending(_ id: UUID, after step: UInt64) throws(RingChangeRefused) -> ClusterMetadata {
        guard let change = change(id) else { throw .noSuchChange }
        guard !change.isAborting, change.stepEpoch == step else { throw .superseded }
        let remaining: RangeSet = remaining(of: change)
        guard remaining.isEmpty else { throw .unfinished(rangeCount: remaining.count) }
        var after: ClusterMetadata = self
        after.removeChange(id)
        if let gone = change.replaced { after.setState(of: gone, .left, tokens: []) }
        switch change.kind {
        case .join, .replace, .move: after.setState(of: change.node, .normal, tokens: change.tokens)
        case .leave, .remove: after.setState(of: change.node, .left, tokens: [])
        }
        after.voters = after.chosenVoters
        return after
    }

    /// Has a change be driven by another node, or with less data; nil when it is.
    package func driving(
        _ id: UUID, by driver: NodeID, isForced: Bool = false, isWithoutData: Bool = false
    ) throws(RingChangeRefused) -> ClusterMetadata? {
        guard var change = change(id) else { throw .noSuchChange }
        let before: RingChange = change
        change.driver = driver
        change.isForced = change.isForced || isForced
        change.isWithoutData = change.isWithoutData || isWithoutData
        if change == before { return nil }
        var after: ClusterMetadata = self
        after.set(change)
        return after
    }

    // MARK: Back

    /// Has a change be taken back; nil when it is being.
    package func aborting(_ id: UUID, by driver: NodeID? = nil) throws(RingChangeRefused) -> ClusterMetadata? {
        guard var change = change(id) else { throw .noSuchChange }
        let before: RingChange = change
        change.isAborting = true
        change.isForced = false
        change.isWithoutData = false
        change.driver = driver ?? change.driver
        if change == before { return nil }
        var after: ClusterMetadata = self
        after.set(change)
        return after
    }

    /// Gives back what was handed over by a change that is being taken back: those that had it have got every write
    /// since, so there is nothing to bring them.
    package func givingBack(_ id: UUID, after step: UInt64) throws(RingChangeRefused) -> ClusterMetadata {
        guard var change = change(id) else { throw .noSuchChange }
        guard change.isAborting, change.stepEpoch == step else { throw .superseded }
        change.handedOver = RangeSet()
        change.stepEpoch = epoch &+ 1
        var after: ClusterMetadata = self
        after.set(change)
        return after
    }

    /// Ends a change that has been taken back: a new node is gone for good, any other is as it was.
    package func dropping(_ id: UUID, after step: UInt64) throws(RingChangeRefused) -> ClusterMetadata {
        guard let change = change(id) else { throw .noSuchChange }
        guard change.isAborting, change.stepEpoch == step, change.handedOver.isEmpty else { throw .superseded }
        var after: ClusterMetadata = self
        after.removeChange(id)
        switch change.kind {
        case .join, .replace: after.setState(of: change.node, .left, tokens: [])
        case .leave, .remove, .move: after.setState(of: change.node, .normal, tokens: nil)
        }
        after.voters = after.chosenVoters
        return after
    }

    /// Takes a node out at once, whatever it has and whoever needs it.
    package func assassinating(_ node: NodeID) throws(RingChangeRefused) -> ClusterMetadata {
        guard let member = member(node) else { throw .unknownNode(node) }
        guard member.state != .left else { throw .wrongState(node, .left) }
        guard members.contains(where: { $0.id != node && $0.state.isOwner }) else { throw .lastNode }
        var after: ClusterMetadata = self
        for change in changes where change.node == node || change.replaced == node {
            guard change.node == node else { throw .busy(change.kind, change.node) }
            after.removeChange(change.id)
        }
        if member.state.isOwner, let other = after.changes.first {
            let removal = RingChange(
                id: UUID(high: .max, low: .max), kind: .remove, node: node, tokens: [], driver: node)
            do {
                _ = try after.beginning(removal, member)
            } catch { throw .busy(other.kind, other.node) }
        }
        after.setState(of: node, .left, tokens: [])
        after.voters = after.chosenVoters
        return after
    }

    private mutating func setState(of node: NodeID, _ state: MemberState, tokens: [Token]?) {
        guard var member = member(node) else { return }
        member.state = state
        member.tokens = tokens ?? member.tokens
        set(member)
    }
}
