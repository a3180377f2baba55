import Administration
import DataModel

/// What can be looked at and changed while a node runs.
enum SettingCommands {
    static let all: [NodetoolCommand] = general + rates + timeouts + logging

    /// The value of a setting, as it is in the file.
    private static func value(_ name: String, _ call: NodetoolCall) async throws(AdminClientError) -> JSONValue {
        try await call.get("/settings", .given(["name": name]))["settings"].elements.first ?? .null
    }

    private static func set(_ name: String, _ value: String, _ call: NodetoolCall) async throws(AdminClientError)
        -> NodetoolOutput
    {
        NodetoolOutput(try await call.post("/settings", .given(["name": name, "value": value])), "")
    }

    private static let general: [NodetoolCommand] = [
        NodetoolCommand("getsetting", "Any setting of the node, or all", operands: "[NAME…]", 0...1_000) {
            (call) throws(AdminClientError) in
            let json: JSONValue = try await call.get("/settings", .many("name", call.operands))
            var table = TextTable(separator: "  ")
            for setting in json["settings"].elements {
                table.add(setting["name"].plainText, setting["value"].plainText)
            }
            return NodetoolOutput(json, table.text())
        },
        NodetoolCommand(
            "setsetting", "Change a setting until the node is restarted", operands: "NAME VALUE", 2...2
        ) { (call) throws(AdminClientError) in try await set(call.operands[0], call.operands[1], call) },
        NodetoolCommand("datapaths", "The folders of the node") { (call) throws(AdminClientError) in
            let json: JSONValue = try await call.get("/datapaths")
            let lines: [String] = json.members.map { "\($0.name): \($0.value.plainText)\n" }
            return NodetoolOutput(json, lines.joined())
        },
        NodetoolCommand("getconcurrentcompactors", "How many compactions can run at once: one on each shard") {
            (call) throws(AdminClientError) in
            let count: JSONValue = try await call.get("/compactionstats")["concurrent_compactors"]
            return NodetoolOutput(
                .record(["concurrent_compactors": count]),
                "Current concurrent compactors in the system is: \n\(count.plainText)\n")
        },
        NodetoolCommand("getmaxhintwindow", "How long a node may be down and hints for it are kept") {
            (call) throws(AdminClientError) in
            let setting: JSONValue = try await value("max_hint_window", call)
            let milliseconds: Int = SettingValue.milliseconds(setting["value"].plainText)
            return NodetoolOutput(setting, "Current max hint window: \(milliseconds) ms\n")
        },
        NodetoolCommand(
            "setmaxhintwindow", "Keep hints for nodes that are down no longer than this", operands: "MILLISECONDS",
            1...1
        ) { (call) throws(AdminClientError) in
            try await set("max_hint_window", try SettingValue.number(call.operands[0]) + "ms", call)
        },
        NodetoolCommand("gettraceprobability", "The share of requests that is traced") {
            (call) throws(AdminClientError) in
            let json: JSONValue = try await call.get("/traceprobability")
            return NodetoolOutput(
                json, "Current trace probability: \(json["trace_probability"].plainText)\n")
        },
        NodetoolCommand(
            "settraceprobability", "Trace this share of requests, 0 to 1", operands: "SHARE", 1...1
        ) { (call) throws(AdminClientError) in
            try await call.post("/traceprobability", .given(["value": call.operands[0]]))
            return .done
        },
    ]

    // MARK: Rates

    /// A setting that is a rate: its commands, and the unit that they take.
    private struct Rate {
        let word: String
        let setting: String
        let unit: String
        let title: String
        let what: String
    }

    private static let rates: [NodetoolCommand] = [
        Rate(
            word: "compactionthroughput", setting: "compaction_throughput", unit: "MiB/s",
            title: "Current compaction throughput", what: "what compaction of each shard writes"),
        Rate(
            word: "streamthroughput", setting: "stream_throughput_outbound", unit: "MiB/s",
            title: "Current stream throughput", what: "what is streamed to other nodes"),
        Rate(
            word: "interdcstreamthroughput", setting: "inter_dc_stream_throughput_outbound", unit: "MiB/s",
            title: "Current inter-datacenter stream throughput", what: "what is streamed to other datacenters"),
        Rate(
            word: "repairthroughput", setting: "repair_throughput", unit: "MiB/s",
            title: "Current repair throughput", what: "the rows that are hashed to be compared"),
        Rate(
            word: "hintedhandoffthrottlekb", setting: "hinted_handoff_throttle", unit: "KiB",
            title: "Current hinted handoff throttle", what: "the hints that are delivered each second"),
        Rate(
            word: "batchlogreplaythrottle", setting: "batchlog_replay_throttle", unit: "KiB",
            title: "Batchlog replay throttle", what: "what of the batch log is written once more each second"),
        Rate(
            word: "snapshotthrottle", setting: "snapshot_links_per_second", unit: "",
            title: "Current snapshot throttle", what: "the files of snapshots that are linked each second"),
    ].flatMap { rate in
        [
            NodetoolCommand(
                "get" + rate.word, "The limit of \(rate.what)",
                options: [
                    .init(["-d", "--precise-mib"], "Show what is behind the point too."),
                    .init(["-m", "--mib"], "Taken and not used: it is always shown so."),
                    .init(["-e", "--entire-sstable-throughput"], "Taken and not used: there is one limit."),
                ]
            ) { (call) throws(AdminClientError) in
                let setting: JSONValue = try await value(rate.setting, call)
                let figure: String = SettingValue.inUnit(
                    setting["value"].plainText, rate.unit, isPrecise: call.has("-d"))
                let shown: String = figure == "0" ? "unlimited" : [figure, rate.unit].joined(separator: " ")
                let text: String = shown.hasSuffix(" ") ? "\(figure) links/s" : shown
                return NodetoolOutput(setting, "\(rate.title): \(text)\n")
            },
            NodetoolCommand(
                "set" + rate.word, "Limit \(rate.what); 0 for no limit",
                operands: rate.unit.isEmpty ? "N" : "\(rate.unit)",
                1...1,
                options: [
                    .init(["-m", "--mib"], "Taken and not used: it is always taken so."),
                    .init(["-e", "--entire-sstable-throughput"], "Taken and not used: there is one limit."),
                ]
            ) { (call) throws(AdminClientError) in
                try await set(rate.setting, try SettingValue.number(call.operands[0]) + rate.unit, call)
            },
        ]
    }

