internal import CQL

/// The grammar of `speculative_retry` and `additional_write_policy`:
///
///     ALWAYS │ NEVER │ NONE │ 99p │ 99percentile │ 50ms │ MIN(99p,50ms) │ MAX(99p,50ms)
enum SpeculativeRetryText {
    private enum Policy {
        case percentile(String)
        case fixed(String)

        var text: String {
            switch self {
            case .percentile(let text), .fixed(let text): text
            }
        }

        var kind: String {
            switch self {
            case .percentile: "PERCENTILE"
            case .fixed: "FIXED"
            }
        }
    }

    /// The policy in the spelling that is kept and shown: `99.0PERCENTILE` becomes `99p`.
    static func normalized(_ text: String) throws(CQLError) -> String {
        let upper: String = text.uppercased()
        if upper == "ALWAYS" { return "ALWAYS" }
        if upper == "NEVER" || upper == "NONE" { return "NEVER" }
        if let single = try single(text) { return single.text }
        guard upper.hasPrefix("MIN(") || upper.hasPrefix("MAX("), upper.hasSuffix(")") else { throw invalid(text) }
        let inner: Substring = text.dropFirst(4).dropLast()
        let arguments: [Substring] = inner.split(separator: ",", omittingEmptySubsequences: false)
        guard arguments.count == 2 else { throw invalid(text) }
        let first: Policy? = try? single(trimmedEnd(arguments[0]))
        let second: Policy? = try? single(trimmedStart(arguments[1]))
        guard let first, let second else { throw invalid(text) }
        guard first.kind != second.kind else {
            throw .configError(
                message: "Invalid value \(text) for option 'speculative_retry': MIN()/MAX() arguments should be of "
                    + "different types, but both are of type \(first.kind)")
        }
        let (percentile, fixed): (Policy, Policy) = first.kind == "PERCENTILE" ? (first, second) : (second, first)
        return "\(upper.prefix(3))(\(percentile.text),\(fixed.text))"
    }

    /// A percentile or a time; nil when the text has the form of neither.
    private static func single(_ text: String) throws(CQLError) -> Policy? {
        let lower: String = text.lowercased()
        for suffix in ["percentile", "ms", "p"] where lower.hasSuffix(suffix) {
            let number: Substring = lower.dropLast(suffix.count)
            guard !number.isEmpty, number.utf8.allSatisfy({ isDigitOrDot($0) }) else { return nil }
            guard let value = Double(number.hasSuffix(".") ? number + "0" : number) else { throw invalid(text) }
            if suffix == "ms" { return .fixed("\(Int32(clamping: Int64(min(value, 4e9))))ms") }
            guard value > 0, value < 100 else {
                throw .configError(
                    message: "Invalid value \(text) for PERCENTILE option 'speculative_retry': "
                        + "must be between (0.0 and 100.0)")
            }
            return .percentile(JavaText.rounded(value, places: 4) + "p")
        }
        return nil
    }

    private static func isDigitOrDot(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: ".") || (byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9"))
    }

    private static func trimmedEnd(_ text: Substring) -> String {
        var text = text
        while let last = text.last, last.isWhitespace { text.removeLast() }
        return String(text)
    }

    private static func trimmedStart(_ text: Substring) -> String { String(text.drop { $0.isWhitespace }) }

    private static func invalid(_ text: String) -> CQLError {
        .configError(message: "Invalid value \(text) for option 'speculative_retry'")
    }
}
