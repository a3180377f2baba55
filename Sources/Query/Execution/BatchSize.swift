import CQL
import DataModel
import Primitives

/// How large a batch is: one that is too large is refused before any of it is written.
struct BatchSize {
    private let limits: QueryLimits
    private var byteCount = 0
    private var partitionCount = 0

    init(_ limits: QueryLimits) {
        self.limits = limits
    }

    /// Makes the mutation of a partition and counts it; a batch within one partition may have any size.
    mutating func add(_ work: inout PartitionWork) throws {
        if work.needsRead {
            // What will be written is only known once the partition was read: the values tell enough.
            for step in work.steps { byteCount += step.bindings.values.reduce(16) { $0 + ($1.bytes?.count ?? 0) } }
        } else {
            let mutation: [UInt8] = try work.encoded(after: StoredPartition())
            byteCount += mutation.count
            work.mutation = mutation
        }
        partitionCount += 1
        if partitionCount > 1, byteCount > limits.batchFailByteCount {
            throw CQLError.invalid(message: "Batch too large")
        }
    }

    func warnings(_ works: [PartitionWork], _ kind: BatchStatement.Kind) -> [String] {
        guard works.count > 1 else { return [] }
        return BatchWarnings(kind: kind, tables: works.map(\.table), byteCount: byteCount, limits: limits).texts
    }
}
