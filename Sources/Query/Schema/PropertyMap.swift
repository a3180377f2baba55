internal import CQL

/// What a statement says after WITH, by name, and the readings of its values.
///
/// The words of the errors are Cassandra's, which scripts compare.
struct PropertyMap {
    private let values: [String: Property.Value]

    /// - Throws: a syntax error when a name is there twice.
    init(_ properties: [Property]) throws(CQLError) {
        var values: [String: Property.Value] = [:]
        for property in properties {
            guard values.updateValue(property.value, forKey: property.name) == nil else {
                throw .syntaxError(message: "Multiple definitions for property '\(property.name)'")
            }
        }
        self.values = values
    }

    var names: [String] { values.keys.sorted() }

    func has(_ name: String) -> Bool { values[name] != nil }

    /// - Throws: a syntax error for a name that is not among `known`.
    func checkNames(_ known: Set<String>) throws(CQLError) {
        for name in names where !known.contains(name) {
            throw .syntaxError(message: "Unknown property '\(name)'")
        }
    }

    /// The text of a property; nil when it is absent.
    func text(_ name: String) throws(CQLError) -> String? {
        guard let value = values[name] else { return nil }
        guard let text = Property(name: name, value: value).text else {
            throw .syntaxError(message: "Invalid value for property '\(name)'. It should be a string")
        }
        return text
    }

    /// The map of a property; nil when it is absent.
    func map(_ name: String) throws(CQLError) -> [String: String]? {
        guard let value = values[name] else { return nil }
        guard let entries = Property(name: name, value: value).entries else {
            throw .syntaxError(message: "Invalid value for property '\(name)'. It should be a map.")
        }
        var map: [String: String] = [:]
        for entry in entries { map[entry.key] = entry.value }
        return map
    }

    /// The entries of a property as they were written; nil when it is absent or no map.
    func entries(_ name: String) -> [Property.Entry]? {
        guard case .map(let entries)? = values[name] else { return nil }
        return entries
    }

    func bool(_ name: String) throws(CQLError) -> Bool? {
        guard let text = try text(name) else { return nil }
        switch text.lowercased() {
        case "1", "true", "yes": return true
        case "0", "false", "no": return false
        default:
            throw .syntaxError(
                message: "Invalid boolean value \(text) for '\(name)'. Positive values can be '1', 'true' or 'yes'. "
                    + "Negative values can be '0', 'false' or 'no'.")
        }
    }

    func int(_ name: String) throws(CQLError) -> Int32? {
        guard let text = try text(name) else { return nil }
        guard let value = Int32(text) else {
            throw .syntaxError(message: "Invalid integer value \(text) for '\(name)'")
        }
        return value
    }

    func double(_ name: String) throws(CQLError) -> Double? {
        guard let text = try text(name) else { return nil }
        guard let value = Double(text) else {
            throw .syntaxError(message: "Invalid double value \(text) for '\(name)'")
        }
        return value
    }
}
