import Administration
import DataModel

/// Snapshots.
enum SnapshotCommands {
    static let all: [NodetoolCommand] = [
        NodetoolCommand(
            "snapshot", "Keep the files of tables as they are now, by hard links", operands: "[KEYSPACE…]", 0...1_000,
            options: [
                .init(["-t", "--tag"], value: "NAME", "The name of the snapshot (default: the time in milliseconds)."),
                .init(["-cf", "--column-family", "--table"], value: "TABLE", "Only this table of the one keyspace."),
                .init(["-kt", "--kt-list", "-kc", "--kc.list"], value: "LIST", "Only these, as KEYSPACE.TABLE,…"),
                .init(["-sf", "--skip-flush"], "Leave out what is in memory."),
                .init(["--ttl"], value: "DURATION", "Remove it by itself after this time, such as 12h."),
            ] + NodetoolCall.workOptions, { (call) throws(AdminClientError) in try await make(call) }),
        NodetoolCommand(
            "listsnapshots", "The snapshots with their sizes",
            options: [
                .init(["-nt", "--no-ttl"], "Leave out those that are removed by themselves."),
                .init(["-e", "--ephemeral"], "Taken and not used: no snapshot ends with the process."),
            ]
        ) { (call) throws(AdminClientError) in
            let json: JSONValue = try await call.get(
                "/listsnapshots", .given(["no_ttl": call.has("-nt") ? "true" : nil]))
            return NodetoolOutput(json, SnapshotText.list(json))
        },
        NodetoolCommand(
            "clearsnapshot", "Remove snapshots", operands: "[KEYSPACE…]", 0...1_000,
            options: [
                .init(["-t", "--tag"], value: "NAME", "The snapshot of this name."),
                .init(["--all"], "All snapshots."),
                .init(["--older-than"], value: "DURATION", "Only those that are older than this, such as 1d."),
                .init(["--older-than-timestamp"], value: "TIME", "Only those from before this time."),
            ]
        ) { (call) throws(AdminClientError) in
            let query: [HTTPRequest.Parameter] =
                .given([
                    "tag": call.value("-t"), "all": call.has("--all") ? "true" : nil,
                    "older_than": call.value("--older-than"),
                    "older_than_timestamp": call.value("--older-than-timestamp"),
                ]) + .many("keyspace", call.operands)
            let json: JSONValue = try await call.post("/clearsnapshot", query)
            let keyspaces: String = call.operands.isEmpty ? "all keyspaces" : call.operands.joined(separator: ", ")
            let name: String = call.value("-t").map { "snapshot name [\($0)]" } ?? "all snapshots"
            return NodetoolOutput(json, "Requested clearing snapshot(s) for [\(keyspaces)] with [\(name)]\n")
        },
    ]

    private static func make(_ call: NodetoolCall) async throws(AdminClientError) -> NodetoolOutput {
        var query: [HTTPRequest.Parameter] = .given([
            "tag": call.value("-t"), "ttl": call.value("--ttl"), "skip_flush": call.has("-sf") ? "true" : nil,
        ])
        let tables: [String] = call.values("-cf")
        let lists: [String] = call.values("-kt").flatMap { $0.split(separator: ",").map { String($0) } }
        var words: String = call.operands.isEmpty ? "all keyspaces" : call.operands.joined(separator: ", ")
        if !tables.isEmpty {
            guard call.operands.count == 1 else {
                throw .invalid("When specifying the table for a snapshot, you must specify one and only one keyspace")
            }
            query += .tables(call.operands + tables)
        } else if !lists.isEmpty {
            guard call.operands.isEmpty else {
                throw .invalid(
                    "When specifying the Keyspace table list (using -kt), you must not also specify keyspaces to snapshot"
                )
            }
            query += .many("tables", lists)
            words = lists.joined(separator: ", ")
        } else if call.operands.count == 1 {
            query += .tables(call.operands)
        } else if !call.operands.isEmpty {
            query += .many("keyspaces", call.operands)
        }
        let json: JSONValue = try await call.operate("/snapshot", query)
        let name: String = json["result"]["name"].plainText
        let text: String =
            "Requested creating snapshot(s) for [\(words)] with snapshot name [\(name)] and options "
            + "{skipFlush=\(call.has("-sf"))}\nSnapshot directory: \(name)\n"
        return NodetoolOutput(json, text)
    }
}
