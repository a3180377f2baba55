import Administration
import DataModel

/// What can be switched off and on while a node runs.
enum SwitchCommands {
    static let all: [NodetoolCommand] = clients + gossip + hints + compaction + backup + certificates

    private static func change(
        _ name: String, _ summary: String, _ path: String
    ) -> NodetoolCommand {
        NodetoolCommand(name, summary) { (call) throws(AdminClientError) in
            try await call.post(path)
            return .done
        }
    }

    /// Whether something runs, in one line.
    private static func look(
        _ name: String, _ summary: String, _ path: String, _ words: @escaping @Sendable (JSONValue) -> String
    ) -> NodetoolCommand {
        NodetoolCommand(name, summary) { (call) throws(AdminClientError) in
            let json: JSONValue = try await call.get(path)
            return NodetoolOutput(json, words(json) + "\n")
        }
    }

    private static func running(_ json: JSONValue) -> String { json["running"].isTrue ? "running" : "not running" }

    private static let clients: [NodetoolCommand] = [
        look("statusbinary", "Whether clients can connect", "/binary", running),
        change("enablebinary", "Let clients connect again", "/binary/enable"),
        change("disablebinary", "Let no clients connect, and end their connections", "/binary/disable"),
    ]

    private static let certificates: [NodetoolCommand] = [
        change("reloadssl", "Read certificates and keys again, for connections to come", "/certificates/reload")
    ]

    private static let gossip: [NodetoolCommand] = [
        look("statusgossip", "Whether this node gossips", "/gossip", running),
        change("enablegossip", "Gossip again", "/gossip/enable"),
        change("disablegossip", "Stop to gossip: the other nodes take this one to be down", "/gossip/disable"),
    ]

    private static let hints: [NodetoolCommand] = [
        change("enablehandoff", "Store hints on this node again", "/hints/enable"),
        change("disablehandoff", "Store no more hints on this node", "/hints/disable"),
        change("pausehandoff", "Deliver no hints for now", "/hints/pause"),
        change("resumehandoff", "Deliver hints again", "/hints/resume"),
        NodetoolCommand(
            "enablehintsfordc", "Store hints for nodes of a datacenter again", operands: "DATACENTER", 1...1
        ) { (call) throws(AdminClientError) in
            try await call.post("/hints/datacenter", .given(["name": call.operands[0], "enabled": "true"]))
            return .done
        },
        NodetoolCommand(
            "disablehintsfordc", "Store no hints for nodes of a datacenter", operands: "DATACENTER", 1...1
        ) { (call) throws(AdminClientError) in
            try await call.post("/hints/datacenter", .given(["name": call.operands[0], "enabled": "false"]))
            return .done
        },
    ]

    private static let compaction: [NodetoolCommand] = [
        NodetoolCommand(
            "statusautocompaction", "Whether files of tables are merged in the background",
            operands: "[KEYSPACE [TABLE…]]", 0...1_000,
            options: [.init(["-a", "--all"], "Show every table.")]
        ) { (call) throws(AdminClientError) in
            let json: JSONValue = try await call.get("/autocompaction", .tables(call.operands))
            guard call.has("-a") else { return NodetoolOutput(json, running(json) + "\n") }
            var table = TextTable(separator: " ")
            table.add("Keyspace", "Table", "Status")
            for entry in json["tables"].elements {
                table.add(entry["keyspace"].plainText, entry["table"].plainText, running(entry))
            }
            return NodetoolOutput(json, table.text())
        },
        NodetoolCommand(
            "enableautocompaction", "Merge files of tables in the background again", operands: "[KEYSPACE [TABLE…]]",
            0...1_000
        ) { (call) throws(AdminClientError) in
            try await call.post("/autocompaction/enable", .tables(call.operands))
            return .done
        },
        NodetoolCommand(
            "disableautocompaction", "Merge no files of tables in the background", operands: "[KEYSPACE [TABLE…]]",
            0...1_000
        ) { (call) throws(AdminClientError) in
            try await call.post("/autocompaction/disable", .tables(call.operands))
            return .done
        },
    ]

    private static func backup(_ name: String, _ summary: String, _ value: String) -> NodetoolCommand {
        NodetoolCommand(name, summary) { (call) throws(AdminClientError) in
            try await call.post("/settings", .given(["name": "incremental_backups", "value": value]))
            return .done
        }
    }

    private static let backup: [NodetoolCommand] = [
        look("statusbackup", "Whether flushed files get a second name in the folder backups", "/backup", running),
        backup("enablebackup", "Give flushed files a second name in the folder backups", "true"),
        backup("disablebackup", "Give flushed files no second name", "false"),
    ]
}
