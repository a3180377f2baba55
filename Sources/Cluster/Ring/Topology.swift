import DataModel
package import Primitives
import Synchronization

/// The members of one epoch and where they put data.
///
/// Made once for each set of members. Placements are made when they are first asked for and then shared by all
/// keyspaces of the same strategy.
package final class Topology: Sendable {
    /// Ascending by id, all of them, also those that have left.
    package let members: [Member]
    /// Where this node is; empty when it is no member.
    package let localDatacenter: String
    /// The data centres of members that own tokens or will, ascending.
    package let datacenters: [String]
    private let indexes: [NodeID: Int]
    private let local: Int?
    /// The epoch of the metadata in which data came to be where it is; what is planned by the topology says so.
    package let epoch: UInt64
    /// The changes that are under way.
    package let changes: [RingChange]
    /// The ring of those that own tokens.
    private let ring: TokenRing
    /// The rings that the changes under way lead to.
    private let coming: Mutex<ComingRings>
    /// The numbers of nodes that are dead for good if the changes under way succeed.
    private let dead: [Int]
    private let placements: Mutex<[ReplicationStrategy: Placement]> = Mutex([:])

    /// - Parameter local: this node, for `LocalStrategy` and for what is "local" about consistency.
    package convenience init(_ metadata: ClusterMetadata, local: NodeID) {
        self.init(
            members: metadata.members, changes: metadata.changes, epoch: metadata.placementEpoch, local: local)
    }

    /// - Parameter changes: members that are joining or leaving without one of them do so as if there were one.
    package init(members: [Member], changes: [RingChange] = [], epoch: UInt64 = 0, local: NodeID) {
        let sorted: [Member] = members.sorted { $0.id < $1.id }
        var indexes: [NodeID: Int] = [:]
        for (index, member) in sorted.enumerated() { indexes[member.id] = index }
        let present: [Member] = sorted.filter { $0.state != .left }
        let datacenters: [String] = Set(present.map(\.datacenter)).sorted {
            $0.utf8.lexicographicallyPrecedes($1.utf8)
        }
        self.members = sorted
        self.epoch = epoch
        self.changes = changes
        self.indexes = indexes
        self.local = indexes[local]
        self.localDatacenter = indexes[local].map { sorted[$0].datacenter } ?? ""
        self.datacenters = datacenters
        let effects: [RingEffect] = RingEffect.effects(of: changes, on: sorted, indexes)
        var coming = ComingRings(
            effects, members: sorted, nodes: Topology.nodes(sorted, datacenters), datacenterCount: datacenters.count)
        self.ring = coming.ring(0)
        self.dead = effects.compactMap(\.dead)
        self.coming = Mutex(coming)
    }

    private static func nodes(_ members: [Member], _ datacenters: [String]) -> [RingNode] {
        var racks: [[String]: Int] = [:]
        return members.map { member in
            let key: [String] = [member.datacenter, member.rack]
            let rack: Int = racks[key] ?? racks.count
            racks[key] = rack
            // Who has left owns nothing, so that its data centre is never looked at.
            return RingNode(
                id: member.id, datacenter: datacenters.firstIndex(of: member.datacenter) ?? 0, rack: rack)
        }
    }

    package func member(_ id: NodeID) -> Member? { indexes[id].map { members[$0] } }

    /// The members of a data centre that have not left, ascending by id.
    package func members(in datacenter: String) -> [Member] {
        members.filter { $0.datacenter == datacenter && $0.state != .left }
    }

    /// Those that own tokens, ascending by id.
    package var owners: [Member] { ring.members.map { members[$0] } }

    /// Where a keyspace with this replication map has its data.
    package func placement(for replication: [String: String]) throws(ReplicationError) -> Placement {
        placement(for: try ReplicationStrategy(replication, datacenters: datacenters))
    }

    /// Where data of this strategy is.
    package func placement(for strategy: ReplicationStrategy) -> Placement {
        if let known = placements.withLock({ $0[strategy] }) { return known }
        let made: Placement = makePlacement(strategy)
        return placements.withLock { placements in
            // Whoever was first wins, so that everybody holds the same sets.
            if let known = placements[strategy] { return known }
            placements[strategy] = made
            return made
        }
    }

    /// The part of the ring whose primary replica each node is, from 0 to 1.
    package var primaryShares: [NodeID: Double] { placement(for: .simple(factor: 1)).shares }

    private func makePlacement(_ strategy: ReplicationStrategy) -> Placement {
        let rule: PlacementRule = rule(for: strategy)
        var known: [PlacedNodes: ReplicaSet] = [:]
        return coming.withLock { coming in
            let wanted: [TokenRing] = coming.wanted.map { coming.ring($0) }
            let ends: [Token] = Topology.ends(wanted, coming.effects.map(\.handedOver))
            let sets: [ReplicaSet] = ends.map { end in
                let token: Token = Topology.last(through: end)
                let mask: UInt64 = coming.handedOver(token)
                let owners: [Int] = coming.ring(mask).replicas(of: token, rule)
                let natural: [Int] = dead.isEmpty ? owners : owners.filter { !dead.contains($0) }
                var pending: [Int] = []
                for ring in wanted {
                    for node in ring.replicas(of: token, rule)
                    where !natural.contains(node) && !pending.contains(node) && !dead.contains(node) {
                        pending.append(node)
                    }
                }
                let nodes = PlacedNodes(natural: natural, pending: pending, isHandedOver: mask != 0 && !pending.isEmpty)
                let set: ReplicaSet = known[nodes] ?? makeSet(nodes, strategy)
                known[nodes] = set
                return set
            }
            return Placement(strategy: strategy, ends: ends, sets: sets)
        }
    }

    /// Where ranges end whose tokens are all placed alike.
    private static func ends(_ rings: [TokenRing], _ sets: [RangeSet]) -> [Token] {
        var ends: Set<Token> = Set(rings.flatMap(\.tokens))
        for set in sets {
            for range in set.ranges {
                ends.insert(range.start)
                ends.insert(range.end)
            }
        }
        return ends.isEmpty ? [.minimum] : ends.sorted()
    }

    /// A token of the range that ends at `end`.
    private static func last(through end: Token) -> Token { end == .minimum ? .maximum : end }

    private func rule(for strategy: ReplicationStrategy) -> PlacementRule {
        switch strategy {
        case .simple(let factor): return .next(factor)
        case .everywhere: return .all
        case .local: return .only(local)
        case .networkTopology(let factors):
            let byDatacenter: [Int] = datacenters.map { name in
                factors.first { $0.datacenter == name }?.factor ?? 0
            }
            return .perDatacenter(byDatacenter)
        }
    }

    /// The numbers of the nodes of a replica set.
    private struct PlacedNodes: Hashable {
        let natural: [Int]
        let pending: [Int]
        let isHandedOver: Bool
    }

    private func makeSet(_ nodes: PlacedNodes, _ strategy: ReplicationStrategy) -> ReplicaSet {
        ReplicaSet(
            natural: nodes.natural.map { members[$0].id }, pending: nodes.pending.map { members[$0].id },
            datacenters: (nodes.natural + nodes.pending).map { members[$0].datacenter },
            localDatacenter: localDatacenter, strategy: strategy, isHandedOver: nodes.isHandedOver)
    }

    // MARK: What a change does

    /// The ranges whose replicas a change changes, ascending, with who had them before and who has them afterwards.
    /// The dead are among those of before.
    package func moves(of change: UUID, _ strategy: ReplicationStrategy) -> [RangeMove] {
        let rule: PlacementRule = rule(for: strategy)
        return coming.withLock { coming in
            guard let index = coming.effects.firstIndex(where: { $0.change == change }) else { return [] }
            let before: TokenRing = coming.ring(0)
            let after: TokenRing = coming.ring(1 << UInt64(index))
            let ends: [Token] = Topology.ends([before, after], [])
            var moves: [RangeMove] = []
            for (place, end) in ends.enumerated() {
                let token: Token = Topology.last(through: end)
                let old: [Int] = before.replicas(of: token, rule)
                let new: [Int] = after.replicas(of: token, rule)
                guard Set(old) != Set(new) else { continue }
                let range = RingRange(after: ends[place == 0 ? ends.count - 1 : place - 1], through: end)
                moves.append(
                    contentsOf: range.unwrapped.map { part in
                        RangeMove(range: part, before: old.map { members[$0].id }, after: new.map { members[$0].id })
                    })
            }
            return RangeMove.joined(moves)
        }
    }

    /// The tokens whose replicas a change changes, under any of some strategies.
    package func affected(by change: UUID, _ strategies: [ReplicationStrategy]) -> RangeSet {
        strategies.reduce(RangeSet()) { set, strategy in
            set.union(RangeSet(moves(of: change, strategy).map(\.range)))
        }
    }

    /// Another change that some token's replicas depend on besides this one; nil when it gets in nobody's way.
    ///
    /// Looks at the ring after every choice of the changes: of no token may the replicas follow from two of them.
    package func conflict(of change: UUID, _ strategies: [ReplicationStrategy]) -> UUID? {
        coming.withLock { coming in
            guard let own = coming.effects.firstIndex(where: { $0.change == change }) else { return nil }
            let others: [Int] = coming.effects.indices.filter { $0 != own }
            guard let first = others.first else { return nil }
            guard coming.effects.count <= ClusterMetadata.maximumChangeCount else {
                return coming.effects[first].change ?? change
            }
            let rings: [TokenRing] = (0...coming.all).map { coming.ring($0) }
            let ends: [Token] = Topology.ends(rings, [])
            for strategy in strategies {
                let rule: PlacementRule = rule(for: strategy)
                for end in ends {
                    let sets: [[Int]] = rings.map { $0.replicas(of: Topology.last(through: end), rule).sorted() }
                    if let other = Topology.conflict(own, others, sets) {
                        return coming.effects[other].change ?? change
                    }
                }
            }
            return nil
        }
    }

    /// - Parameter sets: the replicas of a token by the mask of the changes that have been carried out.
    private static func conflict(_ own: Int, _ others: [Int], _ sets: [[Int]]) -> Int? {
        let acting: [Int] = others.filter { sets[1 << $0] != sets[0] }
        if sets[1 << own] != sets[0], let other = acting.first { return other }
        let mask: Int = ([own] + others).reduce(0) { sets[1 << $1] != sets[0] ? $0 | 1 << $1 : $0 }
        for choice in sets.indices where sets[choice] != sets[choice & mask] {
            return others.first { choice & 1 << $0 != 0 } ?? others.first
        }
        return nil
    }
}

/// A range whose replicas a change of the ring changes.
package struct RangeMove: Hashable, Sendable {
    /// One that does not wrap.
    package let range: RingRange
    package let before: [NodeID]
    package let after: [NodeID]

    package init(range: RingRange, before: [NodeID], after: [NodeID]) {
        self.range = range
        self.before = before
        self.after = after
    }

    /// Those that get the range, in the order of the ring.
    package var gainers: [NodeID] { after.filter { !before.contains($0) } }

    /// Those that lose it, in the order of the ring.
    package var losers: [NodeID] { before.filter { !after.contains($0) } }

    /// Neighbours that change alike as one, ascending.
    fileprivate static func joined(_ moves: [RangeMove]) -> [RangeMove] {
        var joined: [RangeMove] = []
        for move in moves.sorted(by: { $0.range.start < $1.range.start }) {
            if let last = joined.last, last.range.end == move.range.start, last.before == move.before,
                last.after == move.after
            {
                joined[joined.count - 1] = RangeMove(
                    range: RingRange(after: last.range.start, through: move.range.end), before: last.before,
                    after: last.after)
            } else {
                joined.append(move)
            }
        }
        return joined
    }
}
