import CQL
import Cluster
import Coordination
import DataModel
package import Environment
import Logging
import Primitives
import Query
import Storage

/// One running node: storage, statements, clients.
///
///     start: folder locked ─▶ identity ─▶ schema ─▶ storage (commit log replayed) ─▶ statements ─▶ clients
package final class Node: Sendable {
    private let host: Host
    private let engine: StorageEngine
    private let group: ShardGroup
    private let sessions: [ShardSessions]
    private let listener: any Listener
    private let log: Logger

    /// Where clients connect.
    package var clientAddress: SocketAddress { listener.address }

    private init(
        host: Host, engine: StorageEngine, group: ShardGroup, sessions: [ShardSessions], listener: any Listener,
        log: Logger
    ) {
        self.host = host
        self.engine = engine
        self.group = group
        self.sessions = sessions
        self.listener = listener
        self.log = log
    }

    /// Starts a node; returns when clients can connect.
    ///
    /// - Parameter logs: where it writes what happens to it; nowhere when nil.
    package static func start(
        _ configuration: NodeConfiguration, on host: Host, logs: NodeLog? = nil
    ) async throws -> Node {
        let logs: NodeLog = logs ?? .silent(host.time)
        let life: Logger = logs.logger("node")
        let folder: String = configuration.dataDirectory
        life.info(
            "Starting",
            metadata: [
                "data.directory": "\(folder)", "shards": "\(host.loops.count)",
                "release.version": "\(ServerVersions.release)",
            ])
        try await host.disk.createDirectory(folder)
        let settings = LocalNode.Settings(
            clusterName: configuration.text("cluster_name"), dataCenter: configuration.text("data_center"),
            rack: configuration.text("rack"), tokenCount: configuration.integer("num_tokens"))
        let local = try await LocalNodeFile(disk: host.disk, directory: folder + "/metadata")
            .start(settings, time: host.time, entropy: host.entropy)
        let log = SchemaFile(disk: host.disk, directory: folder + "/metadata")
        let schema = SystemTables.installed(in: try await log.load() ?? Schema())
        let engine = try await openStorage(configuration, schema, host)
        for note in engine.openingNotes {
            logs.logger("storage").warning("The commit log was not as expected", metadata: ["note": "\(note)"])
        }
        let catalog = Catalog(schema, localDatacenter: local.dataCenter)
        let changes = SchemaChanges(log: log, host: host, catalog: catalog, localDatacenter: local.dataCenter)
        let address: SocketAddress = try await NodeAddresses.resolve(
            configuration.text("rpc_address"), configuration.integer("native_transport_port"), host)
        let context = try await makeContext(configuration, local, address, host, changes)
        let group = ShardGroup(
            engine: engine, host: host, node: context, catalog: catalog,
            coordination: try await makeCoordination(configuration, local, engine, host),
            limits: configuration.execution)
        try await watchLogs(of: group, logs.logger("storage"))
        try await group.run(on: 0) { executor in try await executor.restoreStatements() }
        let sessions = makeSessions(configuration, host, logs)
        context.clients = { sessions.flatMap(\.descriptions) }
        let schemaLog: Logger = logs.logger("schema")
        await changes.connect(group) { change in
            schemaLog.info("The schema changed", metadata: change.metadata)
            for (index, shard) in sessions.enumerated() {
                host.loops[index].execute { shard.tell(.schema(change)) }
            }
        }
        let limits: SessionLimits = configuration.sessions
        let listener = try await host.network.listen(at: address, on: host.loops) { loop in
            Session(executor: group.executors[loop.index], sessions: sessions[loop.index], limits: limits)
        }
        life.info("Starting listening for CQL clients", metadata: ["client.address": "\(listener.address)"])
        life.info(
            "Startup complete", metadata: ["cluster.name": "\(local.clusterName)", "host.id": "\(local.hostID)"])
        return Node(host: host, engine: engine, group: group, sessions: sessions, listener: listener, log: life)
    }

    /// A cluster of one.
    private static func makeCoordination(
        _ configuration: NodeConfiguration, _ local: LocalNode, _ engine: StorageEngine, _ host: Host
    ) async throws -> NodeCoordination {
        let id = NodeID(local.hostID)
        let address: SocketAddress = try await NodeAddresses.resolve(
            configuration.text("listen_address"), configuration.integer("storage_port"), host)
        let clock = HybridClock(time: host.time)
        let messages = MessageService(
            host: host,
            identity: MessageIdentity(
                node: id, address: address, datacenter: local.dataCenter, clusterName: local.clusterName),
            callbacks: MessageCallbacks { clock.current })
        let member = Member(
            id: id, internode: address, native: address, datacenter: local.dataCenter, rack: local.rack,
            tokens: local.tokens, state: .normal, releaseVersion: ServerVersions.release)
        let hints = try await HintStore.open(
            host: host, options: HintOptions(directory: configuration.dataDirectory + "/hints"))
        return NodeCoordination(
            NodeCoordination.Parts(
                host: host, local: id, liveness: Liveness(local: id), messages: messages, clock: clock, hints: hints),
            engine: engine, topology: Topology(members: [member], local: id),
            writeTimeout: configuration.execution.timeouts.write,
            counterWriteTimeout: configuration.execution.timeouts.counterWrite)
    }

    private static func watchLogs(of group: ShardGroup, _ log: Logger) async throws {
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

    private static func openStorage(
        _ configuration: NodeConfiguration, _ schema: Schema, _ host: Host
    ) async throws -> StorageEngine {
        var tables: [TableDefinition] = []
        var unlogged: [UUID] = []
        for keyspace in schema.sortedKeyspaces where !keyspace.isVirtual {
            for table in keyspace.sortedTables where !SystemTables.isComputed(keyspace.name, table.name) {
                tables.append(table)
                if !keyspace.durableWrites { unlogged.append(table.id) }
            }
        }
        let engine = try await StorageEngine.open(configuration.storage, host: host, tables: tables)
        for id in unlogged { try await engine.setLogged(false, table: id) }
        return engine
    }

    private static func makeContext(
        _ configuration: NodeConfiguration, _ local: LocalNode, _ native: SocketAddress, _ host: Host,
        _ changes: SchemaChanges
    ) async throws -> NodeContext {
        let listen: SocketAddress = try await NodeAddresses.resolve(
            configuration.text("listen_address"), configuration.integer("storage_port"), host)
        let description = LocalNodeDescription(
            hostID: local.hostID, clusterName: local.clusterName, dataCenter: local.dataCenter, rack: local.rack,
            tokens: local.tokens, generation: local.generation, broadcast: NodeAddresses.endpoint(listen),
            listen: NodeAddresses.endpoint(listen), native: NodeAddresses.endpoint(native))
        let cluster = ClusterDescription(
            clusterName: local.clusterName, partitioner: ServerVersions.partitioner, snitch: "SimpleSnitch",
            rangeOwnership: [:])
        return NodeContext(
            local: description, cluster: cluster, settings: configuration.shown, host: host, schemaChanges: changes,
            limits: configuration.queryLimits)
    }

    private static func makeSessions(
        _ configuration: NodeConfiguration, _ host: Host, _ logs: NodeLog
    ) -> [ShardSessions] {
        let load = ClientLoad()
        let log: Logger = logs.logger("sessions")
        return host.loops.map { _ in
            ShardSessions(load: load, limits: configuration.sessions, time: host.time, log: log)
        }
    }

    /// Stops taking requests, closes the connections, and writes what is in memory.
    package func stop() async {
        log.info("Stopping")
        await listener.close()
        for (index, shard) in sessions.enumerated() { host.loops[index].execute { shard.closeAll() } }
        await engine.close()
        log.info("Stopped")
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

/// From texts in the configuration to addresses.
enum NodeAddresses {
    static func resolve(_ text: String, _ port: Int, _ host: Host) async throws -> SocketAddress {
        let found = try await host.network.resolve(text, port: UInt16(clamping: port))
        guard let first = found.first(where: { $0.host.count == 4 }) ?? found.first else {
            throw ConfigurationError("The address \(text) is not known.")
        }
        return first
    }

    static func endpoint(_ address: SocketAddress) -> InetEndpoint {
        InetEndpoint(address: InetAddress(bytes: address.host) ?? .loopback, port: Int32(address.port))
    }
}
