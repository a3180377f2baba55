package import DataModel

/// How many replicas a keyspace has, and how many a consistency level needs of them (SURFACE 4.1).
package struct ReplicaCounts: Sendable, Hashable {
    /// Over all datacenters.
    package let total: Int
    /// In the datacenter of this node; all of them for strategies that know no datacenters.
    package let local: Int
    private let knowsDatacenters: Bool
    /// Replicas of each datacenter, the local one included.
    private let byDatacenter: [String: Int]
    private let localDatacenter: String

    /// - Parameter nodeCount: how many nodes there are to be replicas.
    package init(replication: [String: String], localDatacenter: String) {
        self.localDatacenter = localDatacenter
        let strategy: Substring = (replication["class"] ?? "").split(separator: ".").last ?? ""
        switch strategy {
        case "NetworkTopologyStrategy":
            var counts: [String: Int] = [:]
            for (name, factor) in replication where name != "class" { counts[name] = ReplicaCounts.factor(factor) }
            self.byDatacenter = counts
            self.total = counts.values.reduce(0, +)
            self.local = counts[localDatacenter] ?? 0
            self.knowsDatacenters = true
        case "SimpleStrategy":
            self.total = ReplicaCounts.factor(replication["replication_factor"] ?? "1")
            self.local = total
            self.byDatacenter = [:]
            self.knowsDatacenters = false
        default:
            self.total = 1
            self.local = 1
            self.byDatacenter = [:]
            self.knowsDatacenters = false
        }
    }

    private static func factor(_ text: String) -> Int {
        Int(text.split(separator: "/").first ?? "") ?? 0
    }

    /// How many answers a level waits for.
    package func required(_ consistency: Consistency) -> Int {
        switch consistency {
        case .any, .one, .localOne, .nodeLocal: 1
        case .two: 2
        case .three: 3
        case .quorum, .serial: total / 2 + 1
        case .all: total
        case .localQuorum, .localSerial: local / 2 + 1
        case .eachQuorum: knowsDatacenters ? byDatacenter.values.reduce(0) { $0 + $1 / 2 + 1 } : total / 2 + 1
        }
    }

    /// How many replicas that count for a level are alive, when this node is all there is.
    package func alive(_ consistency: Consistency) -> Int {
        min(1, local)
    }

    /// What UNAVAILABLE says when a level cannot be met; nil when it can. EACH_QUORUM names the datacenter's numbers
    /// that fail, LOCAL levels those of the local one.
    package func shortage(_ consistency: Consistency) -> (required: Int, alive: Int)? {
        if consistency == .eachQuorum, knowsDatacenters {
            for name in byDatacenter.keys.sorted() {
                let needed: Int = (byDatacenter[name] ?? 0) / 2 + 1
                let alive: Int = name == localDatacenter ? min(1, local) : 0
                if alive < needed { return (needed, alive) }
            }
            return nil
        }
        let needed: Int = required(consistency)
        let alive: Int = self.alive(consistency)
        return alive < needed ? (needed, alive) : nil
    }
}
