import Administration
import Cluster
import Coordination
import DataModel
import Environment
import Logging
import Primitives
import Query
import Storage
import Synchronization

/// What can be switched off and on while the node runs, and draining.
extension LiveAdministration {
    var switchRoutes: [AdminRoute] {
        clientSwitches + handoffSwitches + [
            .get("/gossip") { (_) throws(AdminFailure) in
                .record(["running": .boolean(await self.gossips(try self.current().parts))])
            },
            .change("/gossip/enable") { (_) throws(AdminFailure) in try self.serving().gossip.start() },
            .change("/gossip/disable") { (_) throws(AdminFailure) in await (try self.serving()).gossip.stop() },
            .get("/backup") { (_) throws(AdminFailure) in
                .record(["running": .boolean(self.settings.now.boolean("incremental_backups"))])
            },
            .get("/autocompaction") { (request) throws(AdminFailure) in try await self.automaticCompaction(request) },
            .change("/autocompaction/enable") { (request) throws(AdminFailure) in
                try await self.setAutomaticCompaction(true, request)
            },
            .change("/autocompaction/disable") { (request) throws(AdminFailure) in
                try await self.setAutomaticCompaction(false, request)
            },
            .change("/certificates/reload") { (_) throws(AdminFailure) in
                guard try await self.carryOut({ try await self.certificates.reload() }) else {
                    throw .invalid("No port of this node has a certificate.")
                }
            },
            .work("/drain") { (_) throws(AdminFailure) in try self.drain() },
            .work("/replaybatchlog") { (_) throws(AdminFailure) in
                let batchLog: BatchLog = try self.serving().coordination.batchLog
                return self.operations.begin("replaybatchlog") { _ in
                    await batchLog.replay()
                    return .record(["batches_left": .integer(batchLog.batchCount)])
                }
            },
        ]
    }

    private func gossips(_ parts: Node.Parts) async -> Bool { await parts.gossip.gossips() }

    /// The parts of a node that has not been drained.
    private func serving() throws(AdminFailure) -> Node.Parts {
        let parts: Node.Parts = try current().parts
        guard draining.withLock({ $0 }) == nil else {
            throw .unavailable("The node is drained: it serves again when it is restarted.")
        }
        return parts
    }

    // MARK: Clients

    private var clientSwitches: [AdminRoute] {
        [
            .get("/binary") { (_) throws(AdminFailure) in
                .record(["running": .boolean(await (try self.current()).parts.door.isOpen)])
            },
            .change("/binary/enable") { (_) throws(AdminFailure) in
                let parts: Node.Parts = try self.serving()
                try await self.carryOut { try await parts.door.open() }
                parts.gossip.publish(.nativeReady, "true")
                parts.log.notice("Clients are let in again")
            },
            .change("/binary/disable") { (_) throws(AdminFailure) in
                let parts: Node.Parts = try self.serving()
                parts.gossip.publish(.nativeReady, "false")
                await parts.door.close()
                await parts.letClientsFinish()
                parts.log.notice("No clients are let in any more")
            },
        ]
    }

    // MARK: Hints

    private var handoffSwitches: [AdminRoute] {
        [
            .change("/hints/pause") { (_) throws(AdminFailure) in await (try self.current()).parts.delivery.pause() },
            .change("/hints/resume") { (_) throws(AdminFailure) in await (try self.current()).parts.delivery.resume() },
            .get("/hints/delivery") { (_) throws(AdminFailure) in
                .record(["paused": .boolean(await (try self.current()).parts.delivery.pauses())])
            },
            .change("/hints/datacenter") { (request) throws(AdminFailure) in
                let (parts, metadata) = try self.current()
                guard let name = request.parameter("name"), let value = request.parameter("enabled") else {
                    throw .invalid("The parameters name and enabled are needed.")
                }
                guard metadata.members.contains(where: { $0.datacenter == name }) else {
                    throw .invalid("There is no datacenter \(name).")
                }
                await parts.hints.setEnabled(value == "true", datacenter: name)
            },
        ]
    }

    // MARK: Compaction

    private func automaticCompaction(_ request: HTTPRequest) async throws(AdminFailure) -> JSONValue {
        let engine: StorageEngine = try current().parts.engine
        let tables: [TableDefinition] = try chosenTables(request)
        let running: [UUID] = try await carryOut { try await engine.compactedByThemselves(tables.map(\.id)) }
        let all: [JSONValue] = tables.map { table in
            .record([
                "keyspace": .string(table.keyspace), "table": .string(table.name),
                "running": .boolean(running.contains(table.id)),
            ])
        }
        return .record(["running": .boolean(running.count == tables.count), "tables": .array(all)])
    }

    private func setAutomaticCompaction(_ isWanted: Bool, _ request: HTTPRequest) async throws(AdminFailure) {
        let engine: StorageEngine = try current().parts.engine
        let ids: [UUID] = try chosenTables(request).map(\.id)
        try await carryOut { try await engine.setCompactedByItself(isWanted, tables: ids) }
    }

    // MARK: Draining

    /// Takes leave of clients and of the other nodes and writes everything to files, so that the next start has nothing
    /// to replay. The process stays, for its admin port, until it is told to end.
    private func drain() throws(AdminFailure) -> Operation {
        let parts: Node.Parts = try current().parts
        let mayBegin: Bool = draining.withLock { draining in
            defer { draining = draining ?? .draining }
            return draining == nil
        }
        guard mayBegin else { throw .unavailable("The node is draining, or drained, already.") }
        return operations.begin("drain") { [self] operation in
            operation.note("clients")
            await parts.door.close()
            await parts.letClientsFinish()
            operation.note("the other nodes")
            await parts.coordination.batchLog.stop()
            await parts.gossip.stop()
            await parts.delivery.stop()
            await parts.metadata.stop()
            await parts.messages.service.stop()
            operation.note("hints and memtables")
            await parts.hints.close()
            try await parts.engine.flush()
            draining.withLock { $0 = .drained }
            parts.log.notice("Drained")
            return .object([])
        }
    }
}
