import Administration
import DataModel

/// Nodes that come, go and move.
enum MembershipCommands {
    static let all: [NodetoolCommand] = departures + aborts + arrivals + data

    private static func node(_ text: String?) -> [HTTPRequest.Parameter] { .given(["node": text]) }

    private static let departures: [NodetoolCommand] = [
        NodetoolCommand(
            "decommission", "Hand over what this node has, and leave the ring",
            options: [
                .init(["-f", "--force"], "Also where fewer nodes than replicas would be left."),
                .init(["--abort"], "Take a decommission back that is in progress."),
                .init(["--resume"], "Wait for the decommission that is in progress."),
            ] + NodetoolCall.workOptions
        ) { (call) throws(AdminClientError) in
            if call.has("--abort") {
                return NodetoolOutput(try await call.operate("/ring/abort", .given(["kind": "leave"])), "")
            }
            if call.has("--resume") {
                return NodetoolOutput(try await call.operate("/ring/resume", .given(["kind": "leave"])), "")
            }
            let force: String? = call.has("-f") ? "true" : nil
            return NodetoolOutput(try await call.operate("/ring/decommission", .given(["force": force])), "")
        },
        NodetoolCommand(
            "removenode", "Take a dead node out of the ring, show how that goes, take it back, or end it at once",
            operands: "ID | status | force | abort", 1...1,
            options: [
                .init(["-f", "--force"], "Take what is there where too few of those are up that have the data.")
            ] + NodetoolCall.workOptions
        ) { (call) throws(AdminClientError) in
            switch call.operands[0] {
            case "status":
                let json: JSONValue = try await call.get("/ring/changes")
                return NodetoolOutput(json, MembershipText.removals(json))
            case "force": return NodetoolOutput(try await call.operate("/ring/force", .given(["kind": "remove"])), "")
            case "abort": return NodetoolOutput(try await call.operate("/ring/abort", .given(["kind": "remove"])), "")
            default:
                let force: String? = call.has("-f") ? "true" : nil
                return NodetoolOutput(
                    try await call.operate("/ring/removenode", node(call.operands[0]) + .given(["force": force])), "")
            }
        },
        NodetoolCommand(
            "assassinate", "Take a node out at once, without its data; repair afterwards", operands: "ADDRESS | ID",
            1...1
        ) { (call) throws(AdminClientError) in
            try await call.post("/ring/assassinate", node(call.operands[0]))
            return .done
        },
    ]

    /// Taking back what is in progress, by the names that Cassandra has for it.
    private static let aborts: [NodetoolCommand] = [
        ("abortdecommission", "leave", "Take back the decommission of a node"),
        ("abortmove", "move", "Take back the move of a node"),
        ("abortremovenode", "remove", "Take back the removal of a dead node"),
    ].map { name, kind, summary in
        NodetoolCommand(name, summary, operands: "[NODE]", 0...1, options: NodetoolCall.workOptions) {
            (call) throws(AdminClientError) in
            let query: [HTTPRequest.Parameter] = node(call.operands.first) + .given(["kind": kind])
            return NodetoolOutput(try await call.operate("/ring/abort", query), "")
        }
    }

    private static let arrivals: [NodetoolCommand] = [
        NodetoolCommand(
            "move", "Give this node other tokens, all that it is to have", operands: "[--] TOKEN…", 1...1_536,
            options: NodetoolCall.workOptions
        ) { (call) throws(AdminClientError) in
            NodetoolOutput(try await call.operate("/ring/move", .many("token", call.operands)), "")
        },
        NodetoolCommand(
            "bootstrap", "Go on with a bootstrap whose node is down, or wait for one", operands: "resume [NODE]", 1...2,
            options: NodetoolCall.workOptions
        ) { (call) throws(AdminClientError) in
            guard call.operands[0] == "resume" else { throw .invalid("bootstrap is followed by resume.") }
            return NodetoolOutput(
                try await call.operate("/ring/resume", node(call.operands.count > 1 ? call.operands[1] : nil)), "")
        },
        NodetoolCommand(
            "abortbootstrap", "Take the bootstrap of a node back",
            options: [
                .init(["--node"], value: "ID", "The id of the node."),
                .init(["--ip"], value: "ADDRESS", "The address of the node."),
            ] + NodetoolCall.workOptions
        ) { (call) throws(AdminClientError) in
            guard let named = call.value("--node") ?? call.value("--ip") else {
                throw .invalid("Either --node or --ip is needed.")
            }
            return NodetoolOutput(try await call.operate("/ring/abort", node(named)), "")
        },
        NodetoolCommand("ringchanges", "The changes of the ring that are in progress") {
            (call) throws(AdminClientError) in
            let json: JSONValue = try await call.get("/ring/changes")
            return NodetoolOutput(json, MembershipText.changes(json))
        },
    ]

    private static let data: [NodetoolCommand] = [
        NodetoolCommand(
            "rebuild", "Fetch all that this node owns from others, such as those of another datacenter",
            operands: "[DATACENTER]", 0...1,
            options: [.init(["-ks", "--keyspace"], value: "KEYSPACE", "Only this keyspace.")]
                + NodetoolCall.workOptions
        ) { (call) throws(AdminClientError) in
            let query: [HTTPRequest.Parameter] = .given(["datacenter": call.operands.first])
            return NodetoolOutput(
                try await call.operate("/ring/rebuild", query + .many("keyspace", call.values("-ks"))), "")
        },
        NodetoolCommand(
            "cleanup", "Remove at once what this node has and does not own any more; otherwise that happens by itself",
            operands: "[KEYSPACE…]", 0...1_000,
            options: [.init(["-j", "--jobs"], value: "N", "Taken and not used: every shard does one at a time.")]
                + NodetoolCall.workOptions
        ) { (call) throws(AdminClientError) in
            NodetoolOutput(try await call.operate("/cleanup", .many("keyspace", call.operands)), "")
        },
        NodetoolCommand(
            "streams", "What is on its way between this node and others for changes of the ring, and what was lately",
            options: [.init(["-H", "--human-readable"], "Show bytes with a unit.")]
        ) { (call) throws(AdminClientError) in
            let json: JSONValue = try await call.get("/streams")
            return NodetoolOutput(json, StreamText.all(json, isHuman: call.has("-H"), withPorts: call.withPorts))
        },
    ]
}

/// Changes of the ring in words.
enum MembershipText {
    static func removals(_ json: JSONValue) -> String {
        let removals: [JSONValue] = json["changes"].elements.filter { $0["kind"] == .string("remove") }
        if removals.isEmpty { return "RemovalStatus: No token removals in process.\n" }
        return removals.map { change in
            let fetching: String = change["fetching"].elements.map(\.plainText).joined(separator: ", ")
            return "RemovalStatus: Removing node (\(change["address"].plainText)). "
                + "Waiting for replication confirmation from [\(fetching)].\n"
        }.joined()
    }

    static func changes(_ json: JSONValue) -> String {
        let changes: [JSONValue] = json["changes"].elements
        if changes.isEmpty { return "No changes of the ring are in progress.\n" }
        return changes.map { change in
            var line: String =
                "\(change["kind"].plainText) \(change["address"].plainText) (\(change["node"].plainText))"
            if change["is_aborting"].isTrue { line += ", being taken back" }
            line += ", driven by \(change["driver"].plainText)"
            if change["share"] != .null {
                line += ", \(FigureText.percent(change["share"].decimalValue, places: 1)) handed over"
            }
            let words: String = change["waits_for"].plainText
            return line + (words.isEmpty ? "" : ": \(words)") + "\n"
        }.joined()
    }
}
