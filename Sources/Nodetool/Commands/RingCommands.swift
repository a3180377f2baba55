import Administration
import DataModel

/// The cluster, its nodes and where data is.
enum RingCommands {
    static let all: [NodetoolCommand] = nodes + cluster + messages

    /// A question whose answer is a report.
    private static func ask<Answer: Report>(
        _ call: NodetoolCall, _ path: String, _ query: [HTTPRequest.Parameter] = [], as type: Answer.Type,
        _ text: (Answer) -> String
    ) async throws(AdminClientError) -> NodetoolOutput {
        let report: Answer = try await call.client.get(path, query, as: type)
        return NodetoolOutput(report.json, text(report))
    }

    private static let nodes: [NodetoolCommand] = [
        NodetoolCommand(
            "status", "All nodes: whether they are up, their load and what they own", operands: "[KEYSPACE]", 0...1,
            options: [
                .init(["-s", "--sort"], value: "KEY", "By ip, load, owns, host_id, token, rack or status."),
                .init(["-o", "--order"], value: "ORDER", "asc or desc."),
            ]
        ) { (call) throws(AdminClientError) in
            let sorting = try RingSorting(call.value("-s"), call.value("-o"))
            return try await ask(call, "/status", .given(["keyspace": call.operands.first]), as: RingReport.self) {
                RingText.status($0, withPorts: call.withPorts, sorting)
            }
        },
        NodetoolCommand("ring", "All tokens of the ring with their nodes", operands: "[KEYSPACE]", 0...1) {
            (call) throws(AdminClientError) in
            try await ask(call, "/ring", .given(["keyspace": call.operands.first]), as: RingReport.self) {
                RingText.ring($0, withPorts: call.withPorts)
            }
        },
        NodetoolCommand(
            "info", "This node: load, uptime, memory, tokens",
            options: [.init(["-T", "--tokens"], "Show all tokens.")]
        ) { (call) throws(AdminClientError) in
            try await ask(call, "/info", as: NodeReport.self) { NodeText.info($0, showsTokens: call.has("-T")) }
        },
        NodetoolCommand(
            "version", "The version of this node",
            options: [.init(["-v", "--verbose"], "Show the versions of CQL and of the protocol too.")]
        ) { (call) throws(AdminClientError) in
            try await ask(call, "/version", as: VersionReport.self) { NodeText.version($0, isVerbose: call.has("-v")) }
        },
    ]

    private static let cluster: [NodetoolCommand] = [
        NodetoolCommand("describecluster", "The cluster: name, versions of the schema and of the nodes, keyspaces") {
            (call) throws(AdminClientError) in
            try await ask(call, "/cluster", as: ClusterReport.self) {
                ClusterText.describe($0, withPorts: call.withPorts)
            }
        },
        NodetoolCommand(
            "describering", "The ranges of tokens of a keyspace with their replicas", operands: "KEYSPACE", 1...1
        ) { (call) throws(AdminClientError) in
            let json: JSONValue = try await call.get("/describering", .given(["keyspace": call.operands[0]]))
            return NodetoolOutput(json, RangeText.describe(json))
        },
        NodetoolCommand("rangekeysample", "Tokens at which files of this node begin and end") {
            (call) throws(AdminClientError) in
            let json: JSONValue = try await call.get("/rangekeysample")
            let tokens: [String] = json["tokens"].elements.map(\.plainText)
            return NodetoolOutput(json, "RangeKeySample: \n" + tokens.map { "\t\($0)\n" }.joined())
        },
        NodetoolCommand(
            "getendpoints", "The replicas of a partition key", operands: "KEYSPACE TABLE KEY", 3...3
        ) { (call) throws(AdminClientError) in
            let query: [HTTPRequest.Parameter] = zip(["keyspace", "table", "key"], call.operands).map {
                HTTPRequest.Parameter($0, $1)
            }
            return try await ask(call, "/endpoints", query, as: ReplicasReport.self) { report in
                report.endpoints.map { $0.text(withPort: call.withPorts) + "\n" }.joined()
            }
        },
        NodetoolCommand("getseeds", "The seeds that this node was given, without itself") {
            (call) throws(AdminClientError) in
            let json: JSONValue = try await call.get("/seeds")
            let seeds: [String] = json["seeds"].elements.map(\.plainText)
            return NodetoolOutput(
                json,
                seeds.isEmpty
                    ? "Seed node list does not contain any remote node IPs\n"
                    : "Current list of seed node IPs, excluding the current node's IP: \(seeds.joined(separator: " "))\n"
            )
        },
    ]

    private static let messages: [NodetoolCommand] = [
        NodetoolCommand("gossipinfo", "What this node knows of all nodes from gossip") {
            (call) throws(AdminClientError) in
            try await ask(call, "/gossipinfo", as: GossipReport.self) {
                GossipText.states($0, withPorts: call.withPorts)
            }
        },
        NodetoolCommand("failuredetector", "How sure this node is that each other node is up") {
            (call) throws(AdminClientError) in
            try await ask(call, "/failuredetector", as: DetectorReport.self) {
                GossipText.detector($0, withPorts: call.withPorts)
            }
        },
        NodetoolCommand(
            "netstats", "What this node is doing: its mode, streams of data, and messages between it and the others",
            options: [
                .init(["-P", "--peers"], "Show the messages with each node too."),
                .init(["-H", "--human-readable"], "Show bytes with a unit."),
            ]
        ) { (call) throws(AdminClientError) in
            let report: NetworkReport = try await call.client.get("/netstats", as: NetworkReport.self)
            // A node that has no parts yet has no streams either.
            let streams: JSONValue =
                report.mode == "STARTING" ? .record(["streams": .array([])]) : try await call.get("/streams")
            return NodetoolOutput(
                .object(report.json.members + streams.members),
                NetworkText.statistics(report, streams, flags: call.arguments.flags, withPorts: call.withPorts))
        },
        NodetoolCommand("listpendinghints", "The hints that wait on this node, by the node that they are for") {
            (call) throws(AdminClientError) in
            try await ask(call, "/hints/pending", as: PendingHintsReport.self) {
                HintText.pending($0, withPorts: call.withPorts)
            }
        },
        NodetoolCommand(
            "truncatehints", "Forget the hints that wait on this node, for all nodes or for some",
            operands: "[NODE…]", 0...1_000
        ) { (call) throws(AdminClientError) in
            if call.operands.isEmpty { try await call.post("/hints/truncate") }
            for node in call.operands { try await call.post("/hints/truncate", .given(["node": node])) }
            return .done
        },
        NodetoolCommand("statushandoff", "Whether this node stores hints") { (call) throws(AdminClientError) in
            try await ask(call, "/hints", as: HandoffReport.self, HintText.handoff)
        },
    ]
}
