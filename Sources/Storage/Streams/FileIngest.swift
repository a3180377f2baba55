package import DataModel
import Environment
package import Primitives

/// What another node says about a file that it hands over as it is.
package struct OfferedFile: Sendable, Hashable {
    /// Names the file in the session.
    package var number: UInt32
    package var byteCount: Int
    package var rowCount: Int
    /// The tokens between which its partitions are to be seen.
    package var tokens: ClosedRange<Token>
    package var fingerprint: UUID

    package init(number: UInt32, byteCount: Int, rowCount: Int, tokens: ClosedRange<Token>, fingerprint: UUID) {
        self.number = number
        self.byteCount = byteCount
        self.rowCount = rowCount
        self.tokens = tokens
        self.fingerprint = fingerprint
    }
}

/// Takes one whole file of another node: front to back, then it is held against what is known of it.
///
///     bytes ─▶ 17.sst.tmp of the first shard that has its tokens ─▶ verified ─▶ 17.sst ─▶ links in the further shards
///
/// Used by one task at a time; `Sendable` is unchecked for that reason. The files come to `TableIngest` at the end.
package final class FileIngest: @unchecked Sendable {
    private let ingest: TableIngest
    package let offer: OfferedFile
    private let first: ShardIngest
    private let generation: UInt64
    private let file: any DiskFile
    private var checksum: UInt32 = 0
    package private(set) var byteCount = 0
    private var isEnded = false

    private init(
        _ ingest: TableIngest, _ offer: OfferedFile, _ first: ShardIngest, generation: UInt64, _ file: any DiskFile
    ) {
        self.ingest = ingest
        self.offer = offer
        self.first = first
        self.generation = generation
        self.file = file
    }

    static func begin(_ ingest: TableIngest, _ offer: OfferedFile) async throws(StorageError) -> FileIngest {
        let first: ShardIngest = ingest.shards[ingest.slices.shard(of: offer.tokens.lowerBound)]
        let call = LoopCall<UInt64>("number a streamed file", on: first.shard.loop, of: ingest.host) {
            () throws(StorageError) in
            try await first.shard.ensureManifest()
            return first.shard.takeGeneration()
        }
        let generation: UInt64 = try await call.value()
        let path: String = first.shard.folder + "/" + SSTableName.temporary(generation)
        do throws(DiskError) {
            let file: any DiskFile = try await ingest.host.disk.open(path, .create)
            return FileIngest(ingest, offer, first, generation: generation, file)
        } catch { throw StorageError(error) }
    }

    /// Writes the bytes that follow those that came before.
    ///
    /// - Throws: `.tooLarge` when there are more than were offered.
    package func add(_ bytes: [UInt8]) async throws(StorageError) {
        guard bytes.count <= offer.byteCount - byteCount else {
            throw .tooLarge(byteCount: byteCount + bytes.count, limit: offer.byteCount)
        }
        do throws(DiskError) {
            try await file.write(bytes, at: byteCount)
        } catch { throw StorageError(error) }
        checksum = Checksum.crc32c(bytes.span.bytes, seed: checksum)
        byteCount += bytes.count
    }

    /// Makes the file durable and holds it against itself and against the offer. It is not live before the ingest is
    /// committed.
    ///
    /// - Parameter checksum: CRC-32C of the file where it comes from.
    /// - Throws: `.damaged` when anything does not agree.
    package func finish(checksum stored: UInt32) async throws(StorageError) {
        let folder: String = first.shard.folder
        let path: String = folder + "/" + SSTableName.file(generation)
        guard byteCount == offer.byteCount else {
            throw .damaged(file: path, offset: byteCount, reason: "it ends before the \(offer.byteCount) bytes it has")
        }
        guard checksum == stored else {
            throw .damaged(file: path, offset: 0, reason: "it has another checksum than where it comes from")
        }
        do throws(DiskError) {
            try await file.sync()
            await file.close()
            try await ingest.host.disk.rename(folder + "/" + SSTableName.temporary(generation), to: path)
            try await ingest.host.disk.syncDirectory(folder)
        } catch { throw StorageError(error) }
        try await verify(path)
        let last: Int = ingest.slices.shard(of: offer.tokens.upperBound)
        for index in first.shard.index...last {
            try await take(path, into: ingest.shards[index], isFirst: index == first.shard.index)
        }
        isEnded = true
    }

    /// Reads all of it.
    private func verify(_ path: String) async throws(StorageError) {
        let table: SSTable = try await SSTable.open(path: path, disk: ingest.host.disk, clip: offer.tokens)
        do throws(StorageError) {
            guard table.statistics.tableID == ingest.tableID else {
                throw .damaged(file: path, offset: 0, reason: "it belongs to another table")
            }
            guard table.tokens == offer.tokens else {
                throw .damaged(file: path, offset: 0, reason: "it has other tokens than were said")
            }
            try await table.verify()
        } catch {
            await table.close()
            throw error
        }
        await table.close()
    }

    /// Gives a shard its name of the file, and opens it there.
    private func take(_ path: String, into ingest: ShardIngest, isFirst: Bool) async throws(StorageError) {
        let (offer, generation): (OfferedFile, UInt64) = (offer, generation)
        let shard: ShardStore = ingest.shard
        guard shard.tokens.overlaps(offer.tokens) else { return }
        let call = LoopCall<Void>("take a streamed file", on: shard.loop, of: self.ingest.host) {
            () throws(StorageError) in
            var number: UInt64 = generation
            if !isFirst {
                try await shard.ensureManifest()
                number = shard.takeGeneration()
                do throws(DiskError) {
                    try await shard.host.disk.link(path, to: shard.folder + "/" + SSTableName.file(number))
                    try await shard.host.disk.syncDirectory(shard.folder)
                } catch { throw StorageError(error) }
            }
            let entry = ShardManifest.File(
                generation: number, byteCount: UInt64(offer.byteCount), tokens: offer.tokens.clamped(to: shard.tokens))
            ingest.files.append(try await LiveSSTable.open(entry, folder: shard.folder, disk: shard.host.disk))
        }
        try await call.value()
    }

    /// Gives the file up, as far as it is not in the ingest yet.
    package func abort() async {
        guard !isEnded else { return }
        isEnded = true
        await file.close()
        let (first, generation): (ShardIngest, UInt64) = (first, generation)
        let call = LoopCall<Void>("give up a streamed file", on: first.shard.loop, of: ingest.host) {
            () throws(StorageError) in
            guard !first.files.contains(where: { $0.generation == generation }) else { return }
            await first.shard.removeUnlisted(generation)
            do throws(DiskError) {
                try await first.shard.host.disk.remove(first.shard.folder + "/" + SSTableName.temporary(generation))
            } catch {
                // It is one of the two names at most; one that stays is removed at the next start.
            }
        }
        do throws(StorageError) {
            try await call.value()
        } catch {
            // Nothing above fails.
        }
    }
}
