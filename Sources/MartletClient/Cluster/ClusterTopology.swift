public import DataModel
public import Environment
public import Primitives

/// A node as the system tables of another one describe it.
public struct ClusterNode: Hashable, Sendable {
    /// Where it answers clients.
    public var address: SocketAddress
    public var hostID: UUID?
    public var dataCenter: String
    public var rack: String
    public var tokens: [Token]

    public init(
        address: SocketAddress, hostID: UUID? = nil, dataCenter: String = "", rack: String = "", tokens: [Token] = []
    ) {
        self.address = address
        self.hostID = hostID
        self.dataCenter = dataCenter
        self.rack = rack
        self.tokens = tokens
    }
}

/// How a keyspace is replicated.
public enum Replication: Hashable, Sendable {
    case simple(factor: Int)
    /// Copies in each data center.
    case network([String: Int])
    /// Every node has its own, or nobody knows: any node is as good as another.
    case none

    /// - Parameter options: the column `replication` of `system_schema.keyspaces`.
    public init(_ options: [String: String]) {
        // Classes come with and without their package; transient copies (`3/1`) are not asked.
        let name: Substring? = options["class"]?.split(separator: ".").last
        func factor(_ text: String) -> Int? { text.split(separator: "/").first.flatMap { Int($0) } }
        switch name {
        case "SimpleStrategy": self = .simple(factor: options["replication_factor"].flatMap { factor($0) } ?? 1)
        case "NetworkTopologyStrategy":
            var factors: [String: Int] = [:]
            for (center, text) in options where center != "class" { factors[center] = factor(text) }
            self = .network(factors)
        default: self = .none
        }
    }
}

/// The nodes of a cluster, the ring of their tokens, and how keyspaces are replicated over it.
///
/// A pure value: whoever has a connection fills it.
public struct ClusterTopology: Sendable {
    /// In ascending order of their addresses, so that every client sees the same order.
    public let nodes: [ClusterNode]
    public let replication: [String: Replication]
    /// Ascending; each token with the index of the node that has it.
    private let ring: [(token: Token, node: Int)]
    /// How many racks each data center has.
    private let rackCounts: [String: Int]
    private let nodeCounts: [String: Int]

    public init(nodes: [ClusterNode], replication: [String: Replication] = [:]) {
        let sorted: [ClusterNode] = nodes.sorted { left, right in
            left.address.host == right.address.host
                ? left.address.port < right.address.port
                : left.address.host.lexicographicallyPrecedes(right.address.host)
        }
        var ring: [(token: Token, node: Int)] = []
        var racks: [String: Set<String>] = [:]
        var counts: [String: Int] = [:]
        for (index, node) in sorted.enumerated() {
            for token in node.tokens { ring.append((token: token, node: index)) }
            racks[node.dataCenter, default: []].insert(node.rack)
            counts[node.dataCenter, default: 0] += 1
        }
        self.nodes = sorted
        self.replication = replication
        self.ring = ring.sorted { ($0.token, $0.node) < ($1.token, $1.node) }
        self.rackCounts = racks.mapValues(\.count)
        self.nodeCounts = counts
    }

    /// The same nodes with other keyspaces.
    public func with(replication: [String: Replication]) -> ClusterTopology {
        ClusterTopology(nodes: nodes, replication: replication)
    }

    /// The indices of the nodes that hold a token of a keyspace, in the order of the ring; empty when that is not known.
    public func replicas(of token: Token, keyspace: String) -> [Int] {
        guard !ring.isEmpty, let rule = replication[keyspace] else { return [] }
        switch rule {
        case .none: return []
        case .simple(let factor): return simpleReplicas(from: start(of: token), factor)
        case .network(let factors): return networkReplicas(from: start(of: token), factors)
        }
    }

    /// The place of the first token that is not less: the one whose node owns `token`.
    private func start(of token: Token) -> Int {
        var (low, high): (Int, Int) = (0, ring.count)
        while low < high {
            let middle: Int = (low + high) / 2
            if ring[middle].token < token { low = middle + 1 } else { high = middle }
        }
        return low == ring.count ? 0 : low
    }

    private func simpleReplicas(from start: Int, _ factor: Int) -> [Int] {
        var chosen: [Int] = []
        for step in 0..<ring.count where chosen.count < min(factor, nodes.count) {
            let node: Int = ring[(start + step) % ring.count].node
            if !chosen.contains(node) { chosen.append(node) }
        }
        return chosen
    }

    /// Walks the ring and takes nodes of each data center, of racks that have none first.
    private func networkReplicas(from start: Int, _ factors: [String: Int]) -> [Int] {
        var chosen: [Int] = []
        var counts: [String: Int] = [:]
        var racks: [String: Set<String>] = [:]
        var skipped: [String: [Int]] = [:]
        var seen: Set<Int> = []
        for step in 0..<ring.count {
            let index: Int = ring[(start + step) % ring.count].node
            let node: ClusterNode = nodes[index]
            let center: String = node.dataCenter
            let wanted: Int = min(factors[center] ?? 0, nodeCounts[center] ?? 0)
            guard counts[center, default: 0] < wanted, seen.insert(index).inserted else { continue }
            let hasEveryRack: Bool = racks[center, default: []].count == rackCounts[center]
            if !hasEveryRack, racks[center, default: []].contains(node.rack) {
                skipped[center, default: []].append(index)
                continue
            }
            racks[center, default: []].insert(node.rack)
            chosen.append(index)
            counts[center, default: 0] += 1
            // Once every rack has one, those that were passed over come first.
            while racks[center]?.count == rackCounts[center], counts[center, default: 0] < wanted,
                let waiting = skipped[center], !waiting.isEmpty
            {
                chosen.append(waiting[0])
                skipped[center] = Array(waiting.dropFirst())
                counts[center, default: 0] += 1
            }
        }
        return chosen
    }
}
