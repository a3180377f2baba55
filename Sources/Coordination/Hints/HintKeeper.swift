import Cluster
import DataModel
import Environment
import Primitives
import Storage

/// Hands what the writes of one shard could not bring to a replica to the hints. Confined to its loop.
final class HintKeeper: HintSink {
    private let store: HintStore
    private let replica: ReplicaShard
    /// Told of what is not kept.
    private let missed: MissedWrites?

    init(store: HintStore, replica: ReplicaShard, missed: MissedWrites? = nil) {
        self.store = store
        self.replica = replica
        self.missed = missed
    }

    func keep(_ mutation: RawSpan, for node: NodeID, madeAt: Int64) {
        do throws(HintRefusal) {
            try store.append(
                for: node, created: madeAt, grace: grace(of: mutation), mutation: mutation,
                on: replica.store.loop.index)
        } catch {
            // The store counts what it refuses; the replica needs a repair of the range.
            missed?.note(mutation)
        }
    }

    func keepDurably(
        _ mutation: RawSpan, for node: NodeID, madeAt: Int64, _ stored: @escaping @Sendable () -> Void
    ) {
        let bytes = [UInt8](copying: mutation)
        let grace: UInt32 = grace(of: mutation)
        let store: HintStore = self.store
        let loop: any Loop = replica.store.loop
        let missed: MissedWrites? = self.missed
        replica.host.background.run("durable hint", on: loop) {
            do throws(HintRefusal) {
                try await store.appendDurably(
                    for: node, created: madeAt, grace: grace, mutation: bytes, on: loop.index)
                stored()
            } catch {
                // The write then ends by its deadline.
                missed?.note(bytes.span.bytes)
            }
        }
    }

    /// How long the deletions of the mutation's table are kept, in seconds: hints must not outlive them.
    private func grace(of mutation: RawSpan) -> UInt32 {
        guard let id = UUID(mutation), let table = replica.store.table(id) else { return 0 }
        return UInt32(clamping: table.definition.options.gcGraceSeconds)
    }
}
