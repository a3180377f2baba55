internal import CQL
internal import DataModel

/// ALTER TABLE.
extension SchemaChangeApplier {
    func alterTable(_ statement: AlterTableStatement) throws(CQLError) -> Outcome {
        let keyspaceName = try keyspaceName(of: statement.table)
        let name: String = statement.table.name
        try checkIsChangeable(keyspaceName, permission: "ALTER", resource: "<table \(keyspaceName).\(name)>")
        guard var keyspace = schema.keyspaces[keyspaceName], let table = keyspace.tables[name] else {
            if statement.ifExists { return noChange(keyspaceName) }
            throw .invalid(message: "Table '\(keyspaceName).\(name)' doesn't exist")
        }
        var warnings: [String] = []
        let altered: TableDefinition
        switch statement.change {
        case .addColumns(let columns, let ifNotExists):
            altered = try adding(columns, ifNotExists: ifNotExists, to: table, in: keyspace)
        case .dropColumns(let names, let ifExists, let timestamp):
            altered = try dropping(names, ifExists: ifExists, at: timestamp ?? context.nowMicroseconds, from: table)
        case .renameColumns(let renames, let ifExists):
            altered = try renaming(renames, ifExists: ifExists, in: table)
        case .alterColumnType: throw .invalid(message: "Altering column types is no longer supported")
        case .maskColumn: throw SchemaChangeApplier.masksAreDisabled
        case .unmaskColumn(let column, let ifExists):
            guard table.column(named: column) != nil || ifExists else {
                throw .invalid(message: "Column with name '\(column)' doesn't exist on table '\(name)'")
            }
            return noChange(keyspaceName)
        case .dropCompactStorage:
            throw .invalid(message: "DROP COMPACT STORAGE is disabled. Enable in cassandra.yaml to use.")
        case .setProperties(let properties):
            altered = try setting(properties, of: table)
            warnings = self.warnings(about: altered.options, keyspace: keyspaceName)
        }
        keyspace.tables[name] = altered
        return Outcome(
            keyspace: keyspace, event: SchemaChange(.updated, keyspace: keyspaceName, target: .table(name)),
            warnings: warnings)
    }

    private func adding(
        _ declarations: [ColumnDeclaration], ifNotExists: Bool, to table: TableDefinition,
        in keyspace: KeyspaceDefinition
    ) throws(CQLError) -> TableDefinition {
        let resolver = TypeResolver(keyspace: keyspace)
        var columns: [ColumnDefinition] = table.columns
        var nextID: UInt16 = table.nextColumnID
        for declaration in declarations {
            if declaration.mask != nil { throw SchemaChangeApplier.masksAreDisabled }
            let name: String = declaration.name
            let type = try resolver.resolve(declaration.type)
            if columns.contains(where: { $0.name == name }) {
                if ifNotExists { continue }
                throw .invalid(message: "Column with name '\(name)' already exists")
            }
            if declaration.isStatic, table.clustering.isEmpty {
                throw .invalid(
                    message: "Static columns are only useful (and thus allowed) if the table has at least one "
                        + "clustering column")
            }
            try checkNesting(type, suffix: " for column \(name)")
            try checkAgainstDropped(declaration, type: type, table: table)
            guard nextID <= UInt16(SchemaChangeApplier.maximumColumnID) else {
                throw .invalid(message: "Table '\(table.name)' has had too many columns")
            }
            columns.append(
                ColumnDefinition(name: name, id: nextID, kind: declaration.isStatic ? .static : .regular, type: type))
            nextID += 1
        }
        try checkCounters(columns, table: table)
        var altered: TableDefinition = table.replacingColumns(columns)
        altered.nextColumnID = nextID
        return altered
    }

    /// A column that comes back finds the cells of the one that was dropped, so it must be able to read them.
    private func checkAgainstDropped(
        _ declaration: ColumnDeclaration, type: CQLType, table: TableDefinition
    ) throws(CQLError) {
        let name: String = declaration.name
        guard let dropped = table.droppedColumns.first(where: { $0.name == name }) else { return }
        guard type.withoutUserTypes.canReadCells(of: dropped.type) else {
            throw .invalid(
                message: "Cannot re-add previously dropped column '\(name)' of type \(type.cqlName), incompatible "
                    + "with previous type \(dropped.type.cqlName)")
        }
        let kind: ColumnKind = declaration.isStatic ? .static : .regular
        guard kind == dropped.kind else {
            throw .invalid(
                message: "Cannot re-add previously dropped column '\(name)' of kind \(kind.rawValue.uppercased()), "
                    + "incompatible with previous kind \(dropped.kind.rawValue.uppercased())")
        }
        if table.isCounter || dropped.type == .counter {
            throw .invalid(message: "Cannot re-add previously dropped counter column \(name)")
        }
    }

