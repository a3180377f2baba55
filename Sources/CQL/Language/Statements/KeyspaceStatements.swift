/// CREATE KEYSPACE.
package struct CreateKeyspaceStatement: Hashable, Sendable {
    package let keyspace: String
    package let ifNotExists: Bool
    package let properties: [Property]
}

/// ALTER KEYSPACE.
package struct AlterKeyspaceStatement: Hashable, Sendable {
    package let keyspace: String
    package let ifExists: Bool
    package let properties: [Property]
}

/// DROP KEYSPACE.
package struct DropKeyspaceStatement: Hashable, Sendable {
    package let keyspace: String
    package let ifExists: Bool
}
