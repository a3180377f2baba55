/// Types as they are spelled.
extension StatementParser {
    /// Names that are kept free for types to come.
    static let reservedTypeNames: [String] = [
        "byte", "complex", "enum", "date", "interval", "macaddr", "bitstring",
    ]

    mutating func typeName() throws(CQLSyntaxError) -> TypeName {
        try descend()
        let type = try unboundedTypeName()
        leave()
        return type
    }

    private mutating func unboundedTypeName() throws(CQLSyntaxError) -> TypeName {
        if isAt(.string) || isAt(.dollarString) { return .custom(try stringText()) }
        if peek(1).kind != .dot {
            if let native = nativeTypeName(current) {
                advance()
                return .native(native)
            }
            if peek(1).kind == .less, let type = try parametrisedType() { return type }
        }
        return .userDefined(try userTypeName())
    }

    /// Reads a type with parameters; nil, without having moved, when no such type is next.
    private mutating func parametrisedType() throws(CQLSyntaxError) -> TypeName? {
        let keyword = current.keyword
        guard [.list, .set, .map, .tuple, .vector, .frozen].contains(keyword) else { return nil }
        advance()
        advance()
        let type: TypeName
        switch keyword {
        case .list: type = .list(try typeName())
        case .set: type = .set(try typeName())
        case .frozen: type = .frozen(try typeName())
        case .map:
            let key = try typeName()
            try expect(.comma)
            type = .map(key: key, value: try typeName())
        case .vector:
            let element = try typeName()
            try expect(.comma)
            type = .vector(element: element, dimension: try vectorDimension())
        default: type = .tuple(try commaSeparated { parser throws(CQLSyntaxError) in try parser.typeName() })
        }
        try expect(.greater)
        return type
    }

    private mutating func vectorDimension() throws(CQLSyntaxError) -> Int {
        guard isAt(.integer) else { throw mismatch(expecting: Lexeme.Kind.integer.grammarName) }
        guard let dimension = Int32(decoded(current.range)) else {
            throw failure("the dimension of a vector is out of range at input")
        }
        advance()
        return Int(dimension)
    }

    private func nativeTypeName(_ lexeme: Lexeme) -> NativeTypeName? {
        guard let keyword = lexeme.keyword, keyword.use == .nativeType else { return nil }
        return NativeTypeName(rawValue: keyword.rawValue)
    }

    mutating func nativeTypeName() throws(CQLSyntaxError) -> NativeTypeName {
        guard let type = nativeTypeName(current) else { throw noViableAlternative() }
        advance()
        return type
    }

    /// Reads the name of a user-defined type, which may be no scalar type.
    mutating func userTypeName() throws(CQLSyntaxError) -> QualifiedName {
        var keyspace: String?
        if isName(current), peek(1).kind == .dot {
            keyspace = try name()
            advance()
        }
        let lexeme = current
        switch lexeme.keyword?.use {
        case nil, .anyName: break
        case .columnOnly where lexeme.keyword == .key: break
        default: throw noViableAlternative()
        }
        let type = try name()
        if lexeme.kind == .identifier, StatementParser.reservedTypeNames.contains(type) {
            throw refusal("Invalid (reserved) user type name " + type)
        }
        return QualifiedName(keyspace: keyspace, name: type)
    }
}
