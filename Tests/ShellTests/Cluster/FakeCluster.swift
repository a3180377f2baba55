import CQL
import DataModel
import Environment
import MartletClient
import SimulatedHost
import Synchronization

/// Nodes that know of each other and of nothing else, in one world with a client.
final class FakeCluster: Sendable {
    struct Node: Sendable {
        let machine: SimulatedMachine
        let address: SocketAddress
        let token: Int64
    }

    struct State: Sendable {
        /// The numbers of the nodes that the others know.
        var members: [Int]
        /// For each statement that was answered, the number of the node.
        var answered: [(node: Int, text: String)] = []
        var answer: @Sendable (Int, FakeRequest) -> FakeAnswer? = { _, _ in nil }
    }

    let world: SimulatedWorld
    let client: SimulatedMachine
    let nodes: [Node]
    let listeners = FakeListeners()
    let state: Mutex<State>

    /// Nodes own the tokens 0, 1000, 2000 … of one data center.
    init(_ count: Int, members: Int? = nil, seed: UInt64 = 1) throws {
        let world = SimulatedWorld(seed: seed)
        self.world = world
        self.client = world.makeHost(name: "client")
        self.nodes = (0..<count).map { number in
            let machine = world.makeHost(name: "node\(number)")
            return Node(machine: machine, address: machine.address(port: 9_042), token: Int64(number) * 1_000)
        }
        self.state = Mutex(State(members: Array(0..<(members ?? count))))
        for number in nodes.indices { try start(number) }
    }

    func start(_ number: Int) throws {
        var behaviour = FakeBehaviour()
        behaviour.markerTypes = [.int]
        behaviour.partitionKeyIndexes = [0]
        behaviour.listeners = listeners
        behaviour.answer = { [weak self] request in self?.answer(number, request) ?? .void }
        let (made, host, address) = (behaviour, nodes[number].machine.host, nodes[number].address)
        try world.run(on: host.loops[0]) {
            _ = try await host.network.listen(at: address, on: host.loops) { _ in FakeServer(made) }
        }
    }

    func run<Value: Sendable>(_ body: @escaping @Sendable (Host) async throws -> Value) throws -> Value {
        let host: Host = client.host
        return try world.run(on: host.loops[0]) { try await body(host) }
    }

    /// The numbers of the nodes that answered statements of that text, in order.
    func answerers(_ text: String) -> [Int] {
        state.withLock { $0.answered.filter { $0.text == text }.map(\.node) }
    }

    func push(_ event: Event) {
        let listeners: FakeListeners = self.listeners
        client.host.loops[0].execute { listeners.push(event) }
    }

    func endpoint(_ number: Int) -> InetEndpoint {
        InetEndpoint(address: InetAddress(bytes: nodes[number].address.host) ?? .loopback, port: 9_042)
    }

    private func answer(_ number: Int, _ request: FakeRequest) -> FakeAnswer {
        let special: FakeAnswer? = state.withLock { $0.answer }(number, request)
        if let special { return special }
        let text: (String) -> [UInt8] = { Array($0.utf8) }
        if request.text.contains("FROM system.local") {
            return .rows(
                [(name: "data_center", type: .text), (name: "rack", type: .text), (name: "tokens", type: tokensType)],
                [[text("dc1"), text("r1"), tokens(number)]])
        }
        if request.text.contains("FROM system.peers_v2") {
            let others: [Int] = state.withLock { $0.members }.filter { $0 != number }
            return .rows(
                [
                    (name: "native_address", type: .inet), (name: "native_port", type: .int),
                    (name: "data_center", type: .text), (name: "rack", type: .text), (name: "tokens", type: tokensType),
                ],
                others.map { [nodes[$0].address.host, int(9_042), text("dc1"), text("r1"), tokens($0)] })
        }
        if request.text.contains("FROM system_schema.keyspaces") {
            let replication = CollectionValue.map(
                [
                    (key: text("class"), value: text("SimpleStrategy")),
                    (key: text("replication_factor"), value: text("1")),
                ], keyType: .text)
            return .rows(
                [
                    (name: "keyspace_name", type: .text),
                    (name: "replication", type: .map(.text, .text, isMultiCell: false)),
                ], [[text("ks"), replication]])
        }
        state.withLock { $0.answered.append((node: number, text: request.text)) }
        return .void
    }

    private var tokensType: CQLType { .set(.text, isMultiCell: true) }

    private func tokens(_ number: Int) -> [UInt8] {
        CollectionValue.set([Array(String(nodes[number].token).utf8)], of: .text)
    }
}
