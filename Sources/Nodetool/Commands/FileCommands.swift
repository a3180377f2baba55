import Administration
import DataModel

/// Flushing, merging, checking and rewriting files, and the operations that do so.
enum FileCommands {
    static let all: [NodetoolCommand] = writing + checking + operations

    private static let writing: [NodetoolCommand] = [
        NodetoolCommand(
            "flush", "Write what is in memory to files", operands: "[KEYSPACE [TABLE…]]", 0...1_000,
            options: NodetoolCall.workOptions
        ) { (call) throws(AdminClientError) in
            NodetoolOutput(try await call.operate("/flush", .tables(call.operands)), "")
        },
        NodetoolCommand(
            "compact", "Merge files: all of a table, those of a range of tokens or of a partition, or some by name",
            operands: "[KEYSPACE [TABLE…]] | --user-defined FILE…", 0...1_000,
            options: [
                .init(["-st", "--start-token"], value: "TOKEN", "Only files that have tokens from this one on."),
                .init(["-et", "--end-token"], value: "TOKEN", "Only files that have tokens up to this one."),
                .init(["--partition"], value: "KEY", "Only files that may have this partition."),
                .init(["--user-defined"], "The arguments are the paths of the files to be merged."),
                .init(["-s", "--split-output"], "Not here: a shard merges its files of a table into one."),
                .init(["-j", "--jobs"], value: "N", "Taken and not used: every shard does one at a time."),
            ] + NodetoolCall.workOptions
        ) { (call) throws(AdminClientError) in
            if call.has("--user-defined") {
                return NodetoolOutput(try await call.operate("/compact", .many("file", call.operands)), "")
            }
            let range: [HTTPRequest.Parameter] = .given([
                "start_token": call.value("-st"), "end_token": call.value("-et"), "key": call.value("--partition"),
                "split": call.has("-s") ? "true" : nil,
            ])
            return NodetoolOutput(try await call.operate("/compact", .tables(call.operands) + range), "")
        },
        NodetoolCommand(
            "garbagecollect", "Merge all files of tables and leave out what was overwritten or deleted",
            operands: "[KEYSPACE [TABLE…]]", 0...1_000,
            options: [
                .init(["-g", "--granularity"], value: "KIND", "Taken and not used: rows and cells are both left out."),
                .init(["-j", "--jobs"], value: "N", "Taken and not used: every shard does one at a time."),
            ] + NodetoolCall.workOptions
        ) { (call) throws(AdminClientError) in
            NodetoolOutput(try await call.operate("/garbagecollect", .tables(call.operands)), "")
        },
        NodetoolCommand(
            "upgradesstables", "Write files of an earlier form in the present one", operands: "[KEYSPACE [TABLE…]]",
            0...1_000,
            options: [
                .init(["-a", "--include-all-sstables"], "Write those in the present form anew too."),
                .init(["-j", "--jobs"], value: "N", "Taken and not used: every shard does one at a time."),
            ] + NodetoolCall.workOptions
        ) { (call) throws(AdminClientError) in
            let all: [HTTPRequest.Parameter] = .given(["all": call.has("-a") ? "true" : nil])
            return NodetoolOutput(try await call.operate("/upgradesstables", .tables(call.operands) + all), "")
        },
        NodetoolCommand(
            "import", "Take in files of a table, such as those of a snapshot; they are linked and stay where they are",
            operands: "KEYSPACE TABLE DIRECTORY…", 3...1_000,
            options: [.init(["-v", "--no-verify"], "Do not read the files as a whole first.")]
                + NodetoolCall.workOptions
        ) { (call) throws(AdminClientError) in
            let query: [HTTPRequest.Parameter] =
                .tables(Array(call.operands.prefix(2))) + .many("directory", call.operands.dropFirst(2))
                + .given(["no_verify": call.has("-v") ? "true" : nil])
            return NodetoolOutput(try await call.operate("/import", query), "")
        },
    ]

    private static let checking: [NodetoolCommand] = [
        NodetoolCommand(
            "verify", "Read all files of tables and hold them against their checksums",
            operands: "[KEYSPACE [TABLE…]]", 0...1_000,
            options: [
                .init(["-e", "--extended-verify"], "Taken and not used: everything is read always.")
            ] + NodetoolCall.workOptions
        ) { (call) throws(AdminClientError) in
            let json: JSONValue = try await call.operate("/verify", .tables(call.operands))
            return NodetoolOutput(json, "")
        },
        NodetoolCommand(
            "scrub", "Check all files of tables and write them anew, after a snapshot", operands: "[KEYSPACE [TABLE…]]",
            0...1_000,
            options: [
                .init(["-ns", "--no-snapshot"], "Make no snapshot."),
                .init(["-j", "--jobs"], value: "N", "Taken and not used: every shard does one at a time."),
            ] + NodetoolCall.workOptions
        ) { (call) throws(AdminClientError) in
            let query: [HTTPRequest.Parameter] =
                .tables(call.operands) + .given(["no_snapshot": call.has("-ns") ? "true" : nil])
            return NodetoolOutput(try await call.operate("/scrub", query), "")
        },
        NodetoolCommand(
            "getsstables", "The files of this node that may have a partition", operands: "KEYSPACE TABLE KEY", 3...3,
            options: [
                .init(["-hf", "--hex-format"], "The key is written in hexadecimal digits."),
                .init(["-l", "--show-levels"], "Taken and not used: files have no levels."),
            ]
        ) { (call) throws(AdminClientError) in
            let query: [HTTPRequest.Parameter] = .given([
                "keyspace": call.operands[0], "table": call.operands[1], "key": call.operands[2],
                "hex": call.has("-hf") ? "true" : nil,
            ])
            let json: JSONValue = try await call.get("/sstables", query)
            return NodetoolOutput(json, json["files"].elements.map { $0.plainText + "\n" }.joined())
        },
    ]

    private static let operations: [NodetoolCommand] = [
        NodetoolCommand(
            "stop",
            "End compactions that run: of all kinds, of COMPACTION, CLEANUP, SCRUB, UPGRADE_SSTABLES, GARBAGE_COLLECT",
            operands: "[KIND]", 0...1,
            options: [.init(["-id", "--compaction-id"], value: "ID", "Only the one with this id.")]
        ) { (call) throws(AdminClientError) in
            let json: JSONValue = try await call.post(
                "/stop", .given(["kind": call.operands.first, "id": call.value("-id")]))
            return NodetoolOutput(json, "")
        },
        NodetoolCommand(
            "operations", "What operators have this node do, and how far it is", operands: "[ID]", 0...1,
            options: [.init(["--stop"], "End it.")]
        ) { (call) throws(AdminClientError) in
            if call.has("--stop") {
                try await call.post("/operations/stop", .given(["id": call.operands.first]))
                return .done
            }
            let json: JSONValue = try await call.get("/operations", .given(["id": call.operands.first]))
            let all: [JSONValue] = call.operands.isEmpty ? json["operations"].elements : [json]
            return NodetoolOutput(json, OperationText.table(all))
        },
        NodetoolCommand(
            "drain", "Write everything to files and serve no more; the process stays until it is told to end",
            options: NodetoolCall.workOptions
        ) { (call) throws(AdminClientError) in NodetoolOutput(try await call.operate("/drain"), "") },
        NodetoolCommand(
            "replaybatchlog", "Write once more now what is in the batch log for longer than it should be",
            options: NodetoolCall.workOptions
        ) { (call) throws(AdminClientError) in NodetoolOutput(try await call.operate("/replaybatchlog"), "") },
    ]
}
