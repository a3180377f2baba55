package import DataModel

/// How many replicas a keyspace is to have, and how many answers a consistency level needs of them (SURFACE 4.1).
///
/// The numbers are those of the replication options, whatever nodes there are: three replicas of which one node exists
/// still make a quorum of two.
package struct ReplicaCounts: Sendable, Hashable {
    package struct Datacenter: Sendable, Hashable {
        package let name: String
        package let factor: Int
    }

    /// Whether replicas are counted by data centre. Where they are not, all of them are local.
    package let knowsDatacenters: Bool
    /// With replicas, ascending by name.
    package let datacenters: [Datacenter]
    /// Over all data centres; nil when every node is one.
    private let factor: Int?
    package let localFactor: Int

    package init(replication: [String: String], localDatacenter: String) {
        let strategy: Substring = (replication["class"] ?? "").split(separator: ".").last ?? ""
        switch strategy {
        case "NetworkTopologyStrategy":
            let counted: [Datacenter] = replication.compactMap { name, factor in
                let factor: Int = ReplicaCounts.factor(factor)
                return name == "class" || factor == 0 ? nil : Datacenter(name: name, factor: factor)
            }
            self.datacenters = counted.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
            self.factor = counted.reduce(0) { $0 + $1.factor }
            self.localFactor = counted.first { $0.name == localDatacenter }?.factor ?? 0
            self.knowsDatacenters = true
        case "SimpleStrategy":
            let factor: Int = ReplicaCounts.factor(replication["replication_factor"] ?? "1")
            self.factor = factor
            self.localFactor = factor
            self.datacenters = []
            self.knowsDatacenters = false
        default:
            let factor: Int? = strategy == "EverywhereStrategy" ? nil : 1
            self.factor = factor
            self.localFactor = factor ?? 0
            self.datacenters = []
            self.knowsDatacenters = false
        }
    }

    private static func factor(_ text: String) -> Int {
        Int(text.split(separator: "/").first ?? "") ?? 0
    }

    /// How many answers a level waits for.
    ///
    /// - Parameter nodeCount: how many replicas there are, for a strategy that makes one of every node.
    package func required(_ consistency: Consistency, nodeCount: Int = 1) -> Int {
        let total: Int = factor ?? nodeCount
        let local: Int = knowsDatacenters ? localFactor : total
        switch consistency {
        case .any, .one, .localOne, .nodeLocal: return 1
        case .two: return 2
        case .three: return 3
        case .quorum, .serial: return total / 2 + 1
        case .all: return total
        case .localQuorum, .localSerial: return local / 2 + 1
        case .eachQuorum:
            return knowsDatacenters ? datacenters.reduce(0) { $0 + $1.factor / 2 + 1 } : total / 2 + 1
        }
    }
}
