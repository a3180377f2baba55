import Administration
import CQL
import Cluster
import Coordination
import DataModel
import Environment
import Primitives
import Query
import Storage

/// What the node as a whole does, and what clients ask of it.
extension LiveAdministration {
    var statisticsRoutes: [AdminRoute] {
        [
            .get("/proxyhistograms") { (_) throws(AdminFailure) in try await self.proxyHistograms() },
            .get("/tpstats") { (_) throws(AdminFailure) in try await self.threadPools() },
            .get("/compactionstats") { (_) throws(AdminFailure) in try await self.compactions() },
            .get("/compactionhistory") { (_) throws(AdminFailure) in
                .record(["compactions": .array(try await self.compactionHistory())])
            },
            .get("/clientstats") { (_) throws(AdminFailure) in try await self.clients() },
            .change("/clientstats/clear") { (_) throws(AdminFailure) in
                let parts: Node.Parts = try self.current().parts
                for (index, sessions) in parts.sessions.enumerated() {
                    parts.host.loops[index].execute { sessions.forgetHistory() }
                }
            },
        ]
    }

    // MARK: Requests

    /// What clients have asked, over all shards.
    func requests(byTable: Bool = false) async throws(AdminFailure) -> RequestStatistics {
        let group: ShardGroup = try current().parts.group
        return try await carryOut {
            var sum = RequestStatistics()
            for shard in group.executors.indices {
                sum.add(try await group.run(on: shard) { byTable ? $0.requests : $0.requests.withoutTables })
            }
            return sum
        }
    }

    private func proxyHistograms() async throws(AdminFailure) -> JSONValue {
        let requests: RequestStatistics = try await requests()
        func percentiles(_ kind: RequestKind) -> JSONValue {
            LiveAdministration.percentiles(requests[kind].nanoseconds, divisor: 1_000)
        }
        func counts(_ kind: RequestKind) -> JSONValue {
            .record([
                "requests": .big(requests[kind].nanoseconds.count), "timeouts": .big(requests[kind].timeouts),
                "unavailables": .big(requests[kind].unavailables), "failures": .big(requests[kind].failures),
            ])
        }
        return .record([
            "read_latency_micros": percentiles(.read), "write_latency_micros": percentiles(.write),
            "range_latency_micros": percentiles(.range), "cas_read_latency_micros": percentiles(.conditionalRead),
            "cas_write_latency_micros": percentiles(.conditionalWrite),
            "counts": .object(RequestKind.allCases.map { JSONValue.Member(name: $0.name, value: counts($0)) }),
        ])
    }

    // MARK: Stages

    /// One of the stages that requests and background work go through, under the name that Cassandra has for it.
    struct Stage: Sendable {
        var name: String
        var active = 0
        var pending = 0
        var completed = 0
        /// Those that could not begin because there was too much, now and ever.
        var blocked = 0
        var blockedEver = 0
        /// How many can be active at once; 0 where nothing limits that.
        var limit = 0
    }

    func stages() async throws(AdminFailure) -> [Stage] {
        let (parts, metadata) = try current()
        let ids: [UUID] = LiveAdministration.stored(LiveSchema.whole(metadata.schema)).map(\.id)
        let (tables, work): ([TableStatistics], [ShardWork]) = try await carryOut {
            (
                try await parts.engine.figures(of: ids, withPartitions: false).statistics,
                try await parts.engine.work()
            )
        }
        return try await stages(tables, work)
    }

    func stages(_ tables: [TableStatistics], _ work: [ShardWork]) async throws(AdminFailure) -> [Stage] {
        let parts: Node.Parts = try current().parts
        let clients: ClientHistory = await clientHistory(parts)
        let delivery = await parts.delivery.currentCounters()
        let gossip = await parts.gossip.currentCounters()
        func sum(_ value: (TableStatistics) -> Int) -> Int { tables.reduce(0) { $0 + value($1) } }
        let shardCount: Int = parts.host.loops.count
        return [
            Stage(
                name: "Native-Transport-Requests", active: clients.inFlightCount,
                completed: Int(clamping: clients.requestCount) - clients.inFlightCount, blocked: clients.pausedCount),
            Stage(name: "ReadStage", completed: sum { $0.readCount + $0.rangeCount }, limit: shardCount),
            Stage(
                name: "MutationStage", completed: sum(\.writeCount), blocked: work.reduce(0) { $0 + $1.waitingWrites },
                limit: shardCount),
            Stage(
                name: "MemtableFlushWriter", active: work.count(where: \.isFlushing),
                pending: work.reduce(0) { $0 + max(0, $1.flushQueueCount - ($1.isFlushing ? 1 : 0)) },
                completed: sum(\.flushCount), limit: shardCount),
            Stage(
                name: "CompactionExecutor", active: work.reduce(0) { $0 + $1.compactionCount },
                pending: work.reduce(0) { $0 + $1.compactionQueueCount }, completed: sum(\.compactionCount),
                limit: shardCount),
            Stage(name: "GossipStage", completed: gossip.rounds, limit: 1),
            Stage(name: "HintsDispatcher", completed: delivery.delivered),
        ]
    }

