import DataModel

/// Who holds what, computed from the tokens that nodes show and by nothing of what nodes compute themselves.
package struct ObservedRing {
    /// Tokens in their order, each with the number of its node.
    private let tokens: [(token: Int64, node: Int)]
    private let shape: ClusterShape

    /// - Parameter tokens: of each node, by its number, which is its index in the shape and one more.
    package init(_ tokens: [(token: Int64, node: Int)], _ shape: ClusterShape) {
        self.tokens = tokens.sorted { $0.token < $1.token }
        self.shape = shape
    }

    /// The numbers of the nodes that hold the partition with an `int` as its key, ascending.
    package func replicas(of partition: Int) -> [Int] {
        let number = UInt32(bitPattern: Int32(truncatingIfNeeded: partition))
        let key: [UInt8] = [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> UInt32($0)) }
        let token: Int64 = Token(ofKey: key.span.bytes).value
        let first: Int = tokens.firstIndex { $0.token >= token } ?? 0
        var walk: [Int] = []
        for step in tokens.indices {
            let node: Int = tokens[(first + step) % tokens.count].node
            if !walk.contains(node) { walk.append(node) }
        }
        let chosen: [Int] = shape.factors.flatMap { factor in
            chooseOnRacks(walk.filter { place(of: $0).datacenter == factor.datacenter }, count: factor.count)
        }
        return chosen.sorted()
    }

    private func place(of node: Int) -> ClusterShape.Place { shape.places[node - 1] }

    /// The first nodes of the walk, those on racks that have no copy yet before all others.
    private func chooseOnRacks(_ walk: [Int], count: Int) -> [Int] {
        var racks: [String] = []
        var nodes: [Int] = []
        for node in walk where nodes.count < count && !racks.contains(place(of: node).rack) {
            racks.append(place(of: node).rack)
            nodes.append(node)
        }
        for node in walk where nodes.count < count && !nodes.contains(node) { nodes.append(node) }
        return nodes
    }
}
