import Cluster
import Coordination
import DataModel
import Environment
import Primitives
import SimulatedHost
import Storage
import Synchronization

/// Nodes with everything that coordinates (writes, reads, counters, batches, truncation, hints), and nothing above, in a
/// world that follows from a seed. Who is up is said by the test.
///
/// `Sendable` is unchecked because a world and all that belongs to it is used by one thread at a time.
final class CoordinatedWorld: @unchecked Sendable {
    struct Place {
        var datacenter = "dc1"
        var rack = "r1"
    }

    let world: SimulatedWorld
    let replication: [String: String]
    private(set) var machines: [SimulatedMachine] = []
    private(set) var nodes: [CoordinatedNode?] = []
    private(set) var members: [Member] = []

    /// - Parameter places: one for each node.
    init(
        seed: UInt64, places: [Place] = [Place(), Place(), Place()], loops: Int = 2,
        replication: [String: String] = ReplicaWorld.replication
    ) {
        self.world = SimulatedWorld(seed: seed)
        self.replication = replication
        for (index, place) in places.enumerated() {
            let machine = world.makeHost(name: "node\(index)", loopCount: loops)
            let address = machine.address(port: 7_000)
            machines.append(machine)
            nodes.append(nil)
            members.append(
                Member(
                    id: ReplicaWorld.id(index), internode: address, native: address, datacenter: place.datacenter,
                    rack: place.rack, tokens: LocalNode.evenTokens(8, offset: UInt64(index) &* 0x1555_5555_5555_5555),
                    state: .normal, releaseVersion: "1"))
        }
    }

    /// Starts all nodes, runs `body`, and returns what it returns.
    func run<Value: Sendable>(_ body: @escaping @Sendable (CoordinatedWorld) async throws -> Value) throws -> Value {
        try world.run(timeLimit: .seconds(36_000)) { [self] in
            for index in machines.indices { try await start(index) }
            return try await body(self)
        }
    }

    func start(_ index: Int) async throws {
        nodes[index] = try await CoordinatedNode.start(
            members[index], of: members, on: machines[index].host, replication)
        tell()
    }

    func kill(_ index: Int) {
        machines[index].kill()
        nodes[index] = nil
        tell()
    }

    /// Takes the power from a machine: what was not synced is gone.
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

    /// A timestamp that grows.
    var time: Int64 { Int64(world.nowNanoseconds / 1_000) + 1_000 }
}

/// One node of a `CoordinatedWorld`.
final class CoordinatedNode: @unchecked Sendable {
    static let counterTable = UUID(high: 0xC0C0, low: 0x8000_0000_0000_0002)
    static let batchTable = UUID(high: 0xBABA, low: 0x8000_0000_0000_0003)
    static let counter: UInt16 = 1
    static let staticCounter: UInt16 = 2

    let id: NodeID
    let host: Host
    let liveness: Liveness
    let clock: HybridClock
    let engine: StorageEngine
    let replica: NodeReplica
    let messages: MessageService
    let hints: HintStore
    let truncationTimes: TruncationTimes
    let replication: TableReplication
    private(set) var delivery: HintDelivery
    let views: [ClusterView]
    private(set) var writers: [WriteCoordinator] = []
    private(set) var readers: [ReadCoordinator] = []
    private(set) var counters: [CounterCoordinator] = []
    private(set) var batches: [BatchCoordinator] = []
    private(set) var batchLog: BatchLog
    private(set) var truncation: TruncationCoordinator
    let topology: Topology
    let watermarks: RepairWatermarks
    let missed: MissedWrites
    /// What this node thinks of who owns tokens, when a test wants it to be wrong.
    let ownersSeen = Mutex<(@Sendable (ClosedRange<Token>) -> Set<NodeID>?)?>(nil)
    private(set) var repairs: RepairCoordinator

