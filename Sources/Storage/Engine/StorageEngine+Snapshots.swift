package import DataModel
import Environment
package import Primitives
import Synchronization

/// Copies of a table's files by hard links: made in no time, and kept until somebody removes them.
///
///     snapshots/<name>/<keyspace>.<table>-<id>/     below the data directory
///         <shard>-<generation>.sst …                the files
///         manifest.json                             their names, when they were linked, when they go
///         schema.cql                                the statement that makes the table again
extension StorageEngine {
    /// Makes a snapshot of tables, of all when nil.
    ///
    /// - Parameters:
    ///   - flushes: whether what is in memory is to be in it.
    ///   - milliseconds: after how long it is to be removed; nil for never.
    package func snapshot(
        named name: String, tables: [UUID]? = nil, flushes: Bool = true, lasting milliseconds: Int64? = nil
    ) async throws(StorageError) {
        if flushes { try await flush(tables: tables) }
        let ids: [UUID] = try await snapshotIDs(tables)
        for id in ids { try await link(id, into: "\(snapshotsFolder)/\(name)", lasting: milliseconds) }
    }

    /// Makes the snapshot that protects from a mistaken drop or truncate, when the options want it.
    func snapshotBefore(_ event: String, _ id: UUID) async throws(StorageError) {
        guard options.isAutoSnapshotEnabled else { return }
        guard let definition = try await definition(of: id), definition.options.allowAutoSnapshot else { return }
        guard try await statistics(of: id).isAnythingStored else { return }
        try await flush(tables: [id])
        let milliseconds: Int64 = host.time.wallMicroseconds / 1_000
        let folder: String = "\(snapshotsFolder)/\(event)-\(milliseconds)-\(definition.name)"
        do throws(StorageError) {
            try await link(id, into: folder, lasting: nil)
        } catch {
            // The next attempt makes its own folder; half a snapshot helps nobody and holds on to space.
            await removeSnapshot(folder)
            throw error
        }
    }

    private func removeSnapshot(_ folder: String) async {
        do throws(DiskError) {
            for table in try await host.disk.list(folder) {
                let directory: String = folder + "/" + table
                for name in try await host.disk.list(directory) { try await host.disk.remove(directory + "/" + name) }
                try await host.disk.remove(directory)
            }
            try await host.disk.remove(folder)
        } catch {
            // The caller tells what went wrong first.
        }
    }

    /// Says how tables are written as statements, for what snapshots keep of the schema.
    package func describeTables(_ describe: @escaping @Sendable (TableDefinition) -> String) {
        tableText.withLock { $0 = describe }
    }

    /// All snapshots, by name, keyspace and table.
    package func snapshots() async throws(StorageError) -> [Snapshot] {
        let live: Set<String> = Set(
            try await fromEachShard("list files") { (shard: ShardStore) in
                shard.tableIDs.flatMap { id in
                    shard.table(id)?.sstables.map { "\(shard.index)-\(SSTableName.file($0.generation))" } ?? []
                }
            }.flatMap { $0 })
        var found: [Snapshot] = []
        for name in try await names(in: snapshotsFolder) {
            for entry in try await names(in: "\(snapshotsFolder)/\(name)") {
                guard let parts = Snapshot.parts(of: entry) else { continue }
                let folder = "\(snapshotsFolder)/\(name)/\(entry)"
                var snapshot = Snapshot(
                    name: name, keyspace: parts.keyspace, table: parts.table, tableID: parts.id,
                    createdMilliseconds: 0, expiresMilliseconds: nil, byteCount: 0, ownByteCount: 0, folder: folder)
                try await measure(&snapshot, live)
                found.append(snapshot)
            }
        }
        return found.sorted { ($0.name, $0.keyspace, $0.table) < ($1.name, $1.keyspace, $1.table) }
    }

    /// Removes snapshots, and their folders once nothing is left in them.
    package func remove(_ snapshots: [Snapshot]) async throws(StorageError) {
        do throws(DiskError) {
            for snapshot in snapshots {
                for name in try await host.disk.list(snapshot.folder) {
                    try await host.disk.remove("\(snapshot.folder)/\(name)")
                }
                try await host.disk.remove(snapshot.folder)
                let parent = "\(snapshotsFolder)/\(snapshot.name)"
                if try await host.disk.list(parent).isEmpty { try await host.disk.remove(parent) }
            }
            if !snapshots.isEmpty { try await host.disk.syncDirectory(snapshotsFolder) }
        } catch {
            throw StorageError(error)
        }
    }

