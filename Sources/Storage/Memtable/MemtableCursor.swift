package import DataModel
import Primitives

/// Walks a memtable partition by partition and row by row, while writes go on between its calls.
///
/// It stands on items, which never move or vanish, and finds its place in the trees again by their keys when the trees
/// have changed. What is written behind it is not seen any more; what is written before it is. A frozen memtable is
/// thereby read exactly.
package final class MemtableCursor: SourceCursor {
    package private(set) var token: Token = .minimum
    package private(set) var key = UnsafeRawBufferPointer(start: nil, count: 0)
    package private(set) var partitionDeletion: Deletion = .none
    package private(set) var staticRow = UnsafeRawBufferPointer(start: nil, count: 0)
    package private(set) var rangeDeletions: [RangeDeletion] = []
    package private(set) var clustering = UnsafeRawBufferPointer(start: nil, count: 0)
    package private(set) var row = UnsafeRawBufferPointer(start: nil, count: 0)
    package private(set) var lastPosition: LogPosition = .start

    private let memtable: Memtable
    private let command: ReadCommand
    private let isReversed: Bool
    /// The partition that the cursor stands on; nil before the first and after the last.
    private var partition: MemtablePartition?
    private var partitionPosition: TreePosition?
    private var isAtEnd = false
    /// The slices of this partition, in their own order.
    private var slices: [ClusteringSlice] = []
    /// The slice that the cursor is in, counted in the direction of the walk.
    private var sliceIndex: Int = 0
    /// The row that the cursor stands on; nil when it has not yet entered the slice.
    private var currentRow: MemtableRow?
    private var rowPosition: TreePosition?
    /// The state of the trees for which the two positions hold.
    private var partitionChangeCount: UInt64 = 0
    private var rowChangeCount: UInt64 = 0
    private var rowScratch = ByteWriter(capacity: 16)
    private var staticScratch = ByteWriter(capacity: 16)

    package init(_ memtable: Memtable, _ command: ReadCommand) {
        self.memtable = memtable
        self.command = command
        self.isReversed = command.isReversed
        memtable.openCursorCount += 1
    }

    deinit {
        memtable.openCursorCount -= 1
    }

    package func load() async throws(StorageError) {}

    // MARK: Partitions

    package func nextPartition() throws(StorageError) -> SourceStep {
        while let next = advance() {
            if next.rowCount == 0 && next.rest == nil { continue }
            partition = next
            lastPosition = max(lastPosition, next.lastPosition)
            key = next.key
            partitionDeletion = memtable.deletion(of: next)
            staticRow =
                try memtable.staticRow(of: next, scratch: &staticScratch)
                ?? UnsafeRawBufferPointer(start: nil, count: 0)
            slices = command.slices(of: token, key)
            rangeDeletions = wantedRanges(of: next)
            sliceIndex = 0
            currentRow = nil
            rowPosition = nil
            return .ready
        }
        partition = nil
        isAtEnd = true
        return .end
    }

    /// Moves to the next partition of the range and sets `token`.
    private func advance() -> MemtablePartition? {
        guard !isAtEnd, let root = memtable.root else { return nil }
        if case .one(let wanted, let wantedKey) = command.partitions {
            isAtEnd = true
            token = wanted
            return wantedKey.withUnsafeBytes { memtable.find(wanted, $0) }
        }
        let tree = ArenaTree(root: root, keyOffset: MemtablePartition.keyOffset)
        guard var position = nextPosition(tree), let item = ArenaTree.item(at: &position) else { return nil }
        partitionPosition = position
        partitionChangeCount = memtable.treeChangeCount
        let next = MemtablePartition(item)
        token = Token(ordinal: unsafe TreeNode(position.leaf).prefixes[position.index])
        // Kept even if it says nothing, so that the next call goes on from here.
        partition = next
        return command.partitions.end.isBefore(token, next.key) ? nil : next
    }

    /// The place after the current partition, or that of the first one wanted; nil when there can be none.
    private func nextPosition(_ tree: ArenaTree) -> TreePosition? {
        if let partition {
            if var position = partitionPosition, partitionChangeCount == memtable.treeChangeCount {
                position.index += 1
                return position
            }
            return MemtableCursor.position(after: TreeKey(ordinal: token.ordinal, partition.key), tree)
        }
        let start: PartitionPosition = command.partitions.start
        guard let first = start.key else {
            if start.isAfter && start.token == .maximum { return nil }
            let ordinal: UInt64 = start.isAfter ? start.token.ordinal + 1 : start.token.ordinal
            return tree.lowerBound(TreeKey(ordinal: ordinal, UnsafeRawBufferPointer(start: nil, count: 0))).position
        }
        return first.withUnsafeBytes { bytes in
            let key = TreeKey(ordinal: start.token.ordinal, bytes)
            return start.isAfter ? MemtableCursor.position(after: key, tree) : tree.lowerBound(key).position
        }
    }

    private static func position(after key: TreeKey, _ tree: ArenaTree) -> TreePosition {
        var found: (position: TreePosition, isEqual: Bool) = tree.lowerBound(key)
        if found.isEqual { found.position.index += 1 }
        return found.position
    }

    private func wantedRanges(of partition: MemtablePartition) -> [RangeDeletion] {
        guard let rest = partition.rest, rest.rangesNumber > 0 else { return [] }
        let all: RangeDeletions = memtable.ranges[rest.rangesNumber - 1]
        if slices.count == 1, slices[0] == .everything { return all.ranges }
        var wanted: [RangeDeletion] = []
        for slice in slices {
            for range in all.intersecting(start: slice.start, end: slice.end) where range.start != wanted.last?.start {
                wanted.append(range)
            }
        }
        return wanted
    }

    // MARK: Rows

    package func nextRow() throws(StorageError) -> SourceStep {
        guard let partition else { return .end }
        while sliceIndex < slices.count {
            let slice: ClusteringSlice = slices[isReversed ? slices.count - 1 - sliceIndex : sliceIndex]
            if let next = step(partition, slice) {
                currentRow = next
                // It may have been written to since the cursor came to it.
                if partition.lastPosition > lastPosition { lastPosition = partition.lastPosition }
                clustering = next.key
                row = try memtable.body(of: next.newest, scratch: &rowScratch)
                return .ready
            }
            sliceIndex += 1
            currentRow = nil
            rowPosition = nil
        }
        return .end
    }

    /// The next row of a slice; nil at its end.
    private func step(_ partition: MemtablePartition, _ slice: ClusteringSlice) -> MemtableRow? {
        guard let rows = partition.rows else { return nil }
        if partition.rowCount == 1 {
            guard currentRow == nil, isInside(MemtableRow(rows).key, slice) else { return nil }
            return MemtableRow(rows)
        }
        let tree = ArenaTree(root: rows, keyOffset: MemtableRow.keyOffset)
        var position: TreePosition
        if var place = rowPosition, rowChangeCount == memtable.treeChangeCount {
            if !isReversed { place.index += 1 }
            position = place
        } else if let current = currentRow {
            let key = TreeKey(current.key)
            position = isReversed ? tree.lowerBound(key).position : MemtableCursor.position(after: key, tree)
        } else {
            let bound: [UInt8] = isReversed ? slice.end : slice.start
            position = bound.withUnsafeBytes { tree.lowerBound(TreeKey($0)).position }
        }
        let item: UnsafeMutableRawPointer? =
            isReversed ? ArenaTree.itemBefore(&position) : ArenaTree.item(at: &position)
        guard let item, isInside(MemtableRow(item).key, slice) else { return nil }
        rowPosition = position
        rowChangeCount = memtable.treeChangeCount
        return MemtableRow(item)
    }

    /// Whether a row is before the end of a slice (and, as it may be in a partition of one row, not before its start).
    private func isInside(_ key: UnsafeRawBufferPointer, _ slice: ClusteringSlice) -> Bool {
        let isAfterStart: Bool =
            slice.start.isEmpty || slice.start.withUnsafeBytes { ByteOrder.compare($0, key) <= 0 }
        return isAfterStart && slice.end.withUnsafeBytes { ByteOrder.compare(key, $0) < 0 }
    }
}

extension Memtable {
    /// A cursor over this memtable. As long as it lives the memtable reuses no memory, so it is not kept for long.
    package func makeCursor(_ command: ReadCommand) -> MemtableCursor {
        MemtableCursor(self, command)
    }
}
