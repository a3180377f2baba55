/// What partitions show of a logged batch once everything is quiet.
package struct BatchReading: Sendable {
    package let partition: Int
    package let isPresent: Bool

    package init(partition: Int, isPresent: Bool) {
        self.partition = partition
        self.isPresent = isPresent
    }
}

/// Holds what the partitions of a logged batch show at the end against each other: all of it happened, or none of it.
///
/// Whether it must have happened is for `QuorumVisibilityChecker` to say, row by row.
package struct BatchChecker: Sendable {
    package init() {}

    /// - Parameter history: what clients did with the batch, for whoever reads it.
    package func violation(_ readings: [BatchReading], of subject: String, history: [String]) -> Violation? {
        guard let first = readings.first, readings.contains(where: { $0.isPresent != first.isPresent }) else {
            return nil
        }
        let shown: [String] = readings.map { reading in
            "at the end: partition \(reading.partition) \(reading.isPresent ? "has its row" : "has no row of it")"
        }
        return Violation(
            .batchesAreWhole, subject: subject, reason: "a part of it happened, and a part did not",
            history: history + shown)
    }
}
