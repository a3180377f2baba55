import Cluster
import Coordination
import DataModel
import Environment
import Primitives
import SimulatedHost
import Storage

/// A `ReplicaWorld` whose nodes also decide.
///
/// `Sendable` is unchecked because a world and all that belongs to it is used by one thread at a time.
final class PaxosWorld: @unchecked Sendable {
    let replicas: ReplicaWorld
    private let parts: PaxosParts

    init(
        seed: UInt64, nodes: Int = 3, datacenters: [String] = [],
        replication: [String: String] = ReplicaWorld.replication, acceptor: PaxosAcceptor = PaxosAcceptor()
    ) {
        let parts = PaxosParts(acceptor)
        self.parts = parts
        self.replicas = ReplicaWorld(
            seed: seed, nodes: nodes, datacenters: datacenters, replication: replication,
            tables: [PaxosWorld.definition]
        ) { parts.attach(to: $0) }
    }

    /// `system.paxos`, as the node has it.
    static let definition: TableDefinition = {
        let names = [
            "in_progress_ballot", "most_recent_commit", "most_recent_commit_at", "proposal", "proposal_ballot",
        ]
        var columns: [ColumnDefinition] = [
            ColumnDefinition(name: "row_key", kind: .partitionKey, type: .blob),
            ColumnDefinition(name: "cf_id", kind: .clustering, type: .uuid),
        ]
        for (index, name) in names.enumerated() {
            columns.append(ColumnDefinition(name: name, id: UInt16(index + 1), kind: .regular, type: .blob))
        }
        return TableDefinition(
            keyspace: "system", name: "paxos", id: UUID(high: 0x5151, low: 0x8000_0000_0000_0002), columns: columns,
            nextColumnID: 6)
    }()

    func run<Value: Sendable>(_ body: @escaping @Sendable (PaxosWorld) async throws -> Value) throws -> Value {
        try replicas.run { [self] _ in try await body(self) }
    }

    var now: UInt64 { replicas.world.nowNanoseconds }

    func node(_ index: Int) -> ReplicaNode? { replicas.nodes[index] }

    /// The coordinators and acceptors of a node, by shard.
    func coordinators(_ node: ReplicaNode) -> [PaxosCoordinator] { parts.coordinators[ObjectIdentifier(node)] ?? [] }
    func acceptors(_ node: ReplicaNode) -> [PaxosReplica] { parts.replicas[ObjectIdentifier(node)] ?? [] }
}

/// What is added to the nodes of a world.
private final class PaxosParts {
    private let acceptor: PaxosAcceptor
    private var nodes: [ReplicaNode] = []
    private(set) var coordinators: [ObjectIdentifier: [PaxosCoordinator]] = [:]
    private(set) var replicas: [ObjectIdentifier: [PaxosReplica]] = [:]

    init(_ acceptor: PaxosAcceptor) {
        self.acceptor = acceptor
    }

    func attach(to node: ReplicaNode) {
        guard let table = PaxosTable(PaxosWorld.definition) else { return }
        nodes.append(node)
        let replication = TableReplication(replication: node.replication, counts: node.counts, graceSeconds: 864_000)
        let own: [PaxosReplica] = zip(node.replica.shards, node.views).map { shard, view in
            let placement = PaxosPlacement(
                view: view, tables: { $0 == ReplicaWorld.table ? replication : nil }, applied: node.applied,
                loop: shard.store.loop)
            return PaxosReplica(shard: shard, table: table, acceptor: acceptor, placement: placement)
        }
        replicas[ObjectIdentifier(node)] = own
        PaxosVerbs.register(on: node.views.map(\.messages), node.replica, own, node.host)
        coordinators[ObjectIdentifier(node)] = node.views.enumerated().map { index, view in
            PaxosCoordinator(
                view: view, replica: own[index], hints: node.hints, host: node.host, loop: node.host.loops[index])
        }
    }
}

extension PaxosWorld {
    static let timeouts = PaxosTimeouts(contention: .milliseconds(800), write: .milliseconds(400))

    func request(
        _ key: String, _ node: ReplicaNode, _ serial: Consistency = .serial, _ commit: Consistency = .quorum,
        timeouts: PaxosTimeouts = PaxosWorld.timeouts
    ) throws -> PaxosRequest {
        let bytes = Array(key.utf8)
        let token = Token(ofKey: bytes.span.bytes)
        return PaxosRequest(
            key: bytes, plan: try node.plan(key, node.shard(key)), serial: serial, commit: commit,
            read: PageRequest(
                table: ReplicaWorld.table, command: ReadCommand(partitions: .one(token: token, key: bytes)),
                nowSeconds: node.host.time.wallSeconds, graceStart: 0, rowLimit: 10),
            timeouts: timeouts)
    }

    /// What is to be written after what was seen; nil to leave it.
    typealias Change = @Sendable (_ seen: String?, Ballot) -> String?

    /// Changes a value through a node; returns what was written, or else what was seen.
    func change(
        _ key: String, through node: ReplicaNode, _ serial: Consistency = .serial, _ commit: Consistency = .quorum,
        timeouts: PaxosTimeouts = PaxosWorld.timeouts, _ body: @escaping Change
    ) async throws -> (written: String?, seen: String?) {
        let shard: Int = node.shard(key)
        let coordinator: PaxosCoordinator = coordinators(node)[shard]
        return try await node.replica.run(on: shard) { [self] _ in
            try await coordinator.decide(try request(key, node, serial, commit, timeouts: timeouts)) { pages, ballot in
                var seen: String?
                for page in pages { seen = try ReplicaNode.value(page.cursor(isReversed: false)) ?? seen }
                guard let value = body(seen, ballot) else {
                    return PaxosChoice(mutation: nil, result: (nil, seen))
                }
                return PaxosChoice(
                    mutation: ReplicaWorld.mutation(key, value, at: ballot.microseconds), result: (value, seen))
            }
        }
    }

    /// Reads a value so that everything that was decided is seen.
    func look(
        _ key: String, through node: ReplicaNode, _ serial: Consistency = .serial,
        timeouts: PaxosTimeouts = PaxosWorld.timeouts
    ) async throws -> String? {
        let shard: Int = node.shard(key)
        let coordinator: PaxosCoordinator = coordinators(node)[shard]
        return try await node.replica.run(on: shard) { [self] _ in
            let page = try await coordinator.read(try request(key, node, serial, timeouts: timeouts))
            return try ReplicaNode.value(page.cursor(isReversed: false))
        }
    }
}
