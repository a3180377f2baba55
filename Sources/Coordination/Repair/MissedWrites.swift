package import Cluster
package import DataModel
package import Environment
package import Primitives
import Synchronization

/// Where replicas have missed writes for good, as far as this node knows: it has given up the hints. These ranges are
/// repaired before all others.
///
/// The ring is cut into `cellCount` equal cells, so that what is kept is bounded however many writes are missed.
package final class MissedWrites: Sendable {
    private let marks: TokenSecondsRecord
    /// When hints of nobody knows which tables were given up.
    private let everythingAtSeconds = Mutex<Int64>(TokenSeconds.never)
    private let time: any TimeSource

    private static let cellBits: UInt64 = 10
    package static let cellCount = 1 << 10
    /// A cell is marked for a while ahead, so that a stream of missed writes costs no more than one look each.
    private static let aheadSeconds: Int64 = 8

    private static let magic: UInt32 = 0x4D4C_524D

    private init(_ marks: TokenSecondsRecord, _ time: any TimeSource) {
        self.marks = marks
        self.time = time
    }

    /// Reads what former processes have marked; should that be lost, every range is still verified in its turn. On loop 0.
    package static func open(directory: String, host: Host) async -> MissedWrites {
        MissedWrites(
            await TokenSecondsRecord.open(name: "missed", magic: magic, directory: directory, disk: host.disk),
            host.time)
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
        marks.change(table) { known in
            if known.smallest(in: cell) < now { known.raise(cell, to: now + MissedWrites.aheadSeconds) }
        }
    }

    /// Hints were given up that nobody has looked into.
    package func noteEverything() {
        let now: Int64 = time.wallSeconds
        everythingAtSeconds.withLock { $0 = max($0, now) }
    }

    /// Marks all ranges of these tables, if hints of unknown tables were given up.
    package func spread(over tables: [UUID]) {
        let seconds: Int64 = everythingAtSeconds.withLock { $0 }
        guard seconds > TokenSeconds.never else { return }
        for table in tables {
            marks.change(table) { $0.raise(.minimum ... .maximum, to: seconds) }
        }
        everythingAtSeconds.withLock { if $0 == seconds { $0 = TokenSeconds.never } }
    }

    // MARK: Repairing

    package var isEmpty: Bool { marks.isEmpty && everythingAtSeconds.withLock { $0 == TokenSeconds.never } }

    /// The tokens of a table that were missed somewhere, ascending, neighbours joined.
    package func tokens(of table: UUID) -> [ClosedRange<Token>] {
        guard let known = marks[table] else { return [] }
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
        marks[table].map { $0.largest(in: tokens) > TokenSeconds.never } ?? false
    }

    /// All replicas were equal as of a cut: what was missed before it is there now.
    package func clear(_ table: UUID, _ tokens: ClosedRange<Token>, cutAtSeconds: Int64) {
        // The marks are ahead of the writes, so that those of the last seconds before the cut are repaired again.
        marks.change(table) { known in
            known.change(tokens) { $0 < cutAtSeconds ? TokenSeconds.never : $0 }
        }
    }

    /// Forgets the tables that are not among these.
    package func keep(only tables: Set<UUID>) { marks.keep(only: tables) }

    /// Makes the marks durable. On loop 0.
    package func save() async throws(MetadataError) { try await marks.save() }
}
