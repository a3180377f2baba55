/// The keyspaces that the server makes by itself, and who may change them.
package enum SystemKeyspaceNames {
    package static let system = "system"
    package static let schema = "system_schema"
    package static let traces = "system_traces"
    package static let auth = "system_auth"
    package static let distributed = "system_distributed"
    package static let virtualSchema = "system_virtual_schema"
    package static let views = "system_views"

    private static let local: Set<String> = [system, schema, virtualSchema, views]
    private static let replicated: Set<String> = [traces, auth, distributed]

    /// Whether each node has a keyspace of its own of this name, which no statement changes.
    package static func isLocal(_ keyspace: String) -> Bool { local.contains(keyspace.lowercased()) }

    /// Whether the keyspace is made by the server but replicated like those of users.
    package static func isReplicated(_ keyspace: String) -> Bool { replicated.contains(keyspace.lowercased()) }

    package static func isSystem(_ keyspace: String) -> Bool { isLocal(keyspace) || isReplicated(keyspace) }
}
