import CQL
import Cluster
import Coordination
import DataModel
import Environment
import Logging
import Primitives
import Query
import Storage

/// The start of a node, step by step.
struct NodeStart {
    let configuration: NodeConfiguration
    let host: Host
    let logs: NodeLog
    let log: Logger

    /// For how long a node looks for its cluster before it gives up.
    private static let joinTimeout: Duration = .seconds(60)

    init(_ configuration: NodeConfiguration, _ host: Host, _ logs: NodeLog) {
        self.configuration = configuration
        self.host = host
        self.logs = logs
        self.log = logs.logger("node")
    }

    /// - Parameter admin: is told when the node has started.
    func run(_ admin: AdminPort) async throws -> Node {
        let folder: String = configuration.dataDirectory
        log.info(
            "Starting",
            metadata: [
                "data.directory": "\(folder)", "shards": "\(host.loops.count)",
                "release.version": "\(ServerVersions.release)",
            ])
        let ports = PortSecurity(configuration, host, log, admin.administration.certificates)
        let security: (any TransportSecurity)? = try await ports.clients()
        try await host.disk.createDirectory(folder)
        let local = try await identity(folder)
        let place = try await joinCluster(local, folder, ports)
        let schema: Schema = LiveSchema.whole(place.metadata.current?.schema ?? Schema())
        let repair = try await NodeRepair.open(
            directory: folder + "/metadata", host: host, local: NodeID(local.hostID), metadata: place.metadata)
        let engine = try await openStorage(schema, repair)
        let catalog = Catalog(schema, localDatacenter: local.dataCenter)
        let data = try await coordinate(local, place, engine, repair)
        let streams: NodeStreams = makeStreams(local, place, data, engine, repair)
        let ring = makeRing(local, place, data, streams)
        let sessions: [ShardSessions] = makeSessions()
        let watch = ClusterWatch(local: NodeID(local.hostID), time: host.time, tell: NodeStart.teller(sessions, host))
        let context = makeContext(local, place, data.coordination.parts.truncations, watch)
        context.clients = { sessions.flatMap(\.descriptions) }
        let group = ShardGroup(
            engine: engine, host: host, node: context, catalog: catalog, coordination: data.coordination,
            limits: configuration.execution)
        try await watchLogs(of: group)
        let live = LiveSchema(
            catalog: catalog, localDatacenter: local.dataCenter, group: group,
            tellClients: schemaTeller(sessions))
        await place.follower.attach(
            MetadataFollower.Parts(
                coordination: data.coordination, gossip: data.gossip, hints: data.hints, delivery: data.delivery,
                schema: live, watch: watch, ring: ring, seeds: place.seeds))
        await beginGossip(data, place, watch)
        let parts = Node.Parts(
            host: host, configuration: configuration, local: local, messages: place.messages,
            metadata: place.metadata, engine: engine, coordination: data.coordination, gossip: data.gossip,
            hints: data.hints, delivery: data.delivery, repair: repair, watch: watch, ring: ring, streams: streams,
            group: group, sessions: sessions, door: makeDoor(group, sessions, place, security),
            log: log)
        try await tell(admin, parts, context)
        try await takeTokens(local, place, ring)
        try await openDoor(parts, place)
        repair.begin(place.messages.service, data.gossip.liveness, host, configuration.continuousRepair)
        let load = NodeLoad(of: engine, place.metadata, through: data.gossip, on: host)
        log.info(
            "Startup complete", metadata: ["cluster.name": "\(local.clusterName)", "host.id": "\(local.hostID)"])
        return Node(parts, admin, load, chores: [admin.administration.watchSnapshots(host)])
    }

    /// Lets operators see the node, and what it is doing before it takes clients.
    private func tell(_ admin: AdminPort, _ parts: Node.Parts, _ context: NodeContext) async throws {
        try await admin.administration.started(parts, logs)
        let administration: LiveAdministration = admin.administration
        context.liveSettings = { administration.settings.now.shown }
        context.liveRows = { table in await administration.viewRows(table) }
    }

