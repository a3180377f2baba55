import DataModel
import Environment
import Logging

/// Turns an event into a line and hands it on.
struct LineLogHandler: LogHandler {
    let label: String
    private let levels: NodeLog.Current
    /// For a logger that has been given a level of its own.
    private var ownLevel: Logger.Level?
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?
    private let time: any TimeSource
    private let recent: RecentEvents
    private let write: @Sendable (String) -> Void

    init(
        label: String, levels: NodeLog.Current, time: any TimeSource, recent: RecentEvents,
        write: @escaping @Sendable (String) -> Void
    ) {
        self.label = label
        self.recent = recent
        self.levels = levels
        self.time = time
        self.write = write
    }

    var logLevel: Logger.Level {
        get { ownLevel ?? levels.level(of: label) }
        set { ownLevel = newValue }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var values: [String: String] = [:]
        for (key, value) in metadata { values[key] = "\(value)" }
        for (key, value) in event.metadata ?? [:] { values[key] = "\(value)" }
        if let error = event.error { values["error"] = "\(error)" }
        let now: Int64 = time.wallMicroseconds
        let message: String = event.message.description
        if event.level >= .warning {
            recent.add(now, level: event.level, label: label, message: message + LogLine.text(of: values))
        }
        write(
            LogLine.text(
                microseconds: now, level: event.level.rawValue, label: label, message: message, values: values))
    }
}

/// The form of a line:
///
///     2026-01-31T12:00:00.123Z INFO  node  Startup complete  cluster.name="Test Cluster" shards=2
///
/// Values stand in the order of their keys; one with a space, a quote or a control character stands in quotes, so that a
/// line is a line whatever a client sends.
package enum LogLine {
    package static func text(
        microseconds: Int64, level: String, label: String, message: String, values: [String: String]
    ) -> String {
        var line: String = TimestampText.text(microseconds / 1_000)
        let name: String = level.uppercased()
        line += " " + name + String(repeating: " ", count: max(1, 6 - name.utf8.count))
        return line + label + "  " + message + text(of: values) + "\n"
    }

    /// The values as they stand behind the message.
    static func text(of values: [String: String]) -> String {
        var text = ""
        for key in values.keys.sorted() {
            text += (text.isEmpty ? "  " : " ") + key + "=" + quoted(values[key] ?? "")
        }
        return text
    }

    private static func quoted(_ value: String) -> String {
        let isPlain: Bool = value.unicodeScalars.allSatisfy { $0.value > 0x20 && $0.value != 0x7F && $0 != "\"" }
        if isPlain, !value.isEmpty { return value }
        var text = "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            default:
                if scalar.value < 0x20 || scalar.value == 0x7F {
                    text += "\\u{\(String(scalar.value, radix: 16))}"
                } else {
                    text.unicodeScalars.append(scalar)
                }
            }
        }
        return text + "\""
    }
}
