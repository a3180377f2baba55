import Cluster
import DataModel
import Environment
import Primitives
import Synchronization

/// A second for every token of some tables (`TokenSeconds`), kept in one durable record.
///
/// Read and changed on any loop; made durable when its owner says so, a little later.
///
///     payload := (table (16) · seconds (`TokenSeconds`))*, ascending by table
final class TokenSecondsRecord: Sendable {
    private struct State {
        var tables: [UUID: TokenSeconds]
        var isChanged = false
    }

    private let record: DurableRecord
    private let state: Mutex<State>
    private let gate = HintGate()

    private init(_ record: DurableRecord, _ tables: [UUID: TokenSeconds]) {
        self.record = record
        self.state = Mutex(State(tables: tables))
    }

    /// Reads what former processes knew. A record that is damaged is as good as none. On loop 0.
    static func open(name: String, magic: UInt32, directory: String, disk: any Disk) async -> TokenSecondsRecord {
        let record = DurableRecord(disk: disk, directory: directory, name: name, magic: magic)
        do {
            guard let payload = try await record.load() else { return TokenSecondsRecord(record, [:]) }
            return TokenSecondsRecord(record, try TokenSecondsRecord.read(payload))
        } catch {
            return TokenSecondsRecord(record, [:])
        }
    }

    var isEmpty: Bool { state.withLock { $0.tables.isEmpty } }

    /// What is known of a table; nil when that is nothing. Hot while a compaction runs: once per partition.
    subscript(table: UUID) -> TokenSeconds? { state.withLock { $0.tables[table] } }

    /// Changes what is known of a table; a table of which nothing is left is forgotten.
    func change(_ table: UUID, _ body: (inout TokenSeconds) -> Void) {
        state.withLock { state in
            let before: TokenSeconds = state.tables[table] ?? TokenSeconds()
            var after: TokenSeconds = before
            body(&after)
            guard after != before else { return }
            state.tables[table] = after.isEmpty ? nil : after
            state.isChanged = true
        }
    }

    /// Forgets the tables that are not among these.
    func keep(only tables: Set<UUID>) {
        state.withLock { state in
            let count: Int = state.tables.count
            state.tables = state.tables.filter { tables.contains($0.key) }
            if state.tables.count != count { state.isChanged = true }
        }
    }

    /// Makes durable what has changed. On loop 0.
    func save() async throws(MetadataError) {
        await gate.enter()
        defer { gate.leave() }
        let payload: [UInt8]? = state.withLock { state in
            guard state.isChanged else { return nil }
            state.isChanged = false
            return TokenSecondsRecord.payload(state.tables)
        }
        guard let payload else { return }
        do throws(MetadataError) {
            try await record.store(payload)
        } catch {
            state.withLock { $0.isChanged = true }
            throw error
        }
    }

    private static func payload(_ tables: [UUID: TokenSeconds]) -> [UInt8] {
        var writer = ByteWriter()
        for (table, seconds) in tables.sorted(by: { ($0.key.high, $0.key.low) < ($1.key.high, $1.key.low) }) {
            writer.write(table.high)
            writer.write(table.low)
            seconds.write(to: &writer)
        }
        return writer.array()
    }

    private static func read(_ payload: [UInt8]) throws(DecodingError) -> [UUID: TokenSeconds] {
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
