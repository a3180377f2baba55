import Primitives

/// Values as JSON, in the mapping that CQL documents for `SELECT JSON` and `toJson`.
extension CQLType {
    /// The value as JSON text; nil is `null`.
    ///
    /// Numbers that JSON does not have (`NaN`, the infinities) are `null`; empty values are empty strings. Bytes that
    /// are no value of the type are a string of hexadecimal digits.
    public func json(of bytes: RawSpan?) -> String {
        guard let bytes else { return "null" }
        switch kind {
        case .text, .ascii: return JSONValue.quoted(String(decoding: [UInt8](copying: bytes), as: UTF8.self))
        case .blob, .custom: return "\"0x\(bytes.hexadecimal)\""
        case .list, .set, .map, .tuple, .userDefined, .vector:
            return (try? jsonOfParts(bytes)) ?? "\"0x\(bytes.hexadecimal)\""
        case .timestamp where bytes.byteCount == 8:
            return "\"\(TimestampText.text(Int64(bitPattern: bytes.uint64(at: 0)), separator: " "))\""
        default: break
        }
        if bytes.byteCount == 0 { return "\"\"" }
        guard let text = scalarText(of: bytes) else { return "\"0x\(bytes.hexadecimal)\"" }
        switch kind {
        case .date, .duration, .inet, .time, .timeuuid, .timestamp, .uuid: return "\"\(text)\""
        case .float, .double: return text.hasSuffix("N") || text.hasSuffix("y") ? "null" : text
        default: return text
        }
    }

