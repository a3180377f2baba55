import Primitives

/// From the bytes of a value to its text.
extension CQLType {
    /// The value as a constant that CQL reads back; `null` for nil and for empty values of types without empty text.
    ///
    /// Bytes that are no value of the type are shown in hexadecimal digits.
    public func cqlLiteral(of bytes: RawSpan?) -> String {
        guard let bytes else { return "null" }
        switch self {
        case .text, .ascii: return CQLType.quoted(String(decoding: [UInt8](copying: bytes), as: UTF8.self))
        case .blob, .custom: return "0x" + bytes.hexadecimal
        case .list, .set, .map, .tuple, .userDefined, .vector:
            return (try? literalOfParts(bytes)) ?? "0x" + bytes.hexadecimal
        default:
            if bytes.byteCount == 0 { return "null" }
            guard let text = scalarText(of: bytes) else { return "0x" + bytes.hexadecimal }
            switch kind {
            case .date, .inet, .time, .timestamp: return CQLType.quoted(text)
            case .duration where text.isEmpty: return "0s"
            default: return text
            }
        }
    }

    /// The value as `CAST … AS text` shows it: a scalar without quotes; nil for null, for types with parts, and for bytes
    /// that are no value of the type.
    public func plainText(of bytes: RawSpan?) -> String? {
        guard let bytes else { return nil }
        switch kind {
        case .text, .ascii: return String(decoding: [UInt8](copying: bytes), as: UTF8.self)
        case .blob, .custom: return "0x" + bytes.hexadecimal
        default: return bytes.byteCount == 0 ? "" : scalarText(of: bytes)
        }
    }

    /// The text of a number, date, address and so on; nil when the bytes are no value of the type.
    func scalarText(of bytes: RawSpan) -> String? {
        guard (try? ValueValidator(self).check(bytes)) != nil, bytes.byteCount > 0 else { return nil }
        switch kind {
        case .boolean: return bytes.byte(at: 0) == 0 ? "false" : "true"
        case .tinyint: return String(Int8(bitPattern: bytes.byte(at: 0)))
        case .smallint: return String(Int16(bitPattern: bytes.uint16(at: 0)))
        case .int: return String(Int32(bitPattern: bytes.uint32(at: 0)))
        case .bigint, .counter: return String(Int64(bitPattern: bytes.uint64(at: 0)))
        case .float: return FloatingPointText.text(Float(bitPattern: bytes.uint32(at: 0)))
        case .double: return FloatingPointText.text(Double(bitPattern: bytes.uint64(at: 0)))
        case .varint: return BigInteger(twosComplement: bytes).text
        case .decimal: return DecimalText.text(bytes)
        case .date: return DateText.text(bytes.uint32(at: 0))
        case .time: return TimeOfDay.text(Int64(bitPattern: bytes.uint64(at: 0)))
        case .timestamp: return TimestampText.text(Int64(bitPattern: bytes.uint64(at: 0)))
        case .duration: return (try? CQLDuration(bytes))?.description
        case .inet: return InternetAddressText.text([UInt8](copying: bytes))
        case .uuid, .timeuuid: return UUID(bytes)?.description
        default: return nil
        }
    }

    private func literalOfParts(_ bytes: RawSpan) throws -> String {
        switch self {
        case .list(let element, _): return "[\(try CQLType.elements(of: bytes, element).joined(separator: ", "))]"
        case .set(let element, _): return "{\(try CQLType.elements(of: bytes, element).joined(separator: ", "))}"
        case .map(let key, let value, _):
            var reader = try CollectionReader(bytes, isMap: true)
            var entries: [String] = []
            while let keyBytes = try reader.next(), let valueBytes = try reader.next() {
                entries.append("\(key.cqlLiteral(of: keyBytes)): \(value.cqlLiteral(of: valueBytes))")
            }
            return "{\(entries.joined(separator: ", "))}"
        case .tuple(let fields):
            var reader = TupleReader(bytes)
            var texts: [String] = []
            for field in fields where !reader.isAtEnd { texts.append(field.cqlLiteral(of: try reader.next())) }
            return "(\(texts.joined(separator: ", ")))"
        case .userDefined(let type, _):
            var reader = TupleReader(bytes)
            var texts: [String] = []
            for (name, field) in zip(type.fieldNames, type.fieldTypes) where !reader.isAtEnd {
                texts.append("\(CQLIdentifier.quotedIfNeeded(name)): \(field.cqlLiteral(of: try reader.next()))")
            }
            return "{\(texts.joined(separator: ", "))}"
        case .vector(let element, let dimension):
            var reader = VectorReader(
                bytes, elementByteCount: element.vectorElementByteCount ?? 0, dimension: dimension)
            var texts: [String] = []
            while let part = try reader.next() { texts.append(element.cqlLiteral(of: part)) }
            return "[\(texts.joined(separator: ", "))]"
        default: return "0x" + bytes.hexadecimal
        }
    }

    private static func elements(of bytes: RawSpan, _ element: CQLType) throws -> [String] {
        var reader = try CollectionReader(bytes)
        var texts: [String] = []
        while let part = try reader.next() { texts.append(element.cqlLiteral(of: part)) }
        return texts
    }

    /// The text between single quotes, inner ones doubled.
    public static func quoted(_ text: String) -> String {
        var quoted = "'"
        for character in text.unicodeScalars {
            if character == "'" { quoted += "'" }
            quoted.unicodeScalars.append(character)
        }
        return quoted + "'"
    }
}
