/// What the wall clock of a machine has shown and when, as a run sets it wrong.
///
/// A clock runs evenly from one change to the next, so that what it has shown between two moments lies between what it
/// shows at these and at the changes in between.
package struct WallClockRecord: Sendable {
    private struct Reading: Sendable {
        let nanoseconds: UInt64
        let microseconds: Int64
    }

    /// Ascending; a change has two readings, one before and one after it.
    private var readings: [Reading] = []

    package init() {}

    /// Notes what the clock shows at a moment of virtual time: at the beginning, before and after every change, and at
    /// the end.
    package mutating func note(_ microseconds: Int64, at nanoseconds: UInt64) {
        readings.append(Reading(nanoseconds: nanoseconds, microseconds: microseconds))
    }

    /// The whole seconds that the clock may have shown between two moments; nil when nothing was noted.
    package func seconds(from start: UInt64, to end: UInt64) -> ClosedRange<Int64>? {
        var shown: [Int64] = readings.filter { start <= $0.nanoseconds && $0.nanoseconds <= end }.map(\.microseconds)
        for moment in [start, end] {
            guard let reading = reading(at: moment) else { return nil }
            shown.append(reading)
        }
        guard let low = shown.min(), let high = shown.max() else { return nil }
        // Readings between two that were noted are rounded.
        return (low - 2) / 1_000_000...(high + 2) / 1_000_000
    }

    private func reading(at moment: UInt64) -> Int64? {
        guard let before = readings.last(where: { $0.nanoseconds <= moment }) else {
            return readings.first?.microseconds
        }
        guard let after = readings.first(where: { $0.nanoseconds > moment }) else {
            // Nothing was noted later: it runs on as virtual time does.
            return before.microseconds + Int64((moment - before.nanoseconds) / 1_000)
        }
        let whole = Double(after.nanoseconds - before.nanoseconds)
        let part: Double = whole > 0 ? Double(moment - before.nanoseconds) / whole : 0
        return before.microseconds + Int64(Double(after.microseconds - before.microseconds) * part)
    }
}
