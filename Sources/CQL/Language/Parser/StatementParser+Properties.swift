/// The `name = value` pairs after WITH.
extension StatementParser {
    /// Reads WITH and what follows it.
    mutating func properties() throws(CQLSyntaxError) -> [Property] {
        try expect(.with)
        var properties: [Property] = []
        repeat { try appendProperty(to: &properties) } while accept(.and)
        return properties
    }

    mutating func appendProperty(to properties: inout [Property]) throws(CQLSyntaxError) {
        let property = try property()
        guard !properties.contains(where: { $0.name == property.name }) else {
            throw refusal("Multiple definitions for property '\(property.name)'")
        }
        properties.append(property)
    }

    private mutating func property() throws(CQLSyntaxError) -> Property {
        let name = try name()
        try expect(.equal)
        if isAt(.leftBrace) { return Property(name: name, value: .map(try propertyMap())) }
        if !isAt(.null), let literal = acceptLiteral() { return Property(name: name, value: .literal(literal)) }
        guard isAt(.keyword) else { throw noViableAlternative() }
        return Property(name: name, value: .word(try self.name()))
    }

    /// Reads `{'a': 'b', …}`, whose keys and values are constants.
    mutating func propertyMap() throws(CQLSyntaxError) -> [Property.Entry] {
        try expect(.leftBrace)
        var seen: Set<String> = []
        return try commaSeparated(until: .rightBrace) { parser throws(CQLSyntaxError) -> Property.Entry in
            let entry = try parser.mapEntry()
            guard let key = entry.key.propertyConstant else {
                throw parser.refusal("Invalid property name: \(entry.key.cqlText)" + entry.key.bindMarkerRemark)
            }
            guard let value = entry.value.propertyConstant else {
                let problem = "Invalid property value: \(entry.value.cqlText) for property: \(entry.key.cqlText)"
                throw parser.refusal(problem + entry.value.bindMarkerRemark)
            }
            guard seen.insert(key.rawText).inserted else {
                throw parser.refusal("Multiple definition for property \(key.rawText)")
            }
            return Property.Entry(key: key, value: value)
        }
    }
}

extension Term {
    /// The constant this is, if it may stand in a property.
    fileprivate var propertyConstant: Literal? {
        guard case .literal(let literal) = self, literal != .null else { return nil }
        return literal
    }

    fileprivate var bindMarkerRemark: String {
        guard case .bindMarker = self else { return "" }
        return " (bind variables are not supported in DDL queries)"
    }
}
