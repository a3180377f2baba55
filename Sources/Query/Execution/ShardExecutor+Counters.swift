import CQL
import Cluster
import Coordination
import DataModel
import Environment
import Primitives
import Storage

/// Statements that count.
extension ShardExecutor {
    /// Counts in all partitions at once; each has its own leader among the replicas.
    func writeCounters(_ works: [PartitionWork], _ level: Consistency, _ trace: RequestTrace?) async throws {
        try checkWriters(works, level)
        let deadline = Deadline(timeouts.counterWrite, host.time)
        _ = try await group.run(byShard(works), from: self) { executor, works in
            try await executor.countHere(works, level, deadline, trace)
        }
    }

    /// Counts in partitions of this shard.
    private func countHere(
        _ works: [PartitionWork], _ level: Consistency, _ deadline: Deadline, _ trace: RequestTrace?
    ) async throws {
        if works.count == 1 { return try await count(works[0], level, deadline, trace) }
        let counts: [LoopWork<Void>] = works.map { work in
            LoopWork("count in a partition", on: loop, of: host) { [self] in
                try await count(work, level, deadline, trace)
            }
        }
        var failure: (any Error)?
        for count in counts {
            do {
                try await count.value()
            } catch { failure = failure ?? error }
        }
        if let failure { throw failure }
    }

    private func count(
        _ work: PartitionWork, _ level: Consistency, _ deadline: Deadline, _ trace: RequestTrace?
    ) async throws {
        guard store.table(work.table.definition.id) != nil else {
            throw CQLError.invalid(message: "table \(work.table.name) does not exist")
        }
        let deltas: [UInt8] = try work.mutation ?? work.encoded(after: StoredPartition())
        if deltas.isEmpty { return }
        let limit: Int = store.log.mutationLimit
        guard deltas.count <= limit else { throw StorageError.tooLarge(byteCount: deltas.count, limit: limit) }
        let plan: ReplicaPlan = try replicaPlan(of: work.table, work.token)
        do {
            try await coordination.counters.write(
                deltas, plan, level, timeoutMilliseconds: max(1, deadline.leftMilliseconds(host.time)),
                trace: trace)
        } catch { throw told(error) }
    }
}
