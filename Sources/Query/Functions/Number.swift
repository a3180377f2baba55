package import DataModel
import Primitives

/// A value of one of the numeric types, to calculate with.
package enum Number: Sendable {
    case integer(Int64)
    case float(Float)
    case double(Double)
    case varint(BigInteger)
    case decimal(DecimalValue)

    /// The numeric types.
    package static let types: [CQLType] = [
        .tinyint, .smallint, .int, .bigint, .float, .double, .decimal, .varint, .counter,
    ]

    /// Nil for an empty value, which is no number.
    ///
    /// - Parameter bytes: of a value of `type`.
    package init?(_ bytes: [UInt8], _ type: CQLType) throws(ArithmeticFailure) {
        if bytes.isEmpty { return nil }
        switch type {
        case .float: self = .float(Float(bitPattern: UInt32(truncatingIfNeeded: Number.bits(bytes))))
        case .double: self = .double(Double(bitPattern: Number.bits(bytes)))
        case .varint:
            let number = BigInteger(twosComplement: bytes.span.bytes)
            try DecimalValue.check(number)
            self = .varint(number)
        case .decimal: self = .decimal(try DecimalValue(valueBytes: bytes.span.bytes))
        default: self = .integer(Number.integer(bytes))
        }
    }

    static func integer(_ bytes: [UInt8]) -> Int64 {
        guard let first = bytes.first else { return 0 }
        return bytes.reduce(first & 0x80 == 0 ? Int64(0) : -1) { $0 << 8 | Int64($1) }
    }

    private static func bits(_ bytes: [UInt8]) -> UInt64 { bytes.reduce(UInt64(0)) { $0 << 8 | UInt64($1) } }

    // MARK: As another kind

    package var doubleValue: Double {
        switch self {
        case .integer(let number): Double(number)
        case .float(let number): Double(number)
        case .double(let number): number
        case .varint(let number): number.doubleValue
        case .decimal(let number): number.doubleValue
        }
    }

    package var floatValue: Float {
        switch self {
        case .integer(let number): Float(number)
        case .float(let number): number
        case .varint(let number): Float(number.text) ?? .infinity
        default: Float(doubleValue)
        }
    }

    /// The whole part. Floating-point numbers stop at the ends of the range, whole numbers lose their upper bits.
    package func int64Value() throws(ArithmeticFailure) -> Int64 {
        switch self {
        case .integer(let number): return number
        case .float(let number): return Number.cut(Double(number))
        case .double(let number): return Number.cut(number)
        case .varint(let number): return number.truncatedInt64
        case .decimal(let number): return try number.truncatedInteger().truncatedInt64
        }
    }

    /// The whole part of a floating-point number, at most the largest of `Integer`; zero for what is no number.
    static func cut<Integer: FixedWidthInteger>(_ number: Double, to type: Integer.Type = Int64.self) -> Integer {
        if number.isNaN { return 0 }
        return Integer(exactly: number.rounded(.towardZero)) ?? (number < 0 ? .min : .max)
    }

    package func bigIntegerValue() throws(ArithmeticFailure) -> BigInteger {
        switch self {
        case .integer(let number): return BigInteger(number)
        case .varint(let number): return number
        case .decimal(let number): return try number.truncatedInteger()
        default: return BigInteger(truncating: doubleValue)
        }
    }

    /// Whole numbers take the way of floating-point ones, and their scale, wherever that loses nothing: as in Java.
    package func decimalValue() throws(ArithmeticFailure) -> DecimalValue {
        switch self {
        case .decimal(let number): return number
        case .varint(let number): return DecimalValue(number, scale: 0)
        case .integer(let number):
            guard Int64(exactly: Double(number)) == number else { return DecimalValue(BigInteger(number), scale: 0) }
            return try DecimalValue(Double(number))
        default: return try DecimalValue(doubleValue)
        }
    }

    // MARK: Bytes

    /// The bytes of the number as a value of a type.
    package func bytes(of type: CQLType) throws(ArithmeticFailure) -> [UInt8] {
        switch type {
        case .float: return SelectorEvaluation.int(Int32(bitPattern: floatValue.bitPattern))
        case .double: return SelectorEvaluation.bigint(Int64(bitPattern: doubleValue.bitPattern))
        case .varint:
            let number: BigInteger = try bigIntegerValue()
            try DecimalValue.check(number)
            return number.twosComplement
        case .decimal:
            let number: DecimalValue = try decimalValue()
            try DecimalValue.check(number.unscaled)
            return try number.valueBytes()
        case .tinyint: return [UInt8(truncatingIfNeeded: try narrowValue())]
        case .smallint:
            let number: Int64 = try narrowValue()
            return [UInt8(truncatingIfNeeded: number >> 8), UInt8(truncatingIfNeeded: number)]
        case .int: return SelectorEvaluation.int(Int32(truncatingIfNeeded: try narrowValue()))
        default: return SelectorEvaluation.bigint(try int64Value())
        }
    }

    /// The whole part for the types below `bigint`: floating-point numbers stop at the ends of `int` first.
    private func narrowValue() throws(ArithmeticFailure) -> Int64 {
        switch self {
        case .float(let number): return Int64(Number.cut(Double(number), to: Int32.self))
        case .double(let number): return Int64(Number.cut(number, to: Int32.self))
        default: return try int64Value()
        }
    }
}
