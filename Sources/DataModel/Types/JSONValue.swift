/// A JSON text taken apart (RFC 8259). Numbers keep their spelling, so that none loses digits.
public indirect enum JSONValue: Hashable, Sendable {
    /// One entry of an object; names may repeat, and then the last one counts.
    public struct Member: Hashable, Sendable {
        public let name: String
        public let value: JSONValue

        public init(name: String, value: JSONValue) {
            self.name = name
            self.value = value
        }
    }

    case null
    case boolean(Bool)
    case number(String)
    case string(String)
    case array([JSONValue])
    case object([Member])

    /// How deep arrays and objects may be nested.
    public static let maximumDepth = 64
    /// How long a text may be.
    public static let maximumByteCount = 16 << 20

    /// - Throws: `InvalidValue` that says what is wrong and where.
    public init(parsing text: String) throws(InvalidValue) {
        guard text.utf8.count <= JSONValue.maximumByteCount else { throw InvalidValue("The JSON text is too long") }
        var parser = JSONParser(text: Array(text.utf8))
        self = try parser.parseWhole()
    }

    /// The text as a JSON string, between double quotes.
    public static func quoted(_ text: String) -> String {
        var quoted: [UInt8] = [UInt8(ascii: "\"")]
        let digits: [UInt8] = Array("0123456789ABCDEF".utf8)
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): quoted += [UInt8(ascii: "\\"), byte]
            case 0x08: quoted += Array("\\b".utf8)
            case 0x09: quoted += Array("\\t".utf8)
            case 0x0A: quoted += Array("\\n".utf8)
            case 0x0C: quoted += Array("\\f".utf8)
            case 0x0D: quoted += Array("\\r".utf8)
            case 0..<0x20: quoted += Array("\\u00".utf8) + [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            default: quoted.append(byte)
            }
        }
        quoted.append(UInt8(ascii: "\""))
        return String(decoding: quoted, as: UTF8.self)
    }

    /// The name of the Java class that Cassandra's messages would give for this value.
    var className: String {
        switch self {
        case .null: "null"
        case .boolean: "Boolean"
        case .number(let text):
            Int32(text) != nil
                ? "Integer" : Int64(text) != nil ? "Long" : BigInteger(text: text) != nil ? "BigInteger" : "Double"
        case .string: "String"
        case .array: "ArrayList"
        case .object: "LinkedHashMap"
        }
    }

    /// The value in a message.
    var shown: String {
        switch self {
        case .null: "null"
        case .boolean(let value): String(value)
        case .number(let text): String(text.prefix(128))
        case .string(let text): String(text.prefix(128))
        case .array(let elements): "[\(elements.prefix(8).map(\.shown).joined(separator: ", "))]"
        case .object(let members):
            "{\(members.prefix(8).map { "\($0.name.prefix(128))=\($0.value.shown)" }.joined(separator: ", "))}"
        }
    }
}

/// Reads JSON from front to back; recursion is bounded by `JSONValue.maximumDepth`.
private struct JSONParser {
    let text: [UInt8]
    var offset = 0

    init(text: [UInt8]) {
        self.text = text
    }

    mutating func parseWhole() throws(InvalidValue) -> JSONValue {
        let value = try parseValue(depth: 0)
        skipBlanks()
        guard offset == text.count else { throw malformed("Unexpected text after the value") }
        return value
    }

    private mutating func parseValue(depth: Int) throws(InvalidValue) -> JSONValue {
        skipBlanks()
        switch next {
        case UInt8(ascii: "{"): return try parseObject(depth: depth + 1)
        case UInt8(ascii: "["): return try parseArray(depth: depth + 1)
        case UInt8(ascii: "\""): return .string(try parseString())
        case UInt8(ascii: "t"): return try parseWord("true", .boolean(true))
        case UInt8(ascii: "f"): return try parseWord("false", .boolean(false))
        case UInt8(ascii: "n"): return try parseWord("null", .null)
        default: return .number(try parseNumber())
        }
    }

    private mutating func parseObject(depth: Int) throws(InvalidValue) -> JSONValue {
        try checkDepth(depth)
        offset += 1
        var members: [JSONValue.Member] = []
        skipBlanks()
        if accept("}") { return .object(members) }
        repeat {
            skipBlanks()
            guard next == UInt8(ascii: "\"") else { throw malformed("A name is missing") }
            let name: String = try parseString()
            skipBlanks()
            guard accept(":") else { throw malformed("':' is missing") }
            members.append(JSONValue.Member(name: name, value: try parseValue(depth: depth)))
            skipBlanks()
        } while accept(",")
        guard accept("}") else { throw malformed("'}' is missing") }
        return .object(members)
    }

