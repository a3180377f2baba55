package import DataModel
package import Environment
import Primitives

/// Opening an engine.
extension StorageEngine {
    /// Opens the folders, replays the log, and starts.
    ///
    /// - Parameter tables: the tables whose definitions are known. Data of others is kept until `createTable` or
    ///   `dropTable` says what it is (`orphanTables`).
    /// - Throws: `.damaged` naming the file when something is not as it was written, `.disk(.locked)` when another
    /// process
    ///   has the folder.
    package static func open(
        _ options: StorageOptions, host: Host, tables: [TableDefinition], purgeRule: PurgeRule? = nil
    ) async throws(StorageError) -> StorageEngine {
        do throws(DiskError) {
            try await host.disk.createDirectory(options.dataDirectory)
            try await host.disk.lockDirectory(options.dataDirectory)
            try await host.disk.createDirectory(options.commitLogDirectory)
        } catch {
            throw StorageError(error)
        }
        for path in [options.dataDirectory, options.commitLogDirectory] { await syncAncestors(of: path, host.disk) }
        let folders = ShardFolders(disk: host.disk, dataDirectory: options.dataDirectory)
        let (layout, manifests) = try await folders.open(shardCount: host.loops.count)
        var shards: [ShardStore] = []
        for manifest in manifests {
            let shard = ShardStore(
                index: manifest.shard, host: host, options: options,
                folder: folders.folder(of: manifest.shard, in: layout), manifest: manifest, shardCount: manifests.count)
            shard.purgeRule = purgeRule
            for table in tables where manifest.table(table.id)?.isDropped != true {
                shard.addTable(TableStore(table, isLogged: true, shard: shard))
            }
            shards.append(shard)
        }
        let recovery = Recovery(shards: shards, layout: layout, host: host)
        try await recovery.openFiles()
        for shard in shards { await shard.loadHashes() }
        let (log, notes) = try await replay(options, host, recovery)
        for shard in shards { shard.attach(log.shards[shard.index]) }
        let engine = StorageEngine(
            shards: shards, options: options, host: host, commitLog: log, openingNotes: notes)
        try await engine.startWork(tables)
        return engine
    }

    /// Makes the name of a folder durable, as far up as the process may. At every start, because one that was killed
    /// right after making the folder has left it without.
    private static func syncAncestors(of path: String, _ disk: any Disk) async {
        var path: Substring = path[...]
        while let slash = path.lastIndex(of: "/") {
            path = path[..<slash]
            do throws(DiskError) {
                try await disk.syncDirectory(path.isEmpty ? "/" : String(path))
            } catch {
                // Folders above that the process may not open were there before it came.
                return
            }
        }
    }

    /// Replays the log into files, and opens a new one in its place.
    private static func replay(
        _ options: StorageOptions, _ host: Host, _ recovery: Recovery
    ) async throws(StorageError) -> (log: CommitLog, notes: [String]) {
        let logOptions: CommitLogOptions = options.commitLog
        let outcome: LogReplay.Outcome = try await LogReplay.run(logOptions, host: host) {
            (batch: LogReplay.Batch) async throws(StorageError) in
            try batch.visit { (position, mutation) throws(StorageError) in
                try recovery.replay(writer: batch.shard, position: position, mutation)
            }
            if recovery.isFull { try await recovery.flush() }
        }
        try await recovery.flush()
        let shards: [ShardStore] = recovery.shards
        let log: CommitLog = try await CommitLog.open(
            logOptions, host: host, replayed: outcome, flushed: recovery.lastFlushed
        ) { dirty in
            for entry in dirty {
                let shard: ShardStore = shards[entry.shard]
                shard.loop.execute {
                    if let table = shard.table(entry.table) { shard.requestFlush(table) }
                }
            }
        }
        try await log.discardReplayed()
        var notes: [String] = outcome.damages.map { "passed over in the commit log: \($0)" }
        if recovery.refusedCount > 0 {
            notes.append("\(recovery.refusedCount) records of the commit log were refused when they were written")
        }
        return (log, notes)
    }

    /// What can begin once the old log is gone.
    private func startWork(_ tables: [TableDefinition]) async throws(StorageError) {
        try await onEachShard("start a shard") { (shard) throws(StorageError) in
            if shard.manifest.tables.contains(where: \.isDropped) {
                try await shard.editManifest { $0.forgetDropped() }
            }
            // A definition that was dropped before and is given again starts empty.
            for table in tables where shard.table(table.id) == nil {
                shard.addTable(TableStore(table, isLogged: true, shard: shard))
            }
            for id in shard.tableIDs {
                if let table = shard.table(id) { shard.requestCompaction(table) }
            }
        }
    }
}

extension StorageOptions {
    /// What the commit log is told of this.
    var commitLog: CommitLogOptions {
        CommitLogOptions(
            directory: commitLogDirectory, sync: sync, segmentByteCount: segmentByteCount,
            totalByteCount: logSpaceByteCount, failurePolicy: commitFailurePolicy)
    }
}
