/// How many copies of a keyspace there are, and on which nodes.
package enum ReplicationStrategy: Hashable, Sendable {
    /// The next `factor` nodes on the ring, wherever they stand.
    case simple(factor: Int)
    /// So many copies in each data centre, on as many racks as there are; ascending by name, without zeros.
    case networkTopology([DatacenterFactor])
    /// Every node that owns tokens.
    case everywhere
    /// Each node its own.
    case local

    package struct DatacenterFactor: Hashable, Sendable {
        package var datacenter: String
        package var factor: Int

        package init(datacenter: String, factor: Int) {
            self.datacenter = datacenter
            self.factor = factor
        }
    }

    /// The largest replication factor that is read. More copies than nodes mean a copy on every node, so that nothing
    /// is lost by refusing what no cluster can reach.
    package static let maximumFactor = 65_535

    private static let package = "org.apache.cassandra.locator."
    private static let factorKey = "replication_factor"

    /// Reads the replication map of a keyspace.
    ///
    /// - Parameters:
    ///   - replication: `class`, in full or without its Java package, and the options of the strategy.
    ///   - datacenters: those that `replication_factor` stands for in a `NetworkTopologyStrategy`, where they have no
    ///     factor of their own.
    package init(_ replication: [String: String], datacenters: [String] = []) throws(ReplicationError) {
        guard let given = replication["class"] else { throw .missingClass }
        let name: Substring =
            given.hasPrefix(ReplicationStrategy.package)
            ? given.dropFirst(ReplicationStrategy.package.count) : Substring(given)
        switch name {
        case "SimpleStrategy":
            guard let text = replication[ReplicationStrategy.factorKey] else { throw .missingFactor }
            self = .simple(factor: try ReplicationStrategy.factor(text))
        case "NetworkTopologyStrategy":
            var factors: [String: Int] = [:]
            if let text = replication[ReplicationStrategy.factorKey] {
                let factor: Int = try ReplicationStrategy.factor(text)
                for datacenter in datacenters { factors[datacenter] = factor }
            }
            for (key, text) in replication where key != "class" && key != ReplicationStrategy.factorKey {
                factors[key] = try ReplicationStrategy.factor(text)
            }
            let sorted = factors.filter { $0.value > 0 }.sorted {
                $0.key.utf8.lexicographicallyPrecedes($1.key.utf8)
            }
            self = .networkTopology(sorted.map { DatacenterFactor(datacenter: $0.key, factor: $0.value) })
        case "EverywhereStrategy": self = .everywhere
        case "LocalStrategy": self = .local
        default: throw .unknownClass(given)
        }
    }

    /// A number, or the full copies of the form `full/transient`.
    private static func factor(_ text: String) throws(ReplicationError) -> Int {
        let digits: Substring = text.prefix { $0 != "/" }
        guard let number = Int(digits) else { throw .invalidFactor(text) }
        guard number >= 0, number <= maximumFactor else { throw .invalidFactor(text) }
        return number
    }

    /// Copies of a partition in all data centres together; nil where the number of nodes decides.
    package var totalFactor: Int? {
        switch self {
        case .simple(let factor): factor
        case .networkTopology(let factors): factors.reduce(0) { $0 + $1.factor }
        case .everywhere: nil
        case .local: 1
        }
    }

    /// Copies of a partition in one data centre; nil for strategies that know no data centres.
    package func factor(in datacenter: String) -> Int? {
        guard case .networkTopology(let factors) = self else { return nil }
        return factors.first { $0.datacenter == datacenter }?.factor ?? 0
    }
}

/// Why a replication map says nothing.
package enum ReplicationError: Error, Equatable, Sendable, CustomStringConvertible {
    case missingClass
    case unknownClass(String)
    case missingFactor
    case invalidFactor(String)

    package var description: String {
        switch self {
        case .missingClass: "The replication has no class"
        case .unknownClass(let name): "Unable to find replication strategy class '\(name)'"
        case .missingFactor: "SimpleStrategy requires a replication_factor strategy option."
        case .invalidFactor(let text): "Replication factor must be a number from 0 to 65535; found \(text)"
        }
    }
}
