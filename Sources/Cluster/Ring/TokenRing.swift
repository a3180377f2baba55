import DataModel

/// A node as the walk along the ring sees it.
struct RingNode: Sendable {
    let id: NodeID
    let datacenter: Int
    /// Racks are numbered over all data centres: two of the same name in two data centres are two racks.
    let rack: Int
}

/// Tokens in order and whose they are, with the rules that choose replicas by walking along them.
struct TokenRing: Sendable {
    /// All nodes that the ring may name; a node's number is its index here.
    let nodes: [RingNode]
    /// Ascending, each once.
    let tokens: [Token]
    /// For each token, the number of its node.
    let owners: [Int]
    /// The numbers of the nodes that own tokens here, ascending.
    let members: [Int]
    /// For each data centre, how many of the nodes and of their racks are in it.
    private let nodeCounts: [Int]
    private let rackCounts: [Int]

    /// - Parameter entries: tokens with the numbers of their nodes. A token that two nodes claim goes to the first by
    ///   number, on every node alike.
    init(nodes: [RingNode], datacenterCount: Int, entries: [(token: Token, owner: Int)]) {
        self.nodes = nodes
        var tokens: [Token] = []
        var owners: [Int] = []
        for entry in entries.sorted(by: { ($0.token, $0.owner) < ($1.token, $1.owner) })
        where entry.token != tokens.last {
            tokens.append(entry.token)
            owners.append(entry.owner)
        }
        self.tokens = tokens
        self.owners = owners
        self.members = Set(owners).sorted()
        var nodeCounts = [Int](repeating: 0, count: datacenterCount)
        var racks = [Set<Int>](repeating: [], count: datacenterCount)
        for member in members {
            nodeCounts[nodes[member].datacenter] += 1
            racks[nodes[member].datacenter].insert(nodes[member].rack)
        }
        self.nodeCounts = nodeCounts
        self.rackCounts = racks.map(\.count)
    }

    /// The first token that is not before `token`, which ends the range that `token` is in; 0 when there is none, for
    /// the ring is round.
    func index(of token: Token) -> Int {
        var low = 0
        var high: Int = tokens.count
        while low < high {
            let middle: Int = (low + high) / 2
            if tokens[middle] < token { low = middle + 1 } else { high = middle }
        }
        return low == tokens.count ? 0 : low
    }

    /// The replicas of a token, as numbers of nodes, in the order in which the walk meets them.
    ///
    /// - Parameter factors: for each data centre, its factor; only for `.networkTopology`.
    func replicas(of token: Token, _ rule: PlacementRule) -> [Int] {
        switch rule {
        case .all: return members
        case .only(let node): return node.map { [$0] } ?? []
        case .next(let factor): return nextNodes(from: index(of: token), factor)
        case .perDatacenter(let factors): return spreadNodes(from: index(of: token), factors)
        }
    }

    private func nextNodes(from start: Int, _ factor: Int) -> [Int] {
        let wanted: Int = min(factor, members.count)
        var found: [Int] = []
        var index: Int = start
        while found.count < wanted {
            if !found.contains(owners[index]) { found.append(owners[index]) }
            index = index + 1 == owners.count ? 0 : index + 1
        }
        return found
    }

    /// Walks the ring and takes of every data centre the first node of each rack, and as many further nodes of racks
    /// that it has taken already as the factor exceeds the number of racks.
    private func spreadNodes(from start: Int, _ factors: [Int]) -> [Int] {
        var left: [Int] = []
        var repeatsLeft: [Int] = []
        for (datacenter, factor) in factors.enumerated() {
            left.append(min(factor, nodeCounts[datacenter]))
            repeatsLeft.append(factor - rackCounts[datacenter])
        }
        var missing: Int = left.reduce(0, +)
        var found: [Int] = []
        var racks: [Int] = []
        var index: Int = start
        while missing > 0 {
            let owner: Int = owners[index]
            let node: RingNode = nodes[owner]
            index = index + 1 == owners.count ? 0 : index + 1
            guard left[node.datacenter] > 0, !found.contains(owner) else { continue }
            if racks.contains(node.rack) {
                guard repeatsLeft[node.datacenter] > 0 else { continue }
                repeatsLeft[node.datacenter] -= 1
            } else {
                racks.append(node.rack)
            }
            found.append(owner)
            left[node.datacenter] -= 1
            missing -= 1
        }
        return found
    }
}

/// A replication strategy in the numbers of one topology.
enum PlacementRule {
    /// Every node of the ring.
    case all
    /// One node, if it is known.
    case only(Int?)
    /// The next nodes.
    case next(Int)
    /// A factor for each data centre.
    case perDatacenter([Int])
}
