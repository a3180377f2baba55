import DataModel

/// Which nodes a request may go to, and in which order they are tried.
///
/// Replicas of the local data center come first, then its other nodes, then a few nodes of other data centers. Within
/// each of these groups requests take turns.
public struct RoutingPolicy: Sendable, Equatable {
    /// Nil for the data center of the node that was connected to first.
    public var localDataCenter: String?
    /// How many nodes of each other data center may be tried when all of the local one have failed.
    public var remoteNodesPerDataCenter = 0

    public init(localDataCenter: String? = nil) {
        self.localDataCenter = localDataCenter
    }

    /// Whether connections to a node are kept at all.
    func usesNode(_ node: ClusterNode, in topology: ClusterTopology, local: String) -> Bool {
        if node.dataCenter == local { return true }
        let others: [ClusterNode] = topology.nodes.filter { $0.dataCenter == node.dataCenter }
        return others.prefix(remoteNodesPerDataCenter).contains(node)
    }

    /// The indices of the nodes to try, best first.
    ///
    /// - Parameters:
    ///   - turn: grows by one with each request.
    ///   - isUp: whether there is a connection to a node; those without come last in their group.
    func plan(
        _ topology: ClusterTopology, local: String, token: Token?, keyspace: String?, turn: Int,
        isUp: (Int) -> Bool
    ) -> [Int] {
        let used: [Int] = topology.nodes.indices.filter { usesNode(topology.nodes[$0], in: topology, local: local) }
        var replicas: [Int] = []
        if let token, let keyspace { replicas = topology.replicas(of: token, keyspace: keyspace) }
        let localReplicas: [Int] = replicas.filter { topology.nodes[$0].dataCenter == local }
        let others: [Int] = used.filter { topology.nodes[$0].dataCenter == local && !localReplicas.contains($0) }
        let remote: [Int] = used.filter { topology.nodes[$0].dataCenter != local }
        var order: [Int] = []
        for group in [localReplicas, others, remote] {
            let turned: [Int] = RoutingPolicy.turned(group, turn)
            order += turned.filter(isUp)
        }
        return order
    }

    private static func turned(_ group: [Int], _ turn: Int) -> [Int] {
        guard group.count > 1 else { return group }
        let first: Int = turn % group.count
        return Array(group[first...] + group[..<first])
    }
}
