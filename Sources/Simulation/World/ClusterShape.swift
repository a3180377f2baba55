package import Primitives

/// Which nodes a cluster has, where they stand, and how many copies its keyspace keeps: a value that follows from a seed.
package struct ClusterShape: Sendable, Equatable {
    /// Kinds of shapes, each with ways of its own that requests take.
    package enum Layout: String, Sendable, CaseIterable {
        /// One data centre with up to three copies.
        case plain
        /// One copy on several nodes: most coordinators hold nothing of what they are asked for.
        case single
        /// Two or five copies, as the number of nodes allows.
        case many
        /// Two data centres with up to three copies each.
        case datacenters
    }

    package struct Place: Sendable, Equatable {
        package let datacenter: String
        package let rack: String

        package init(datacenter: String, rack: String) {
            self.datacenter = datacenter
            self.rack = rack
        }
    }

    /// For each node, by its index.
    package let places: [Place]
    /// Copies in each data centre, ascending by name.
    package let factors: [Factor]
    /// Whether the keyspace's strategy knows data centres.
    package let knowsDatacenters: Bool

    package struct Factor: Sendable, Equatable {
        package let datacenter: String
        package let count: Int
    }

    private init(places: [Place], factors: [Factor], knowsDatacenters: Bool) {
        self.places = places
        self.factors = factors
        self.knowsDatacenters = knowsDatacenters
    }

    /// One data centre with one rack.
    package init(nodeCount: Int, copyCount: Int) {
        self.init(
            places: Array(repeating: Place(datacenter: "datacenter1", rack: "rack1"), count: nodeCount),
            factors: [Factor(datacenter: "datacenter1", count: min(copyCount, nodeCount))], knowsDatacenters: false)
    }

    /// Two data centres, the first of which has the odd node.
    ///
    /// - Parameter rackCount: how many racks the nodes of each data centre are divided between.
    package init(twoDatacentersOf nodeCount: Int, copyCount: Int, rackCount: Int) {
        let first: Int = (nodeCount + 1) / 2
        let places: [Place] = (0..<nodeCount).map { node in
            let isFirst: Bool = node < first
            let number: Int = isFirst ? node : node - first
            return Place(datacenter: isFirst ? "dc1" : "dc2", rack: "rack\(number % max(1, rackCount) + 1)")
        }
        self.init(
            places: places,
            factors: [
                Factor(datacenter: "dc1", count: min(copyCount, first)),
                Factor(datacenter: "dc2", count: min(copyCount, nodeCount - first)),
            ], knowsDatacenters: true)
    }

    /// - Parameters:
    ///   - nodeCount: as it was asked for; a shape with two data centres has at least four nodes, and six when nothing
    ///     was asked.
    ///   - spareCount: how many nodes more there are.
    ///   - isFixed: whether the number was asked for, and is not just what was drawn.
    ///   - layout: drawn as well when nil.
    package static func drawn(
        _ generator: inout SeededGenerator, nodeCount: Int, spareCount: Int = 0, isFixed: Bool,
        layout: Layout? = nil
    ) -> ClusterShape {
        let lots: [Layout] = [.plain, .plain, .plain, .plain, .single, .single, .many, .datacenters, .datacenters]
        var chosen: Layout = lots[generator.below(lots.count)]
        let (rackLot, oddLot) = (generator.below(3), generator.below(2))
        if let layout { chosen = layout }
        if chosen == .datacenters, isFixed, nodeCount < 4 { chosen = .plain }
        switch chosen {
        case .plain: return ClusterShape(nodeCount: nodeCount + spareCount, copyCount: min(3, nodeCount))
        case .single: return ClusterShape(nodeCount: nodeCount + spareCount, copyCount: 1)
        case .many: return ClusterShape(nodeCount: nodeCount + spareCount, copyCount: nodeCount >= 5 ? 5 : 2)
        case .datacenters:
            let count: Int = isFixed ? nodeCount : 6 + oddLot
            // Spares are taken from both in turn, so that as many as without them stay in each.
            let copyCount: Int = min(3, count / 2)
            return ClusterShape(
                twoDatacentersOf: count + spareCount, copyCount: copyCount, rackCount: rackLot + 1)
        }
    }

    package var nodeCount: Int { places.count }

    /// So many nodes that are not there at first: the last ones of the data centre that has the most, one after the other.
    package func spares(_ count: Int) -> [Int] {
        var spares: [Int] = []
        for _ in 0..<count {
            let rest: [[Int]] = datacenters.map { nodes(in: $0).filter { !spares.contains($0) } }
            guard let last = rest.max(by: { $0.count < $1.count })?.last else { break }
            spares.append(last)
        }
        return spares
    }

    /// Whether a node may die with its disk and a majority of the copies of each row stays.
    package var survivesLoss: Bool { factors.allSatisfy { $0.count >= 3 } }

    /// The names of the data centres, ascending.
    package var datacenters: [String] { factors.map(\.datacenter) }

    /// The nodes of a data centre, by their index.
    package func nodes(in datacenter: String) -> [Int] {
        places.indices.filter { places[$0].datacenter == datacenter }
    }

    /// What CREATE KEYSPACE is told.
    package var replication: String {
        guard knowsDatacenters else {
            return "{'class': 'SimpleStrategy', 'replication_factor': \(factors.first?.count ?? 1)}"
        }
        let copies: [String] = factors.map { "'\($0.datacenter)': \($0.count)" }
        return "{'class': 'NetworkTopologyStrategy', \(copies.joined(separator: ", "))}"
    }

    /// How many copies there are where, in a word.
    package var copies: String {
        knowsDatacenters
            ? factors.map { "\($0.datacenter):\($0.count)" }.joined(separator: ",") : "\(factors.first?.count ?? 1)"
    }
}
