import DataModel
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
    /// The ring of those that own tokens.
    private let ring: TokenRing
    /// The rings that the joins and departures under way lead to, each alone and all together.
    private let coming: [TokenRing]
    private let placements: Mutex<[ReplicationStrategy: Placement]> = Mutex([:])

    /// - Parameter local: this node, for `LocalStrategy` and for what is "local" about consistency.
    package init(members: [Member], local: NodeID) {
        let sorted: [Member] = members.sorted { $0.id < $1.id }
        var indexes: [NodeID: Int] = [:]
        for (index, member) in sorted.enumerated() { indexes[member.id] = index }
        let present: [Member] = sorted.filter { $0.state != .left }
        let datacenters: [String] = Set(present.map(\.datacenter)).sorted {
            $0.utf8.lexicographicallyPrecedes($1.utf8)
        }
        self.members = sorted
        self.indexes = indexes
        self.local = indexes[local]
        self.localDatacenter = indexes[local].map { sorted[$0].datacenter } ?? ""
        self.datacenters = datacenters
        let nodes: [RingNode] = Topology.nodes(sorted, datacenters)
        func ring(_ isIncluded: (Int) -> Bool) -> TokenRing {
            var entries: [(token: Token, owner: Int)] = []
            for index in sorted.indices where isIncluded(index) {
                for token in sorted[index].tokens { entries.append((token, index)) }
            }
            return TokenRing(nodes: nodes, datacenterCount: datacenters.count, entries: entries)
        }
        self.ring = ring { sorted[$0].state.isOwner }
        let changing: [Int] = sorted.indices.filter {
            sorted[$0].state == .joining || sorted[$0].state == .leaving
        }
        var coming: [TokenRing] = changing.map { one in
            ring { $0 == one ? sorted[one].state == .joining : sorted[$0].state.isOwner }
        }
        if changing.count > 1 {
            coming.append(
                ring { changing.contains($0) ? sorted[$0].state == .joining : sorted[$0].state.isOwner })
        }
        self.coming = coming
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
        var ends: [Token] = Set(([ring] + coming).flatMap(\.tokens)).sorted()
        if ends.isEmpty { ends = [.minimum] }
        var known: [[[Int]]: ReplicaSet] = [:]
        var sets: [ReplicaSet] = []
        for end in ends {
            let natural: [Int] = ring.replicas(of: end, rule)
            var pending: [Int] = []
            for ring in coming {
                for node in ring.replicas(of: end, rule) where !natural.contains(node) && !pending.contains(node) {
                    pending.append(node)
                }
            }
            let set: ReplicaSet = known[[natural, pending]] ?? makeSet(natural, pending)
            known[[natural, pending]] = set
            sets.append(set)
        }
        return Placement(strategy: strategy, ends: ends, sets: sets)
    }

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

    private func makeSet(_ natural: [Int], _ pending: [Int]) -> ReplicaSet {
        ReplicaSet(
            natural: natural.map { members[$0].id }, pending: pending.map { members[$0].id },
            datacenters: (natural + pending).map { members[$0].datacenter }, localDatacenter: localDatacenter)
    }
}
