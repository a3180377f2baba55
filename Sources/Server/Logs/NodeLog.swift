package import Environment
package import Logging
import Synchronization

/// Where the parts of a node write what happens to it: one line for each event.
package struct NodeLog: Sendable {
    private let current: Current
    private let time: any TimeSource
    private let write: @Sendable (String) -> Void
    /// The last warnings and errors.
    package let recent = RecentEvents()

    /// - Parameter write: takes a line with its line feed; may be called from any thread.
    package init(levels: LogLevels, time: any TimeSource, write: @escaping @Sendable (String) -> Void) {
        self.current = Current(levels)
        self.time = time
        self.write = write
    }

    /// A log that nobody reads.
    package static func silent(_ time: any TimeSource) -> NodeLog {
        NodeLog(levels: LogLevels(usual: .critical), time: time) { _ in }
    }

    /// The logger of one part, such as `node` or `sessions`.
    package func logger(_ part: String) -> Logger {
        Logger(label: part) { label in
            LineLogHandler(label: label, levels: current, time: time, recent: recent, write: write)
        }
    }

    /// The levels as they are now.
    final class Current: Sendable {
        private let levels: Mutex<LogLevels>
        private let atStart: LogLevels

        init(_ levels: LogLevels) {
            self.levels = Mutex(levels)
            self.atStart = levels
        }

        var now: LogLevels { levels.withLock { $0 } }

        func level(of part: String) -> Logger.Level { levels.withLock { $0.level(of: part) } }

        func change(_ body: (inout LogLevels) -> Void) {
            levels.withLock { body(&$0) }
        }

        func reset() {
            levels.withLock { $0 = atStart }
        }
    }

    var levels: LogLevels { current.now }

    /// Writes from another level on; `part` is nil for all parts that have no level of their own.
    func setLevel(_ level: Logger.Level, of part: String?) {
        current.change { levels in
            if let part { levels.set(level, of: part) } else { levels.usual = level }
        }
    }

    /// Writes as it did at the start.
    func resetLevels() {
        current.reset()
    }
}

/// From which level on the parts of a node write.
package struct LogLevels: Sendable, Equatable {
    package var usual: Logger.Level
    private var byPart: [String: Logger.Level] = [:]

    package init(usual: Logger.Level) {
        self.usual = usual
    }

    /// - Parameters:
    ///   - usual: the setting `log_level`.
    ///   - overrides: the setting `log_level_overrides`: `part=level`, with commas between.
    /// - Throws: a sentence that names what is not understood.
    package init(usual: String, overrides: String) throws(ConfigurationError) {
        self.usual = try LogLevels.level(named: usual)
        for entry in overrides.split(separator: ",") {
            let sides = entry.split(separator: "=", omittingEmptySubsequences: false).map { LogLevels.trimmed($0) }
            guard sides.count == 2, !sides[0].isEmpty else {
                throw ConfigurationError(
                    "Invalid entry \"\(entry)\" of setting log_level_overrides: part=level is wanted.")
            }
            byPart[sides[0]] = try LogLevels.level(named: sides[1])
        }
    }

    package func level(of part: String) -> Logger.Level { byPart[part] ?? usual }

    mutating func set(_ level: Logger.Level, of part: String) {
        byPart[part] = level
    }

    /// The parts of a node that write.
    static let parts: [String] = [
        "admin", "cluster", "hints", "internode", "node", "schema", "sessions", "storage",
    ]

    /// The level of a word, also of one that Java's loggers have; nil for other words.
    static func level(ofWord word: String) -> Logger.Level? {
        switch word.lowercased() {
        case "warn": .warning
        case "all": .trace
        case "off": .critical
        default: Logger.Level(rawValue: word.lowercased())
        }
    }

    package static let names: [String] = Logger.Level.allCases.map(\.rawValue)

    private static func level(named name: String) throws(ConfigurationError) -> Logger.Level {
        guard let level = Logger.Level(rawValue: name) else {
            throw ConfigurationError(
                "There is no log level \"\(name)\": one of \(names.joined(separator: ", ")) is wanted.")
        }
        return level
    }

    private static func trimmed(_ text: Substring) -> String {
        String(text.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }
}
