package import Cluster
import DataModel
package import Primitives

/// A table as repairs see it.
package struct RepairTable: Hashable, Sendable {
    package let id: UUID
    package let keyspace: String
    package let name: String
    /// The replication map of the keyspace.
    package let replication: [String: String]
    package let purge: TombstonePurge

    /// When the table was made; nil where its id does not say so, as those of the system's do not.
    package var madeAtSeconds: Int64? { id.version == 1 ? id.unixMilliseconds / 1_000 : nil }

    package init(id: UUID, keyspace: String, name: String, replication: [String: String], purge: TombstonePurge) {
        self.id = id
        self.keyspace = keyspace
        self.name = name
        self.replication = replication
        self.purge = purge
    }
}

/// One range of one table, and the replicas that are to be made equal.
package struct RepairTarget: Hashable, Sendable {
    package let table: RepairTable
    /// Does not wrap.
    package let range: RingRange
    package let replicas: [NodeID]
    /// For each replica, the part of the ring that it holds of the table, from 0 to 1.
    package let shares: [Double]
    /// Whether these are all that own the range, so that equal replicas mean that nothing is missing anywhere.
    package let isComplete: Bool
    /// For each replica, its data centre.
    package let datacenters: [String]

    package init(
        table: RepairTable, range: RingRange, replicas: [NodeID], shares: [Double], isComplete: Bool,
        datacenters: [String]
    ) {
        self.table = table
        self.range = range
        self.replicas = replicas
        self.shares = shares
        self.isComplete = isComplete
        self.datacenters = datacenters
    }
}

/// What repairs have done, added up.
package struct RepairCounts: Hashable, Sendable {
    /// Rows and heads of partitions that were compared, on all replicas together one each.
    package var rowsCompared = 0
    /// Rows and heads of partitions that were brought to a replica.
    package var rowsStreamed = 0
    package var bytesStreamed = 0
    /// Rows and heads of partitions of which replicas had different versions.
    package var differences = 0
    /// Bytes of rows that replicas have read to hash them.
    package var bytesRead = 0
    /// Leaves of which a replica knew something else than its files say.
    package var wrongLeaves = 0

    package init() {}

    /// Numbers that come from other nodes may be anything: what is too large stays at the largest.
    package mutating func add(_ other: RepairCounts) {
        RepairCounts.add(other.rowsCompared, to: &rowsCompared)
        RepairCounts.add(other.rowsStreamed, to: &rowsStreamed)
        RepairCounts.add(other.bytesStreamed, to: &bytesStreamed)
        RepairCounts.add(other.differences, to: &differences)
        RepairCounts.add(other.bytesRead, to: &bytesRead)
        RepairCounts.add(other.wrongLeaves, to: &wrongLeaves)
    }

    static func add(_ count: Int, to sum: inout Int) {
        let (value, isOverflow) = sum.addingReportingOverflow(count)
        sum = isOverflow ? .max : value
    }
}

/// Why a range was not repaired. What was brought over before stays.
package enum RepairFailure: Error, Hashable, Sendable, CustomStringConvertible {
    /// A replica could not do its part.
    case participant(NodeID, reason: String)
    /// Replicas that are known to be down; ascending.
    case down([NodeID])
    case cancelled

    package var description: String { words { $0.description } }

    /// Why, for people.
    ///
    /// - Parameter name: what they call a node.
    package func words(_ name: (NodeID) -> String) -> String {
        switch self {
        case .participant(let node, let reason): "node \(name(node)) could not take part: \(reason)"
        case .down(let nodes) where nodes.count == 1: "node \(name(nodes[0])) is down"
        case .down(let nodes): "nodes \(nodes.map(name).joined(separator: " and ")) are down"
        case .cancelled: "the repair was cancelled"
        }
    }
}

/// One range of a repair that has ended.
package struct RepairedRange: Sendable {
    /// The repair.
    package let job: UUID
    package let target: RepairTarget
    package let failure: RepairFailure?
    package let startedAtMicroseconds: Int64
    package let endedAtMicroseconds: Int64
}

/// Ranges that were not repaired for one reason.
package struct RepairObstacle: Hashable, Sendable {
    package let failure: RepairFailure
    /// The same in words, with the names of nodes as people know them.
    package let words: String
    package fileprivate(set) var rangeCount: Int
}

extension [RepairObstacle] {
    /// Reasons of one repair.
    private static let limit = 100

    /// Counts one more range, with those that have failed for the same reason.
    mutating func note(_ failure: RepairFailure, _ words: String) {
        if let index = firstIndex(where: { $0.failure == failure }) {
            self[index].rangeCount += 1
        } else if count < [RepairObstacle].limit {
            append(RepairObstacle(failure: failure, words: words, rangeCount: 1))
        }
    }
}
