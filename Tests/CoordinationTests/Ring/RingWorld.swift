import Cluster
import Coordination
import DataModel
import Environment
import Primitives
import SimulatedHost

/// Nodes that change their ring, with real metadata and messages; their data are sets of numbers by token, in memory, and
/// clients write and read them at QUORUM as coordinators do.
///
/// `Sendable` is unchecked because a world and all that belongs to it is used by one thread at a time.
final class RingWorld: @unchecked Sendable {
    static let strategy = ReplicationStrategy.simple(factor: 3)
    static let tokens: [Token] = (0..<64).map { Token(ordinal: UInt64($0) << 58 | 12_345) }

    let world: SimulatedWorld
    /// Where clients are, and the test itself: it is never killed.
    let desk: SimulatedMachine
    private(set) var machines: [SimulatedMachine] = []
    private(set) var nodes: [RingNodeUnderTest?] = []
    /// What nodes that were killed had.
    private var disks: [Int: [Token: Set<Int>]] = [:]
    /// What clients were told is stored, by token.
    private(set) var acknowledged: [Token: Set<Int>] = [:]
    private(set) var writeCount = 0
    private(set) var readCount = 0
    private(set) var lost: [String] = []
    private var nextValue = 0
    var isLoaded = true
    private var clientCount = 0
    private var generator: SeededGenerator

    init(seed: UInt64, machineCount: Int) {
        self.world = SimulatedWorld(seed: seed)
        self.desk = world.makeHost(name: "desk")
        self.generator = SeededGenerator(seed: seed ^ 0x5151)
        for index in 0..<machineCount {
            machines.append(world.makeHost(name: "node\(index)"))
            nodes.append(nil)
        }
    }

    func run<Value: Sendable>(_ body: @escaping @Sendable (RingWorld) async throws -> Value) throws -> Value {
        try world.run(timeLimit: .seconds(3_600)) { [self] in try await body(self) }
    }

    // MARK: Nodes

    /// Starts a node; the first one founds the cluster, others become members at once while `joins` says so.
    @discardableResult
    func start(_ index: Int, joins: Bool = true) async throws -> RingNodeUnderTest {
        let node = try await RingNodeUnderTest(index, self)
        node.values = disks[index] ?? [:]
        nodes[index] = node
        tell()
        try await node.start(seeds: [machines[0].address(port: 7_000)])
        tell()
        if joins, node.metadata?.member(node.id) == nil { try await node.joinAtOnce() }
        tell()
        return node
    }

    func kill(_ index: Int) {
        machines[index].kill()
        disks[index] = nodes[index]?.values
        nodes[index] = nil
        tell()
    }

    /// Tells every node who is up, at once.
    func tell() {
        for case let node? in nodes {
            for other in nodes.indices { node.liveness.set(RingWorld.id(other), alive: nodes[other] != nil) }
        }
    }

    static func id(_ index: Int) -> NodeID { NodeID(UUID(high: 0, low: UInt64(index) + 1)) }

    func node(_ id: NodeID) -> RingNodeUnderTest? { nodes.first { $0?.id == id } ?? nil }

    func live(_ index: Int) throws -> RingNodeUnderTest {
        guard let node = nodes[index] else { throw MetadataFailure.notStarted }
        return node
    }

