import CQL
import DataModel
import Primitives

/// Sums and averages. Whole numbers wrap in their own type, as Cassandra's do; averages cut towards zero.
enum NumberFold {
    /// Nil for a type that is no number.
    static func maker(_ type: CQLType, isAverage: Bool) -> (@Sendable () -> any AggregateState)? {
        switch type {
        case .tinyint: return { IntegerFold<Int8>(isAverage: isAverage) }
        case .smallint: return { IntegerFold<Int16>(isAverage: isAverage) }
        case .int: return { IntegerFold<Int32>(isAverage: isAverage) }
        case .bigint, .counter: return { IntegerFold<Int64>(isAverage: isAverage) }
        case .float, .double: return { FloatFold(type, isAverage: isAverage) }
        case .varint: return { VarintFold(isAverage: isAverage) }
        case .decimal: return { DecimalFold(isAverage: isAverage) }
        default: return nil
        }
    }
}

private final class IntegerFold<Integer: FixedWidthInteger>: AggregateState {
    private let isAverage: Bool
    private var sum: Int128 = 0
    private var count: Int128 = 0

    init(isAverage: Bool) {
        self.isAverage = isAverage
    }

    func add(_ value: [UInt8]?) throws(CQLError) {
        guard let value, value.count == Integer.bitWidth / 8 else { return }
        var number: Integer = 0
        for byte in value { number = number << 8 | Integer(truncatingIfNeeded: byte) }
        sum += Int128(number)
        count += 1
    }

    func result() throws(CQLError) -> [UInt8]? {
        let number = Integer(truncatingIfNeeded: isAverage ? (count == 0 ? 0 : sum / count) : sum)
        return withUnsafeBytes(of: number.bigEndian) { [UInt8]($0) }
    }
}

/// Adds with a running correction for what rounding loses (Kahan's summation).
private final class FloatFold: AggregateState {
    private let type: CQLType
    private let isAverage: Bool
    private var sum: Double = 0
    private var correction: Double = 0
    private var plain: Double = 0
    /// The sum of the numbers made so small that it stays finite: for averages of numbers whose sum does not.
    private var small: Double = 0
    private var hasInfinity = false
    private var count: Double = 0
    private static let scale: Double = 0x1p-128

    init(_ type: CQLType, isAverage: Bool) {
        self.type = type
        self.isAverage = isAverage
    }

    func add(_ value: [UInt8]?) throws(CQLError) {
        guard let value, let number = (try? Number(value, type))?.doubleValue else { return }
        plain += number
        small += number * FloatFold.scale
        if !number.isFinite { hasInfinity = true }
        let corrected: Double = number - correction
        let next: Double = sum + corrected
        correction = (next - sum) - corrected
        sum = next
        count += 1
    }

    func result() throws(CQLError) -> [UInt8]? {
        // Infinities make the correction meaningless; the plain sum still is what it should be.
        let corrected: Double = sum + correction
        let total: Double = corrected.isNaN && plain.isInfinite ? plain : corrected
        var number: Double = total
        if isAverage {
            let isTooLarge: Bool = !total.isFinite && !hasInfinity
            number = count == 0 ? 0 : isTooLarge ? small / count / FloatFold.scale : total / count
        }
        if type == .double { return withUnsafeBytes(of: number.bitPattern.bigEndian) { [UInt8]($0) } }
        return withUnsafeBytes(of: Float(number).bitPattern.bigEndian) { [UInt8]($0) }
    }
}

/// Exact, whatever the size.
private final class VarintFold: AggregateState {
    private let isAverage: Bool
    private var sum = BigInteger.zero
    private var count: Int64 = 0

    init(isAverage: Bool) {
        self.isAverage = isAverage
    }

    func add(_ value: [UInt8]?) throws(CQLError) {
        guard let value, !value.isEmpty else { return }
        sum = sum + BigInteger(twosComplement: value.span.bytes)
        count += 1
    }

    func result() throws(CQLError) -> [UInt8]? {
        guard isAverage, count > 0 else { return sum.twosComplement }
        return sum.quotientAndRemainder(dividingBy: BigInteger(count)).quotient.twosComplement
    }
}

/// The sum is exact up to the digits that numbers may have. The average has no more places behind the point than the
/// numbers have: it is corrected by a share of the difference with every number, rounded half to even, as in Cassandra.
private final class DecimalFold: AggregateState {
    private let isAverage: Bool
    private var value = DecimalValue.zero
    private var count: Int64 = 0

    init(isAverage: Bool) {
        self.isAverage = isAverage
    }

    func add(_ bytes: [UInt8]?) throws(CQLError) {
        guard let bytes, !bytes.isEmpty else { return }
        do throws(ArithmeticFailure) {
            let number = try DecimalValue(valueBytes: bytes.span.bytes)
            count += 1
            guard isAverage else {
                value = value.adding(number)
                return
            }
            let distance: DecimalValue = number.subtracting(value)
            let share: DecimalValue = try distance.divided(
                by: DecimalValue(BigInteger(count), scale: 0), scale: distance.scale, roundsHalfToEven: true)
            value = value.adding(share)
        } catch { throw failure(error) }
    }

    func result() throws(CQLError) -> [UInt8]? {
        do throws(ArithmeticFailure) { return try value.valueBytes() } catch { throw failure(error) }
    }

    private func failure(_ error: ArithmeticFailure) -> CQLError {
        .functionFailure(isAverage ? "system.avg" : "system.sum", [.decimal], error.description)
    }
}
