import DataModel
import Primitives

/// The nodes that hold the partitions of a range.
///
/// Ranges with the same nodes in the same order share one object, which makes it cheap to hold and to compare by
/// identity. A *position* counts the natural replicas first, then the pending ones; it is what quorums use to remember
/// who has answered.
public final class ReplicaSet: Sendable {
    /// Those that own the range, in the order of the ring: the first is the range's primary replica.
    public let natural: [NodeID]
    /// Those that will own the range once nodes that are joining or leaving have done so, or have owned it until now.
    /// They get every write, and writes wait for them on top of what the consistency level asks for. They answer reads
    /// only where `isHandedOver`.
    public let pending: [NodeID]
    /// Whether the pending ones are those that owned the range until now: reads of more than one replica wait for them
    /// too, so that what was read before is seen, though nobody was told that it is stored.
    public let isHandedOver: Bool
    /// How many of both are in each data centre that has any, ascending by name.
    public let counts: [ReplicaCount]
    /// How many of both are in the data centre of this node.
    public let local: ReplicaCount
    /// For every position: the index in `counts` of its data centre.
    public let countIndexes: [Int]
    /// For every position: whether it is in the data centre of this node.
    public let isLocal: [Bool]
    /// The same on all nodes for the same natural and the same pending replicas, in whatever order, and for others
    /// another one; never 0.
    package let fingerprint: UInt64
    /// What chose the nodes.
    package let strategy: ReplicationStrategy

    /// - Parameter datacenters: for every position, its data centre.
    package init(
        natural: [NodeID], pending: [NodeID], datacenters: [String], localDatacenter: String,
        strategy: ReplicationStrategy = .everywhere, isHandedOver: Bool = false
    ) {
        self.strategy = strategy
        self.natural = natural
        self.pending = pending
        self.isHandedOver = isHandedOver
        let names: [String] = Set(datacenters).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        var counts: [ReplicaCount] = names.map { ReplicaCount(datacenter: $0, natural: 0, pending: 0) }
        var indexes: [Int] = []
        for (position, datacenter) in datacenters.enumerated() {
            guard let index = names.firstIndex(of: datacenter) else { continue }
            indexes.append(index)
            if position < natural.count { counts[index].natural += 1 } else { counts[index].pending += 1 }
        }
        self.counts = counts
        self.countIndexes = indexes
        self.isLocal = datacenters.map { $0 == localDatacenter }
        self.fingerprint = ReplicaSet.fingerprint(natural, pending)
        self.local =
            counts.first { $0.datacenter == localDatacenter }
            ?? ReplicaCount(datacenter: localDatacenter, natural: 0, pending: 0)
    }

    private static func fingerprint(_ natural: [NodeID], _ pending: [NodeID]) -> UInt64 {
        var writer = ByteWriter(capacity: 128)
        for group in [natural, pending] {
            writer.write(UInt32(clamping: group.count))
            for node in group.sorted() {
                writer.write(node.uuid.high)
                writer.write(node.uuid.low)
            }
        }
        return max(1, UInt64(bitPattern: Token(ofKey: writer.span).value))
    }

    /// Natural and pending replicas together.
    @inlinable public var count: Int { natural.count &+ pending.count }

    /// The node at a position.
    @inlinable
    public func node(at position: Int) -> NodeID {
        position < natural.count ? natural[position] : pending[position &- natural.count]
    }

    /// Where a node stands; nil when it is none of the replicas. Hot: once per answer, over a handful of nodes.
    @inlinable
    public func position(of node: NodeID) -> Int? {
        for index in natural.indices where natural[index] == node { return index }
        for index in pending.indices where pending[index] == node { return index &+ natural.count }
        return nil
    }

    @inlinable
    public func contains(_ node: NodeID) -> Bool { position(of: node) != nil }

    /// Whether a node owns the range and may answer reads.
    @inlinable
    public func containsNatural(_ node: NodeID) -> Bool {
        for index in natural.indices where natural[index] == node { return true }
        return false
    }

    /// How many replicas a data centre has.
    public func count(in datacenter: String) -> ReplicaCount {
        for count in counts where count.datacenter == datacenter { return count }
        return ReplicaCount(datacenter: datacenter, natural: 0, pending: 0)
    }

    /// The data centre of the node at a position.
    public func datacenter(at position: Int) -> String { counts[countIndexes[position]].datacenter }
}

/// How many replicas of a range one data centre has.
public struct ReplicaCount: Hashable, Sendable {
    public let datacenter: String
    public internal(set) var natural: Int
    public internal(set) var pending: Int

    package init(datacenter: String, natural: Int, pending: Int) {
        self.datacenter = datacenter
        self.natural = natural
        self.pending = pending
    }
}
