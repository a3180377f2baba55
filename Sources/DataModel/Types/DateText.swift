/// The text of `date` values: days since 1970-01-01, stored as unsigned with 2³¹ in the middle.
package enum DateText {
    /// Reads `yyyy-mm-dd`, or the stored number of days, which is 2³¹ for 1970-01-01.
    ///
    /// - Returns: the stored number.
    package static func days(_ text: String) throws(InvalidValue) -> UInt32 {
        if DateScanner.isInteger(text) {
            guard let days = UInt32(text) else {
                throw InvalidValue("Unable to make unsigned int (for date) from: '\(text)'")
            }
            return days
        }
        var scanner = DateScanner(text)
        guard let date = scanner.date(), scanner.isAtEnd, let days = Int32(exactly: date.daysSinceEpoch) else {
            throw InvalidValue("Unable to coerce '\(text)' to a formatted date (long)")
        }
        return UInt32(bitPattern: days) ^ 0x8000_0000
    }

    package static func text(_ days: UInt32) -> String {
        CivilDate(daysSinceEpoch: Int(Int32(bitPattern: days ^ 0x8000_0000))).text(marksLongYears: true)
    }
}

/// Nanoseconds since midnight.
package enum TimeOfDay {
    package static let nanosecondsPerDay: Int64 = 86_400_000_000_000

    /// Reads `hh:mm:ss[.fffffffff]`, or the number of nanoseconds.
    package static func nanoseconds(_ text: String) throws(InvalidValue) -> Int64 {
        if DateScanner.isInteger(text) {
            guard let number = Int64(text), number >= 0, number < nanosecondsPerDay else {
                throw InvalidValue("Unable to make long (for time) from: '\(text)'")
            }
            return number
        }
        guard let number = parse(text) else {
            throw InvalidValue("(TimeType) Unable to coerce '\(text)' to a formatted time (long)")
        }
        return number
    }

    private static func parse(_ text: String) -> Int64? {
        var scanner = DateScanner(trimmed(text))
        guard let hour = scanner.digits(1...2), hour < 24, scanner.accept(":"), let minute = scanner.digits(1...2),
            minute < 60, scanner.accept(":"), let second = scanner.digits(1...2), second < 60
        else { return nil }
        var fraction = 0
        if scanner.accept(".") {
            guard let read = scanner.fraction(places: 9, atMost: 9) else { return nil }
            fraction = read
        }
        guard scanner.isAtEnd else { return nil }
        return Int64((hour * 60 + minute) * 60 + second) * 1_000_000_000 + Int64(fraction)
    }

    package static func text(_ nanoseconds: Int64) -> String {
        let seconds = Int(nanoseconds / 1_000_000_000)
        return clock(seconds) + "." + CivilDate.padded(Int(nanoseconds % 1_000_000_000), 9)
    }

    /// `hh:mm:ss` of a number of seconds since midnight.
    static func clock(_ seconds: Int) -> String {
        let hours: String = CivilDate.padded(seconds / 3_600, 2)
        let minutes: String = CivilDate.padded(seconds / 60 % 60, 2)
        return "\(hours):\(minutes):\(CivilDate.padded(seconds % 60, 2))"
    }

    private static func trimmed(_ text: String) -> Substring {
        var rest = Substring(text)
        while let first = rest.utf8.first, first <= 0x20 { rest = rest.dropFirst() }
        while let last = rest.utf8.last, last <= 0x20 { rest = rest.dropLast() }
        return rest
    }
}

