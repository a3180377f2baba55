package import CQL
package import DataModel

/// What was asked for on the command line.
package struct ShellOptions: Sendable {
    package var hostName = "127.0.0.1"
    package var port: UInt16 = 9_042
    /// Statements to execute instead of reading any (`-e`).
    package var statements: String?
    /// A file of statements (`-f`).
    package var file: String?
    package var keyspace: String?
    package var user: String?
    package var password: String?
    package var consistency: Consistency = .one
    package var serialConsistency: Consistency = .serial
    /// Nil for the newest that the server speaks.
    package var version: ProtocolVersion?
    /// Whether to speak TLS (`--ssl`), and how then.
    package var usesTLS = false
    package var security = ShellSecurity()
    package var connectTimeout: Duration = .seconds(5)
    package var requestTimeout: Duration = .seconds(10)
    /// Whether to behave as on a terminal whatever the input is.
    package var isTerminalForced = false
    /// Nil to use colours when the output is a terminal that has them.
    package var isColored: Bool?
    /// How timestamps are shown; nil for ISO dates.
    package var timeFormat: TimeFormat?
    package var floatPrecision = 5
    package var doublePrecision = 12
    /// How long a trace may take to become complete.
    package var traceWaitLimit: Duration = .seconds(10)
    /// The version that the banner shows.
    package var shellVersion = "1.0"

    package init() {}

    /// Reads `host`, `host:port`, `[address]:port` or an IPv6 address; false when it is none of them.
    package mutating func readHost(_ text: String) -> Bool {
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { return false }
            hostName = String(text[text.index(after: text.startIndex)..<end])
            let rest: Substring = text[text.index(after: end)...]
            return rest.isEmpty || rest.hasPrefix(":") && readPort(rest.dropFirst())
        }
        let parts: [Substring] = text.split(separator: ":", omittingEmptySubsequences: false)
        hostName = parts.count == 2 ? String(parts[0]) : text
        return !hostName.isEmpty && (parts.count != 2 || readPort(parts[1]))
    }

    /// Reads the name of a consistency level; false when there is none of that name.
    package mutating func readConsistency(_ name: String) -> Bool {
        guard let level = Consistency(named: name) else { return false }
        consistency = level
        return true
    }

    /// Reads the name of a level of conditional statements; false for any other.
    package mutating func readSerialConsistency(_ name: String) -> Bool {
        guard let level = Consistency(named: name), level.isSerial else { return false }
        serialConsistency = level
        return true
    }

    /// Takes the number of a protocol version; false when we do not speak it.
    package mutating func readVersion(_ number: UInt8) -> Bool {
        guard let known = ProtocolVersion(rawValue: number), !known.isBeta else { return false }
        version = known
        return true
    }

    private mutating func readPort(_ text: Substring) -> Bool {
        guard let number = UInt16(text), number > 0 else { return false }
        port = number
        return true
    }
}
