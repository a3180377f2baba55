import Administration
import DataModel

/// Stages, in the form of Cassandra's `tpstats`.
enum StageText {
    static func text(_ json: JSONValue) -> String {
        var stages = TextTable(separator: " ")
        stages.add("Pool Name", "Active", "Pending", "Completed", "Blocked", "All time blocked")
        for stage in json["thread_pools"].elements {
            stages.add(
                TextTable.padded(stage["name"].plainText, 28), stage["active"].plainText, stage["pending"].plainText,
                stage["completed"].plainText, stage["blocked"].plainText, stage["all_time_blocked"].plainText)
        }
        var dropped = TextTable(separator: " ")
        dropped.add("Message lane", "Dropped", "Expired", "Refused", "Undelivered", "Timed out requests")
        for lane in json["dropped_messages"].elements {
            let sent: Int = lane["expired_before_sending"].integerValue
            let read: Int = lane["expired_before_reading"].integerValue
            let refused: Int = lane["refused"].integerValue
            let undelivered: Int = lane["undelivered"].integerValue
            dropped.add(
                TextTable.padded(lane["lane"].plainText, 28), String(sent + read + refused + undelivered),
                String(sent + read), String(refused), String(undelivered), lane["timed_out_requests"].plainText)
        }
        return stages.text() + "\nMessages that were dropped, by lane\n" + dropped.text()
    }
}

/// Compactions, in the form of Cassandra's `compactionstats` and `compactionhistory`.
enum CompactionText {
    static func running(_ json: JSONValue, isHuman: Bool, asTable: Bool) -> String {
        func bytes(_ value: JSONValue) -> String {
            isHuman ? FigureText.byteCount(value.integerValue) : value.plainText
        }
        var head = TextTable(separator: " ")
        head.add("concurrent compactors", json["concurrent_compactors"].plainText)
        head.add("pending tasks", json["pending_tasks"].plainText)
        for entry in json["pending_by_table"].elements {
            head.add("- \(entry["keyspace"].plainText).\(entry["table"].plainText)", entry["tasks"].plainText)
        }
        head.add("compactions completed", json["compactions_completed"].plainText)
        head.add("data compacted", bytes(json["data_compacted"]))
        let throughput: Int = json["compaction_throughput"].integerValue
        head.add(
            "compaction throughput (MiB/s)",
            throughput == 0 ? "unlimited" : FigureText.decimal(Double(throughput) / 1_048_576, places: 1))
        let running: [JSONValue] = json["compactions"].elements
        var text: String = head.text(widths: [40, 1])
        if running.isEmpty { return text }
        var table = TextTable(separator: " ")
        if asTable {
            table.add(
                "keyspace_name", "table_name", "task_id", "completion_ratio", "kind", "progress", "sstables", "total",
                "unit")
        } else {
            table.add("id", "compaction type", "keyspace", "table", "completed", "total", "unit", "progress")
        }
        for entry in running {
            let total: Double = max(1, entry["total"].decimalValue)
            let ratio: Double = entry["completed"].decimalValue / total
            let kind: String = entry["compaction_type"].plainText
            if asTable {
                table.add(
                    entry["keyspace"].plainText, entry["table"].plainText, entry["id"].plainText,
                    FigureText.percent(ratio, places: 2), kind.lowercased(), entry["completed"].plainText,
                    entry["sstables"].plainText, entry["total"].plainText, entry["unit"].plainText)
            } else {
                table.add(
                    entry["id"].plainText, kind, entry["keyspace"].plainText, entry["table"].plainText,
                    bytes(entry["completed"]), bytes(entry["total"]), entry["unit"].plainText,
                    FigureText.percent(ratio, places: 2))
            }
        }
        text += table.text()
        let left: JSONValue = json["remaining_seconds"]
        return text + "Active compaction remaining time : \(left == .null ? "n/a" : duration(left.integerValue))\n"
    }

    private static func duration(_ seconds: Int) -> String {
        func two(_ number: Int) -> String {
            TextTable.leftPadded(String(number), 2).map { $0 == " " ? "0" : String($0) }.joined()
        }
        return "\(seconds / 3_600)h\(two(seconds / 60 % 60))m\(two(seconds % 60))s"
    }

    static func history(_ json: JSONValue, isHuman: Bool) -> String {
        let all: [JSONValue] = json["compactions"].elements
        if all.isEmpty { return "There is no compaction history\n" }
        func bytes(_ value: JSONValue) -> String {
            isHuman ? FigureText.byteCount(value.integerValue) : value.plainText
        }
        func map(_ value: JSONValue) -> String {
            "{" + value.members.map { "\($0.name):\($0.value.plainText)" }.joined(separator: ", ") + "}"
        }
        var table = TextTable(separator: " ")
        table.add(
            "id", "keyspace_name", "columnfamily_name", "compacted_at", "bytes_in", "bytes_out", "rows_merged",
            "compaction_properties")
        for entry in all {
            let time: String = entry["compacted_at"].plainText.prefix(23).map { $0 == " " ? "T" : String($0) }.joined()
            table.add(
                entry["id"].plainText, entry["keyspace_name"].plainText, entry["columnfamily_name"].plainText, time,
                bytes(entry["bytes_in"]), bytes(entry["bytes_out"]), map(entry["rows_merged"]),
                map(entry["compaction_properties"]))
        }
        return "Compaction History: \n" + table.text()
    }
}

