/// WHERE and IF.
extension StatementParser {
    /// Reads what follows WHERE.
    mutating func relations() throws(CQLSyntaxError) -> WhereClause {
        var relations: [Relation] = []
        var indexExpressions: [IndexExpression] = []
        repeat {
            if isAt(.identifier), peek(1).kind == .leftParenthesis, content(current) == "expr" {
                indexExpressions.append(try indexExpression(after: relations.count))
            } else {
                relations.append(try relation())
            }
        } while accept(.and)
        return WhereClause(relations: relations, indexExpressions: indexExpressions)
    }

    private mutating func indexExpression(after relationCount: Int) throws(CQLSyntaxError) -> IndexExpression {
        advance()
        advance()
        try refuseBindMarker(of: "index")
        let index = try name()
        try expect(.comma)
        let expression = IndexExpression(index: index, term: try term(), precedingRelationCount: relationCount)
        try expect(.rightParenthesis)
        return expression
    }

    private mutating func relation() throws(CQLSyntaxError) -> Relation {
        if accept(.token) {
            let columns = try columnTuple()
            return Relation(.token(columns), try rangePredicate())
        }
        if isAt(.leftParenthesis) {
            let isTuple = isName(peek(1)) || peek(1).kind == .emptyQuotedName
            if isTuple, peek(2).kind == .comma || peek(2).kind == .rightParenthesis {
                return Relation(.columns(try columnTuple()), try tuplePredicate())
            }
            try descend()
            advance()
            let inner = try relation()
            try expect(.rightParenthesis)
            leave()
            return inner
        }
        let column = try columnName()
        guard accept(.leftBracket) else { return Relation(.column(column), try columnPredicate()) }
        let key = try term()
        try expect(.rightBracket)
        return Relation(.element(column: column, key: key), .compare(try comparison(), try term()))
    }

    private mutating func columnTuple() throws(CQLSyntaxError) -> [String] {
        try expect(.leftParenthesis)
        let columns = try commaSeparated { parser throws(CQLSyntaxError) in try parser.columnName() }
        try expect(.rightParenthesis)
        return columns
    }

    /// Reads what may follow a column in a WHERE clause.
    private mutating func columnPredicate() throws(CQLSyntaxError) -> Predicate {
        switch current.keyword {
        case .between: return try rangePredicate()
        case .like:
            advance()
            return .like(try term())
        case .is:
            advance()
            try expect(.not)
            try expect(.null)
            return .isNotNull
        case .in:
            advance()
            return .isIn(try membershipValues())
        case .contains:
            advance()
            return accept(.key) ? .containsKey(try term()) : .contains(try term())
        case .not:
            advance()
            if accept(.in) { return .isNotIn(try membershipValues()) }
            guard accept(.contains) else { throw noViableAlternative() }
            return accept(.key) ? .notContainsKey(try term()) : .notContains(try term())
        default: return .compare(try comparison(), try term())
        }
    }

    private mutating func rangePredicate() throws(CQLSyntaxError) -> Predicate {
        guard accept(.between) else { return .compare(try comparison(), try term()) }
        let lower = try term()
        try expect(.and)
        return .between(lower, try term())
    }

    /// Reads what may follow several columns in parentheses: their values are tuples or bind markers.
    private mutating func tuplePredicate() throws(CQLSyntaxError) -> Predicate {
        if accept(.between) {
            let lower = try tupleOrMarker()
            try expect(.and)
            return .between(lower, try tupleOrMarker())
        }
        let isNegated = accept(.not)
        guard isNegated || isAt(.in) else { return .compare(try comparison(), try tupleOrMarker()) }
        try expect(.in)
        let values: MembershipValues
        if isAtBindMarker {
            values = .bindMarker(try bindMarker())
        } else {
            guard accept(.leftParenthesis) else { throw noViableAlternative() }
            values = .terms(
                try commaSeparated(until: .rightParenthesis) { parser throws(CQLSyntaxError) in
                    try parser.tupleOrMarker()
                })
        }
        return isNegated ? .isNotIn(values) : .isIn(values)
    }

    private mutating func tupleOrMarker() throws(CQLSyntaxError) -> Term {
        if isAtBindMarker { return .bindMarker(try bindMarker()) }
        guard isAt(.leftParenthesis) else { throw noViableAlternative() }
        return .tuple(try tupleTerms())
    }

    private mutating func membershipValues() throws(CQLSyntaxError) -> MembershipValues {
        if isAtBindMarker { return .bindMarker(try bindMarker()) }
        guard accept(.leftParenthesis) else { throw noViableAlternative() }
        return .terms(
            try commaSeparated(until: .rightParenthesis) { parser throws(CQLSyntaxError) in try parser.term() })
    }

    private mutating func comparison() throws(CQLSyntaxError) -> ComparisonOperator {
        guard let comparison = comparisonOperator(current.kind) else { throw noViableAlternative() }
        advance()
        return comparison
    }

    private func comparisonOperator(_ kind: Lexeme.Kind) -> ComparisonOperator? {
        switch kind {
        case .equal: .equal
        case .notEqual: .notEqual
        case .less: .less
        case .lessOrEqual: .lessOrEqual
        case .greater: .greater
        case .greaterOrEqual: .greaterOrEqual
        default: nil
        }
    }

    /// Reads the IF of an UPDATE or DELETE, if there is one.
    mutating func conditionClause() throws(CQLSyntaxError) -> ConditionClause {
        guard accept(.if) else { return .none }
        if isAt(.exists), !continuesCondition(peek(1)) {
            advance()
            return .ifExists
        }
        return .columns(try andSeparated { parser throws(CQLSyntaxError) in try parser.condition() })
    }

    /// Whether a lexeme behind EXISTS makes that a column.
    private func continuesCondition(_ lexeme: Lexeme) -> Bool {
        if lexeme.kind == .leftBracket || lexeme.kind == .dot || comparisonOperator(lexeme.kind) != nil { return true }
        return lexeme.keyword == .in || lexeme.keyword == .contains
    }

    private mutating func condition() throws(CQLSyntaxError) -> Condition {
        let column = try columnName()
        if accept(.leftBracket) {
            let key = try term()
            try expect(.rightBracket)
            return Condition(.element(column: column, key: key), try partPredicate())
        }
        if accept(.dot) {
            let field = try name()
            return Condition(.field(column: column, field: field), try partPredicate())
        }
        guard accept(.contains) else { return Condition(.column(column), try partPredicate()) }
        let isKey = accept(.key)
        let value = try term()
        return Condition(.column(column), isKey ? .containsKey(value) : .contains(value))
    }

    private mutating func partPredicate() throws(CQLSyntaxError) -> Predicate {
        if accept(.in) { return .isIn(try membershipValues()) }
        return .compare(try comparison(), try term())
    }
}
