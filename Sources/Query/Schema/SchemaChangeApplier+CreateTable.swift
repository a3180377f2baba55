internal import CQL
internal import DataModel
internal import Primitives

/// CREATE TABLE and DROP TABLE.
extension SchemaChangeApplier {
    /// What a statement says about a table's columns, before types are resolved, checked for contradictions.
    private struct TableLayout {
        var declarations: [String: ColumnDeclaration] = [:]
        var key: PrimaryKeyDeclaration
        /// The columns of CLUSTERING ORDER BY, in the order written.
        var ordering: [ClusteringOrdering]
    }

    func createTable(_ statement: CreateTableStatement) throws(CQLError) -> Outcome {
        let layout = try layout(of: statement)
        let keyspaceName = try keyspaceName(of: statement.table)
        let name: String = statement.table.name
        let properties = try PropertyMap(statement.properties)
        if statement.isCompactStorage {
            throw .invalid(
                message: "Guardrail compact_tables violated: Creation of new COMPACT STORAGE tables is not allowed")
        }
        if statement.columns.contains(where: { $0.mask != nil }) { throw SchemaChangeApplier.masksAreDisabled }
        try checkIsChangeable(keyspaceName, permission: "CREATE", resource: "<all tables in \(keyspaceName)>")
        try checkKeyspaceName(keyspaceName)
        guard var keyspace = schema.keyspaces[keyspaceName] else {
            throw .invalid(message: "Keyspace '\(keyspaceName)' doesn't exist")
        }
        if keyspace.tables[name] != nil {
            if statement.ifNotExists { return noChange(keyspaceName) }
            throw .alreadyExists(keyspace: keyspaceName, table: name)
        }
        let options = try TableOptions().applying(properties, isNew: true)
        let id = try tableID(properties)
        let columns = try columns(of: layout, table: name, keyspace: keyspace)
        let isCounter: Bool = columns.contains { $0.type == .counter }
        if isCounter, options.defaultTimeToLive > 0 {
            throw .invalid(message: "Cannot set default_time_to_live on a table with counters")
        }
        try checkTableName(name, keyspace: keyspaceName)
        if keyspace.tables.values.contains(where: { $0.id == id }) {
            throw .configError(message: "The table id \(id) is already in use")
        }
        let cellColumnCount: Int = columns.count { $0.id != 0 }
        keyspace.tables[name] = TableDefinition(
            keyspace: keyspaceName, name: name, id: id, columns: columns, options: options,
            nextColumnID: UInt16(clamping: cellColumnCount + 1))
        return Outcome(
            keyspace: keyspace, event: SchemaChange(.created, keyspace: keyspaceName, target: .table(name)),
            warnings: warnings(about: options, keyspace: keyspaceName))
    }

    func dropTable(_ statement: DropStatement) throws(CQLError) -> Outcome {
        let keyspaceName = try keyspaceName(of: statement.name)
        let name: String = statement.name.name
        try checkIsChangeable(keyspaceName, permission: "DROP", resource: "<table \(keyspaceName).\(name)>")
        guard var keyspace = schema.keyspaces[keyspaceName], keyspace.tables[name] != nil else {
            if statement.ifExists { return noChange(keyspaceName) }
            throw .invalid(message: "Table '\(keyspaceName).\(name)' doesn't exist")
        }
        keyspace.tables[name] = nil
        return Outcome(
            keyspace: keyspace, event: SchemaChange(.dropped, keyspace: keyspaceName, target: .table(name)))
    }

    /// The refusal of every MASKED WITH.
    static let masksAreDisabled: CQLError = .invalid(
        message: "Cannot mask columns because dynamic data masking is not enabled. "
            + "You can enable it with the dynamic_data_masking_enabled property on cassandra.yaml")

    /// The most columns with cells that a table can have in its life, since their ids have 16 bits.
    static let maximumColumnID = Int(UInt16.max) - 1

    func checkTableName(_ name: String, keyspace: String) throws(CQLError) {
        guard SchemaChangeApplier.isValidName(name) else {
            throw .configError(
                message: "\(keyspace).\(name): Table name must not be empty, more than "
                    + "\(SchemaChangeApplier.maximumNameLength) characters long, or contain "
                    + "non-alphanumeric-underscore characters (got \"\(name)\")")
        }
    }

    /// Cassandra warns through a guardrail, whose name is in the sentence.
    func warnings(about options: TableOptions, keyspace: String) -> [String] {
        guard options.defaultTimeToLive == 0, !SystemKeyspaceNames.isSystem(keyspace),
            options.compaction["class"] == CompactionOptions.Strategy.timeWindow.className
        else { return [] }
        return [
            "Guardrail zero_ttl_on_twcs violated: 0 default_time_to_live on a table with "
                + "TimeWindowCompactionStrategy compaction strategy is not recommended. It is suspicious to use "
                + "default_time_to_live set to 0 with such compaction strategy. Please keep in mind that data will "
                + "not start to automatically expire after they are older than a respective compaction window unit "
                + "of a certain size. Please set TTL for your INSERT or UPDATE statements if you expect data to be "
                + "expired as table settings will not do it. "
        ]
    }

    /// Refuses non-frozen user-defined types with parts of several cells, which one column cannot hold.
    func checkNesting(_ type: CQLType, suffix: String = "") throws(CQLError) {
        guard case .userDefined(let userType, true) = type else { return }
        if userType.fieldTypes.contains(where: \.isMultiCell) {
            throw .invalid(
                message: "Non-frozen UDTs with nested non-frozen collections are not supported\(suffix)")
        }
    }

    private func tableID(_ properties: PropertyMap) throws(CQLError) -> UUID {
        guard let text = try properties.text("id") else { return context.newTableID }
        guard let id = UUID(text: text) else { throw .configError(message: "Invalid table id") }
        return id
    }

