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

/// Several nodes in one simulated world, as far as statements need them: shards, storage, messages, coordinators. Who is
/// up is said by the test, and the schema is the same on all nodes as soon as a statement has changed it.
///
/// `Sendable` is unchecked because a world and all that belongs to it is used by one thread at a time.
final class ClusterUnderTest: @unchecked Sendable {
    let world: SimulatedWorld
    let machines: [SimulatedMachine]
    private(set) var nodes: [ClusterNode?]
    private let members: [Member]
    private(set) var schema: Schema
    private let limits: QueryLimits
    private var tableCount: UInt64 = 0

    /// - Parameters:
    ///   - replication: of keyspace `ks`.
    ///   - statements: run first, with `ks` as the session's keyspace.
    init(
        nodes count: Int = 3, shards: Int = 2, seed: UInt64 = 1, datacenters: [String] = [],
        replication: [String: String] = ClusterUnderTest.simple(3),
        limits: QueryLimits = QueryLimits(), _ statements: String...
    ) throws {
        let world = SimulatedWorld(seed: seed)
        let machines = (0..<count).map { world.makeHost(name: "node\($0)", loopCount: shards) }
        self.world = world
        self.machines = machines
        self.members = machines.enumerated().map { index, machine in
            let address = machine.address(port: 7_000)
            return Member(
                id: ClusterUnderTest.id(index), internode: address, native: address,
                datacenter: index < datacenters.count ? datacenters[index] : "dc1", rack: "r\(index)",
                tokens: LocalNode.evenTokens(8, offset: UInt64(index) * ((1 << 61) / UInt64(count))), state: .normal,
                releaseVersion: "1")
        }
        self.nodes = machines.map { _ in nil }
        self.limits = limits
        var schema = Schema()
        schema.keyspaces["ks"] = KeyspaceDefinition(name: "ks", replication: replication)
        self.schema = SystemTables.installed(in: schema)
        for index in machines.indices { try start(index) }
        for statement in statements { try change(statement) }
    }

    static func simple(_ factor: Int) -> [String: String] {
        ["class": "org.apache.cassandra.locator.SimpleStrategy", "replication_factor": "\(factor)"]
    }

    static func id(_ index: Int) -> NodeID { NodeID(UUID(high: 1, low: UInt64(index + 1))) }

    func address(_ index: Int) -> InetAddress { InetAddress(bytes: machines[index].address(port: 0).host) ?? .loopback }

    private func start(_ index: Int) throws {
        nodes[index] = try world.run { [self] in
            try await ClusterNode.start(members[index], of: members, on: machines[index].host, schema, limits)
        }
        tell()
    }

    // MARK: Who is up

    func kill(_ index: Int) {
        machines[index].kill()
        nodes[index] = nil
        tell()
    }

    func restart(_ index: Int) throws {
        machines[index].restart()
        try start(index)
        // Connections that broke come back by themselves.
        try world.run(for: .seconds(3))
    }

    /// Tells every node who is up.
    func tell() {
        for case let node? in nodes {
            for index in nodes.indices { node.liveness.set(ClusterUnderTest.id(index), alive: nodes[index] != nil) }
        }
    }

    /// Runs `body` while a node believes that it is alone, so that what it is given to write stays there.
    func alone(_ index: Int, _ body: (ClusterUnderTest) throws -> Void) throws {
        guard let node = nodes[index] else { return }
        for other in nodes.indices where other != index { node.liveness.set(ClusterUnderTest.id(other), alive: false) }
        try body(self)
        tell()
    }

    // MARK: Statements

    /// Runs a statement that changes the schema, on all nodes but one.
    func change(_ text: String, except missing: Int? = nil) throws {
        guard let first = nodes.compactMap({ $0 }).first,
            case .schema(let statement) = try first.group.executors[0].parse(text, keyspace: "ks").plan
        else { return }
        tableCount += 1
        let context = SchemaContext(
            keyspace: "ks", nowMicroseconds: Int64(world.nowNanoseconds / 1_000),
            newTableID: UUID(high: 9, low: tableCount), dataCenters: ["dc1": 1])
        let transition = try #require(try SchemaTransition.applying(statement, to: schema, context: context))
        schema = transition.schema
        let changed: Schema = schema
        for (index, node) in nodes.enumerated() where index != missing {
            guard let node else { continue }
            try world.run { try await node.live.follow(changed) }
        }
    }

    /// Runs a statement through a node.
    @discardableResult
    func run(
        _ text: String, on index: Int = 0, _ level: Consistency = .quorum, pageSize: Int = -1,
        pagingState: [UInt8]? = nil
    ) throws -> QueryResult {
        let node = try #require(nodes[index])
        let context = RequestContext(
            consistency: level, pageSize: pageSize, pagingState: pagingState, keyspace: "ks")
        return try world.run { try await node.execute(text, [], context) }
    }

