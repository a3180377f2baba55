package import Cluster
package import Primitives

/// How far a stream with one node is: a line of `nodetool netstats`.
package struct StreamProgress: Sendable, Hashable {
    /// Of the pull.
    package var id: UUID
    package var title: String
    package var peer: NodeID
    package var isIncoming: Bool
    /// The table that is streamed now, `keyspace.name`; nil between tables.
    package var table: String?
    package var fileCount = 0
    package var fileTotal = 0
    package var byteCount = 0
    /// Of the tables that were begun, about.
    package var byteTotal = 0
    package var rowCount = 0
    /// Tables that are done, and all.
    package var tableCount = 0
    package var tableTotal = 0
    /// When it began and when it ended, in microseconds since 1970; 0 where that is not noted.
    package var startedMicroseconds: Int64 = 0
    package var endedMicroseconds: Int64 = 0
    package var isDone = false
    package var failure: String?

    package init(id: UUID, title: String, peer: NodeID, isIncoming: Bool) {
        self.id = id
        self.title = title
        self.peer = peer
        self.isIncoming = isIncoming
    }
}
