/// Types by the names of Cassandra's marshalling classes, as drivers and `system_schema` know them.
///
///     org.apache.cassandra.db.marshal.MapType(org.apache.cassandra.db.marshal.UTF8Type,org.apache.cassandra…)
public enum MarshalClassName {
    /// The package that every class name starts with.
    public static let package = "org.apache.cassandra.db.marshal."

    /// How deep types may be nested in a class name that is parsed.
    public static let maximumDepth = 32
    /// How long a class name may be that is parsed.
    public static let maximumByteCount = 64 << 10

    static let scalarClasses: [(type: CQLType, name: String)] = [
        (.ascii, "AsciiType"), (.bigint, "LongType"), (.blob, "BytesType"), (.boolean, "BooleanType"),
        (.counter, "CounterColumnType"), (.date, "SimpleDateType"), (.decimal, "DecimalType"),
        (.double, "DoubleType"), (.duration, "DurationType"), (.float, "FloatType"), (.inet, "InetAddressType"),
        (.int, "Int32Type"), (.smallint, "ShortType"), (.text, "UTF8Type"), (.time, "TimeType"),
        (.timestamp, "TimestampType"), (.timeuuid, "TimeUUIDType"), (.tinyint, "ByteType"), (.uuid, "UUIDType"),
        (.varint, "IntegerType"),
    ]

    /// The class name of `type`, wrapped in `ReversedType` for a clustering column in descending order.
    public static func of(_ type: CQLType, isReversed: Bool) -> String {
        isReversed ? "\(package)ReversedType(\(type.marshalClassName))" : type.marshalClassName
    }

    /// Reads a class name and says whether it was wrapped in `ReversedType`.
    ///
    /// Names may be given without the package. A class that is none of ours becomes `.custom` with its parameters.
    public static func parse(_ text: String) throws(InvalidValue) -> (type: CQLType, isReversed: Bool) {
        guard text.utf8.count <= maximumByteCount else { throw InvalidValue("The type name is too long") }
        var parser = MarshalClassNameParser(text: Array(text.utf8))
        let parsed = try parser.parseWhole()
        return (parsed.type, parsed.isReversed)
    }
}

extension CQLType {
    /// The marshalling class of this type, with parameters.
    public var marshalClassName: String { marshalClassName(insideFrozen: false) }

    /// - Parameter insideFrozen: whether an outer type is frozen already, in which case Cassandra leaves the marks out.
    private func marshalClassName(insideFrozen: Bool) -> String {
        let package: String = MarshalClassName.package
        switch self {
        case .list(let element, let isMultiCell):
            let inner: Bool = insideFrozen || !isMultiCell
            return CQLType.frozenClass(
                "\(package)ListType(\(element.marshalClassName(insideFrozen: inner)))", isMultiCell, insideFrozen)
        case .set(let element, let isMultiCell):
            let inner: Bool = insideFrozen || !isMultiCell
            return CQLType.frozenClass(
                "\(package)SetType(\(element.marshalClassName(insideFrozen: inner)))", isMultiCell, insideFrozen)
        case .map(let key, let value, let isMultiCell):
            let inner: Bool = insideFrozen || !isMultiCell
            let keyName: String = key.marshalClassName(insideFrozen: inner)
            let valueName: String = value.marshalClassName(insideFrozen: inner)
            return CQLType.frozenClass("\(package)MapType(\(keyName),\(valueName))", isMultiCell, insideFrozen)
        case .tuple(let fields):
            let names: [String] = fields.map { $0.marshalClassName(insideFrozen: true) }
            return "\(package)TupleType(\(names.joined(separator: ",")))"
        case .userDefined(let type, let isMultiCell):
            var name = "\(package)UserType(\(type.keyspace),\(CQLType.hexadecimal(type.name))"
            for (fieldName, fieldType) in zip(type.fieldNames, type.fieldTypes) {
                let fieldClass: String = fieldType.marshalClassName(insideFrozen: insideFrozen || !isMultiCell)
                name += ",\(CQLType.hexadecimal(fieldName)):\(fieldClass)"
            }
            return CQLType.frozenClass(name + ")", isMultiCell, insideFrozen)
        case .vector(let element, let dimension):
            return "\(package)VectorType(\(element.marshalClassName(insideFrozen: insideFrozen)) , \(dimension))"
        case .custom(let className): return className
        default:
            let known = MarshalClassName.scalarClasses.first { $0.type == self }
            return package + (known?.name ?? "BytesType")
        }
    }