    private func threadPools() async throws(AdminFailure) -> JSONValue {
        let stages: [JSONValue] = try await stages().map { stage in
            .record([
                "name": .string(stage.name), "active": .integer(stage.active), "pending": .integer(stage.pending),
                "completed": .integer(stage.completed), "blocked": .integer(stage.blocked),
                "all_time_blocked": .integer(stage.blockedEver),
            ])
        }
        return .record(["thread_pools": .array(stages), "dropped_messages": .array(try await droppedMessages())])
    }

    /// Messages that were not delivered or not read in time, by lane.
    private func droppedMessages() async throws(AdminFailure) -> [JSONValue] {
        let traffic: [PeerTraffic] = try await current().parts.trafficWithOthers()
        return Lane.allCases.map { lane in
            var sum = PeerTraffic(node: .none, lane: lane)
            for peer in traffic where peer.lane == lane { sum.add(peer) }
            let counts: TrafficCounts = sum.counts
            return .record([
                "lane": .string("\(lane)"), "expired_before_sending": .big(counts.expiredOutgoing),
                "expired_before_reading": .big(counts.expiredIncoming),
                "refused": .big(counts.overloadedOutgoing &+ counts.overloadedIncoming),
                "undelivered": .big(counts.undelivered), "timed_out_requests": .big(counts.timedOutRequests),
            ])
        }
    }

    // MARK: Compactions

    private func compactions() async throws(AdminFailure) -> JSONValue {
        let (parts, metadata) = try current()
        let tables: [TableDefinition] = LiveAdministration.stored(LiveSchema.whole(metadata.schema))
        let figures: [TableFigures] = try await figures(of: tables)
        let running: [CompactionProgress] = try await carryOut { try await parts.engine.compactions() }
        let throughput: Int = Int(clamping: SettingText.rate(settings.text("compaction_throughput")) ?? 0)
        let pending: [JSONValue] = figures.filter { $0.pendingCompactionCount > 0 }.map { figures in
            .record([
                "keyspace": .string(figures.table.keyspace), "table": .string(figures.table.name),
                "tasks": .integer(figures.pendingCompactionCount),
            ])
        }
        let left: Int = running.reduce(0) { $0 + $1.totalByteCount - $1.doneByteCount }
        return .record([
            "concurrent_compactors": .integer(parts.host.loops.count),
            "pending_tasks": .integer(figures.reduce(0) { $0 + $1.pendingCompactionCount }),
            "pending_by_table": .array(pending),
            "compactions_completed": .integer(figures.reduce(0) { $0 + $1.statistics.compactionCount }),
            "data_compacted": .integer(figures.reduce(0) { $0 + $1.statistics.compactedByteCount }),
            "compaction_throughput": .integer(throughput),
            "compactions": .array(running.map { LiveAdministration.json($0) }),
            "remaining_seconds": throughput == 0 || running.isEmpty ? .null : .integer(left / throughput),
        ])
    }

    private static func json(_ running: CompactionProgress) -> JSONValue {
        .record([
            "id": .string(running.id.description), "compaction_type": .string(running.kind.word),
            "keyspace": .string(running.keyspace), "table": .string(running.table),
            "completed": .integer(running.doneByteCount), "total": .integer(running.totalByteCount),
            "unit": .string("bytes"), "sstables": .integer(running.inputCount), "shard": .integer(running.shard),
        ])
    }

    // MARK: Clients

    func clientHistory(_ parts: Node.Parts) async -> ClientHistory {
        var sum = ClientHistory()
        for (index, sessions) in parts.sessions.enumerated() {
            sum.add(
                await withUnsafeContinuation { continuation in
                    parts.host.loops[index].execute { continuation.resume(returning: sessions.counts) }
                })
        }
        return sum
    }

    private func clients() async throws(AdminFailure) -> JSONValue {
        let parts: Node.Parts = try current().parts
        let history: ClientHistory = await clientHistory(parts)
        let connections: [JSONValue] = parts.sessions.flatMap(\.descriptions).map { client in
            .record([
                "address": .string("\(client.endpoint.address)"), "port": .integer(Int(client.endpoint.port)),
                "ssl": .boolean(client.isEncrypted), "cipher": .optional(client.cipherSuite),
                "protocol": .optional(client.encryptionProtocol), "version": .integer(Int(client.protocolVersion)),
                "user": .optional(client.username), "keyspace": .optional(client.keyspace),
                "requests": .big(client.requestCount), "driver_name": .optional(client.options["DRIVER_NAME"]),
                "driver_version": .optional(client.options["DRIVER_VERSION"]), "stage": .string(client.connectionStage),
                "client_options": .object(
                    client.options.keys.sorted().map {
                        JSONValue.Member(name: $0, value: .string(client.options[$0] ?? ""))
                    }),
            ])
        }
        let seen = history.lastSeen.sorted {
            ($0.key.version, $0.key.address) < ($1.key.version, $1.key.address)
        }
        return .record([
            "total": .integer(connections.count), "requests": .big(history.requestCount),
            "in_flight": .integer(history.inFlightCount), "paused_connections": .integer(history.pausedCount),
            "connections": .array(connections),
            "by_protocol": .array(
                seen.map { origin, milliseconds in
                    .record([
                        "version": .integer(Int(origin.version)), "address": .string(origin.address),
                        "last_seen_ms": .big(milliseconds),
                    ])
                }),
        ])
    }
}
