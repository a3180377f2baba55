package import CQL
package import DataModel
import Primitives

/// The built-in aggregates: `count`, `min`, `max`, `sum`, `avg`.
package enum AggregateFunctions {
    package static let countRows = AggregateFunction("system.count", returns: .bigint) { CountState() }

    package static func isName(_ name: QualifiedName) -> Bool {
        guard name.keyspace == nil || name.keyspace == "system" else { return false }
        return ["count", "min", "max", "sum", "avg"].contains(name.name)
    }

    package static func resolve(_ name: QualifiedName, argument type: CQLType) throws(CQLError) -> AggregateFunction {
        switch name.name {
        case "count": return AggregateFunction("system.count", returns: .bigint) { CountState() }
        case "min", "max":
            let isMaximum: Bool = name.name == "max"
            let form = ComparableForm(type)
            return AggregateFunction("system.\(name.name)", returns: type.frozen) {
                ExtremeState(form, isMaximum: isMaximum)
            }
        default:
            let isAverage: Bool = name.name == "avg"
            guard let make = NumberFold.maker(type, isAverage: isAverage) else {
                throw .invalid(
                    message:
                        "Invalid call to function \(name.name), none of its type signatures match: it takes a number, not \(type.cqlName)"
                )
            }
            return AggregateFunction("system.\(name.name)", returns: type == .counter ? .bigint : type, make: make)
        }
    }
}

private final class CountState: AggregateState {
    private var count: Int64 = 0

    func add(_ value: [UInt8]?) throws(CQLError) { count += 1 }
    func result() throws(CQLError) -> [UInt8]? { SelectorEvaluation.bigint(count) }
}

private final class ExtremeState: AggregateState {
    private let form: ComparableForm
    private let isMaximum: Bool
    private var best: [UInt8]?

    init(_ form: ComparableForm, isMaximum: Bool) {
        self.form = form
        self.isMaximum = isMaximum
    }

    func add(_ value: [UInt8]?) throws(CQLError) {
        guard let value else { return }
        guard let best else {
            self.best = value
            return
        }
        let order: Int = form.order(value.span.bytes, best.span.bytes)
        if isMaximum ? order > 0 : order < 0 { self.best = value }
    }

    func result() throws(CQLError) -> [UInt8]? { best }
}

/// Sums and averages. Whole numbers wrap in their own type, as Cassandra's do; averages cut towards zero.
private enum NumberFold {
    static func maker(_ type: CQLType, isAverage: Bool) -> (@Sendable () -> any AggregateState)? {
        switch type {
        case .tinyint: return { IntegerFold<Int8>(isAverage: isAverage) }
        case .smallint: return { IntegerFold<Int16>(isAverage: isAverage) }
        case .int: return { IntegerFold<Int32>(isAverage: isAverage) }
        case .bigint, .counter: return { IntegerFold<Int64>(isAverage: isAverage) }
        case .float: return { FloatFold(isDouble: false, isAverage: isAverage) }
        case .double: return { FloatFold(isDouble: true, isAverage: isAverage) }
        default: return nil
        }
    }
}

private final class IntegerFold<Number: FixedWidthInteger>: AggregateState {
    private let isAverage: Bool
    private var sum: Int128 = 0
    private var count: Int128 = 0

    init(isAverage: Bool) {
        self.isAverage = isAverage
    }

    func add(_ value: [UInt8]?) throws(CQLError) {
        guard let value, value.count == Number.bitWidth / 8 else { return }
        var number: Number = 0
        for byte in value { number = number << 8 | Number(truncatingIfNeeded: byte) }
        sum += Int128(number)
        count += 1
    }

    func result() throws(CQLError) -> [UInt8]? {
        let number = Number(truncatingIfNeeded: isAverage ? (count == 0 ? 0 : sum / count) : sum)
        return withUnsafeBytes(of: number.bigEndian) { [UInt8]($0) }
    }
}

/// Adds with a running correction for what rounding loses (Kahan's summation).
private final class FloatFold: AggregateState {
    private let isDouble: Bool
    private let isAverage: Bool
    private var sum: Double = 0
    private var correction: Double = 0
    private var plain: Double = 0
    private var count: Double = 0

    init(isDouble: Bool, isAverage: Bool) {
        self.isDouble = isDouble
        self.isAverage = isAverage
    }

    func add(_ value: [UInt8]?) throws(CQLError) {
        guard let value, value.count == (isDouble ? 8 : 4) else { return }
        let bits = value.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        let number: Double =
            isDouble ? Double(bitPattern: bits) : Double(Float(bitPattern: UInt32(truncatingIfNeeded: bits)))
        plain += number
        let corrected: Double = number - correction
        let next: Double = sum + corrected
        correction = (next - sum) - corrected
        sum = next
        count += 1
    }

    func result() throws(CQLError) -> [UInt8]? {
        // Infinities make the correction meaningless; the plain sum still is what it should be.
        let total: Double = sum.isFinite ? sum : plain
        let number: Double = isAverage ? (count == 0 ? 0 : total / count) : total
        if isDouble { return withUnsafeBytes(of: number.bitPattern.bigEndian) { [UInt8]($0) } }
        return withUnsafeBytes(of: Float(number).bitPattern.bigEndian) { [UInt8]($0) }
    }
}
