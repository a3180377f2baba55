import DataModel
import Environment
import Primitives

/// Removing what the node is not to keep any more. It is done file by file between other compactions, each at the pace
/// of the compactions' throttle.
extension ShardStore {
    /// Says which tokens of a table are to be kept. No compaction is under way when this returns that thinks otherwise.
    func setOwned(_ ranges: TokenRanges?, of table: TableStore) async {
        guard table.owned != ranges else { return }
        await stopCompaction(of: table)
        // Compactions may have taken away what was not owned, and take away what is not owned any more.
        for tokens in [table.owned, ranges].compactMap({ $0?.missing(in: .minimum ... .maximum) }).joined() {
            table.markChanged(tokens)
        }
        table.owned = ranges
        suspectFiles(of: table)
        table.compactionBarrierCount -= 1
        requestCompaction(table)
    }

    /// Puts every file that may hold other tokens on the list of those to be looked at.
    func suspectFiles(of table: TableStore) {
        guard let owned = table.owned else {
            table.foreignSuspects = []
            return
        }
        table.foreignSuspects = Set(
            table.sstables.filter { file in
                guard let tokens = file.table.tokens else { return false }
                return !owned.contains(tokens)
            }.map(\.generation))
    }

    /// Removes everything that a table has of other tokens, now.
    ///
    /// - Returns: how many files were rewritten or removed.
    func clean(_ table: TableStore) async throws(StorageError) -> Int {
        guard table.owned != nil else { return 0 }
        try await flush(table)
        await compactionGate.enter()
        defer { compactionGate.leave() }
        let before: Int = table.cleanedCount
        suspectFiles(of: table)
        while table.compactionBarrierCount == 0, !isClosed, try await cleanOnce(table) {}
        return table.cleanedCount - before
    }

    /// Looks at one file that may hold other tokens; false when there is none. The caller has the compaction gate.
    func cleanOnce(_ table: TableStore) async throws(StorageError) -> Bool {
        guard let owned = table.owned else { return false }
        while let generation = table.foreignSuspects.min() {
            guard let file = table.sstables.first(where: { $0.generation == generation }),
                let tokens = file.table.tokens
            else {
                table.foreignSuspects.remove(generation)
                continue
            }
            if try await hasPartitions(file, in: owned.missing(in: tokens)) {
                guard table.compactionBarrierCount == 0, table.owned == owned else { return false }
                if owned.intersects(tokens) {
                    try await compact([file], of: table, .cleanup)
                } else {
                    try await drop(file, of: table)
                }
                guard !table.sstables.contains(where: { $0.generation == generation }) else { return false }
                table.cleanedCount += 1
            }
            table.foreignSuspects.remove(generation)
            return true
        }
        return false
    }

    /// Whether a file has a partition in any of some runs of tokens: one look at its index for each.
    private func hasPartitions(
        _ file: LiveSSTable, in runs: [ClosedRange<Token>]
    ) async throws(StorageError) -> Bool {
        for run in runs {
            let command = ReadCommand(
                partitions: .range(start: .before(run.lowerBound), end: .after(run.upperBound)), slices: [])
            let cursor: SSTableCursor = file.table.makeCursor(command, cache: cache)
            looking: while true {
                switch try cursor.nextPartition() {
                case .ready: return true
                case .end: break looking
                case .blocked: try await cursor.load()
                }
            }
        }
        return false
    }

    /// Removes a file that has nothing to keep.
    private func drop(_ file: LiveSSTable, of table: TableStore) async throws(StorageError) {
        try await editManifest { $0.replace([file.generation], with: [], in: table.id) }
        table.replaceSSTables(removing: [file.generation], adding: [])
        retire([file])
    }
}
