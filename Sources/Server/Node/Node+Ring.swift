import Cluster
import Coordination
package import DataModel
package import Primitives

/// Changes of the ring by whoever runs the node in a process of its own.
extension Node {
    /// Hands over all that this node has, and leaves the ring.
    ///
    /// - Returns: false when that was taken back.
    package func decommission(isForced: Bool = false) async throws -> Bool {
        let id: UUID = try await parts.ring.decommission(isForced: isForced)
        return try await parts.ring.end(of: id) == .done
    }

    /// Takes a dead node out of the ring.
    package func remove(_ node: UUID, isForced: Bool = false) async throws -> Bool {
        let id: UUID = try await parts.ring.remove(NodeID(node), isForced: isForced)
        return try await parts.ring.end(of: id) == .done
    }

    /// Gives this node other tokens.
    package func move(to tokens: [Token]) async throws -> Bool {
        let id: UUID = try await parts.ring.move(to: tokens)
        return try await parts.ring.end(of: id) == .done
    }

    /// Takes back whatever change of the ring is under way; false when none is.
    package func abortRingChange() async throws -> Bool {
        guard let change = parts.metadata.current?.changes.first else { return false }
        try await parts.ring.abort(change.id)
        return true
    }

    /// This node's id.
    package var hostID: UUID { parts.local.hostID }

    /// The epoch of the cluster's metadata that this node has; 0 before it has any.
    package var metadataEpoch: UInt64 { parts.metadata.epoch }

    /// The ids of the nodes that own tokens, as far as this one knows.
    package var owners: [UUID] {
        parts.metadata.current?.members.filter(\.state.isOwner).map(\.id.uuid) ?? []
    }

    /// Whether a dead node is being taken out, as far as this node knows.
    package var isRemoving: Bool { parts.metadata.current?.changes.contains { $0.kind == .remove } == true }

    /// Whether the ring is changing, as far as this node knows.
    package var isRingChanging: Bool { parts.metadata.current?.changes.isEmpty == false }
}
