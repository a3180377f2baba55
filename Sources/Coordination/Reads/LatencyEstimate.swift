/// Guesses from the last few hundred requests how long the slow ones take.
///
/// A pure value. One for all reads of a table on a shard.
package struct LatencyEstimate: Sendable {
    private static let sampleCount = 256
    /// How many new samples make the sorted copy worth renewing.
    private static let renewal = 32

    private var samples: [UInt64] = []
    private var next = 0
    private var sorted: [UInt64] = []
    private var newCount = 0

    package init() {}

    /// Takes note of a request that took so long, in nanoseconds.
    package mutating func add(_ nanoseconds: UInt64) {
        if samples.count < LatencyEstimate.sampleCount {
            samples.append(nanoseconds)
        } else {
            samples[next] = nanoseconds
            next = (next + 1) % LatencyEstimate.sampleCount
        }
        newCount += 1
    }

    /// What so many in a hundred requests did not exceed, in nanoseconds; nil before enough were seen.
    package mutating func percentile(_ percent: Double) -> UInt64? {
        if newCount >= LatencyEstimate.renewal {
            sorted = samples.sorted()
            newCount = 0
        }
        guard !sorted.isEmpty else { return nil }
        let place = Int((Double(sorted.count) * percent / 100).rounded(.down))
        return sorted[min(max(0, place), sorted.count - 1)]
    }
}