    private func identity(_ folder: String) async throws -> LocalNode {
        let settings = LocalNode.Settings(
            clusterName: configuration.text("cluster_name"), dataCenter: configuration.text("data_center"),
            rack: configuration.text("rack"), tokenCount: configuration.integer("num_tokens"))
        return try await LocalNodeFile(disk: host.disk, directory: folder + "/metadata")
            .start(settings, time: host.time, entropy: host.entropy)
    }

    // MARK: The cluster

    /// Where this node stands among the others.
    struct Place {
        let messages: NodeMessages
        let metadata: MetadataLog
        let follower: MetadataFollower
        let internode: SocketAddress
        let listen: SocketAddress
        let wantedNative: SocketAddress
        let native: SocketAddress
        let seeds: [SocketAddress]
    }

    private func joinCluster(_ local: LocalNode, _ folder: String, _ ports: PortSecurity) async throws -> Place {
        let wanted = try await NodeAddresses.resolve(
            configuration.text("listen_address"), configuration.integer("storage_port"), host)
        let wantedNative = try await NodeAddresses.resolve(
            configuration.text("rpc_address"), configuration.integer("native_transport_port"), host)
        let settings = try await ports.secured(configuration.messages)
        let messages = NodeMessages(settings, local, at: wanted, host, logs.logger("internode"))
        let listen: SocketAddress
        do {
            listen = try await messages.start(local)
        } catch NetworkError.addressInUse(let address) {
            throw ConfigurationError(
                "The address \(address) for other nodes is taken: another node may be running; listen_address and "
                    + "storage_port choose another one.")
        }
        let internode = try await NodeAddresses.reachable(
            listen, configuration.text("broadcast_address"), setting: "broadcast_address", host)
        messages.identify(local, at: internode, clusterID: UUID(high: 0, low: 0))
        let native = try await self.native(wantedNative)
        var metadataSettings = MetadataLog.Settings()
        metadataSettings.foundingSchema = SystemTables.founding
        let metadata = MetadataLog(
            host: host, messenger: messages.service, directory: folder + "/metadata",
            identity: MetadataLog.Identity(
                local, internode: internode, native: native, releaseVersion: ServerVersions.release),
            settings: metadataSettings)
        let follower = MetadataFollower(local, at: internode, messages, host, logs.logger("cluster"))
        await metadata.listen { await follower.follow($0) }
        messages.listen(metadata)
        let seeds = try await NodeAddresses.seeds(
            configuration.text("seeds"), standardPort: configuration.integer("storage_port"), host)
        let isReplacing: Bool = !configuration.text("replace_address_first_boot").isEmpty
        let found = try await metadata.start(seeds: seeds, timeout: NodeStart.joinTimeout) { present in
            // Where nobody has any data yet there is none to wait for.
            !isReplacing && !present.hasUserKeyspaces && present.changes.isEmpty
        }
        if found.member(NodeID(local.hostID)) != nil {
            // Whoever is behind what this node knew when it stopped has missed where data has moved.
            await messages.service.requirePlacement(of: found.placementEpoch)
        }
        log.info(
            "The node has found its cluster",
            metadata: [
                "cluster.id": "\(found.clusterID)", "epoch": "\(found.epoch)", "internode.address": "\(internode)",
            ])
        return Place(
            messages: messages, metadata: metadata, follower: follower, internode: internode, listen: listen,
            wantedNative: wantedNative, native: native, seeds: seeds)
    }

    private func native(_ listening: SocketAddress) async throws -> SocketAddress {
        try await NodeAddresses.reachable(
            listening, configuration.text("broadcast_rpc_address"), setting: "broadcast_rpc_address", host)
    }

    /// What brings data to other nodes and takes theirs.
    struct DataParts {
        let coordination: NodeCoordination
        let gossip: GossipLoop
        let hints: HintStore
        let delivery: HintDelivery
    }

