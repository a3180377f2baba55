package import CQL
package import DataModel

/// From a constant as written to the bytes of a value of a known type.
package enum LiteralBinding {
    /// Nil for null.
    package static func bytes(of literal: Literal, as type: CQLType, named name: String) throws(CQLError) -> [UInt8]? {
        let kind: LiteralKind
        let word: String
        switch literal {
        case .null: return nil
        case .string: (kind, word) = (.string, "STRING")
        case .integer: (kind, word) = (.integer, "INTEGER")
        case .float, .notANumber, .infinity, .negativeInfinity: (kind, word) = (.float, "FLOAT")
        case .boolean: (kind, word) = (.boolean, "BOOLEAN")
        case .uuid: (kind, word) = (.uuid, "UUID")
        case .blob: (kind, word) = (.hexadecimal, "HEX")
        case .duration: (kind, word) = (.duration, "DURATION")
        }
        guard type.accepts(kind) else {
            throw .invalid(
                message: "Invalid \(word) constant (\(literal.cqlText)) for \"\(name)\" of type \(type.cqlName)")
        }
        do throws(InvalidValue) {
            return try type.valueBytes(ofText: literal.rawText)
        } catch { throw .invalid(message: error.description) }
    }
}
