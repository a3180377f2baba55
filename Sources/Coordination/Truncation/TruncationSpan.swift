package import Cluster
import DataModel
import Environment
package import Primitives
import Storage

/// The oldest and the newest of the truncations that replicas had finished before they were read: of what time the rows are
/// that one of them is to be brought.
///
///     span := oldest i64 · newest i64
package struct TruncationSpan: Sendable, Hashable {
    package var oldest: Int64
    package var newest: Int64

    package init(oldest: Int64, newest: Int64) {
        self.oldest = oldest
        self.newest = newest
    }

    /// Nothing was read yet, or of a table that was never truncated.
    package init(_ stamps: [Int64] = []) {
        self.init(oldest: stamps.min() ?? 0, newest: stamps.max() ?? 0)
    }

    /// Whether rows from before a truncation and rows from after it may be among what was read.
    package var isMixed: Bool { oldest < newest }

    package func write(to writer: inout ByteWriter) {
        writer.write(oldest)
        writer.write(newest)
    }

    package init(from reader: inout ByteReader) throws(DecodingError) {
        self.oldest = try reader.readInt64()
        self.newest = try reader.readInt64()
    }
}

/// What a read repair brings to a replica.
///
///     readRepair := span · (mutation | table (16))
///
/// A table alone tells the replica which truncation others have finished.
package struct ReadRepair: Sendable, Hashable {
    package var span: TruncationSpan
    /// Starts with the table, as each does.
    package var mutation: [UInt8]

    private static let tableByteCount = 16

    package init(_ span: TruncationSpan, _ mutation: [UInt8]) {
        self.span = span
        self.mutation = mutation
    }

    package func write(to writer: inout ByteWriter) {
        span.write(to: &writer)
        writer.write(mutation)
    }

    package init(decoding bytes: RawSpan) throws(DecodingError) {
        var reader = ByteReader(bytes)
        self.span = try TruncationSpan(from: &reader)
        try reader.need(ReadRepair.tableByteCount)
        self.mutation = try reader.readArray(reader.remaining)
    }

    var hasRows: Bool { mutation.count > ReadRepair.tableByteCount }
}

/// Rows that other replicas have, and that must not come back after a truncation here.
extension NodeReplica {
    /// Applies what a read repair brings, unless the table was truncated here since the rows were read: there is nothing to
    /// repair then.
    ///
    /// - Throws: `ReplicaError`.
    package func repair(_ repair: ReadRepair, _ trace: RequestTrace? = nil) async throws {
        guard let table = UUID(repair.mutation.span.bytes) else { return }
        await hear(repair.span, of: table)
        if repair.hasRows { _ = try await bring(repair.mutation, of: table, repair.span, trace) }
    }

    /// Applies a mutation made of what replicas have; returns false, and leaves it, when the table was truncated here since
    /// one of them was read.
    ///
    /// - Throws: `ReplicaError`.
    package func bring(
        _ mutation: [UInt8], of table: UUID, _ span: TruncationSpan, _ trace: RequestTrace? = nil
    ) async throws -> Bool {
        let bytes: [UInt8] = mutation
        guard let token = Token(ofMutation: bytes.span.bytes) else {
            throw ReplicaError.storage(.decoding(.truncated(offset: bytes.count, missing: 1)))
        }
        let truncations: TruncationTimes? = self.truncations
        let index: Int = slices.shard(of: token)
        return try await run(on: index) { [self] shard in
            // Asked where the mutation is applied: a truncation that begins later removes it.
            let isApplied: Bool = try await shard.apply(bytes, trace) {
                (truncations?.begun(table) ?? 0) > span.oldest
            }
            if isApplied { passOn(bytes, on: index) }
            return isApplied
        }
    }

    /// Hears which truncation others have finished.
    package func hear(_ span: TruncationSpan, of table: UUID) async {
        guard let truncations, span.newest > truncations.finished(table),
            truncations.hasMissed(span.newest, of: table, at: host.time.monotonicNanoseconds)
        else { return }
        let work = LoopWork("note a truncation", on: host.loops[0], of: host) {
            try await truncations.adopt(span.newest, of: table)
        }
        do {
            try await work.value()
        } catch {
            // It is heard of again, and what cannot be noted harms repairs only.
        }
    }
}
