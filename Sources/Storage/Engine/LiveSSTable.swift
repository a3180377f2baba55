import DataModel
import Environment
import Primitives

/// An SSTable that a shard reads, under the number that the shard's manifest gives it.
///
/// The number inside the file may be another: a file that shards share after their number changed is linked under a new
/// one in each.
struct LiveSSTable: Sendable {
    let table: SSTable
    let entry: ShardManifest.File
    let maximumTimestamp: Int64

    init(_ table: SSTable, entry: ShardManifest.File) {
        self.table = table
        self.entry = entry
        self.maximumTimestamp = table.statistics.maxTimestamp
    }

    var generation: UInt64 { entry.generation }
    var byteCount: Int { table.byteCount }

    /// Opens a file that was just written.
    static func open(_ description: SSTableDescription, in shard: ShardStore) async throws(StorageError) -> LiveSSTable
    {
        let entry = ShardManifest.File(
            generation: description.generation, byteCount: UInt64(description.byteCount), tokens: shard.tokens)
        return try await open(entry, folder: shard.folder, disk: shard.host.disk)
    }

    /// Opens a file of a manifest.
    ///
    /// - Throws: `.damaged` when it is missing, has another size, or does not hold together.
    static func open(
        _ entry: ShardManifest.File, folder: String, disk: any Disk
    ) async throws(StorageError) -> LiveSSTable {
        let path: String = folder + "/" + SSTableName.file(entry.generation)
        let table: SSTable
        do throws(StorageError) {
            table = try await SSTable.open(path: path, disk: disk, clip: entry.tokens)
        } catch .disk(.notFound) {
            throw .damaged(file: path, offset: 0, reason: "the manifest lists it, and it is missing")
        }
        guard table.byteCount == Int(clamping: entry.byteCount) else {
            let reason = "it has \(table.byteCount) bytes where the manifest says \(entry.byteCount)"
            await table.close()
            throw .damaged(file: path, offset: table.byteCount, reason: reason)
        }
        return LiveSSTable(table, entry: entry)
    }

    /// Whether the file can have something that a read wants.
    func canHold(_ command: ReadCommand) -> Bool {
        switch command.partitions {
        case .range:
            guard let tokens = table.tokens else { return false }
            return command.partitions.intersects(tokens)
        case .one(let token, _):
            guard table.mightContain(token) else { return false }
            let statistics: SSTableStatistics = table.statistics
            if statistics.staticRowCount > 0 || statistics.partitionDeletionCount > 0 { return true }
            let slices: [ClusteringSlice] = command.firstPartitionSlices ?? command.slices
            return slices.isEmpty || slices.contains { statistics.mayIntersect($0.start, $0.end) }
        }
    }
}

extension ShardStore {
    /// Removes files that are no longer live, once nobody reads them any more.
    func retire(_ files: [LiveSSTable]) {
        let host: Host = self.host
        let loop: any Loop = self.loop
        for file in files {
            cache.removeFile(file.table.id)
            let handle: any DiskFile = file.table.file
            file.table.retire { path in
                host.background.run("remove a file", on: loop) {
                    await handle.close()
                    do throws(DiskError) {
                        try await host.disk.remove(path)
                    } catch {
                        // No manifest lists the file: it is removed at the next start.
                    }
                }
            }
        }
    }
}
