import DataModel
import Environment
package import Primitives

/// Copies of a table's files by hard links: made in no time, and kept until somebody removes them.
extension StorageEngine {
    /// Makes a snapshot of tables, of all when nil: `snapshots/<name>/<keyspace>.<table>-<id>/` below the data
    /// directory.
    package func snapshot(named name: String, tables: [UUID]? = nil) async throws(StorageError) {
        try await flush(tables: tables)
        let ids: [UUID] = try await snapshotIDs(tables)
        for id in ids { try await link(id, into: "\(options.dataDirectory)/snapshots/\(name)") }
    }

    /// Makes the snapshot that protects from a mistaken drop or truncate, when the options want it.
    func snapshotBefore(_ event: String, _ id: UUID) async throws(StorageError) {
        guard options.isAutoSnapshotEnabled else { return }
        guard let definition = try await definition(of: id), definition.options.allowAutoSnapshot else { return }
        guard try await statistics(of: id).isAnythingStored else { return }
        try await flush(tables: [id])
        let milliseconds: Int64 = host.time.wallMicroseconds / 1_000
        let folder: String = "\(options.dataDirectory)/snapshots/\(event)-\(milliseconds)-\(definition.name)"
        do throws(StorageError) {
            try await link(id, into: folder)
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

    private func snapshotIDs(_ tables: [UUID]?) async throws(StorageError) -> [UUID] {
        if let tables { return tables }
        let shard: ShardStore = shards[0]
        return try await LoopCall("list tables", on: shard.loop, of: host) { shard.tableIDs }.value()
    }

    private func definition(of id: UUID) async throws(StorageError) -> TableDefinition? {
        let shard: ShardStore = shards[0]
        return try await LoopCall("find a table", on: shard.loop, of: host) { shard.table(id)?.definition }.value()
    }

    private func link(_ id: UUID, into folder: String) async throws(StorageError) {
        guard let definition = try await definition(of: id) else { return }
        let directory: String = "\(folder)/\(definition.keyspace).\(definition.name)-\(id)"
        do throws(DiskError) {
            try await host.disk.createDirectory(directory)
        } catch {
            throw StorageError(error)
        }
        try await onEachShard("snapshot a table") { (shard) throws(StorageError) in
            if let table = shard.table(id) { try await shard.linkFiles(of: table, into: directory) }
        }
        do throws(DiskError) {
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
}

extension TableStatistics {
    var isAnythingStored: Bool { sstableCount > 0 || memtableByteCount > 0 }
}
