internal import CQL
internal import DataModel

/// CREATE, ALTER and DROP KEYSPACE.
extension SchemaChangeApplier {
    private static let properties: Set<String> = ["replication", "durable_writes"]

    func createKeyspace(_ statement: CreateKeyspaceStatement) throws(CQLError) -> Outcome {
        let name: String = statement.keyspace
        let properties = try PropertyMap(statement.properties)
        if SystemKeyspaceNames.isLocal(name), !context.canChangeSystemKeyspaces {
            throw .invalid(message: "System keyspace '\(name)' is not user-modifiable")
        }
        try checkKeyspaceName(name)
        let written = try replication(in: properties)
        guard let written else { throw .invalid(message: "Missing mandatory option 'replication'") }
        if schema.keyspaces[name] != nil {
            if statement.ifNotExists { return noChange(name) }
            throw .alreadyExists(keyspace: name)
        }
        let strategy = try ReplicationOptions(written, previous: [:], keyspace: name, context: context)
        let keyspace = KeyspaceDefinition(
            name: name, replication: strategy.map, durableWrites: try properties.bool("durable_writes") ?? true)
        return Outcome(
            keyspace: keyspace, event: SchemaChange(.created, keyspace: name),
            warnings: strategy.warnings(keyspace: name, context: context))
    }

    func alterKeyspace(_ statement: AlterKeyspaceStatement) throws(CQLError) -> Outcome {
        let name: String = statement.keyspace
        let properties = try PropertyMap(statement.properties)
        if SystemKeyspaceNames.isLocal(name), !context.canChangeSystemKeyspaces {
            throw .unauthorized(message: "\(name) keyspace is not user-modifiable.")
        }
        try checkKeyspaceName(name)
        let written = try replication(in: properties)
        guard var keyspace = schema.keyspaces[name] else {
            if statement.ifExists { return noChange(name) }
            throw .invalid(message: "Keyspace '\(name)' doesn't exist")
        }
        keyspace.durableWrites = try properties.bool("durable_writes") ?? keyspace.durableWrites
        var outcome = Outcome(keyspace: keyspace, event: SchemaChange(.updated, keyspace: name))
        guard let written, !written.isEmpty else { return outcome }
        var previous: [String: String] = keyspace.replication
        previous["class"] = nil
        let strategy = try ReplicationOptions(written, previous: previous, keyspace: name, context: context)
        let before: [String: String] = keyspace.replication
        keyspace.replication = strategy.map
        outcome.keyspace = keyspace
        outcome.warnings = strategy.warnings(keyspace: name, context: context)
        if let warning = SchemaChangeApplier.repairWarning(from: before, to: strategy.map) {
            outcome.warnings.append("\(warning) Run 'nodetool repair --full \(name)'.")
        }
        return outcome
    }

    /// What people should know who let nodes own data that they do not have; nil when nobody does.
    private static func repairWarning(from before: [String: String], to after: [String: String]) -> String? {
        let hasMore: Bool =
            ReplicationOptions.replicaCount(before) < ReplicationOptions.replicaCount(after)
            || before["class"] == after["class"]
                && after.contains { name, value in
                    name != "class" && (Int(value) ?? 0) > (Int(before[name] ?? "") ?? 0)
                }
        if hasMore {
            return "When increasing replication factor you need to run a full (-full) repair to distribute the data."
        }
        guard before["class"] != after["class"] else { return nil }
        return "When changing the replication strategy you need to run a full (-full) repair to distribute the data."
    }

    func dropKeyspace(_ statement: DropKeyspaceStatement) throws(CQLError) -> Outcome {
        let name: String = statement.keyspace
        try checkIsChangeable(name, permission: "DROP", resource: "<keyspace \(name)>")
        guard schema.keyspaces[name] != nil else {
            if statement.ifExists { return noChange(name) }
            throw .invalid(message: "Keyspace '\(name)' doesn't exist")
        }
        return Outcome(keyspace: nil, event: SchemaChange(.dropped, keyspace: name))
    }

    /// The map that was written; nil when none was.
    private func replication(in properties: PropertyMap) throws(CQLError) -> [String: String]? {
        try properties.checkNames(SchemaChangeApplier.properties)
        guard let map = try properties.map("replication") else { return nil }
        if !map.isEmpty, map["class"] == nil { throw .configError(message: "Missing replication strategy class") }
        return map
    }
}
