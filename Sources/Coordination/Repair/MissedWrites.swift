package import Cluster
package import DataModel
package import Environment
package import Primitives
import Synchronization

/// Where replicas have missed writes for good, as far as this node knows: it has given up the hints. These ranges are
/// repaired before all others.
///
/// The ring is cut into `cellCount` equal cells, so that what is kept is bounded however many writes are missed.
///
///     payload of the record := (table (16) · seconds (`TokenSeconds`))*
package final class MissedWrites: Sendable {
    private struct State {
        var tables: [UUID: TokenSeconds] = [:]
        /// When hints of nobody knows which tables were given up.
        var everythingAtSeconds: Int64 = TokenSeconds.never
        var isChanged = false
    }

    private static let cellBits: UInt64 = 10
    package static let cellCount = 1 << 10
    /// A cell is marked for a while ahead, so that a stream of missed writes costs no more than one look each.
    private static let aheadSeconds: Int64 = 8

    private let record: DurableRecord
    private let time: any TimeSource
    private let state: Mutex<State>
    private let gate = HintGate()

    private static let magic: UInt32 = 0x4D4C_524D

    private init(_ record: DurableRecord, _ time: any TimeSource, _ tables: [UUID: TokenSeconds]) {
        self.record = record
        self.time = time
        self.state = Mutex(State(tables: tables))
    }

    /// Reads what former processes have marked. On loop 0.
    package static func open(directory: String, host: Host) async -> MissedWrites {
        let record = DurableRecord(disk: host.disk, directory: directory, name: "missed", magic: magic)
        var tables: [UUID: TokenSeconds] = [:]
        do {
            if let payload = try await record.load() { tables = try TokenSeconds.read(payload) }
        } catch {
            // Every range is verified in its turn, marked or not.
        }
        return MissedWrites(record, host.time, tables)
    }

    // MARK: Marking

    /// A replica will not hear of a mutation. Called on any loop.
    package func note(_ mutation: RawSpan) {
        guard let table = UUID(mutation), let token = Token(ofMutation: mutation) else { return }
        note(table, token)
    }

    package func note(_ table: UUID, _ token: Token) {
        let width: UInt64 = .max >> MissedWrites.cellBits
        let first: UInt64 = token.ordinal & ~width
        let cell: ClosedRange<Token> = Token(ordinal: first)...Token(ordinal: first | width)
        let now: Int64 = time.wallSeconds
        state.withLock { state in
            if let known = state.tables[table], known.smallest(in: cell) >= now { return }
            state.tables[table, default: TokenSeconds()].raise(cell, to: now + MissedWrites.aheadSeconds)
            state.isChanged = true
        }
    }

    /// Hints were given up that nobody has looked into.
    package func noteEverything() {
        let now: Int64 = time.wallSeconds
        state.withLock { $0.everythingAtSeconds = max($0.everythingAtSeconds, now) }
    }

    /// Marks all ranges of these tables, if hints of unknown tables were given up.
    package func spread(over tables: [UUID]) {
        state.withLock { state in
            guard state.everythingAtSeconds > TokenSeconds.never else { return }
            for table in tables {
                state.tables[table, default: TokenSeconds()].raise(.minimum ... .maximum, to: state.everythingAtSeconds)
            }
            state.everythingAtSeconds = TokenSeconds.never
            state.isChanged = true
        }
    }

    // MARK: Repairing

    package var isEmpty: Bool { state.withLock { $0.tables.isEmpty && $0.everythingAtSeconds == TokenSeconds.never } }

    /// The tokens of a table that were missed somewhere, ascending, neighbours joined.
    package func tokens(of table: UUID) -> [ClosedRange<Token>] {
        guard let known = state.withLock({ $0.tables[table] }) else { return [] }
        var found: [ClosedRange<Token>] = []
        for (index, run) in known.runs.enumerated() where run.seconds > TokenSeconds.never {
            let next: Token? = index + 1 < known.runs.count ? known.runs[index + 1].first : nil
            let last: Token = next.map { Token(ordinal: $0.ordinal - 1) } ?? .maximum
            if let before = found.last, before.upperBound.ordinal &+ 1 == run.first.ordinal {
                found[found.count - 1] = before.lowerBound...last
            } else {
                found.append(run.first...last)
            }
        }
        return found
    }

    /// Whether anything of a range is marked.
    package func contains(_ table: UUID, _ tokens: ClosedRange<Token>) -> Bool {
        state.withLock { $0.tables[table].map { $0.largest(in: tokens) > TokenSeconds.never } ?? false }
    }

    /// All replicas were equal as of a cut: what was missed before it is there now.
    package func clear(_ table: UUID, _ tokens: ClosedRange<Token>, cutAtSeconds: Int64) {
        state.withLock { state in
            guard var known = state.tables[table] else { return }
            // The marks are ahead of the writes, so that those of the last seconds before the cut are repaired again.
            known.change(tokens) { $0 < cutAtSeconds ? TokenSeconds.never : $0 }
            guard known != state.tables[table] else { return }
            state.tables[table] = known.isEmpty ? nil : known
            state.isChanged = true
        }
    }

    /// Forgets the tables that are not among these.
    package func keep(only tables: Set<UUID>) {
        state.withLock { state in
            let count: Int = state.tables.count
            state.tables = state.tables.filter { tables.contains($0.key) }
            if state.tables.count != count { state.isChanged = true }
        }
    }

    /// Makes the marks durable. On loop 0.
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