    private func jsonOfParts(_ bytes: RawSpan) throws -> String {
        var texts: [String] = []
        switch self {
        case .list(let element, _), .set(let element, _):
            var reader = try CollectionReader(bytes)
            while let part = try reader.next() { texts.append(element.json(of: part)) }
            return "[\(texts.joined(separator: ", "))]"
        case .map(let key, let value, _):
            var reader = try CollectionReader(bytes, isMap: true)
            while let keyBytes = try reader.next(), let valueBytes = try reader.next() {
                let name: String = key.json(of: keyBytes)
                texts.append("\(name.hasPrefix("\"") ? name : JSONValue.quoted(name)): \(value.json(of: valueBytes))")
            }
            return "{\(texts.joined(separator: ", "))}"
        case .tuple(let fields):
            var reader = TupleReader(bytes)
            for field in fields where !reader.isAtEnd { texts.append(field.json(of: try reader.next())) }
            return "[\(texts.joined(separator: ", "))]"
        case .userDefined(let type, _):
            var reader = TupleReader(bytes)
            for (name, field) in zip(type.fieldNames, type.fieldTypes) {
                let shown: String = name == name.lowercased() ? name : "\"\(name)\""
                texts.append("\(JSONValue.quoted(shown)): \(field.json(of: try reader.next()))")
            }
            return "{\(texts.joined(separator: ", "))}"
        case .vector(let element, let dimension):
            var reader = VectorReader(
                bytes, elementByteCount: element.vectorElementByteCount ?? 0, dimension: dimension)
            while let part = try reader.next() { texts.append(element.json(of: part)) }
            return "[\(texts.joined(separator: ", "))]"
        default: return "null"
        }
    }

    /// Makes a value from JSON; nil is null.
    ///
    /// Numbers may be given as strings, which is how the keys of a JSON object give them; so may lists and objects.
    ///
    /// - Throws: `InvalidValue` when the JSON is of another kind than the type takes, in Cassandra's words.
    public func valueBytes(ofJSON json: JSONValue) throws(InvalidValue) -> [UInt8]? {
        if json == .null { return nil }
        switch self {
        case .list(let element, _):
            return CollectionValue.list(try element.elements(of: json, "a list", "list"))
        case .set(let element, _):
            return CollectionValue.set(
                try element.elements(of: json, "a list (representing a set)", "set"), of: element)
        case .map(let key, let value, _):
            return try CQLType.map(of: json, key, value)
        case .tuple(let fields):
            return try CQLType.tuple(of: json, fields)
        case .userDefined(let type, _):
            return try CQLType.userDefined(of: json, type)
        case .vector(let element, let dimension):
            let elements: [[UInt8]] = try element.elements(of: json, "a list", "list")
            guard elements.count == dimension else {
                throw InvalidValue(
                    "List had incorrect size: expected \(dimension) but given \(elements.count); \(json.shown)")
            }
            return try CollectionValue.vector(elements, of: element)
        default: return try scalarBytes(ofJSON: json)
        }
    }

    private func scalarBytes(ofJSON json: JSONValue) throws(InvalidValue) -> [UInt8] {
        switch (kind, json) {
        case (.blob, .string(let text)), (.custom, .string(let text)):
            guard text.hasPrefix("0x") || text.hasPrefix("0X") else {
                throw InvalidValue(
                    "Value '\(json.shown)' is not a valid blob representation: String representation of blob is missing 0x "
                        + "prefix: \(json.shown)"
                )
            }
            return try valueBytes(ofText: text)
        case (_, .string(let text)):
            return try valueBytes(ofText: text)
        case (.boolean, .boolean(let value)):
            return [value ? 1 : 0]
        case (.int, .number(let text)):
            guard Int32(text) != nil else { throw mismatch("an int value", json) }
            return try valueBytes(ofText: text)
        case (.bigint, .number(let text)), (.counter, .number(let text)), (.timestamp, .number(let text)):
            guard Int64(text) != nil else { throw mismatch(expectation, json) }
            return try valueBytes(ofText: text)
        case (.tinyint, .number(let text)), (.smallint, .number(let text)), (.varint, .number(let text)),
            (.decimal, .number(let text)), (.float, .number(let text)), (.double, .number(let text)):
            return try valueBytes(ofText: text)
        default: throw mismatch(expectation, json)
        }
    }

    /// What a message says that the type wants.
    private var expectation: String {
        switch kind {
        case .ascii: "an ASCII string"
        case .text: "a UTF-8 string"
        case .blob, .custom: "a string representation of a blob"
        case .boolean: "a boolean value"
        case .date, .time, .duration, .inet, .uuid, .timeuuid:
            "a string representation of \(kind == .inet ? "an" : "a") \(scalarName) value"
        case .timestamp: "a long or a datestring representation of a date value"
        case .int: "an int value"
        default: "a \(scalarName) value"
        }
    }

    private func mismatch(_ expected: String, _ json: JSONValue) -> InvalidValue {
        InvalidValue("Expected \(expected), but got a \(json.className): \(json.shown)")
    }

    /// Takes JSON inside a string apart, which is what the key of an object holds when the key has parts.
    private static func unwrapped(_ json: JSONValue) throws(InvalidValue) -> JSONValue {
        guard case .string(let text) = json else { return json }
        return try JSONValue(parsing: text)
    }

    private func elements(
        of json: JSONValue, _ expected: String, _ name: String
    ) throws(InvalidValue) -> [[UInt8]] {
        let plain: JSONValue = try CQLType.unwrapped(json)
        guard case .array(let values) = plain else { throw mismatch(expected, plain) }
        var elements: [[UInt8]] = []
        for value in values {
            guard let bytes = try valueBytes(ofJSON: value) else {
                throw InvalidValue("Invalid null element in \(name)")
            }
            elements.append(bytes)
        }
        return elements
    }

    private static func map(of json: JSONValue, _ key: CQLType, _ value: CQLType) throws(InvalidValue) -> [UInt8] {
        let plain: JSONValue = try unwrapped(json)
        guard case .object(let members) = plain else { throw key.mismatch("a map", plain) }
        var entries: [(key: [UInt8], value: [UInt8])] = []
        for member in members {
            guard let keyBytes = try key.valueBytes(ofJSON: .string(member.name)) else {
                throw InvalidValue("Invalid null key in map")
            }
            guard let valueBytes = try value.valueBytes(ofJSON: member.value) else {
                throw InvalidValue("Invalid null value in map")
            }
            entries.append((key: keyBytes, value: valueBytes))
        }
        return CollectionValue.map(entries, keyType: key)
    }

    private static func tuple(of json: JSONValue, _ fields: [CQLType]) throws(InvalidValue) -> [UInt8] {
        let plain: JSONValue = try unwrapped(json)
        guard case .array(let values) = plain else {
            throw CQLType.tuple(fields).mismatch("a list representation of a tuple", plain)
        }
        guard values.count <= fields.count else {
            throw InvalidValue("Tuple contains extra items (expected \(fields.count)): \(plain.shown)")
        }
        guard values.count == fields.count else {
            throw InvalidValue("Tuple is missing items (expected \(fields.count)): \(plain.shown)")
        }
        var parts: [[UInt8]?] = []
        for (field, value) in zip(fields, values) { parts.append(try field.valueBytes(ofJSON: value)) }
        return CollectionValue.tuple(parts)
    }

    private static func userDefined(of json: JSONValue, _ type: UserDefinedType) throws(InvalidValue) -> [UInt8] {
        let plain: JSONValue = try unwrapped(json)
        guard case .object(let members) = plain else { throw CQLType.blob.mismatch("a map", plain) }
        var parts: [[UInt8]?] = [[UInt8]?](repeating: nil, count: type.fieldNames.count)
        for member in members {
            let name: String = jsonName(member.name)
            guard let index = type.fieldNames.firstIndex(of: name), index < type.fieldTypes.count else {
                throw InvalidValue("Unknown field '\(name.prefix(128))' in value of user defined type \(type.name)")
            }
            parts[index] = try type.fieldTypes[index].valueBytes(ofJSON: member.value)
        }
        return CollectionValue.tuple(parts)
    }

    /// The column or field that a name in JSON means: lower case unless it stands between double quotes.
    public static func jsonName(_ written: String) -> String {
        if written.utf8.count >= 2, written.hasPrefix("\""), written.hasSuffix("\"") {
            return String(written.dropFirst().dropLast())
        }
        return written.lowercased()
    }
}
