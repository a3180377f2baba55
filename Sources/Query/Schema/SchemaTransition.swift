package import CQL
package import DataModel

/// What a statement makes of a schema: the next schema, and what follows from the difference.
///
/// A pure value: whoever applied the statement stores the schema, makes and removes tables, tells clients.
///
///     statement, schema, context ──▶ SchemaTransition ──▶ metadata log, storage, events
package struct SchemaTransition: Equatable, Sendable {
    package struct AlteredTable: Equatable, Sendable {
        package let before: TableDefinition
        package let after: TableDefinition
    }

    /// The next schema; the one that was given when nothing changes.
    package let schema: Schema
    /// What clients are told; nil when nothing changes, and then the result is void.
    package let event: SchemaChange?
    /// Sentences for the client that gave the statement.
    package let warnings: [String]
    package let createdTables: [TableDefinition]
    package let alteredTables: [AlteredTable]
    package let droppedTables: [TableDefinition]

    package var isNoChange: Bool { event == nil }

    /// Applies a statement that changes keyspaces, tables or types; nil for every other statement.
    ///
    /// - Throws: the error for the client, with Cassandra's code and words.
    package static func applying(
        _ statement: Statement, to schema: Schema, context: SchemaContext
    ) throws(CQLError) -> SchemaTransition? {
        let applier = SchemaChangeApplier(schema: schema, context: context)
        let change: SchemaChangeApplier.Outcome
        switch statement {
        case .createKeyspace(let statement): change = try applier.createKeyspace(statement)
        case .alterKeyspace(let statement): change = try applier.alterKeyspace(statement)
        case .dropKeyspace(let statement): change = try applier.dropKeyspace(statement)
        case .createTable(let statement): change = try applier.createTable(statement)
        case .alterTable(let statement): change = try applier.alterTable(statement)
        case .dropTable(let statement): change = try applier.dropTable(statement)
        case .createType(let statement): change = try applier.createType(statement)
        case .alterType(let statement): change = try applier.alterType(statement)
        case .dropType(let statement): change = try applier.dropType(statement)
        default: return nil
        }
        return SchemaTransition(from: schema, change)
    }

    private init(from schema: Schema, _ change: SchemaChangeApplier.Outcome) {
        let name: String = change.event.keyspace
        let before: KeyspaceDefinition? = schema.keyspaces[name]
        guard before != change.keyspace else {
            self.schema = schema
            self.event = nil
            self.warnings = change.warnings
            self.createdTables = []
            self.alteredTables = []
            self.droppedTables = []
            return
        }
        var next: Schema = schema
        next.keyspaces[name] = change.keyspace
        next.epoch = schema.epoch &+ 1
        next.version = SchemaCodec.contentVersion(of: next)
        self.schema = next
        self.event = change.event
        self.warnings = change.warnings
        // A table is the same table as long as it keeps its id: one that is dropped and made again is another.
        let old: [TableDefinition] = before?.sortedTables ?? []
        let new: [TableDefinition] = change.keyspace?.sortedTables ?? []
        self.createdTables = new.filter { table in !old.contains { $0.id == table.id } }
        self.droppedTables = old.filter { table in !new.contains { $0.id == table.id } }
        self.alteredTables = new.compactMap { table in
            guard let earlier = old.first(where: { $0.id == table.id }), earlier != table else { return nil }
            return AlteredTable(before: earlier, after: table)
        }
    }
}

/// Computes what a statement makes of the one keyspace that it concerns.
struct SchemaChangeApplier {
    struct Outcome {
        /// The keyspace afterwards; nil when it is dropped or was never there.
        var keyspace: KeyspaceDefinition?
        var event: SchemaChange
        var warnings: [String] = []
    }

    let schema: Schema
    let context: SchemaContext

    /// The longest name of a keyspace or table.
    static let maximumNameLength = 48

    static func isValidName(_ name: String) -> Bool {
        guard !name.isEmpty, name.utf8.count <= maximumNameLength else { return false }
        return name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
                true
            default: false
            }
        }
    }

    /// The keyspace that a name means.
    func keyspaceName(of name: QualifiedName) throws(CQLError) -> String {
        if let keyspace = name.keyspace ?? context.keyspace { return keyspace }
        throw .invalid(
            message: "No keyspace has been specified. USE a keyspace, or explicitly specify keyspace.tablename")
    }

    /// The outcome that leaves everything as it is.
    func noChange(_ keyspace: String) -> Outcome {
        Outcome(keyspace: schema.keyspaces[keyspace], event: SchemaChange(.updated, keyspace: keyspace))
    }

    /// Refuses to change what the server made. `resource` and `permission` are the words of the refusal.
    func checkIsChangeable(_ keyspace: String, permission: String, resource: String) throws(CQLError) {
        if context.canChangeSystemKeyspaces { return }
        if SystemKeyspaceNames.isLocal(keyspace) {
            throw .unauthorized(message: "\(keyspace) keyspace is not user-modifiable.")
        }
        if SystemKeyspaceNames.isReplicated(keyspace) {
            throw .unauthorized(message: "Cannot \(permission) \(resource)")
        }
    }

    func checkKeyspaceName(_ name: String) throws(CQLError) {
        guard SchemaChangeApplier.isValidName(name) else {
            throw .invalid(
                message: "Keyspace name must not be empty, more than \(SchemaChangeApplier.maximumNameLength) "
                    + "characters long, or contain non-alphanumeric-underscore characters (got '\(name)')")
        }
    }
}
