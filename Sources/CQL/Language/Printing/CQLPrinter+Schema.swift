/// Keyspaces, tables, types, indexes, views, functions and triggers.
extension CQLPrinter {
    private func ifExists(_ isConditional: Bool) -> String { isConditional ? "IF EXISTS " : "" }
    private func ifNotExists(_ isConditional: Bool) -> String { isConditional ? "IF NOT EXISTS " : "" }

    func property(_ property: Property) -> String {
        name(property.name) + " = " + propertyValue(property.value)
    }

    private func propertyValue(_ value: Property.Value) -> String {
        switch value {
        case .literal(let literal): self.literal(literal)
        case .word(let word): word
        case .map(let entries): propertyMap(entries)
        }
    }

    func propertyMap(_ entries: [Property.Entry]) -> String {
        "{" + list(entries) { literal($0.key) + ": " + literal($0.value) } + "}"
    }

    private func with(_ parts: [String]) -> String {
        parts.isEmpty ? "" : " WITH " + joined(parts, " AND ") { $0 }
    }

    func createKeyspace(_ statement: CreateKeyspaceStatement) -> String {
        "CREATE KEYSPACE " + ifNotExists(statement.ifNotExists) + name(statement.keyspace)
            + with(statement.properties.map(property))
    }

    func alterKeyspace(_ statement: AlterKeyspaceStatement) -> String {
        "ALTER KEYSPACE " + ifExists(statement.ifExists) + name(statement.keyspace)
            + with(statement.properties.map(property))
    }

    func dropKeyspace(_ statement: DropKeyspaceStatement) -> String {
        "DROP KEYSPACE " + ifExists(statement.ifExists) + name(statement.keyspace)
    }

    func drop(_ kind: String, _ statement: DropStatement) -> String {
        "DROP " + kind + " " + ifExists(statement.ifExists) + qualified(statement.name)
    }

    func dropType(_ statement: DropStatement) -> String {
        "DROP TYPE " + ifExists(statement.ifExists) + userType(statement.name)
    }

    func createTable(_ statement: CreateTableStatement) -> String {
        let columns = statement.columns.map(columnDeclaration) + statement.primaryKeys.map(primaryKey)
        return "CREATE TABLE " + ifNotExists(statement.ifNotExists) + qualified(statement.table) + " ("
            + list(columns) { $0 } + ")"
            + options(statement.properties, statement.clusteringOrder, isCompactStorage: statement.isCompactStorage)
    }

    private func options(
        _ properties: [Property], _ order: [ClusteringOrdering], isCompactStorage: Bool = false
    ) -> String {
        var parts = isCompactStorage ? ["COMPACT STORAGE"] : []
        if !order.isEmpty {
            parts.append(
                "CLUSTERING ORDER BY (" + list(order) { name($0.column) + ($0.isDescending ? " DESC" : " ASC") } + ")")
        }
        return with(parts + properties.map(property))
    }

    private func columnDeclaration(_ column: ColumnDeclaration) -> String {
        var text = name(column.name) + " " + type(column.type)
        if column.isStatic { text += " STATIC" }
        if let mask = column.mask { text += " " + self.mask(mask) }
        return text
    }

    private func mask(_ mask: ColumnMask) -> String {
        switch mask {
        case .standard: "MASKED WITH DEFAULT"
        case .function(let function, let arguments):
            "MASKED WITH " + qualifiedFunction(function) + "(" + terms(arguments) + ")"
        }
    }

    private func primaryKey(_ key: PrimaryKeyDeclaration) -> String {
        "PRIMARY KEY (" + list(["(" + names(key.partition) + ")"] + key.clustering.map(name)) { $0 } + ")"
    }

    func copyTable(_ statement: CopyTableStatement) -> String {
        let indexes = statement.copiesIndexes ? ["INDEXES"] : []
        return "CREATE TABLE " + ifNotExists(statement.ifNotExists) + qualified(statement.table) + " LIKE "
            + qualified(statement.source) + with(indexes + statement.properties.map(property))
    }

    func alterTable(_ statement: AlterTableStatement) -> String {
        "ALTER TABLE " + ifExists(statement.ifExists) + qualified(statement.table) + tableChange(statement.change)
    }

    private func tableChange(_ change: AlterTableStatement.Change) -> String {
        switch change {
        case .addColumns(let columns, let isConditional):
            return " ADD " + ifNotExists(isConditional) + "(" + list(columns, columnDeclaration) + ")"
        case .dropColumns(let columns, let isConditional, let timestamp):
            let moment = timestamp.map { " USING TIMESTAMP \($0)" } ?? ""
            return " DROP " + ifExists(isConditional) + "(" + names(columns) + ")" + moment
        case .renameColumns(let renames, let isConditional):
            return " RENAME " + ifExists(isConditional) + joined(renames, " AND ", rename)
        case .alterColumnType(let column, let type): return " ALTER " + name(column) + " TYPE " + self.type(type)
        case .maskColumn(let column, let mask, let isConditional):
            return " ALTER " + ifExists(isConditional) + name(column) + " " + self.mask(mask)
        case .unmaskColumn(let column, let isConditional):
            return " ALTER " + ifExists(isConditional) + name(column) + " DROP MASKED"
        case .dropCompactStorage: return " DROP COMPACT STORAGE"
        case .setProperties(let properties): return with(properties.map(property))
        }
    }

