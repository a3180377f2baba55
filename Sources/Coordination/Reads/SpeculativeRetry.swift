/// When a read asks one more replica than its level needs (the table option `speculative_retry`).
public indirect enum SpeculativeRetry: Sendable, Hashable {
    case never
    /// At once.
    case always
    case percentile(Double)
    case milliseconds(Double)
    case earlier(SpeculativeRetry, SpeculativeRetry)
    case later(SpeculativeRetry, SpeculativeRetry)

    /// Reads the option as Cassandra writes it: `99p`, `99PERCENTILE`, `50ms`, `MIN(99p,50ms)`, `ALWAYS`, `NEVER`.
    /// What is none of these counts as `99p`, the option's default: the schema has checked it.
    package init(_ text: String) {
        let word: String = text.uppercased().filter { $0 != " " }
        switch word {
        case "ALWAYS": self = .always
        case "NEVER", "NONE": self = .never
        default: self = SpeculativeRetry.composed(word) ?? SpeculativeRetry.simple(word) ?? .percentile(99)
        }
    }

    private static func composed(_ word: String) -> SpeculativeRetry? {
        guard word.hasSuffix(")"), let open = word.firstIndex(of: "(") else { return nil }
        let inside: Substring = word[word.index(after: open)...].dropLast()
        let parts: [Substring] = inside.split(separator: ",")
        guard parts.count == 2, let first = simple(String(parts[0])), let second = simple(String(parts[1])) else {
            return nil
        }
        switch word[..<open] {
        case "MIN": return .earlier(first, second)
        case "MAX": return .later(first, second)
        default: return nil
        }
    }

    private static func simple(_ word: String) -> SpeculativeRetry? {
        for ending in ["PERCENTILE", "P"] where word.hasSuffix(ending) {
            return Double(word.dropLast(ending.count)).map(SpeculativeRetry.percentile)
        }
        return word.hasSuffix("MS") ? Double(word.dropLast(2)).map(SpeculativeRetry.milliseconds) : nil
    }

    /// How long to wait before asking one more, in nanoseconds; nil for never.
    package func delay(_ latencies: inout LatencyEstimate) -> UInt64? {
        switch self {
        case .never: return nil
        case .always: return 0
        case .percentile(let percent): return latencies.percentile(percent)
        case .milliseconds(let count): return UInt64(max(0, min(count, 3_600_000)) * 1_000_000)
        case .earlier(let a, let b):
            guard let first = a.delay(&latencies) else { return b.delay(&latencies) }
            return min(first, b.delay(&latencies) ?? first)
        case .later(let a, let b):
            guard let first = a.delay(&latencies) else { return b.delay(&latencies) }
            return max(first, b.delay(&latencies) ?? first)
        }
    }
}
