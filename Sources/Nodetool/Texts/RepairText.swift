import Administration
import DataModel

/// Repairs, as people read them.
enum RepairText {
    private static let barWidth = 30

    /// A line that says how far a repair is; nil when that cannot be said.
    ///
    /// The node says it as `id · share of 1000 · rows compared · rows streamed · bytes streamed · [milliseconds left]`.
    static func progress(_ report: OperationReport) -> String? {
        let parts: [Substring] = (report.activity ?? "").split(separator: " ")
        guard parts.count >= 5, let share = Int(parts[1]), let bytes = Int(parts[4]) else { return nil }
        let full: Int = max(0, min(barWidth, share * barWidth / 1_000))
        let bar: String = String(repeating: "#", count: full) + String(repeating: ".", count: barWidth - full)
        var line =
            "[\(bar)] \(report.done)/\(report.total) ranges, \(parts[2]) rows compared, \(parts[3]) streamed "
            + "(\(FigureText.byteCount(bytes)))"
        if parts.count > 5, let left = Int(parts[5]) { line += ", \(duration(left)) left" }
        return line
    }

    static func duration(_ milliseconds: Int) -> String {
        let seconds: Int = milliseconds / 1_000
        if seconds < 60 { return "\(seconds) s" }
        if seconds < 3_600 { return "\(seconds / 60) min \(seconds % 60) s" }
        return "\(seconds / 3_600) h \(seconds / 60 % 60) min"
    }

    static func summary(_ json: JSONValue) -> String {
        var table = TextTable(separator: " ")
        table.add("Repair", json["id"].plainText)
        table.add("State", json["state"].plainText)
        table.add("Ranges", json["ranges"].plainText)
        table.add("Ranges not repaired", json["ranges_failed"].plainText)
        table.add("Rows compared", json["rows_compared"].plainText)
        table.add("Differences", json["differences"].plainText)
        table.add("Rows streamed", json["rows_streamed"].plainText)
        table.add("Bytes streamed", json["bytes_streamed"].plainText)
        table.add("Bytes read", json["bytes_read"].plainText)
        table.add("Wrong hashes", json["wrong_hashes"].plainText)
        table.add("Duration", "\(json["duration_ms"].plainText) ms")
        return table.text()
            + json["obstacles"].elements.map { obstacle in
                let count: Int = obstacle["ranges"].integerValue
                return "\(obstacle["reason"].plainText): \(count) \(count == 1 ? "range" : "ranges") not repaired\n"
            }.joined()
    }

    static func list(_ repairs: [JSONValue]) -> String {
        if repairs.isEmpty { return "no repairs\n" }
        var table = TextTable(separator: " ")
        table.add("id", "state", "kind", "keyspace", "ranges", "failed", "rows compared", "rows streamed", "duration")
        for repair in repairs {
            table.add(
                repair["id"].plainText, repair["state"].plainText, repair["kind"].plainText,
                repair["keyspace"].plainText, "\(repair["ranges_done"].plainText)/\(repair["ranges"].plainText)",
                repair["ranges_failed"].plainText, repair["rows_compared"].plainText,
                repair["rows_streamed"].plainText, duration(repair["duration_ms"].integerValue))
        }
        return table.text()
    }

    static func status(_ json: JSONValue) -> String {
        let window: String = duration(json["window_seconds"].integerValue * 1_000)
        var text: String =
            json["enabled"].isTrue
            ? "Every range is verified within \(window).\n" : "Ranges are not verified continuously.\n"
        var table = TextTable(separator: " ")
        table.add("keyspace", "table", "range", "state", "verified", "missed", "waits for")
        for range in json["ranges"].elements {
            let age: JSONValue = range["verified_seconds_ago"]
            table.add(
                range["keyspace"].plainText, range["table"].plainText,
                "(\(range["start_token"].plainText),\(range["end_token"].plainText)]", range["state"].plainText,
                age == .null ? "never" : "\(duration(age.integerValue * 1_000)) ago",
                range["missed"].isTrue ? "yes" : "no",
                range["waits_for"].elements.map(\.plainText).joined(separator: ","))
        }
        text += table.text() + sum(json["ranges"].elements.map { $0["state"].plainText })
        let failure: JSONValue = json["last_failure"]
        return failure == .null ? text : text + "Last failure: \(failure.plainText)\n"
    }

    /// How many ranges there are, and in which states.
    private static func sum(_ states: [String]) -> String {
        let counts: [String] = ["running", "missed", "overdue", "due", "current"].compactMap { state in
            let count: Int = states.count { $0 == state }
            return count == 0 ? nil : "\(count) \(state)"
        }
        let total: String = "\(states.count) \(states.count == 1 ? "range" : "ranges")"
        return counts.isEmpty ? "" : "\(total): \(counts.joined(separator: ", "))\n"
    }
}
