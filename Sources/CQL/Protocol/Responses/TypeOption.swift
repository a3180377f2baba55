public import DataModel
public import Primitives

/// Column types as [option]s of a result's metadata (protocol specification, section 4.2.5.2).
///
/// A type that is newer than the connection's version, and a vector in every version, is written as the option `custom`
/// with the name of Cassandra's marshalling class. The wire does not tell frozen from not: what is read is frozen.
public enum TypeOption {
    /// How deep a type that somebody sends may be nested.
    static let maximumDepth: Int = 32

    /// The option's number, and the first version that has it; nil for a type that is always written as `custom`.
    static func number(of type: CQLType) -> (code: UInt16, since: ProtocolVersion)? {
        switch type {
        case .ascii: (0x01, .v3)
        case .bigint: (0x02, .v3)
        case .blob: (0x03, .v3)
        case .boolean: (0x04, .v3)
        case .counter: (0x05, .v3)
        case .decimal: (0x06, .v3)
        case .double: (0x07, .v3)
        case .float: (0x08, .v3)
        case .int: (0x09, .v3)
        case .timestamp: (0x0B, .v3)
        case .uuid: (0x0C, .v3)
        case .text: (0x0D, .v3)
        case .varint: (0x0E, .v3)
        case .timeuuid: (0x0F, .v3)
        case .inet: (0x10, .v3)
        case .date: (0x11, .v4)
        case .time: (0x12, .v4)
        case .smallint: (0x13, .v4)
        case .tinyint: (0x14, .v4)
        case .duration: (0x15, .v5)
        case .list: (0x20, .v3)
        case .map: (0x21, .v3)
        case .set: (0x22, .v3)
        case .userDefined: (0x30, .v3)
        case .tuple: (0x31, .v3)
        case .vector, .custom: nil
        }
    }

    /// Appends a type.
    public static func write(_ type: CQLType, into writer: inout ByteWriter, version: ProtocolVersion) {
        guard let option = number(of: type), version >= option.since else {
            writer.write(UInt16(0))
            writer.writeString(type.marshalClassName)
            return
        }
        writer.write(option.code)
        switch type {
        case .list(let element, _), .set(let element, _): write(element, into: &writer, version: version)
        case .map(let key, let value, _):
            write(key, into: &writer, version: version)
            write(value, into: &writer, version: version)
        case .tuple(let fields):
            writer.write(UInt16(truncatingIfNeeded: fields.count))
            for field in fields { write(field, into: &writer, version: version) }
        case .userDefined(let definition, _):
            writer.writeString(definition.keyspace)
            writer.writeString(definition.name)
            writer.write(UInt16(truncatingIfNeeded: definition.fieldNames.count))
            for (name, fieldType) in zip(definition.fieldNames, definition.fieldTypes) {
                writer.writeString(name)
                write(fieldType, into: &writer, version: version)
            }
        default: break
        }
    }

    /// Reads a type.
    public static func read(_ reader: inout ByteReader) throws(ProtocolError) -> CQLType {
        try read(&reader, depth: 0)
    }

    private static func read(_ reader: inout ByteReader, depth: Int) throws(ProtocolError) -> CQLType {
        guard depth < maximumDepth else { throw ProtocolError("A type is nested too deep") }
        let code = try reader.readShort("a type option")
        if let simple = simpleType(code) { return simple }
        switch code {
        case 0x00: return customType(try reader.readString())
        case 0x20: return .list(try read(&reader, depth: depth + 1), isMultiCell: false)
        case 0x21:
            let key = try read(&reader, depth: depth + 1)
            return .map(key, try read(&reader, depth: depth + 1), isMultiCell: false)
        case 0x22: return .set(try read(&reader, depth: depth + 1), isMultiCell: false)
        case 0x30: return try readUserType(&reader, depth: depth + 1)
        case 0x31:
            let count = Int(try reader.readShort("the number of fields"))
            var fields: [CQLType] = []
            for _ in 0..<count { fields.append(try read(&reader, depth: depth + 1)) }
            return .tuple(fields)
        default: throw ProtocolError("Unknown option id \(code)")
        }
    }

    /// The type that a class name stands for; a name that we cannot read stays a custom type.
    private static func customType(_ className: String) -> CQLType {
        do {
            return try MarshalClassName.parse(className).type.frozen
        } catch {
            return .custom(className: className)
        }
    }

    private static func readUserType(_ reader: inout ByteReader, depth: Int) throws(ProtocolError) -> CQLType {
        let keyspace = try reader.readString()
        let name = try reader.readString()
        let count = Int(try reader.readShort("the number of fields"))
        var fieldNames: [String] = []
        var fieldTypes: [CQLType] = []
        for _ in 0..<count {
            fieldNames.append(try reader.readString())
            fieldTypes.append(try read(&reader, depth: depth))
        }
        let definition = UserDefinedType(
            keyspace: keyspace, name: name, fieldNames: fieldNames, fieldTypes: fieldTypes)
        return .userDefined(definition, isMultiCell: false)
    }

    private static func simpleType(_ code: UInt16) -> CQLType? {
        switch code {
        case 0x01: .ascii
        case 0x02: .bigint
        case 0x03: .blob
        case 0x04: .boolean
        case 0x05: .counter
        case 0x06: .decimal
        case 0x07: .double
        case 0x08: .float
        case 0x09: .int
        case 0x0A, 0x0D: .text
        case 0x0B: .timestamp
        case 0x0C: .uuid
        case 0x0E: .varint
        case 0x0F: .timeuuid
        case 0x10: .inet
        case 0x11: .date
        case 0x12: .time
        case 0x13: .smallint
        case 0x14: .tinyint
        case 0x15: .duration
        default: nil
        }
    }
}
