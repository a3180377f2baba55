import Primitives

/// A value of type `duration`: months, days and nanoseconds, which no fixed factor turns into each other.
///
/// All three have the same sign, or are zero.
public struct CQLDuration: Hashable, Sendable, CustomStringConvertible {
    public let months: Int32
    public let days: Int32
    public let nanoseconds: Int64

    public init(months: Int32, days: Int32, nanoseconds: Int64) throws(InvalidValue) {
        let hasNegative: Bool = months < 0 || days < 0 || nanoseconds < 0
        let hasPositive: Bool = months > 0 || days > 0 || nanoseconds > 0
        if hasNegative && hasPositive {
            throw InvalidValue(
                "The duration months, days and nanoseconds must be all of the same sign (\(months), \(days), \(nanoseconds))"
            )
        }
        self.months = months
        self.days = days
        self.nanoseconds = nanoseconds
    }

    /// Reads three signed variable-length integers.
    public init(_ bytes: RawSpan) throws(InvalidValue) {
        guard bytes.byteCount >= 3 else {
            throw InvalidValue("Expected at least 3 bytes for a duration (\(bytes.byteCount))")
        }
        var reader = ByteReader(bytes)
        guard let months = try? reader.readVint(), let days = try? reader.readVint(),
            let nanoseconds = try? reader.readVint(), reader.isAtEnd
        else { throw InvalidValue("Expected three variable-length integers for a duration") }
        guard let shortMonths = Int32(exactly: months) else {
            throw InvalidValue("The duration months must be a 32 bits integer but was: \(months)")
        }
        guard let shortDays = Int32(exactly: days) else {
            throw InvalidValue("The duration days must be a 32 bits integer but was: \(days)")
        }
        try self.init(months: shortMonths, days: shortDays, nanoseconds: nanoseconds)
    }

    /// Reads `1y2mo3w4d5h6m7s8ms9us10ns`, ISO 8601 with designators or weeks, or `PYYYY-MM-DDThh:mm:ss`; each after an
    /// optional minus.
    public init(text: String) throws(InvalidValue) {
        var parser = DurationParser(text)
        self = try parser.parse()
    }

    /// The bytes of the value.
    public var valueBytes: [UInt8] {
        var writer = ByteWriter(capacity: 24)
        writer.writeVint(Int64(months))
        writer.writeVint(Int64(days))
        writer.writeVint(nanoseconds)
        return writer.array()
    }

    /// The form `1y2mo3d4h5m6s7ms8us9ns` without the parts that are zero; empty for a duration of nothing.
    public var description: String {
        var text: String = months < 0 || days < 0 || nanoseconds < 0 ? "-" : ""
        let units: [(UInt64, UInt64, StaticString)] = [
            (UInt64(months.magnitude) / 12, 1, "y"), (UInt64(months.magnitude) % 12, 1, "mo"),
            (UInt64(days.magnitude), 1, "d"),
        ]
        for (count, _, unit) in units where count > 0 { text += "\(count)\(unit)" }
        var rest: UInt64 = nanoseconds.magnitude
        let parts: [(UInt64, StaticString)] = [
            (3_600_000_000_000, "h"), (60_000_000_000, "m"), (1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us"),
            (1, "ns"),
        ]
        for (size, unit) in parts where rest >= size {
            text += "\(rest / size)\(unit)"
            rest %= size
        }
        return text
    }
}

/// Reads the three spellings of durations.
struct DurationParser {
    private enum Unit: Int {
        case years = 1
        case months, weeks, days, hours, minutes, seconds, milliseconds, microseconds, nanoseconds
    }

    private let text: String
    private let isNegative: Bool
    private var rest: Substring.UTF8View
    private var months: Int64 = 0
    private var days: Int64 = 0
    private var nanoseconds: Int64 = 0
    private var lastUnit = 0

    init(_ text: String) {
        self.isNegative = text.utf8.first == UInt8(ascii: "-")
        self.rest = Substring(text).utf8
        if isNegative { rest = rest.dropFirst() }
        self.text = String(Substring(rest))
    }

    mutating func parse() throws(InvalidValue) -> CQLDuration {
        if rest.first == UInt8(ascii: "P") {
            rest = rest.dropFirst()
            if rest.contains(UInt8(ascii: "-")) { try parseAlternative() } else { try parseDesignators() }
        } else {
            guard !rest.isEmpty else { throw malformed }
            while !rest.isEmpty {
                let number: Int64 = try readNumber()
                try add(number, try readSymbol())
            }
        }
        let sign: Int64 = isNegative ? -1 : 1
        return try CQLDuration(
            months: Int32(truncatingIfNeeded: sign * months), days: Int32(truncatingIfNeeded: sign * days),
            nanoseconds: sign * nanoseconds)
    }

