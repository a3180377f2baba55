internal import Environment
internal import Primitives

/// Gets the blocks of one file for one cursor: from the cache, from bytes read ahead, or from the system's page cache;
/// what is in none of them is remembered as missing until `load` has read it.
struct BlockFetcher {
    private static let firstReadAhead: Int = 32 * 1_024
    private static let largestReadAhead: Int = 256 * 1_024

    let table: SSTable
    private let cache: BlockCache?
    private var missing: BlockLocation?
    /// The block that came last from the disk: kept by itself, so that the next call finds it even when the cache had
    /// no room for it.
    private var loaded: (offset: Int, block: Block)?
    /// A run of the file that was read beyond the wanted block.
    private var ahead: [UInt8] = []
    private var aheadOffset = 0
    private var readAhead: Int
    private let decompressor: BlockDecompressor

    /// - Parameter isScan: whether blocks in a row are likely to be wanted. Without a cache that is taken for granted.
    init(_ table: SSTable, cache: BlockCache?, isScan: Bool) {
        self.table = table
        self.cache = cache
        self.decompressor = cache?.decompressor ?? BlockDecompressor()
        self.readAhead =
            cache == nil ? BlockFetcher.largestReadAhead : (isScan ? BlockFetcher.firstReadAhead : 0)
    }

    /// The block at a location; nil when `load` must read it first.
    mutating func block(_ location: BlockLocation) throws(StorageError) -> Block? {
        if let loaded, loaded.offset == location.offset { return loaded.block }
        if let cache {
            if let block = cache.find(table.id, location.offset) { return block }
            if let block = try takeAhead(location) { return block }
            if let block = try table.readCachedBlock(location, cache) { return block }
        } else if let block = try takeAhead(location) {
            return block
        }
        try table.check(location)
        missing = location
        return nil
    }

    /// Reads what was missing, and some of what follows it.
    mutating func load() async throws(StorageError) {
        guard let location = missing else { return }
        let count: Int = min(max(location.storedByteCount, readAhead), table.byteCount - location.offset)
        let bytes: [UInt8]
        do throws(DiskError) {
            bytes = try await table.file.read(count, at: location.offset)
        } catch {
            throw StorageError(error)
        }
        guard bytes.count >= location.storedByteCount else {
            throw .damaged(file: table.path, offset: location.offset, reason: "the file ends inside a block")
        }
        missing = nil
        ahead = bytes
        aheadOffset = location.offset
        if readAhead > 0 { readAhead = min(readAhead * 2, BlockFetcher.largestReadAhead) }
        _ = try takeAhead(location)
    }

    /// The block from what was read ahead.
    private mutating func takeAhead(_ location: BlockLocation) throws(StorageError) -> Block? {
        let start: Int = location.offset &- aheadOffset
        guard start >= 0, location.storedByteCount > 0, start <= ahead.count,
            location.storedByteCount <= ahead.count - start
        else { return nil }
        let table: SSTable = self.table
        let decompressor: BlockDecompressor = self.decompressor
        let block: Block = try ahead.span.bytes.withUnsafeBytes { (bytes) throws(StorageError) in
            try table.decode(
                UnsafeRawBufferPointer(rebasing: bytes[start..<(start + location.storedByteCount)]),
                at: location.offset, decompressor)
        }
        cache?.insert(block, table.id, location.offset)
        loaded = (location.offset, block)
        return block
    }
}
