/// A binary floating-point number as the decimal digits that it is exactly equal to.
///
/// The number is 0.abc… × 10^exponent, where a, b, c are the digits and a is not zero. Needed to round to a count of
/// digits: rounding the shortest digits instead would round twice.
struct ExactDecimal {
    private(set) var digits: [UInt8]
    private(set) var exponent: Int

    /// - Parameter magnitude: finite and greater than zero.
    init(_ magnitude: Double) {
        let isNormal: Bool = magnitude.exponentBitPattern > 0
        var significand: UInt64 = magnitude.significandBitPattern | (isNormal ? 1 << 52 : 0)
        var power: Int = (isNormal ? Int(magnitude.exponentBitPattern) : 1) - 1_075
        let zeros: Int = significand.trailingZeroBitCount
        significand >>= UInt64(zeros)
        power += zeros
        var limbs = Limbs(significand)
        // A factor of ½ is a factor of 5 and a move of the point.
        if power >= 0 { limbs.multiply(by: 2, times: power) } else { limbs.multiply(by: 5, times: -power) }
        self.digits = limbs.digits
        self.exponent = digits.count - max(0, -power)
    }

    /// Rounds to `count` digits, a tie to an even digit.
    mutating func round(to count: Int) {
        guard digits.count > count else { return }
        let dropped: UInt8 = digits[count]
        let isBeyondTie: Bool = digits[(count + 1)...].contains { $0 > 0 }
        digits.removeSubrange(count...)
        let isOdd: Bool = (digits.last ?? 0) % 2 == 1
        guard dropped > 5 || dropped == 5 && (isBeyondTie || isOdd) else { return }
        var index: Int = digits.count - 1
        while index >= 0 {
            if digits[index] < 9 {
                digits[index] += 1
                return
            }
            digits[index] = 0
            index -= 1
        }
        digits.insert(1, at: 0)
        digits.removeLast()
        exponent += 1
    }

    /// A whole number in base 10⁹, least significant first.
    private struct Limbs {
        private var values: [UInt32] = []

        init(_ number: UInt64) {
            var rest: UInt64 = number
            while rest > 0 {
                values.append(UInt32(rest % 1_000_000_000))
                rest /= 1_000_000_000
            }
        }

        mutating func multiply(by factor: UInt32, times: Int) {
            // As many factors at once as a limb can take.
            let chunk: Int = factor == 2 ? 29 : 12
            var left: Int = times
            while left > 0 {
                let count: Int = min(left, chunk)
                multiply(by: (0..<count).reduce(UInt64(1)) { power, _ in power * UInt64(factor) })
                left -= count
            }
        }

        private mutating func multiply(by factor: UInt64) {
            var carry: UInt64 = 0
            for index in values.indices {
                let product: UInt64 = UInt64(values[index]) * factor + carry
                values[index] = UInt32(product % 1_000_000_000)
                carry = product / 1_000_000_000
            }
            while carry > 0 {
                values.append(UInt32(carry % 1_000_000_000))
                carry /= 1_000_000_000
            }
        }

        var digits: [UInt8] {
            var digits: [UInt8] = []
            for value in values {
                var rest: UInt32 = value
                for _ in 0..<9 {
                    digits.append(UInt8(rest % 10))
                    rest /= 10
                }
            }
            while digits.last == 0 { digits.removeLast() }
            return digits.reversed()
        }
    }
}

/// Floating-point numbers as cqlsh prints them.
package enum FloatText {
    /// - Parameter precision: digits after the point; more than that are cut, and large and small numbers are written
    ///   with an exponent.
    package static func text(_ number: Double, precision: Int) -> String {
        if number.isNaN { return "NaN" }
        if number.isInfinite { return number < 0 ? "-Infinity" : "Infinity" }
        let sign: String = number.sign == .minus ? "-" : ""
        if number == 0 { return sign + "0" }
        var decimal = ExactDecimal(number.magnitude)
        var digitCount: Int = precision
        if number.magnitude > Double.ulpOfOne {
            // cqlsh cuts the logarithm off towards zero, so the digits before the point add to the precision.
            let order: Int = decimal.exponent - 1
            let isPowerOfTen: Bool = order < 0 && shortestDigits(number.magnitude) == "1"
            let cut: Int = order >= 0 || isPowerOfTen ? order : order + 1
            if cut >= -4, cut < precision { digitCount = precision + cut + 1 }
        }
        digitCount = max(1, digitCount)
        decimal.round(to: digitCount)
        return sign + layOut(decimal, digitCount: digitCount)
    }

    private static func layOut(_ decimal: ExactDecimal, digitCount: Int) -> String {
        var digits: [UInt8] = decimal.digits
        while digits.count > 1, digits.last == 0 { digits.removeLast() }
        let text = String(decoding: digits.map { $0 + UInt8(ascii: "0") }, as: UTF8.self)
        let order: Int = decimal.exponent - 1
        if order < -4 || order >= digitCount {
            let fraction: Substring = text.dropFirst()
            let power = String(order.magnitude)
            let mark: String = order < 0 ? "e-" : "e+"
            return text.prefix(1) + (fraction.isEmpty ? "" : ".\(fraction)") + mark
                + (power.count < 2 ? "0" : "") + power
        }
        if decimal.exponent <= 0 { return "0." + String(repeating: "0", count: -decimal.exponent) + text }
        if text.count <= decimal.exponent {
            return text + String(repeating: "0", count: decimal.exponent - text.count)
        }
        return "\(text.prefix(decimal.exponent)).\(text.dropFirst(decimal.exponent))"
    }

    private static func shortestDigits(_ magnitude: Double) -> String {
        let mantissa: String = String(magnitude.description.prefix { $0 != "e" })
        var digits = Substring(mantissa.filter { $0 != "." })
        while digits.hasPrefix("0") { digits = digits.dropFirst() }
        while digits.hasSuffix("0") { digits = digits.dropLast() }
        return String(digits)
    }
}
