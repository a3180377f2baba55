package import Cluster
package import DataModel
package import Environment
package import Primitives
import Storage
import Synchronization

/// For each table and token, up to when everything that was written is known to be on all replicas: only tombstones older
/// than that may be dropped, for only they cannot be missing somewhere where what they delete still is.
///
/// Kept in one record, a little later than it becomes known: to have forgotten a watermark only keeps tombstones longer.
///
///     payload := (table (16) · seconds (`TokenSeconds`))*
package final class RepairWatermarks: Sendable {
    private struct State {
        var tables: [UUID: TokenSeconds] = [:]
        var isChanged = false
    }

    private let record: DurableRecord
    private let state: Mutex<State>
    private let gate = HintGate()

    private static let magic: UInt32 = 0x4D4C_5257

    private init(_ record: DurableRecord, _ tables: [UUID: TokenSeconds]) {
        self.record = record
        self.state = Mutex(State(tables: tables))
    }

    /// Reads what former processes knew. A record that is damaged is as good as none. On loop 0.
    package static func open(directory: String, disk: any Disk) async -> RepairWatermarks {
        let record = DurableRecord(disk: disk, directory: directory, name: "watermarks", magic: magic)
        do {
            guard let payload = try await record.load() else { return RepairWatermarks(record, [:]) }
            return RepairWatermarks(record, try TokenSeconds.read(payload))
        } catch {
            return RepairWatermarks(record, [:])
        }
    }

    /// Takes note of that all replicas were equal. Called on any loop.
    package func note(_ table: UUID, _ tokens: ClosedRange<Token>, repairedAtSeconds seconds: Int64) {
        state.withLock { state in
            state.tables[table, default: TokenSeconds()].raise(tokens, to: seconds)
            state.isChanged = true
        }
    }

    /// Takes over what the nodes knew from which this one has the range.
    ///
    /// - Parameter seconds: the smallest of theirs; `TokenSeconds.never` when one of them knew nothing.
    package func inherit(table: UUID, range: RingRange, seconds: Int64) {
        state.withLock { state in
            for part in range.unwrapped {
                if let tokens = part.tokens { state.tables[table, default: TokenSeconds()].set(tokens, to: seconds) }
            }
            state.isChanged = true
        }
    }

    /// The smallest watermark of a range; `TokenSeconds.never` when some of it was never repaired.
    package func watermark(table: UUID, range: RingRange) -> Int64 {
        state.withLock { state in
            guard let known = state.tables[table] else { return TokenSeconds.never }
            return range.unwrapped.compactMap(\.tokens).map { known.smallest(in: $0) }.min() ?? TokenSeconds.never
        }
    }

    /// Hot while a compaction runs: once per partition.
    package func watermark(table: UUID, token: Token) -> Int64 {
        state.withLock { $0.tables[table]?.seconds(of: token) ?? TokenSeconds.never }
    }

    /// Forgets the tables that are not among these.
    package func keep(only tables: Set<UUID>) {
        state.withLock { state in
            let count: Int = state.tables.count
            state.tables = state.tables.filter { tables.contains($0.key) }
            if state.tables.count != count { state.isChanged = true }
        }
    }

    /// Makes durable what has become known. On loop 0.
    package func save() async throws(MetadataError) {
        await gate.enter()
        defer { gate.leave() }
        let payload: [UInt8]? = state.withLock { state in
            guard state.isChanged else { return nil }
            state.isChanged = false
            return TokenSeconds.payload(state.tables)
        }
        guard let payload else { return }
        do throws(MetadataError) {
            try await record.store(payload)
        } catch {
            state.withLock { $0.isChanged = true }
            throw error
        }
    }
}

extension TokenSeconds {
    /// table (16) · seconds, ascending by table.
    static func payload(_ tables: [UUID: TokenSeconds]) -> [UInt8] {
        var writer = ByteWriter()
        for (table, seconds) in tables.sorted(by: { ($0.key.high, $0.key.low) < ($1.key.high, $1.key.low) }) {
            writer.write(table.high)
            writer.write(table.low)
            seconds.write(to: &writer)
        }
        return writer.array()
    }

    static func read(_ payload: [UInt8]) throws(DecodingError) -> [UUID: TokenSeconds] {
        var tables: [UUID: TokenSeconds] = [:]
        var reader = ByteReader(payload.span.bytes)
        while !reader.isAtEnd {
            let high: UInt64 = try reader.readUInt64()
            let table = UUID(high: high, low: try reader.readUInt64())
            tables[table] = try TokenSeconds(from: &reader)
        }
        return tables
    }
}