    private func layout(of statement: CreateTableStatement) throws(CQLError) -> TableLayout {
        let shown: String = (statement.table.keyspace.map { $0 + "." } ?? "") + statement.table.name
        guard let key = statement.primaryKeys.first else {
            throw .invalid(message: "No PRIMARY KEY specifed for table '\(shown)' (exactly one required)")
        }
        guard statement.primaryKeys.count == 1 else {
            throw .invalid(message: "Multiple PRIMARY KEY specified for table '\(shown)' (exactly one required)")
        }
        var layout = TableLayout(key: key, ordering: statement.clusteringOrder)
        for column in statement.columns {
            guard layout.declarations.updateValue(column, forKey: column.name) == nil else {
                throw .invalid(message: "Duplicate column '\(column.name)' declaration for table '\(shown)'")
            }
        }
        guard statement.columns.count <= SchemaChangeApplier.maximumColumnID else {
            throw .invalid(message: "Table '\(shown)' has too many columns")
        }
        var ordered: Set<String> = []
        for ordering in statement.clusteringOrder {
            guard ordered.insert(ordering.column).inserted else {
                throw .invalid(
                    message: "Duplicate column '\(ordering.column)' in CLUSTERING ORDER BY clause for table '\(shown)'")
            }
        }
        return layout
    }

    private func columns(
        of layout: TableLayout, table: String, keyspace: KeyspaceDefinition
    ) throws(CQLError) -> [ColumnDefinition] {
        let resolver = TypeResolver(keyspace: keyspace)
        var types: [String: CQLType] = [:]
        let names: [String] = layout.declarations.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        for name in names {
            guard let declaration = layout.declarations[name] else { continue }
            types[name] = try resolver.resolve(declaration.type)
        }
        for name in names { if let type = types[name] { try checkNesting(type) } }
        try checkKey(layout, types: types, table: table)
        try checkOrdering(layout)
        let keyNames: [String] = layout.key.partition + layout.key.clustering
        let cellNames: [String] = names.filter { !keyNames.contains($0) }
        if layout.key.clustering.isEmpty, cellNames.contains(where: { layout.declarations[$0]?.isStatic == true }) {
            throw .invalid(
                message: "Static columns are only useful (and thus allowed) if the table has at least one "
                    + "clustering column")
        }
        let cellTypes: [CQLType] = cellNames.compactMap { types[$0] }
        if cellTypes.contains(.counter), cellTypes.contains(where: { $0 != .counter }) {
            throw .invalid(message: "Cannot mix counter and non counter columns in the same table")
        }
        var columns: [ColumnDefinition] = []
        for (position, name) in layout.key.partition.enumerated() {
            guard let type = types[name] else { continue }
            columns.append(ColumnDefinition(name: name, kind: .partitionKey, position: position, type: type))
        }
        for (position, name) in layout.key.clustering.enumerated() {
            guard let type = types[name] else { continue }
            let isDescending: Bool = layout.ordering.first { $0.column == name }?.isDescending ?? false
            columns.append(
                ColumnDefinition(
                    name: name, kind: .clustering, position: position, type: type, isDescending: isDescending))
        }
        for (index, name) in cellNames.enumerated() {
            guard let type = types[name] else { continue }
            let kind: ColumnKind = layout.declarations[name]?.isStatic == true ? .static : .regular
            columns.append(ColumnDefinition(name: name, id: UInt16(index + 1), kind: kind, type: type))
        }
        return columns
    }

    private func checkKey(_ layout: TableLayout, types: [String: CQLType], table: String) throws(CQLError) {
        var seen: Set<String> = []
        for name in layout.key.partition + layout.key.clustering {
            guard let type = types[name], let declaration = layout.declarations[name] else {
                throw .invalid(message: "Unknown column '\(name)' referenced in PRIMARY KEY for table '\(table)'")
            }
            guard seen.insert(name).inserted else {
                throw .invalid(message: "Duplicate column '\(name)' in PRIMARY KEY clause for table '\(table)'")
            }
            if type.isMultiCell {
                let what: String = type.isCollection ? "collection" : "user-defined"
                throw .invalid(
                    message: "Invalid non-frozen \(what) type \(shown(type)) for PRIMARY KEY column '\(name)'")
            }
            if type == .counter {
                throw .invalid(message: "counter type is not supported for PRIMARY KEY column '\(name)'")
            }
            if type.containsDuration {
                throw .invalid(message: "duration type is not supported for PRIMARY KEY column '\(name)'")
            }
            if declaration.isStatic {
                throw .invalid(message: "Static column '\(name)' cannot be part of the PRIMARY KEY")
            }
        }
    }

    /// Types in messages carry their keyspace.
    private func shown(_ type: CQLType) -> String {
        if case .userDefined(let userType, _) = type { return "\(userType.keyspace).\(userType.name)" }
        return type.cqlName
    }

    private func checkOrdering(_ layout: TableLayout) throws(CQLError) {
        let clustering: [String] = layout.key.clustering
        let ordered: [String] = layout.ordering.map(\.column)
        let strangers: [String] = ordered.filter { !clustering.contains($0) }
        guard strangers.isEmpty else {
            throw .invalid(
                message: "Only clustering key columns can be defined in CLUSTERING ORDER directive: "
                    + "\(JavaText.list(strangers)) are not clustering columns")
        }
        for (index, name) in ordered.enumerated() where name != clustering[index] {
            let expected: String = clustering[index]
            if ordered.contains(expected) {
                throw .invalid(
                    message: "The order of columns in the CLUSTERING ORDER directive must match that of the "
                        + "clustering columns (\(expected) must appear before \(name))")
            }
            throw .invalid(message: "Missing CLUSTERING ORDER for column \(expected)")
        }
    }
}
