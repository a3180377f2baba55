import Primitives

/// What a constant in CQL looks like, which decides the types that it may become.
public enum LiteralKind: Sendable, Hashable {
    case string, integer, float, boolean, uuid, hexadecimal, duration
}

/// From the text of a constant to the bytes of a value.
extension CQLType {
    /// Whether a constant that looks like `literal` may stand for a value of this type.
    public func accepts(_ literal: LiteralKind) -> Bool {
        switch literal {
        case .string:
            switch kind {
            case .ascii, .text, .inet, .date, .time, .timestamp, .custom: true
            default: false
            }
        case .integer:
            switch kind {
            case .bigint, .counter, .date, .decimal, .double, .duration, .float, .int, .smallint, .time, .timestamp,
                .tinyint, .varint:
                true
            default: false
            }
        case .float: kind == .decimal || kind == .double || kind == .float
        case .boolean: kind == .boolean
        case .uuid: kind == .uuid || kind == .timeuuid
        case .hexadecimal: kind == .blob || kind == .custom
        case .duration: kind == .duration
        }
    }

    /// Reads the text of a constant (without quotes) as a value of this scalar type.
    ///
    /// Empty text is the empty value wherever the type has one.
    ///
    /// - Throws: `InvalidValue` for text of another form, numbers out of range, and types with parts.
    public func valueBytes(ofText text: String) throws(InvalidValue) -> [UInt8] {
        if text.isEmpty, kind.hasEmptyText { return [] }
        switch kind {
        case .text: return Array(text.utf8)
        case .ascii:
            let bytes = Array(text.utf8)
            try ValueValidator(.ascii).check(bytes.span.bytes)
            return bytes
        case .tinyint: return try CQLType.integer(text, Int8.self, "Unable to make byte from '")
        case .smallint: return try CQLType.integer(text, Int16.self, "Unable to make short from '")
        case .int: return try CQLType.integer(text, Int32.self, "Unable to make int from '")
        case .bigint, .counter: return try CQLType.integer(text, Int64.self, "Unable to make long from '")
        case .varint:
            guard let number = BigInteger(text: text) else { throw refusal("unable to make int from '", text) }
            return number.twosComplement
        case .decimal:
            guard let bytes = DecimalText.valueBytes(text) else {
                throw refusal("unable to make BigDecimal from '", text)
            }
            return bytes
        case .float:
            guard let number = FloatingPointText.parse(text, as: Float.self) else {
                throw refusal("Unable to make float from '", text)
            }
            return CQLType.bytes(number.bitPattern)
        case .double:
            guard let number = FloatingPointText.parse(text, as: Double.self) else {
                throw refusal("Unable to make double from '", text)
            }
            return CQLType.bytes(number.bitPattern)
        case .boolean:
            switch text.lowercased() {
            case "true": return [1]
            case "false": return [0]
            default: throw refusal("unable to make boolean from '", text)
            }
        case .custom:
            if case .custom(let className) = self, let layout = CompositeLayout(className: className) {
                return try layout.valueBytes(ofText: text)
            }
            return try CQLType.blob(text)
        case .blob: return try CQLType.blob(text)
        case .date: return CQLType.bytes(try DateText.days(text))
        case .time: return CQLType.bytes(try TimeOfDay.nanoseconds(text))
        case .timestamp: return CQLType.bytes(try TimestampText.milliseconds(text))
        case .duration: return try CQLDuration(text: text).valueBytes
        case .inet:
            guard let bytes = InternetAddressText.bytes(text) else {
                throw refusal("Unable to make inet address from '", text)
            }
            return bytes
        case .uuid, .timeuuid:
            guard let identifier = UUID(text: text) else { throw refusal("Unable to make UUID from '", text) }
            let bytes: [UInt8] = identifier.bytes
            try ValueValidator(self).check(bytes.span.bytes)
            return bytes
        case .list, .set, .map, .tuple, .userDefined, .vector:
            throw InvalidValue("A value of type \(cqlName) cannot be made from '\(text)'")
        }
    }

    private func refusal(_ start: String, _ text: String) -> InvalidValue {
        InvalidValue("\(start)\(text.prefix(256))'")
    }

