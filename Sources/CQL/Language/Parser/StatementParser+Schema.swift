/// Types, indexes and views.
extension StatementParser {
    mutating func createTypeStatement() throws(CQLSyntaxError) -> CreateTypeStatement {
        advance()
        let ifNotExists = try ifNotExists()
        let type = try userTypeName()
        try expect(.leftParenthesis)
        var fields: [FieldDeclaration] = [try fieldDeclaration()]
        while accept(.comma) {
            // A comma may follow the last one.
            if isAt(.comma) || isAt(.rightParenthesis) { continue }
            fields.append(try fieldDeclaration())
        }
        try expect(.rightParenthesis)
        return CreateTypeStatement(type: type, ifNotExists: ifNotExists, fields: fields)
    }

    mutating func fieldDeclaration() throws(CQLSyntaxError) -> FieldDeclaration {
        let name = try name()
        return FieldDeclaration(name: name, type: try typeName())
    }

    mutating func alterTypeStatement() throws(CQLSyntaxError) -> AlterTypeStatement {
        advance()
        let ifExists = try ifExists()
        let type = try userTypeName()
        return AlterTypeStatement(type: type, ifExists: ifExists, change: try typeChange())
    }

    private mutating func typeChange() throws(CQLSyntaxError) -> AlterTypeStatement.Change {
        if accept(.add) {
            let ifNotExists = try ifNotExists()
            return .addField(try fieldDeclaration(), ifNotExists: ifNotExists)
        }
        if accept(.rename) {
            let ifExists = try ifExists()
            return .renameFields(
                try andSeparated { parser throws(CQLSyntaxError) in try parser.rename() }, ifExists: ifExists)
        }
        guard accept(.alter) else { throw noViableAlternative() }
        let field = try name()
        try expect(.type)
        return .alterFieldType(field: field, type: try typeName())
    }

    mutating func createIndexStatement() throws(CQLSyntaxError) -> CreateIndexStatement {
        let isCustom = accept(.custom)
        try expect(.index)
        let ifNotExists = try ifNotExists()
        try refuseBindMarker(of: "index")
        let name = isAt(.on) ? nil : try name()
        try expect(.on)
        let table = try tableName()
        try expect(.leftParenthesis)
        let targets = try commaSeparated(until: .rightParenthesis) { parser throws(CQLSyntaxError) in
            try parser.indexedColumn()
        }
        let indexClass = accept(.using) ? try stringText() : nil
        return CreateIndexStatement(
            name: name, table: table, ifNotExists: ifNotExists, isCustom: isCustom, targets: targets,
            indexClass: indexClass, properties: isAt(.with) ? try properties() : [])
    }

    private mutating func indexedColumn() throws(CQLSyntaxError) -> IndexedColumn {
        guard peek(1).kind == .leftParenthesis, let keyword = current.keyword,
            let part = IndexedColumn.Part(rawValue: keyword.rawValue)
        else { return IndexedColumn(column: try columnName(), part: .simple) }
        advance()
        advance()
        let column = try columnName()
        try expect(.rightParenthesis)
        return IndexedColumn(column: column, part: part)
    }

    mutating func createViewStatement() throws(CQLSyntaxError) -> CreateViewStatement {
        advance()
        try expect(.view)
        let ifNotExists = try ifNotExists()
        let view = try tableName()
        try expect(.as)
        try expect(.select)
        let selection = try selection()
        try expect(.from)
        let table = try tableName()
        let whereClause = try optionalWhereClause()
        let primaryKey = try primaryKey()
        let options = try tableOptions()
        if options.isCompactStorage {
            throw refusal("COMPACT STORAGE tables are not allowed starting with version 4.0")
        }
        return CreateViewStatement(
            view: view, table: table, ifNotExists: ifNotExists, selection: selection, whereClause: whereClause,
            primaryKey: primaryKey, clusteringOrder: options.clusteringOrder, properties: options.properties)
    }

    mutating func alterViewStatement() throws(CQLSyntaxError) -> AlterViewStatement {
        advance()
        try expect(.view)
        let ifExists = try ifExists()
        let view = try tableName()
        return AlterViewStatement(view: view, ifExists: ifExists, properties: try properties())
    }
}
