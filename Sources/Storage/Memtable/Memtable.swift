import DataModel
public import Primitives

/// The newest writes of one table on one shard, in order, until they are flushed.
///
///     apply(mutation) ──▶ tree of partitions by (token, key) ──▶ rows of each by clustering key ──▶ merged bodies
///
/// Everything lies in an arena: there is no object for a partition, row or cell, and dropping the memtable frees a few
/// chunks. Rows are merged as they come, so a read sees one body per row. Deletions of partitions and ranges are kept
/// beside the rows and shadow nothing by themselves; readers ask for them (`shadow`) or get them from the cursor.
///
/// Hot: every write and every read goes through one. It never waits.
///
/// `Sendable` is unchecked because a memtable belongs to the loop of its shard and is touched nowhere else.
public final class Memtable: @unchecked Sendable {
    /// Rows up to this size are merged on every write; larger ones collect changes first.
    static let foldedByteCount: Int = 2_048

    public let table: UUID
    public internal(set) var statistics = MemtableStatistics()
    /// Where the log was when the first mutation of this memtable came; nil before it.
    public internal(set) var firstPosition: LogPosition?
    /// Where the log was when the last mutation of this memtable came.
    public internal(set) var lastPosition: LogPosition = .start
    /// Whether the memtable takes no more writes, because it is being flushed.
    public private(set) var isFrozen = false

    var arena = Arena()
    /// The root of the tree of partitions; nil before the first write.
    var root: UnsafeMutableRawPointer?
    var ranges: [RangeDeletions] = []
    private var rangesByteCount: Int = 0
    /// Counts the changes of any tree, so that cursors know when their places hold no longer.
    var treeChangeCount: UInt64 = 0
    /// While cursors are open no block is reused, because they may stand on it.
    var openCursorCount: Int = 0
    private var scratch = ByteWriter(capacity: 16)
    private var spare = ByteWriter(capacity: 16)

    public init(table: UUID) {
        self.table = table
    }

    public var isEmpty: Bool { root == nil }

    /// The memory that the memtable holds.
    public var byteCount: Int { arena.chunkByteCount &+ rangesByteCount }

    /// The part of `byteCount` that contents take.
    public var usedByteCount: Int { arena.usedByteCount &+ rangesByteCount }

    /// Ends the writing. Reads go on.
    public func freeze() {
        isFrozen = true
    }

    /// Adds a mutation of this table; `position` is where the log has it.
    ///
    /// Hot. A damaged mutation throws `.decoding` and changes nothing.
    public func apply(_ mutation: RawSpan, at position: LogPosition = .start) throws(StorageError) {
        require(!isFrozen, "a frozen memtable takes no writes")
        do throws(DecodingError) {
            let isApplied: Bool = try mutation.withUnsafeBytes { bytes throws(DecodingError) in
                try applySingleRow(bytes, position)
            }
            if isApplied { return }
            var counted: MemtableStatistics = statistics
            try counted.count(mutation)
            statistics = counted
            note(position)
            try write(mutation, position)
        } catch {
            throw .decoding(error)
        }
    }

    /// Applies a mutation of one plain row; false, and nothing is done, for all others.
    @inline(__always)
    private func applySingleRow(
        _ bytes: UnsafeRawBufferPointer, _ position: LogPosition
    ) throws(DecodingError) -> Bool {
        guard let mutation = SingleRowMutation(bytes), statistics.countPlainRow(mutation.body) else { return false }
        note(position)
        let partition: MemtablePartition = partitionForWriting(mutation.token, mutation.key)
        partition.note(position)
        if !Memtable.saysNothing(mutation.body) { try write(mutation.clustering, mutation.body, to: partition) }
        return true
    }

    @inline(__always)
    private func note(_ position: LogPosition) {
        if firstPosition == nil { firstPosition = position }
        if position > lastPosition { lastPosition = position }
    }

