/// DESCRIBE.
package struct DescribeStatement: Hashable, Sendable {
    package let target: Target
    package let withInternals: Bool

    package enum Target: Hashable, Sendable {
        case cluster
        /// `full` includes the keyspaces of the system.
        case schema(full: Bool)
        case keyspaces
        /// Without a name: the keyspace of the session. `only` leaves out what is in the keyspace.
        case keyspace(String?, only: Bool)
        case tables
        case table(QualifiedName)
        case index(QualifiedName)
        case view(QualifiedName)
        case types
        case type(QualifiedName)
        case functions
        case function(QualifiedName)
        case aggregates
        case aggregate(QualifiedName)
        /// A bare name: a keyspace, table, view or index, whichever is found first.
        case anything(QualifiedName)
    }
}