    private init(_ member: Member, _ members: [Member], _ host: Host, _ replication: [String: String]) async throws {
        let counts = ReplicaCounts(replication: replication, localDatacenter: member.datacenter)
        let table = TableReplication(replication: replication, counts: counts, graceSeconds: 864_000)
        let lookup: TableLookup = { id in
            id == ReplicaWorld.table || id == CoordinatedNode.counterTable ? table : nil
        }
        let engine = try await CoordinatedNode.openEngine(host)
        let liveness = Liveness(local: member.id)
        let (hints, times, watermarks, missed) = try await CoordinatedNode.openRecords(members, liveness, host)
        let shards = engine.shards.map { ReplicaShard(store: $0, host: host) }
        let clock = HybridClock(time: host.time)
        let messages = CoordinatedNode.messages(member, host, clock)
        let topology = Topology(members: members, local: member.id)
        let sinks: [StoredHints] = host.loops.map { StoredHints(hints, $0, host) }
        let views: [ClusterView] = messages.shards.map {
            ClusterView(local: member.id, topology: topology, liveness: liveness, messages: $0, clock: clock)
        }
        let replica = NodeReplica(
            shards: shards, host: host, truncations: times,
            handover: zip(views, sinks).map { HandoverWrites(view: $0, tables: lookup, hints: $1) })
        for index in shards.indices { try await replica.run(on: index) { $0.watchLog() } }
        self.id = member.id
        self.host = host
        self.engine = engine
        self.replica = replica
        self.clock = clock
        self.messages = messages
        self.liveness = liveness
        self.replication = table
        self.topology = topology
        self.watermarks = watermarks
        self.missed = missed
        self.repairs = RepairCoordinator(
            RepairCoordinator.Parts(
                host: host, local: member.id, messenger: messages, liveness: liveness, missed: missed))
        self.hints = hints
        self.truncationTimes = times
        self.delivery = HintDelivery(
            store: hints, host: host, messenger: messages, liveness: liveness, tableExists: { lookup($0) != nil },
            truncatedAt: { times.time(of: $0) })
        self.views = views
        for (index, view) in views.enumerated() {
            let writer = WriteCoordinator(view: view, replica: shards[index], hints: sinks[index])
            writers.append(writer)
            readers.append(ReadCoordinator(view: view, node: replica, host: host, loop: host.loops[index]))
            counters.append(CounterCoordinator(view: view, replica: shards[index], writes: writer, host: host))
        }
        let writes = PartitionWrites(node: replica, writers: writers, host: host)
        let log = BatchLog(
            table: BatchTable(id: CoordinatedNode.batchTable, mutations: 1, version: 2), node: replica, writes: writes,
            clock: clock, host: host, tables: lookup, truncatedAt: { times.time(of: $0) })
        self.batchLog = log
        self.truncation = TruncationCoordinator(
            local: member.id, engine: engine, times: times, clock: clock, messenger: messages, liveness: liveness,
            host: host)
        self.batches = views.enumerated().map { index, view in
            BatchCoordinator(view: view, loop: host.loops[index], log: log, writes: writes, host: host)
        }
        register(lookup)
    }

    private static func openEngine(_ host: Host) async throws -> StorageEngine {
        var options = StorageOptions(dataDirectory: "/data", commitLogDirectory: "/data/commitlog")
        options.segmentByteCount = 256 << 10
        return try await StorageEngine.open(options, host: host, tables: tables)
    }

    private static func messages(_ member: Member, _ host: Host, _ clock: HybridClock) -> MessageService {
        let identity = MessageIdentity(
            node: member.id, address: member.internode, datacenter: member.datacenter, clusterName: "test",
            clusterID: UUID(high: 5, low: 5))
        var callbacks = MessageCallbacks { clock.current }
        callbacks.clockSeen = { clock.observe($0) }
        return MessageService(host: host, identity: identity, callbacks: callbacks)
    }

    /// What is confined to loop 0 from its beginning on.
    private static func openRecords(
        _ members: [Member], _ liveness: Liveness, _ host: Host
    ) async throws -> (HintStore, TruncationTimes, RepairWatermarks, MissedWrites) {
        try await LoopWork("open", on: host.loops[0], of: host) {
            var options = HintOptions(directory: "/data/hints")
            options.flushPeriod = .seconds(1)
            let hints = try await HintStore.open(host: host, options: options)
            await hints.setMembers(members) { liveness.isAlive($0) }
            return (
                hints, try await TruncationTimes.open(directory: "/data", disk: host.disk),
                await RepairWatermarks.open(directory: "/data", disk: host.disk),
                await MissedWrites.open(directory: "/data", host: host)
            )
        }.value()
    }