    private func write(_ bytes: RawSpan, _ position: LogPosition) throws(DecodingError) {
        var mutation = try MutationReader(bytes)
        let token: Token = mutation.token
        let partition: MemtablePartition = mutation.key.withUnsafeBytes { partitionForWriting(token, $0) }
        partition.note(position)
        if !mutation.partitionDeletion.isNone {
            let rest: PartitionRest = restForWriting(partition)
            rest.deletion = rest.deletion.merged(with: mutation.partitionDeletion)
        }
        if !mutation.staticRow.isEmpty {
            let slot: UnsafeMutableRawPointer = restForWriting(partition).staticSlot
            try mutation.staticRow.withUnsafeBytes { body throws(DecodingError) in
                if !Memtable.saysNothing(body) { try add(body, to: slot) }
            }
        }
        while let row = try mutation.nextRow() {
            let body: RawSpan = row.body
            try row.clustering.withUnsafeBytes { key throws(DecodingError) in
                try body.withUnsafeBytes { body throws(DecodingError) in
                    if !Memtable.saysNothing(body) { try write(key, body, to: partition) }
                }
            }
        }
        while let range = try mutation.nextRange() {
            let start = [UInt8](copying: range.start)
            let end = [UInt8](copying: range.end)
            insert(RangeDeletion(start: start, end: end, deletion: range.deletion), into: partition)
        }
    }

    /// Whether a body is a head without marker, deletion and cells.
    @inline(__always)
    private static func saysNothing(_ body: UnsafeRawBufferPointer) -> Bool {
        body.count <= 9 && (body.isEmpty || body[0] == 0)
    }

    @inline(__always)
    private func partitionForWriting(_ token: Token, _ bytes: UnsafeRawBufferPointer) -> MemtablePartition {
        let key = TreeKey(ordinal: token.ordinal, bytes)
        let root: UnsafeMutableRawPointer =
            self.root ?? TreeNode.make(level: 0, capacity: ArenaTree.smallestCapacity, arena: &arena).address
        var tree = ArenaTree(root: root, keyOffset: MemtablePartition.keyOffset)
        let path: TreePath = tree.locate(key)
        if path.isFound { return MemtablePartition(unsafe TreeNode(path.leaf).items[path.index]) }
        let partition = MemtablePartition.make(key: bytes, arena: &arena)
        tree.insert(partition.address, prefix: key.prefix, at: path, arena: &arena)
        self.root = tree.root
        treeChangeCount &+= 1
        statistics.partitionCount &+= 1
        return partition
    }

    private func restForWriting(_ partition: MemtablePartition) -> PartitionRest {
        if let rest = partition.rest { return rest }
        let rest = PartitionRest.make(arena: &arena)
        partition.rest = rest
        return rest
    }

    private func insert(_ range: RangeDeletion, into partition: MemtablePartition) {
        let rest: PartitionRest = restForWriting(partition)
        if rest.rangesNumber == 0 {
            ranges.append(RangeDeletions())
            rest.rangesNumber = ranges.count
        }
        rangesByteCount += ranges[rest.rangesNumber - 1].insert(range)
    }

    // MARK: Rows

    @inline(__always)
    private func write(
        _ clustering: UnsafeRawBufferPointer, _ body: UnsafeRawBufferPointer, to partition: MemtablePartition
    ) throws(DecodingError) {
        let key = TreeKey(clustering)
        if partition.rowCount < 2 {
            guard let only = partition.rows else {
                partition.rows = MemtableRow.make(key: clustering, body: body, arena: &arena).address
                return rowAdded(to: partition)
            }
            if ByteOrder.compare(MemtableRow(only).key, clustering) == 0 {
                return try add(body, to: MemtableRow(only).slot)
            }
            let leaf = TreeNode.make(level: 0, capacity: ArenaTree.smallestCapacity, arena: &arena)
            leaf.insert(prefix: TreeKey.prefix(MemtableRow(only).key), item: only, at: 0)
            partition.rows = leaf.address
        }
        guard let root = partition.rows else { return }
        var tree = ArenaTree(root: root, keyOffset: MemtableRow.keyOffset)
        let path: TreePath = tree.locate(key)
        if path.isFound {
            return try add(body, to: MemtableRow(unsafe TreeNode(path.leaf).items[path.index]).slot)
        }
        let row = MemtableRow.make(key: clustering, body: body, arena: &arena)
        tree.insert(row.address, prefix: key.prefix, at: path, arena: &arena)
        partition.rows = tree.root
        rowAdded(to: partition)
    }

