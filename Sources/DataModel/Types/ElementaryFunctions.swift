/// `exp`, `log` and `log10` of floating-point numbers, to the last bit or next to it.
///
/// The standard library of Swift has none of them, and the C library belongs to the operating system, which may answer
/// in other last bits from one release to the next.
package enum ElementaryFunctions {
    /// ln 2 in two parts; multiples of the first up to 2048 are exact.
    private static let logarithmOfTwoHigh: Double = 0x1.62e42fefa38p-1
    private static let logarithmOfTwoLow: Double = 0x1.ef35793c7673p-45
    private static let logarithmOfTen: Double = 0x1.26bb1bbb55516p+1

    /// e to the power of `number`.
    package static func exponential(_ number: Double) -> Double {
        if number.isNaN { return .nan }
        if number > 709.8 { return .infinity }
        if number < -745.2 { return 0 }
        let power: Double = (number / 0x1.62e42fefa39efp-1).rounded()
        let rest: Double = (number - power * logarithmOfTwoHigh) - power * logarithmOfTwoLow
        // The rest is at most half of ln 2: the fifteenth term of the series is below the last bit.
        var sum: Double = 1
        for divisor in stride(from: 14.0, through: 1.0, by: -1.0) { sum = 1 + sum * rest / divisor }
        let half = Int(power / 2)
        return sum * Double(sign: .plus, exponent: half, significand: 1)
            * Double(sign: .plus, exponent: Int(power) - half, significand: 1)
    }

    /// The natural logarithm; minus infinity of zero, not a number of what is negative.
    package static func logarithm(_ number: Double) -> Double {
        if number.isNaN || number < 0 { return .nan }
        if number == 0 { return -.infinity }
        if number.isInfinite { return number }
        var significand: Double = number.significand
        var exponent = Double(number.exponent)
        if significand > 1.4142135623730951 {
            significand /= 2
            exponent += 1
        }
        // ln m = 2 artanh ((m − 1) / (m + 1))
        let argument: Double = (significand - 1) / (significand + 1)
        let square: Double = argument * argument
        var sum = 0.0
        for divisor in stride(from: 25.0, through: 3.0, by: -2.0) { sum = (sum + 1 / divisor) * square }
        let part: Double = 2 * argument + 2 * argument * sum
        return exponent * logarithmOfTwoHigh + (part + exponent * logarithmOfTwoLow)
    }

    /// The logarithm to base ten, exact for powers of ten.
    package static func decimalLogarithm(_ number: Double) -> Double {
        let quotient: Double = logarithm(number) / logarithmOfTen
        guard quotient.isFinite else { return quotient }
        let whole: Double = quotient.rounded()
        if (quotient - whole).magnitude < 1e-12, Double("1e\(Int(whole))") == number { return whole }
        return quotient
    }
}
