/// Durations and moments, which are milliseconds since 1970-01-01 in UTC.
extension CQLDuration {
    private static let millisecondsPerDay: Int64 = 86_400_000
    private static let nanosecondsPerMillisecond: Int64 = 1_000_000

    package var isNegative: Bool { months < 0 || days < 0 || nanoseconds < 0 }
    package var hasDayPrecision: Bool { nanoseconds == 0 }
    package var hasMillisecondPrecision: Bool { nanoseconds % CQLDuration.nanosecondsPerMillisecond == 0 }

    /// The moment that is this much later; months go by the calendar and end at the last day of a shorter one.
    ///
    /// What is beyond the range of moments wraps.
    package func added(to milliseconds: Int64) -> Int64 {
        let moved: Int64 = months == 0 ? milliseconds : CQLDuration.adding(months: Int(months), to: milliseconds)
        return moved &+ Int64(days) &* CQLDuration.millisecondsPerDay &+ nanoseconds
            / CQLDuration.nanosecondsPerMillisecond
    }

    /// The moment that is this much earlier.
    package func subtracted(from milliseconds: Int64) -> Int64 {
        let moved: Int64 = months == 0 ? milliseconds : CQLDuration.adding(months: -Int(months), to: milliseconds)
        return moved &- Int64(days) &* CQLDuration.millisecondsPerDay &- nanoseconds
            / CQLDuration.nanosecondsPerMillisecond
    }

    /// The last moment not after `milliseconds` that is a whole number of durations after `start`.
    ///
    /// - Parameter start: not after `milliseconds`.
    package func floor(_ milliseconds: Int64, from start: Int64) -> Int64 {
        let size: Int64 = fixedMilliseconds
        if months == 0 {
            if size == 0 { return milliseconds }
            let (distance, overflows) = milliseconds.subtractingReportingOverflow(start)
            return overflows ? milliseconds : milliseconds - distance % size
        }
        let (year, month) = CQLDuration.month(of: milliseconds)
        let (startYear, startMonth) = CQLDuration.month(of: start)
        let distance: Int = (year - startYear) * 12 + (month - startMonth)
        // The days of the duration can only make it less than the months alone say. Times the days, it would overshoot
        // by the more the longer the distance: halving finds the last multiple that does not.
        var low = 0
        var high: Int = distance / Int(months)
        while low < high {
            let middle: Int = high - (high - low) / 2
            if multiple(middle, from: start) > milliseconds { high = middle - 1 } else { low = middle }
        }
        return max(start, multiple(low, from: start))
    }

    private func multiple(_ factor: Int, from start: Int64) -> Int64 {
        CQLDuration.adding(months: factor * Int(months), to: start) &+ Int64(factor) &* fixedMilliseconds
    }

    /// The days and nanoseconds.
    private var fixedMilliseconds: Int64 {
        Int64(days) &* CQLDuration.millisecondsPerDay &+ nanoseconds / CQLDuration.nanosecondsPerMillisecond
    }

    private static func day(of milliseconds: Int64) -> (days: Int, rest: Int64) {
        let rest: Int64 = milliseconds % millisecondsPerDay
        let ofDay: Int64 = rest < 0 ? rest + millisecondsPerDay : rest
        return (Int(milliseconds / millisecondsPerDay) - (rest < 0 ? 1 : 0), ofDay)
    }

    private static func month(of milliseconds: Int64) -> (year: Int, month: Int) {
        let date = CivilDate(daysSinceEpoch: day(of: milliseconds).days)
        return (date.year, date.month)
    }

    private static func adding(months: Int, to milliseconds: Int64) -> Int64 {
        let (days, rest) = day(of: milliseconds)
        var date = CivilDate(daysSinceEpoch: days)
        let count: Int = date.year * 12 + date.month - 1 + months
        let year: Int = count >= 0 ? count / 12 : (count - 11) / 12
        date.year = year
        date.month = count - year * 12 + 1
        date.day = min(date.day, CivilDate.dayCount(month: date.month, year: year))
        return Int64(date.daysSinceEpoch) &* millisecondsPerDay &+ rest
    }
}
