package import Cluster
import DataModel

/// Decides from whom a node fetches what a change of the ring makes it own.
///
/// The replica that loses a range has what the one that gets it is to have: then every majority of after has as much as
/// the majority of before in which the one stood for the other. Where nobody loses it, or whoever does is down, a
/// majority of those that had it know together all that a majority was told.
package struct RangeSources: Sendable {
    /// What can be fetched now.
    package private(set) var parts: [RangePull.Part] = []
    /// For each group of keyspaces, what the node needs in all and has not been handed over.
    package private(set) var needed: [RangeSet] = []
    /// What needs no fetching, because nobody is left who had it.
    package private(set) var free: [RangeSet] = []
    /// Those without whom something cannot be fetched.
    package private(set) var missing: [NodeID] = []

    private let topology: Topology
    private let change: RingChange
    private let receiver: NodeID
    private let isAlive: @Sendable (NodeID) -> Bool

    /// - Parameters:
    ///   - groups: the keyspaces by how they are replicated.
    ///   - held: for each group, what the node holds already.
    package init(
        of change: RingChange, for receiver: NodeID, in topology: Topology,
        _ groups: [(strategy: ReplicationStrategy, keyspaces: [String])], held: [RangeSet],
        isAlive: @escaping @Sendable (NodeID) -> Bool
    ) {
        self.topology = topology
        self.change = change
        self.receiver = receiver
        self.isAlive = isAlive
        for (index, group) in groups.enumerated() {
            add(group.strategy, group.keyspaces, index < held.count ? held[index] : RangeSet())
        }
        missing = Set(missing).sorted()
    }

    /// Those that a change makes own something, ascending, and what.
    package static func gains(
        _ change: RingChange, in topology: Topology, _ strategies: [ReplicationStrategy]
    ) -> [(node: NodeID, ranges: RangeSet)] {
        var gains: [NodeID: [RingRange]] = [:]
        for strategy in strategies {
            for move in topology.moves(of: change.id, strategy) {
                for node in move.gainers { gains[node, default: []].append(move.range) }
            }
        }
        return gains.sorted { $0.key < $1.key }.map { ($0.key, RangeSet($0.value).subtracting(change.handedOver)) }
            .filter { !$0.1.isEmpty }
    }

    private mutating func add(_ strategy: ReplicationStrategy, _ keyspaces: [String], _ held: RangeSet) {
        var needed: [RingRange] = []
        var free: [RingRange] = []
        var bySources: [[NodeID]: [RingRange]] = [:]
        for move in topology.moves(of: change.id, strategy) where move.gainers.contains(receiver) {
            let wanted = RangeSet([move.range]).subtracting(change.handedOver)
            needed.append(contentsOf: wanted.ranges)
            let open: [RingRange] = wanted.subtracting(held).ranges
            let isExpendable: Bool = ClusterMetadata.expendableKeyspaces.isSuperset(of: keyspaces)
            guard !open.isEmpty, let sources = sources(of: move, strategy, isExpendable) else { continue }
            if sources.isEmpty {
                free.append(contentsOf: open)
            } else {
                bySources[sources, default: []].append(contentsOf: open)
            }
        }
        self.needed.append(RangeSet(needed))
        self.free.append(RangeSet(free))
        for (sources, ranges) in bySources.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
            parts.append(RangePull.Part(keyspaces: keyspaces, ranges: RangeSet(ranges), sources: sources))
        }
    }

    /// Nil, and who is missed noted, when too few are up.
    private mutating func sources(
        of move: RangeMove, _ strategy: ReplicationStrategy, _ isExpendable: Bool
    ) -> [NodeID]? {
        let isNear: (NodeID) -> Bool = near(strategy)
        let gainers: [NodeID] = move.gainers.filter(isNear)
        let losers: [NodeID] = move.losers.filter(isNear)
        if let place = gainers.firstIndex(of: receiver), place < losers.count, losers[place] != change.dead,
            isAlive(losers[place])
        {
            return [losers[place]]
        }
        let nearby: [NodeID] = move.before.filter(isNear)
        let holders: [NodeID] = nearby.isEmpty ? move.before : nearby
        let buried: Int = holders.count { $0 == change.dead }
        let needed: Int = min(holders.count / 2 + 1, holders.count - buried)
        let candidates: [NodeID] = holders.filter { $0 != change.dead && $0 != receiver }
        let alive: [NodeID] = candidates.filter(isAlive)
        if alive.count < needed, change.isForced || isExpendable { return alive.sorted() }
        guard alive.count >= needed else {
            missing.append(contentsOf: candidates.filter { !isAlive($0) })
            return nil
        }
        return alive.prefix(needed).sorted()
    }

    /// Whether a node counts as one of the receiver's own data centre, where copies are counted by data centre.
    private func near(_ strategy: ReplicationStrategy) -> (NodeID) -> Bool {
        guard case .networkTopology = strategy else { return { _ in true } }
        let own: String? = topology.member(receiver)?.datacenter
        let topology: Topology = self.topology
        return { topology.member($0)?.datacenter == own }
    }
}

/// Decides whether enough nodes have taken a step of a change of the ring for the next one.
package struct BarrierQuorum: Sendable {
    /// Those whose word is missing, ascending; none when the next step may be taken.
    package let missing: [NodeID]

    /// - Parameter answered: those that work by the step now, and refuse what is older than it.
    package init(
        of change: RingChange, in topology: Topology, _ strategies: [ReplicationStrategy], answered: Set<NodeID>
    ) {
        var missing: Set<NodeID> = []
        for strategy in strategies {
            for move in topology.moves(of: change.id, strategy) {
                for replicas in [move.before, move.after] {
                    for group in BarrierQuorum.groups(replicas, strategy, topology) {
                        let buried: Int = group.count { $0 == change.dead }
                        let needed: Int = min(group.count / 2 + 1, group.count - buried)
                        let silent: [NodeID] = group.filter { $0 != change.dead && !answered.contains($0) }
                        if group.count - buried - silent.count < needed { missing.formUnion(silent) }
                    }
                }
            }
        }
        self.missing = missing.sorted()
    }

    /// The nodes of which a majority each is needed.
    private static func groups(
        _ replicas: [NodeID], _ strategy: ReplicationStrategy, _ topology: Topology
    ) -> [[NodeID]] {
        guard case .networkTopology = strategy else { return [replicas] }
        var groups: [String: [NodeID]] = [:]
        for node in replicas { groups[topology.member(node)?.datacenter ?? "", default: []].append(node) }
        // QUORUM counts all data centres together, LOCAL_QUORUM each alone: a majority of each is one of all.
        return groups.sorted { $0.key < $1.key }.map(\.value)
    }
}
