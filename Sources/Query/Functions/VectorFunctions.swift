import CQL
import DataModel
import Primitives

/// How alike two vectors are, from 0 to 1: `similarity_cosine`, `similarity_euclidean` and `similarity_dot_product`.
enum VectorFunctions {
    /// Nil for another name.
    static func function(
        _ name: String, _ arguments: [FunctionArgument], _ receiver: CQLType?
    ) throws(CQLError) -> ScalarFunction? {
        guard ["similarity_cosine", "similarity_euclidean", "similarity_dot_product"].contains(name) else { return nil }
        let shown = "system.\(name)(vector<float, n>, vector<float, n>)"
        guard arguments.count == 2 else {
            throw .invalid(message: "Invalid number of arguments for function \(shown)")
        }
        var types: [CQLType] = []
        for (argument, other) in [(arguments[0], arguments[1]), (arguments[1], arguments[0])] {
            guard let type = vectorType(argument) ?? vectorType(other) else {
                throw .invalid(
                    message: "Cannot infer type of argument \(argument.text) in call to function \(shown): use type "
                        + "casts to disambiguate")
            }
            guard case .vector(.float, _) = type else {
                throw .invalid(
                    message: "Function system.\(name) requires a float vector argument, but found argument "
                        + "\(argument.text) of type \(type.cqlName)")
            }
            types.append(type)
        }
        guard types[0] == types[1] else {
            throw .invalid(message: "All arguments must have the same vector dimensions")
        }
        return similarity(name, types[0])
    }

    /// A literal in brackets is a vector of as many numbers as it shows.
    private static func vectorType(_ argument: FunctionArgument) -> CQLType? {
        if case .list(let elements)? = argument.term {
            let type = CQLType.vector(.float, dimension: elements.count)
            return argument.fit(to: type) == .none ? argument.likelyType : type
        }
        return argument.likelyType
    }

    private static func similarity(_ name: String, _ type: CQLType) -> ScalarFunction {
        ScalarFunction("system.\(name)", [type, type], returns: .float) { arguments, _ throws(CQLError) in
            guard let a = arguments[0], let b = arguments[1], !a.isEmpty, a.count == b.count else { return nil }
            let left: [Float] = numbers(a)
            let right: [Float] = numbers(b)
            if name == "similarity_cosine", isZero(left) || isZero(right) {
                throw .invalid(message: "Function system.\(name) doesn't support all-zero vectors.")
            }
            return SelectorEvaluation.int(Int32(bitPattern: value(name, left, right).bitPattern))
        }
    }

    private static func value(_ name: String, _ left: [Float], _ right: [Float]) -> Float {
        switch name {
        case "similarity_cosine":
            let lengths: Float = product(left, left) * product(right, right)
            return (1 + product(left, right) / lengths.squareRoot()) / 2
        case "similarity_euclidean":
            var distance: Float = 0
            for (a, b) in zip(left, right) { distance += (a - b) * (a - b) }
            return 1 / (1 + distance)
        default: return (1 + product(left, right)) / 2
        }
    }

    private static func product(_ left: [Float], _ right: [Float]) -> Float {
        zip(left, right).reduce(0) { $0 + $1.0 * $1.1 }
    }

    private static func isZero(_ vector: [Float]) -> Bool { vector.allSatisfy { $0 == 0 } }

    private static func numbers(_ bytes: [UInt8]) -> [Float] {
        stride(from: 0, to: bytes.count - bytes.count % 4, by: 4).map { start in
            Float(bitPattern: bytes[start..<(start + 4)].reduce(UInt32(0)) { $0 << 8 | UInt32($1) })
        }
    }
}
