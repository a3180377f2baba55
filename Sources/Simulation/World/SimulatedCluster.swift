import Environment
import Server
package import SimulatedHost

/// A world with nodes and with a machine of clients that use them.
///
///     let cluster = try SimulatedCluster(seed: 42)
///     try cluster.start()
///     let rows = try cluster.run { try await $0.clients.connect(to: $0.nodes[0]).query("SELECT …").rows.count }
///
/// `Sendable` is unchecked because a world and all that belongs to it is used by one thread at a time.
package final class SimulatedCluster: @unchecked Sendable {
    package let world: SimulatedWorld
    package let nodes: [SimulatedNode]
    package let clients: SimulatedClients
    /// What befalls messages between nodes; nothing until somebody says so.
    package let unreliability: Unreliability
    /// Nodes that are no part of the cluster yet, or no longer.
    private var absent: Set<Int> = []

    /// The nodes that are part of the cluster, ascending.
    package var present: [Int] { nodes.indices.filter { !absent.contains($0) } }

    /// A node is to run from now on.
    func letIn(_ node: Int) { absent.remove(node) }

    /// A node is no part of the cluster.
    func sendAway(_ node: Int) { absent.insert(node) }

    /// - Parameters:
    ///   - shape: where nodes stand; all in the same data centre when nil.
    ///   - settings: keys of `conf/martlet.yaml`, for all nodes.
    package init(
        seed: UInt64, nodeCount: Int = 1, shape: ClusterShape? = nil, shardCount: Int = 2,
        settings: [String: String] = [:]
    ) throws {
        let nodeCount: Int = shape?.nodeCount ?? nodeCount
        let world = SimulatedWorld(seed: seed)
        self.world = world
        let unreliability = Unreliability(generator: world.makeGenerator())
        self.unreliability = unreliability
        var nodes: [SimulatedNode] = []
        for number in 1...max(1, nodeCount) {
            nodes.append(
                try SimulatedNode(
                    in: world, name: "node\(number)", shardCount: shardCount, unreliability: unreliability,
                    settings: settings))
        }
        for (node, place) in zip(nodes, shape?.places ?? []) {
            try node.configuration.set("data_center", place.datacenter)
            try node.configuration.set("rack", place.rack)
        }
        if nodeCount > 1, settings["seeds"] == nil {
            let seeds: String = nodes.prefix(7).map { $0.address.hostText }.joined(separator: ",")
            for node in nodes { try node.configuration.set("seeds", seeds) }
        }
        self.nodes = nodes
        self.clients = SimulatedClients(in: world)
    }

    /// The first node, for worlds with one.
    package var node: SimulatedNode { nodes[0] }

    /// Starts all nodes, one after the other.
    package func start() throws {
        try run { cluster in
            for node in cluster.nodes { try await node.start() }
        }
    }

    /// Runs `body`, and the world with it, until it has returned.
    package func run<Value: Sendable>(
        timeLimit: Duration = .seconds(3_600), _ body: @escaping @Sendable (SimulatedCluster) async throws -> Value
    ) throws -> Value {
        try world.run(timeLimit: timeLimit) { try await body(self) }
    }

    /// What everybody saw and did so far: the same seed and the same program give the same value.
    package var fingerprint: [UInt64] { [world.traceHash, clients.record.hash, world.nowNanoseconds] }
}
