import DataModel

/// Times as the shell prints them, always in UTC.
enum ClockText {
    private static let microsecondsPerDay: Int64 = 86_400_000_000

    /// `2015-06-10 12:00:00.000000`; nil for years that have not four digits.
    static func dateAndTime(microseconds: Int64) -> String? {
        var days: Int64 = microseconds / microsecondsPerDay
        var ofDay: Int64 = microseconds % microsecondsPerDay
        if ofDay < 0 {
            ofDay += microsecondsPerDay
            days -= 1
        }
        let date = CivilDate(daysSinceEpoch: Int(days))
        guard (1...9_999).contains(date.year) else { return nil }
        let seconds: Int64 = ofDay / 1_000_000
        let day: String = "\(padded(Int64(date.year), 4))-\(padded(Int64(date.month), 2))-\(padded(Int64(date.day), 2))"
        let clock: String = "\(padded(seconds / 3_600, 2)):\(padded(seconds / 60 % 60, 2)):\(padded(seconds % 60, 2))"
        return "\(day) \(clock).\(padded(ofDay % 1_000_000, 6))"
    }

    /// `2015-06-10 12:00:00.000000+0000`, or the number itself when it is beyond the years 1 to 9999.
    static func timestamp(milliseconds: Int64) -> String {
        let (microseconds, isTooLarge) = milliseconds.multipliedReportingOverflow(by: 1_000)
        guard !isTooLarge, let text = dateAndTime(microseconds: microseconds) else { return String(milliseconds) }
        return text + "+0000"
    }

    private static func padded(_ number: Int64, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}
