package import DataModel
import Environment
package import Primitives

/// Data of one table that comes from elsewhere, in files that nobody sees until all of them are made live.
///
///     rows, by shard ─▶ RowIngest ─┐
///     whole files ────▶ FileIngest ┴─▶ files that no manifest lists ─▶ commit: one manifest edit for each shard
///
/// Whoever began it ends it with `commit` or `abort`. A process that dies in between leaves files that the next start
/// removes. Data that is here already may come again: reads merge it.
package final class TableIngest: Sendable {
    /// What came of it.
    package enum Outcome: Sendable, Equatable {
        case live
        /// The table was emptied here after the ingest had begun: what was fetched is, in part at least, from before.
        case truncated
        /// The table is not there any more.
        case gone
    }

    package let tableID: UUID
    let host: Host
    package let slices: ShardSlices
    let shards: [ShardIngest]

    private init(_ tableID: UUID, _ slices: ShardSlices, _ shards: [ShardIngest], host: Host) {
        self.tableID = tableID
        self.slices = slices
        self.shards = shards
        self.host = host
    }

    /// Begins; nil when there is no such table. What is fetched has to be read where it comes from after this.
    ///
    /// - Parameter fileByteCountLimit: of the files that rows are written to.
    package static func begin(
        _ tableID: UUID, in engine: StorageEngine, fileByteCountLimit: Int = 1 << 30
    ) async throws(StorageError) -> TableIngest? {
        var shards: [ShardIngest] = []
        for shard in engine.shards {
            let call = LoopCall<ShardIngest?>("begin an ingest", on: shard.loop, of: engine.host) {
                () throws(StorageError) in
                guard let table = shard.table(tableID), !table.isOrphan else { return nil }
                return ShardIngest(shard, table, fileByteCountLimit: fileByteCountLimit)
            }
            guard let found = try await call.value() else { return nil }
            shards.append(found)
        }
        return TableIngest(tableID, engine.slices, shards, host: engine.host)
    }

    // MARK: Rows

    /// Says that rows of some ranges come for a shard, in order. Once for a shard and session; rows of a former session
    /// of the same shard must have been ended with `interruptRows`.
    ///
    /// - Parameter expectedPartitionCount: sizes filters.
    package func beginRows(
        on shard: Int, in ranges: TokenRanges, expectedPartitionCount: Int
    ) async throws(StorageError) {
        try await on(shard) { (part) throws(StorageError) in
            try await part.endRows()
            part.rows = RowIngest(
                part.shard, part.table, ranges, expectedPartitionCount: expectedPartitionCount,
                fileByteCountLimit: part.fileByteCountLimit)
        }
    }

    /// Writes a chunk that `CapturedRows` has made.
    ///
    /// - Returns: how far the rows have come, whether this was the last chunk, and how many rows it had.
    package func addRows(
        _ chunk: [UInt8], on shard: Int
    ) async throws(StorageError) -> (position: StreamPosition?, isLast: Bool, rowCount: Int) {
        try await on(shard) { (part) throws(StorageError) in
            guard let rows = part.rows else { throw .closed }
            let before: Int = rows.rowCount
            let isLast: Bool = try await rows.add(chunk)
            return (rows.position, isLast, rows.rowCount - before)
        }
    }

    /// Ends the rows of a shard, wherever they are.
    package func endRows(on shard: Int) async throws(StorageError) {
        try await on(shard) { (part) throws(StorageError) in try await part.endRows() }
    }

    // MARK: Files

    /// Begins to take a whole file.
    ///
    /// - Throws: `.decoding` when it cannot be a file of an SSTable.
    package func beginFile(_ offer: OfferedFile) async throws(StorageError) -> FileIngest {
        guard offer.byteCount > 0, offer.byteCount < 1 << 46 else {
            throw .decoding(.invalid(offset: 0, what: "an impossible size of a file"))
        }
        return try await FileIngest.begin(self, offer)
    }

    // MARK: The end

    /// Makes everything live. On each shard in one step; a crash may leave it live on some shards only, and then all of
    /// it is fetched again.
    package func commit() async throws(StorageError) -> Outcome {
        var outcome: Outcome = .live
        var failure: StorageError?
        for index in shards.indices {
            do throws(StorageError) {
                switch try await on(index, { (part) throws(StorageError) in try await part.commit() }) {
                case .live: break
                case .truncated: outcome = .truncated
                case .gone: outcome = .gone
                }
            } catch { failure = failure ?? error }
        }
        if let failure { throw failure }
        return outcome
    }

    /// Gives everything up.
    package func abort() async {
        for index in shards.indices {
            do throws(StorageError) {
                try await on(index) { (part) throws(StorageError) in await part.abort() }
            } catch {
                // Nothing above fails.
            }
        }
    }

    private func on<Value>(
        _ shard: Int, _ body: @escaping @Sendable (ShardIngest) async throws(StorageError) -> Value
    ) async throws(StorageError) -> Value {
        guard shards.indices.contains(shard) else { throw .closed }
        let part: ShardIngest = shards[shard]
        let call = LoopCall<Value>("ingest", on: part.shard.loop, of: host) { () throws(StorageError) in
            try await body(part)
        }
        return try await call.value()
    }
}

/// One shard's part of an ingest. Confined to the loop of the shard; `Sendable` is unchecked for that reason.
final class ShardIngest: @unchecked Sendable {
    let shard: ShardStore
    let table: TableStore
    let fileByteCountLimit: Int
    private let truncationCount: Int
    var rows: RowIngest?
    /// Finished, and not live.
    var files: [LiveSSTable] = []

    init(_ shard: ShardStore, _ table: TableStore, fileByteCountLimit: Int) {
        self.shard = shard
        self.table = table
        self.fileByteCountLimit = fileByteCountLimit
        self.truncationCount = table.truncationCount
    }

    func endRows() async throws(StorageError) {
        guard let rows else { return }
        try await rows.interrupt()
        files += rows.files
        self.rows = nil
    }

    func commit() async throws(StorageError) -> ShardIngestOutcome {
        try await endRows()
        let finished: [LiveSSTable] = files
        // They are not given up when the edit fails: the disk may have taken it all the same.
        files = []
        let outcome: ShardIngestOutcome = try await shard.ingest(
            finished, of: table, unlessTruncatedAfter: truncationCount)
        if outcome != .live { await shard.discardIngested(finished) }
        return outcome
    }

    func abort() async {
        await rows?.abort()
        rows = nil
        await shard.discardIngested(files)
        files = []
    }
}
