import DataModel

/// How a point in time is written: the patterns of `strftime` that make sense for timestamps.
package struct TimeFormat: Equatable, Sendable {
    package let pattern: String
    /// How many digits `%f` has.
    private let fractionDigits: Int

    package init(_ pattern: String, fractionDigits: Int = 3) {
        self.pattern = pattern
        self.fractionDigits = fractionDigits
    }

    /// - Returns: nil for years that have not four digits.
    package func text(milliseconds: Int64) -> String? {
        var days: Int64 = milliseconds / 86_400_000
        var ofDay: Int64 = milliseconds % 86_400_000
        if ofDay < 0 {
            ofDay += 86_400_000
            days -= 1
        }
        let date = CivilDate(daysSinceEpoch: Int(days))
        guard (1...9_999).contains(date.year) else { return nil }
        var shown = ""
        var rest = Substring(pattern)
        while let first = rest.first {
            rest = rest.dropFirst()
            guard first == "%", let letter = rest.first else {
                shown.append(first)
                continue
            }
            rest = rest.dropFirst()
            shown += TimeFormat.part(letter, date, ofDay)
            if letter == "f" { shown += String(repeating: "0", count: fractionDigits - 3) }
        }
        return shown
    }

    private static func part(_ letter: Character, _ date: CivilDate, _ ofDay: Int64) -> String {
        let seconds: Int64 = ofDay / 1_000
        return switch letter {
        case "Y": padded(Int64(date.year), 4)
        case "y": padded(Int64(date.year % 100), 2)
        case "m": padded(Int64(date.month), 2)
        case "d": padded(Int64(date.day), 2)
        case "H": padded(seconds / 3_600, 2)
        case "I": padded((seconds / 3_600 + 11) % 12 + 1, 2)
        case "p": seconds < 43_200 ? "AM" : "PM"
        case "M": padded(seconds / 60 % 60, 2)
        case "S": padded(seconds % 60, 2)
        case "f": padded(ofDay % 1_000, 3)
        case "z": "+0000"
        case "Z": "UTC"
        case "F": part("Y", date, ofDay) + "-" + part("m", date, ofDay) + "-" + part("d", date, ofDay)
        case "T": part("H", date, ofDay) + ":" + part("M", date, ofDay) + ":" + part("S", date, ofDay)
        case "s": String(Int64(date.daysSinceEpoch) * 86_400 + seconds)
        case "%": "%"
        default: "%" + String(letter)
        }
    }

    private static func padded(_ number: Int64, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }

    /// Reads what `text(milliseconds:)` has written; nil when the text has another form.
    package func milliseconds(_ text: String) -> Int64? {
        var date = CivilDate(year: 1970, month: 1, day: 1)
        var (milliseconds, zoneMinutes, isAfternoon): (Int64, Int64, Bool) = (0, 0, false)
        var rest = Substring(text)
        var form = Substring(
            pattern.split(separator: "%F", omittingEmptySubsequences: false).joined(separator: "%Y-%m-%d")
                .split(separator: "%T", omittingEmptySubsequences: false).joined(separator: "%H:%M:%S"))
        func digits(_ most: Int) -> Int64? {
            let run: Substring = rest.prefix { $0.isASCII && $0.isNumber }.prefix(most)
            rest = rest.dropFirst(run.count)
            return Int64(run)
        }
        while let first = form.first {
            form = form.dropFirst()
            guard first == "%", let letter = form.first else {
                guard rest.first == first else { return nil }
                rest = rest.dropFirst()
                continue
            }
            form = form.dropFirst()
            switch letter {
            case "f":
                let run: Substring = rest.prefix { $0.isASCII && $0.isNumber }
                rest = rest.dropFirst(run.count)
                guard let number = Int64((String(run) + "000").prefix(3)) else { return nil }
                milliseconds += number
            case "z", "Z":
                guard let offset = TimeFormat.zone(&rest) else { return nil }
                zoneMinutes = offset
            case "p":
                isAfternoon = rest.prefix(2).uppercased() == "PM"
                rest = rest.dropFirst(2)
            default:
                guard let number = digits(letter == "Y" ? 4 : 2) else { return nil }
                switch letter {
                case "Y": date.year = Int(number)
                case "m": date.month = Int(number)
                case "d": date.day = Int(number)
                case "H": milliseconds += number * 3_600_000
                case "I": milliseconds += number % 12 * 3_600_000
                case "M": milliseconds += number * 60_000
                case "S": milliseconds += number * 1_000
                default: return nil
                }
            }
        }
        guard rest.isEmpty, date.exists else { return nil }
        let start: Int64 = Int64(date.daysSinceEpoch) * 86_400_000
        return start + milliseconds + (isAfternoon ? 43_200_000 : 0) - zoneMinutes * 60_000
    }

    private static func zone(_ rest: inout Substring) -> Int64? {
        for name in ["UTC", "GMT", "Z"] where rest.hasPrefix(name) {
            rest = rest.dropFirst(name.count)
            return 0
        }
        guard let sign = rest.first, sign == "+" || sign == "-" else { return nil }
        let run: Substring = rest.dropFirst().prefix { $0.isASCII && ($0.isNumber || $0 == ":") }
        guard let number = Int64(run.filter { $0 != ":" }), number < 10_000 else { return nil }
        rest = rest.dropFirst(1 + run.count)
        return (number / 100 * 60 + number % 100) * (sign == "-" ? -1 : 1)
    }
}
