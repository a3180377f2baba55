import Primitives

/// Why a calculation has no result, in Cassandra's words where it has some.
package struct ArithmeticFailure: Error, Hashable, Sendable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) {
        self.description = description
    }
}

/// A `decimal` to calculate with: a whole number, and how many of its digits are behind the point (before it has
/// further zeros, when negative). The scale is kept, as Java's `BigDecimal` keeps it, because clients see it.
///
/// Results have at most `maximumDigitCount` digits: sums and products are rounded to them, half up; a number that has
/// more is refused. That bounds what one calculation can cost.
package struct DecimalValue: Hashable, Sendable {
    /// The most digits of a number that is calculated with.
    package static let maximumDigitCount = 4_096
    /// The digits that a quotient has at least, before zeros at its end go, and the most places behind the point.
    private static let quotientDigitCount = 32
    private static let maximumQuotientScale = 1_000

    package let unscaled: BigInteger
    package let scale: Int

    package static let zero = DecimalValue(.zero, scale: 0)

    package init(_ unscaled: BigInteger, scale: Int) {
        self.unscaled = unscaled
        self.scale = scale
    }

    /// - Parameter bytes: of a value of type `decimal`.
    package init(valueBytes bytes: RawSpan) throws(ArithmeticFailure) {
        guard bytes.byteCount >= 4 else { throw ArithmeticFailure("A decimal has at least 4 bytes") }
        let unscaled = BigInteger(twosComplement: bytes.extracting(4..<bytes.byteCount))
        try DecimalValue.check(unscaled)
        self.init(unscaled, scale: Int(Int32(bitPattern: bytes.uint32(at: 0))))
    }

    /// The number with as few digits as tell it apart from its neighbours, which is how Java converts.
    package init(_ number: Double) throws(ArithmeticFailure) {
        if number.isNaN { throw ArithmeticFailure("A NaN cannot be converted into a decimal") }
        if number.isInfinite { throw ArithmeticFailure("An infinite number cannot be converted into a decimal") }
        guard let bytes = DecimalText.valueBytes(FloatingPointText.text(number)) else {
            throw ArithmeticFailure("A number cannot be converted into a decimal")
        }
        self = try DecimalValue(valueBytes: bytes.span.bytes)
    }

    /// As a literal is written; nil for anything else.
    package init?(text: String) {
        guard let bytes = DecimalText.valueBytes(text), let value = try? DecimalValue(valueBytes: bytes.span.bytes)
        else { return nil }
        self = value
    }

    /// Refuses numbers that would cost too much.
    package static func check(_ number: BigInteger) throws(ArithmeticFailure) {
        // Ten digits are a little more than 33 bits.
        guard number.bitWidth <= maximumDigitCount / 10 * 34, number.decimalDigitCount <= maximumDigitCount else {
            throw ArithmeticFailure("numbers of more than \(maximumDigitCount) digits cannot be calculated with")
        }
    }

    /// The bytes of the value.
    package func valueBytes() throws(ArithmeticFailure) -> [UInt8] {
        guard let short = Int32(exactly: scale) else { throw ArithmeticFailure(scale > 0 ? "Underflow" : "Overflow") }
        let bits = UInt32(bitPattern: short)
        return [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: bits >> $0) } + unscaled.twosComplement
    }

    package var isZero: Bool { unscaled.isZero }
    package var digitCount: Int { unscaled.decimalDigitCount }
    package var negated: DecimalValue { DecimalValue(unscaled.negated, scale: scale) }
    package var magnitude: DecimalValue { DecimalValue(unscaled.magnitude, scale: scale) }
    /// The exponent of ten of the first digit.
    var leadingExponent: Int { digitCount - 1 - scale }

    /// The nearest number of this kind.
    package var doubleValue: Double { Double("\(unscaled.text)e\(-scale)") ?? 0 }

    package func order(_ other: DecimalValue) -> Int {
        if unscaled.isNegative != other.unscaled.isNegative { return unscaled.isNegative ? -1 : 1 }
        if isZero || other.isZero { return isZero && other.isZero ? 0 : isZero ? -1 : 1 }
        let sign: Int = unscaled.isNegative ? -1 : 1
        if leadingExponent != other.leadingExponent { return leadingExponent < other.leadingExponent ? -sign : sign }
        let common: Int = max(scale, other.scale)
        return unscaled.multiplied(byPowerOfTen: common - scale)
            .order(other.unscaled.multiplied(byPowerOfTen: common - other.scale))
    }

    // MARK: Sums and products

    package func adding(_ other: DecimalValue) -> DecimalValue {
        if isZero || other.isZero { return sumWithZero(other) }
        let (coarse, fine) = scale <= other.scale ? (self, other) : (other, self)
        let near: DecimalValue = DecimalValue.broughtNear(fine, to: coarse)
        let common: Int = max(coarse.scale, near.scale)
        let sum: BigInteger =
            coarse.unscaled.multiplied(byPowerOfTen: common - coarse.scale)
            + near.unscaled.multiplied(byPowerOfTen: common - near.scale)
        return DecimalValue(sum, scale: common).rounded(toDigits: DecimalValue.maximumDigitCount)
    }

    package func subtracting(_ other: DecimalValue) -> DecimalValue { adding(other.negated) }

    private func sumWithZero(_ other: DecimalValue) -> DecimalValue {
        let wanted: Int = max(scale, other.scale)
        let value: DecimalValue = isZero ? other : self
        if value.isZero { return DecimalValue(.zero, scale: wanted) }
        let padding: Int = min(wanted - value.scale, DecimalValue.maximumDigitCount - value.digitCount)
        return DecimalValue(value.unscaled.multiplied(byPowerOfTen: padding), scale: value.scale + padding)
    }

    /// Of a summand that is so small that it can only tip the rounding, its sign is enough.
    private static func broughtNear(_ fine: DecimalValue, to coarse: DecimalValue) -> DecimalValue {
        let lastPlace: Int = coarse.scale - coarse.digitCount + maximumDigitCount
        let firstPlace: Int = fine.scale - fine.digitCount + 1
        guard firstPlace > coarse.scale + 2, firstPlace > lastPlace + 2 else { return fine }
        return DecimalValue(
            fine.unscaled.isNegative ? BigInteger.one.negated : .one, scale: max(coarse.scale, lastPlace) + 3)
    }

    package func multiplied(by other: DecimalValue) -> DecimalValue {
        DecimalValue(unscaled * other.unscaled, scale: scale + other.scale)
            .rounded(toDigits: DecimalValue.maximumDigitCount)
    }

    // MARK: Quotients

    /// The quotient to 32 digits or more, rounded half up, without zeros at the end.
    package func divided(by other: DecimalValue) throws(ArithmeticFailure) -> DecimalValue {
        let firstPlace: Int = (digitCount - scale) - (other.digitCount - other.scale)
        var wanted: Int = DecimalValue.quotientDigitCount - firstPlace
        wanted = max(wanted, scale, other.scale, DecimalValue.quotientDigitCount)
        wanted = min(wanted, DecimalValue.maximumQuotientScale)
        return try divided(by: other, scale: wanted, roundsHalfToEven: false).strippingZeros()
    }

    /// The quotient with a given number of places behind the point.
    package func divided(
        by other: DecimalValue, scale wanted: Int, roundsHalfToEven: Bool
    ) throws(ArithmeticFailure) -> DecimalValue {
        if other.isZero { throw ArithmeticFailure("BigInteger divide by zero") }
        let shift: Int = wanted + other.scale - scale
        let limit: Int = DecimalValue.maximumDigitCount * 2
        if isZero || digitCount + shift < other.digitCount - 1 { return DecimalValue(.zero, scale: wanted) }
        guard shift <= limit, -shift <= limit else {
            throw ArithmeticFailure("the quotient has more than \(DecimalValue.maximumDigitCount) digits")
        }
        let dividend: BigInteger = unscaled.multiplied(byPowerOfTen: max(0, shift))
        let divisor: BigInteger = other.unscaled.multiplied(byPowerOfTen: max(0, -shift))
        return DecimalValue(
            DecimalValue.roundedQuotient(dividend, divisor, roundsHalfToEven: roundsHalfToEven), scale: wanted)
    }

    private static func roundedQuotient(
        _ dividend: BigInteger, _ divisor: BigInteger, roundsHalfToEven: Bool
    ) -> BigInteger {
        let (quotient, remainder) = dividend.quotientAndRemainder(dividingBy: divisor)
        let twice: BigInteger = remainder.magnitude + remainder.magnitude
        let order: Int = twice.order(divisor.magnitude)
        guard order > 0 || order == 0 && (!roundsHalfToEven || quotient.isOdd) else { return quotient }
        return quotient + (dividend.isNegative != divisor.isNegative ? BigInteger.one.negated : .one)
    }

    /// What a division to a whole quotient leaves; it has the sign of the dividend.
    package func remainder(dividingBy other: DecimalValue) throws(ArithmeticFailure) -> DecimalValue {
        if other.isZero { throw ArithmeticFailure("Division by zero") }
        let common: Int = max(scale, other.scale)
        if isZero || leadingExponent < other.leadingExponent { return self }
        guard common - scale <= DecimalValue.maximumDigitCount, common - other.scale <= DecimalValue.maximumDigitCount
        else { throw ArithmeticFailure("the quotient has more than \(DecimalValue.maximumDigitCount) digits") }
        let dividend: BigInteger = unscaled.multiplied(byPowerOfTen: common - scale)
        let divisor: BigInteger = other.unscaled.multiplied(byPowerOfTen: common - other.scale)
        let (quotient, rest) = dividend.quotientAndRemainder(dividingBy: divisor)
        if quotient.isZero { return self }
        // Java takes away the product of the divisor and the quotient without its last zeros, and keeps the scale of that.
        let stripped: Int = DecimalValue(quotient, scale: 0)
            .strippingZeros(downTo: min(0, scale - other.scale)).scale
        let kept: Int = max(scale, other.scale + stripped)
        return DecimalValue(rest.quotientAndRemainder(dividingBy: .powerOfTen(common - kept)).quotient, scale: kept)
    }

    // MARK: Rounding

    /// Rounds half up, away from zero, when there are more digits.
    package func rounded(toDigits count: Int) -> DecimalValue {
        var value = self
        while case let surplus = value.digitCount - count, surplus > 0 {
            let quotient: BigInteger = DecimalValue.roundedQuotient(
                value.unscaled, .powerOfTen(surplus), roundsHalfToEven: false)
            value = DecimalValue(quotient, scale: value.scale - surplus)
        }
        return value
    }

    /// The nearest whole number, half up, with scale zero.
    package func roundedToInteger() throws(ArithmeticFailure) -> DecimalValue {
        try divided(by: DecimalValue(.one, scale: 0), scale: 0, roundsHalfToEven: false)
    }

    /// The whole part, cut towards zero.
    package func truncatedInteger() throws(ArithmeticFailure) -> BigInteger {
        if scale <= 0 {
            guard isZero || digitCount - scale <= DecimalValue.maximumDigitCount else {
                throw ArithmeticFailure(
                    "numbers of more than \(DecimalValue.maximumDigitCount) digits cannot be calculated with")
            }
            return unscaled.multiplied(byPowerOfTen: -scale)
        }
        if scale >= digitCount { return .zero }
        return unscaled.quotientAndRemainder(dividingBy: .powerOfTen(scale)).quotient
    }

    /// Without zeros at the end of its digits; zero gets scale zero.
    package func strippingZeros() -> DecimalValue { isZero ? .zero : strippingZeros(downTo: .min) }

    private func strippingZeros(downTo least: Int) -> DecimalValue {
        let zeros: Int = unscaled.digits.reversed().prefix { $0 == 0 }.count
        let count: Int = least == .min ? zeros : min(zeros, max(0, scale - least))
        if count == 0 { return self }
        return DecimalValue(
            unscaled.quotientAndRemainder(dividingBy: .powerOfTen(count)).quotient, scale: scale - count)
    }
}
