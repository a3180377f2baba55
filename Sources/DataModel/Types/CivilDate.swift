/// A day of the proleptic Gregorian calendar, and its distance from 1970-01-01.
///
/// The arithmetic counts years from March, so that the leap day is the last of its year, in eras of 400 years.
package struct CivilDate: Hashable, Sendable {
    package var year: Int
    /// 1 to 12.
    package var month: Int
    /// 1 to 31.
    package var day: Int

    package init(year: Int, month: Int, day: Int) {
        self.year = year
        self.month = month
        self.day = day
    }

    /// - Parameter daysSinceEpoch: days after 1970-01-01, negative before.
    package init(daysSinceEpoch: Int) {
        let shifted: Int = daysSinceEpoch + 719_468
        let era: Int = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra: Int = shifted - era * 146_097
        let leapDays: Int = dayOfEra / 1_460 - dayOfEra / 36_524 + dayOfEra / 146_096
        let yearOfEra: Int = (dayOfEra - leapDays) / 365
        let dayOfYear: Int = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let marchMonth: Int = (5 * dayOfYear + 2) / 153
        self.day = dayOfYear - (153 * marchMonth + 2) / 5 + 1
        self.month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
        self.year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }

    /// Days after 1970-01-01, negative before.
    package var daysSinceEpoch: Int {
        let marchYear: Int = month <= 2 ? year - 1 : year
        let era: Int = (marchYear >= 0 ? marchYear : marchYear - 399) / 400
        let yearOfEra: Int = marchYear - era * 400
        let marchMonth: Int = month > 2 ? month - 3 : month + 9
        let dayOfYear: Int = (153 * marchMonth + 2) / 5 + day - 1
        let dayOfEra: Int = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }

    /// Whether the month has this day.
    package var exists: Bool {
        guard month >= 1, month <= 12, day >= 1 else { return false }
        return day <= CivilDate.dayCount(month: month, year: year)
    }

    package static func dayCount(month: Int, year: Int) -> Int {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// `yyyy-mm-dd`, with more digits and a sign for years outside 0 to 9999.
    ///
    /// - Parameter marksLongYears: whether years past 9999 have a plus sign, as in ISO 8601.
    package func text(marksLongYears: Bool) -> String {
        let sign: String = year < 0 ? "-" : marksLongYears && year > 9_999 ? "+" : ""
        return "\(sign)\(CivilDate.padded(abs(year), 4))-\(CivilDate.padded(month, 2))-\(CivilDate.padded(day, 2))"
    }

    static func padded(_ number: Int, _ width: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, width - text.utf8.count)) + text
    }
}

/// Reads fixed words and short numbers from the text of dates and times.
struct DateScanner {
    private let text: [UInt8]
    private(set) var offset = 0

    init(_ text: some StringProtocol) {
        self.text = Array(text.utf8)
    }

    var isAtEnd: Bool { offset == text.count }
    var next: UInt8? { offset < text.count ? text[offset] : nil }

    mutating func accept(_ character: Unicode.Scalar) -> Bool {
        guard next == UInt8(ascii: character) else { return false }
        offset += 1
        return true
    }

    /// Reads as many digits as there are; nil when there are fewer or more than allowed.
    mutating func digits(_ allowed: ClosedRange<Int>) -> Int? {
        let start = offset
        var number = 0
        while let character = next, character >= UInt8(ascii: "0"), character <= UInt8(ascii: "9") {
            guard offset - start < min(allowed.upperBound, 18) else { return nil }
            number = number * 10 + Int(character - UInt8(ascii: "0"))
            offset += 1
        }
        return offset - start >= allowed.lowerBound ? number : nil
    }

    /// Reads digits after a point as a fraction of `10^places`; digits beyond that are left out.
    mutating func fraction(places: Int, atMost limit: Int) -> Int? {
        let start = offset
        var number = 0
        while let character = next, character >= UInt8(ascii: "0"), character <= UInt8(ascii: "9") {
            guard offset - start < limit else { return nil }
            if offset - start < places { number = number * 10 + Int(character - UInt8(ascii: "0")) }
            offset += 1
        }
        guard offset > start else { return nil }
        for _ in min(places, offset - start)..<places { number *= 10 }
        return number
    }

    /// Reads letters, in upper case.
    mutating func word() -> String {
        var letters: [UInt8] = []
        while let character = next, (character & 0xDF) >= UInt8(ascii: "A"), (character & 0xDF) <= UInt8(ascii: "Z") {
            letters.append(character & 0xDF)
            offset += 1
        }
        return String(decoding: letters, as: UTF8.self)
    }

    /// Reads `yyyy-mm-dd`, with a sign and more digits for years outside 0 to 9999.
    mutating func date() -> CivilDate? {
        let isNegative: Bool = accept("-")
        if !isNegative { _ = accept("+") }
        guard let year = digits(4...9), accept("-"), let month = digits(1...2), accept("-"), let day = digits(1...2)
        else { return nil }
        let date = CivilDate(year: isNegative ? -year : year, month: month, day: day)
        return date.exists ? date : nil
    }

    /// Whether the whole text is digits after an optional minus.
    static func isInteger(_ text: String) -> Bool {
        let digits = text.hasPrefix("-") ? text.utf8.dropFirst() : text.utf8[...]
        return !digits.isEmpty && digits.allSatisfy { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
    }
}
