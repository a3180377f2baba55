package import Cluster
package import DataModel
package import Primitives

/// How one table is replicated: what is needed to write to it without a statement at hand.
package struct TableReplication: Sendable {
    /// The replication map of the table's keyspace, and what its levels ask for.
    package let replication: [String: String]
    package let counts: ReplicaCounts
    /// `gc_grace_seconds` of the table.
    package let graceSeconds: UInt32

    package init(replication: [String: String], counts: ReplicaCounts, graceSeconds: UInt32) {
        self.replication = replication
        self.counts = counts
        self.graceSeconds = graceSeconds
    }
}

/// Finds the replication of a table by its id; nil when the schema has no such table. Called on any loop.
package typealias TableLookup = @Sendable (UUID) -> TableReplication?

extension ClusterView {
    /// The plan for a partition of a table.
    package func plan(for table: TableReplication, _ token: Token) throws(ReplicationError) -> ReplicaPlan {
        plan(for: try topology.placement(for: table.replication).replicas(of: token), table.counts)
    }
}
