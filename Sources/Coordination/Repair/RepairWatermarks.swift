package import Cluster
package import DataModel
package import Environment
package import Primitives

/// For each table and token, up to when everything that was written is known to be on all replicas: only tombstones older
/// than that may be dropped, for only they cannot be missing somewhere where what they delete still is.
///
/// Kept a little later than it becomes known: to have forgotten a watermark only keeps tombstones longer.
package final class RepairWatermarks: Sendable {
    private let known: TokenSecondsRecord

    private static let magic: UInt32 = 0x4D4C_5257

    private init(_ known: TokenSecondsRecord) {
        self.known = known
    }

    /// Reads what former processes knew. On loop 0.
    package static func open(directory: String, disk: any Disk) async -> RepairWatermarks {
        RepairWatermarks(
            await TokenSecondsRecord.open(name: "watermarks", magic: magic, directory: directory, disk: disk))
    }

    /// Takes note of that all replicas were equal. Called on any loop.
    package func note(_ table: UUID, _ tokens: ClosedRange<Token>, repairedAtSeconds seconds: Int64) {
        known.change(table) { $0.raise(tokens, to: seconds) }
    }

    /// Takes over what the nodes knew from which this one has the range.
    ///
    /// - Parameter seconds: the smallest of theirs; `TokenSeconds.never` when one of them knew nothing.
    package func inherit(table: UUID, range: RingRange, seconds: Int64) {
        known.change(table) { known in
            for tokens in range.unwrapped.compactMap(\.tokens) { known.set(tokens, to: seconds) }
        }
    }

    /// The smallest watermark of a range; `TokenSeconds.never` when some of it was never repaired.
    package func watermark(table: UUID, range: RingRange) -> Int64 {
        guard let known = known[table] else { return TokenSeconds.never }
        return range.unwrapped.compactMap(\.tokens).map { known.smallest(in: $0) }.min() ?? TokenSeconds.never
    }

    /// Hot while a compaction runs: once per partition.
    package func watermark(table: UUID, token: Token) -> Int64 {
        known[table]?.seconds(of: token) ?? TokenSeconds.never
    }

    /// Forgets the tables that are not among these.
    package func keep(only tables: Set<UUID>) { known.keep(only: tables) }

    /// Makes durable what has become known. On loop 0.
    package func save() async throws(MetadataError) { try await known.save() }
}