    private mutating func parseArray(depth: Int) throws(InvalidValue) -> JSONValue {
        try checkDepth(depth)
        offset += 1
        var elements: [JSONValue] = []
        skipBlanks()
        if accept("]") { return .array(elements) }
        repeat {
            elements.append(try parseValue(depth: depth))
            skipBlanks()
        } while accept(",")
        guard accept("]") else { throw malformed("']' is missing") }
        return .array(elements)
    }

    private mutating func parseString() throws(InvalidValue) -> String {
        offset += 1
        var bytes: [UInt8] = []
        while let byte = next {
            offset += 1
            switch byte {
            case UInt8(ascii: "\""): return String(decoding: bytes, as: UTF8.self)
            case UInt8(ascii: "\\"): bytes += try parseEscape()
            case 0..<0x20: throw malformed("A control character in a string")
            default: bytes.append(byte)
            }
        }
        throw malformed("A string is not closed")
    }

    private mutating func parseEscape() throws(InvalidValue) -> [UInt8] {
        guard let letter = next else { throw malformed("A string is not closed") }
        offset += 1
        switch letter {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return [letter]
        case UInt8(ascii: "b"): return [0x08]
        case UInt8(ascii: "f"): return [0x0C]
        case UInt8(ascii: "n"): return [0x0A]
        case UInt8(ascii: "r"): return [0x0D]
        case UInt8(ascii: "t"): return [0x09]
        case UInt8(ascii: "u"):
            var code: UInt32 = try parseUnit()
            if code >> 10 == 0x36 {
                guard accept("\\"), accept("u") else { throw malformed("Half a surrogate pair") }
                let low: UInt32 = try parseUnit()
                guard low >> 10 == 0x37 else { throw malformed("Half a surrogate pair") }
                code = 0x10000 + (code & 0x3FF) << 10 + low & 0x3FF
            }
            guard let scalar = Unicode.Scalar(code) else { throw malformed("Half a surrogate pair") }
            return Array(String(Character(scalar)).utf8)
        default: throw malformed("An unknown escape")
        }
    }

    private mutating func parseUnit() throws(InvalidValue) -> UInt32 {
        var code: UInt32 = 0
        for _ in 0..<4 {
            guard let character = next, let digit = Hexadecimal.value(of: character) else {
                throw malformed("Four hexadecimal digits are missing")
            }
            code = code << 4 | UInt32(digit)
            offset += 1
        }
        return code
    }

    private mutating func parseNumber() throws(InvalidValue) -> String {
        let start = offset
        _ = accept("-")
        let whole: Int = skipDigits()
        let hasLeadingZero: Bool = whole > 1 && text[offset - whole] == UInt8(ascii: "0")
        guard whole > 0, !hasLeadingZero else { throw malformed("A value is missing or malformed") }
        if accept(".") {
            guard skipDigits() > 0 else { throw malformed("A number without digits after the point") }
        }
        if accept("e") || accept("E") {
            if !accept("+") { _ = accept("-") }
            guard skipDigits() > 0 else { throw malformed("A number without digits in the exponent") }
        }
        return String(decoding: text[start..<offset], as: UTF8.self)
    }

    private mutating func parseWord(_ word: StaticString, _ value: JSONValue) throws(InvalidValue) -> JSONValue {
        let bytes = Array(word.description.utf8)
        guard offset + bytes.count <= text.count, text[offset..<(offset + bytes.count)].elementsEqual(bytes) else {
            throw malformed("An unknown word")
        }
        offset += bytes.count
        return value
    }

    private var next: UInt8? { offset < text.count ? text[offset] : nil }

    private mutating func accept(_ character: Unicode.Scalar) -> Bool {
        guard next == UInt8(ascii: character) else { return false }
        offset += 1
        return true
    }

    private mutating func skipDigits() -> Int {
        let start = offset
        while let character = next, character >= UInt8(ascii: "0"), character <= UInt8(ascii: "9") { offset += 1 }
        return offset - start
    }

    private mutating func skipBlanks() {
        while let character = next, character == 0x20 || character == 0x09 || character == 0x0A || character == 0x0D {
            offset += 1
        }
    }

    private func checkDepth(_ depth: Int) throws(InvalidValue) {
        guard depth <= JSONValue.maximumDepth else { throw malformed("The JSON text is nested too deeply") }
    }

    private func malformed(_ what: String) -> InvalidValue {
        InvalidValue("\(what), at offset \(offset) of the JSON text")
    }
}
