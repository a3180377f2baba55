import DataModel
import Environment
import Primitives

/// What became of files that were to be made live.
enum ShardIngestOutcome: Sendable, Equatable {
    case live
    /// The table was emptied after the files were begun: what is in them is from before.
    case truncated
    /// The table is not there any more.
    case gone
}

extension ShardStore {
    /// Makes files live that came from elsewhere, all in one step as everybody sees it and as a crash leaves it. Their
    /// names are durable already. What is in memory stays as it is.
    ///
    /// - Parameter truncationCount: of the table, before the first of what the files hold was read where it comes from.
    func ingest(
        _ files: [LiveSSTable], of table: TableStore, unlessTruncatedAfter truncationCount: Int
    ) async throws(StorageError) -> ShardIngestOutcome {
        // A truncation has the gate while it takes the list of files: it sees all of these or none.
        await flushGate.enter()
        defer { flushGate.leave() }
        if isClosed { throw .closed }
        guard self.table(table.id) === table else { return .gone }
        guard table.truncationCount == truncationCount else { return .truncated }
        if files.isEmpty { return .live }
        try await table.change(files.compactMap(\.table.tokens)) { () throws(StorageError) in
            // From here on nothing is undone: the disk may have taken the edit even when it failed.
            try await editManifest { manifest in
                manifest.add(files.map(\.entry), to: table.id, flushed: .start)
            }
            table.replaceSSTables(removing: [], adding: files)
        }
        requestCompaction(table)
        return .live
    }

    /// Gives up files that were never live.
    func discardIngested(_ files: [LiveSSTable]) async {
        for file in files {
            await file.table.close()
            await removeUnlisted(file.generation)
        }
    }
}
