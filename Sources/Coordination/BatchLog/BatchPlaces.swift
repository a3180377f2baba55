package import Cluster

/// Which nodes keep a batch while it is written.
package enum BatchPlaces {
    /// How many nodes keep it, where there are as many.
    package static let count = 2

    /// The nodes in the order in which they are asked: those on other racks than this node's, each rack once before any
    /// comes again, then those on its own rack. Racks, and the nodes of a rack, stand in the order of chance.
    ///
    /// - Parameter nodes: the live nodes of this data centre, without this one.
    package static func ordered(
        _ nodes: [(id: NodeID, rack: String)], localRack: String, _ random: inout some RandomNumberGenerator
    ) -> [NodeID] {
        var racks: [[NodeID]] = []
        var places: [String: Int] = [:]
        var near: [NodeID] = []
        for node in nodes.shuffled(using: &random) {
            if node.rack == localRack {
                near.append(node.id)
            } else if let place = places[node.rack] {
                racks[place].append(node.id)
            } else {
                places[node.rack] = racks.count
                racks.append([node.id])
            }
        }
        var ordered: [NodeID] = []
        let deepest: Int = racks.map(\.count).max() ?? 0
        for depth in 0..<deepest {
            for rack in racks where depth < rack.count { ordered.append(rack[depth]) }
        }
        return ordered + near
    }
}
