import Cluster
import Coordination
import DataModel
import Environment
import Primitives
import SimulatedHost
import Storage

/// Nodes with storage, messages and coordinators, and nothing above: what statements come to, in a world that follows
/// from a seed. Who is up is said by the test.
///
/// `Sendable` is unchecked because a world and all that belongs to it is used by one thread at a time.
final class ReplicaWorld: @unchecked Sendable {
    static let table = UUID(high: 0x5151, low: 0x8000_0000_0000_0001)
    static let column: UInt16 = 1
    static let replication: [String: String] = ["class": "SimpleStrategy", "replication_factor": "3"]

    let world: SimulatedWorld
    private(set) var machines: [SimulatedMachine] = []
    private(set) var nodes: [ReplicaNode?] = []
    private(set) var members: [Member] = []
    private let datacenters: [String]
    let replication: [String: String]
    /// Tables besides the one of the tests.
    private let tables: [TableDefinition]
    /// Adds what else a node does, before it hears of others.
    private let willListen: (ReplicaNode) -> Void

    init(
        seed: UInt64, nodes count: Int = 3, loops: Int = 2, datacenters: [String] = [],
        replication: [String: String] = ReplicaWorld.replication,
        tables: [TableDefinition] = [], willListen: @escaping (ReplicaNode) -> Void = { _ in }
    ) {
        self.tables = tables
        self.willListen = willListen
        self.world = SimulatedWorld(seed: seed)
        self.datacenters = datacenters
        self.replication = replication
        for index in 0..<count {
            let machine = world.makeHost(name: "node\(index)", loopCount: loops)
            let address = machine.address(port: 7_000)
            machines.append(machine)
            nodes.append(nil)
            members.append(
                Member(
                    id: ReplicaWorld.id(index), internode: address, native: address,
                    datacenter: index < datacenters.count ? datacenters[index] : "dc1", rack: "r\(index)",
                    tokens: LocalNode.evenTokens(8, offset: UInt64(index) &* 0x1555_5555_5555_5555), state: .normal,
                    releaseVersion: "1"))
        }
    }

    static func id(_ index: Int) -> NodeID { NodeID(UUID(high: 1, low: UInt64(index + 1))) }

    /// Starts all nodes, runs `body`, and returns what it returns.
    func run<Value: Sendable>(_ body: @escaping @Sendable (ReplicaWorld) async throws -> Value) throws -> Value {
        try world.run(timeLimit: .seconds(3_600)) { [self] in
            for index in machines.indices { try await start(index) }
            return try await body(self)
        }
    }

    func start(_ index: Int) async throws {
        let datacenter: String = members[index].datacenter
        nodes[index] = try await ReplicaNode.start(
            members[index], of: members, on: machines[index].host,
            ReplicaCounts(
                replication: replication, localDatacenter: datacenter), replication, tables, willListen)
        tell()
    }

    /// Changes who is a member from now on, for the nodes that are named, and for those that start later.
    func change(_ members: [Member], knownBy known: [Int]) async throws {
        self.members = members
        for index in known { try await nodes[index]?.take(members) }
    }

    func kill(_ index: Int) {
        machines[index].kill()
        nodes[index] = nil
        tell()
    }

    /// Takes the power of a machine away.
    func crash(_ index: Int) {
        machines[index].crash()
        nodes[index] = nil
        tell()
    }

    func restart(_ index: Int) async throws {
        machines[index].restart()
        try await start(index)
    }

    /// Tells every node who is up, at once.
    func tell() {
        for case let node? in nodes {
            for index in nodes.indices { node.liveness.set(ReplicaWorld.id(index), alive: nodes[index] != nil) }
        }
    }

