import DataModel
import Environment
import Primitives

/// Emptying and removing tables, and copies of their files.
extension ShardStore {
    /// Removes everything that a table has. What is written from this call on stays.
    ///
    /// - Parameter isDropped: the table is not to come back: what the log has of it is not replayed either.
    func truncate(_ table: TableStore, isDropped: Bool) async throws(StorageError) {
        await stopCompaction(of: table)
        defer { table.compactionBarrierCount -= 1 }
        await flushGate.enter()
        defer { flushGate.leave() }
        // Counted even when the edit fails: the disk may have taken it.
        table.truncationCount += 1
        _ = freeze(table)
        let doomed: [FrozenMemtable] = table.frozen
        let files: [LiveSSTable] = table.sstables
        let position: LogPosition = lastLogged
        do throws(StorageError) {
            try await table.change(nil) { () throws(StorageError) in
                try await editManifest { $0.truncate(table.id, at: position, isDropped: isDropped) }
                for memtable in doomed {
                    forget(memtable, of: table)
                    memtable.tellWaiting(nil)
                }
                table.replaceSSTables(removing: files.map(\.generation), adding: [])
            }
        } catch {
            startFlusher()
            throw error
        }
        retire(files + doomed.compactMap(\.file))
        logFlushed(table.id, upTo: position)
        if isDropped { removeTable(table.id) }
    }

    /// Takes a table that was dropped before back into the list of tables that are replayed.
    func revive(_ id: UUID) async throws(StorageError) {
        guard manifest.table(id)?.isDropped == true else { return }
        try await editManifest { manifest in
            manifest.change(id) { $0.isDropped = false }
        }
    }

    /// Gives every live file of a table a second name in `directory`, which exists. Flushed before, this is all there
    /// is.
    ///
    /// - Parameter pace: how many each second; nil for no limit.
    func linkFiles(of table: TableStore, into directory: String, pace: Int? = nil) async throws(StorageError) {
        // The list keeps the files alive: no compaction removes one before it has its second name.
        let files: [LiveSSTable] = table.sstables
        for (place, file) in files.enumerated() {
            if let pace, place > 0 { try await pause(.nanoseconds(1_000_000_000 / Int64(pace))) }
            do throws(DiskError) {
                try await host.disk.link(
                    file.table.path, to: "\(directory)/\(index)-\(SSTableName.file(file.generation))")
            } catch {
                throw StorageError(error)
            }
        }
    }

    private func pause(_ duration: Duration) async throws(StorageError) {
        do throws(CancellationError) {
            try await host.time.sleep(for: duration)
        } catch {
            throw .cancelled
        }
    }

    /// Gives a file that was just flushed a second name among the backups, when they are wanted.
    ///
    /// - Throws: why there is no backup. The flush itself is done.
    func backUp(_ file: LiveSSTable, of table: TableStore) async throws(StorageError) {
        guard let backupFolder else { return }
        let directory = "\(backupFolder)/\(Snapshot.folderName(table.definition))"
        do throws(DiskError) {
            try await host.disk.createDirectory(directory)
            try await host.disk.link(
                file.table.path, to: "\(directory)/\(index)-\(SSTableName.file(file.generation))")
            try await host.disk.syncDirectory(directory)
        } catch {
            throw StorageError(error)
        }
    }
}
