import CQL
import Cluster
import Coordination
import DataModel
import Environment
import Primitives
import SimulatedHost
import Storage
import Testing

@testable import Query

/// A node in a simulated world, as far as statements need one: shards, storage, schema. It answers CQL with texts.
final class NodeUnderTest: Sendable {
    let world: SimulatedWorld
    let group: ShardGroup
    let node: NodeContext

    /// - Parameter statements: run first, with `ks` as the session's keyspace, which exists.
    init(shards: Int = 2, seed: UInt64 = 1, _ statements: String...) throws {
        let world = SimulatedWorld(seed: seed)
        let machine = world.makeHost(name: "node", loopCount: shards)
        let host: Host = machine.host
        let schema = SystemTables.installed(in: Schema())
        let catalog = Catalog(schema, localDatacenter: "dc1")
        let (group, node) = try world.run {
            try await host.disk.createDirectory("data/metadata")
            var options = StorageOptions(dataDirectory: "data", commitLogDirectory: "data/commitlog")
            options.segmentByteCount = 4 << 20
            var tables: [TableDefinition] = []
            for keyspace in schema.sortedKeyspaces where !keyspace.isVirtual {
                tables += keyspace.sortedTables.filter { !SystemTables.isComputed(keyspace.name, $0.name) }
            }
            let engine = try await StorageEngine.open(options, host: host, tables: tables)
            let coordination: NodeCoordination = try await NodeUnderTest.coordination(engine, host)
            let log = NodeUnderTest.metadata(coordination, host)
            let node = NodeContext(
                local: NodeUnderTest.description, settings: [:], host: host,
                schemaChanges: SchemaChanges(log: log, host: host, timeout: .seconds(10)))
            let group = ShardGroup(
                engine: engine, host: host, node: node, catalog: catalog, coordination: coordination)
            for shard in group.executors.indices { try await group.run(on: shard) { $0.replica.watchLog() } }
            let live = LiveSchema(catalog: catalog, localDatacenter: "dc1", group: group) { _ in }
            await log.listen { metadata in
                do { try await live.follow(metadata.schema) } catch { Issue.record(error) }
            }
            _ = try await log.start(seeds: [], timeout: .seconds(10))
            return (group, node)
        }
        self.world = world
        self.group = group
        self.node = node
        try run("CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
        for statement in statements { try run(statement) }
    }

    /// A cluster of one.
    private static func coordination(_ engine: StorageEngine, _ host: Host) async throws -> NodeCoordination {
        let local = NodeID(description.hostID)
        let address = SocketAddress.loopback(port: 7000)
        let clock = HybridClock(time: host.time)
        let messages = MessageService(
            host: host,
            identity: MessageIdentity(node: local, address: address, datacenter: "dc1", clusterName: "Test Cluster"),
            callbacks: MessageCallbacks { clock.current })
        let hints = try await HintStore.open(host: host, options: HintOptions(directory: "data/hints"))
        let member = Member(
            id: local, internode: address, native: address, datacenter: "dc1", rack: "rack1", tokens: [Token(0)],
            state: .normal, releaseVersion: ServerVersions.release)
        return NodeCoordination(
            NodeCoordination.Parts(
                host: host, local: local, liveness: Liveness(local: local), messages: messages, clock: clock,
                hints: hints,
                truncations: try await TruncationTimes.open(directory: "data/metadata", disk: host.disk),
                batches: SystemTables.batches),
            engine: engine, topology: Topology(members: [member], local: local),
            paxos: try #require(PaxosTable(SystemTables.paxos)))
    }

    private static func metadata(_ coordination: NodeCoordination, _ host: Host) -> MetadataLog {
        let settings = LocalNode.Settings(clusterName: "Test Cluster", dataCenter: "dc1", rack: "rack1")
        var local = LocalNode(settings, nowMicroseconds: host.time.wallMicroseconds, entropy: host.entropy)
        local.hostID = description.hostID
        let address = SocketAddress.loopback(port: 7000)
        return MetadataLog(
            host: host, messenger: coordination.parts.messages, directory: "data/metadata",
            identity: MetadataLog.Identity(
                local, internode: address, native: address, releaseVersion: ServerVersions.release))
    }

    private static var description: LocalNodeDescription {
        let endpoint = InetEndpoint(address: .loopback, port: 7000)
        return LocalNodeDescription(
            hostID: UUID(high: 1, low: 2), clusterName: "Test Cluster", dataCenter: "dc1", rack: "rack1",
            tokens: [Token(0)], generation: 1, broadcast: endpoint, listen: endpoint, native: endpoint)
    }

    /// Runs a statement on the first shard.
    @discardableResult
    func run(
        _ text: String, _ values: [TermValue] = [], _ context: RequestContext = RequestContext(keyspace: "ks")
    ) throws -> QueryResult {
        let group: ShardGroup = self.group
        return try world.run {
            try await group.run(on: 0) { executor in
                let statement = try executor.parse(text, keyspace: "ks")
                return try await executor.execute(statement, values, context)
            }
        }
    }

    /// The rows of a result, each as its values in CQL, separated by bars.
    func rows(
        _ text: String, _ values: [TermValue] = [], _ context: RequestContext = RequestContext(keyspace: "ks")
    ) throws -> [String] {
        guard case .rows(let rows) = try run(text, values, context).kind else { return [] }
        return NodeUnderTest.texts(rows)
    }

    /// The only row of a result.
    func row(_ text: String, _ values: [TermValue] = []) throws -> String {
        let rows = try rows(text, values)
        #expect(rows.count == 1, "\(text)")
        return rows.first ?? "none"
    }

    /// The names and types of a result's columns.
    func columns(_ text: String) throws -> [String] {
        guard case .rows(let rows) = try run(text).kind else { return [] }
        return rows.metadata.columns.map { "\($0.name) \($0.type.frozen.cqlName)" }
    }

    static func texts(_ rows: QueryRows) -> [String] {
        var reader = RowTextReader(rows.bytes)
        return (0..<rows.rowCount).map { _ in
            rows.metadata.columns.map { reader.next(as: $0.type) }.joined(separator: " | ")
        }
    }

    /// The error that a statement is refused with; nil when it is not.
    func refusal(_ text: String, _ values: [TermValue] = []) -> CQLError? {
        do {
            try run(text, values)
            return nil
        } catch { return StorageFailure.cqlError(error) }
    }

    func message(_ text: String, _ values: [TermValue] = []) -> String? { refusal(text, values)?.message }

    /// Everything that was written so far goes into files.
    func flush() throws {
        let group: ShardGroup = self.group
        try world.run { try await group.engine.flush() }
    }
}

private struct RowTextReader {
    private let bytes: [UInt8]
    private var offset = 0

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    mutating func next(as type: CQLType) -> String {
        let count = Int(bytes[offset..<(offset + 4)].reduce(Int32(0)) { $0 << 8 | Int32($1) })
        offset += 4
        guard count >= 0 else { return "null" }
        defer { offset += count }
        let value = Array(bytes[offset..<(offset + count)])
        if case .list(let element, _) = type { return RowTextReader.list(value, of: element) }
        return type.cqlLiteral(of: value.span.bytes)
    }

    /// Lists of times may have nulls in them, which no other value has.
    private static func list(_ value: [UInt8], of element: CQLType) -> String {
        var reader = RowTextReader(value)
        reader.offset = 4
        var texts: [String] = []
        while reader.offset < value.count { texts.append(reader.next(as: element)) }
        return "[\(texts.joined(separator: ", "))]"
    }
}
