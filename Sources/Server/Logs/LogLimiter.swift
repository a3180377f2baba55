/// Lets one line of a kind through in a while, and counts the others: what clients cause must not fill the log.
struct LogLimiter {
    private static let intervalNanoseconds: UInt64 = 10_000_000_000
    private var nextNanoseconds: UInt64 = 0
    private var suppressedCount = 0

    /// How many were kept back since the last line, when one may be written now; nil when not.
    mutating func admits(_ nowNanoseconds: UInt64) -> Int? {
        guard nowNanoseconds >= nextNanoseconds else {
            suppressedCount += 1
            return nil
        }
        defer { suppressedCount = 0 }
        nextNanoseconds = nowNanoseconds &+ LogLimiter.intervalNanoseconds
        return suppressedCount
    }
}
