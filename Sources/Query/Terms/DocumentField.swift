package import CQL
import DataModel

/// One column of a row that is written as a JSON document.
package struct DocumentField: Sendable {
    let name: String
    let type: CQLType
    /// All columns of the table: a document that names another one is refused.
    let knownNames: Set<String>
    /// Whether a column that the document leaves out keeps its value; otherwise it becomes null.
    let leavesUnset: Bool

    package func value(in document: TermValue) throws(CQLError) -> TermValue {
        guard let bytes = document.bytes else { throw .invalid(message: "Got null for INSERT JSON values") }
        do throws(InvalidValue) {
            guard case .object(let members) = try JSONValue(parsing: String(decoding: bytes, as: UTF8.self)) else {
                throw InvalidValue("Could not decode JSON string as a map")
            }
            var found: JSONValue?
            for member in members {
                let own = CQLType.jsonName(member.name)
                guard knownNames.contains(own) else {
                    throw InvalidValue("JSON values map contains unrecognized column: \(own)")
                }
                if own == name { found = member.value }
            }
            guard let found else { return leavesUnset ? .unset : .null }
            return try type.valueBytes(ofJSON: found).map(TermValue.bytes) ?? .null
        } catch { throw .invalid(message: "Error decoding JSON value for \(name): \(error.description)") }
    }
}
