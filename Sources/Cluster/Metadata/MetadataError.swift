package import Environment

/// Why what a node knows about itself and about the schema could not be read or kept.
package enum MetadataError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The file is there and is not what was written. It is never taken for a missing one: a node that forgot its
    /// tables or its identity would be taken for another.
    case damaged(path: String, reason: String)
    case disk(DiskError)
    case clusterNameChanged(saved: String, configured: String)
    case dataCenterChanged(saved: String, configured: String)
    case rackChanged(saved: String, configured: String)
    case tokenCountChanged(saved: Int, configured: Int)

    package var description: String {
        switch self {
        case .damaged(let path, let reason):
            "The file \(path) is damaged (\(reason)). Restore it from a copy, or from the file with the same name and "
                + "the ending .previous, which holds what was there before the last change"
        case .disk(let error): "\(error)"
        case .clusterNameChanged(let saved, let configured):
            "Saved cluster name \(saved) != configured name \(configured)"
        case .dataCenterChanged(let saved, let configured):
            "Cannot start node if snitch's data center (\(configured)) differs from previous data center (\(saved)). "
                + "Please fix the snitch configuration, or decommission and rebootstrap this node"
        case .rackChanged(let saved, let configured):
            "Cannot start node if snitch's rack (\(configured)) differs from previous rack (\(saved)). "
                + "Please fix the snitch configuration, or decommission and rebootstrap this node"
        case .tokenCountChanged(let saved, let configured):
            "Cannot change the number of tokens from \(saved) to \(configured)"
        }
    }
}
