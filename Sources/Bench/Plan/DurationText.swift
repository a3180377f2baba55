/// Durations as people write them.
package enum DurationText {
    /// A number with `us`, `ms`, `s`, `m` or `h`; without a unit, seconds. Nil for anything else.
    package static func parse(_ text: String) -> Duration? {
        let digits: Substring = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        guard let number = Double(digits), number.isFinite else { return nil }
        let factor: Double
        switch text.dropFirst(digits.count) {
        case "", "s": factor = 1
        case "us": factor = 1e-6
        case "ms": factor = 1e-3
        case "m": factor = 60
        case "h": factor = 3_600
        default: return nil
        }
        let seconds: Double = number * factor
        // Longer than a year is a mistake, and must not leave the range of what it is converted to.
        guard seconds <= 31_536_000 else { return nil }
        return .nanoseconds(Int64(seconds * 1e9))
    }
}