    /// The rows of a result, each as its values in CQL, separated by bars.
    func rows(_ text: String, on index: Int = 0, _ level: Consistency = .quorum) throws -> [String] {
        guard case .rows(let rows) = try run(text, on: index, level).kind else { return [] }
        return NodeUnderTest.texts(rows)
    }

    /// The rows of a result, page by page, each page through another node.
    func pages(_ text: String, _ level: Consistency = .quorum, size: Int) throws -> [[String]] {
        var pages: [[String]] = []
        var state: [UInt8]?
        while true {
            let index: Int = pages.count % nodes.count
            guard
                case .rows(let page) = try run(
                    text, on: nodes[index] == nil ? 0 : index, level, pageSize: size, pagingState: state
                ).kind
            else { return pages }
            pages.append(NodeUnderTest.texts(page))
            guard let next = page.pagingState else { return pages }
            state = next
        }
    }

    /// What a node has by itself.
    func own(_ text: String, _ index: Int) throws -> [String] { try rows(text, on: index, .nodeLocal) }

    /// The error that a statement is refused with; nil when it is not.
    func refusal(_ text: String, on index: Int = 0, _ level: Consistency = .quorum) -> CQLError? {
        do {
            try run(text, on: index, level)
            return nil
        } catch { return StorageFailure.cqlError(error) }
    }
}

/// One node of a `ClusterUnderTest`.
final class ClusterNode: @unchecked Sendable {
    let liveness: Liveness
    let group: ShardGroup
    let live: LiveSchema

    private init(_ liveness: Liveness, _ group: ShardGroup, _ live: LiveSchema) {
        self.liveness = liveness
        self.group = group
        self.live = live
    }

    static func start(
        _ member: Member, of members: [Member], on host: Host, _ schema: Schema, _ limits: QueryLimits
    ) async throws -> ClusterNode {
        try await host.disk.createDirectory("data/metadata")
        var options = StorageOptions(dataDirectory: "data", commitLogDirectory: "data/commitlog")
        options.segmentByteCount = 4 << 20
        let engine = try await StorageEngine.open(options, host: host, tables: stored(schema))
        let liveness = Liveness(local: member.id)
        let clock = HybridClock(time: host.time)
        let messages = MessageService(
            host: host,
            identity: MessageIdentity(
                node: member.id, address: member.internode, datacenter: member.datacenter, clusterName: "test",
                clusterID: UUID(high: 5, low: 5)), callbacks: MessageCallbacks { clock.current })
        let parts = NodeCoordination.Parts(
            host: host, local: member.id, liveness: liveness, messages: messages, clock: clock,
            hints: try await HintStore.open(host: host, options: HintOptions(directory: "data/hints")),
            truncations: try await TruncationTimes.open(directory: "data/metadata", disk: host.disk),
            batches: SystemTables.batches)
        let coordination = NodeCoordination(
            parts, engine: engine, topology: Topology(members: members, local: member.id),
            paxos: try #require(PaxosTable(SystemTables.paxos)))
        let catalog = Catalog(schema, localDatacenter: member.datacenter)
        // Nobody votes here: the test tells every node the schema.
        let log = MetadataLog(
            host: host, messenger: messages, directory: "data/metadata",
            identity: MetadataLog.Identity(
                LocalNode(
                    LocalNode.Settings(clusterName: "test", dataCenter: member.datacenter, rack: member.rack),
                    nowMicroseconds: host.time.wallMicroseconds, entropy: host.entropy),
                internode: member.internode, native: member.native, releaseVersion: member.releaseVersion))
        let endpoint = InetEndpoint(address: InetAddress(bytes: member.internode.host) ?? .loopback, port: 7_000)
        let context = NodeContext(
            local: LocalNodeDescription(
                hostID: member.id.uuid, clusterName: "test", dataCenter: member.datacenter, rack: member.rack,
                tokens: member.tokens, generation: 1, broadcast: endpoint, listen: endpoint, native: endpoint),
            settings: [:], host: host,
            schemaChanges: SchemaChanges(log: log, host: host, timeout: .seconds(10)), limits: limits)
        let group = ShardGroup(
            engine: engine, host: host, node: context, catalog: catalog, coordination: coordination)
        for shard in group.executors.indices { try await group.run(on: shard) { $0.replica.watchLog() } }
        messages.setMembers(members)
        try await messages.start()
        return ClusterNode(
            liveness, group, LiveSchema(catalog: catalog, localDatacenter: member.datacenter, group: group) { _ in })
    }

    /// The tables of a schema that storage keeps.
    private static func stored(_ schema: Schema) -> [TableDefinition] {
        schema.sortedKeyspaces.filter { !$0.isVirtual }.flatMap { keyspace in
            keyspace.sortedTables.filter { !SystemTables.isComputed(keyspace.name, $0.name) }
        }
    }

    /// Runs a statement on the first shard.
    func execute(_ text: String, _ values: [TermValue], _ context: RequestContext) async throws -> QueryResult {
        try await group.run(on: 0) { executor in
            let statement = try executor.parse(text, keyspace: context.keyspace)
            return try await executor.execute(statement, values, context)
        }
    }
}