    func pause(_ duration: Duration) async {
        guard let index = nodes.firstIndex(where: { $0 != nil }) else { return }
        let loop = machines[index].host.loops[0]
        await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
            _ = loop.schedule(after: duration) { continuation.resume() }
        }
    }

    /// A row of one cell.
    static func mutation(_ key: String, _ value: String, at timestamp: Int64) -> [UInt8] {
        let bytes = Array(key.utf8)
        let text = Array(value.utf8)
        var writer = ByteWriter()
        var mutation = MutationWriter(
            table: table, token: Token(ofKey: bytes.span.bytes), key: bytes.span.bytes, to: &writer)
        mutation.beginRows(&writer)
        let none: [UInt8] = []
        let start = mutation.beginRow(clustering: none.span.bytes, to: &writer)
        var row = RowWriter(
            marker: RowMarker(timestamp: timestamp), baseTimestamp: timestamp, deletion: .none, to: &writer)
        row.live(column: column, timestamp: timestamp, value: text.span.bytes, to: &writer)
        row.finish(&writer)
        mutation.endBody(start, &writer)
        mutation.beginRanges(&writer)
        mutation.finish(&writer)
        return writer.array()
    }
}

/// One node of a `ReplicaWorld`.
final class ReplicaNode: @unchecked Sendable {
    let liveness: Liveness
    let replica: NodeReplica
    let hints = KeptHints()
    let host: Host
    private let id: NodeID
    private var topology: Topology
    let counts: ReplicaCounts
    let replication: [String: String]
    /// Tests say what it is.
    let applied = AppliedEpoch()
    private(set) var views: [ClusterView] = []
    private var writers: [WriteCoordinator] = []
    private var readers: [ReadCoordinator] = []
    private(set) var rowReads: [RowReads] = []

    private init(
        _ member: Member, _ members: [Member], _ host: Host, _ replica: NodeReplica, _ counts: ReplicaCounts,
        _ replication: [String: String]
    ) {
        self.id = member.id
        self.host = host
        self.replica = replica
        self.counts = counts
        self.replication = replication
        self.topology = Topology(members: members, local: member.id)
        self.liveness = Liveness(local: member.id)
    }

    static func start(
        _ member: Member, of members: [Member], on host: Host, _ counts: ReplicaCounts,
        _ replication: [String: String], _ tables: [TableDefinition], _ willListen: (ReplicaNode) -> Void
    ) async throws -> ReplicaNode {
        let definition = TableDefinition(
            keyspace: "ks", name: "t", id: ReplicaWorld.table,
            columns: [
                ColumnDefinition(name: "k", kind: .partitionKey, type: .blob),
                ColumnDefinition(name: "v", id: ReplicaWorld.column, kind: .regular, type: .blob),
            ], nextColumnID: 2)
        var options = StorageOptions(dataDirectory: "/data", commitLogDirectory: "/data/commitlog")
        options.segmentByteCount = 256 << 10
        let engine = try await StorageEngine.open(options, host: host, tables: [definition] + tables)
        let shards = engine.shards.map { ReplicaShard(store: $0, host: host) }
        let replica = NodeReplica(shards: shards, host: host)
        for index in shards.indices { try await replica.run(on: index) { $0.watchLog() } }
        let clock = HybridClock(time: host.time)
        let messages = MessageService(
            host: host,
            identity: MessageIdentity(
                node: member.id, address: member.internode, datacenter: member.datacenter, clusterName: "test",
                clusterID: UUID(high: 5, low: 5)), callbacks: MessageCallbacks { clock.current })
        let node = ReplicaNode(member, members, host, replica, counts, replication)
        _ = ReplicaVerbs.register(on: messages.shards, replica, host)
        _ = RowReadVerb.register(on: messages.shards, replica)
        for index in shards.indices {
            let view = ClusterView(
                local: member.id, topology: node.topology, liveness: node.liveness, messages: messages.shards[index],
                clock: clock)
            node.views.append(view)
            node.writers.append(WriteCoordinator(view: view, replica: shards[index], hints: node.hints))
            node.rowReads.append(RowReads(view: view, replica: shards[index]))
            node.readers.append(
                ReadCoordinator(view: view, node: replica, host: host, loop: host.loops[index]))
        }
        willListen(node)
        messages.setMembers(members)
        try await messages.start()
        return node
    }

    func take(_ members: [Member]) async throws {
        topology = Topology(members: members, local: id)
        for index in views.indices {
            try await replica.run(on: index) { [self] _ in views[index].take(topology) }
        }
    }

    func shard(_ key: String) -> Int {
        let bytes = Array(key.utf8)
        return replica.slices.shard(of: Token(ofKey: bytes.span.bytes))
    }

