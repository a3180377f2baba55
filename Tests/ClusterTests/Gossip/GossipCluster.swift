import Cluster
import DataModel
import Environment
import Primitives
import SimulatedHost

/// The messages between gossipers of one world: late, out of order, and sometimes lost.
///
/// `Sendable` is unchecked because a world and all that belongs to it is used by one thread at a time.
final class GossipNet: @unchecked Sendable {
    var lossProbability: Double = 0
    var slowest: Duration = .milliseconds(40)
    /// Nodes that nobody can reach and that reach nobody.
    var isolated: Set<NodeID> = []
    var messengers: [NodeID: NetMessenger] = [:]
    private var generator: SeededGenerator

    init(world: SimulatedWorld) {
        self.generator = world.makeGenerator()
    }

    /// How long a message takes; nil when it is lost.
    func delay(from source: NodeID, to target: NodeID) -> Duration? {
        if isolated.contains(source) || isolated.contains(target) { return nil }
        if generator.chance(lossProbability) { return nil }
        let slowestMicroseconds = Int(slowest / .microseconds(1))
        return .microseconds(200 + generator.below(max(1, slowestMicroseconds)))
    }
}

/// One node's end of the net.
///
/// `Sendable` is unchecked because a world and all that belongs to it is used by one thread at a time.
final class NetMessenger: Messenger, @unchecked Sendable {
    let id: NodeID
    let host: Host
    unowned let net: GossipNet
    private var handlers: [Verb: @Sendable (IncomingMessage) async throws -> [UInt8]] = [:]

    init(id: NodeID, host: Host, net: GossipNet) {
        self.id = id
        self.host = host
        self.net = net
        net.messengers[id] = self
    }

    func handle(_ verb: Verb, _ body: @escaping @Sendable (IncomingMessage) async throws -> [UInt8]) {
        handlers[verb] = body
    }

    func send(_ verb: Verb, _ body: [UInt8], to node: NodeID) {
        deliver(verb, body, to: node) { _ in }
    }

    func request(
        _ verb: Verb, _ body: [UInt8], to node: NodeID, timeout: Duration
    ) async throws(MessageFailure) -> [UInt8] {
        let waiting = Waiting()
        let loop = host.loops[0]
        let outcome: Result<[UInt8], MessageFailure> = await withUnsafeContinuation { continuation in
            waiting.continuation = continuation
            _ = loop.schedule(after: timeout) { waiting.end(.failure(.timedOut(node))) }
            deliver(verb, body, to: node) { [net, id] answer in
                guard let delay = net.delay(from: node, to: id) else { return }
                _ = loop.schedule(after: delay) { waiting.end(answer) }
            }
        }
        return try outcome.get()
    }

    func request(
        _ verb: Verb, _ body: [UInt8], at address: SocketAddress, timeout: Duration
    ) async throws(MessageFailure) -> (sender: NodeID, body: [UInt8]) {
        throw .unreachable(.none)
    }

    private func deliver(
        _ verb: Verb, _ body: [UInt8], to node: NodeID,
        answer: @escaping @Sendable (Result<[UInt8], MessageFailure>) -> Void
    ) {
        guard let delay = net.delay(from: id, to: node), let target = net.messengers[node] else { return }
        let incoming = IncomingMessage(verb: verb, sender: id, body: body)
        let loop = target.host.loops[0]
        _ = loop.schedule(after: delay) {
            target.host.background.run("handler", on: loop) {
                guard let handler = target.handlers[verb] else { return }
                do {
                    answer(.success(try await handler(incoming)))
                } catch let refusal as Refusal {
                    answer(.failure(.refused(node, code: refusal.code, reason: refusal.reason)))
                } catch {
                    answer(.failure(.refused(node, code: 0, reason: "\(error)")))
                }
            }
        }
    }

    private final class Waiting: @unchecked Sendable {
        var continuation: UnsafeContinuation<Result<[UInt8], MessageFailure>, Never>?

        func end(_ outcome: Result<[UInt8], MessageFailure>) {
            let waiting = continuation
            continuation = nil
            waiting?.resume(returning: outcome)
        }
    }
}

/// Gossipers in one world, each on a machine of its own.
///
/// `Sendable` is unchecked because a world and all that belongs to it is used by one thread at a time.
final class GossipCluster: @unchecked Sendable {
    struct Change {
        let seconds: Double
        let observer: Int
        let node: NodeID
        let isUp: Bool
    }

    final class Node {
        let id: NodeID
        let machine: SimulatedMachine
        var generation: Int32
        var gossip: GossipLoop
        var liveness: Liveness

        init(id: NodeID, machine: SimulatedMachine, generation: Int32, gossip: GossipLoop, liveness: Liveness) {
            self.id = id
            self.machine = machine
            self.generation = generation
            self.gossip = gossip
            self.liveness = liveness
        }
    }

    static let firstGeneration: Int32 = 1_700_000_000

    let world: SimulatedWorld
    let net: GossipNet
    private(set) var nodes: [Node] = []
    private(set) var changes: [Change] = []
    private var members: [Member] = []

    init(count: Int, seed: UInt64) {
        self.world = SimulatedWorld(seed: seed)
        self.net = GossipNet(world: world)
        for number in 0..<count {
            let id = NodeID(UUID(high: UInt64(number + 1), low: 7))
            let machine = world.makeHost(name: "n\(number)")
            members.append(
                Member(
                    id: id, internode: machine.address(port: 7000), native: machine.address(port: 9042),
                    datacenter: "dc1", rack: "r1", tokens: [], state: .normal, releaseVersion: "5.0"))
            nodes.append(makeNode(number, id, machine, GossipCluster.firstGeneration))
        }
    }

    var now: Double { Double(world.nowNanoseconds) / 1e9 }

    private func makeNode(_ number: Int, _ id: NodeID, _ machine: SimulatedMachine, _ generation: Int32) -> Node {
        let messenger = NetMessenger(id: id, host: machine.host, net: net)
        let liveness = Liveness(local: id)
        liveness.listen { [unowned self] node, isUp in
            changes.append(Change(seconds: now, observer: number, node: node, isUp: isUp))
        }
        let gossip = GossipLoop(
            local: id, generation: generation, host: machine.host, messenger: messenger, liveness: liveness)
        return Node(id: id, machine: machine, generation: generation, gossip: gossip, liveness: liveness)
    }

    /// Starts all, and lets them find each other.
    func startAll(settle: Duration = .seconds(15)) throws {
        for node in nodes { begin(node) }
        try world.run(for: settle)
        changes = []
    }

    private func begin(_ node: Node) {
        node.gossip.setMembers(members, seeds: [members[0].internode])
        node.gossip.start()
    }

    /// Starts the process of a node again.
    func restart(_ number: Int) {
        let former = nodes[number]
        former.machine.restart()
        nodes[number] = makeNode(number, former.id, former.machine, former.generation + 1)
        begin(nodes[number])
    }

    /// Who believes that the node is up, without itself.
    func believers(in number: Int) -> [Int] {
        nodes.indices.filter { $0 != number && nodes[$0].liveness.isAlive(nodes[number].id) }
    }

    /// How many pairs of different nodes there are where the one believes that the other is up.
    var upPairCount: Int {
        nodes.indices.reduce(0) { $0 + believers(in: $1).count }
    }
}
