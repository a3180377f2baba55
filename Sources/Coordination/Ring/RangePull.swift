package import Cluster
package import Primitives

/// What a node fetches from others, because it is to own it or has lost it.
package struct RangePull: Sendable, Hashable {
    /// Tables that are placed alike, and where their rows are.
    package struct Part: Sendable, Hashable {
        /// Keyspaces with all the tables that they have.
        package var keyspaces: [String]
        package var ranges: RangeSet
        /// Nodes whose rows are all fetched and merged: one, or a majority of those that had the ranges.
        package var sources: [NodeID]

        package init(keyspaces: [String], ranges: RangeSet, sources: [NodeID]) {
            self.keyspaces = keyspaces
            self.ranges = ranges
            self.sources = sources
        }
    }

    /// The change of the ring that it is for, or what else it is.
    package var id: UUID
    /// What operators read: "Bootstrap", "Unbootstrap", …
    package var title: String
    package var parts: [Part]
    /// Whether the rows of `system.paxos` come along whose tokens are in the ranges.
    package var includesPaxos: Bool

    package init(id: UUID, title: String, parts: [Part], includesPaxos: Bool = true) {
        self.id = id
        self.title = title
        self.parts = parts
        self.includesPaxos = includesPaxos
    }
}

/// Fetches ranges of tables for this node.
package protocol RangeReceiver: Sendable {
    /// Fetches all parts. The same may be asked for again, whole or in part: what comes twice does no harm.
    ///
    /// - Parameter held: is told which tokens of which part are durable here now, with the rows of all its tables from all
    ///   its sources; the whole part at the latest before this returns.
    /// - Throws: when a part could not be fetched. What was held stays.
    func pull(
        _ pull: RangePull, held: @escaping @Sendable (_ part: Int, _ ranges: RangeSet) async -> Void
    ) async throws
}

/// Keeps what a node stores to what it owns.
package protocol RangeKeeper: Sendable {
    /// Says which tokens of each keyspace this node owns: the others may be removed. Nil when nothing may be.
    func keepOnly(_ owned: [String: RangeSet]?) async
    /// Removes at once what keyspaces have beyond it; all of them when nil.
    func cleanup(_ keyspaces: [String]?) async throws
}

/// What coordinators and replicas of a node do for a change of the ring.
package protocol PlacementKeeper: Sendable {
    /// Returns once the node places data as of an epoch, or later, and no write of it is under way that was planned
    /// before; false when that takes longer than `limit`.
    func settle(at epoch: UInt64, within limit: Duration) async -> Bool
    /// Returns once all writes that began before have ended, and no hint of this node waits for any of `nodes`; false when
    /// that takes longer than `limit`.
    func arrive(at nodes: Set<NodeID>, within limit: Duration) async -> Bool
    /// Refuses from now on what was planned by an older placement.
    func seal(_ epoch: UInt64) async
}
