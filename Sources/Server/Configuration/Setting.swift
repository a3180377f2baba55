/// How the text of a setting becomes a value, with Cassandra's units.
package enum SettingKind: Sendable {
    case text
    case oneOf([String])
    case integer(ClosedRange<Int64>)
    case boolean
    /// A number with d, h, m, s, ms, us or ns.
    case duration
    /// A number with B, KiB, MiB or GiB.
    case size
    /// A number with B/s, KiB/s or MiB/s.
    case rate
}

/// One key of the configuration.
package struct Setting: Sendable {
    package let name: String
    package let kind: SettingKind
    /// As it would be written in the file; empty when the value is worked out at start.
    package let standard: String
    /// One sentence for people.
    package let meaning: String
}

/// Why a configuration cannot be used.
package struct ConfigurationError: Error, Sendable, Equatable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) {
        self.description = description
    }
}

/// From text to numbers.
package enum SettingText {
    /// Nanoseconds.
    package static func duration(_ text: String) -> Int64? {
        measure(
            text,
            [
                "d": 86_400_000_000_000, "h": 3_600_000_000_000, "m": 60_000_000_000, "s": 1_000_000_000,
                "ms": 1_000_000,
                "us": 1_000, "µs": 1_000, "ns": 1,
            ])
    }

    /// Bytes.
    package static func size(_ text: String) -> Int64? {
        measure(text, ["B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40])
    }

    /// Bytes a second.
    package static func rate(_ text: String) -> Int64? {
        measure(text, ["B/s": 1, "KiB/s": 1 << 10, "MiB/s": 1 << 20])
    }

    private static func measure(_ text: String, _ units: [String: Int64]) -> Int64? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard let number = Int64(digits) else { return nil }
        let unit = String(text.dropFirst(digits.count).drop { $0 == " " })
        guard let factor = units[unit] ?? (unit.isEmpty && number == 0 ? 1 : nil) else { return nil }
        let (product, overflows) = number.multipliedReportingOverflow(by: factor)
        return overflows ? nil : product
    }
}
