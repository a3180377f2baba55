import Administration
import DataModel
import Environment
import Primitives
import Query
import Storage

/// Flushing, merging, checking and rewriting files.
extension LiveAdministration {
    var fileRoutes: [AdminRoute] {
        [
            .work("/flush") { (request) throws(AdminFailure) in try self.flush(request) },
            .work("/compact") { (request) throws(AdminFailure) in try self.compact(request) },
            .work("/garbagecollect") { (request) throws(AdminFailure) in
                try self.eachTable("garbagecollect", request) { engine, table, _ in
                    try await engine.collectGarbage(table: table.id)
                }
            },
            .work("/verify") { (request) throws(AdminFailure) in try self.verify(request) },
            .work("/scrub") { (request) throws(AdminFailure) in try self.scrub(request) },
            .work("/upgradesstables") { (request) throws(AdminFailure) in
                let all: Bool = request.flag("all")
                return try self.eachTable("upgradesstables", request) { engine, table, _ in
                    _ = try await engine.rewrite(table: table.id, onlyOld: !all, as: .upgrade)
                }
            },
            .work("/import") { (request) throws(AdminFailure) in try self.importFiles(request) },
            .get("/sstables") { (request) throws(AdminFailure) in try await self.files(request) },
            .post("/stop") { (request) throws(AdminFailure) in try await self.stopCompactions(request) },
        ]
    }

    /// Begins work that is done table by table.
    private func eachTable(
        _ name: String, _ request: HTTPRequest,
        _ body: @escaping @Sendable (StorageEngine, TableDefinition, Operation) async throws -> Void
    ) throws(AdminFailure) -> Operation {
        let engine: StorageEngine = try current().parts.engine
        let tables: [TableDefinition] = try chosenTables(request)
        return operations.begin(name) { operation in
            LiveAdministration.follow(tables, of: engine, operation)
            for table in tables {
                if operation.isStopWanted { throw CancellationError() }
                operation.note("\(table.keyspace).\(table.name)")
                try await body(engine, table, operation)
            }
            return .record(["tables": .integer(tables.count)])
        }
    }

    /// Has an operation show, and end, the compactions of its tables.
    private static func follow(_ tables: [TableDefinition], of engine: StorageEngine, _ operation: Operation) {
        let names: Set<String> = Set(tables.map { "\($0.keyspace).\($0.name)" })
        @Sendable func running() async -> [CompactionProgress] {
            ((try? await engine.compactions()) ?? []).filter { names.contains("\($0.keyspace).\($0.table)") }
        }
        operation.measure {
            let all: [CompactionProgress] = await running()
            if all.isEmpty { return nil }
            return (all.reduce(0) { $0 + $1.doneByteCount }, all.reduce(0) { $0 + $1.totalByteCount })
        }
        operation.whenStopped {
            for compaction in await running() { _ = try? await engine.stopCompactions(kind: nil, id: compaction.id) }
        }
    }

    private func flush(_ request: HTTPRequest) throws(AdminFailure) -> Operation {
        let engine: StorageEngine = try current().parts.engine
        let tables: [TableDefinition] = try chosenTables(request)
        return operations.begin("flush") { operation in
            for (place, table) in tables.enumerated() {
                if operation.isStopWanted { throw CancellationError() }
                operation.note(done: place, of: tables.count, unit: "tables")
                operation.note("\(table.keyspace).\(table.name)")
                try await engine.flush(tables: [table.id])
            }
            return .record(["tables": .integer(tables.count)])
        }
    }

    private func compact(_ request: HTTPRequest) throws(AdminFailure) -> Operation {
        if request.flag("split") {
            throw .invalid("A shard merges all files of a table into one: they cannot be split.")
        }
        let files: [String] = request.parameters("file")
        if !files.isEmpty {
            let engine: StorageEngine = try current().parts.engine
            return operations.begin("compact") { _ in
                let missing: [String] = try await engine.compact(files: files)
                guard missing.isEmpty else {
                    throw AdminFailure.invalid("No table has the file \(missing.joined(separator: ", ")).")
                }
                return .record(["files": .integer(files.count)])
            }
        }
        if let range = try tokens(request) {
            return try eachTable("compact", request) { engine, table, _ in
                try await engine.compact(table: table.id, tokens: range)
            }
        }
        return try eachTable("compact", request) { engine, table, _ in try await engine.compact(table: table.id) }
    }

    /// The range of tokens that a request names; nil for all.
    private func tokens(_ request: HTTPRequest) throws(AdminFailure) -> ClosedRange<Token>? {
        if let key = request.parameter("key") {
            let token: Token = try PartitionKeyText.token(of: key, try chosenTable(request).partitionKey)
            return token...token
        }
        let texts: [String?] = [request.parameter("start_token"), request.parameter("end_token")]
        if texts.allSatisfy({ $0 == nil }) { return nil }
        var bounds: [Int64] = [Token.minimum.value, Token.maximum.value]
        for (place, text) in texts.enumerated() {
            guard let text else { continue }
            guard let value = Int64(text) else { throw .invalid("\(text) is not a token.") }
            bounds[place] = value
        }
        guard bounds[0] <= bounds[1] else { throw .invalid("The range of tokens ends before it starts.") }
        return Token(bounds[0])...Token(bounds[1])
    }

    private func verify(_ request: HTTPRequest) throws(AdminFailure) -> Operation {
        let engine: StorageEngine = try current().parts.engine
        let tables: [TableDefinition] = try chosenTables(request)
        return operations.begin("verify") { operation in
            try await .record(["files": .integer(LiveAdministration.check(tables, engine, operation))])
        }
    }