    // MARK: Parts

    private var snapshotsFolder: String { options.dataDirectory + "/snapshots" }

    private func names(in folder: String) async throws(StorageError) -> [String] {
        do throws(DiskError) {
            guard try await host.disk.kind(of: folder) == .directory else { return [] }
            return try await host.disk.list(folder)
        } catch {
            throw StorageError(error)
        }
    }

    private func measure(_ snapshot: inout Snapshot, _ live: Set<String>) async throws(StorageError) {
        for name in try await names(in: snapshot.folder) {
            let path = "\(snapshot.folder)/\(name)"
            if name == SnapshotManifest.name, let text = try await text(of: path),
                let manifest = SnapshotManifest(text)
            {
                snapshot.createdMilliseconds = manifest.createdMilliseconds
                snapshot.expiresMilliseconds = manifest.expiresMilliseconds
            }
            do throws(DiskError) {
                guard case .file(let byteCount)? = try await host.disk.kind(of: path) else { continue }
                snapshot.byteCount += byteCount
                if !live.contains(name) { snapshot.ownByteCount += byteCount }
            } catch {
                throw StorageError(error)
            }
        }
    }

    private func text(of path: String) async throws(StorageError) -> String? {
        do throws(DiskError) {
            let file: any DiskFile = try await host.disk.open(path, .read)
            let bytes: [UInt8] = try await file.read(min(file.byteCount, 16 << 20), at: 0)
            await file.close()
            return String(validating: bytes, as: UTF8.self)
        } catch {
            throw StorageError(error)
        }
    }

    private func snapshotIDs(_ tables: [UUID]?) async throws(StorageError) -> [UUID] {
        if let tables { return tables }
        let shard: ShardStore = shards[0]
        return try await LoopCall("list tables", on: shard.loop, of: host) { shard.tableIDs }.value()
    }

    private func definition(of id: UUID) async throws(StorageError) -> TableDefinition? {
        let shard: ShardStore = shards[0]
        return try await LoopCall("find a table", on: shard.loop, of: host) { shard.table(id)?.definition }.value()
    }

    private func link(_ id: UUID, into folder: String, lasting: Int64?) async throws(StorageError) {
        guard let definition = try await definition(of: id) else { return }
        let directory: String = "\(folder)/\(Snapshot.folderName(definition))"
        do throws(DiskError) {
            try await host.disk.createDirectory(directory)
        } catch {
            throw StorageError(error)
        }
        let pace: Int = snapshotPace / shards.count
        try await onEachShard("snapshot a table") { (shard) throws(StorageError) in
            guard let table = shard.table(id) else { return }
            try await shard.linkFiles(of: table, into: directory, pace: self.snapshotPace == 0 ? nil : max(1, pace))
        }
        let now: Int64 = host.time.wallMicroseconds / 1_000
        let manifest = SnapshotManifest(
            files: try await names(in: directory).filter { $0.hasSuffix(".sst") }, createdMilliseconds: now,
            expiresMilliseconds: lasting.map { now + $0 })
        let describe = tableText.withLock { $0 }
        do throws(DiskError) {
            if let describe {
                try await write(describe(definition) + "\n", to: "\(directory)/\(SnapshotManifest.schemaName)")
            }
            try await write(manifest.text, to: "\(directory)/\(SnapshotManifest.name)")
            var path: Substring = directory[...]
            for _ in 0..<4 {
                try await host.disk.syncDirectory(String(path))
                guard let slash = path.lastIndex(of: "/") else { return }
                path = path[..<slash]
            }
        } catch {
            throw StorageError(error)
        }
    }

    private func write(_ text: String, to path: String) async throws(DiskError) {
        let file: any DiskFile = try await host.disk.open(path, .update)
        try await file.truncate(to: 0)
        try await file.write(Array(text.utf8), at: 0)
        try await file.sync()
        await file.close()
    }
}

extension TableStatistics {
    var isAnythingStored: Bool { sstableCount > 0 || memtableByteCount > 0 }
}
