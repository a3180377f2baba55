package import Cluster

/// Which replica answers fastest: a moving average of how long each took, as this shard has seen it.
///
/// A pure value; times come from the caller.
package struct ReplicaScores: Sendable {
    /// The weight of the last answer in the average, as one part of so many.
    private static let weight: Int64 = 8

    /// By node, in nanoseconds.
    private var averages: [NodeID: Int64] = [:]

    package init() {}

    /// Notes how long a node took to answer, in nanoseconds.
    package mutating func answered(_ node: NodeID, after nanoseconds: UInt64) {
        let taken = Int64(clamping: nanoseconds)
        guard let average = averages[node] else {
            averages[node] = taken
            return
        }
        averages[node] = average + (taken - average) / ReplicaScores.weight
    }

    /// How long a replica takes, in the unit of the scores; 0 when it was not asked yet.
    package func average(_ node: NodeID) -> Int64 { averages[node] ?? 0 }

    /// Those of `alive` in the order in which to read from them: this node, then those of its data centre, then the
    /// others, each by how fast they were.
    package func order(_ plan: ReplicaPlan, _ alive: UInt64) -> [Int] {
        let count: Int = min(plan.set.count, AnswerRule.maximumReplicaCount)
        let positions: [Int] = (0..<count).filter { alive & 1 << UInt64($0) != 0 }
        func key(_ position: Int) -> (Int, Int64, Int) {
            if position == plan.localPosition { return (0, 0, position) }
            let average: Int64 = averages[plan.set.node(at: position)] ?? 0
            return (plan.set.isLocal[position] ? 1 : 2, average, position)
        }
        return positions.sorted { key($0) < key($1) }
    }
}
