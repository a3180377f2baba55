package import Environment

/// Why the cluster's metadata could not be changed, or a node found no cluster.
package enum MetadataFailure: Error, Equatable, Sendable, CustomStringConvertible {
    /// Too few of the nodes that decide answered in time. When `isUncertain`, the change may still come into force.
    case noMajority(reachable: Int, needed: Int, isUncertain: Bool)
    /// Others changed the metadata all the time. When `isUncertain`, the change may still come into force.
    case contended(isUncertain: Bool)
    /// The node has not found its cluster yet.
    case notStarted
    case stopped
    /// No seed answered with a cluster before the deadline.
    case noCluster(seeds: [SocketAddress])
    case anotherCluster(name: String, configured: String)
    case addressTaken(SocketAddress, by: NodeID)
    /// The node has left the cluster for good.
    case left
    /// The change is larger than any that is sent.
    case tooLarge(byteCount: Int)
    /// This node could not keep the change. When `isDecided`, it comes into force all the same.
    case notKept(reason: String, isDecided: Bool)

    package var description: String {
        switch self {
        case .noMajority(let reachable, let needed, let isUncertain):
            "Only \(reachable) of the \(needed) nodes that must agree on changes of the cluster answered"
                + MetadataFailure.consequence(isUncertain)
        case .contended(let isUncertain):
            "Other changes of the cluster came first each time" + MetadataFailure.consequence(isUncertain)
        case .notStarted: "The node has not found its cluster yet"
        case .stopped: "The node is stopping"
        case .noCluster(let seeds):
            "Unable to contact any seeds: \(seeds.map(\.description).joined(separator: ", "))"
        case .anotherCluster(let name, let configured):
            "The seeds belong to the cluster \(name) != configured name \(configured)"
        case .addressTaken(let address, let node):
            "A node with address \(address) already exists (\(node)), cancelling join"
        case .left:
            "This node has left the ring, or its joining was taken back, and will not rejoin the ring; "
                + "with an empty data folder it joins as a new one"
        case .tooLarge(let byteCount): "The change takes \(byteCount) bytes, which is more than a change may take"
        case .notKept(let reason, isDecided: true):
            "The change was decided and will come into force, but this node could not keep it yet: \(reason)"
        case .notKept(let reason, isDecided: false):
            "This node could not keep the change: \(reason); the change may still come into force"
        }
    }

    private static func consequence(_ isUncertain: Bool) -> String {
        isUncertain ? "; the change may still come into force" : "; nothing was changed"
    }
}