    private func register(_ tables: @escaping TableLookup) {
        let replica: NodeReplica = self.replica
        _ = ReplicaVerbs.register(on: messages.shards, replica, host)
        CounterVerbs.register(on: messages.shards, replica, counters, views: views, tables: tables, host)
        BatchVerbs.register(on: messages.shards, batchLog, host)
        truncation.register()
        let topology: Topology = self.topology
        RepairReplica(
            node: replica, engine: engine, watermarks: watermarks, missed: missed, host: host,
            owners: { [unowned self] _, tokens in
                if let seen = ownersSeen.withLock({ $0 }) { return seen(tokens) }
                guard let placement = try? topology.placement(for: ReplicaWorld.replication) else { return nil }
                return RepairPlan.owners(of: tokens, in: placement)
            }
        ).register(on: messages)
        let succession = HintSuccession(store: hints, missed: missed, host: host) { topology.member($0) != nil }
        HintReceiver.register(on: messages, local: id, succession: succession) { _, hint in
            try await replica.apply(hint)
        }
    }

    static func start(
        _ member: Member, of members: [Member], on host: Host, _ replication: [String: String]
    ) async throws -> CoordinatedNode {
        let node = try await CoordinatedNode(member, members, host, replication)
        node.messages.setMembers(members)
        try await node.messages.start()
        await node.delivery.start()
        node.batchLog.start()
        return node
    }

    private static let tables: [TableDefinition] = [
        TableDefinition(
            keyspace: "ks", name: "t", id: ReplicaWorld.table,
            columns: [
                ColumnDefinition(name: "k", kind: .partitionKey, type: .blob),
                ColumnDefinition(name: "v", id: ReplicaWorld.column, kind: .regular, type: .blob),
            ], nextColumnID: 2),
        TableDefinition(
            keyspace: "ks", name: "c", id: counterTable,
            columns: [
                ColumnDefinition(name: "k", kind: .partitionKey, type: .blob),
                ColumnDefinition(name: "r", kind: .clustering, type: .blob),
                ColumnDefinition(name: "n", id: counter, kind: .regular, type: .counter),
                ColumnDefinition(name: "s", id: staticCounter, kind: .static, type: .counter),
            ], nextColumnID: 3),
        TableDefinition(
            keyspace: "system", name: "batches", id: batchTable,
            columns: [
                ColumnDefinition(name: "id", kind: .partitionKey, type: .timeuuid),
                ColumnDefinition(name: "mutations", id: 1, kind: .regular, type: .list(.blob, isMultiCell: true)),
                ColumnDefinition(name: "version", id: 2, kind: .regular, type: .int),
            ], nextColumnID: 3),
    ]

    /// Sees other members from now on, on all shards.
    func take(_ members: [Member], _ changes: [RingChange] = []) async throws {
        let topology = Topology(members: members, changes: changes, local: id)
        messages.setMembers(members)
        await hints.setMembers(members) { [liveness] in liveness.isAlive($0) }
        for index in views.indices { try await replica.run(on: index) { [views] _ in views[index].take(topology) } }
    }

    func token(_ key: String) -> Token {
        let bytes = Array(key.utf8)
        return Token(ofKey: bytes.span.bytes)
    }

    func shard(_ key: String) -> Int { replica.slices.shard(of: token(key)) }
}

/// Brings hints into the store, as a node does. Confined to its loop; `Sendable` is unchecked for that reason.
final class StoredHints: HintSink, @unchecked Sendable {
    private let store: HintStore
    private let loop: any Loop
    private let host: Host

    init(_ store: HintStore, _ loop: any Loop, _ host: Host) {
        self.store = store
        self.loop = loop
        self.host = host
    }

    func keep(_ mutation: RawSpan, for node: NodeID, madeAt: Int64) {
        do {
            try store.append(for: node, created: madeAt, grace: 864_000, mutation: mutation, on: loop.index)
        } catch {
            // The store counts what it refuses.
        }
    }

    func keepDurably(
        _ mutation: RawSpan, for node: NodeID, madeAt: Int64, _ stored: @escaping @Sendable () -> Void
    ) {
        let bytes = [UInt8](copying: mutation)
        host.background.run("durable hint", on: loop) { [store, loop] in
            do {
                try await store.appendDurably(
                    for: node, created: madeAt, grace: 864_000, mutation: bytes, on: loop.index)
                stored()
            } catch {
                // Nobody is told: the write then ends by its deadline.
            }
        }
    }
}
