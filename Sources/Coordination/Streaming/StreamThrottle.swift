/// Keeps what is sent below a rate: a bucket that may be overdrawn for a moment.
///
/// Confined to one loop. Whoever sends pays first and waits for as long as `pay` says.
package struct StreamThrottle: Sendable {
    /// 0 for no limit.
    package var bytesPerSecond: Int
    /// When what was paid for so far will have been sent at the rate.
    private var paidUntilNanoseconds: UInt64 = 0

    /// What may be sent at once after a time without any.
    private static let burstNanoseconds: UInt64 = 100_000_000
    /// Nobody is made to wait longer: a request that would have to is refused and comes again.
    private static let longestWaitNanoseconds: UInt64 = 4_000_000_000

    package init(bytesPerSecond: Int) {
        self.bytesPerSecond = max(0, bytesPerSecond)
    }

    /// How large one answer may be, so that its wait is short: a quarter of a second's worth.
    package func limit(_ byteCount: Int) -> Int {
        bytesPerSecond == 0 ? byteCount : min(byteCount, max(4 << 10, bytesPerSecond / 4))
    }

    /// Pays for bytes. Nil, and nothing is paid, when the wait would be too long.
    package mutating func pay(_ byteCount: Int, now: UInt64) -> Duration? {
        guard bytesPerSecond > 0, byteCount > 0 else { return .zero }
        let earliest: UInt64 = now > StreamThrottle.burstNanoseconds ? now - StreamThrottle.burstNanoseconds : 0
        let start: UInt64 = max(paidUntilNanoseconds, earliest)
        guard start <= now || start - now <= StreamThrottle.longestWaitNanoseconds else { return nil }
        let cost: Double = Double(byteCount) / Double(bytesPerSecond) * 1e9
        paidUntilNanoseconds = start &+ UInt64(min(cost, 3.6e12))
        return paidUntilNanoseconds > now ? .nanoseconds(Int64(clamping: paidUntilNanoseconds - now)) : .zero
    }
}
