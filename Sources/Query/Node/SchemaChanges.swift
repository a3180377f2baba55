package import CQL
package import Cluster
import DataModel
package import Environment
import Storage

/// Changes the schema, one change at a time: checks it, makes it durable, gives it to every shard, tells clients.
///
///     statement ─▶ SchemaTransition ─▶ storage: new tables ─▶ metadata log ─▶ storage: dropped ones ─▶ catalogs ─▶ events
///
/// When the client hears of success, every shard plans against the new schema and a restart will find it.
package actor SchemaChanges {
    private let log: SchemaFile
    private let host: Host
    private let dataCenters: [String: Int]
    private var schema: Schema
    private var catalog: Catalog
    private let localDatacenter: String
    private var group: ShardGroup?
    private var isBusy = false
    private var waiting: [UnsafeContinuation<Void, Never>] = []
    private var tellClients: @Sendable (SchemaChange) -> Void = { _ in }
    private let identifiers: TimeUUIDSource

    package init(log: SchemaFile, host: Host, catalog: Catalog, localDatacenter: String) {
        self.log = log
        self.host = host
        self.schema = catalog.schema
        self.catalog = catalog
        self.localDatacenter = localDatacenter
        self.dataCenters = [localDatacenter: 1]
        self.identifiers = TimeUUIDSource(time: host.time, entropy: host.entropy)
    }

    /// Connects it to the shards and to the clients that want events. Called once, at start.
    package func connect(_ group: ShardGroup, tellClients: @escaping @Sendable (SchemaChange) -> Void) {
        self.group = group
        self.tellClients = tellClients
    }

    package func apply(_ statement: Statement, keyspace: String?) async throws -> QueryResult {
        await enter()
        defer { leave() }
        guard let group else { throw CQLError.serverError(message: "The node has not started yet") }
        let context = SchemaContext(
            keyspace: keyspace, nowMicroseconds: host.time.wallMicroseconds, newTableID: identifiers.next(),
            dataCenters: dataCenters)
        guard let transition = try SchemaTransition.applying(statement, to: schema, context: context) else {
            throw CQLError.serverError(message: "This statement does not change the schema")
        }
        guard let event = transition.event else { return QueryResult(.void, warnings: transition.warnings) }
        do {
            for table in transition.createdTables { try await create(table, in: transition.schema, group) }
            try await log.save(transition.schema)
            for change in transition.alteredTables { try await group.engine.alterTable(change.after) }
        } catch let error as CQLError { throw error } catch {
            throw CQLError.serverError(message: "The schema could not be changed: \(StorageFailure.words(error))")
        }
        schema = transition.schema
        catalog = Catalog(schema, localDatacenter: localDatacenter, after: catalog)
        try await group.publish(catalog)
        for table in transition.droppedTables { try await group.engine.dropTable(id: table.id) }
        tellClients(event)
        return QueryResult(.schemaChange(event), warnings: transition.warnings)
    }

    private func create(_ table: TableDefinition, in schema: Schema, _ group: ShardGroup) async throws {
        try await group.engine.createTable(table, isLogged: schema.keyspaces[table.keyspace]?.durableWrites ?? true)
    }

    // An actor lets others in at every await; changes of the schema must not overlap.
    private func enter() async {
        guard isBusy else {
            isBusy = true
            return
        }
        await withUnsafeContinuation { waiting.append($0) }
    }

    private func leave() {
        if waiting.isEmpty { isBusy = false } else { waiting.removeFirst().resume() }
    }
}

/// What storage could not do, in words for a client.
package enum StorageFailure {
    package static func words(_ error: any Error) -> String {
        guard let failure = error as? StorageError else { return "\(error)" }
        switch failure {
        case .disk(let disk): return "the disk failed (\(disk))"
        case .damaged(let file, let offset, let reason): return "file \(file) is damaged at offset \(offset): \(reason)"
        case .outOfSpace(let path): return "no space is left for \(path)"
        case .logFailed(let reason): return "the commit log failed: \(reason)"
        case .tooLarge(let byteCount, let limit):
            return "a mutation of \(byteCount) bytes is larger than the maximum of \(limit)"
        case .overloaded: return "memory for unflushed writes is used up; try again later"
        case .closed: return "the node is stopping"
        case .cancelled: return "the work was cancelled"
        case .decoding(let reason): return "bytes could not be decoded (\(reason))"
        }
    }

    /// The error for a client whose request failed with `error`.
    package static func cqlError(_ error: any Error) -> CQLError {
        switch error {
        case let known as CQLError: return known
        case let failure as ProtocolError: return .protocolError(message: failure.message)
        case let failure as StorageError:
            switch failure {
            case .overloaded: return .overloaded(message: "The node is overloaded: \(words(failure))")
            case .tooLarge(let byteCount, let limit):
                return .invalid(message: "Rejected an oversized mutation (\(byteCount)/\(limit))")
            case .outOfSpace, .logFailed:
                return .serverError(message: "The write was refused: \(words(failure))")
            default: return .serverError(message: words(failure))
            }
        default: return .serverError(message: "\(error)")
        }
    }
}
