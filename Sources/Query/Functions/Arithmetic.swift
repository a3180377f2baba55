package import CQL
package import DataModel
import Primitives

/// `+ - * / %` and the unary minus: between numbers, and of moments and durations.
package enum Arithmetic {
    /// - Parameter receiver: the type that the place wants; nil when any will do.
    package static func function(
        _ operation: ArithmeticOperator, _ left: FunctionArgument, _ right: FunctionArgument, receiver: CQLType?
    ) throws(CQLError) -> ScalarFunction {
        let arguments: [FunctionArgument] = [left, right]
        let (exact, compatible) = ScalarFunctions.matches(candidates[operation] ?? [], arguments, receiver)
        if let exact { return exact }
        guard let first = compatible.first else {
            throw .invalid(
                message:
                    "the '\(operation.rawValue)' operation is not supported between \(left.text) and \(right.text)")
        }
        if compatible.count == 1 { return first }
        if let receiver, !left.isMarker, !right.isMarker,
            let same = compatible.first(where: { $0.argumentTypes == [receiver, receiver] })
        {
            return same
        }
        throw .invalid(
            message: "Ambiguous '\(operation.rawValue)' operation with args \(left.text) and \(right.text): use type "
                + "hint to disambiguate, example '(int) ?'")
    }

    package static func negation(
        _ argument: FunctionArgument, receiver: CQLType?
    ) throws(CQLError) -> ScalarFunction {
        let candidates: [ScalarFunction] = Number.types.map(negation)
        let (exact, compatible) = ScalarFunctions.matches(candidates, [argument], receiver)
        if let exact { return exact }
        guard let first = compatible.first else {
            throw .invalid(message: "the '-' operation is not supported on \(argument.text)")
        }
        guard compatible.count == 1 else {
            throw .invalid(message: "Ambiguous negation: use type casts to disambiguate")
        }
        return first
    }

    private static func negation(_ type: CQLType) -> ScalarFunction {
        ScalarFunction("system._negate", [type], returns: type) { arguments, _ throws(CQLError) in
            guard let bytes = arguments[0] else { return nil }
            do throws(ArithmeticFailure) {
                guard let number = try Number(bytes, type) else { return nil }
                return try negated(number).bytes(of: type)
            } catch { throw .functionFailure("system._negate", [type], error.description) }
        }
    }

    private static func negated(_ number: Number) -> Number {
        switch number {
        case .integer(let value): .integer(0 &- value)
        case .float(let value): .float(-value)
        case .double(let value): .double(-value)
        case .varint(let value): .varint(value.negated)
        case .decimal(let value): .decimal(value.negated)
        }
    }

    // MARK: Candidates

    /// All functions of every operator, made once: a long expression asks for them at every step.
    private static let candidates: [ArithmeticOperator: [ScalarFunction]] = Dictionary(
        uniqueKeysWithValues: ArithmeticOperator.allCases.map { ($0, candidates($0)) })

    private static func candidates(_ operation: ArithmeticOperator) -> [ScalarFunction] {
        var functions: [ScalarFunction] = []
        for left in Number.types {
            for right in Number.types { functions.append(numeric(operation, left, right)) }
        }
        if operation == .add || operation == .subtract {
            functions.append(temporal(operation, .timestamp))
            functions.append(temporal(operation, .date))
        }
        if operation == .add {
            for left in [CQLType.text, .ascii] {
                for right in [CQLType.text, .ascii] { functions.append(concatenation(left, right)) }
            }
        }
        return functions
    }

    /// The type of the result: a fraction when one operand is, and as wide as the wider.
    static func resultType(_ left: CQLType, _ right: CQLType) -> CQLType {
        let width: Int = max(self.width(left), self.width(right))
        let isFraction: Bool = [left, right].contains { $0 == .float || $0 == .double || $0 == .decimal }
        switch width {
        case 1: return .tinyint
        case 2: return .smallint
        case 4: return isFraction ? .float : .int
        case 8: return isFraction ? .double : .bigint
        default: return isFraction ? .decimal : .varint
        }
    }

    private static func width(_ type: CQLType) -> Int {
        switch type {
        case .tinyint: 1
        case .smallint: 2
        case .int, .float: 4
        case .bigint, .counter, .double: 8
        default: .max
        }
    }

    private static func numeric(_ operation: ArithmeticOperator, _ left: CQLType, _ right: CQLType) -> ScalarFunction {
        let type: CQLType = resultType(left, right)
        return ScalarFunction(operation.functionName, [left, right], returns: type) { arguments, _ throws(CQLError) in
            guard let a = arguments[0], let b = arguments[1] else { return nil }
            do throws(ArithmeticFailure) {
                guard let first = try Number(a, left), let second = try Number(b, right) else { return nil }
                return try apply(operation, first, second, type).bytes(of: type)
            } catch { throw failure(operation, left, right, error.description) }
        }
    }

    private static func failure(
        _ operation: ArithmeticOperator, _ left: CQLType, _ right: CQLType, _ detail: String
    ) -> CQLError {
        .functionFailure(
            message: "the operation '\(left.cqlName) \(operation.rawValue) \(right.cqlName)' failed: \(detail)",
            keyspace: "system", function: String(operation.functionName.dropFirst(7)),
            argumentTypes: [left.cqlName, right.cqlName])
    }

    // MARK: Numbers

    private static func apply(
        _ operation: ArithmeticOperator, _ left: Number, _ right: Number, _ type: CQLType
    ) throws(ArithmeticFailure) -> Number {
        switch type {
        case .float: return .float(fraction(operation, left.floatValue, right.floatValue))
        case .double: return .double(fraction(operation, left.doubleValue, right.doubleValue))
        case .varint:
            return .varint(try whole(operation, try left.bigIntegerValue(), try right.bigIntegerValue()))
        case .decimal:
            return .decimal(try decimal(operation, try left.decimalValue(), try right.decimalValue()))
        default: return .integer(try integer(operation, try left.int64Value(), try right.int64Value()))
        }
    }

    private static func integer(
        _ operation: ArithmeticOperator, _ a: Int64, _ b: Int64
    ) throws(ArithmeticFailure) -> Int64 {
        switch operation {
        case .add: return a &+ b
        case .subtract: return a &- b
        case .multiply: return a &* b
        case .divide, .remainder:
            if b == 0 { throw ArithmeticFailure("/ by zero") }
            return operation == .divide
                ? a.dividedReportingOverflow(by: b).partialValue
                : a.remainderReportingOverflow(dividingBy: b).partialValue
        }
    }

    private static func fraction<Value: BinaryFloatingPoint>(
        _ operation: ArithmeticOperator, _ a: Value, _ b: Value
    ) -> Value {
        switch operation {
        case .add: a + b
        case .subtract: a - b
        case .multiply: a * b
        case .divide: a / b
        case .remainder: a.truncatingRemainder(dividingBy: b)
        }
    }

    private static func whole(
        _ operation: ArithmeticOperator, _ a: BigInteger, _ b: BigInteger
    ) throws(ArithmeticFailure) -> BigInteger {
        switch operation {
        case .add: return a + b
        case .subtract: return a - b
        case .multiply: return a * b
        case .divide, .remainder:
            if b.isZero { throw ArithmeticFailure("BigInteger divide by zero") }
            let parts = a.quotientAndRemainder(dividingBy: b)
            return operation == .divide ? parts.quotient : parts.remainder
        }
    }

    private static func decimal(
        _ operation: ArithmeticOperator, _ a: DecimalValue, _ b: DecimalValue
    ) throws(ArithmeticFailure) -> DecimalValue {
        switch operation {
        case .add: return a.adding(b)
        case .subtract: return a.subtracting(b)
        case .multiply: return a.multiplied(by: b)
        case .divide: return try a.divided(by: b)
        case .remainder: return try a.remainder(dividingBy: b)
        }
    }

    // MARK: Texts and moments

    private static func concatenation(_ left: CQLType, _ right: CQLType) -> ScalarFunction {
        let type: CQLType = left == .ascii && right == .ascii ? .ascii : .text
        return ScalarFunction("system._add", [left, right], returns: type) { arguments, _ throws(CQLError) in
            guard let a = arguments[0], let b = arguments[1] else { return nil }
            return a + b
        }
    }

    private static func temporal(_ operation: ArithmeticOperator, _ type: CQLType) -> ScalarFunction {
        ScalarFunction(operation.functionName, [type, .duration], returns: type) { arguments, _ throws(CQLError) in
            guard let a = arguments[0], let b = arguments[1], !a.isEmpty, !b.isEmpty else { return nil }
            let duration: CQLDuration
            do throws(InvalidValue) {
                duration = try CQLDuration(b.span.bytes)
            } catch { throw .invalid(message: error.description) }
            if type == .date, !duration.hasDayPrecision {
                throw failure(
                    operation, type, .duration, "The duration must have a day precision. Was: \(duration)")
            }
            let moment: Int64 = TimeConversion.milliseconds(a, type) ?? 0
            let moved: Int64 = operation == .add ? duration.added(to: moment) : duration.subtracted(from: moment)
            return TimeConversion.bytes(milliseconds: moved, type)
        }
    }
}

extension ArithmeticOperator {
    /// What Cassandra calls the function behind the operator.
    var functionName: String {
        switch self {
        case .add: "system._add"
        case .subtract: "system._substract"
        case .multiply: "system._multiply"
        case .divide: "system._divide"
        case .remainder: "system._modulo"
        }
    }
}