    private func rowAdded(to partition: MemtablePartition) {
        partition.rowCount &+= 1
        statistics.rowCount &+= 1
        treeChangeCount &+= 1
    }

    // MARK: Versions of a row

    /// Merges a body into the row whose newest version's address is at `slot`.
    private func add(_ body: UnsafeRawBufferPointer, to slot: UnsafeMutableRawPointer) throws(DecodingError) {
        guard let address = unsafe slot.load(as: UnsafeMutableRawPointer?.self) else {
            return put(body, over: nil, at: slot)
        }
        let newest = RowVersion(address)
        if newest.older == nil, PlainRow.overwrites(body, newest.body) { return replace(newest, with: body, at: slot) }
        guard newest.older == nil, newest.byteCount &+ body.count <= Memtable.foldedByteCount else {
            return try addToLarge(body, newest, slot)
        }
        scratch.removeAll()
        try Memtable.merge(body, newest.body, to: &scratch)
        scratch.withUnsafeBytes { replace(newest, with: $0, at: slot) }
    }

    /// Puts a body in the place of the row's only version.
    @inline(__always)
    private func replace(_ newest: RowVersion, with body: UnsafeRawBufferPointer, at slot: UnsafeMutableRawPointer) {
        if openCursorCount == 0, body.count <= newest.capacity {
            newest.replace(body)
        } else {
            put(body, over: nil, at: slot)
            release(newest)
        }
    }

    /// Adds to a large row: the new body takes in older versions for as long as they are not much larger than it, so
    /// that every byte is merged a number of times that is logarithmic in the size of the row.
    private func addToLarge(
        _ body: UnsafeRawBufferPointer, _ newest: RowVersion, _ slot: UnsafeMutableRawPointer
    ) throws(DecodingError) {
        var next: RowVersion? = newest
        scratch.removeAll()
        scratch.write(body)
        while let version = next {
            let byteCount: Int = scratch.count
            let isSmall: Bool = version.byteCount &+ byteCount <= Memtable.foldedByteCount
            guard isSmall || version.byteCount <= byteCount &* 2 else { break }
            spare.removeAll()
            try scratch.withUnsafeBytes { merged throws(DecodingError) in
                try Memtable.merge(merged, version.body, to: &spare)
            }
            swap(&scratch, &spare)
            next = version.older
        }
        scratch.withUnsafeBytes { put($0, over: next, at: slot) }
        var absorbed: RowVersion? = newest
        while let version = absorbed, version.address != next?.address {
            absorbed = version.older
            release(version)
        }
        scratch.removeAll(keepingAtMost: 64 << 10)
        spare.removeAll(keepingAtMost: 64 << 10)
    }

    private func put(_ body: UnsafeRawBufferPointer, over older: RowVersion?, at slot: UnsafeMutableRawPointer) {
        let made: (block: UnsafeMutableRawPointer, byteCount: Int) =
            arena.allocateReplaceable(RowVersion.headByteCount &+ body.count)
        let version = RowVersion(made.block)
        version.fill(body, capacity: made.byteCount &- RowVersion.headByteCount, older: older)
        unsafe slot.storeBytes(of: made.block, as: UnsafeMutableRawPointer?.self)
    }

    private func release(_ version: RowVersion) {
        guard openCursorCount == 0 else { return }
        arena.release(version.address, byteCount: RowVersion.headByteCount &+ version.capacity)
    }
}
