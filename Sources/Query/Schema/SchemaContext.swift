package import Primitives

/// What a change of the schema depends on besides the statement and the schema.
package struct SchemaContext: Sendable {
    /// The keyspace of the session; nil before USE.
    package var keyspace: String?
    /// Microseconds since 1970.
    package var nowMicroseconds: Int64
    /// The id of a table that the statement makes without naming one.
    package var newTableID: UUID
    /// How many nodes each data centre has, by name.
    package var dataCenters: [String: Int]
    /// The factor of keyspaces that name none.
    package var defaultReplicationFactor: Int
    /// Whether the keyspaces of the system may be changed, as the server itself does.
    package var canChangeSystemKeyspaces: Bool

    package init(
        keyspace: String? = nil, nowMicroseconds: Int64, newTableID: UUID, dataCenters: [String: Int],
        defaultReplicationFactor: Int = 1, canChangeSystemKeyspaces: Bool = false
    ) {
        self.keyspace = keyspace
        self.nowMicroseconds = nowMicroseconds
        self.newTableID = newTableID
        self.dataCenters = dataCenters
        self.defaultReplicationFactor = defaultReplicationFactor
        self.canChangeSystemKeyspaces = canChangeSystemKeyspaces
    }
}
