/// Arithmetic, at a cost of the product of the sizes: whoever calculates with numbers of strangers bounds them
/// (`DecimalValue.maximumDigitCount`).
extension BigInteger {
    package static let zero = BigInteger(0 as Int64)
    package static let one = BigInteger(1 as Int64)

    package init(_ number: Int64) {
        let magnitude: UInt64 = number.magnitude
        self.init(
            isNegative: number < 0,
            limbs: [UInt32(truncatingIfNeeded: magnitude), UInt32(truncatingIfNeeded: magnitude >> 32)])
    }

    /// The whole part of a number, cut towards zero; zero for what is not finite.
    package init(truncating number: Double) {
        guard number.isFinite, number.magnitude >= 1 else {
            self = .zero
            return
        }
        let significand = Int64(number.significandBitPattern | 1 << 52)
        let exponent = Int(number.exponent) - 52
        let shifted: BigInteger
        if exponent >= 0 {
            shifted = BigInteger(significand).multiplied(byPowerOfTwo: exponent)
        } else {
            shifted = BigInteger(significand >> Int64(-exponent))
        }
        self = number < 0 ? shifted.negated : shifted
    }

    package var isZero: Bool { limbs.isEmpty }
    package var negated: BigInteger { BigInteger(isNegative: !isNegative, limbs: limbs) }
    package var magnitude: BigInteger { BigInteger(isNegative: false, limbs: limbs) }
    package var isOdd: Bool { (limbs.first ?? 0) & 1 == 1 }

    /// How many bits the magnitude has.
    package var bitWidth: Int {
        guard let last = limbs.last else { return 0 }
        return limbs.count * 32 - last.leadingZeroBitCount
    }

    /// How many decimal digits the magnitude has; one for zero.
    package var decimalDigitCount: Int {
        guard limbs.count > 2 else {
            var rest: UInt64 = magnitudeLow
            var count = 1
            while rest >= 10 {
                rest /= 10
                count += 1
            }
            return count
        }
        // The bits tell the digits but for one or two; powers of ten tell the rest.
        var count: Int = max(1, (bitWidth - 1) * 30_103 / 100_000)
        var power = BigInteger.powerOfTen(count)
        while BigInteger.compareMagnitudes(limbs, power.limbs) >= 0 {
            power = power.multiplied(byPowerOfTen: 1)
            count += 1
        }
        return count
    }

    private var magnitudeLow: UInt64 {
        UInt64(limbs.first ?? 0) | (limbs.count > 1 ? UInt64(limbs[1]) << 32 : 0)
    }

    /// The lowest 64 bits of the two's complement.
    package var truncatedInt64: Int64 {
        let bits = Int64(bitPattern: magnitudeLow)
        return isNegative ? 0 &- bits : bits
    }

    /// The nearest number of this kind; infinite when it is too large.
    package var doubleValue: Double {
        Double(text) ?? (isNegative ? -.infinity : .infinity)
    }

    // MARK: Sums

    package static func + (left: BigInteger, right: BigInteger) -> BigInteger {
        if left.isNegative == right.isNegative {
            return BigInteger(isNegative: left.isNegative, limbs: sum(left.limbs, right.limbs))
        }
        let order: Int = compareMagnitudes(left.limbs, right.limbs)
        if order == 0 { return .zero }
        return order > 0
            ? BigInteger(isNegative: left.isNegative, limbs: difference(left.limbs, right.limbs))
            : BigInteger(isNegative: right.isNegative, limbs: difference(right.limbs, left.limbs))
    }

    package static func - (left: BigInteger, right: BigInteger) -> BigInteger { left + right.negated }

    package func order(_ other: BigInteger) -> Int {
        if isNegative != other.isNegative { return isNegative ? -1 : 1 }
        let order: Int = BigInteger.compareMagnitudes(limbs, other.limbs)
        return isNegative ? -order : order
    }

    static func compareMagnitudes(_ left: [UInt32], _ right: [UInt32]) -> Int {
        if left.count != right.count { return left.count < right.count ? -1 : 1 }
        for index in left.indices.reversed() where left[index] != right[index] {
            return left[index] < right[index] ? -1 : 1
        }
        return 0
    }

