public import DataModel

/// Which nodes hold which tokens: one replication strategy on one set of members.
///
/// Made by `Topology` and immutable. Whoever holds one across a change of the members sees the old placement.
public final class Placement: Sendable {
    /// Where ranges end, ascending; range *i* starts where range *i − 1* ends, and the first where the last does.
    @usableFromInline let ends: [Token]
    /// For each range, who holds it.
    @usableFromInline let sets: [ReplicaSet]

    package let strategy: ReplicationStrategy

    init(strategy: ReplicationStrategy, ends: [Token], sets: [ReplicaSet]) {
        self.strategy = strategy
        self.ends = ends
        self.sets = sets
    }

    /// Who holds a token.
    ///
    /// Hot: once per request. A binary search; nothing is allocated.
    @inlinable
    public func replicas(of token: Token) -> ReplicaSet {
        var low = 0
        var high: Int = ends.count
        while low < high {
            let middle: Int = (low &+ high) >> 1
            if ends[middle] < token { low = middle &+ 1 } else { high = middle }
        }
        return sets[low == ends.count ? 0 : low]
    }

    /// The ranges of the ring in ascending order of their ends; the first one wraps.
    public var ranges: [PlacedRange] {
        ends.indices.map { index in
            let start: Token = ends[index == 0 ? ends.count - 1 : index - 1]
            return PlacedRange(range: RingRange(after: start, through: ends[index]), replicas: sets[index])
        }
    }

    /// The ranges in the order in which a scan reads them, from the smallest token to the largest: none wraps, and
    /// neighbours with the same replicas are one.
    public var scanRanges: [PlacedRange] {
        var scanned: [PlacedRange] = []
        func append(_ end: Token, _ set: ReplicaSet) {
            var start: Token = scanned.last?.range.end ?? .minimum
            if let last = scanned.last, last.replicas === set {
                start = last.range.start
                scanned.removeLast()
            }
            scanned.append(PlacedRange(range: RingRange(after: start, through: end), replicas: set))
        }
        for (end, set) in zip(ends, sets) where end != .minimum { append(end, set) }
        if scanned.last?.range.end != .maximum { append(.minimum, sets[0]) }
        return scanned
    }

    /// All sets, each once.
    public var distinctSets: [ReplicaSet] {
        var seen: Set<ObjectIdentifier> = []
        return sets.filter { seen.insert(ObjectIdentifier($0)).inserted }
    }

    /// The ranges that a node holds, or will hold when `isPending`.
    package func ranges(of node: NodeID, pending isPending: Bool = false) -> [RingRange] {
        ranges.filter { ($0.isHeld(by: node, pending: isPending)) }.map(\.range)
    }

    /// The part of the data that each node holds, from 0 to 1: what `nodetool status` calls its effective ownership.
    package var shares: [NodeID: Double] {
        var shares: [NodeID: Double] = [:]
        for placed in ranges {
            for node in placed.replicas.natural { shares[node, default: 0] += placed.range.share }
        }
        return shares
    }
}

extension PlacedRange {
    fileprivate func isHeld(by node: NodeID, pending isPending: Bool) -> Bool {
        isPending ? replicas.pending.contains(node) : replicas.natural.contains(node)
    }
}
