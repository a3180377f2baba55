import Administration
import DataModel
import Environment
import Primitives
import Query
import Storage

/// Snapshots: made, listed, removed, and removed by themselves when their time is up.
extension LiveAdministration {
    var snapshotRoutes: [AdminRoute] {
        [
            .work("/snapshot") { (request) throws(AdminFailure) in try await self.snapshot(request) },
            .get("/listsnapshots") { (request) throws(AdminFailure) in
                let noTTL: Bool = request.flag("no_ttl")
                let all: [Snapshot] = try await self.snapshots().filter { !noTTL || $0.expiresMilliseconds == nil }
                return .record([
                    "snapshots": .array(all.map { LiveAdministration.json($0) }),
                    "total_true_size": .integer(all.reduce(0) { $0 + $1.ownByteCount }),
                ])
            },
            .post("/clearsnapshot") { (request) throws(AdminFailure) in try await self.clearSnapshots(request) },
        ]
    }

    func snapshots() async throws(AdminFailure) -> [Snapshot] {
        let engine: StorageEngine = try current().parts.engine
        return try await carryOut { try await engine.snapshots() }
    }

    private static func json(_ snapshot: Snapshot) -> JSONValue {
        .record([
            "name": .string(snapshot.name), "keyspace_name": .string(snapshot.keyspace),
            "table_name": .string(snapshot.table), "table_id": .string(snapshot.tableID.description),
            "true_size": .integer(snapshot.ownByteCount), "size_on_disk": .integer(snapshot.byteCount),
            "created_at_ms": .big(snapshot.createdMilliseconds),
            "expires_at_ms": snapshot.expiresMilliseconds.map { .big($0) } ?? .null,
            "ephemeral": .boolean(false), "directory": .string(snapshot.folder),
        ])
    }

    private func snapshot(_ request: HTTPRequest) async throws(AdminFailure) -> Operation {
        let engine: StorageEngine = try current().parts.engine
        let tables: [TableDefinition] = try chosenTables(request)
        let name: String = request.parameter("tag") ?? String(time.wallMicroseconds / 1_000)
        guard Snapshot.isName(name) else { throw .invalid("\(name) cannot be the name of a snapshot.") }
        var lasting: Int64?
        if let text = request.parameter("ttl") {
            guard let nanoseconds = SettingText.duration(text), nanoseconds >= 60_000_000_000 else {
                throw .invalid("The time to live of a snapshot is a duration of at least 1m, such as 12h.")
            }
            lasting = nanoseconds / 1_000_000
        }
        let present: [Snapshot] = try await snapshots()
        for table in tables where present.contains(where: { $0.name == name && $0.tableID == table.id }) {
            throw .invalid("The snapshot \(name) of \(table.keyspace).\(table.name) exists already.")
        }
        let (milliseconds, flushes) = (lasting, !request.flag("skip_flush"))
        return operations.begin("snapshot") { operation in
            for (place, table) in tables.enumerated() {
                operation.note(done: place, of: tables.count, unit: "tables")
                operation.note("\(table.keyspace).\(table.name)")
                try await engine.snapshot(
                    named: name, tables: [table.id], flushes: flushes, lasting: milliseconds)
            }
            return .record(["name": .string(name), "tables": .integer(tables.count)])
        }
    }

    private func clearSnapshots(_ request: HTTPRequest) async throws(AdminFailure) -> JSONValue {
        let engine: StorageEngine = try current().parts.engine
        let name: String? = request.parameter("tag")
        guard name != nil || request.flag("all") else {
            throw .invalid("Specify snapshot name or --all.")
        }
        if name != nil, request.flag("all") {
            throw .invalid("Specify only one of snapshot name or --all.")
        }
        let keyspaces: [String] = request.parameters("keyspace")
        var latest: Int64?
        if let text = request.parameter("older_than") {
            guard let nanoseconds = SettingText.duration(text) else {
                throw .invalid("\(text) is no duration such as 1d.")
            }
            latest = time.wallMicroseconds / 1_000 - nanoseconds / 1_000_000
        } else if let text = request.parameter("older_than_timestamp") {
            guard let milliseconds = try? TimestampText.milliseconds(text) else {
                throw .invalid("\(text) is no time such as 2026-01-31T12:00:00Z.")
            }
            latest = milliseconds
        }
        let chosen: [Snapshot] = try await snapshots().filter { snapshot in
            (name == nil || snapshot.name == name) && (keyspaces.isEmpty || keyspaces.contains(snapshot.keyspace))
                && snapshot.createdMilliseconds < latest ?? .max
        }
        try await carryOut { try await engine.remove(chosen) }
        return .record(["removed": .integer(chosen.count)])
    }

    /// Removes snapshots whose time is up, once a minute, for as long as the node runs.
    func watchSnapshots(_ host: Host) -> any BackgroundWork {
        host.background.run("remove old snapshots", on: host.loops[0]) { [self] in
            while true {
                do throws(CancellationError) {
                    try await host.time.sleep(for: .seconds(60))
                } catch { return }
                let now: Int64 = host.time.wallMicroseconds / 1_000
                guard let all = try? await snapshots(), let engine = try? current().parts.engine else { continue }
                let over: [Snapshot] = all.filter { $0.expiresMilliseconds.map { $0 <= now } ?? false }
                // One that cannot be removed now is tried again.
                try? await engine.remove(over)
            }
        }
    }
}
