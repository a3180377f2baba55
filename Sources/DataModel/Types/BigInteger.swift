import Primitives

/// A whole number of any size: its sign and its magnitude in 32-bit limbs, the least significant first.
///
/// Here is what values need: two's complement and decimal digits, either way, and comparison. Conversions cost the square
/// of the size, which `ValueValidator.maximumIntegerByteCount` and `maximumDigitCount` bound.
package struct BigInteger: Hashable, Sendable {
    /// How many digits a literal may have.
    static let maximumDigitCount = 65_536

    package private(set) var isNegative: Bool
    /// Without zero limbs at the end; empty for zero.
    private(set) var limbs: [UInt32]

    /// - Parameter limbs: the least significant first; zeros at the end are left out.
    init(isNegative: Bool, limbs: [UInt32]) {
        self.limbs = limbs
        while self.limbs.last == 0 { self.limbs.removeLast() }
        self.isNegative = isNegative && !self.limbs.isEmpty
    }

    /// - Parameter twosComplement: big-endian; empty means zero.
    package init(twosComplement bytes: RawSpan) {
        let count: Int = bytes.byteCount
        self.isNegative = count > 0 && bytes.byte(at: 0) >= 0x80
        let fill: UInt8 = isNegative ? 0xFF : 0
        var carry: UInt64 = isNegative ? 1 : 0
        var limbs: [UInt32] = []
        limbs.reserveCapacity(count / 4 + 1)
        var end = count
        while end > 0 {
            var limb: UInt32 = 0
            for place in 0..<4 {
                let offset: Int = end - 1 - place
                let byte: UInt8 = (offset >= 0 ? bytes.byte(at: offset) : fill) ^ fill
                limb |= UInt32(byte) << UInt32(place * 8)
            }
            let sum: UInt64 = UInt64(limb) + carry
            limbs.append(UInt32(truncatingIfNeeded: sum))
            carry = sum >> 32
            end -= 4
        }
        if carry > 0 { limbs.append(1) }
        while limbs.last == 0 { limbs.removeLast() }
        self.limbs = limbs
    }

    /// - Parameter digits: numbers 0 to 9, the most significant first; none means zero.
    init(isNegative: Bool, digits: some Collection<UInt8>) {
        var limbs: [UInt32] = []
        limbs.reserveCapacity(digits.count / 9 + 1)
        var chunk: UInt64 = 0
        var power: UInt64 = 1
        func absorb(_ limbs: inout [UInt32]) {
            var carry: UInt64 = chunk
            for index in limbs.indices {
                let product: UInt64 = UInt64(limbs[index]) &* power &+ carry
                limbs[index] = UInt32(truncatingIfNeeded: product)
                carry = product >> 32
            }
            if carry > 0 { limbs.append(UInt32(truncatingIfNeeded: carry)) }
        }
        for digit in digits {
            chunk = chunk * 10 + UInt64(digit)
            power *= 10
            if power == 1_000_000_000 {
                absorb(&limbs)
                chunk = 0
                power = 1
            }
        }
        if power > 1 { absorb(&limbs) }
        self.limbs = limbs
        self.isNegative = isNegative && !limbs.isEmpty
    }

    /// The shortest two's complement, big-endian; at least one byte.
    package var twosComplement: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(limbs.count * 4 + 1)
        var carry: UInt64 = isNegative ? 1 : 0
        for limb in limbs {
            let sum: UInt64 = UInt64(isNegative ? ~limb : limb) + carry
            carry = sum >> 32
            for place in 0..<4 { bytes.append(UInt8(truncatingIfNeeded: sum >> UInt64(place * 8))) }
        }
        bytes.append(isNegative ? 0xFF : 0)
        bytes.reverse()
        return [UInt8](copying: BigInteger.shortest(bytes.span.bytes))
    }

    /// The digits of the magnitude, 0 to 9, the most significant first; none for zero.
    var digits: [UInt8] {
        var rest: [UInt32] = limbs
        var reversed: [UInt8] = []
        reversed.reserveCapacity(limbs.count * 10)
        while !rest.isEmpty {
            var remainder: UInt64 = 0
            for index in rest.indices.reversed() {
                let dividend: UInt64 = remainder << 32 | UInt64(rest[index])
                let quotient: UInt64 = dividend / 1_000_000_000
                remainder = dividend &- quotient &* 1_000_000_000
                rest[index] = UInt32(truncatingIfNeeded: quotient)
            }
            while rest.last == 0 { rest.removeLast() }
            for _ in 0..<9 {
                reversed.append(UInt8(truncatingIfNeeded: remainder % 10))
                remainder /= 10
            }
        }
        while reversed.last == 0 { reversed.removeLast() }
        reversed.reverse()
        return reversed
    }

    /// The number in decimal digits.
    package var text: String { (isNegative ? "-" : "") + BigInteger.text(digits) }

    /// Reads an optional sign and decimal digits; nil for anything else and for more than `maximumDigitCount` digits.
    package init?(text: String) {
        var digits = Substring(text).utf8
        var isNegative = false
        if let sign = digits.first, sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") {
            isNegative = sign == UInt8(ascii: "-")
            digits = digits.dropFirst()
        }
        guard let values = BigInteger.digitValues(digits), !values.isEmpty else { return nil }
        self.init(isNegative: isNegative, digits: values)
    }

    static func text(_ digits: [UInt8]) -> String {
        digits.isEmpty ? "0" : String(decoding: digits.map { $0 + UInt8(ascii: "0") }, as: UTF8.self)
    }

    /// The values of decimal digits; nil when there is anything else or too many.
    static func digitValues(_ text: some Collection<UInt8>) -> [UInt8]? {
        guard text.count <= maximumDigitCount else { return nil }
        var values: [UInt8] = []
        values.reserveCapacity(text.count)
        for character in text {
            guard character >= UInt8(ascii: "0"), character <= UInt8(ascii: "9") else { return nil }
            values.append(character - UInt8(ascii: "0"))
        }
        return values
    }

    // MARK: Two's complement as it lies in a value

    /// Leaves out leading bytes that only repeat the sign.
    @_lifetime(copy bytes)
    static func shortest(_ bytes: RawSpan) -> RawSpan {
        var start = 0
        while start + 1 < bytes.byteCount {
            let first: UInt8 = bytes.byte(at: start)
            let isNextNegative: Bool = bytes.byte(at: start + 1) >= 0x80
            guard first == 0 && !isNextNegative || first == 0xFF && isNextNegative else { break }
            start += 1
        }
        return bytes.extracting(start..<bytes.byteCount)
    }

    /// Compares two numbers of at least one byte each.
    static func order(_ left: RawSpan, _ right: RawSpan) -> Int {
        let first: RawSpan = shortest(left)
        let second: RawSpan = shortest(right)
        let isNegative: Bool = first.byte(at: 0) >= 0x80
        if isNegative != (second.byte(at: 0) >= 0x80) { return isNegative ? -1 : 1 }
        if first.byteCount != second.byteCount { return (first.byteCount < second.byteCount) != isNegative ? -1 : 1 }
        return first.order(against: second)
    }

    /// The shortest two's complement of a number.
    static func bytes(of number: Int64) -> [UInt8] {
        var bytes: [UInt8] = []
        for place in 0..<8 { bytes.append(UInt8(truncatingIfNeeded: number >> Int64(56 - place * 8))) }
        return [UInt8](copying: shortest(bytes.span.bytes))
    }

    /// The number, when its bytes are eight or fewer; empty means zero.
    static func int64(_ bytes: RawSpan) -> Int64? {
        guard bytes.byteCount <= 8 else { return nil }
        guard bytes.byteCount > 0 else { return 0 }
        var number: Int64 = Int64(Int8(bitPattern: bytes.byte(at: 0)))
        for offset in 1..<max(1, bytes.byteCount) { number = number << 8 | Int64(bytes.byte(at: offset)) }
        return number
    }
}
