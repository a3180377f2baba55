import Cluster
import Environment
import Primitives
import SimulatedHost
import Testing

/// Some nodes with nothing but their messages, in a world that follows from a seed.
///
/// `Sendable` is unchecked because a world and all that belongs to it is used by one thread at a time.
final class MessageWorld: @unchecked Sendable {
    static let port: UInt16 = 7_000
    static let cluster = UUID(high: 0xC1, low: 0x57)

    let world: SimulatedWorld
    private(set) var machines: [SimulatedMachine] = []
    private(set) var services: [MessageService] = []
    private(set) var members: [Member] = []
    /// What each node was told, in order.
    private(set) var events: [[MessageEvent]] = []
    private(set) var epochs: [[UInt64]] = []

    init(
        seed: UInt64, nodes: Int = 2, loops: Int = 2, datacenters: [String] = [],
        settings: MessageSettings = MessageSettings()
    ) {
        self.world = SimulatedWorld(seed: seed)
        for index in 0..<nodes {
            let machine = world.makeHost(name: "node\(index)", loopCount: loops)
            machines.append(machine)
            events.append([])
            epochs.append([])
            let datacenter = index < datacenters.count ? datacenters[index] : "dc1"
            let address = machine.address(port: Self.port)
            members.append(
                Member(
                    id: Self.id(index), internode: address, native: address, datacenter: datacenter, rack: "r1",
                    tokens: [], state: .normal, releaseVersion: "1"))
            services.append(makeService(index, settings))
        }
    }

    static func id(_ index: Int) -> NodeID { NodeID(UUID(high: 0, low: UInt64(index + 1))) }

    func identity(_ index: Int) -> MessageIdentity {
        MessageIdentity(
            node: Self.id(index), address: members[index].internode, datacenter: members[index].datacenter,
            clusterName: "test", clusterID: Self.cluster)
    }

    func makeService(
        _ index: Int, _ settings: MessageSettings = MessageSettings(), identity: MessageIdentity? = nil
    ) -> MessageService {
        let time = machines[index].host.time
        var callbacks = MessageCallbacks { time.wallMicroseconds }
        callbacks.event = { [unowned self] event in events[index].append(event) }
        callbacks.epochSeen = { [unowned self] _, epoch in epochs[index].append(epoch) }
        return MessageService(
            host: machines[index].host, identity: identity ?? self.identity(index), settings: settings,
            callbacks: callbacks)
    }

    /// Starts all nodes, runs `body`, and returns what it returns.
    func run<Value: Sendable>(_ body: @escaping @Sendable (MessageWorld) async throws -> Value) throws -> Value {
        try world.run(timeLimit: .seconds(600)) { [self] in
            for service in services {
                try await service.start()
                service.setMembers(members)
            }
            return try await body(self)
        }
    }

    /// Starts the node's next process on the same machine.
    func restart(_ index: Int) async throws {
        machines[index].restart()
        services[index] = makeService(index)
        try await services[index].start()
        services[index].setMembers(members)
    }

    /// Waits on the first machine, which tests leave alive.
    func pause(_ duration: Duration) async {
        await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
            let loop = world.machines[0].host.loops[0]
            _ = loop.schedule(after: duration) { continuation.resume() }
        }
    }

    func milliseconds() -> Int { Int(world.nowNanoseconds / 1_000_000) }

    /// Answers with the body, where the request came in.
    func echo(_ index: Int, _ verb: Verb = .mutation) async {
        for shard in services[index].shards {
            await onLoop(index, shard) { $0.handle(verb, by: EchoHandler($0)) }
        }
    }

    func onLoop<Value: Sendable>(
        _ index: Int, _ shard: ShardMessages, _ body: @escaping @Sendable (ShardMessages) -> Value
    ) async -> Value {
        let place = services[index].shards.firstIndex { $0 === shard } ?? 0
        let loop = machines[index].host.loops[place]
        return await withUnsafeContinuation { continuation in
            loop.execute { continuation.resume(returning: body(shard)) }
        }
    }

    /// Sends a request on a loop of a node by the way of what is hot.
    func send(
        from index: Int, loop: Int = 0, to target: Int, _ body: [UInt8], tag: UInt64, _ collector: Collector,
        lane: Lane = .data, timeoutMilliseconds: UInt32 = 1_000
    ) async -> SendOutcome {
        await onLoop(index, services[index].shards[loop]) { shard in
            shard.request(Self.id(target), body, tag, collector, lane, timeoutMilliseconds)
        }
    }

    func traffic(_ index: Int, with other: Int, _ lane: Lane) async -> PeerTraffic {
        let all = await services[index].traffic()
        return all.first { $0.node == Self.id(other) && $0.lane == lane }
            ?? PeerTraffic(node: Self.id(other), lane: lane)
    }
}

