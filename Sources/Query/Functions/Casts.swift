package import CQL
package import DataModel
import Primitives

/// The conversions of CAST, which are also functions: `cast_as_int` and, in older spelling, `castasint`.
package enum Casts {
    /// - Parameter shown: what is cast, as the error text names it.
    package static func function(
        from source: CQLType, to target: CQLType, shown: String
    ) throws(CQLError) -> ScalarFunction {
        let name = "system.cast_as_\(target.cqlName)"
        if source == target {
            return ScalarFunction(name, [source], returns: target) { arguments, _ throws(CQLError) in arguments[0] }
        }
        guard let function = conversion(name, source, target) else {
            throw .invalid(message: "\(shown) cannot be cast to \(target.cqlName)")
        }
        return function
    }

    /// All functions of a name.
    static func functions(_ name: String) -> [ScalarFunction] {
        for prefix in ["cast_as_", "castas"] where name.hasPrefix(prefix) {
            guard let target = CQLType.scalar(named: String(name.dropFirst(prefix.count))) else { continue }
            return CQLType.scalars.filter { $0 != target }.compactMap { conversion("system.\(name)", $0, target) }
        }
        return []
    }

    private static func conversion(_ name: String, _ source: CQLType, _ target: CQLType) -> ScalarFunction? {
        switch target {
        case .counter: return nil
        case .text, .ascii: return text(name, source, target)
        case .date: return TimeConversion.toDate(name).first { $0.argumentTypes == [source] }
        case .timestamp: return TimeConversion.toTimestamp(name).first { $0.argumentTypes == [source] }
        default:
            guard Number.types.contains(source), Number.types.contains(target) else { return nil }
            return ScalarFunction(name, [source], returns: target) { arguments, _ throws(CQLError) in
                guard let bytes = arguments[0] else { return nil }
                do throws(ArithmeticFailure) {
                    guard let number = try Number(bytes, source) else { return nil }
                    return try converted(number, source, target).bytes(of: target)
                } catch { throw .functionFailure(name, [source], error.description) }
            }
        }
    }

    private static func converted(
        _ number: Number, _ source: CQLType, _ target: CQLType
    ) throws(ArithmeticFailure) -> Number {
        switch (number, target) {
        case (.integer(let value), .decimal): return .decimal(DecimalValue(BigInteger(value), scale: 0))
        case (.float(let value), .decimal):
            // A float is not widened first, which would show digits that it does not have.
            guard value.isFinite, let decimal = DecimalValue(text: "\(value)") else {
                return .decimal(try DecimalValue(Double(value)))
            }
            return .decimal(decimal)
        case (.float, .varint), (.double, .varint), (.decimal, .varint): return .integer(try number.int64Value())
        default: return number
        }
    }

    /// Not everything that has a text can be cast to it.
    private static func text(_ name: String, _ source: CQLType, _ target: CQLType) -> ScalarFunction? {
        let isKnown: Bool =
            switch source {
            case .inet, .boolean, .timeuuid, .timestamp, .date, .time, .uuid: true
            case .ascii: target == .text
            default: Number.types.contains(source)
            }
        guard isKnown else { return nil }
        return ScalarFunction(name, [source], returns: target) { arguments, _ throws(CQLError) in
            guard let bytes = arguments[0], !bytes.isEmpty || !source.isEmptyMeaningless else { return nil }
            return source.plainText(of: bytes.span.bytes).map { Array($0.utf8) }
        }
    }
}
