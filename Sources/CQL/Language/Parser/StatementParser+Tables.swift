/// Keyspaces and tables.
extension StatementParser {
    mutating func createKeyspaceStatement() throws(CQLSyntaxError) -> CreateKeyspaceStatement {
        advance()
        let ifNotExists = try ifNotExists()
        let keyspace = try keyspaceName()
        return CreateKeyspaceStatement(keyspace: keyspace, ifNotExists: ifNotExists, properties: try properties())
    }

    mutating func alterKeyspaceStatement() throws(CQLSyntaxError) -> AlterKeyspaceStatement {
        advance()
        let ifExists = try ifExists()
        let keyspace = try keyspaceName()
        return AlterKeyspaceStatement(keyspace: keyspace, ifExists: ifExists, properties: try properties())
    }

    mutating func createTableStatement() throws(CQLSyntaxError) -> Statement {
        advance()
        let ifNotExists = try ifNotExists()
        let table = try tableName()
        if accept(.like) { return .copyTable(try copyTableStatement(table: table, ifNotExists: ifNotExists)) }
        try expect(.leftParenthesis)
        var columns: [ColumnDeclaration] = []
        var primaryKeys: [PrimaryKeyDeclaration] = []
        try columnOrPrimaryKey(&columns, &primaryKeys)
        while accept(.comma) {
            // A comma may follow the last one.
            if isAt(.comma) || isAt(.rightParenthesis) { continue }
            try columnOrPrimaryKey(&columns, &primaryKeys)
        }
        try expect(.rightParenthesis)
        let options = try tableOptions()
        return .createTable(
            CreateTableStatement(
                table: table, ifNotExists: ifNotExists, columns: columns, primaryKeys: primaryKeys,
                clusteringOrder: options.clusteringOrder, isCompactStorage: options.isCompactStorage,
                properties: options.properties))
    }

    private mutating func columnOrPrimaryKey(
        _ columns: inout [ColumnDeclaration], _ primaryKeys: inout [PrimaryKeyDeclaration]
    ) throws(CQLSyntaxError) {
        if isAt(.primary) { return primaryKeys.append(try primaryKey()) }
        let column = try columnDeclaration()
        columns.append(column)
        if accept(.primary) {
            try expect(.key)
            primaryKeys.append(PrimaryKeyDeclaration(partition: [column.name], clustering: []))
        }
    }

    private mutating func columnDeclaration() throws(CQLSyntaxError) -> ColumnDeclaration {
        let name = try name()
        let type = try typeName()
        let isStatic = accept(.static)
        return ColumnDeclaration(
            name: name, type: type, isStatic: isStatic, mask: isAt(.masked) ? try columnMask() : nil)
    }

    private mutating func columnMask() throws(CQLSyntaxError) -> ColumnMask {
        try expect(.masked)
        try expect(.with)
        if isAt(.default), peek(1).kind != .leftParenthesis, peek(1).kind != .dot {
            advance()
            return .standard
        }
        let function = try functionName()
        try expect(.leftParenthesis)
        return .function(
            function,
            try commaSeparated(until: .rightParenthesis) { parser throws(CQLSyntaxError) in try parser.term() })
    }

    /// Reads `PRIMARY KEY ((a, b), c)`.
    mutating func primaryKey() throws(CQLSyntaxError) -> PrimaryKeyDeclaration {
        try expect(.primary)
        try expect(.key)
        try expect(.leftParenthesis)
        var partition: [String] = []
        if accept(.leftParenthesis) {
            partition = try commaSeparated { parser throws(CQLSyntaxError) in try parser.name() }
            try expect(.rightParenthesis)
        } else {
            partition = [try name()]
        }
        var clustering: [String] = []
        while accept(.comma) { clustering.append(try name()) }
        try expect(.rightParenthesis)
        return PrimaryKeyDeclaration(partition: partition, clustering: clustering)
    }

    struct TableOptions {
        var properties: [Property] = []
        var clusteringOrder: [ClusteringOrdering] = []
        var isCompactStorage = false
    }