    private func coordinate(
        _ local: LocalNode, _ place: Place, _ engine: StorageEngine, _ repair: NodeRepair
    ) async throws -> DataParts {
        let id = NodeID(local.hostID)
        let folder: String = configuration.dataDirectory
        let liveness = Liveness(local: id)
        let hintLog: Logger = logs.logger("hints")
        let hints = try await HintStore.open(host: host, options: configuration.hints) { problem in
            hintLog.warning("Hints need attention", metadata: ["reason": "\(problem)"])
        }
        guard let paxos = PaxosTable(SystemTables.paxos) else {
            throw ConfigurationError("The table system.paxos is not as this release makes it.")
        }
        let disk: any Disk = host.disk
        let truncations = try await LoopWork("open truncation times", on: host.loops[0], of: host) {
            try await TruncationTimes.open(directory: folder + "/metadata", disk: disk)
        }.value()
        let coordination = NodeCoordination(
            NodeCoordination.Parts(
                host: host, local: id, liveness: liveness, messages: place.messages.service,
                clock: place.messages.clock, hints: hints, truncations: truncations, batches: SystemTables.batches,
                missed: repair.missed, applied: place.follower.applied),
            engine: engine,
            topology: place.metadata.current.map { Topology($0, local: id) } ?? Topology(members: [], local: id),
            paxos: paxos,
            writeTimeout: configuration.execution.timeouts.write,
            counterWriteTimeout: configuration.execution.timeouts.counterWrite, batchLog: configuration.batchLog)
        repair.register(coordination, engine, place.messages.service, host)
        let gossip = GossipLoop(
            local: id, generation: local.generation, host: host, messenger: place.messages.service,
            liveness: liveness, settings: configuration.gossip)
        let metadata: MetadataLog = place.metadata
        let delivery = HintDelivery(
            store: hints, host: host, messenger: place.messages.service, liveness: liveness,
            tableExists: { table in
                metadata.current?.schema.sortedKeyspaces.contains { $0.tables.values.contains { $0.id == table } }
                    ?? true
            }, truncatedAt: { truncations.time(of: $0) }, missed: repair.missed)
        return DataParts(coordination: coordination, gossip: gossip, hints: hints, delivery: delivery)
    }

    private func beginGossip(_ data: DataParts, _ place: Place, _ watch: ClusterWatch) async {
        let gossip: GossipLoop = data.gossip
        let service: MessageService = place.messages.service
        let clusterLog: Logger = logs.logger("cluster")
        place.messages.listen(gossip)
        gossip.listen { node, key, value in watch.heard(node, key, value) }
        gossip.liveness.listen { node, isAlive in
            clusterLog.notice("A node is \(isAlive ? "up" : "down")", metadata: ["host.id": "\(node)"])
            if !isAlive { service.disconnect(from: node) }
            watch.livenessChanged(node, isAlive: isAlive)
        }
        await data.delivery.start()
        data.coordination.batchLog.start()
        gossip.publish(.datacenter, configuration.text("data_center"))
        gossip.publish(.rack, configuration.text("rack"))
        gossip.publish(.releaseVersion, ServerVersions.release)
        gossip.publish(.nativeAddress, place.native.description)
        gossip.publish(.internodeAddress, place.internode.description)
        gossip.start()
    }

    // MARK: Storage and statements

    private func openStorage(_ schema: Schema, _ repair: NodeRepair) async throws -> StorageEngine {
        var tables: [TableDefinition] = []
        var unlogged: [UUID] = []
        for keyspace in schema.sortedKeyspaces where !keyspace.isVirtual {
            for table in keyspace.sortedTables where !SystemTables.isComputed(keyspace.name, table.name) {
                tables.append(table)
                if !keyspace.durableWrites { unlogged.append(table.id) }
            }
        }
        let engine = try await StorageEngine.open(
            configuration.storage, host: host, tables: tables, purgeRule: repair.purgeRule)
        for id in unlogged { try await engine.setLogged(false, table: id) }
        for note in engine.openingNotes {
            logs.logger("storage").warning("The commit log was not as expected", metadata: ["note": "\(note)"])
        }
        try await tellOrphans(engine)
        return engine
    }

    /// Says which tables have data here and are in no schema: a DROP TABLE that this node did not live to carry out. They
    /// are left to the operator, because a schema that was lost looks the same.
    private func tellOrphans(_ engine: StorageEngine) async throws {
        for table in try await engine.orphanTables() {
            let statistics: TableStatistics = try await engine.statistics(of: table)
            logs.logger("storage").warning(
                "A table has data and is in no schema; nobody reads it, and nothing removes it by itself",
                metadata: [
                    "table.id": "\(table)", "bytes": "\(statistics.diskByteCount &+ statistics.memtableByteCount)",
                    "data.directory": "\(configuration.dataDirectory)",
                ])
        }
    }