    // MARK: Time-outs

    /// Cassandra's words for time-outs, with the settings behind them.
    private static let timeoutSettings: [(word: String, setting: String)] = [
        ("read", "read_request_timeout"), ("range", "range_request_timeout"), ("write", "write_request_timeout"),
        ("counterwrite", "counter_write_request_timeout"), ("cascontention", "cas_contention_timeout"),
        ("truncate", "truncate_request_timeout"), ("misc", "request_timeout"),
        ("internodeconnect", "internode_tcp_connect_timeout"),
    ]

    private static func timeoutSetting(_ word: String) throws(AdminClientError) -> String {
        if let found = timeoutSettings.first(where: { $0.word == word }) { return found.setting }
        if word == "internodeuser" || word == "internodestreaminguser" {
            throw .failed("There is no such time-out: connections between nodes that are stuck are noticed by gossip.")
        }
        throw .invalid("The time-outs are \(timeoutSettings.map(\.word).joined(separator: ", ")).")
    }

    private static let timeouts: [NodetoolCommand] = [
        NodetoolCommand("gettimeout", "A time-out in milliseconds", operands: "KIND", 1...1) {
            (call) throws(AdminClientError) in
            let setting: JSONValue = try await value(try timeoutSetting(call.operands[0]), call)
            let milliseconds: Int = SettingValue.milliseconds(setting["value"].plainText)
            return NodetoolOutput(
                setting, "Current timeout for type \(call.operands[0]): \(milliseconds) ms\n")
        },
        NodetoolCommand("settimeout", "Change a time-out", operands: "KIND MILLISECONDS", 2...2) {
            (call) throws(AdminClientError) in
            try await set(
                try timeoutSetting(call.operands[0]), try SettingValue.number(call.operands[1]) + "ms", call)
        },
    ]

    private static let logging: [NodetoolCommand] = [
        NodetoolCommand("getlogginglevels", "From which level on the parts of the node write into the log") {
            (call) throws(AdminClientError) in
            let json: JSONValue = try await call.get("/logging")
            var text = "\n" + TextTable.padded("Logger Name", 50) + "Log Level\n"
            for level in json["levels"].members {
                text += TextTable.padded(level.name == "root" ? "ROOT" : level.name, 50)
                text += level.value.plainText.uppercased() + "\n"
            }
            return NodetoolOutput(json, text)
        },
        NodetoolCommand(
            "setlogginglevel", "Write into the log from this level on; without arguments as at the start",
            operands: "[PART [LEVEL]]", 0...2
        ) { (call) throws(AdminClientError) in
            switch call.operands.count {
            case 0: try await call.post("/logging")
            case 1: throw .invalid("setlogginglevel takes a part and a level.")
            default: try await call.post("/logging", .given(["part": call.operands[0], "level": call.operands[1]]))
            }
            return .done
        },
    ]
}

/// Values of settings, as texts and as the numbers that Cassandra's tool has.
enum SettingValue {
    static func number(_ text: String) throws(AdminClientError) -> String {
        guard let number = Int64(text), number >= 0 else { throw .invalid("\(text) is no number from 0 on.") }
        return String(number)
    }

    /// A duration such as `3h` in milliseconds.
    static func milliseconds(_ text: String) -> Int {
        let (number, unit) = parts(text)
        let factors: [String: Double] = [
            "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1, "us": 0.001,
        ]
        return Int(number * (factors[unit] ?? 0))
    }

    /// A size or a rate such as `64MiB/s` in a unit such as `MiB/s`.
    static func inUnit(_ text: String, _ unit: String, isPrecise: Bool) -> String {
        let (number, own) = parts(text)
        let factors: [String: Double] = ["": 1, "B": 1, "KiB": 1_024, "MiB": 1_048_576, "GiB": 1_073_741_824]
        func factor(_ unit: String) -> Double {
            factors[unit.hasSuffix("/s") ? String(unit.dropLast(2)) : unit] ?? 1
        }
        let value: Double = number * factor(own) / factor(unit)
        // What is less than one would look like no limit.
        if value > 0, value < 1, !isPrecise { return FigureText.decimal(max(value, 0.001), places: 3) }
        return isPrecise ? String(value) : FigureText.decimal(value, places: 0)
    }

    private static func parts(_ text: String) -> (number: Double, unit: String) {
        let digits: Substring = text.prefix { $0.isNumber }
        return (Double(digits) ?? 0, text.dropFirst(digits.count).filter { $0 != " " })
    }
}
