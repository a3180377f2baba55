/// A `decimal` by its digits: ±0.d₁d₂d₃… × 10^exponent, with neither leading nor trailing zeros, so that equal numbers
/// are equal values whatever their scale.
struct DecimalNumber: Hashable, Sendable {
    /// More digits than the largest unscaled part has.
    static let maximumDigitCount = 80_000

    let isNegative: Bool
    /// Numbers 0 to 9; none for zero.
    let digits: [UInt8]
    let exponent: Int64

    /// - Parameter value: the bytes of a value: a scale of four bytes, then the unscaled number.
    init(_ value: RawSpan) {
        let scale = Int64(Int32(bitPattern: value.uint32(at: 0)))
        let unscaled: RawSpan = value.extracting(4..<value.byteCount)
        if let small = BigInteger.int64(unscaled) {
            self.init(isNegative: small < 0, digits: DecimalNumber.digits(of: small.magnitude), scale: scale)
        } else {
            let number = BigInteger(twosComplement: unscaled)
            self.init(isNegative: number.isNegative, digits: number.digits, scale: scale)
        }
    }

    /// - Parameter digits: without leading zeros.
    private init(isNegative: Bool, digits: [UInt8], scale: Int64) {
        self.init(isNegative: isNegative, digits: digits, exponent: Int64(digits.count) - scale)
    }

    init(isNegative: Bool, digits: [UInt8], exponent: Int64) {
        var kept: [UInt8] = digits
        while kept.last == 0 { kept.removeLast() }
        self.digits = kept
        self.isNegative = isNegative && !kept.isEmpty
        self.exponent = kept.isEmpty ? 0 : exponent
    }

    /// The bytes of the value with the smallest scale that has no trailing zeros; nil when no scale is small or large
    /// enough.
    var valueBytes: [UInt8]? {
        let (wanted, isOutside) = Int64(digits.count).subtractingReportingOverflow(exponent)
        guard !isOutside, wanted <= Int64(Int32.max) else { return nil }
        var unscaled: [UInt8] = digits
        var scale: Int64 = wanted
        if scale < Int64(Int32.min) {
            let (padding, isTooFar) = Int64(Int32.min).subtractingReportingOverflow(scale)
            guard !isTooFar, padding <= Int64(DecimalNumber.maximumDigitCount) else { return nil }
            unscaled += [UInt8](repeating: 0, count: Int(padding))
            scale = Int64(Int32.min)
        }
        let bits = UInt32(bitPattern: Int32(truncatingIfNeeded: scale))
        let number = BigInteger(isNegative: isNegative, digits: unscaled)
        return [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: bits >> $0) } + number.twosComplement
    }

    /// Compares the bytes of two values of at least four bytes each.
    static func order(_ left: RawSpan, _ right: RawSpan) -> Int {
        let limit: Int = ValueValidator.maximumIntegerByteCount + 4
        guard left.byteCount <= limit, right.byteCount <= limit else { return left.order(against: right) }
        if left.uint32(at: 0) == right.uint32(at: 0),
            let first = BigInteger.int64(left.extracting(4..<left.byteCount)),
            let second = BigInteger.int64(right.extracting(4..<right.byteCount))
        {
            return first == second ? 0 : first < second ? -1 : 1
        }
        return DecimalNumber(left).order(DecimalNumber(right))
    }

    func order(_ other: DecimalNumber) -> Int {
        if isNegative != other.isNegative { return isNegative ? -1 : 1 }
        let direction: Int = isNegative ? -1 : 1
        if digits.isEmpty || other.digits.isEmpty {
            return digits.isEmpty == other.digits.isEmpty ? 0 : digits.isEmpty ? -direction : direction
        }
        if exponent != other.exponent { return exponent < other.exponent ? -direction : direction }
        return digits.span.bytes.order(against: other.digits.span.bytes) * direction
    }

    private static func digits(of number: UInt64) -> [UInt8] {
        var rest: UInt64 = number
        var reversed: [UInt8] = []
        while rest > 0 {
            reversed.append(UInt8(truncatingIfNeeded: rest % 10))
            rest /= 10
        }
        reversed.reverse()
        return reversed
    }
}

/// The text of `decimal` values, which keeps their scale.
enum DecimalText {
    /// The scale up to which a number is written out in full; beyond it the exponent is written, since the zeros could
    /// be billions.
    static let plainScaleLimit = 100

    /// Reads `[+-]digits[.digits][E[+-]digits]` into the bytes of a value; nil for anything else.
    static func valueBytes(_ text: String) -> [UInt8]? {
        var rest = Substring(text).utf8
        guard rest.count <= BigInteger.maximumDigitCount + 32 else { return nil }
        var isNegative = false
        if let sign = rest.first, sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") {
            isNegative = sign == UInt8(ascii: "-")
            rest = rest.dropFirst()
        }
        var exponent: Int64 = 0
        if let mark = rest.firstIndex(where: { $0 | 0x20 == UInt8(ascii: "e") }) {
            guard let written = Int64(String(Substring(rest[rest.index(after: mark)...]))) else { return nil }
            exponent = written
            rest = rest[..<mark]
        }
        var fraction = rest[rest.endIndex...]
        if let point = rest.firstIndex(of: UInt8(ascii: ".")) {
            fraction = rest[rest.index(after: point)...]
            rest = rest[..<point]
        }
        guard let whole = BigInteger.digitValues(rest), let places = BigInteger.digitValues(fraction),
            whole.count + places.count > 0, whole.count + places.count <= BigInteger.maximumDigitCount
        else { return nil }
        let (wide, isOutside) = Int64(places.count).subtractingReportingOverflow(exponent)
        guard !isOutside, let scale = Int32(exactly: wide) else { return nil }
        let bits = UInt32(bitPattern: scale)
        let unscaled = BigInteger(isNegative: isNegative, digits: whole + places)
        return [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: bits >> $0) } + unscaled.twosComplement
    }

    /// - Parameter value: at least four bytes.
    static func text(_ value: RawSpan) -> String {
        let scale = Int(Int32(bitPattern: value.uint32(at: 0)))
        let number = BigInteger(twosComplement: value.extracting(4..<value.byteCount))
        let sign: String = number.isNegative ? "-" : ""
        let digits: [UInt8] = number.digits
        if abs(scale) > plainScaleLimit { return sign + scientific(digits, scale: scale) }
        if scale <= 0 {
            return digits.isEmpty ? "0" : sign + BigInteger.text(digits + [UInt8](repeating: 0, count: -scale))
        }
        let padded: [UInt8] = [UInt8](repeating: 0, count: max(0, scale + 1 - digits.count)) + digits
        let point: Int = padded.count - scale
        return sign + BigInteger.text(Array(padded[..<point])) + "." + BigInteger.text(Array(padded[point...]))
    }

    private static func scientific(_ digits: [UInt8], scale: Int) -> String {
        let written: [UInt8] = digits.isEmpty ? [0] : digits
        let exponent: Int = written.count - 1 - scale
        let tail: String = written.count > 1 ? "." + BigInteger.text(Array(written[1...])) : ""
        return BigInteger.text([written[0]]) + tail + "E" + (exponent < 0 ? "" : "+") + String(exponent)
    }
}
