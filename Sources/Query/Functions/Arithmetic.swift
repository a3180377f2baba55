package import CQL
package import DataModel
import Primitives

/// `+ - * / %` between numbers: the wider of two types is the result's.
package enum Arithmetic {
    private static let integers: [CQLType] = [.tinyint, .smallint, .int, .bigint]

    /// - Parameter result: the type that the place wants; nil for the type that follows from the operands.
    package static func function(
        _ operation: ArithmeticOperator, _ left: CQLType, _ right: CQLType, result: CQLType? = nil
    ) throws(CQLError) -> ScalarFunction {
        guard let common = commonType(left, right) else {
            throw .invalid(
                message:
                    "the '\(operation.rawValue)' operation is not supported between \(left.cqlName) and \(right.cqlName)"
            )
        }
        let type: CQLType = result ?? common
        return ScalarFunction("system._\(operation.rawValue)", [left, right], returns: type) {
            arguments, _ throws(CQLError) in
            guard let a = arguments[0], let b = arguments[1] else { return nil }
            if integers.contains(common) {
                return Number.integerBytes(try integer(operation, Number.integer(a), Number.integer(b)), of: type)
            }
            return Number.floatBytes(
                floating(operation, Number.double(a, left), Number.double(b, right)), of: type)
        }
    }

    package static func negation(_ type: CQLType) throws(CQLError) -> ScalarFunction {
        guard commonType(type, type) != nil else {
            throw .invalid(message: "the '-' operation is not supported on \(type.cqlName)")
        }
        return ScalarFunction("system._negate", [type], returns: type) { arguments, _ throws(CQLError) in
            guard let a = arguments[0] else { return nil }
            if integers.contains(type) { return Number.integerBytes(0 &- Number.integer(a), of: type) }
            return Number.floatBytes(-Number.double(a, type), of: type)
        }
    }

    private static func commonType(_ left: CQLType, _ right: CQLType) -> CQLType? {
        let a: CQLType = left == .counter ? .bigint : left
        let b: CQLType = right == .counter ? .bigint : right
        if let x = integers.firstIndex(of: a), let y = integers.firstIndex(of: b) { return integers[max(x, y)] }
        let known: [CQLType] = integers + [.float, .double]
        guard known.contains(a), known.contains(b) else { return nil }
        let isDouble: Bool = a == .double || b == .double || a == .bigint || b == .bigint
        return isDouble ? .double : .float
    }

    private static func integer(_ operation: ArithmeticOperator, _ a: Int64, _ b: Int64) throws(CQLError) -> Int64 {
        switch operation {
        case .add: return a &+ b
        case .subtract: return a &- b
        case .multiply: return a &* b
        case .divide, .remainder:
            guard b != 0 else {
                throw .functionFailure(
                    message: "the operation '\(a) \(operation.rawValue) \(b)' failed: / by zero", keyspace: "system",
                    function: "_\(operation.rawValue)", argumentTypes: [])
            }
            let parts = a.dividedReportingOverflow(by: b)
            return operation == .divide ? parts.partialValue : a.remainderReportingOverflow(dividingBy: b).partialValue
        }
    }

    private static func floating(_ operation: ArithmeticOperator, _ a: Double, _ b: Double) -> Double {
        switch operation {
        case .add: a + b
        case .subtract: a - b
        case .multiply: a * b
        case .divide: a / b
        case .remainder: a.truncatingRemainder(dividingBy: b)
        }
    }
}

/// Numbers of fixed width, from and to their bytes.
enum Number {
    static func integer(_ bytes: [UInt8]) -> Int64 {
        guard let first = bytes.first else { return 0 }
        return bytes.reduce(first & 0x80 == 0 ? Int64(0) : -1) { $0 << 8 | Int64($1) }
    }

    static func double(_ bytes: [UInt8], _ type: CQLType) -> Double {
        let bits = bytes.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        switch type {
        case .float: return Double(Float(bitPattern: UInt32(truncatingIfNeeded: bits)))
        case .double: return Double(bitPattern: bits)
        default: return Double(integer(bytes))
        }
    }

    static func integerBytes(_ value: Int64, of type: CQLType) -> [UInt8] {
        switch type {
        case .float, .double: return floatBytes(Double(value), of: type)
        case .tinyint: return [UInt8(truncatingIfNeeded: value)]
        case .smallint: return [UInt8(truncatingIfNeeded: value >> 8), UInt8(truncatingIfNeeded: value)]
        case .int: return SelectorEvaluation.int(Int32(truncatingIfNeeded: value))
        default: return SelectorEvaluation.bigint(value)
        }
    }

    static func floatBytes(_ value: Double, of type: CQLType) -> [UInt8] {
        switch type {
        case .float: return SelectorEvaluation.int(Int32(bitPattern: Float(value).bitPattern))
        case .double: return SelectorEvaluation.bigint(Int64(bitPattern: value.bitPattern))
        default:
            let whole: Int64 =
                value.isNaN ? 0 : (Int64(exactly: value.rounded(.towardZero)) ?? (value < 0 ? .min : .max))
            return integerBytes(whole, of: type)
        }
    }
}
