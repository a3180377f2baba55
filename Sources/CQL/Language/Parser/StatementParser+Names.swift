/// Names of all kinds, bind markers, and the text of lexemes.
extension StatementParser {
    func decoded(_ range: Range<Int>) -> String {
        String(decoding: bytes[range], as: UTF8.self)
    }

    /// The text that a string or name stands for: without quotes, or in lower case when it has none.
    func content(_ lexeme: Lexeme) -> String {
        var range = lexeme.range
        switch lexeme.kind {
        case .dollarString: return decoded(range.lowerBound + 2..<range.upperBound - 2)
        case .string, .quotedName, .emptyQuotedName:
            range = range.lowerBound + 1..<range.upperBound - 1
            guard lexeme.needsRewriting else { return decoded(range) }
            let quote = bytes[range.upperBound]
            var text: [UInt8] = []
            text.reserveCapacity(range.count)
            var index = range.lowerBound
            while index < range.upperBound {
                text.append(bytes[index])
                // Inside the quotes, a quote always has its double behind it.
                index += bytes[index] == quote ? 2 : 1
            }
            return String(decoding: text, as: UTF8.self)
        default:
            guard lexeme.needsRewriting else { return decoded(range) }
            let folded = bytes[range].map { Lexer.isLetter($0) ? $0 | 0x20 : $0 }
            return String(decoding: folded, as: UTF8.self)
        }
    }

    func isName(_ lexeme: Lexeme) -> Bool {
        switch lexeme.kind {
        case .identifier, .quotedName: return true
        case .keyword: return lexeme.keyword.map { $0.use != .reserved } ?? false
        default: return false
        }
    }

    func isFunctionName(_ lexeme: Lexeme) -> Bool {
        switch lexeme.kind {
        case .identifier, .quotedName: return true
        case .keyword:
            guard let keyword = lexeme.keyword else { return false }
            return keyword == .token || keyword == .count || keyword.use == .anyName || keyword.use == .nativeType
        default: return false
        }
    }

    /// Whether `name(` or `keyspace.name(` stands `distance` lexemes ahead.
    func startsFunctionCall(_ distance: Int = 0) -> Bool {
        if isFunctionName(peek(distance)), peek(distance + 1).kind == .leftParenthesis { return true }
        return isName(peek(distance)) && peek(distance + 1).kind == .dot && isFunctionName(peek(distance + 2))
            && peek(distance + 3).kind == .leftParenthesis
    }

    /// Whether a column stands `distance` lexemes ahead, rather than the start of a function call.
    func startsColumn(_ distance: Int) -> Bool {
        let lexeme = peek(distance)
        guard isName(lexeme) || lexeme.kind == .emptyQuotedName else { return false }
        return peek(distance + 1).kind != .leftParenthesis && !startsFunctionCall(distance)
    }

    mutating func name() throws(CQLSyntaxError) -> String {
        let lexeme = current
        guard isName(lexeme) else { throw noViableAlternative() }
        advance()
        return content(lexeme)
    }

    /// Reads the name of a column in a query; tables from the oldest times may have one without a name.
    mutating func columnName() throws(CQLSyntaxError) -> String {
        if accept(.emptyQuotedName) { return "" }
        return try name()
    }

    mutating func keyspaceName() throws(CQLSyntaxError) -> String {
        try refuseBindMarker(of: "keyspace")
        return try name()
    }

    mutating func tableName() throws(CQLSyntaxError) -> QualifiedName {
        try qualifiedName(of: "table")
    }

    mutating func indexName() throws(CQLSyntaxError) -> QualifiedName {
        try qualifiedName(of: "index")
    }

    private mutating func qualifiedName(of role: String) throws(CQLSyntaxError) -> QualifiedName {
        try refuseBindMarker(of: peek(1).kind == .dot ? "keyspace" : role)
        let first = try name()
        guard accept(.dot) else { return QualifiedName(name: first) }
        try refuseBindMarker(of: role)
        return QualifiedName(keyspace: first, name: try name())
    }

    mutating func refuseBindMarker(of role: String) throws(CQLSyntaxError) {
        if isAt(.questionMark) { throw refusal("Bind variables cannot be used for \(role) names") }
    }

    mutating func functionName() throws(CQLSyntaxError) -> QualifiedName {
        var keyspace: String?
        if isName(current), peek(1).kind == .dot {
            keyspace = try name()
            advance()
        }
        return QualifiedName(keyspace: keyspace, name: try unqualifiedFunctionName())
    }

    mutating func unqualifiedFunctionName() throws(CQLSyntaxError) -> String {
        let lexeme = current
        guard isFunctionName(lexeme) else { throw noViableAlternative() }
        advance()
        return content(lexeme)
    }

    mutating func stringText() throws(CQLSyntaxError) -> String {
        let lexeme = current
        guard lexeme.kind == .string || lexeme.kind == .dollarString else {
            throw mismatch(expecting: Lexeme.Kind.string.grammarName)
        }
        advance()
        return content(lexeme)
    }

    /// Reads `?` or `:name`.
    mutating func bindMarker() throws(CQLSyntaxError) -> BindMarkerReference {
        let start = Int(current.start)
        var markerName: String?
        if accept(.colon) {
            markerName = try name()
        } else {
            guard accept(.questionMark) else { throw noViableAlternative() }
        }
        guard bindMarkers.count < CQLParser.maximumBindMarkerCount else {
            throw refusal(
                "Too many markers(?). \(bindMarkers.count + 1) markers exceed the allowed maximum of "
                    + "\(CQLParser.maximumBindMarkerCount)")
        }
        bindMarkers.append(BindMarker(name: markerName, position: start))
        return BindMarkerReference(index: bindMarkers.count - 1, name: markerName)
    }

    var isAtBindMarker: Bool { isAt(.questionMark) || isAt(.colon) }

    /// Reads an integer or a bind marker.
    mutating func integerTerm() throws(CQLSyntaxError) -> Term {
        if isAtBindMarker { return .bindMarker(try bindMarker()) }
        guard isAt(.integer) else { throw noViableAlternative() }
        let text = decoded(current.range)
        advance()
        return .literal(.integer(text))
    }
}
