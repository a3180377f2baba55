import DataModel
import Environment
import Primitives

/// Keeps what a shard knows of its leaves over a restart.
///
///     body := (table (16) · generations: count u32 · u64 each, ascending · leaves)*
///
/// It is right for exactly the files that it names, so it is used when these are the live ones. Whatever is wrong with
/// it costs reading the tables once more, and nothing else.
struct HashTreeFile {
    static let name = "hashes"
    static let magic: UInt32 = 0x4D52_4854  // MRHT

    struct Entry: Equatable {
        var table: UUID
        var generations: [UInt64]
        var tree: HashTree
    }

    static func encode(_ entries: [Entry]) -> [UInt8] {
        var writer = ByteWriter()
        for entry in entries {
            writer.write(entry.table.high)
            writer.write(entry.table.low)
            writer.write(UInt32(clamping: entry.generations.count))
            for generation in entry.generations { writer.write(generation) }
            entry.tree.write(to: &writer)
        }
        return writer.array()
    }

    static func decode(_ body: [UInt8]) throws(DecodingError) -> [Entry] {
        var reader = ByteReader(body.span.bytes)
        var entries: [Entry] = []
        while !reader.isAtEnd {
            let high: UInt64 = try reader.readUInt64()
            let table = UUID(high: high, low: try reader.readUInt64())
            let count = Int(try reader.readUInt32())
            try reader.need(count * 8)
            var generations: [UInt64] = []
            for _ in 0..<count { generations.append(try reader.readUInt64()) }
            entries.append(Entry(table: table, generations: generations, tree: try HashTree(from: &reader)))
        }
        return entries
    }
}

extension ShardStore {
    private var hashFile: ManifestFile {
        ManifestFile(path: folder + "/" + HashTreeFile.name, magic: HashTreeFile.magic, disk: host.disk)
    }

    /// Takes in what the process before this one knew. Used by the one task that opens the engine.
    func loadHashes() async {
        do {
            guard let body = try await hashFile.read() else { return }
            for entry in try HashTreeFile.decode(body) {
                guard let table = table(entry.table), table.generations == entry.generations else { continue }
                table.hashes = entry.tree
            }
        } catch {
            // The tables are read once more.
        }
    }

    /// Keeps what is known for the next process.
    func saveHashes() async {
        var entries: [HashTreeFile.Entry] = []
        for id in tableIDs {
            // What is still in memory changes leaves that are marked only when it is written.
            guard let table = table(id), !table.hashes.isEmpty, table.frozen.isEmpty else { continue }
            entries.append(HashTreeFile.Entry(table: id, generations: table.generations, tree: table.hashes))
        }
        if entries.isEmpty { return }
        do throws(StorageError) {
            try await hashFile.write(HashTreeFile.encode(entries))
        } catch {
            // The tables are read once more.
        }
    }
}

extension TableStore {
    /// Ascending.
    var generations: [UInt64] { sstables.map(\.generation).sorted() }
}

extension StorageEngine {
    /// Keeps what the shards know of their leaves for the next process, as far as the files stay what they are.
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