/// Milliseconds since 1970-01-01 00:00 UTC.
package enum TimestampText {
    private static let millisecondsPerDay: Int64 = 86_400_000

    /// Reads a number of milliseconds, or `yyyy-mm-dd[( |T)HH:MM[:SS[.fff]]][ ][zone]`; without a zone it is UTC.
    ///
    /// A zone is `Z`, `±HH`, `±HHMM`, `±HH:MM`, or one of the names of RFC 822.
    package static func milliseconds(_ text: String) throws(InvalidValue) -> Int64 {
        if DateScanner.isInteger(text) {
            guard let number = Int64(text) else {
                throw InvalidValue("Unable to make long (for date) from: '\(text)'")
            }
            return number
        }
        guard let number = parse(text) else {
            throw InvalidValue("Unable to coerce '\(text)' to a formatted date (long)")
        }
        return number
    }

    private static func parse(_ text: String) -> Int64? {
        var scanner = DateScanner(text)
        guard let date = scanner.date() else { return nil }
        var ofDay = 0
        var isBeforeZone = scanner.next == UInt8(ascii: " ")
        if scanner.accept("T") || isBeforeZone && scanner.accept(" ") {
            let isTime: Bool = scanner.next.map { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") } ?? false
            if isTime || !isBeforeZone {
                guard let read = timeOfDay(&scanner) else { return nil }
                ofDay = read
                isBeforeZone = scanner.accept(" ")
            }
        }
        var zone = 0
        if !scanner.isAtEnd {
            guard let read = zoneMinutes(&scanner), scanner.isAtEnd else { return nil }
            zone = read
        } else if isBeforeZone {
            return nil
        }
        let days: Int128 = Int128(date.daysSinceEpoch) * Int128(millisecondsPerDay)
        return Int64(exactly: days + Int128(ofDay - zone * 60_000))
    }

    /// Reads `HH:MM[:SS[.fff]]` into milliseconds.
    private static func timeOfDay(_ scanner: inout DateScanner) -> Int? {
        guard let hour = scanner.digits(1...2), hour < 24, scanner.accept(":"), let minute = scanner.digits(1...2),
            minute < 60
        else { return nil }
        var milliseconds: Int = (hour * 60 + minute) * 60_000
        guard scanner.accept(":") else { return milliseconds }
        guard let second = scanner.digits(1...2), second < 60 else { return nil }
        milliseconds += second * 1_000
        guard scanner.accept(".") else { return milliseconds }
        guard let fraction = scanner.fraction(places: 3, atMost: 9) else { return nil }
        return milliseconds + fraction
    }

    /// Reads a zone as minutes east of Greenwich.
    private static func zoneMinutes(_ scanner: inout DateScanner) -> Int? {
        let name: String = scanner.word()
        if !name.isEmpty {
            guard let hours = zoneHours[name] else { return nil }
            if scanner.isAtEnd { return hours * 60 }
            guard name == "GMT" || name == "UTC" else { return nil }
        }
        let isWest: Bool = scanner.accept("-")
        guard isWest || scanner.accept("+") else { return nil }
        guard let first = scanner.digits(1...4) else { return nil }
        var hours: Int = first
        var minutes = 0
        if scanner.accept(":") {
            guard let read = scanner.digits(2...2) else { return nil }
            minutes = read
        } else if first > 99 {
            hours = first / 100
            minutes = first % 100
        }
        guard hours <= 23, minutes < 60 else { return nil }
        return (hours * 60 + minutes) * (isWest ? -1 : 1)
    }

    private static let zoneHours: [String: Int] = [
        "Z": 0, "UT": 0, "UTC": 0, "GMT": 0, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6,
        "PST": -8, "PDT": -7, "WET": 0, "CET": 1, "CEST": 2, "EET": 2, "EEST": 3,
    ]

    /// `yyyy-mm-ddTHH:MM:SS.fffZ`, in UTC.
    ///
    /// - Parameter separator: what stands between date and time: `T` in CQL, a blank in JSON.
    package static func text(_ milliseconds: Int64, separator: String = "T") -> String {
        var days: Int64 = milliseconds / millisecondsPerDay
        var ofDay: Int64 = milliseconds % millisecondsPerDay
        if ofDay < 0 {
            ofDay += millisecondsPerDay
            days -= 1
        }
        let date: String = CivilDate(daysSinceEpoch: Int(days)).text(marksLongYears: false)
        let clock: String = TimeOfDay.clock(Int(ofDay / 1_000))
        return "\(date)\(separator)\(clock).\(CivilDate.padded(Int(ofDay % 1_000), 3))Z"
    }
}
