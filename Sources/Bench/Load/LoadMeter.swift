import Histogram

/// What one loop has counted. Owned by the loop; handed over as a whole.
struct LoadCounts: Sendable {
    /// Nothing is awaited longer; longer latencies count as this.
    static let longestNanoseconds: UInt64 = 3_600_000_000_000
    /// Different errors that are told apart; further ones are only counted.
    static let errorKindLimit = 16

    /// Latencies of successful requests in nanoseconds.
    var latencies = Histogram<UInt64>(highestTrackableValue: LoadCounts.longestNanoseconds)
    var completedCount = 0
    var errorCount = 0
    /// Reads that found no row.
    var missingCount = 0
    var errorKinds: [String: Int] = [:]

    /// Hot: once for every successful request.
    mutating func record(_ nanoseconds: UInt64) {
        latencies.record(min(nanoseconds, LoadCounts.longestNanoseconds))
        completedCount &+= 1
    }

    mutating func noteError(_ words: String, count: Int = 1) {
        errorCount += count
        if errorKinds[words] == nil, errorKinds.count >= LoadCounts.errorKindLimit { return }
        errorKinds[words, default: 0] += count
    }

    mutating func add(_ other: LoadCounts) {
        latencies.add(other.latencies)
        completedCount += other.completedCount
        errorCount += other.errorCount
        missingCount += other.missingCount
        for (words, count) in other.errorKinds
        where errorKinds[words] != nil || errorKinds.count < LoadCounts.errorKindLimit {
            errorKinds[words, default: 0] += count
        }
    }
}

/// Counts for the connections of one loop. Confined to it.
///
/// `Sendable` is unchecked because only code on the loop touches what changes.
final class LoadMeter: @unchecked Sendable {
    var counts = LoadCounts()

    /// Hands over what was counted since the last time.
    func take() -> LoadCounts {
        let taken: LoadCounts = counts
        counts = LoadCounts()
        return taken
    }
}