/// Snapshots, in the form of Cassandra's `listsnapshots`.
enum SnapshotText {
    static func list(_ json: JSONValue) -> String {
        let all: [JSONValue] = json["snapshots"].elements
        if all.isEmpty { return "Snapshot Details: \nThere are no snapshots\n" }
        var table = TextTable(separator: " ")
        table.add(
            "Snapshot name", "Keyspace name", "Column family name", "True size", "Size on disk", "Creation time",
            "Expiration time")
        for snapshot in all {
            table.add(
                snapshot["name"].plainText, snapshot["keyspace_name"].plainText, snapshot["table_name"].plainText,
                FigureText.byteCount(snapshot["true_size"].integerValue),
                FigureText.byteCount(snapshot["size_on_disk"].integerValue), time(snapshot["created_at_ms"]),
                time(snapshot["expires_at_ms"]))
        }
        let total: String = FigureText.byteCount(json["total_true_size"].integerValue)
        return "Snapshot Details: \n" + table.text() + "\nTotal TrueDiskSpaceUsed: \(total)\n\n"
    }

    private static func time(_ milliseconds: JSONValue) -> String {
        milliseconds == .null ? "" : TimestampText.text(Int64(milliseconds.integerValue))
    }
}

/// Connections of clients, in the form of Cassandra's `clientstats`.
enum ClientText {
    static func text(_ json: JSONValue, flags: [String]) -> String {
        if flags.contains("--by-protocol") { return byProtocol(json) }
        let connections: [JSONValue] = json["connections"].elements
        var text = ""
        if flags.contains("--all") || flags.contains("--verbose") || flags.contains("--client-options") {
            text += all(connections, showsOptions: flags.contains("--client-options") || flags.contains("--verbose"))
        }
        text += "Total connected clients: \(json["total"].plainText)\n\n"
        var counts: [String: Int] = [:]
        for connection in connections { counts[connection["user"].plainText, default: 0] += 1 }
        var users = TextTable(separator: " ")
        users.add("User", "Connections")
        for user in counts.keys.sorted() { users.add(user, String(counts[user] ?? 0)) }
        return text + users.text()
    }

    private static func all(_ connections: [JSONValue], showsOptions: Bool) -> String {
        if connections.isEmpty { return "" }
        var table = TextTable(separator: " ")
        let head: [String] = [
            "Address", "SSL", "Cipher", "Protocol", "Version", "User", "Keyspace", "Requests", "Driver-Name",
            "Driver-Version",
        ]
        table.add(cells: showsOptions ? head + ["Client-Options"] : head)
        for client in connections {
            var cells: [String] = [
                "/\(client["address"].plainText):\(client["port"].plainText)", client["ssl"].plainText,
                word(client["cipher"]), word(client["protocol"]), client["version"].plainText, word(client["user"]),
                client["keyspace"].plainText, client["requests"].plainText, word(client["driver_name"]),
                word(client["driver_version"]),
            ]
            if showsOptions {
                let options: [String] = client["client_options"].members.map { "\($0.name)=\($0.value.plainText)" }
                cells.append("{\(options.joined(separator: ", "))}")
            }
            table.add(cells: cells)
        }
        return table.text() + "\n"
    }

    private static func word(_ value: JSONValue) -> String { value == .null ? "undefined" : value.plainText }

    private static func byProtocol(_ json: JSONValue) -> String {
        var table = TextTable(separator: " ")
        table.add("Protocol-Version", "IP-Address", "Last-Seen")
        for entry in json["by_protocol"].elements {
            let version: String = entry["version"].plainText
            table.add(
                "\(version)/v\(version)", entry["address"].plainText,
                TimestampText.text(Int64(entry["last_seen_ms"].integerValue)))
        }
        return "Clients by protocol version\n\n" + table.text()
    }
}

/// What operators have a node do.
enum OperationText {
    static func table(_ operations: [JSONValue]) -> String {
        if operations.isEmpty { return "Nothing was begun since the start of the node\n" }
        var table = TextTable(separator: "  ")
        table.add("id", "operation", "state", "done", "total", "unit", "seconds", "activity")
        for operation in operations {
            let seconds: String = FigureText.decimal(operation["duration_ms"].decimalValue / 1_000, places: 1)
            let activity: JSONValue = operation["error"] == .null ? operation["activity"] : operation["error"]
            table.add(
                operation["id"].plainText, operation["operation"].plainText, operation["state"].plainText,
                operation["done"].plainText, operation["total"].plainText, operation["unit"].plainText, seconds,
                activity.plainText)
        }
        return table.text()
    }

    /// How far one is, in a line.
    static func line(_ report: OperationReport) -> String {
        var line: String = report.name + ": " + report.state.rawValue
        if report.unit == "thousandths" {
            line += ", " + FigureText.percent(Double(report.done) / 1_000, places: 1)
        } else if report.total > 0 {
            let isBytes: Bool = report.unit == "bytes"
            let done: String = isBytes ? FigureText.byteCount(report.done) : String(report.done)
            let total: String = isBytes ? FigureText.byteCount(report.total) : "\(report.total) \(report.unit)"
            line += ", \(done) of \(total)"
        }
        if let activity = report.activity { line += ", \(activity)" }
        return line
    }
}
