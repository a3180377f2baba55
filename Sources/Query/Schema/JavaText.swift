/// Numbers and lists in the spelling of Java's standard library, in which Cassandra shows them and tools expect them.
enum JavaText {
    /// `Double.toString`: a fraction always, an exponent below 0.001 and from 10,000,000 on.
    static func double(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Infinity" : "Infinity" }
        let magnitude: Double = value.magnitude
        let digits: (digits: String, exponent: Int) = shortestDigits(magnitude)
        let sign: String = value.sign == .minus ? "-" : ""
        if magnitude == 0 { return sign + "0.0" }
        if magnitude >= 1e-3, magnitude < 1e7 { return sign + plain(digits.digits, exponent: digits.exponent) }
        let fraction: String = digits.digits.count > 1 ? String(digits.digits.dropFirst()) : "0"
        return "\(sign)\(digits.digits.prefix(1)).\(fraction)E\(digits.exponent)"
    }

    /// The number with at most `places` decimal places, without zeros at the end; half goes to the even neighbour.
    static func rounded(_ value: Double, places: Int) -> String {
        var scale = 1.0
        for _ in 0..<places { scale *= 10 }
        let text: String = double((value * scale).rounded(.toNearestOrEven) / scale)
        return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
    }

    /// The number with exactly three decimal places.
    static func thousandths(_ value: Double) -> String {
        let total = Int64((value * 1000).rounded(.toNearestOrAwayFromZero))
        let fraction = String(total.magnitude % 1000)
        let padding = String(repeating: "0", count: 3 - fraction.count)
        return "\(total < 0 ? "-" : "")\(total.magnitude / 1000).\(padding)\(fraction)"
    }

    /// `[a, b]`.
    static func list(_ items: [String]) -> String { "[" + items.joined(separator: ", ") + "]" }

    /// The shortest decimal digits that read back as `value`, and the power of ten of the first of them.
    private static func shortestDigits(_ value: Double) -> (digits: String, exponent: Int) {
        var mantissa: String = "\(value)"
        var exponent = 0
        if let mark = mantissa.firstIndex(of: "e") {
            exponent = Int(mantissa[mantissa.index(after: mark)...]) ?? 0
            mantissa = String(mantissa[..<mark])
        }
        let parts: [Substring] = mantissa.split(separator: ".", omittingEmptySubsequences: false)
        let whole: Substring = parts.first ?? "0"
        let fraction: Substring = parts.count > 1 ? parts[1] : ""
        exponent += whole.count - 1
        var digits = String(whole + fraction)
        while digits.count > 1, digits.hasPrefix("0") {
            digits.removeFirst()
            exponent -= 1
        }
        while digits.count > 1, digits.hasSuffix("0") { digits.removeLast() }
        return (digits, exponent)
    }

    private static func plain(_ digits: String, exponent: Int) -> String {
        if exponent < 0 { return "0." + String(repeating: "0", count: -exponent - 1) + digits }
        if digits.count <= exponent + 1 {
            return digits + String(repeating: "0", count: exponent + 1 - digits.count) + ".0"
        }
        return "\(digits.prefix(exponent + 1)).\(digits.dropFirst(exponent + 1))"
    }
}