    private static func sum(_ left: [UInt32], _ right: [UInt32]) -> [UInt32] {
        let (long, short) = left.count >= right.count ? (left, right) : (right, left)
        var result: [UInt32] = []
        result.reserveCapacity(long.count + 1)
        var carry: UInt64 = 0
        for index in long.indices {
            let total: UInt64 = UInt64(long[index]) + (index < short.count ? UInt64(short[index]) : 0) + carry
            result.append(UInt32(truncatingIfNeeded: total))
            carry = total >> 32
        }
        if carry > 0 { result.append(UInt32(truncatingIfNeeded: carry)) }
        return result
    }

    /// - Parameter right: not larger than `left`.
    private static func difference(_ left: [UInt32], _ right: [UInt32]) -> [UInt32] {
        var result: [UInt32] = left
        var borrow: Int64 = 0
        for index in result.indices {
            var rest: Int64 = Int64(result[index]) - borrow - (index < right.count ? Int64(right[index]) : 0)
            borrow = rest < 0 ? 1 : 0
            if rest < 0 { rest += 1 << 32 }
            result[index] = UInt32(truncatingIfNeeded: rest)
        }
        return result
    }

    // MARK: Products

    package static func * (left: BigInteger, right: BigInteger) -> BigInteger {
        if left.isZero || right.isZero { return .zero }
        var result: [UInt32] = Array(repeating: 0, count: left.limbs.count + right.limbs.count)
        for (offset, factor) in left.limbs.enumerated() {
            var carry: UInt64 = 0
            for index in right.limbs.indices {
                let place: Int = offset + index
                let total: UInt64 = UInt64(factor) &* UInt64(right.limbs[index]) &+ UInt64(result[place]) &+ carry
                result[place] = UInt32(truncatingIfNeeded: total)
                carry = total >> 32
            }
            result[offset + right.limbs.count] = UInt32(truncatingIfNeeded: carry)
        }
        return BigInteger(isNegative: left.isNegative != right.isNegative, limbs: result)
    }

    package static func powerOfTen(_ exponent: Int) -> BigInteger {
        BigInteger.one.multiplied(byPowerOfTen: exponent)
    }

    /// - Parameter exponent: zero or more; its size is the caller's to bound.
    package func multiplied(byPowerOfTen exponent: Int) -> BigInteger {
        var result: [UInt32] = limbs
        var rest: Int = exponent
        while rest > 0, !result.isEmpty {
            let step: Int = min(9, rest)
            var factor: UInt64 = 1
            for _ in 0..<step { factor *= 10 }
            var carry: UInt64 = 0
            for index in result.indices {
                let total: UInt64 = UInt64(result[index]) &* factor &+ carry
                result[index] = UInt32(truncatingIfNeeded: total)
                carry = total >> 32
            }
            if carry > 0 { result.append(UInt32(truncatingIfNeeded: carry)) }
            rest -= step
        }
        return BigInteger(isNegative: isNegative, limbs: result)
    }

    func multiplied(byPowerOfTwo exponent: Int) -> BigInteger {
        let shift = UInt64(exponent % 32)
        var result: [UInt32] = Array(repeating: 0, count: exponent / 32)
        var carry: UInt64 = 0
        for limb in limbs {
            let total: UInt64 = UInt64(limb) << shift | carry
            result.append(UInt32(truncatingIfNeeded: total))
            carry = total >> 32
        }
        result.append(UInt32(truncatingIfNeeded: carry))
        return BigInteger(isNegative: isNegative, limbs: result)
    }

    // MARK: Quotients

    /// The quotient, cut towards zero, and what is left, which has the sign of the dividend.
    ///
    /// - Parameter divisor: not zero.
    package func quotientAndRemainder(dividingBy divisor: BigInteger) -> (quotient: BigInteger, remainder: BigInteger) {
        if BigInteger.compareMagnitudes(limbs, divisor.limbs) < 0 { return (.zero, self) }
        let (quotient, remainder) =
            divisor.limbs.count == 1
            ? BigInteger.divideByLimb(limbs, divisor.limbs[0]) : BigInteger.divide(limbs, divisor.limbs)
        return (
            BigInteger(isNegative: isNegative != divisor.isNegative, limbs: quotient),
            BigInteger(isNegative: isNegative, limbs: remainder)
        )
    }