    private static func frozenClass(_ name: String, _ isMultiCell: Bool, _ insideFrozen: Bool) -> String {
        isMultiCell || insideFrozen ? name : "\(MarshalClassName.package)FrozenType(\(name))"
    }

    private static func hexadecimal(_ name: String) -> String {
        Array(name.utf8).span.bytes.hexadecimal
    }
}

/// Reads the grammar of class names: `Name`, `Name(arguments)`, and `hex:type` for the fields of a user-defined type.
struct MarshalClassNameParser {
    struct Parsed {
        var type: CQLType
        var isReversed = false
    }

    private let text: [UInt8]
    private var offset = 0

    init(text: [UInt8]) {
        self.text = text
    }

    mutating func parseWhole() throws(InvalidValue) -> Parsed {
        let parsed = try parseType(depth: 0, isFrozen: false)
        skipBlanks()
        guard offset == text.count else { throw malformed("Unexpected text after the type") }
        return parsed
    }

    mutating func parseType(depth: Int, isFrozen: Bool) throws(InvalidValue) -> Parsed {
        guard depth < MarshalClassName.maximumDepth else { throw malformed("Types are nested too deeply") }
        skipBlanks()
        let start = offset
        let word = readWord()
        guard !word.isEmpty else { throw malformed("A class name is missing") }
        let name: String =
            word.hasPrefix(MarshalClassName.package)
            ? String(word.dropFirst(MarshalClassName.package.count)) : word
        let inner = depth + 1
        switch name {
        case "FrozenType":
            return Parsed(type: try parseOne(inner, isFrozen: true).frozen)
        case "ReversedType":
            return Parsed(type: try parseOne(inner, isFrozen: isFrozen), isReversed: true)
        case "ListType":
            return Parsed(type: .list(try parseOne(inner, isFrozen: isFrozen).frozen, isMultiCell: !isFrozen))
        case "SetType":
            return Parsed(type: .set(try parseOne(inner, isFrozen: isFrozen).frozen, isMultiCell: !isFrozen))
        case "MapType":
            let parts = try parseArguments(inner)
            guard parts.count == 2 else { throw malformed("A map has a key and a value type") }
            return Parsed(type: .map(parts[0].frozen, parts[1].frozen, isMultiCell: !isFrozen))
        case "TupleType":
            let parts = try parseArguments(inner)
            guard !parts.isEmpty else { throw malformed("A tuple has at least one field") }
            return Parsed(type: .tuple(parts.map(\.frozen)))
        case "VectorType": return Parsed(type: try parseVector(inner))
        case "UserType": return Parsed(type: try parseUserType(inner, isFrozen: isFrozen))
        case "DateType": return Parsed(type: .timestamp)
        case CompositeLayout.staticName, CompositeLayout.dynamicName:
            let layout = try parseComposite(isDynamic: name == CompositeLayout.dynamicName, depth: depth)
            return Parsed(type: .custom(className: layout.className))
        default:
            if let known = MarshalClassName.scalarClasses.first(where: { $0.name == name }) {
                return Parsed(type: known.type)
            }
            return Parsed(type: try customClass(named: name, from: start))
        }
    }

