import CQL
import DataModel
import Primitives

/// `abs`, `exp`, `log`, `log10` and `round`: of every numeric type, with a result of the same type.
enum MathFunctions {
    static func functions(_ name: String) -> [ScalarFunction] {
        Number.types.map { type in
            ScalarFunction("system.\(name)", [type], returns: type) { arguments, _ throws(CQLError) in
                guard let bytes = arguments[0] else { return nil }
                do throws(ArithmeticFailure) {
                    guard let number = try Number(bytes, type) else { return nil }
                    return try value(name, number).bytes(of: type)
                } catch { throw .functionFailure("system.\(name)", [type], error.description) }
            }
        }
    }

    private static func value(_ name: String, _ number: Number) throws(ArithmeticFailure) -> Number {
        switch name {
        case "abs": return magnitude(number)
        case "round": return try rounded(number)
        default: return try elementary(name, number)
        }
    }

    private static func magnitude(_ number: Number) -> Number {
        switch number {
        case .integer(let value): .integer(value < 0 ? 0 &- value : value)
        case .float(let value): .float(value.magnitude)
        case .double(let value): .double(value.magnitude)
        case .varint(let value): .varint(value.magnitude)
        case .decimal(let value): .decimal(value.magnitude)
        }
    }

    /// Half up, towards the larger number, as Java rounds; decimals away from zero.
    private static func rounded(_ number: Number) throws(ArithmeticFailure) -> Number {
        switch number {
        case .integer, .varint: return number
        case .float(let value): return .float(Float(Number.cut(halfUp(Double(value)), to: Int32.self)))
        case .double(let value): return .double(Double(Number.cut(halfUp(value), to: Int64.self)))
        case .decimal(let value): return .decimal(try value.roundedToInteger())
        }
    }

    private static func halfUp(_ value: Double) -> Double {
        let below: Double = value.rounded(.down)
        return value - below >= 0.5 ? below + 1 : below
    }

    /// Of whole numbers the whole part of the result, cut where its type ends.
    private static func elementary(_ name: String, _ number: Number) throws(ArithmeticFailure) -> Number {
        switch number {
        case .integer(let value): return .double(double(name, Double(value)))
        case .float(let value): return .float(Float(double(name, Double(value))))
        case .double(let value): return .double(double(name, value))
        case .varint(let value):
            return .varint(try decimal(name, DecimalValue(value, scale: 0)).truncatedInteger())
        case .decimal(let value): return .decimal(try decimal(name, value))
        }
    }

    private static func double(_ name: String, _ value: Double) -> Double {
        switch name {
        case "exp": ElementaryFunctions.exponential(value)
        case "log": ElementaryFunctions.logarithm(value)
        default: ElementaryFunctions.decimalLogarithm(value)
        }
    }

    private static func decimal(_ name: String, _ value: DecimalValue) throws(ArithmeticFailure) -> DecimalValue {
        switch name {
        case "exp": try DecimalFunctions.exponential(value)
        case "log": try DecimalFunctions.logarithm(value)
        default: try DecimalFunctions.decimalLogarithm(value)
        }
    }
}
