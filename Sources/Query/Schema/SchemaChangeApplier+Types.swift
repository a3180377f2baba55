internal import CQL
internal import DataModel

/// CREATE, ALTER and DROP TYPE.
extension SchemaChangeApplier {
    func createType(_ statement: CreateTypeStatement) throws(CQLError) -> Outcome {
        let keyspaceName = try keyspaceName(of: statement.type)
        let name: String = statement.type.name
        try checkIsChangeable(keyspaceName, permission: "CREATE", resource: "<all tables in \(keyspaceName)>")
        try checkKeyspaceName(keyspaceName)
        guard var keyspace = schema.keyspaces[keyspaceName] else {
            throw .invalid(message: "Keyspace '\(keyspaceName)' doesn't exist")
        }
        if keyspace.types[name] != nil {
            if statement.ifNotExists { return noChange(keyspaceName) }
            throw .invalid(message: "A user type with name '\(name)' already exists")
        }
        var usedNames: Set<String> = []
        for field in statement.fields where !usedNames.insert(field.name).inserted {
            throw .invalid(message: "Duplicate field name '\(field.name)' in type '\(name)'")
        }
        for field in statement.fields { try checkField(field.type) }
        let resolver = TypeResolver(keyspace: keyspace)
        var type = UserDefinedType(keyspace: keyspaceName, name: name, fieldNames: [], fieldTypes: [])
        for field in statement.fields {
            type.fieldNames.append(field.name)
            type.fieldTypes.append(try resolver.resolve(field.type))
        }
        try checkSize(type)
        keyspace.types[name] = type
        return Outcome(
            keyspace: keyspace, event: SchemaChange(.created, keyspace: keyspaceName, target: .type(name)))
    }

    func alterType(_ statement: AlterTypeStatement) throws(CQLError) -> Outcome {
        let keyspaceName = try keyspaceName(of: statement.type)
        let name: String = statement.type.name
        try checkIsChangeable(keyspaceName, permission: "ALTER", resource: "<all tables in \(keyspaceName)>")
        guard let keyspace = schema.keyspaces[keyspaceName], let type = keyspace.types[name] else {
            if statement.ifExists { return noChange(keyspaceName) }
            throw .invalid(message: "Type \(keyspaceName).\(name) doesn't exist")
        }
        let altered: UserDefinedType
        switch statement.change {
        case .addField(let field, let ifNotExists):
            altered = try adding(field, ifNotExists: ifNotExists, to: type, in: keyspace)
        case .renameFields(let renames, let ifExists): altered = try renaming(renames, ifExists: ifExists, in: type)
        case .alterFieldType: throw .invalid(message: "Altering field types is no longer supported")
        }
        let changed: KeyspaceDefinition = keyspace.replacingUserType(altered)
        for other in changed.sortedTypes { try checkSize(other) }
        return Outcome(
            keyspace: changed, event: SchemaChange(.updated, keyspace: keyspaceName, target: .type(name)))
    }

    func dropType(_ statement: DropStatement) throws(CQLError) -> Outcome {
        let keyspaceName = try keyspaceName(of: statement.name)
        let name: String = statement.name.name
        try checkIsChangeable(keyspaceName, permission: "DROP", resource: "<all tables in \(keyspaceName)>")
        guard var keyspace = schema.keyspaces[keyspaceName], keyspace.types[name] != nil else {
            if statement.ifExists { return noChange(keyspaceName) }
            throw .invalid(message: "Type '\(keyspaceName).\(name)' doesn't exist")
        }
        let types: [String] = keyspace.sortedTypes
            .filter { other in other.name != name && other.fieldTypes.contains { $0.refersToUserType(name) } }
            .map(\.name)
        guard types.isEmpty else {
            throw .invalid(
                message: "Cannot drop user type '\(keyspaceName).\(name)' as it is still used by user types "
                    + types.joined(separator: ", "))
        }
        let tables: [String] = keyspace.sortedTables
            .filter { table in table.columns.contains { $0.type.refersToUserType(name) } }.map(\.name)
        guard tables.isEmpty else {
            throw .invalid(
                message: "Cannot drop user type '\(keyspaceName).\(name)' as it is still used by tables "
                    + tables.joined(separator: ", "))
        }
        keyspace.types[name] = nil
        return Outcome(
            keyspace: keyspace, event: SchemaChange(.dropped, keyspace: keyspaceName, target: .type(name)))
    }

