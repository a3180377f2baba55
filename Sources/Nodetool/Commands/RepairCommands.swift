import Administration
import DataModel

/// Making the copies of data equal, and seeing how equal they are.
enum RepairCommands {
    static let all: [NodetoolCommand] = [repair, repairAdmin]

    private static let repair = NodetoolCommand(
        "repair", "Compare the copies of data and bring over what is missing on any side",
        operands: "[KEYSPACE [TABLE…]]", 0...1_000,
        options: [
            .init(["-full", "--full"], "Read everything, also what is known to be unchanged."),
            .init(["-pr", "--partitioner-range"], "Only ranges of which the node has the first copy."),
            .init(["-st", "--start-token"], value: "TOKEN", "Only tokens after this one."),
            .init(["-et", "--end-token"], value: "TOKEN", "Only tokens up to this one."),
            .init(
                ["-dc", "--in-dc"], value: "DATACENTER", "Only copies in this data centre; may be given several times."),
            .init(["-hosts", "--in-hosts"], value: "HOST", "Only copies on this node; may be given several times."),
            .init(["-prv", "--preview"], "Only say what differs."),
            .init(
                ["-vd", "--validate"], "Read everything, hold it against what was known of it, and say what differs."),
            .init(["-force", "--force"], "Leave out copies on nodes that are down."),
            .init(["-seq", "--sequential"], "One copy after the other."),
            .init(["-dcpar", "--dc-parallel"], "One copy in each data centre at a time."),
            .init(["-j", "--job-threads"], value: "N", "How many ranges at a time, 1 to 4."),
            .init(["--status"], "Only show how the ranges of the node stand."),
            .init(["--on"], "Have the node verify its ranges always, from now on until its end."),
            .init(["--off"], "Do not have it do so."),
            .init(["--no-progress"], "Say nothing before the end."),
            .init(["--background"], "Return at once; 'repair_admin' shows how far it is."),
        ]
    ) { (call) throws(AdminClientError) in
        if call.has("--on") || call.has("--off") {
            try await call.post("/repair/continuous", .given(["enabled": call.has("--off") ? "false" : "true"]))
            return .done
        }
        if call.has("--status") {
            let json: JSONValue = try await call.get("/repair/status", .given(["keyspace": call.operands.first]))
            return NodetoolOutput(json, RepairText.status(json))
        }
        return try await RepairCommands.run(call)
    }

    private static func run(_ call: NodetoolCall) async throws(AdminClientError) -> NodetoolOutput {
        let kinds: [(String, String)] = [("-full", "full"), ("-prv", "preview"), ("-vd", "validate")]
        let given: [String] = kinds.filter { call.has($0.0) }.map(\.1)
        let query: [HTTPRequest.Parameter] =
            .tables(call.operands)
            + .given([
                "kind": given.last, "primary": call.has("-pr") ? "true" : nil, "start_token": call.value("-st"),
                "end_token": call.value("-et"), "force": call.has("-force") ? "true" : nil, "jobs": call.value("-j"),
                "parallelism": call.has("-seq") ? "sequential" : (call.has("-dcpar") ? "dc_parallel" : nil),
            ]) + .many("datacenter", list(call.values("-dc"))) + .many("host", list(call.values("-hosts")))
        if call.has("--background") {
            let json: JSONValue = try await call.post("/repair", query + [HTTPRequest.Parameter("wait", "false")])
            return NodetoolOutput(json, "")
        }
        let tell: (@Sendable (String) -> Void)? = call.has("--no-progress") ? nil : call.tell
        let report: OperationReport = try await call.client.operate("/repair", query) { report in
            guard report.state == .running, let line = RepairText.progress(report) else { return }
            tell?("\r" + line)
        }
        tell?("\n")
        guard report.state == .done else { throw .failed(report.reason ?? "The repair was not finished.") }
        return NodetoolOutput(report.result, RepairText.summary(report.result))
    }

    /// Names with commas between are several.
    private static func list(_ values: [String]) -> [String] {
        values.flatMap { $0.split(separator: ",").map(String.init) }
    }

    private static let repairAdmin = NodetoolCommand(
        "repair_admin", "Repairs that this node has begun: list, cancel ID, summarize ID",
        operands: "[list | cancel ID | summarize ID]", 0...2
    ) { (call) throws(AdminClientError) in
        switch (call.operands.first ?? "list", call.operands.dropFirst().first) {
        case ("list", nil):
            let json: JSONValue = try await call.get("/repairs")
            return NodetoolOutput(json, RepairText.list(json["repairs"].elements))
        case ("cancel", let id?):
            try await call.post("/repairs/cancel", .given(["id": id]))
            return .done
        case ("summarize", let id?):
            let json: JSONValue = try await call.get("/repairs", .given(["id": id]))
            return NodetoolOutput(json, RepairText.summary(json))
        default: throw .invalid("repair_admin takes list, cancel ID or summarize ID.")
        }
    }
}
