package import Cluster
package import DataModel

/// What a consistency level asks of the replicas of one set: whose answers count, and how many there must be.
///
/// Answers are remembered as bits by the position of a replica in its set. There is one group of replicas, or, for
/// EACH_QUORUM, one for each data centre. Made once for a set and a level, and shared by all requests.
public final class AnswerRule: Sendable {
    /// Replicas of which so many must answer.
    public struct Group: Sendable, Hashable {
        public let members: UInt64
        public let needed: Int

        package init(members: UInt64, needed: Int) {
            self.members = members
            self.needed = needed
        }
    }

    public let first: Group
    public let others: [Group]

    /// How many answers the level waits for in all.
    public let needed: Int
    /// Everybody whose answer counts.
    public let members: UInt64

    package init(_ groups: [Group]) {
        self.first = groups.first ?? Group(members: 0, needed: 0)
        self.others = Array(groups.dropFirst())
        self.needed = groups.reduce(0) { $0 + $1.needed }
        self.members = groups.reduce(0) { $0 | $1.members }
    }

    /// More replicas than this are not counted one by one; no level needs that.
    package static let maximumReplicaCount = 64

    /// Whether enough have answered.
    @inlinable
    public func isMet(by answered: UInt64) -> Bool {
        guard (answered & first.members).nonzeroBitCount >= first.needed else { return false }
        return others.isEmpty || areOthersMet(answered)
    }

    @usableFromInline
    func areOthersMet(_ answered: UInt64) -> Bool {
        others.allSatisfy { (answered & $0.members).nonzeroBitCount >= $0.needed }
    }

    /// How many of the answers count, as errors tell it: in no data centre more than it needs.
    package func received(_ answered: UInt64) -> Int {
        if others.isEmpty { return (answered & first.members).nonzeroBitCount }
        return ([first] + others).reduce(0) { $0 + min($1.needed, (answered & $1.members).nonzeroBitCount) }
    }

    /// What UNAVAILABLE says when those who are alive are too few; nil when they are enough. With several data centres
    /// it tells the numbers of the first that fails.
    package func shortage(alive: UInt64) -> (required: Int, alive: Int)? {
        if isMet(by: alive) { return nil }
        for group in [first] + others {
            let count: Int = (alive & group.members).nonzeroBitCount
            if count < group.needed { return (group.needed, count) }
        }
        return nil
    }
}

extension AnswerRule {
    /// The rule of a level for the reads of a set (SURFACE 4.1). Only natural replicas answer, but for a range that has
    /// just been handed over: those that had it may have shown what those that have it now miss, so levels of more than
    /// one replica wait for them as writes do.
    package static func reads(_ level: Consistency, of set: ReplicaSet, _ counts: ReplicaCounts) -> AnswerRule {
        let isForOne: Bool = [.any, .one, .localOne, .nodeLocal].contains(level)
        return rule(level, set, counts, includingPending: set.isHandedOver && !isForOne)
    }

    /// The rule of a level for the writes of a set: pending replicas answer too, and each makes one more answer
    /// needed, but for ANY.
    package static func writes(_ level: Consistency, of set: ReplicaSet, _ counts: ReplicaCounts) -> AnswerRule {
        rule(level, set, counts, includingPending: true)
    }

    private static func rule(
        _ level: Consistency, _ set: ReplicaSet, _ counts: ReplicaCounts, includingPending: Bool
    ) -> AnswerRule {
        let positions: Range<Int> = 0..<min(includingPending ? set.count : set.natural.count, maximumReplicaCount)
        func mask(_ isMember: (Int) -> Bool) -> UInt64 {
            positions.reduce(0) { isMember($1) ? $0 | 1 << UInt64($1) : $0 }
        }
        if level == .eachQuorum, counts.knowsDatacenters {
            return AnswerRule(
                counts.datacenters.map { datacenter in
                    let pending: Int = includingPending ? set.count(in: datacenter.name).pending : 0
                    return Group(
                        members: mask { set.datacenter(at: $0) == datacenter.name },
                        needed: datacenter.factor / 2 + 1 + pending)
                })
        }
        let isLocal: Bool = level.isDatacenterLocal && counts.knowsDatacenters
        let pending: Int = isLocal ? set.local.pending : set.pending.count
        let members: UInt64 = isLocal ? mask { set.isLocal[$0] } : mask { _ in true }
        let needed: Int = counts.required(level, nodeCount: set.natural.count)
        return AnswerRule([
            Group(members: members, needed: needed + (includingPending && level != .any ? pending : 0))
        ])
    }
}
