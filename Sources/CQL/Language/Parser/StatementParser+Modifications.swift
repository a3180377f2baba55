/// INSERT, UPDATE, DELETE and batches of them.
extension StatementParser {
    mutating func modification() throws(CQLSyntaxError) -> Modification {
        switch current.keyword {
        case .insert: return try insertStatement()
        case .update: return .update(try updateStatement())
        case .delete: return .delete(try deleteStatement())
        default: throw noViableAlternative()
        }
    }

    private mutating func insertStatement() throws(CQLSyntaxError) -> Modification {
        advance()
        try expect(.into)
        let table = try tableName()
        if accept(.json) { return .insertJSON(try insertJSONStatement(into: table)) }
        guard accept(.leftParenthesis) else { throw noViableAlternative() }
        let columns = try commaSeparated { parser throws(CQLSyntaxError) in try parser.columnName() }
        try expect(.rightParenthesis)
        try expect(.values)
        try expect(.leftParenthesis)
        let values = try commaSeparated { parser throws(CQLSyntaxError) in try parser.term() }
        try expect(.rightParenthesis)
        let ifNotExists = try ifNotExists()
        let using = try usingClause()
        return .insert(
            InsertStatement(table: table, columns: columns, values: values, ifNotExists: ifNotExists, using: using))
    }

    private mutating func insertJSONStatement(into table: QualifiedName) throws(CQLSyntaxError) -> InsertJSONStatement {
        let value: Term
        if isAt(.string) || isAt(.dollarString) {
            value = .literal(.string(try stringText()))
        } else {
            value = .bindMarker(try bindMarker())
        }
        var leavesMissingColumnsUnset = false
        if accept(.default) {
            leavesMissingColumnsUnset = accept(.unset)
            if !leavesMissingColumnsUnset, !accept(.null) { throw noViableAlternative() }
        }
        let ifNotExists = try ifNotExists()
        return InsertJSONStatement(
            table: table, value: value, leavesMissingColumnsUnset: leavesMissingColumnsUnset,
            ifNotExists: ifNotExists, using: try usingClause())
    }

    /// Reads USING, if it is next; what is written twice counts as written last.
    private mutating func usingClause() throws(CQLSyntaxError) -> UsingClause {
        guard accept(.using) else { return UsingClause() }
        var timeToLive: Term?
        var timestamp: Term?
        repeat {
            if accept(.timestamp) {
                timestamp = try integerTerm()
            } else if accept(.ttl) {
                timeToLive = try integerTerm()
            } else {
                throw noViableAlternative()
            }
        } while accept(.and)
        return UsingClause(timeToLive: timeToLive, timestamp: timestamp)
    }

    private mutating func updateStatement() throws(CQLSyntaxError) -> UpdateStatement {
        advance()
        let table = try tableName()
        let using = try usingClause()
        try expect(.set)
        var assignments: [Assignment] = []
        // Two changes of one column go together only if neither replaces the whole of it.
        var columns: [String: Bool] = [:]
        repeat {
            let assignment = try assignment()
            var replacesColumn = false
            if case .set = assignment { replacesColumn = true }
            if let replacesEarlier = columns[assignment.column], replacesEarlier || replacesColumn {
                throw refusal("Multiple incompatible setting of column \(assignment.column)")
            }
            columns[assignment.column] = replacesColumn
            assignments.append(assignment)
        } while accept(.comma)
        try expect(.where)
        let whereClause = try relations()
        return UpdateStatement(
            table: table, using: using, assignments: assignments, whereClause: whereClause,
            condition: try conditionClause())
    }

    private mutating func assignment() throws(CQLSyntaxError) -> Assignment {
        let column = try columnName()
        switch current.kind {
        case .equal:
            advance()
            return try valueAssignment(of: column)
        case .plusEqual:
            advance()
            return .add(column: column, value: try term())
        case .minusEqual:
            advance()
            return .subtract(column: column, value: try term())
        case .leftBracket:
            advance()
            let key = try term()
            try expect(.rightBracket)
            try expect(.equal)
            return .setElement(column: column, key: key, value: try term())
        case .dot:
            advance()
            let field = try name()
            try expect(.equal)
            return .setField(column: column, field: field, value: try term())
        default: throw noViableAlternative()
        }
    }

    /// Reads what follows `column =`: a value, `column ± value` or `value + column`.
    private mutating func valueAssignment(of column: String) throws(CQLSyntaxError) -> Assignment {
        if startsColumn(0) { return try relativeAssignment(of: column) }
        let value = try term()
        guard isAt(.plus) else { return .set(column: column, value: value) }
        advance()
        guard try columnName() == column else {
            throw refusal("Only expressions of the form X = <value> + X are supported.")
        }
        return .prepend(column: column, value: value)
    }

    private mutating func relativeAssignment(of column: String) throws(CQLSyntaxError) -> Assignment {
        let isSame = try columnName() == column
        switch current.kind {
        case .plus, .minus:
            let isAddition = isAt(.plus)
            guard isSame else {
                let sign = isAddition ? "+" : "-"
                throw refusal("Only expressions of the form X = X \(sign)<value> are supported.")
            }
            advance()
            let value = try term()
            return isAddition ? .add(column: column, value: value) : .subtract(column: column, value: value)
        case .integer:
            // In `c = c -3` the sign belongs to the number, so that nothing stands between the column and it.
            let text = decoded(current.range)
            guard isSame else {
                let sign = text.utf8.first == UInt8(ascii: "-") ? "-" : "+"
                throw refusal("Only expressions of the form X = X \(sign) <value> are supported.")
            }
            advance()
            return .add(column: column, value: .literal(.integer(text)))
        default: throw noViableAlternative()
        }
    }

    private mutating func deleteStatement() throws(CQLSyntaxError) -> DeleteStatement {
        advance()
        var deletions: [DeletionTarget] = []
        if !isAt(.from) {
            deletions = try commaSeparated { parser throws(CQLSyntaxError) in try parser.deletionTarget() }
        }
        try expect(.from)
        let table = try tableName()
        var timestamp: Term?
        if accept(.using) {
            try expect(.timestamp)
            timestamp = try integerTerm()
        }
        try expect(.where)
        let whereClause = try relations()
        return DeleteStatement(
            deletions: deletions, table: table, timestamp: timestamp, whereClause: whereClause,
            condition: try conditionClause())
    }

    private mutating func deletionTarget() throws(CQLSyntaxError) -> DeletionTarget {
        let column = try columnName()
        if accept(.leftBracket) {
            let key = try term()
            try expect(.rightBracket)
            return .element(column: column, key: key)
        }
        guard accept(.dot) else { return .column(column) }
        return .field(column: column, field: try name())
    }

    mutating func batchStatement() throws(CQLSyntaxError) -> BatchStatement {
        advance()
        var kind: BatchStatement.Kind = .logged
        if accept(.unlogged) {
            kind = .unlogged
        } else if accept(.counter) {
            kind = .counter
        }
        try expect(.batch)
        let using = try usingClause()
        var statements: [Modification] = []
        while isAt(.insert) || isAt(.update) || isAt(.delete) {
            statements.append(try modification())
            _ = accept(.semicolon)
        }
        try expect(.apply)
        try expect(.batch)
        return BatchStatement(kind: kind, using: using, statements: statements)
    }
}

extension Statement {
    /// A modification that stands on its own.
    package init(_ modification: Modification) {
        switch modification {
        case .insert(let statement): self = .insert(statement)
        case .insertJSON(let statement): self = .insertJSON(statement)
        case .update(let statement): self = .update(statement)
        case .delete(let statement): self = .delete(statement)
        }
    }
}
