package import Cluster
package import DataModel
package import Environment
package import Primitives
package import Storage

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

    /// Takes over what a node knew before everything was fetched from it that it had of some ranges: whatever was on all
    /// replicas then, as it vouches, is here now.
    ///
    /// - Parameters:
    ///   - seconds: what it knew of each token.
    ///   - isFirst: whether it is the first of the nodes from which these ranges come; of several the smallest counts.
    package func inherit(_ table: UUID, _ ranges: TokenRanges, _ seconds: TokenSeconds, isFirst: Bool) {
        known.change(table) { known in
            for (tokens, seconds) in ranges.runs.flatMap({ seconds.seconds(in: $0) }) {
                known.change(tokens) { isFirst ? seconds : min($0, seconds) }
            }
        }
    }

    /// What a node is told that fetches some ranges of a table: for each token the watermark, or an earlier one.
    ///
    /// - Parameter limit: how many different runs it is told of.
    package func watermarks(_ table: UUID, _ ranges: TokenRanges, limit: Int = 4_096) -> TokenSeconds {
        var told = TokenSeconds()
        guard let known = known[table] else { return told }
        let runs = ranges.runs.flatMap { known.seconds(in: $0) }
        if runs.count > limit {
            let smallest: Int64 = runs.map(\.seconds).min() ?? TokenSeconds.never
            told.raise(.minimum ... .maximum, to: smallest)
        } else {
            for (tokens, seconds) in runs { told.set(tokens, to: seconds) }
        }
        return told
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
