package import CQL
package import DataModel
import Primitives

extension ScalarFunctions {
    /// The conversion that CAST means between two types.
    package static func cast(from source: CQLType, to target: CQLType) throws(CQLError) -> ScalarFunction {
        let name = "system.cast_as_\(target.cqlName)"
        if source == target {
            return ScalarFunction(name, [source], returns: target) { arguments, _ throws(CQLError) in arguments[0] }
        }
        let numbers: [CQLType] = [.tinyint, .smallint, .int, .bigint, .counter, .float, .double]
        if numbers.contains(source), numbers.contains(target) {
            let isFloat: Bool = source == .float || source == .double
            return ScalarFunction(name, [source], returns: target) { arguments, _ throws(CQLError) in
                guard let bytes = arguments[0], !bytes.isEmpty else { return nil }
                return isFloat
                    ? Number.floatBytes(Number.double(bytes, source), of: target)
                    : Number.integerBytes(Number.integer(bytes), of: target)
            }
        }
        if target == .text || target == .ascii {
            return ScalarFunction(name, [source], returns: target) { arguments, _ throws(CQLError) in
                guard let bytes = arguments[0] else { return nil }
                return source.plainText(of: bytes.span.bytes).map { Array($0.utf8) }
            }
        }
        let times: [ScalarFunction] =
            target == .date ? TimeConversion.toDate(name) : target == .timestamp ? TimeConversion.toTimestamp(name) : []
        if let function = times.first(where: { $0.argumentTypes[0] == source }) { return function }
        throw .invalid(message: "\(source.cqlName) cannot be cast to \(target.cqlName)")
    }
}