    private func watchLogs(of group: ShardGroup) async throws {
        let log: Logger = logs.logger("storage")
        for shard in group.executors.indices {
            try await group.run(on: shard) { executor in
                executor.replica.watchLog { failure in
                    log.error(
                        "The commit log failed and takes no more writes",
                        metadata: ["reason": "\(StorageFailure.words(failure))"])
                }
            }
        }
    }

    private func makeContext(
        _ local: LocalNode, _ place: Place, _ truncations: TruncationTimes, _ watch: ClusterWatch
    ) -> NodeContext {
        let description = LocalNodeDescription(
            hostID: local.hostID, clusterName: local.clusterName, dataCenter: local.dataCenter, rack: local.rack,
            tokens: local.tokens, generation: local.generation, broadcast: NodeAddresses.endpoint(place.internode),
            listen: NodeAddresses.endpoint(place.listen), native: NodeAddresses.endpoint(place.native))
        let metadata: MetadataLog = place.metadata
        let context = NodeContext(
            local: description, settings: configuration.shown, host: host,
            schemaChanges: SchemaChanges(
                log: metadata, host: host, timeout: configuration.execution.timeouts.other,
                applied: place.follower.applied),
            limits: configuration.queryLimits)
        context.present = { schema in
            var own: LocalNodeDescription = description
            own.truncations = truncations.all
            if let member = metadata.current?.member(NodeID(local.hostID)) {
                own.tokens = member.tokens
                own.native = NodeAddresses.endpoint(member.native)
            }
            return (own, watch.peers(schema))
        }
        return context
    }

    // MARK: Clients

    private func makeSessions() -> [ShardSessions] {
        let load = ClientLoad()
        let log: Logger = logs.logger("sessions")
        return host.loops.map { _ in
            ShardSessions(load: load, limits: configuration.sessions, time: host.time, log: log)
        }
    }

    private static func teller(_ sessions: [ShardSessions], _ host: Host) -> @Sendable (Event) -> Void {
        { event in
            for (index, shard) in sessions.enumerated() {
                host.loops[index].execute { shard.tell(event) }
            }
        }
    }

    private func schemaTeller(_ sessions: [ShardSessions]) -> @Sendable (SchemaChange) -> Void {
        let log: Logger = logs.logger("schema")
        let tell: @Sendable (Event) -> Void = NodeStart.teller(sessions, host)
        return { change in
            log.info("The schema changed", metadata: change.metadata)
            tell(.schema(change))
        }
    }

    private func makeDoor(
        _ group: ShardGroup, _ sessions: [ShardSessions], _ place: Place, _ security: (any TransportSecurity)?
    ) -> ClientDoor {
        let limits: SessionLimits = configuration.sessions
        return ClientDoor(at: place.wantedNative, security: security, on: host) { loop in
            Session(executor: group.executors[loop.index], sessions: sessions[loop.index], limits: limits)
        }
    }

    /// Lets clients in, and says so; keeps them out once the node is out of the ring.
    private func openDoor(_ parts: Node.Parts, _ place: Place) async throws {
        try await parts.group.run(on: 0) { executor in try await executor.restoreStatements() }
        let log: Logger = self.log
        parts.ring.whenGone {
            log.warning("The node is out of the ring, and takes no clients any more")
            await parts.door.close()
            await parts.letClientsFinish()
        }
        try await parts.door.open()
        log.info("Starting listening for CQL clients", metadata: ["client.address": "\(parts.door.address)"])
        try await place.metadata.clientsConnect(at: try await native(parts.door.address))
        parts.gossip.publish(.nativeReady, "true")
    }
}

extension SchemaChange {
    /// What has changed, for the log.
    var metadata: Logger.Metadata {
        var values: Logger.Metadata = ["change": "\(change.rawValue)", "keyspace.name": "\(keyspace)"]
        switch target {
        case .keyspace: break
        case .table(let name): values["table.name"] = "\(name)"
        case .type(let name): values["type.name"] = "\(name)"
        case .function(let name, _), .aggregate(let name, _): values["function.name"] = "\(name)"
        }
        return values
    }
}
