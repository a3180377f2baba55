import CQL
import Cluster
import Coordination
import DataModel
import Environment
import Primitives
import Storage

/// Logged batches over several partitions.
extension ShardExecutor {
    /// Has a batch kept by other nodes until all of it is written, so that it happens as a whole or not at all.
    func writeLogged(_ works: [PartitionWork], _ level: Consistency, _ trace: RequestTrace?) async throws {
        let deadline = Deadline(timeouts.write, host.time)
        let writes: [PartitionWrite] = try await encoded(works, level, deadline, trace)
        let limit: Int = store.log.mutationLimit
        // Whoever keeps the batch does so in one mutation.
        let byteCount: Int = writes.reduce(0) { $0 + $1.mutation.count }
        guard byteCount <= limit else { throw StorageError.tooLarge(byteCount: byteCount, limit: limit) }
        do {
            try await coordination.batches.write(
                writes, level, timeoutMilliseconds: max(1, deadline.leftMilliseconds(host.time)), trace: trace)
        } catch { throw told(error) }
    }

    /// The mutations of a batch; those that depend on what is stored are made where that can be read.
    private func encoded(
        _ works: [PartitionWork], _ level: Consistency, _ deadline: Deadline, _ trace: RequestTrace?
    ) async throws -> [PartitionWrite] {
        var writes: [PartitionWrite] = []
        for work in works where !work.needsRead {
            ShardExecutor.add(try work.mutation ?? work.encoded(after: StoredPartition()), of: work, to: &writes)
        }
        let reading: [PartitionWork] = works.filter(\.needsRead)
        guard !reading.isEmpty else { return writes }
        let read: [[PartitionWrite]] = try await group.run(byShard(reading), from: self) { executor, works in
            try await executor.encodedAfterReading(works, level, deadline, trace)
        }
        return writes + read.flatMap { $0 }
    }

    /// Nobody is kept from the partitions until the batch is written, as nobody who comes to another node would be: batches
    /// that hold some partitions while they wait for others could wait for each other.
    private func encodedAfterReading(
        _ works: [PartitionWork], _ level: Consistency, _ deadline: Deadline, _ trace: RequestTrace?
    ) async throws -> [PartitionWrite] {
        var writes: [PartitionWrite] = []
        for work in works {
            guard let table = store.table(work.table.definition.id) else {
                throw CQLError.invalid(message: "table \(work.table.name) does not exist")
            }
            let plan: ReplicaPlan = try replicaPlan(of: work.table, work.token)
            let found: StoredPartition =
                plan.isLocalOnly
                ? try await stored(work, table)
                : try await readReplicas(
                    work.table, work.key, clustering: try clusteringKeys(work), plan, level, deadline, trace)
            ShardExecutor.add(try work.encoded(after: found), of: work, to: &writes)
        }
        return writes
    }

    private static func add(_ mutation: [UInt8], of work: PartitionWork, to writes: inout [PartitionWrite]) {
        if mutation.isEmpty { return }
        writes.append(PartitionWrite(mutation: mutation, replication: work.table.tableReplication))
    }
}