    func pause(_ milliseconds: Int) async {
        let loop: any Loop = desk.host.loops[0]
        await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
            _ = loop.schedule(after: .milliseconds(Int64(milliseconds))) { continuation.resume() }
        }
    }

    func random(_ bound: Int) -> Int { generator.below(bound) }

    /// Waits until a change is over, at whichever node is up.
    func settled(_ seconds: Int = 120) async throws {
        for _ in 0..<(seconds * 10) {
            let values: [ClusterMetadata] = nodes.compactMap { $0?.metadata }
            if let first = values.first, values.allSatisfy({ $0.epoch == first.epoch && $0.changes.isEmpty }) { return }
            await pause(100)
        }
        throw RingWorldFailure.isStuck(nodes.compactMap { $0?.metadata?.changes.description }.first ?? "")
    }

    // MARK: Clients

    /// Has clients write and read on their own until `isLoaded` is false.
    func load(clients: Int) {
        for _ in 0..<clients {
            clientCount += 1
            desk.host.background.run("client", on: desk.host.loops[0]) { [self] in
                while isLoaded {
                    let token: Token = RingWorld.tokens[random(RingWorld.tokens.count)]
                    if random(2) == 0 { await write(token) } else { await read(token) }
                    await pause(random(20))
                }
                clientCount -= 1
            }
        }
    }

    func endLoad() async {
        isLoaded = false
        while clientCount > 0 { await pause(50) }
    }

    private func coordinator() -> RingNodeUnderTest? {
        let able: [RingNodeUnderTest] = nodes.compactMap { $0 }.filter { $0.topology?.owners.isEmpty == false }
        return able.isEmpty ? nil : able[random(able.count)]
    }

    func write(_ token: Token) async {
        guard let coordinator = coordinator(), let topology = coordinator.topology else { return }
        nextValue += 1
        let value: Int = nextValue
        let set: ReplicaSet = topology.placement(for: RingWorld.strategy).replicas(of: token)
        coordinator.underway[value] = topology.epoch
        var count = 0
        for node in set.natural + set.pending {
            await pause(random(4))
            guard let replica = self.node(node), topology.epoch >= replica.requiredEpoch else { continue }
            // Some messages are lost.
            if random(6) == 0 { continue }
            replica.values[token, default: []].insert(value)
            count += 1
        }
        coordinator.underway[value] = nil
        guard count >= 2 + set.pending.count else { return }
        acknowledged[token, default: []].insert(value)
        writeCount += 1
    }

    func read(_ token: Token) async {
        guard let coordinator = coordinator(), let topology = coordinator.topology else { return }
        let wanted: Set<Int> = acknowledged[token] ?? []
        let set: ReplicaSet = topology.placement(for: RingWorld.strategy).replicas(of: token)
        var order: [NodeID] = set.isHandedOver ? set.natural + set.pending : set.natural
        let needed: Int = set.isHandedOver ? 2 + set.pending.count : 2
        if order.count > 1 { order.swapAt(0, random(order.count)) }
        var found: Set<Int> = []
        var count = 0
        for node in order where count < needed {
            await pause(random(4))
            guard let replica = self.node(node), topology.epoch >= replica.requiredEpoch else { continue }
            found.formUnion(replica.values[token] ?? [])
            count += 1
        }
        guard count == needed else { return }
        readCount += 1
        if !wanted.isSubset(of: found) {
            let holders: [NodeID] = nodes.compactMap { node in
                node?.values[token].map { $0.isDisjoint(with: wanted.subtracting(found)) } == false ? node?.id : nil
            }
            lost.append(
                "token \(token), epoch \(topology.epoch), read from \(order), held by \(holders), "
                    + "\(wanted.subtracting(found).sorted()), \(topology.changes)")
        }
    }
}

enum RingWorldFailure: Error {
    case isStuck(String)
    case isDown
}

/// One node of a `RingWorld`.
final class RingNodeUnderTest: PlacementKeeper, RangeReceiver, RangeKeeper, @unchecked Sendable {
    let index: Int
    let id: NodeID
    let host: Host
    let liveness: Liveness
    let messages: MessageService
    let log: MetadataLog
    private(set) var operations: RingOperations!
    private(set) var topology: Topology?
    private(set) var requiredEpoch: UInt64 = 0
    var values: [Token: Set<Int>] = [:]
    /// The epochs by which the writes under way were planned.
    var underway: [Int: UInt64] = [:]
    /// Whether no hint waits for anybody.
    var hasAllArrived = true
    let leave = Leave()
    private(set) var pulls: [RangePull] = []
    private(set) var kept: [[String: RangeSet]?] = []
    private let world: RingWorld
    private let entry: Member

    init(_ index: Int, _ world: RingWorld) async throws {
        let host: Host = world.machines[index].host
        let address: SocketAddress = world.machines[index].address(port: 7_000)
        let settings = LocalNode.Settings(clusterName: "test", dataCenter: "dc1", rack: "r\(index % 3)", tokenCount: 4)
        var local = LocalNode(settings, nowMicroseconds: 1, entropy: host.entropy)
        local.hostID = RingWorld.id(index).uuid
        let clock = HybridClock(time: host.time)
        self.index = index
        self.world = world
        self.id = RingWorld.id(index)
        self.host = host
        self.liveness = Liveness(local: RingWorld.id(index))
        var callbacks = MessageCallbacks { clock.current }
        let relay = LogRelay()
        callbacks.epochSeen = { node, epoch in relay.log?.observed(epoch: epoch, at: node) }
        self.messages = MessageService(
            host: host,
            identity: MessageIdentity(node: id, address: address, datacenter: "dc1", clusterName: "test"),
            callbacks: callbacks)
        let identity = MetadataLog.Identity(local, internode: address, native: address, releaseVersion: "1")
        self.log = MetadataLog(host: host, messenger: messages, directory: "/data/metadata", identity: identity)
        relay.log = log
        self.entry = Member(
            id: id, internode: address, native: address, datacenter: "dc1", rack: "r\(index % 3)", tokens: [],
            state: .normal, releaseVersion: "1")
        var options = RingOperations.Settings()
        options.handOverInterval = .milliseconds(400)
        options.cleanupDelay = .seconds(5)
        options.arrivalPatience = .seconds(8)
        self.operations = RingOperations(
            RingOperations.Parts(
                host: host, local: id, log: log, messenger: messages, liveness: liveness, keeper: self,
                receiver: self, ranges: self, takeLeave: { [leave] in leave.take() },
                stay: { [leave] in leave.stay() }, forget: { _ in }),
            settings: options)
    }