    /// Reads the WITH of a table or view, if there is one.
    mutating func tableOptions() throws(CQLSyntaxError) -> TableOptions {
        var options = TableOptions()
        guard accept(.with) else { return options }
        repeat {
            if accept(.compact, .storage) {
                options.isCompactStorage = true
            } else if accept(.clustering, .order) {
                try expect(.by)
                try expect(.leftParenthesis)
                options.clusteringOrder += try commaSeparated { parser throws(CQLSyntaxError) in
                    try parser.clusteringOrdering()
                }
                try expect(.rightParenthesis)
            } else {
                try appendProperty(to: &options.properties)
            }
        } while accept(.and)
        return options
    }

    private mutating func clusteringOrdering() throws(CQLSyntaxError) -> ClusteringOrdering {
        let column = try name()
        let isDescending = accept(.desc)
        if !isDescending, !accept(.asc) { throw noViableAlternative() }
        return ClusteringOrdering(column: column, isDescending: isDescending)
    }

    private mutating func copyTableStatement(
        table: QualifiedName, ifNotExists: Bool
    ) throws(CQLSyntaxError) -> CopyTableStatement {
        let source = try tableName()
        var copiesIndexes = false
        var properties: [Property] = []
        if accept(.with) {
            repeat {
                if isAt(.indexes), peek(1).kind != .equal {
                    advance()
                    copiesIndexes = true
                } else {
                    try appendProperty(to: &properties)
                }
            } while accept(.and)
        }
        return CopyTableStatement(
            table: table, source: source, ifNotExists: ifNotExists, copiesIndexes: copiesIndexes,
            properties: properties)
    }

    mutating func alterTableStatement() throws(CQLSyntaxError) -> AlterTableStatement {
        advance()
        let ifExists = try ifExists()
        let table = try tableName()
        return AlterTableStatement(table: table, ifExists: ifExists, change: try tableChange())
    }

    private mutating func tableChange() throws(CQLSyntaxError) -> AlterTableStatement.Change {
        switch current.keyword {
        case .alter:
            advance()
            return try alteredColumn()
        case .add:
            advance()
            let ifNotExists = try ifNotExists()
            return .addColumns(
                try oneOrMore { parser throws(CQLSyntaxError) in try parser.columnDeclaration() },
                ifNotExists: ifNotExists)
        case .drop:
            advance()
            if accept(.compact, .storage) { return .dropCompactStorage }
            let ifExists = try ifExists()
            let columns = try oneOrMore { parser throws(CQLSyntaxError) in try parser.name() }
            return .dropColumns(columns, ifExists: ifExists, timestamp: try droppedAt())
        case .rename:
            advance()
            let ifExists = try ifExists()
            return .renameColumns(
                try andSeparated { parser throws(CQLSyntaxError) in try parser.rename() }, ifExists: ifExists)
        case .with: return .setProperties(try properties())
        default: throw noViableAlternative()
        }
    }

    private mutating func alteredColumn() throws(CQLSyntaxError) -> AlterTableStatement.Change {
        let ifExists = try ifExists()
        let column = try columnName()
        if isAt(.masked) { return .maskColumn(column: column, mask: try columnMask(), ifExists: ifExists) }
        if accept(.drop) {
            try expect(.masked)
            return .unmaskColumn(column: column, ifExists: ifExists)
        }
        guard !ifExists, accept(.type) else { throw noViableAlternative() }
        return .alterColumnType(column: column, type: try typeName())
    }

    /// Reads one element, or one or more in parentheses.
    private mutating func oneOrMore<Element>(
        _ element: (inout StatementParser) throws(CQLSyntaxError) -> Element
    ) throws(CQLSyntaxError) -> [Element] {
        guard accept(.leftParenthesis) else { return [try element(&self)] }
        let elements = try commaSeparated(element)
        try expect(.rightParenthesis)
        return elements
    }

    private mutating func droppedAt() throws(CQLSyntaxError) -> Int64? {
        guard accept(.using) else { return nil }
        try expect(.timestamp)
        guard isAt(.integer) else { throw mismatch(expecting: Lexeme.Kind.integer.grammarName) }
        guard let timestamp = Int64(decoded(current.range)) else { throw failure("timestamp is out of range at input") }
        advance()
        return timestamp
    }

    mutating func rename() throws(CQLSyntaxError) -> Rename {
        let from = try name()
        try expect(.to)
        return Rename(from: from, to: try name())
    }
}
