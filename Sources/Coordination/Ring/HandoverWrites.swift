import Cluster
import DataModel
import Environment
import Primitives

/// Keeps those who come to own a partition from missing what comes to its owners past the coordinators of writes: hints, and
/// the rows of repairs.
///
///     rows ─▶ an owner ─▶ applied, and a hint for each node that is about to own them
///     rows ─▶ who has handed them over just now ─▶ applied, and a hint for each owner
///     hint ─▶ a node that is no owner any more ─▶ a hint for each owner
///
/// What was applied before this node has heard of a change is in what the change streams, and a change does not end before
/// the hints for those who gain by it are delivered (`RingArrivals`). Those who gain pass nothing on: two of them would bring
/// each other the same hint for as long as the change lasts.
///
/// On one shard, confined to its loop; `Sendable` is unchecked for that reason.
package final class HandoverWrites: @unchecked Sendable {
    private let view: ClusterView
    private let tables: TableLookup
    private let hints: any HintSink

    package init(view: ClusterView, tables: @escaping TableLookup, hints: any HintSink) {
        self.view = view
        self.tables = tables
        self.hints = hints
    }

    /// Gives a hint to the owners of its partition when this node is none of them.
    ///
    /// - Returns: whether it is for this node.
    func isForThisNode(_ hint: Hint) -> Bool {
        guard let set = replicas(of: hint.mutation), set.position(of: view.local) == nil else { return true }
        for node in set.natural { keep(hint.mutation, for: node, hint.createdMicroseconds) }
        return false
    }

    /// Has those who come to own a partition get what was applied here just now.
    func passOn(_ mutation: [UInt8], madeAt: Int64? = nil) {
        guard let set = replicas(of: mutation) else { return }
        let (losing, gaining): ([NodeID], [NodeID]) =
            set.isHandedOver ? (set.pending, set.natural) : (set.natural, set.pending)
        guard losing.contains(view.local) else { return }
        for node in gaining { keep(mutation, for: node, madeAt ?? view.clock.current) }
    }

    private func keep(_ mutation: [UInt8], for node: NodeID, _ madeAt: Int64) {
        hints.keep(mutation.span.bytes, for: node, madeAt: madeAt)
    }

    /// Nil where nobody owns it: its table is gone.
    private func replicas(of mutation: [UInt8]) -> ReplicaSet? {
        guard let table = UUID(mutation.span.bytes), let token = Token(ofMutation: mutation.span.bytes),
            let replication = tables(table)
        else { return nil }
        do throws(ReplicationError) {
            return try view.plan(for: replication, token).set
        } catch { return nil }
    }
}
