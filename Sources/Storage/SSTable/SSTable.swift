public import DataModel
internal import Environment
internal import Primitives
internal import Synchronization

/// One immutable, sorted file of rows (docs/formats/sstable.md), open for reading.
///
/// In memory it holds its filter, its statistics and the roots of its trees; everything else comes through the block
/// cache of the shard that reads. A cursor keeps its file alive, and a file that was retired goes only when the last
/// reference to it has gone.
public final class SSTable: Sendable {
    /// The key of this file in block caches: never the same for two opened files of one process.
    let id: UInt64
    package let path: String
    /// The tokens that are seen: a shard's slice of a file that it may share with others.
    package let clip: ClosedRange<Token>
    package let statistics: SSTableStatistics
    package let byteCount: Int
    let file: any DiskFile
    let rows: BlockTree
    /// Nil when nothing in the file deletes a partition or a range.
    let deletions: BlockTree?
    private let filter: PartitionFilter?
    /// The ordinals between which the file has partitions that are seen; low > high when there are none.
    private let lowOrdinal: UInt64
    private let highOrdinal: UInt64
    private let whenUnused = Mutex<(@Sendable (String) -> Void)?>(nil)

    private static let nextID = Atomic<UInt64>(1)

    init(
        path: String, file: any DiskFile, clip: ClosedRange<Token>, statistics: SSTableStatistics, rows: BlockTree,
        deletions: BlockTree?, filter: PartitionFilter?
    ) {
        self.id = SSTable.nextID.wrappingAdd(1, ordering: .relaxed).oldValue
        self.path = path
        self.clip = clip
        self.statistics = statistics
        self.byteCount = file.byteCount
        self.file = file
        self.rows = rows
        self.deletions = deletions
        self.filter = filter
        self.lowOrdinal = max(clip.lowerBound.ordinal, statistics.firstToken.ordinal)
        self.highOrdinal = min(clip.upperBound.ordinal, statistics.lastToken.ordinal)
    }

    deinit {
        let handler: (@Sendable (String) -> Void)? = whenUnused.withLock { $0 }
        handler?(path)
    }

    package var generation: UInt64 { statistics.generation }

    /// The tokens between which the file has partitions that are seen; nil when there are none.
    package var tokens: ClosedRange<Token>? {
        lowOrdinal <= highOrdinal ? Token(ordinal: lowOrdinal)...Token(ordinal: highOrdinal) : nil
    }

    /// Memory that the open file holds, without blocks in caches.
    package var residentByteCount: Int {
        (filter?.byteCount ?? 0) + rows.root.byteCount + (deletions?.root.byteCount ?? 0)
    }

    /// The part of that which the filter takes.
    package var filterByteCount: Int { filter?.byteCount ?? 0 }

    /// False only when the file has no partition with this token.
    ///
    /// Hot: once per file per point read. At most one cache line is touched beyond the object.
    @inline(__always)
    public func mightContain(_ token: Token) -> Bool {
        let ordinal: UInt64 = token.ordinal
        guard ordinal >= lowOrdinal, ordinal <= highOrdinal else { return false }
        return filter?.mayContain(ordinal) ?? true
    }

    /// A cursor over what a command wants of this file. Without a cache, blocks are read ahead in large pieces and
    /// leave no trace: for compactions and streams.
    package func makeCursor(_ command: ReadCommand, cache: BlockCache?) -> SSTableCursor {
        SSTableCursor(self, command, cache: cache)
    }

    /// Says that the file is in no set of live files any more. Once the last reference has gone, `whenUnused` is called
    /// with the path, from wherever that was; it should remove the file.
    package func retire(_ whenUnused: @escaping @Sendable (_ path: String) -> Void) {
        self.whenUnused.withLock { $0 = whenUnused }
    }

    /// Lets the file go. Cursors that still read fail with `.closed`.
    package func close() async {
        await file.close()
    }

    func damaged(_ damage: BlockDamage) -> StorageError {
        .damaged(file: path, offset: damage.offset, reason: damage.reason)
    }

    /// Whether a location from an index lies in the file.
    func check(_ location: BlockLocation) throws(StorageError) {
        guard location.offset >= 0, location.storedByteCount >= BlockEnvelope.trailerByteCount,
            location.storedByteCount <= byteCount, location.offset <= byteCount - location.storedByteCount
        else {
            throw .damaged(file: path, offset: max(0, location.offset), reason: "an index points outside the file")
        }
    }

    /// Checks and decompresses a stored block.
    func decode(
        _ stored: UnsafeRawBufferPointer, at offset: Int, _ decompressor: BlockDecompressor
    ) throws(StorageError) -> Block {
        do throws(BlockDamage) {
            let raw = try BlockEnvelope.open(stored, at: offset, decompressor: decompressor)
            return try Block(adopting: raw, at: offset)
        } catch {
            throw damaged(error)
        }
    }

    /// The block at a location, from the cache or from the page cache of the system; nil when it must be waited for.
    ///
    /// Hot: two or three times per point read.
    @inline(__always)
    func block(_ location: BlockLocation, _ cache: BlockCache) throws(StorageError) -> Block? {
        if let block = cache.find(id, location.offset) { return block }
        return try readCachedBlock(location, cache)
    }

    @inline(never)
    func readCachedBlock(_ location: BlockLocation, _ cache: BlockCache) throws(StorageError) -> Block? {
        try check(location)
        guard let scratch = cache.scratch(location.storedByteCount),
            let count = file.readIfCached(into: scratch, at: location.offset), count == location.storedByteCount
        else { return nil }
        let block: Block = try decode(UnsafeRawBufferPointer(scratch), at: location.offset, cache.decompressor)
        cache.insert(block, id, location.offset)
        return block
    }
}

/// A sorted tree of a file: its root, which stays in memory, and how many levels of index it has, the root included.
struct BlockTree: Sendable {
    let root: Block
    let height: UInt8
}
