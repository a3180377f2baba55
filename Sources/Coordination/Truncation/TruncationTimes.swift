package import Cluster
package import Environment
package import Primitives
import Synchronization

/// When each table was last truncated on this node, by this node's clock: what was set aside before (hints, batches) must
/// not bring rows back after it.
///
///     payload of the record := (table (16) · microseconds i64)*
///
/// Each node compares with its own clock only what it set aside itself, so clocks that differ do no harm.
package final class TruncationTimes: Sendable {
    private let record: DurableRecord
    private let times: Mutex<[UUID: Int64]>
    private let gate = HintGate()

    private static let magic: UInt32 = 0x4D4C_5452

    private init(_ record: DurableRecord, _ times: [UUID: Int64]) {
        self.record = record
        self.times = Mutex(times)
    }

    /// Reads what former processes have noted. On loop 0.
    package static func open(directory: String, disk: any Disk) async throws(MetadataError) -> TruncationTimes {
        let record = DurableRecord(disk: disk, directory: directory, name: "truncations", magic: magic)
        guard let payload = try await record.load() else { return TruncationTimes(record, [:]) }
        var times: [UUID: Int64] = [:]
        do throws(DecodingError) {
            var reader = ByteReader(payload.span.bytes)
            while !reader.isAtEnd {
                let high: UInt64 = try reader.readUInt64()
                let table = UUID(high: high, low: try reader.readUInt64())
                times[table] = try reader.readInt64()
            }
        } catch { throw .damaged(path: record.path, reason: "\(error)") }
        return TruncationTimes(record, times)
    }

    /// When a table was last truncated here, in microseconds since 1970.
    package func time(of table: UUID) -> Int64? { times.withLock { $0[table] } }

    /// All of them.
    package var all: [UUID: Int64] { times.withLock { $0 } }

    /// Notes that a table is truncated; durable when this returns. On loop 0.
    package func note(_ table: UUID, at microseconds: Int64) async throws(MetadataError) {
        try await change { $0[table] = max(microseconds, $0[table] ?? .min) }
    }

    /// Forgets tables that are gone. On loop 0.
    package func forget(_ tables: [UUID]) async throws(MetadataError) {
        guard times.withLock({ times in tables.contains { times[$0] != nil } }) else { return }
        try await change { times in
            for table in tables { times[table] = nil }
        }
    }

    /// One change at a time: each is written over the one before.
    private func change(_ body: (inout [UUID: Int64]) -> Void) async throws(MetadataError) {
        await gate.enter()
        defer { gate.leave() }
        var changed: [UUID: Int64] = times.withLock { $0 }
        body(&changed)
        var writer = ByteWriter(capacity: 24 * changed.count)
        for (table, time) in changed.sorted(by: { ($0.key.high, $0.key.low) < ($1.key.high, $1.key.low) }) {
            writer.write(table.high)
            writer.write(table.low)
            writer.write(time)
        }
        try await record.store(writer.array())
        let kept: [UUID: Int64] = changed
        times.withLock { $0 = kept }
    }
}
