public import Cluster
public import DataModel
import Environment

/// The replicas of one set as a shard sees them: who of them is this node, and what each level asks of them.
///
/// Made once for a set and kept by the shard; rules are made when they are first asked for. Confined to its loop.
public final class ReplicaPlan {
    public let set: ReplicaSet
    /// Where this node stands among the replicas; −1 when it is none.
    public let localPosition: Int
    /// All positions, and those that own the data.
    public let everybody: UInt64
    public let readers: UInt64
    /// For each other data centre with several replicas, their positions: one of them is sent what is for all.
    let remoteGroups: [UInt64]
    /// The epoch of the placement that it was made by.
    public let placement: UInt64
    let counts: ReplicaCounts
    private var readRules: [AnswerRule?]
    private var writeRules: [AnswerRule?]

    package init(_ set: ReplicaSet, _ counts: ReplicaCounts, local: NodeID, placement: UInt64 = 0) {
        self.placement = placement
        self.set = set
        self.counts = counts
        self.localPosition = set.position(of: local) ?? -1
        self.everybody = ReplicaPlan.mask(set.count)
        self.readers = ReplicaPlan.mask(set.natural.count)
        self.remoteGroups = ReplicaPlan.remoteGroups(set)
        self.readRules = Array(repeating: nil, count: 16)
        self.writeRules = Array(repeating: nil, count: 16)
    }

    private static func remoteGroups(_ set: ReplicaSet) -> [UInt64] {
        var groups: [UInt64] = Array(repeating: 0, count: set.counts.count)
        for position in 0..<min(set.count, AnswerRule.maximumReplicaCount) where !set.isLocal[position] {
            groups[set.countIndexes[position]] |= 1 << UInt64(position)
        }
        return groups.filter { $0.nonzeroBitCount > 1 }
    }

    private static func mask(_ count: Int) -> UInt64 {
        count >= 64 ? .max : (1 << UInt64(count)) &- 1
    }

    /// The position of this node among those that own the data, as a bit; 0 when it is not among them.
    @inlinable public var localBit: UInt64 {
        localPosition < 0 ? 0 : (1 << UInt64(localPosition & 63)) & readers
    }

    /// Whether this node is the only replica there is to be.
    @inlinable public var isLocalOnly: Bool { self.set.count == 1 && localPosition == 0 }

    /// Whether this node owns the data, and may answer for it.
    package var isLocalReader: Bool { localPosition >= 0 && localPosition < self.set.natural.count }

    /// What a level asks of reads. Hot: once per request.
    public func readRule(_ level: Consistency) -> AnswerRule {
        if let known = readRules[Int(level.rawValue)] { return known }
        let made: AnswerRule = .reads(level, of: set, counts)
        readRules[Int(level.rawValue)] = made
        return made
    }

    /// What a level asks of writes. Hot: once per request.
    public func writeRule(_ level: Consistency) -> AnswerRule {
        if let known = writeRules[Int(level.rawValue)] { return known }
        #if PLANTS
        let level: Consistency = Plant.isOn(.acknowledgeEarly) ? .one : level
        #endif
        let made: AnswerRule = .writes(level, of: set, counts)
        writeRules[Int(level.rawValue)] = made
        return made
    }

    /// The positions of the replicas that are up. Hot: once per request.
    public func alive(_ liveness: Liveness) -> UInt64 {
        var mask: UInt64 = 0
        for position in 0..<min(set.count, AnswerRule.maximumReplicaCount)
        where position == localPosition || liveness.isAlive(set.node(at: position)) {
            mask |= 1 << UInt64(position)
        }
        return mask
    }
}