    private func checkCounters(_ columns: [ColumnDefinition], table: TableDefinition) throws(CQLError) {
        let shown = "\(table.keyspace).\(table.name)"
        let cells: [ColumnDefinition] = columns.filter { $0.kind == .regular || $0.kind == .static }
        let hadCells: Bool = !table.regulars.isEmpty || !table.statics.isEmpty
        // A table that has lost its last counter still is one; a table of keys alone has yet to become anything.
        let isCounter: Bool =
            table.isCounter || (!hadCells && table.droppedColumns.contains { $0.type == .counter })
        for column in cells {
            if isCounter, column.type != .counter {
                throw .configError(
                    message: "\(shown): Cannot have a non counter column (\"\(column.name)\") in a counter table")
            }
            if !isCounter, column.type == .counter {
                throw .configError(
                    message: "\(shown): Cannot have a counter column (\"\(column.name)\") in a non counter table")
            }
        }
    }

    private func dropping(
        _ names: [String], ifExists: Bool, at timestamp: Int64, from table: TableDefinition
    ) throws(CQLError) -> TableDefinition {
        var columns: [ColumnDefinition] = table.columns
        var dropped: [DroppedColumn] = table.droppedColumns
        var handled: Set<String> = []
        for name in names where handled.insert(name).inserted {
            guard let column = table.column(named: name) else {
                if ifExists { continue }
                throw .invalid(message: "Column \(name) was not found in table '\(shownName(table))'")
            }
            guard column.kind == .regular || column.kind == .static else {
                throw .invalid(message: "Cannot drop PRIMARY KEY column \(name)")
            }
            if case .userDefined(_, true) = column.type {
                throw .invalid(
                    message: "Cannot drop non-frozen column \(name) of user type \(column.type.cqlName)")
            }
            columns.removeAll { $0.name == name }
            dropped.removeAll { $0.name == name }
            dropped.append(
                DroppedColumn(
                    name: name, id: column.id, kind: column.kind, type: column.type.withoutUserTypes,
                    droppedAt: timestamp))
        }
        var altered: TableDefinition = table.replacingColumns(columns)
        altered.droppedColumns = dropped.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
        return altered
    }

    private func renaming(
        _ renames: [Rename], ifExists: Bool, in table: TableDefinition
    ) throws(CQLError) -> TableDefinition {
        var columns: [ColumnDefinition] = table.columns
        for rename in renames {
            guard let index = columns.firstIndex(where: { $0.name == rename.from }) else {
                if ifExists { continue }
                throw .invalid(message: "Column \(rename.from) was not found in table \(shownName(table))")
            }
            guard columns[index].kind == .partitionKey || columns[index].kind == .clustering else {
                throw .invalid(message: "Cannot rename non PRIMARY KEY column \(rename.from)")
            }
            if columns.contains(where: { $0.name == rename.to }) {
                throw .invalid(
                    message: "Cannot rename column \(rename.from) to \(rename.to) in table '\(shownName(table))'; "
                        + "another column with that name already exists")
            }
            columns[index].name = rename.to
        }
        return table.replacingColumns(columns)
    }

    private func setting(_ properties: [Property], of table: TableDefinition) throws(CQLError) -> TableDefinition {
        let map = try PropertyMap(properties)
        let options = try table.options.applying(map, isNew: false)
        if map.has("id") { throw .configError(message: "Cannot alter table id.") }
        if table.isCounter, options.defaultTimeToLive > 0 {
            throw .invalid(message: "Cannot set default_time_to_live on a table with counters")
        }
        var altered: TableDefinition = table
        altered.options = options
        return altered
    }

    /// The keyspace and the name, quoted where CQL needs it.
    private func shownName(_ table: TableDefinition) -> String {
        "\(CQLIdentifier.quotedIfNeeded(table.keyspace)).\(CQLIdentifier.quotedIfNeeded(table.name))"
    }
}

extension CQLType {
    /// Whether a column of this type may take the name of a dropped one of type `previous`: values of the old type
    /// make sense as values of the new one, and both keep them in cells of the same shape.
    func canReadCells(of previous: CQLType) -> Bool {
        guard isMultiCell == previous.isMultiCell, cellByteCount == previous.cellByteCount else { return false }
        return canReadValues(of: previous)
    }

    private func canReadValues(of previous: CQLType) -> Bool {
        if self == previous { return true }
        switch (self, previous) {
        case (.blob, _): return true
        case (.text, .ascii), (.uuid, .timeuuid), (.timestamp, .bigint), (.bigint, .timestamp), (.varint, .int),
            (.varint, .bigint), (.varint, .timestamp), (.date, .int), (.time, .bigint):
            return true
        case (.list(let new, _), .list(let old, _)), (.set(let new, _), .set(let old, _)):
            return new.canReadValues(of: old)
        case (.map(let newKey, let newValue, _), .map(let oldKey, let oldValue, _)):
            return newKey == oldKey && newValue.canReadValues(of: oldValue)
        case (.tuple(let new), .tuple(let old)):
            return new.count >= old.count && zip(new, old).allSatisfy { $0.canReadValues(of: $1) }
        default: return false
        }
    }

    /// The fixed size of a cell; as in vectors, since Cassandra counts `tinyint`, `smallint`, `date` and `time` as
    /// sizes that vary.
    private var cellByteCount: Int? { vectorElementByteCount }
}
