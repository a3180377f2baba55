public import DataModel
internal import Primitives

/// The answer of one SSTable to a point read: what deletes, and the row.
///
/// Kept and reused by whoever reads: it holds on to the blocks that its pointers go into until the next lookup.
public struct RowLookup {
    public enum Outcome: Sendable {
        /// The file has nothing of the partition.
        case absent
        /// The file has something of the partition; the fields say what.
        case present
        /// A block is not in memory: read with a cursor.
        case blocked
    }

    public fileprivate(set) var partitionDeletion: Deletion = .none
    /// The range deletion that covers the clustering that was looked for.
    public fileprivate(set) var rangeDeletion: Deletion = .none
    /// Empty when the file does not have the row.
    public fileprivate(set) var row = UnsafeRawBufferPointer(start: nil, count: 0)
    /// Empty when there is none, or when it was not asked for.
    public fileprivate(set) var staticRow = UnsafeRawBufferPointer(start: nil, count: 0)
    fileprivate var rowBlock: Block?
    fileprivate var staticBlock: Block?

    public init() {}

    /// Lets the blocks go.
    public mutating func reset() {
        partitionDeletion = .none
        rangeDeletion = .none
        row = UnsafeRawBufferPointer(start: nil, count: 0)
        staticRow = UnsafeRawBufferPointer(start: nil, count: 0)
        rowBlock = nil
        staticBlock = nil
    }
}

extension SSTable {
    /// Looks one row up, and what deletes it.
    ///
    /// Hot: once per file per point read, after `mightContain` did not rule the file out. Nothing is allocated when the
    /// blocks are cached.
    public func find(
        token: Token, key: UnsafeRawBufferPointer, clustering: UnsafeRawBufferPointer, cache: BlockCache,
        into lookup: inout RowLookup
    ) throws(StorageError) -> RowLookup.Outcome {
        lookup.reset()
        let ordinal: UInt64 = token.ordinal
        guard let block = try leaf(of: rows, ordinal, key, clustering, cache) else { return .blocked }
        guard let index = block.find(ordinal, key) else { return .absent }
        let segment: BlockSegment = block.segment(index)
        if let body = segment.exact(clustering) {
            lookup.row = body
            lookup.rowBlock = block
        }
        guard segment.flags.contains(.hasDeletions) else { return .present }
        return try findDeletions(ordinal, key, clustering, cache, &lookup)
    }

    /// Looks the static row and the deletion of a partition up.
    public func findHeader(
        token: Token, key: UnsafeRawBufferPointer, cache: BlockCache, into lookup: inout RowLookup
    ) throws(StorageError) -> RowLookup.Outcome {
        lookup.reset()
        let ordinal: UInt64 = token.ordinal
        let start = UnsafeRawBufferPointer(start: nil, count: 0)
        guard let block = try leaf(of: rows, ordinal, key, start, cache) else { return .blocked }
        guard let index = block.find(ordinal, key) else { return .absent }
        let segment: BlockSegment = block.segment(index)
        lookup.staticRow = segment.staticRow
        lookup.staticBlock = block
        guard segment.flags.contains(.hasDeletions) else { return .present }
        return try findDeletions(ordinal, key, start, cache, &lookup)
    }

    @inline(never)
    private func findDeletions(
        _ ordinal: UInt64, _ key: UnsafeRawBufferPointer, _ clustering: UnsafeRawBufferPointer, _ cache: BlockCache,
        _ lookup: inout RowLookup
    ) throws(StorageError) -> RowLookup.Outcome {
        guard let deletions else {
            throw .damaged(file: path, offset: byteCount, reason: "the deletions of a partition are missing")
        }
        guard let block = try leaf(of: deletions, ordinal, key, clustering, cache) else { return .blocked }
        guard let index = block.find(ordinal, key) else {
            throw .damaged(file: path, offset: byteCount, reason: "the deletions of a partition are missing")
        }
        let segment: BlockSegment = block.segment(index)
        lookup.partitionDeletion = segment.deletion
        if let (_, body) = segment.floor(clustering) {
            let range: StoredRange = try StoredRange(body, self)
            if ByteOrder.compare(clustering, range.end) < 0 { lookup.rangeDeletion = range.deletion }
        }
        return .present
    }

    /// The block of a tree in which a place is, if it is anywhere; nil when a block is not in memory.
    @inline(__always)
    private func leaf(
        of tree: BlockTree, _ ordinal: UInt64, _ key: UnsafeRawBufferPointer, _ clustering: UnsafeRawBufferPointer,
        _ cache: BlockCache
    ) throws(StorageError) -> Block? {
        guard let place = tree.root.floor(ordinal, key, clustering) ?? tree.root.firstPlace else {
            throw .damaged(file: path, offset: byteCount, reason: "an index is empty")
        }
        let location = BlockLocation(place.body)
        guard tree.height == 2 else { return try block(location, cache) }
        guard let index = try block(location, cache) else { return nil }
        guard let place = index.floor(ordinal, key, clustering) ?? index.firstPlace else {
            throw .damaged(file: path, offset: location.offset, reason: "an index block is empty")
        }
        return try block(BlockLocation(place.body), cache)
    }
}

/// The body of a row of the deletions tree: where the range ends, and its deletion.
struct StoredRange {
    var end: UnsafeRawBufferPointer
    var deletion: Deletion

    init(_ body: UnsafeRawBufferPointer, _ table: SSTable) throws(StorageError) {
        guard let start = body.baseAddress, let (count, bytes) = loadCheckedVint(start, end: start + body.count),
            start + body.count - bytes >= Deletion.byteCount, start + body.count - bytes - Deletion.byteCount == count
        else {
            throw .damaged(file: table.path, offset: 0, reason: "a range deletion makes no sense")
        }
        self.end = UnsafeRawBufferPointer(start: bytes, count: count)
        let timestamp = Int64(bigEndian: (bytes + count).loadUnaligned(as: Int64.self))
        let seconds = Int64(bigEndian: (bytes + count).loadUnaligned(fromByteOffset: 8, as: Int64.self))
        self.deletion = Deletion(timestamp: timestamp, localSeconds: seconds)
    }
}