    private func scrub(_ request: HTTPRequest) throws(AdminFailure) -> Operation {
        let engine: StorageEngine = try current().parts.engine
        let tables: [TableDefinition] = try chosenTables(request)
        let snapshotName: String? =
            request.flag("no_snapshot") ? nil : "pre-scrub-\(time.wallMicroseconds / 1_000)"
        return operations.begin("scrub") { operation in
            if let snapshotName {
                operation.note("snapshot \(snapshotName)")
                try await engine.snapshot(named: snapshotName, tables: tables.map(\.id))
            }
            _ = try await LiveAdministration.check(tables, engine, operation)
            LiveAdministration.follow(tables, of: engine, operation)
            var count = 0
            for table in tables {
                if operation.isStopWanted { throw CancellationError() }
                operation.note("\(table.keyspace).\(table.name)")
                count += try await engine.rewrite(table: table.id, onlyOld: false, as: .scrub)
            }
            return .record(["files": .integer(count), "snapshot": .optional(snapshotName)])
        }
    }

    /// Reads all files of tables.
    ///
    /// - Returns: how many there are.
    /// - Throws: a sentence that names those that are damaged.
    private static func check(
        _ tables: [TableDefinition], _ engine: StorageEngine, _ operation: Operation
    ) async throws -> Int {
        var fileCount = 0
        var damages: [String] = []
        for (place, table) in tables.enumerated() {
            if operation.isStopWanted { throw CancellationError() }
            operation.note(done: place, of: tables.count, unit: "tables")
            operation.note("\(table.keyspace).\(table.name)")
            let found = try await engine.verify(table: table.id)
            fileCount += found.fileCount
            damages += found.damages.map { StorageFailure.words($0) }
        }
        guard damages.isEmpty else {
            throw AdminFailure.unavailable(
                "\(damages.count) of \(fileCount) files are damaged: \(damages.joined(separator: "; ")). What they hold "
                    + "has to come from the other replicas or from a snapshot.")
        }
        return fileCount
    }

    private func importFiles(_ request: HTTPRequest) throws(AdminFailure) -> Operation {
        let parts: Node.Parts = try current().parts
        let table: TableDefinition = try chosenTable(request)
        let folders: [String] = request.parameters("directory")
        if folders.isEmpty { throw .invalid("The parameter directory is needed.") }
        let verifies: Bool = !request.flag("no_verify")
        return operations.begin("import") { operation in
            var files: [String] = []
            for folder in folders {
                let names: [String] = try await parts.host.disk.list(folder).filter { $0.hasSuffix(".sst") }
                if names.isEmpty { throw AdminFailure.invalid("There are no SSTables in \(folder).") }
                files += names.map { "\(folder)/\($0)" }
            }
            operation.note("\(files.count) files")
            try await parts.engine.importFiles(files, into: table.id, verifies: verifies)
            return .record(["files": .integer(files.count)])
        }
    }

    /// The files that may have a partition, on this node.
    private func files(_ request: HTTPRequest) async throws(AdminFailure) -> JSONValue {
        let engine: StorageEngine = try current().parts.engine
        let table: TableDefinition = try chosenTable(request)
        guard let key = request.parameter("key") else { throw .invalid("The parameter key is needed.") }
        let token: Token
        if request.flag("hex") {
            guard let bytes = LiveAdministration.bytes(ofHex: key) else {
                throw .invalid("\(key) is not hexadecimal.")
            }
            token = Token(ofKey: bytes.span.bytes)
        } else {
            token = try PartitionKeyText.token(of: key, table.partitionKey)
        }
        let paths: [String] = try await carryOut { try await engine.files(of: table.id, holding: token) }
        return .record(["token": .string(String(token.value)), "files": .texts(paths)])
    }

    static func bytes(ofHex text: String) -> [UInt8]? {
        let digits: [UInt8] = Array(text.hasPrefix("0x") ? text.dropFirst(2).utf8 : text[...].utf8)
        guard digits.count % 2 == 0 else { return nil }
        var bytes: [UInt8] = []
        for index in stride(from: 0, to: digits.count, by: 2) {
            let pair = String(decoding: digits[index..<(index + 2)], as: UTF8.self)
            guard pair.utf8.allSatisfy({ $0 != 0x2B && $0 != 0x2D }), let byte = UInt8(pair, radix: 16) else {
                return nil
            }
            bytes.append(byte)
        }
        return bytes
    }

    private func stopCompactions(_ request: HTTPRequest) async throws(AdminFailure) -> JSONValue {
        let engine: StorageEngine = try current().parts.engine
        var kind: CompactionKind?
        if let word = request.parameter("kind")?.lowercased() {
            let known: [String: CompactionKind] = [
                "compaction": .compaction, "scrub": .scrub, "upgrade_sstables": .upgrade,
                "garbage_collect": .garbageCollection, "cleanup": .cleanup,
            ]
            guard let found = known[word] else {
                throw .invalid("There is no \(word) to be stopped: \(known.keys.sorted().joined(separator: ", ")).")
            }
            kind = found
        }
        var id: UUID?
        if let text = request.parameter("id") {
            guard let parsed = UUID(text: text) else { throw .invalid("\(text) is no id of a compaction.") }
            id = parsed
        }
        let (wantedKind, wantedID) = (kind, id)
        let count: Int = try await carryOut { try await engine.stopCompactions(kind: wantedKind, id: wantedID) }
        return .record(["stopped": .integer(count)])
    }
}