    /// Whether nothing but blanks is left.
    var isAtEnd: Bool { text[offset...].allSatisfy { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") } }

    private mutating func parseOne(_ depth: Int, isFrozen: Bool) throws(InvalidValue) -> CQLType {
        try expect("(")
        let parsed = try parseType(depth: depth, isFrozen: isFrozen)
        try expect(")")
        return parsed.type
    }

    private mutating func parseArguments(_ depth: Int) throws(InvalidValue) -> [CQLType] {
        var parts: [CQLType] = []
        try expect("(")
        repeat {
            parts.append(try parseType(depth: depth, isFrozen: true).type)
        } while accept(",")
        try expect(")")
        return parts
    }

    private mutating func parseVector(_ depth: Int) throws(InvalidValue) -> CQLType {
        try expect("(")
        let element: CQLType = try parseType(depth: depth, isFrozen: true).type
        try expect(",")
        skipBlanks()
        guard let dimension = Int32(readWord()), dimension > 0 else {
            throw malformed("A vector has a positive number of elements")
        }
        try expect(")")
        return .vector(element.frozen, dimension: Int(dimension))
    }

    private mutating func parseUserType(_ depth: Int, isFrozen: Bool) throws(InvalidValue) -> CQLType {
        try expect("(")
        skipBlanks()
        let keyspace: String = readWord()
        try expect(",")
        skipBlanks()
        var type = UserDefinedType(keyspace: keyspace, name: try readHexadecimalName(), fieldNames: [], fieldTypes: [])
        while accept(",") {
            skipBlanks()
            type.fieldNames.append(try readHexadecimalName())
            try expect(":")
            type.fieldTypes.append(try parseType(depth: depth, isFrozen: isFrozen).type)
        }
        try expect(")")
        if isFrozen { type.fieldTypes = type.fieldTypes.map(\.frozen) }
        return .userDefined(type, isMultiCell: !isFrozen)
    }

    /// Keeps an unknown class with its parameters as they were written, provided that its brackets match.
    private mutating func customClass(named name: String, from start: Int) throws(InvalidValue) -> CQLType {
        var open = 0
        skipBlanks()
        if offset < text.count, text[offset] == UInt8(ascii: "(") {
            repeat {
                guard offset < text.count else { throw malformed("A bracket is not closed") }
                if text[offset] == UInt8(ascii: "(") { open += 1 }
                if text[offset] == UInt8(ascii: ")") { open -= 1 }
                offset += 1
            } while open > 0
        }
        let written = String(decoding: text[start..<offset], as: UTF8.self)
        return .custom(
            className: name.contains(".") || written.contains(".") ? written : MarshalClassName.package + written)
    }

    private mutating func readHexadecimalName() throws(InvalidValue) -> String {
        let digits: String = readWord()
        guard let bytes = Hexadecimal.bytes(of: digits.utf8), bytes.span.bytes.isWellFormedUTF8 else {
            throw malformed("A name is not in hexadecimal digits")
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    mutating func readWord() -> String {
        let start = offset
        while offset < text.count, MarshalClassNameParser.isWordCharacter(text[offset]) { offset += 1 }
        return String(decoding: text[start..<offset], as: UTF8.self)
    }

    private static func isWordCharacter(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: "-"),
            UInt8(ascii: "+"), UInt8(ascii: "&"), UInt8(ascii: "$"):
            true
        default: false
        }
    }

    mutating func skipBlanks() {
        while offset < text.count, text[offset] == UInt8(ascii: " ") || text[offset] == UInt8(ascii: "\t") {
            offset += 1
        }
    }

    mutating func accept(_ character: Unicode.Scalar) -> Bool {
        skipBlanks()
        guard offset < text.count, text[offset] == UInt8(ascii: character) else { return false }
        offset += 1
        return true
    }

    mutating func expect(_ character: Unicode.Scalar) throws(InvalidValue) {
        guard accept(character) else { throw malformed("'\(character)' is missing") }
    }

    func malformed(_ what: String) -> InvalidValue {
        InvalidValue("\(what), at offset \(offset) of the type '\(String(decoding: text, as: UTF8.self))'")
    }
}
