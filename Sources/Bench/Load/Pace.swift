/// When the requests of one connection are meant to be sent, whatever became of those before.
///
/// Latency that is counted from the intended time contains the wait of requests that could not be sent because the
/// server was slow; counted from the time of sending it would leave out just the slow moments (coordinated omission).
///
/// Hot: once for every request.
package struct Pace: Sendable {
    private let startNanoseconds: UInt64
    private let intervalNanoseconds: Double
    private var takenCount: UInt64 = 0

    /// - Parameters:
    ///   - startNanoseconds: when the first request is due.
    ///   - requestsPerSecond: of this connection.
    package init(startNanoseconds: UInt64, requestsPerSecond: Double) {
        self.startNanoseconds = startNanoseconds
        self.intervalNanoseconds = 1e9 / max(1e-6, requestsPerSecond)
    }

    /// When the next request is due.
    package var nextNanoseconds: UInt64 {
        startNanoseconds &+ UInt64(min(9e18, Double(takenCount) * intervalNanoseconds))
    }

    /// Takes the next request if it is due, and returns its intended time.
    package mutating func take(at now: UInt64) -> UInt64? {
        let due: UInt64 = nextNanoseconds
        guard due <= now else { return nil }
        takenCount &+= 1
        return due
    }

    /// How many requests are due and have not been taken.
    package func backlog(at now: UInt64) -> Int {
        guard now >= startNanoseconds else { return 0 }
        let due: Double = (Double(now &- startNanoseconds) / intervalNanoseconds).rounded(.down) + 1
        return max(0, Int(min(9e15, due)) - Int(clamping: takenCount))
    }
}
