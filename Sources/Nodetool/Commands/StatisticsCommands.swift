import Administration
import DataModel

/// What tables, requests, compactions and clients are like.
enum StatisticsCommands {
    static let all: [NodetoolCommand] = tables + requests + compactions

    private static let tables: [NodetoolCommand] = [
        NodetoolCommand(
            "tablestats", aliases: ["cfstats"], "What tables hold, and how reads and writes of them go",
            operands: "[KEYSPACE | KEYSPACE.TABLE…]", 0...1_000,
            options: [
                .init(["-H", "--human-readable"], "Show bytes with a unit."),
                .init(["-i", "--ignore"], "Show all but these."),
                .init(["-s", "--sort"], value: "KEY", "By a figure of the JSON form, the greatest first."),
                .init(["-t", "--top"], value: "N", "Only the first ones; with -s."),
                .init(["-l", "--sstable-location-check"], "Taken and not used: every file is where it belongs."),
            ]
        ) { (call) throws(AdminClientError) in
            let query: [HTTPRequest.Parameter] =
                .many("name", call.operands) + .given(["ignore": call.has("-i") ? "true" : nil])
            let selection = try TableSelection(sorting: call.value("-s"), top: call.value("-t"))
            let json: JSONValue = try selection.applied(to: try await call.get("/tablestats", query))
            return NodetoolOutput(json, TableStatisticsText.text(json, isHuman: call.has("-H"), selection))
        },
        NodetoolCommand(
            "tablehistograms", aliases: ["cfhistograms"], "How reads, writes and partitions of tables are distributed",
            operands: "[KEYSPACE TABLE | KEYSPACE.TABLE]", 0...2
        ) { (call) throws(AdminClientError) in
            var query: [HTTPRequest.Parameter] = .tables(call.operands)
            if call.operands.count == 1 { query = .many("tables", call.operands) }
            let json: JSONValue = try await call.get("/tablehistograms", query)
            return NodetoolOutput(json, HistogramText.tables(json))
        },
        NodetoolCommand(
            "toppartitions", aliases: ["profileload"], "Count requests by partition for a while and show the busiest",
            operands: "[KEYSPACE TABLE] [MILLISECONDS]", 0...3,
            options: [
                .init(["-s"], value: "CAPACITY", "Partitions that are counted apart (default: 1024)."),
                .init(["-k"], value: "N", "How many are shown (default: 10)."),
                .init(["-a"], value: "SAMPLERS", "READS, WRITES, WRITE_SIZE, with commas between (default: all)."),
            ]
        ) { (call) throws(AdminClientError) in try await topPartitions(call) },
    ]

    private static func topPartitions(_ call: NodetoolCall) async throws(AdminClientError) -> NodetoolOutput {
        var operands: [String] = call.operands
        var duration: String?
        if operands.count == 1 || operands.count == 3 { duration = operands.removeLast() }
        let query: [HTTPRequest.Parameter] =
            .tables(operands)
            + .given(["duration": duration, "size": call.value("-s"), "top": call.value("-k")])
        // The node counts first and answers then.
        let patient = try await call.withPatience(for: duration)
        let json: JSONValue = try await patient.get("/toppartitions", query)
        let known: [String] = ["READS", "WRITES", "WRITE_SIZE"]
        let wanted: [String] = call.value("-a").map { $0.split(separator: ",").map { $0.uppercased() } } ?? known
        guard wanted.allSatisfy(known.contains) else {
            throw .invalid("The samplers are \(known.joined(separator: ", ")).")
        }
        return NodetoolOutput(json, PartitionText.top(json, wanted))
    }

    private static let requests: [NodetoolCommand] = [
        NodetoolCommand("proxyhistograms", "How long requests took that this node coordinates") {
            (call) throws(AdminClientError) in
            let json: JSONValue = try await call.get("/proxyhistograms")
            return NodetoolOutput(json, HistogramText.proxy(json))
        },
        NodetoolCommand("tpstats", "The stages that work goes through: active, pending, completed, blocked") {
            (call) throws(AdminClientError) in
            let json: JSONValue = try await call.get("/tpstats")
            return NodetoolOutput(json, StageText.text(json))
        },
        NodetoolCommand(
            "clientstats", "The connections of clients",
            options: [
                .init(["--all"], "Show every connection."),
                .init(["--by-protocol"], "Show which versions of the protocol came from where."),
                .init(["--clear-history"], "Forget which versions came from where."),
                .init(["--client-options"], "Show what clients said at the start too."),
                .init(["--verbose"], "Show every connection with everything."),
                .init(["--metadata"], "Taken and not used: clients have no metadata."),
            ]
        ) { (call) throws(AdminClientError) in
            if call.has("--clear-history") {
                try await call.post("/clientstats/clear")
                return NodetoolOutput(.object([]), "Clearing connection history\n")
            }
            let json: JSONValue = try await call.get("/clientstats")
            return NodetoolOutput(json, ClientText.text(json, flags: call.arguments.flags))
        },
    ]

    private static let compactions: [NodetoolCommand] = [
        NodetoolCommand(
            "compactionstats", "The compactions that run and that wait",
            options: [
                .init(["-H", "--human-readable"], "Show bytes with a unit."),
                .init(["-V", "--vtable"], "Show the fields of the table system_views.sstable_tasks."),
            ]
        ) { (call) throws(AdminClientError) in
            let json: JSONValue = try await call.get("/compactionstats")
            return NodetoolOutput(
                json, CompactionText.running(json, isHuman: call.has("-H"), asTable: call.has("-V")))
        },
        NodetoolCommand(
            "compactionhistory", "The compactions of the last week",
            options: [.init(["-H", "--human-readable"], "Show bytes with a unit.")]
        ) { (call) throws(AdminClientError) in
            let json: JSONValue = try await call.get("/compactionhistory")
            return NodetoolOutput(json, CompactionText.history(json, isHuman: call.has("-H")))
        },
    ]
}

extension NodetoolCall {
    /// The same call with more patience than the node needs for a time in milliseconds.
    func withPatience(for milliseconds: String?) async throws(AdminClientError) -> NodetoolCall {
        let duration: Int = milliseconds.flatMap { Int($0) } ?? 10_000
        return NodetoolCall(
            client: client.patient(for: .milliseconds(max(0, min(duration, 600_000)) + 30_000)), arguments: arguments,
            tell: tell)
    }
}