    func plan(_ key: String, _ shard: Int) throws -> ReplicaPlan {
        let bytes = Array(key.utf8)
        let set = try topology.placement(for: replication).replicas(of: Token(ofKey: bytes.span.bytes))
        return views[shard].plan(for: set, counts)
    }

    /// Writes a value through this node.
    func write(
        _ key: String, _ value: String, at timestamp: Int64, _ level: Consistency, timeoutMilliseconds: UInt32 = 2_000
    ) async throws {
        let index: Int = shard(key)
        let bytes: [UInt8] = ReplicaWorld.mutation(key, value, at: timestamp)
        try await replica.run(on: index) { [self] shard in
            let plan: ReplicaPlan = try plan(key, index)
            let observer = AwaitedWrite()
            try writers[index].write(
                bytes.span.bytes, to: shard.store.table(ReplicaWorld.table), plan, level, .simple,
                timeoutMilliseconds: timeoutMilliseconds, observer: observer, tag: 0)
            if let failure = await observer.wait() { throw failure }
        }
    }

    /// Reads a value through this node; nil when there is none.
    func read(
        _ key: String, _ level: Consistency, repairs: Bool = true, speculation: SpeculativeRetry = .never,
        timeoutMilliseconds: UInt32 = 2_000
    ) async throws -> String? {
        let index: Int = shard(key)
        let bytes = Array(key.utf8)
        let request = PageRequest(
            table: ReplicaWorld.table,
            command: ReadCommand(partitions: .one(token: Token(ofKey: bytes.span.bytes), key: bytes)),
            nowSeconds: host.time.wallSeconds, graceStart: 0, rowLimit: 10)
        return try await replica.run(on: index) { [self] _ in
            let page = try await readers[index].page(
                request, try plan(key, index), level, ReadPolicy(speculation: speculation, repairs: repairs),
                timeoutMilliseconds: timeoutMilliseconds)
            return try ReplicaNode.value(page.cursor(isReversed: false))
        }
    }

    /// What this node has of a key by itself.
    func own(_ key: String) async throws -> String? {
        let bytes = Array(key.utf8)
        let request = PageRequest(
            table: ReplicaWorld.table,
            command: ReadCommand(partitions: .one(token: Token(ofKey: bytes.span.bytes), key: bytes)),
            nowSeconds: host.time.wallSeconds, graceStart: 0, rowLimit: 10)
        let page = try await replica.page(request)
        return try ReplicaNode.value(MergedPage(pages: [page], covered: nil).cursor(isReversed: false))
    }

    static func value(_ cursor: ReadCursor) throws -> String? {
        while true {
            switch try cursor.step() {
            case .end, .blocked: return nil
            case .partition: continue
            case .row:
                let row = [UInt8](cursor.row)
                var reader = try RowReader(row.span.bytes)
                while let cell = try reader.next() {
                    let value = row[cell.valueOffset..<(cell.valueOffset + cell.valueByteCount)]
                    return String(decoding: value, as: UTF8.self)
                }
            }
        }
    }
}

/// Lets a test wait for a write.
final class AwaitedWrite: WriteObserver, @unchecked Sendable {
    private var outcome: (any Error)??
    private var waiting: UnsafeContinuation<(any Error)?, Never>?

    func coordinatedWriteEnded(_ tag: UInt64, _ failure: (any Error)?) {
        outcome = .some(failure)
        waiting?.resume(returning: failure)
        waiting = nil
    }

    func wait() async -> (any Error)? {
        if let outcome { return outcome }
        return await withUnsafeContinuation { waiting = $0 }
    }
}

/// Hints that go nowhere.
final class KeptHints: HintSink, @unchecked Sendable {
    private(set) var kept: [NodeID: Int] = [:]

    func keep(_ mutation: RawSpan, for node: NodeID, madeAt: Int64) { kept[node, default: 0] += 1 }

    func keepDurably(
        _ mutation: RawSpan, for node: NodeID, madeAt: Int64, _ stored: @escaping @Sendable () -> Void
    ) {
        kept[node, default: 0] += 1
        stored()
    }
}
