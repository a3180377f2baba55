/// Expressions of a SELECT: like terms, and also columns and what is in them.
extension StatementParser {
    mutating func selector() throws(CQLSyntaxError) -> Selector {
        try descend()
        var left = try selectorMultiplication()
        while isAt(.plus) || isAt(.minus) {
            let sign: ArithmeticOperator = isAt(.plus) ? .add : .subtract
            try extendChain()
            advance()
            left = .operation(left, sign, try selectorMultiplication())
        }
        leave()
        return left
    }

    private mutating func selectorMultiplication() throws(CQLSyntaxError) -> Selector {
        var left = try signedSelector()
        while let factor = multiplicationOperator {
            try extendChain()
            advance()
            left = .operation(left, factor, try signedSelector())
        }
        return left
    }

    private mutating func signedSelector() throws(CQLSyntaxError) -> Selector {
        guard isAt(.minus) else { return try modified(try simpleSelector()) }
        try descend()
        advance()
        let negated = try signedSelector()
        leave()
        return .negation(negated)
    }

    /// Reads any number of `.field`, `[element]` and `[from..to]` after `receiver`.
    private mutating func modified(_ receiver: Selector) throws(CQLSyntaxError) -> Selector {
        var result = receiver
        while true {
            if accept(.dot) {
                try extendChain()
                result = .field(result, try name())
            } else if accept(.leftBracket) {
                try extendChain()
                result = try elementOrSlice(of: result)
                try expect(.rightBracket)
            } else {
                return result
            }
        }
    }

    private mutating func elementOrSlice(of receiver: Selector) throws(CQLSyntaxError) -> Selector {
        if accept(.range) { return .slice(receiver, from: nil, to: try term()) }
        let first = try term()
        guard accept(.range) else { return .element(receiver, first) }
        return .slice(receiver, from: first, to: isAt(.rightBracket) ? nil : try term())
    }

    private mutating func simpleSelector() throws(CQLSyntaxError) -> Selector {
        if let literal = acceptLiteral() { return .literal(literal) }
        switch current.kind {
        case .questionMark, .colon: return .bindMarker(try bindMarker())
        case .leftBracket:
            advance()
            return .list(
                try commaSeparated(until: .rightBracket) { parser throws(CQLSyntaxError) in try parser.selector() })
        case .leftBrace: return try braceSelector()
        case .leftParenthesis: return try hintOrTupleSelector()
        default: return try columnOrFunction()
        }
    }

    private mutating func columnOrFunction() throws(CQLSyntaxError) -> Selector {
        let isCall = peek(1).kind == .leftParenthesis
        if isCall, isAt(.count), peek(2).kind == .asterisk, peek(3).kind == .rightParenthesis {
            for _ in 0..<4 { advance() }
            return .countRows
        }
        if isCall, isAt(.cast) { return try castSelector() }
        if isCall, let keyword = current.keyword, let attribute = CellAttribute(rawValue: keyword.rawValue) {
            advance()
            advance()
            let cell = try modified(.column(try name()))
            try expect(.rightParenthesis)
            return .cellAttribute(attribute, cell)
        }
        guard startsFunctionCall() else { return .column(try name()) }
        let function = try functionName()
        advance()
        let arguments = try commaSeparated(until: .rightParenthesis) { parser throws(CQLSyntaxError) in
            try parser.selector()
        }
        return .call(function, arguments)
    }

    private mutating func castSelector() throws(CQLSyntaxError) -> Selector {
        advance()
        advance()
        let value = try selector()
        try expect(.as)
        let type = try nativeTypeName()
        try expect(.rightParenthesis)
        return .cast(value, to: type)
    }

    private mutating func braceSelector() throws(CQLSyntaxError) -> Selector {
        advance()
        if accept(.rightBrace) { return .set([]) }
        let first = try selector()
        guard accept(.colon) else {
            var elements: [Selector] = [first]
            while accept(.comma) { elements.append(try selector()) }
            try expect(.rightBrace)
            return .set(elements)
        }
        var entries: [SelectorEntry] = [SelectorEntry(key: first, value: try selector())]
        while accept(.comma) {
            let key = try selector()
            try expect(.colon)
            entries.append(SelectorEntry(key: key, value: try selector()))
        }
        try expect(.rightBrace)
        return .map(entries)
    }

    private mutating func hintOrTupleSelector() throws(CQLSyntaxError) -> Selector {
        try descend()
        defer { leave() }
        if let type = acceptHint() {
            if startsHintedSelector { return .hint(type.name, try simpleSelector()) }
            restore(type.start)
        }
        try expect(.leftParenthesis)
        let elements = try commaSeparated { parser throws(CQLSyntaxError) in try parser.selector() }
        try expect(.rightParenthesis)
        return .tuple(elements)
    }

    /// Whether what follows `(name)` makes the name a type. AS does not, though a column may be called that.
    private var startsHintedSelector: Bool {
        switch current.kind {
        case .leftParenthesis, .leftBracket, .leftBrace, .questionMark, .colon: return true
        case .keyword, .identifier, .quotedName:
            if isAt(.null) || isAt(.nan) || isAt(.infinity) || startsFunctionCall() { return true }
            return isName(current) && !isAt(.as)
        default: return startsLiteral
        }
    }
}
