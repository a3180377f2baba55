package import Cluster
import DataModel
package import Environment
import Primitives

/// By which placement of a partition a coordinator asks its replicas.
package struct PlacementStamp: Sendable, Hashable {
    /// The epoch of the metadata by which the coordinator acts.
    package let epoch: UInt64
    /// Which replicas the partition has there (`ReplicaSet.fingerprint`).
    package let fingerprint: UInt64

    package init(epoch: UInt64, fingerprint: UInt64) {
        self.epoch = epoch
        self.fingerprint = fingerprint
    }

    /// Of no placement there is.
    package static let none = PlacementStamp(epoch: 0, fingerprint: 0)

    func write(to writer: inout ByteWriter) {
        writer.write(epoch)
        writer.write(fingerprint)
    }

    init(from reader: inout ByteReader) throws(DecodingError) {
        self.epoch = try reader.readUInt64()
        self.fingerprint = try reader.readUInt64()
    }
}

/// Makes sure that all who take part in a decision mean the same replicas.
///
/// Majorities of two different sets need not meet, so a replica promises and accepts only for coordinators that place the
/// partition where the replica does. Which of both is behind shows the epoch: a replica that is catches up before it answers,
/// a coordinator that is gets refused, catches up, and begins again with another ballot. Changes of the metadata that leave
/// the partition where it is disturb nobody.
///
/// On one shard, confined to its loop; `Sendable` is unchecked for that reason.
package final class PaxosPlacement: @unchecked Sendable {
    private let view: ClusterView
    private let tables: TableLookup
    private let applied: AppliedEpoch
    private let loop: any Loop

    /// How long a message waits until this node has caught up with its coordinator.
    private static let patience: Duration = .milliseconds(500)

    package init(view: ClusterView, tables: @escaping TableLookup, applied: AppliedEpoch, loop: any Loop) {
        self.view = view
        self.tables = tables
        self.applied = applied
        self.loop = loop
    }

    /// The replicas of a partition as this node sees them now; nil when it does not know the table.
    func plan(of table: UUID, _ token: Token) -> ReplicaPlan? {
        guard let replication = tables(table) else { return nil }
        do throws(ReplicationError) {
            return try view.plan(for: replication, token)
        } catch { return nil }
    }

    /// What this node's messages say of the placement that they go by.
    func stamp(of plan: ReplicaPlan) -> PlacementStamp {
        PlacementStamp(epoch: applied.epoch, fingerprint: plan.set.fingerprint)
    }

    /// Whether a placement is the present one.
    func isCurrent(_ fingerprint: UInt64, _ table: UUID, _ token: Token) -> Bool {
        plan(of: table, token)?.set.fingerprint == fingerprint
    }

    /// Whether a coordinator places a partition where this node does, once the node knows as much as the coordinator.
    func agrees(with stamp: PlacementStamp, _ table: UUID, _ token: Token) async -> Bool {
        if isCurrent(stamp.fingerprint, table, token) { return true }
        guard stamp.epoch > applied.epoch else { return false }
        guard await applied.wait(for: stamp.epoch, within: PaxosPlacement.patience, on: loop) else { return false }
        return isCurrent(stamp.fingerprint, table, token)
    }
}