    private func checkField(_ type: TypeName) throws(CQLError) {
        switch type {
        case .native(.counter): throw .invalid(message: "A user type cannot contain counters")
        case .userDefined: throw .invalid(message: "A user type cannot contain non-frozen UDTs")
        default: break
        }
    }

    private func checkSize(_ type: UserDefinedType) throws(CQLError) {
        let whole: CQLType = .userDefined(type, isMultiCell: true)
        guard whole.partCount(upTo: TypeResolver.maximumPartCount) < TypeResolver.maximumPartCount else {
            throw .invalid(message: "The type \(shownName(type)) is made of too many other types")
        }
    }

    private func adding(
        _ field: FieldDeclaration, ifNotExists: Bool, to type: UserDefinedType, in keyspace: KeyspaceDefinition
    ) throws(CQLError) -> UserDefinedType {
        try checkField(field.type)
        let shown: String = shownName(type)
        if type.fieldNames.contains(field.name) {
            if ifNotExists { return type }
            throw .invalid(
                message: "Cannot add field \(field.name) to type \(shown): a field with name \(field.name) "
                    + "already exists")
        }
        let fieldType = try TypeResolver(keyspace: keyspace).resolve(field.type)
        if fieldType.refersToUserType(type.name) {
            throw .invalid(
                message: "Cannot add new field \(field.name) of type \(field.type.writtenText) to user type \(shown) "
                    + "as it would create a circular reference")
        }
        let tables: [TableDefinition] = keyspace.sortedTables.filter { table in
            table.partitionKey.contains { $0.type.refersToUserType(type.name) }
        }
        guard tables.isEmpty else {
            let names: String =
                tables
                .map { "\(CQLIdentifier.quotedIfNeeded($0.keyspace)).\(CQLIdentifier.quotedIfNeeded($0.name))" }
                .joined(separator: ", ")
            throw .invalid(
                message: "Cannot add new field \(field.name) of type \(field.type.writtenText) to user type \(shown) "
                    + "as the type is being used in partition key by the following tables: \(names)")
        }
        try checkMultiCellUse(of: type, adding: fieldType, in: keyspace)
        var altered: UserDefinedType = type
        altered.fieldNames.append(field.name)
        altered.fieldTypes.append(fieldType)
        return altered
    }

    /// A column that holds the type in several cells cannot hold a field that wants several itself.
    private func checkMultiCellUse(
        of type: UserDefinedType, adding fieldType: CQLType, in keyspace: KeyspaceDefinition
    ) throws(CQLError) {
        guard fieldType.isMultiCell else { return }
        let isUsed: Bool = keyspace.tables.values.contains { table in
            table.columns.contains { column in
                if case .userDefined(let used, true) = column.type { used.name == type.name } else { false }
            }
        }
        if isUsed {
            throw .invalid(message: "Non-frozen UDTs with nested non-frozen collections are not supported")
        }
    }

    private func renaming(
        _ renames: [Rename], ifExists: Bool, in type: UserDefinedType
    ) throws(CQLError) -> UserDefinedType {
        var altered: UserDefinedType = type
        for rename in renames {
            guard let index = type.fieldNames.firstIndex(of: rename.from) else {
                if ifExists { continue }
                throw .invalid(message: "Unkown field \(rename.from) in user type \(shownName(type))")
            }
            altered.fieldNames[index] = rename.to
        }
        var usedNames: Set<String> = []
        for name in altered.fieldNames where !usedNames.insert(name).inserted {
            throw .invalid(message: "Duplicate field name \(name) in type \(shownName(type))")
        }
        return altered
    }

    private func shownName(_ type: UserDefinedType) -> String {
        "\(CQLIdentifier.quotedIfNeeded(type.keyspace)).\(CQLIdentifier.quotedIfNeeded(type.name))"
    }
}