    private final class LogRelay: @unchecked Sendable {
        var log: MetadataLog?
    }

    /// What the node keeps of others when it leaves.
    final class Leave: @unchecked Sendable {
        /// What it waits for.
        var words: String?
        var hasBegun = false

        func take() -> String? {
            hasBegun = true
            return words
        }

        func stay() { hasBegun = false }
    }

    var metadata: ClusterMetadata? { log.current }

    func start(seeds: [SocketAddress]) async throws {
        operations.register()
        messages.handle(.ping) { _ in [] }
        try await messages.start()
        await log.listen { [unowned self] in await follow($0) }
        _ = try await log.start(seeds: seeds, timeout: .seconds(30), joins: { _ in false })
        if let metadata { requiredEpoch = max(requiredEpoch, metadata.member(id) == nil ? 0 : metadata.placementEpoch) }
    }

    private func follow(_ metadata: ClusterMetadata) async {
        messages.setMembers(metadata.members)
        messages.setEpoch(metadata.epoch)
        await operations.prepare(for: metadata)
        // Some nodes are slow to act by what they know.
        await world.pause(world.random(30))
        topology = Topology(metadata, local: id)
        await operations.follow(metadata)
    }

    func joinAtOnce() async throws {
        _ = try await log.change(timeout: .seconds(10)) { [entry] before in
            guard before.member(entry.id) == nil else { return nil }
            var member: Member = entry
            member.tokens = RingNodeUnderTest.tokens(entry, before)
            var after: ClusterMetadata = before
            after.set(member)
            after.voters = after.chosenVoters
            if after.schema.keyspaces["data"] == nil {
                var schema: Schema = after.schema
                schema.keyspaces["data"] = KeyspaceDefinition(
                    name: "data", replication: ["class": "SimpleStrategy", "replication_factor": "3"])
                after.set(schema)
            }
            return after
        }
    }

    private static func tokens(_ entry: Member, _ before: ClusterMetadata) -> [Token] {
        TokenAllocation.tokens(
            count: 4, datacenter: entry.datacenter, rack: entry.rack, among: before.members, seed: 7)
    }

    /// Joins as a node does that comes to data.
    func bootstrap(replacing replaced: NodeID? = nil) async throws -> RingChangeEnd {
        let entry: Member = self.entry
        let id: UUID = try await operations.join(entry, replacing: replaced, within: .seconds(60)) { before in
            if let replaced { return before.member(replaced)?.tokens ?? [] }
            return RingNodeUnderTest.tokens(entry, before)
        }
        world.tell()
        return try await operations.end(of: id)
    }

    // MARK: What the operations call

    func arrive(at nodes: Set<NodeID>, within limit: Duration) async -> Bool { hasAllArrived }

    func settle(at epoch: UInt64, within limit: Duration) async -> Bool {
        for _ in 0..<200 {
            if let topology, topology.epoch >= epoch, underway.values.allSatisfy({ $0 >= epoch }) { return true }
            await world.pause(10)
        }
        return false
    }

    func seal(_ epoch: UInt64) async { requiredEpoch = max(requiredEpoch, epoch) }

    func pull(
        _ pull: RangePull, held: @escaping @Sendable (_ part: Int, _ ranges: RangeSet) async -> Void
    ) async throws {
        pulls.append(pull)
        for (index, part) in pull.parts.enumerated() {
            for range in part.ranges.ranges {
                let set = RangeSet([range])
                for source in part.sources {
                    // The snapshot is taken, and comes later.
                    guard let other = world.node(source) else { throw RingWorldFailure.isDown }
                    let snapshot: [Token: Set<Int>] = other.values.filter { set.contains($0.key) }
                    await world.pause(world.random(60))
                    try Task.checkCancellation()
                    guard world.node(source) != nil, world.nodes[self.index] === self else {
                        throw RingWorldFailure.isDown
                    }
                    for (token, found) in snapshot { values[token, default: []].formUnion(found) }
                }
                await held(index, set)
            }
        }
    }

    func keepOnly(_ owned: [String: RangeSet]?) async {
        kept.append(owned)
        guard let ranges = owned?["data"] else { return }
        values = values.filter { ranges.contains($0.key) }
    }

    func cleanup(_ keyspaces: [String]?) async throws {}
}