    private func rename(_ rename: Rename) -> String { name(rename.from) + " TO " + name(rename.to) }

    func createType(_ statement: CreateTypeStatement) -> String {
        "CREATE TYPE " + ifNotExists(statement.ifNotExists) + userType(statement.type) + " ("
            + list(statement.fields, field) + ")"
    }

    private func field(_ field: FieldDeclaration) -> String { name(field.name) + " " + type(field.type) }

    func alterType(_ statement: AlterTypeStatement) -> String {
        let text = "ALTER TYPE " + ifExists(statement.ifExists) + userType(statement.type)
        switch statement.change {
        case .addField(let field, let isConditional):
            return text + " ADD " + ifNotExists(isConditional) + self.field(field)
        case .renameFields(let renames, let isConditional):
            return text + " RENAME " + ifExists(isConditional) + joined(renames, " AND ", rename)
        case .alterFieldType(let field, let type): return text + " ALTER " + name(field) + " TYPE " + self.type(type)
        }
    }

    func createIndex(_ statement: CreateIndexStatement) -> String {
        var text = statement.isCustom ? "CREATE CUSTOM INDEX " : "CREATE INDEX "
        text += ifNotExists(statement.ifNotExists)
        if let indexName = statement.name { text += name(indexName) + " " }
        text += "ON " + qualified(statement.table) + " (" + list(statement.targets, indexedColumn) + ")"
        if let indexClass = statement.indexClass { text += " USING " + string(indexClass) }
        return text + with(statement.properties.map(property))
    }

    private func indexedColumn(_ target: IndexedColumn) -> String {
        target.part == .simple ? name(target.column) : target.part.rawValue + "(" + name(target.column) + ")"
    }

    func createView(_ statement: CreateViewStatement) -> String {
        "CREATE MATERIALIZED VIEW " + ifNotExists(statement.ifNotExists) + qualified(statement.view) + " AS SELECT "
            + selection(statement.selection) + " FROM " + qualified(statement.table)
            + whereClause(statement.whereClause) + " " + primaryKey(statement.primaryKey)
            + options(statement.properties, statement.clusteringOrder)
    }

    func alterView(_ statement: AlterViewStatement) -> String {
        "ALTER MATERIALIZED VIEW " + ifExists(statement.ifExists) + qualified(statement.view)
            + with(statement.properties.map(property))
    }

    func createFunction(_ statement: CreateFunctionStatement) -> String {
        let start = statement.orReplace ? "CREATE OR REPLACE FUNCTION " : "CREATE FUNCTION "
        let nulls = statement.isCalledOnNullInput ? " CALLED" : " RETURNS NULL"
        return start + ifNotExists(statement.ifNotExists) + qualifiedFunction(statement.function) + "("
            + list(statement.arguments, field) + ")" + nulls + " ON NULL INPUT RETURNS " + type(statement.returnType)
            + " LANGUAGE " + name(statement.language) + " AS " + string(statement.body)
    }

    func dropFunction(_ kind: String, _ statement: DropFunctionStatement) -> String {
        let types = statement.argumentTypes.map { "(" + list($0, type) + ")" } ?? ""
        return "DROP " + kind + " " + ifExists(statement.ifExists) + qualifiedFunction(statement.function) + types
    }

    func createAggregate(_ statement: CreateAggregateStatement) -> String {
        var text = statement.orReplace ? "CREATE OR REPLACE AGGREGATE " : "CREATE AGGREGATE "
        text += ifNotExists(statement.ifNotExists) + qualifiedFunction(statement.aggregate)
        text += "(" + list(statement.argumentTypes, type) + ") SFUNC " + unqualifiedFunction(statement.stateFunction)
        text += " STYPE " + type(statement.stateType)
        if let function = statement.finalFunction { text += " FINALFUNC " + unqualifiedFunction(function) }
        if let state = statement.initialState { text += " INITCOND " + term(state) }
        return text
    }

    private func unqualifiedFunction(_ function: String) -> String {
        qualifiedFunction(QualifiedName(name: function))
    }

    func createTrigger(_ statement: CreateTriggerStatement) -> String {
        "CREATE TRIGGER " + ifNotExists(statement.ifNotExists) + name(statement.name) + " ON "
            + qualified(statement.table) + " USING " + string(statement.triggerClass)
    }

    func dropTrigger(_ statement: DropTriggerStatement) -> String {
        "DROP TRIGGER " + ifExists(statement.ifExists) + name(statement.name) + " ON " + qualified(statement.table)
    }
}