    private static func divideByLimb(_ dividend: [UInt32], _ divisor: UInt32) -> ([UInt32], [UInt32]) {
        var quotient: [UInt32] = dividend
        var rest: UInt64 = 0
        for index in quotient.indices.reversed() {
            let part: UInt64 = rest << 32 | UInt64(quotient[index])
            quotient[index] = UInt32(truncatingIfNeeded: part / UInt64(divisor))
            rest = part % UInt64(divisor)
        }
        return (quotient, [UInt32(truncatingIfNeeded: rest)])
    }

    /// Long division (Knuth, The Art of Computer Programming, volume 2, algorithm 4.3.1 D).
    private static func divide(_ dividend: [UInt32], _ divisor: [UInt32]) -> ([UInt32], [UInt32]) {
        let size: Int = divisor.count
        let shift: Int = divisor[size - 1].leadingZeroBitCount
        let below: [UInt32] = shifted(divisor, by: shift, count: size)
        var rest: [UInt32] = shifted(dividend, by: shift, count: dividend.count + 1)
        var quotient: [UInt32] = Array(repeating: 0, count: dividend.count - size + 1)
        let top = UInt64(below[size - 1])
        let second = UInt64(below[size - 2])
        for place in quotient.indices.reversed() {
            let high: UInt64 = UInt64(rest[place + size]) << 32 | UInt64(rest[place + size - 1])
            var guess: UInt64 = high / top
            var left: UInt64 = high % top
            while guess >> 32 != 0 || guess &* second > (left << 32 | UInt64(rest[place + size - 2])) {
                guess -= 1
                left += top
                if left >> 32 != 0 { break }
            }
            if subtract(below, times: guess, from: &rest, at: place) {
                guess -= 1
                addBack(below, to: &rest, at: place)
            }
            quotient[place] = UInt32(truncatingIfNeeded: guess)
        }
        var remainder: [UInt32] = []
        for index in 0..<size {
            let high: UInt64 = index + 1 < size ? UInt64(rest[index + 1]) << 32 : 0
            remainder.append(UInt32(truncatingIfNeeded: (high | UInt64(rest[index])) >> UInt64(shift)))
        }
        return (quotient, remainder)
    }

    private static func shifted(_ limbs: [UInt32], by shift: Int, count: Int) -> [UInt32] {
        var result: [UInt32] = []
        result.reserveCapacity(count)
        var carry: UInt64 = 0
        for limb in limbs {
            let total: UInt64 = UInt64(limb) << UInt64(shift) | carry
            result.append(UInt32(truncatingIfNeeded: total))
            carry = total >> 32
        }
        if count > limbs.count { result.append(UInt32(truncatingIfNeeded: carry)) }
        return result
    }

    /// Takes a multiple of the divisor away; true when that was more than there was.
    private static func subtract(
        _ divisor: [UInt32], times factor: UInt64, from rest: inout [UInt32], at place: Int
    ) -> Bool {
        var carry: UInt64 = 0
        var borrow: Int64 = 0
        for index in divisor.indices {
            let product: UInt64 = factor &* UInt64(divisor[index]) &+ carry
            carry = product >> 32
            let left: Int64 = Int64(rest[place + index]) - Int64(product & 0xFFFF_FFFF) - borrow
            rest[place + index] = UInt32(truncatingIfNeeded: left)
            borrow = left < 0 ? 1 : 0
        }
        let left: Int64 = Int64(rest[place + divisor.count]) - Int64(carry) - borrow
        rest[place + divisor.count] = UInt32(truncatingIfNeeded: left)
        return left < 0
    }

    private static func addBack(_ divisor: [UInt32], to rest: inout [UInt32], at place: Int) {
        var carry: UInt64 = 0
        for index in divisor.indices {
            let total: UInt64 = UInt64(rest[place + index]) + UInt64(divisor[index]) + carry
            rest[place + index] = UInt32(truncatingIfNeeded: total)
            carry = total >> 32
        }
        rest[place + divisor.count] = UInt32(truncatingIfNeeded: UInt64(rest[place + divisor.count]) + carry)
    }
}