    private static func integer<Number: FixedWidthInteger>(
        _ text: String, _ type: Number.Type, _ refusal: String
    ) throws(InvalidValue) -> [UInt8] {
        guard let number = Number(text) else { throw InvalidValue("\(refusal)\(text.prefix(256))'") }
        return bytes(number)
    }

    /// The big-endian bytes of a number.
    static func bytes(_ number: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: number.bigEndian) { [UInt8]($0) }
    }

    private static func blob(_ text: String) throws(InvalidValue) -> [UInt8] {
        let hasMark: Bool = text.hasPrefix("0x") || text.hasPrefix("0X")
        guard let bytes = Hexadecimal.bytes(of: text.utf8.dropFirst(hasMark ? 2 : 0)) else {
            throw InvalidValue("cannot parse '\(text.prefix(256))' as hex bytes")
        }
        return bytes
    }
}

extension ValueKind {
    /// Whether empty text stands for the empty value.
    fileprivate var hasEmptyText: Bool {
        switch self {
        case .tinyint, .smallint, .date, .time, .duration, .list, .set, .map, .tuple, .userDefined, .vector: false
        default: true
        }
    }
}

/// The text of `float` and `double` values.
enum FloatingPointText {
    /// Reads `[+-]digits[.digits][E[+-]digits]`, `NaN`, `Infinity` or `-Infinity`; nil for anything else.
    static func parse<Number: BinaryFloatingPoint & LosslessStringConvertible>(
        _ text: String, as type: Number.Type
    ) -> Number? {
        switch text.lowercased() {
        case "nan", "-nan": return .nan
        case "infinity", "+infinity": return .infinity
        case "-infinity": return -.infinity
        default: break
        }
        let isNumber: Bool = text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E"),
                UInt8(ascii: "+"), UInt8(ascii: "-"):
                true
            default: false
            }
        }
        return isNumber ? Number(text) : nil
    }

    /// The shortest digits that give the number back, in Java's spelling: `1.0`, `1.5E10`, `NaN`.
    static func text<Number: BinaryFloatingPoint & CustomStringConvertible>(_ number: Number) -> String {
        if number.isNaN { return "NaN" }
        if number.isInfinite { return number < 0 ? "-Infinity" : "Infinity" }
        let sign: String = number.sign == .minus ? "-" : ""
        if number == 0 { return sign + "0.0" }
        let (digits, exponent) = decimal(number.magnitude.description)
        // Plain between 10⁻³ and 10⁷, as Java has it.
        if exponent > -3, exponent <= 7 {
            let zeros: String = String(repeating: "0", count: max(0, -exponent))
            let padding: String = String(repeating: "0", count: max(0, exponent - digits.utf8.count))
            let whole: String = exponent <= 0 ? "0" : String(digits.prefix(exponent)) + padding
            let fraction: String = exponent <= 0 ? zeros + digits : String(digits.dropFirst(exponent))
            return sign + whole + "." + (fraction.isEmpty ? "0" : fraction)
        }
        let fraction: Substring = digits.dropFirst()
        return "\(sign)\(digits.prefix(1)).\(fraction.isEmpty ? "0" : fraction)E\(exponent - 1)"
    }

    /// Takes the standard library's spelling apart: the number is 0.digits × 10^exponent.
    private static func decimal(_ text: String) -> (digits: String, exponent: Int) {
        let halves = text.split(separator: "e", maxSplits: 1)
        let mantissa: Substring = halves.first ?? "0"
        var exponent: Int = halves.count > 1 ? Int(halves[1]) ?? 0 : 0
        let parts = mantissa.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        let whole: Substring = parts.first ?? "0"
        exponent += whole.utf8.count
        var digits: Substring = Substring(whole + (parts.count > 1 ? parts[1] : ""))
        while digits.utf8.count > 1, digits.hasPrefix("0") {
            digits = digits.dropFirst()
            exponent -= 1
        }
        while digits.utf8.count > 1, digits.hasSuffix("0") { digits = digits.dropLast() }
        return (String(digits), exponent)
    }
}
