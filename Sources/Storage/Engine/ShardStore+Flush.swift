import DataModel
import Environment
import Primitives

/// From memory to files. Memtables are written one at a time, oldest first, so that the position up to which the log is
/// no longer needed only grows.
extension ShardStore {
    /// How many rows are written before other work of the loop gets its turn.
    private static var rowsPerTurn: Int { 256 }
    /// How long a flush that failed waits for its next attempt.
    private static var retryDelay: Duration { .seconds(1) }

    /// Ends the writing into a table's memtable and sends it to the disk. Does nothing when it is empty.
    func requestFlush(_ table: TableStore) {
        if freeze(table) {
            startFlusher()
        } else if table.frozen.isEmpty {
            // A record that the memtable refused may be all that the log keeps of the table.
            logFlushed(table.id, upTo: lastLogged)
        }
    }

    /// Writes everything that a table has in memory now to files.
    ///
    /// - Throws: why the first attempt failed. Attempts go on in the background; nothing is lost.
    func flush(_ table: TableStore) async throws(StorageError) {
        if freeze(table) { startFlusher() }
        guard let last = table.frozen.last else { return }
        startFlusher()
        let failure: StorageError? = await withUnsafeContinuation { last.waiting.append($0) }
        if let failure { throw failure }
    }

    /// Writes everything that all tables have in memory now to files; the tables are written even when one fails.
    func flushAll() async throws(StorageError) {
        for id in tableIDs {
            if let table = table(id) { _ = freeze(table) }
        }
        var failure: StorageError?
        for id in tableIDs {
            guard let table = table(id) else { continue }
            do throws(StorageError) {
                try await flush(table)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
    }

    /// Makes the memtable a frozen one, last in the queue; false when there is nothing in it.
    func freeze(_ table: TableStore) -> Bool {
        guard let memtable = table.memtable, !memtable.isEmpty else { return false }
        memtable.freeze()
        let frozen = FrozenMemtable(memtable, flushed: lastLogged)
        table.memtable = nil
        table.frozen.append(frozen)
        memtableFroze(frozen.byteCount)
        flushQueue.append((table, frozen))
        return true
    }

    func startFlusher() {
        guard !isFlushing, !flushQueue.isEmpty else { return }
        isFlushing = true
        flusher = host.background.run("flush memtables", on: loop) { [self] in await emptyFlushQueue() }
    }

    private func emptyFlushQueue() async {
        while let next = flushQueue.first {
            await flushGate.enter()
            // A truncation may have taken it away meanwhile.
            guard let current = flushQueue.first, current.memtable === next.memtable else {
                flushGate.leave()
                continue
            }
            var failure: StorageError?
            do throws(StorageError) {
                try await write(next.memtable, of: next.table)
            } catch {
                failure = error
            }
            flushGate.leave()
            backgroundFailure = failure
            next.memtable.tellWaiting(failure)
            // Those behind it wait for a disk that does not take this one: they hear of it now, not some day.
            if failure != nil { for entry in flushQueue { entry.memtable.tellWaiting(failure) } }
            if failure != nil, await !pauseBeforeRetry() { break }
        }
        isFlushing = false
        for entry in flushQueue { entry.memtable.tellWaiting(backgroundFailure ?? .closed) }
    }

    /// False when there will be no further attempt. Who came during the pause gets one, whatever happened meanwhile.
    private func pauseBeforeRetry() async -> Bool {
        if isClosed { return false }
        do {
            try await host.time.sleep(for: ShardStore.retryDelay)
        } catch {
            return false
        }
        return true
    }

    /// One attempt to put a frozen memtable into a file and to say so in the manifest.
    private func write(_ frozen: FrozenMemtable, of table: TableStore) async throws(StorageError) {
        if frozen.file == nil { frozen.file = try await writeFile(frozen, of: table) }
        let added: [LiveSSTable] = frozen.file.map { [$0] } ?? []
        // The file stays when the edit fails: the disk may have taken the edit all the same. The next attempt is only
        // for the edit.
        try await editManifest { manifest in
            manifest.add(added.map(\.entry), to: table.id, flushed: frozen.flushed)
        }
        table.replaceSSTables(removing: [], adding: added)
        // Which leaves it was has been marked while the file was written.
        table.contentChangeCount &+= 1
        forget(frozen, of: table)
        table.flushCount += 1
        table.flushedByteCount += frozen.file?.byteCount ?? 0
        logFlushed(table.id, upTo: frozen.flushed)
        if let file = frozen.file, backupFolder != nil {
            do throws(StorageError) {
                try await backUp(file, of: table)
            } catch {
                // The data is safe without: whoever looks after the backups has to hear of it.
                backupFailure = error
            }
        }
        requestCompaction(table)
    }

    /// Takes a frozen memtable out of everything: its contents are in a file, or were truncated.
    func forget(_ frozen: FrozenMemtable, of table: TableStore) {
        table.frozen.removeAll { $0 === frozen }
        flushQueue.removeAll { $0.memtable === frozen }
        memtableVanished(frozenByteCount: frozen.byteCount)
    }

    /// Nil when the memtable held nothing that is worth a file.
    private func writeFile(
        _ frozen: FrozenMemtable, of table: TableStore
    ) async throws(StorageError) -> LiveSSTable? {
        try await ensureManifest()
        let options = SSTableWriter.Options(
            table: table.definition, generation: takeGeneration(),
            expectedPartitionCount: frozen.memtable.statistics.partitionCount, logPosition: frozen.flushed.value,
            createdSeconds: host.time.wallSeconds)
        let writer: SSTableWriter = try await SSTableWriter.create(in: folder, disk: host.disk, options: options)
        let description: SSTableDescription?
        do throws(StorageError) {
            let source: any SourceCursor = frozen.memtable.makeCursor(ReadCommand(partitions: .all))
            try await copy(ReadCursor(sources: [source], isReversed: false), of: table, to: writer)
            description = try await writer.finish()
        } catch {
            await writer.abort()
            await removeUnlisted(options.generation)
            throw error
        }
        guard let description else { return nil }
        return try await LiveSSTable.open(description, in: self)
    }

    /// Removes a file that no manifest lists and that nobody has opened.
    func removeUnlisted(_ generation: UInt64) async {
        do throws(DiskError) {
            try await host.disk.remove(folder + "/" + SSTableName.file(generation))
        } catch {
            // Mostly it does not exist. One that stays is removed at the next start.
        }
    }

    private func copy(
        _ cursor: ReadCursor, of table: TableStore, to writer: SSTableWriter
    ) async throws(StorageError) {
        var isInPartition = false
        var turnRowCount = 0
        while true {
            switch try cursor.step() {
            case .partition:
                if isInPartition { writer.endPartition() }
                isInPartition = true
                table.hashes.forget(cursor.token)
                writer.beginPartition(token: cursor.token, key: cursor.key, deletion: cursor.partitionDeletion)
                if !cursor.staticRow.isEmpty { try writer.setStaticRow(cursor.staticRow) }
                for range in cursor.rangeDeletions { writer.addRangeDeletion(range) }
            case .row:
                try writer.addRow(clustering: cursor.clustering, row: cursor.row)
            case .blocked:
                try await cursor.load()
            case .end:
                if isInPartition { writer.endPartition() }
                return
            }
            if writer.needsDrain { try await writer.drain() }
            turnRowCount += 1
            if turnRowCount == ShardStore.rowsPerTurn {
                turnRowCount = 0
                await Task.yield()
            }
        }
    }
}

extension FrozenMemtable {
    /// Wakes everybody who waits for an attempt.
    func tellWaiting(_ failure: StorageError?) {
        let told: [UnsafeContinuation<StorageError?, Never>] = waiting
        waiting.removeAll()
        for continuation in told { continuation.resume(returning: failure) }
    }
}
