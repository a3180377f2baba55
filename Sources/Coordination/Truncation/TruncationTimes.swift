package import Cluster
package import Environment
package import Primitives
import Synchronization

/// When each table was last truncated on this node, by this node's clock: what was set aside before (hints, batches) must
/// not bring rows back after it. And which truncation that was, by a stamp that is the same on all nodes: what was read
/// before it on one node must not be written after it on another.
///
///     payload of the record := format u8 (1) · (table (16) · microseconds i64 · stamp i64)*
///
/// Each node compares times only with what it set aside itself, so clocks that differ do no harm. Stamps grow with each
/// truncation of a table, whoever coordinates it. A node has *begun* one before it removes anything, and has *finished* it
/// when all is gone. A record without the format byte is of a release that knew no stamps.
package final class TruncationTimes: Sendable {
    private struct Entry {
        /// `.min`: this node has not truncated the table itself.
        var microseconds: Int64 = .min
        var begun: Int64 = 0
        var finished: Int64 = 0
    }

    private struct State {
        var entries: [UUID: Entry]
        /// Truncations that others have finished and this node has not, and since when it knows.
        var heard: [UUID: (stamp: Int64, sinceNanoseconds: UInt64)] = [:]
    }

    private let record: DurableRecord
    private let state: Mutex<State>
    private let gate = HintGate()

    private static let magic: UInt32 = 0x4D4C_5452
    private static let format: UInt8 = 1
    /// After that a truncation is over on all nodes or has failed: far more than any `truncate_request_timeout`.
    private static let longestTruncation: Duration = .seconds(600)

    private init(_ record: DurableRecord, _ entries: [UUID: Entry]) {
        self.record = record
        self.state = Mutex(State(entries: entries))
    }

    /// Reads what former processes have noted. On loop 0.
    package static func open(directory: String, disk: any Disk) async throws(MetadataError) -> TruncationTimes {
        let record = DurableRecord(disk: disk, directory: directory, name: "truncations", magic: magic)
        guard let payload = try await record.load() else { return TruncationTimes(record, [:]) }
        do throws(DecodingError) {
            return TruncationTimes(record, try entries(payload))
        } catch { throw .damaged(path: record.path, reason: "\(error)") }
    }

    private static func entries(_ payload: [UInt8]) throws(DecodingError) -> [UUID: Entry] {
        var entries: [UUID: Entry] = [:]
        var reader = ByteReader(payload.span.bytes)
        let hasStamps: Bool = payload.count % 8 == 1
        if hasStamps, try reader.readUInt8() != format { throw .invalid(offset: 0, what: "an unknown format") }
        while !reader.isAtEnd {
            let high: UInt64 = try reader.readUInt64()
            let table = UUID(high: high, low: try reader.readUInt64())
            var entry = Entry(microseconds: try reader.readInt64())
            if hasStamps { entry.begun = try reader.readInt64() }
            // Who has stopped before the end has not answered, so that nobody was promised anything.
            entry.finished = entry.begun
            entries[table] = entry
        }
        return entries
    }

    /// When a table was last truncated here, in microseconds since 1970.
    package func time(of table: UUID) -> Int64? {
        state.withLock { state in state.entries[table].flatMap { $0.microseconds == .min ? nil : $0.microseconds } }
    }

    /// All of them.
    package var all: [UUID: Int64] {
        state.withLock { state in
            state.entries.compactMapValues { $0.microseconds == .min ? nil : $0.microseconds }
        }
    }

    // MARK: Stamps

    /// The last truncation of a table that this node has finished; 0 for none. What is read after asking is of after it.
    package func finished(_ table: UUID) -> Int64 { state.withLock { $0.entries[table]?.finished ?? 0 } }

    /// The last truncation of a table that this node knows of; 0 for none.
    package func begun(_ table: UUID) -> Int64 { state.withLock { $0.entries[table]?.begun ?? 0 } }

    /// Notes that a table is about to be emptied; durable when this returns. On loop 0.
    ///
    /// - Returns: nil; or the stamp of another truncation that is not older than this one, which is not noted then.
    package func begin(
        _ table: UUID, stamp: Int64, at microseconds: Int64
    ) async throws(MetadataError) -> Int64? {
        try await change { entries in
            var entry: Entry = entries[table] ?? Entry()
            guard entry.begun < stamp else { return entry.begun }
            entry.begun = stamp
            entry.microseconds = max(microseconds, entry.microseconds)
            entries[table] = entry
            return nil
        }
    }

    /// To be called when everything from before a truncation is gone.
    package func finish(_ table: UUID, stamp: Int64) {
        state.withLock { state in
            guard var entry = state.entries[table], entry.begun >= stamp else { return }
            entry.finished = max(entry.finished, stamp)
            state.entries[table] = entry
        }
    }

    /// Notes that a table is emptied by itself, as part of no truncation; durable when this returns. On loop 0.
    package func note(_ table: UUID, at microseconds: Int64) async throws(MetadataError) {
        _ = try await change { entries in
            var entry: Entry = entries[table] ?? Entry()
            entry.microseconds = max(microseconds, entry.microseconds)
            entries[table] = entry
            return nil
        }
    }

    // MARK: Truncations that passed this node by

    /// Whether a truncation that others have finished has passed this node by: it was no member then, or could not do its
    /// part and nobody was told that the table is empty. It is known for so long that no answer is waited for any more.
    package func hasMissed(_ stamp: Int64, of table: UUID, at nanoseconds: UInt64) -> Bool {
        state.withLock { state in
            guard stamp > state.entries[table]?.finished ?? 0 else {
                state.heard[table] = nil
                return false
            }
            guard let known = state.heard[table], known.stamp == stamp else {
                state.heard[table] = (stamp, nanoseconds)
                return false
            }
            return nanoseconds &- known.sinceNanoseconds
                > UInt64(max(0, TruncationTimes.longestTruncation / .nanoseconds(1)))
        }
    }

    /// Notes a truncation that has passed this node by as one of its own, without removing anything: from now on it
    /// exchanges rows with those that have carried it out. On loop 0.
    package func adopt(_ stamp: Int64, of table: UUID) async throws(MetadataError) {
        _ = try await change { entries in
            var entry: Entry = entries[table] ?? Entry()
            entry.begun = max(entry.begun, stamp)
            entries[table] = entry
            return nil
        }
        finish(table, stamp: stamp)
        state.withLock { $0.heard[table] = nil }
    }

    /// Forgets tables that are gone. On loop 0.
    package func forget(_ tables: [UUID]) async throws(MetadataError) {
        let isKnown: Bool = state.withLock { state in
            for table in tables { state.heard[table] = nil }
            return tables.contains { state.entries[$0] != nil }
        }
        guard isKnown else { return }
        _ = try await change { entries in
            for table in tables { entries[table] = nil }
            return nil
        }
    }

    /// One change at a time: each is written over the one before.
    ///
    /// - Parameter body: returns something when it has changed nothing.
    private func change(_ body: (inout [UUID: Entry]) -> Int64?) async throws(MetadataError) -> Int64? {
        await gate.enter()
        defer { gate.leave() }
        var changed: [UUID: Entry] = state.withLock { $0.entries }
        if let reason = body(&changed) { return reason }
        var writer = ByteWriter(capacity: 1 + 32 * changed.count)
        writer.write(TruncationTimes.format)
        for (table, entry) in changed.sorted(by: { ($0.key.high, $0.key.low) < ($1.key.high, $1.key.low) }) {
            writer.write(table.high)
            writer.write(table.low)
            writer.write(entry.microseconds)
            writer.write(entry.begun)
        }
        try await record.store(writer.array())
        let kept: [UUID: Entry] = changed
        state.withLock { state in
            var next: [UUID: Entry] = kept
            // What was finished meanwhile stays so.
            for (table, entry) in state.entries {
                if let known = next[table]?.finished { next[table]?.finished = max(known, entry.finished) }
            }
            state.entries = next
        }
        return nil
    }
}
