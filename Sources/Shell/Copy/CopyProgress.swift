import Environment

/// Counts what a COPY has done and says how fast it is.
struct CopyProgress {
    private let time: any TimeSource
    private let isShown: Bool
    private let reportNanoseconds: UInt64
    private let startedNanoseconds: UInt64
    private var reportedNanoseconds: UInt64
    private var reportedCount = 0
    var rowCount = 0

    init(_ options: CopyOptions, _ time: any TimeSource, isShown: Bool) {
        self.time = time
        self.isShown = isShown
        self.reportNanoseconds = UInt64(min(options.reportSeconds, 1e6) * 1e9)
        self.startedNanoseconds = time.monotonicNanoseconds
        self.reportedNanoseconds = startedNanoseconds
    }

    /// How many rows are done, if it is time to say so.
    mutating func report() -> String? {
        guard isShown, reportNanoseconds > 0 else { return nil }
        let now: UInt64 = time.monotonicNanoseconds
        guard now &- reportedNanoseconds >= reportNanoseconds else { return nil }
        let rate: Int = CopyProgress.rate(rowCount - reportedCount, now &- reportedNanoseconds)
        reportedNanoseconds = now
        reportedCount = rowCount
        return line(rate)
    }

    /// The line that stays; an empty one where no progress is shown.
    func lastReport() -> String {
        (isShown ? line(average) : "") + "\n"
    }

    private func line(_ rate: Int) -> String {
        "\rProcessed: \(rowCount) rows; Rate: \(padded(rate)) rows/s; Avg. rate: \(padded(average)) rows/s"
    }

    private var average: Int { CopyProgress.rate(rowCount, time.monotonicNanoseconds &- startedNanoseconds) }

    private func padded(_ number: Int) -> String {
        let digits = String(number)
        return String(repeating: " ", count: max(0, 7 - digits.count)) + digits
    }

    private static func rate(_ count: Int, _ nanoseconds: UInt64) -> Int {
        nanoseconds == 0 ? 0 : Int(Double(count) * 1e9 / Double(nanoseconds))
    }

    /// How long it has taken so far, such as `1 minute and 2.345 seconds`.
    var duration: String {
        let milliseconds = Int((time.monotonicNanoseconds &- startedNanoseconds) / 1_000_000)
        let minutes: Int = milliseconds / 60_000
        let thousandths = String(1_000 + milliseconds % 1_000).dropFirst()
        let seconds = "\(milliseconds / 1_000 % 60).\(thousandths) seconds"
        return minutes == 0 ? seconds : "\(minutes) minute\(minutes == 1 ? "" : "s") and \(seconds)"
    }

    /// How long to wait so that no more than `limit` rows a second are done.
    func pause(limit: Int) -> Duration? {
        guard limit > 0 else { return nil }
        let due: UInt64 = UInt64(rowCount) &* 1_000_000_000 / UInt64(limit)
        let passed: UInt64 = time.monotonicNanoseconds &- startedNanoseconds
        return due > passed &+ 1_000_000 ? .nanoseconds(Int64(due &- passed)) : nil
    }
}
