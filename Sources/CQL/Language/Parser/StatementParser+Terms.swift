import Primitives

/// Values: literals, bind markers, function calls and arithmetic.
extension StatementParser {
    mutating func term() throws(CQLSyntaxError) -> Term {
        try descend()
        var left = try multiplication()
        while isAt(.plus) || isAt(.minus) {
            // In `SET c = [1] + c` the column is no term; the rule for assignments reads it.
            if isAt(.plus), startsColumn(1) { break }
            let sign: ArithmeticOperator = isAt(.plus) ? .add : .subtract
            try extendChain()
            advance()
            left = .operation(left, sign, try multiplication())
        }
        leave()
        return left
    }

    private mutating func multiplication() throws(CQLSyntaxError) -> Term {
        var left = try signedTerm()
        while let factor = multiplicationOperator {
            try extendChain()
            advance()
            left = .operation(left, factor, try signedTerm())
        }
        return left
    }

    var multiplicationOperator: ArithmeticOperator? {
        switch current.kind {
        case .asterisk: .multiply
        case .slash: .divide
        case .percent: .remainder
        default: nil
        }
    }

    private mutating func signedTerm() throws(CQLSyntaxError) -> Term {
        if accept(.minus) { return .negation(try simpleTerm()) }
        return try simpleTerm()
    }

    private mutating func simpleTerm() throws(CQLSyntaxError) -> Term {
        if let literal = acceptLiteral() { return .literal(literal) }
        switch current.kind {
        case .questionMark, .colon: return .bindMarker(try bindMarker())
        case .leftBracket:
            advance()
            return .list(
                try commaSeparated(until: .rightBracket) { parser throws(CQLSyntaxError) in try parser.term() })
        case .leftBrace: return try braceLiteral()
        case .leftParenthesis: return try hintOrTuple()
        case .keyword where isAt(.cast) && peek(1).kind == .leftParenthesis: return try castTerm()
        default:
            guard startsFunctionCall() else { throw noViableAlternative() }
            let function = try functionName()
            advance()
            let arguments = try commaSeparated(until: .rightParenthesis) { parser throws(CQLSyntaxError) in
                try parser.term()
            }
            return .call(function, arguments)
        }
    }

    private mutating func castTerm() throws(CQLSyntaxError) -> Term {
        advance()
        advance()
        let value = try term()
        try expect(.as)
        let type = try nativeTypeName()
        try expect(.rightParenthesis)
        return .cast(value, to: type)
    }

    /// Reads a constant; nil, without having moved, when none is next.
    mutating func acceptLiteral() -> Literal? {
        let lexeme = current
        let literal: Literal
        switch lexeme.kind {
        case .string, .dollarString: literal = .string(content(lexeme))
        case .integer: literal = .integer(decoded(lexeme.range))
        case .float: literal = .float(decoded(lexeme.range))
        case .boolean: literal = .boolean(lexeme.range.count == 4)
        case .duration: literal = .duration(decoded(lexeme.range))
        case .blob: literal = .blob(hexadecimal: decoded(lexeme.range.lowerBound + 2..<lexeme.range.upperBound))
        case .uuid:
            guard let uuid = UUID(text: decoded(lexeme.range)) else { return nil }
            literal = .uuid(uuid)
        case .negativeNaN: literal = .notANumber
        case .negativeInfinity: literal = .negativeInfinity
        case .keyword:
            switch lexeme.keyword {
            case .nan: literal = .notANumber
            case .infinity: literal = .infinity
            case .null: literal = .null
            default: return nil
            }
        default: return nil
        }
        advance()
        return literal
    }

    /// Reads a set, a map or a user-defined type; the key of the first entry tells the last two apart.
    private mutating func braceLiteral() throws(CQLSyntaxError) -> Term {
        if isName(peek(1)), peek(2).kind == .colon { return try userTypeLiteral() }
        advance()
        if accept(.rightBrace) { return .set([]) }
        let first = try term()
        guard accept(.colon) else {
            var elements: [Term] = [first]
            while accept(.comma) { elements.append(try term()) }
            try expect(.rightBrace)
            return .set(elements)
        }
        var entries: [TermEntry] = [TermEntry(key: first, value: try term())]
        while accept(.comma) { entries.append(try mapEntry()) }
        try expect(.rightBrace)
        return .map(entries)
    }

    mutating func mapEntry() throws(CQLSyntaxError) -> TermEntry {
        let key = try term()
        try expect(.colon)
        return TermEntry(key: key, value: try term())
    }

    private mutating func userTypeLiteral() throws(CQLSyntaxError) -> Term {
        advance()
        let fields = try commaSeparated { parser throws(CQLSyntaxError) -> FieldTerm in
            let field = try parser.name()
            try parser.expect(.colon)
            return FieldTerm(field: field, value: try parser.term())
        }
        try expect(.rightBrace)
        return .userType(fields)
    }

    private mutating func hintOrTuple() throws(CQLSyntaxError) -> Term {
        try descend()
        defer { leave() }
        if let type = acceptHint() {
            if startsSimpleTerm { return .hint(type.name, try simpleTerm()) }
            restore(type.start)
        }
        return .tuple(try tupleTerms())
    }

    /// Reads `(a, b)`, which has at least one element.
    mutating func tupleTerms() throws(CQLSyntaxError) -> [Term] {
        try expect(.leftParenthesis)
        let elements = try commaSeparated { parser throws(CQLSyntaxError) in try parser.term() }
        try expect(.rightParenthesis)
        return elements
    }

    /// Reads a type in parentheses; nil, without having moved, when something else is in them.
    mutating func acceptHint() -> (name: TypeName, start: Checkpoint)? {
        let start = checkpoint
        let inner = peek(1)
        guard isName(inner) || inner.keyword == .set || inner.kind == .string || inner.kind == .dollarString else {
            return nil
        }
        advance()
        // The error says only that this is no type: then it is an expression, whose errors count.
        guard let type = try? typeName(), accept(.rightParenthesis) else {
            restore(start)
            return nil
        }
        return (type, start)
    }

    private var startsSimpleTerm: Bool {
        switch current.kind {
        case .leftParenthesis, .leftBracket, .leftBrace, .questionMark, .colon: return true
        case .keyword, .identifier, .quotedName:
            let isCast = isAt(.cast) && peek(1).kind == .leftParenthesis
            return isCast || isAt(.null) || isAt(.nan) || isAt(.infinity) || startsFunctionCall()
        default: return startsLiteral
        }
    }

    /// Whether a constant is next that is no word.
    var startsLiteral: Bool {
        switch current.kind {
        case .string, .dollarString, .integer, .float, .boolean, .duration, .blob, .uuid, .negativeNaN,
            .negativeInfinity:
            true
        default: false
        }
    }
}
