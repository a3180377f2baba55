import DataModel
import Environment
import Primitives

/// Keeps what a shard knows of its leaves over a restart and a crash.
///
///     hashes-NUMBER   the leaves that were known when it was written
///     manifest        NUMBER, and which of these leaves have changed since
///
/// The manifest says what has changed in the same step in which files become live, so that what is left is right whenever
/// the process ends. Whatever is wrong with the file costs reading the tables once more, and nothing else.
///
///     body := (table (16) · leaves)*
struct HashTreeFile {
    static let prefix = "hashes-"
    static let magic: UInt32 = 0x4D52_4854  // MRHT

    struct Entry: Equatable {
        var table: UUID
        var tree: HashTree
    }

    static func name(_ number: UInt64) -> String { prefix + String(number) }

    static func decode(_ body: [UInt8]) throws(DecodingError) -> [Entry] {
        var reader = ByteReader(body.span.bytes)
        var entries: [Entry] = []
        while !reader.isAtEnd {
            let high: UInt64 = try reader.readUInt64()
            let table = UUID(high: high, low: try reader.readUInt64())
            entries.append(Entry(table: table, tree: try HashTree(from: &reader)))
        }
        return entries
    }
}

extension ShardStore {
    /// How long what has become known waits for more before it is saved.
    private static let saveDelaySeconds = 30
    /// Saving writes no more than this on average.
    private static let savedBytesPerSecond = 64 << 10

    private func hashFile(_ number: UInt64) -> ManifestFile {
        ManifestFile(path: folder + "/" + HashTreeFile.name(number), magic: HashTreeFile.magic, disk: host.disk)
    }

    /// What the manifest is to say of the leaves that were saved.
    var hashSave: ShardManifest.HashSave? {
        var tables: [ShardManifest.HashSave.Table] = []
        for id in tableIDs {
            guard let tree = table(id)?.hashes, tree.isSaved else { continue }
            tables.append(ShardManifest.HashSave.Table(id: id, stale: tree.stale))
        }
        return tables.isEmpty ? nil : ShardManifest.HashSave(number: hashSaveNumber, tables: tables)
    }

    /// Takes in what the process before this one knew. Used by the one task that opens the engine.
    func loadHashes() async {
        guard let save = manifest.hashSave else { return }
        hashSaveNumber = save.number
        do {
            guard let body = try await hashFile(save.number).read() else { return }
            for entry in try HashTreeFile.decode(body) {
                guard let table = table(entry.table),
                    let known = save.tables.first(where: { $0.id == entry.table })
                else { continue }
                table.hashes = entry.tree.restored(without: known.stale)
            }
        } catch {
            // The tables are read once more.
        }
    }

    /// Keeps what is known for the next process.
    func saveHashes() async {
        await hashGate.enter()
        defer { hashGate.leave() }
        guard tableIDs.contains(where: { table($0)?.hashes.hasUnsaved == true }) else { return }
        let former: UInt64 = hashSaveNumber
        var body = ByteWriter()
        do throws(StorageError) {
            // The manifest comes first: what changes from then on, it says of the file that is about to be written. A crash
            // in between leaves a manifest without its file, and nothing is known.
            try await editManifest { [self] _ in
                hashSaveNumber = former &+ 1
                for id in tableIDs {
                    guard let table = table(id), !table.hashes.isEmpty else { continue }
                    body.write(id.high)
                    body.write(id.low)
                    table.hashes.save(to: &body)
                }
            }
            let bytes: [UInt8] = body.array()
            savedHashByteCount = bytes.count
            try await hashFile(former &+ 1).write(bytes)
        } catch {
            for id in tableIDs { table(id)?.hashes.saveFailed() }
            return
        }
        do throws(DiskError) {
            let path: String = folder + "/" + HashTreeFile.name(former)
            if try await host.disk.kind(of: path) != nil { try await host.disk.remove(path) }
        } catch {
            // The next start removes it.
        }
    }

    /// Has what has become known saved, some time from now.
    func saveHashesSoon() {
        guard hashSaver == nil, !isClosed else { return }
        let seconds: Int = max(ShardStore.saveDelaySeconds, savedHashByteCount / ShardStore.savedBytesPerSecond)
        hashSaver = host.background.run("save hashes", on: loop) { [self] in
            do throws(CancellationError) {
                try await host.time.sleep(for: .seconds(seconds))
            } catch { return }
            hashSaver = nil
            await saveHashes()
        }
    }
}

extension StorageEngine {
    /// Keeps what the shards know of their leaves for the next process, at once.
    package func saveHashes() async throws(StorageError) {
        try await onEachShard("save hashes") { (shard) throws(StorageError) in await shard.saveHashes() }
    }

    /// Limits how many bytes of rows a second are hashed; 0 for no limit.
    package func setHashThroughput(_ bytesPerSecond: Int) async throws(StorageError) {
        let share: Int = bytesPerSecond / shards.count
        try await onEachShard("change the throughput of hashing") { (shard) throws(StorageError) in
            shard.hashThrottle.bytesPerSecond = bytesPerSecond == 0 ? 0 : max(1, share)
        }
    }

    /// Says which tombstones compactions keep, however old they are; nil for the grace alone.
    package func setPurgeRule(_ rule: PurgeRule?) async throws(StorageError) {
        try await onEachShard("change what is purged") { (shard) throws(StorageError) in shard.purgeRule = rule }
    }
}