    private var malformed: InvalidValue { InvalidValue("Unable to convert '\(text)' to a duration") }

    /// `[n]Y[n]M[n]DT[n]H[n]M[n]S` or `[n]W`.
    private mutating func parseDesignators() throws(InvalidValue) {
        var isTime = false
        var hasOther = false
        while let next = rest.first {
            if next == UInt8(ascii: "T"), !isTime {
                isTime = true
                rest = rest.dropFirst()
                continue
            }
            let number: Int64 = try readNumber()
            guard let letter = rest.popFirst() else { throw malformed }
            let unit: Unit
            switch (letter, isTime) {
            case (UInt8(ascii: "Y"), false): unit = .years
            case (UInt8(ascii: "M"), false): unit = .months
            case (UInt8(ascii: "D"), false): unit = .days
            case (UInt8(ascii: "H"), true): unit = .hours
            case (UInt8(ascii: "M"), true): unit = .minutes
            case (UInt8(ascii: "S"), true): unit = .seconds
            case (UInt8(ascii: "W"), false) where !hasOther && rest.isEmpty: unit = .weeks
            default: throw malformed
            }
            guard unit.rawValue > lastUnit else { throw malformed }
            hasOther = true
            try add(number, unit)
        }
    }

    /// `YYYY-MM-DDThh:mm:ss`.
    private mutating func parseAlternative() throws(InvalidValue) {
        let fields: [(Int, Unicode.Scalar?, Unit)] = [
            (4, "-", .years), (2, "-", .months), (2, "T", .days), (2, ":", .hours), (2, ":", .minutes),
            (2, nil, .seconds),
        ]
        for (width, separator, unit) in fields {
            let before: Int = rest.count
            let number: Int64 = try readNumber()
            guard before - rest.count == width else { throw malformed }
            try add(number, unit)
            if let separator {
                guard rest.popFirst() == UInt8(ascii: separator) else { throw malformed }
            }
        }
        guard rest.isEmpty else { throw malformed }
    }

    private mutating func readNumber() throws(InvalidValue) -> Int64 {
        let digits = rest.prefix { $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }
        guard !digits.isEmpty, let number = Int64(String(Substring(digits))) else { throw malformed }
        rest = rest.dropFirst(digits.count)
        return number
    }

    private mutating func readSymbol() throws(InvalidValue) -> Unit {
        let letters = rest.prefix { $0 < UInt8(ascii: "0") || $0 > UInt8(ascii: "9") }
        let unit: Unit
        switch String(Substring(letters)).lowercased() {
        case "y": unit = .years
        case "mo": unit = .months
        case "w": unit = .weeks
        case "d": unit = .days
        case "h": unit = .hours
        case "m": unit = .minutes
        case "s": unit = .seconds
        case "ms": unit = .milliseconds
        case "us", "µs", "μs": unit = .microseconds
        case "ns": unit = .nanoseconds
        default: throw malformed
        }
        rest = rest.dropFirst(letters.count)
        return unit
    }

    private mutating func add(_ number: Int64, _ unit: Unit) throws(InvalidValue) {
        if unit.rawValue == lastUnit {
            throw InvalidValue("Invalid duration. The \(unit) are specified multiple times")
        }
        if unit.rawValue < lastUnit, let last = Unit(rawValue: lastUnit) {
            throw InvalidValue("Invalid duration. The \(last) should be after \(unit)")
        }
        lastUnit = unit.rawValue
        switch unit {
        case .years: try accumulate(&months, number, 12, limit: Int64(Int32.max), "months")
        case .months: try accumulate(&months, number, 1, limit: Int64(Int32.max), "months")
        case .weeks: try accumulate(&days, number, 7, limit: Int64(Int32.max), "days")
        case .days: try accumulate(&days, number, 1, limit: Int64(Int32.max), "days")
        case .hours: try addNanoseconds(number, 3_600_000_000_000)
        case .minutes: try addNanoseconds(number, 60_000_000_000)
        case .seconds: try addNanoseconds(number, 1_000_000_000)
        case .milliseconds: try addNanoseconds(number, 1_000_000)
        case .microseconds: try addNanoseconds(number, 1_000)
        case .nanoseconds: try addNanoseconds(number, 1)
        }
    }

    private mutating func addNanoseconds(_ number: Int64, _ size: Int64) throws(InvalidValue) {
        try accumulate(&nanoseconds, number, size, limit: Int64.max, "nanoseconds")
    }

    private func accumulate(
        _ total: inout Int64, _ number: Int64, _ size: Int64, limit: Int64, _ name: StaticString
    ) throws(InvalidValue) {
        guard number <= (limit - total) / size else {
            throw InvalidValue("Invalid duration. The total number of \(name) must be less or equal to \(Int32.max)")
        }
        total += number * size
    }
}
