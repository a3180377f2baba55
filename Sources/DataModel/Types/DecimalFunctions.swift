/// `exp`, `log` and `log10` of decimals, to as many digits as the argument has, but at least 32.
///
/// They are worked out in whole numbers that stand for multiples of a small power of ten, with digits to spare.
package enum DecimalFunctions {
    /// The most digits of an argument: the cost grows with their third power.
    package static let maximumDigitCount = 512
    private static let minimumDigitCount = 32
    /// Digits beyond those of the result, for what rounding loses on the way.
    private static let spareDigitCount = 16

    /// e to the power of `number`.
    package static func exponential(_ number: DecimalValue) throws(ArithmeticFailure) -> DecimalValue {
        try check(number)
        if number.isZero { return DecimalValue(.one, scale: 0) }
        guard number.leadingExponent < 10 else {
            throw ArithmeticFailure(number.unscaled.isNegative ? "Underflow" : "Overflow")
        }
        let digitCount: Int = resultDigitCount(number)
        let space = FixedPoint(digitCount: digitCount + spareDigitCount + 11)
        let argument: BigInteger = space.fixed(number)
        let power: Int64 = space.wholeQuotient(argument, space.logarithmOfTen)
        let rest: BigInteger = argument - space.logarithmOfTen * BigInteger(power)
        return DecimalValue(space.exponential(rest), scale: space.digitCount - Int(power)).rounded(toDigits: digitCount)
    }

    /// The natural logarithm.
    package static func logarithm(_ number: DecimalValue) throws(ArithmeticFailure) -> DecimalValue {
        guard !number.isZero, !number.unscaled.isNegative else {
            throw ArithmeticFailure("Natural log of number zero or less")
        }
        try check(number)
        let (fixed, digitCount) = fixedLogarithm(number)
        return fixed.rounded(toDigits: digitCount)
    }

    /// The logarithm to base ten.
    package static func decimalLogarithm(_ number: DecimalValue) throws(ArithmeticFailure) -> DecimalValue {
        guard !number.isZero, !number.unscaled.isNegative else {
            throw ArithmeticFailure("Log10 of number zero or less")
        }
        try check(number)
        let (fixed, digitCount) = fixedLogarithm(number)
        if fixed.isZero { return fixed }
        let space = FixedPoint(digitCount: digitCount + spareDigitCount)
        let ten = DecimalValue(space.logarithmOfTen, scale: space.digitCount)
        let places: Int = digitCount + spareDigitCount / 2 - fixed.leadingExponent
        return try fixed.divided(by: ten, scale: places, roundsHalfToEven: true).rounded(toDigits: digitCount)
    }

    private static func check(_ number: DecimalValue) throws(ArithmeticFailure) {
        guard number.digitCount <= maximumDigitCount else {
            throw ArithmeticFailure("functions take numbers of at most \(maximumDigitCount) digits")
        }
    }

    private static func resultDigitCount(_ number: DecimalValue) -> Int {
        max(minimumDigitCount, number.digitCount)
    }

    /// The natural logarithm with digits to spare, and how many digits its result has.
    private static func fixedLogarithm(_ number: DecimalValue) -> (DecimalValue, digitCount: Int) {
        let digitCount: Int = resultDigitCount(number)
        let exponent: Int = number.leadingExponent
        // Next to one the logarithm begins with zeros, which take digits away.
        let fromOne: DecimalValue = number.subtracting(DecimalValue(.one, scale: 0))
        if fromOne.isZero { return (.zero, digitCount) }
        let zeros: Int = max(0, -fromOne.leadingExponent)
        let space = FixedPoint(digitCount: digitCount + spareDigitCount + 11 + zeros)
        let significand = DecimalValue(number.unscaled, scale: number.digitCount - 1)
        let part: BigInteger = space.logarithm(space.fixed(significand), near: significand.doubleValue)
        let whole: BigInteger = part + space.logarithmOfTen * BigInteger(Int64(exponent))
        return (DecimalValue(whole, scale: space.digitCount), digitCount)
    }
}

/// Numbers with a fixed count of digits behind the point, as multiples of the smallest of them.
private struct FixedPoint {
    let digitCount: Int
    let one: BigInteger
    /// The natural logarithm of ten.
    let logarithmOfTen: BigInteger

    init(digitCount: Int) {
        self.digitCount = digitCount
        let one = BigInteger.powerOfTen(digitCount)
        self.one = one
        // ln 10 = 46 artanh 1/31 + 34 artanh 1/49 + 20 artanh 1/161
        self.logarithmOfTen =
            FixedPoint.inverseTangent(31, one) * BigInteger(46) + FixedPoint.inverseTangent(49, one) * BigInteger(34)
            + FixedPoint.inverseTangent(161, one) * BigInteger(20)
    }

    /// The hyperbolic inverse tangent of 1/n.
    private static func inverseTangent(_ n: Int64, _ one: BigInteger) -> BigInteger {
        let square = BigInteger(n * n)
        var power: BigInteger = quotient(one, BigInteger(n))
        var sum = BigInteger.zero
        var divisor: Int64 = 1
        while !power.isZero {
            sum = sum + quotient(power, BigInteger(divisor))
            power = quotient(power, square)
            divisor += 2
        }
        return sum
    }

    private static func quotient(_ dividend: BigInteger, _ divisor: BigInteger) -> BigInteger {
        dividend.quotientAndRemainder(dividingBy: divisor).quotient
    }

    /// Digits beyond the last are cut.
    func fixed(_ number: DecimalValue) -> BigInteger {
        let shift: Int = digitCount - number.scale
        if shift >= 0 { return number.unscaled.multiplied(byPowerOfTen: shift) }
        if -shift > number.digitCount { return .zero }
        return FixedPoint.quotient(number.unscaled, .powerOfTen(-shift))
    }

    private func product(_ left: BigInteger, _ right: BigInteger) -> BigInteger {
        FixedPoint.quotient(left * right, one)
    }

    /// The largest whole number of times that `divisor` goes into `dividend`.
    func wholeQuotient(_ dividend: BigInteger, _ divisor: BigInteger) -> Int64 {
        let (quotient, rest) = dividend.quotientAndRemainder(dividingBy: divisor)
        return quotient.truncatedInt64 - (rest.isNegative ? 1 : 0)
    }

    /// e to the power of a number from zero to ln 10: the series of a 256th of it, squared eight times.
    func exponential(_ argument: BigInteger) -> BigInteger {
        let small: BigInteger = FixedPoint.quotient(argument, BigInteger(256))
        var term: BigInteger = one
        var sum: BigInteger = one
        var divisor: Int64 = 1
        while !term.isZero {
            term = FixedPoint.quotient(product(term, small), BigInteger(divisor))
            sum = sum + term
            divisor += 1
        }
        for _ in 0..<8 { sum = product(sum, sum) }
        return sum
    }

    /// The natural logarithm of a number from one to ten, by steps that triple the digits that are right.
    func logarithm(_ number: BigInteger, near approximation: Double) -> BigInteger {
        var result: BigInteger = fixed((try? DecimalValue(ElementaryFunctions.logarithm(approximation))) ?? .zero)
        var exactDigitCount = 14
        while exactDigitCount < digitCount {
            let power: BigInteger = exponential(result)
            let step: BigInteger = FixedPoint.quotient((number - power) * BigInteger(2) * one, number + power)
            result = result + step
            exactDigitCount *= 3
        }
        return result
    }
}