extension ShardMessages {
    func request(
        _ node: NodeID, _ body: [UInt8], _ tag: UInt64, _ collector: Collector, _ lane: Lane = .data,
        _ timeoutMilliseconds: UInt32 = 1_000
    ) -> SendOutcome {
        let link = link(to: node, lane: lane)
        let outcome = link.begin(.mutation, for: collector, tag: tag, timeoutMilliseconds: timeoutMilliseconds)
        guard outcome == .ready else { return outcome }
        link.output.write(body)
        link.end()
        return .ready
    }
}

/// Writes down what becomes of requests, and lets a task wait until enough have ended.
///
/// `Sendable` is unchecked because a world is used by one thread at a time.
final class Collector: ReplyReceiver, @unchecked Sendable {
    private(set) var replies: [UInt64: [UInt8]] = [:]
    private(set) var failures: [UInt64: MessageFailure] = [:]
    private(set) var endCount = 0
    private(set) var senders: Set<NodeID> = []
    /// Called at every end.
    var reaction: ((UInt64) -> Void)?
    private var waiting: (count: Int, continuation: UnsafeContinuation<Void, Never>)?

    func replied(_ tag: UInt64, from node: NodeID, body: RawSpan) {
        #expect(replies[tag] == nil && failures[tag] == nil)
        replies[tag] = [UInt8](copying: body)
        senders.insert(node)
        ended(tag)
    }

    func failed(_ tag: UInt64, from node: NodeID, _ failure: MessageFailure) {
        #expect(replies[tag] == nil && failures[tag] == nil)
        failures[tag] = failure
        ended(tag)
    }

    private func ended(_ tag: UInt64) {
        endCount += 1
        reaction?(tag)
        guard let waiting, endCount >= waiting.count else { return }
        self.waiting = nil
        waiting.continuation.resume()
    }

    func wait(_ count: Int) async {
        if endCount >= count { return }
        await withUnsafeContinuation { waiting = (count, $0) }
    }
}

/// Answers each request at once with its body.
final class EchoHandler: RequestHandler {
    private let shard: ShardMessages

    init(_ shard: ShardMessages) {
        self.shard = shard
    }

    func received(_ verb: Verb, from node: NodeID, body: RawSpan, reply: ReplyPlace) {
        guard let link = shard.beginReply(reply) else { return }
        link.output.write(body)
        link.end()
    }
}

/// Keeps the places of answers, for a test to fill.
///
/// `Sendable` is unchecked because a world is used by one thread at a time.
final class HoldingHandler: RequestHandler, @unchecked Sendable {
    private(set) var places: [ReplyPlace] = []
    private(set) var bodies: [[UInt8]] = []

    func received(_ verb: Verb, from node: NodeID, body: RawSpan, reply: ReplyPlace) {
        places.append(reply)
        bodies.append([UInt8](copying: body))
    }
}

/// A peer without any rules: a test says what it sends.
///
/// `Sendable` is unchecked because a world is used by one thread at a time.
final class RawPeer: ConnectionHandler, @unchecked Sendable {
    private(set) var connection: (any Connection)?
    private(set) var received: [UInt8] = []
    private(set) var isClosed = false

    func opened(_ connection: any Connection) { self.connection = connection }

    func received(_ bytes: UnsafeRawBufferPointer) -> Int {
        received.append(contentsOf: bytes)
        return bytes.count
    }

    func receiveCompleted() {}
    func drained() {}

    func closed(_ error: NetworkError?) {
        isClosed = true
        connection = nil
    }

    func send(_ bytes: [UInt8]) {
        var writer = ByteWriter()
        writer.write(bytes)
        connection?.send(&writer)
    }
}
