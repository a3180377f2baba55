internal import DataModel
internal import Primitives

extension SSTableCursor {
    /// How far the partition's deletions have been gathered.
    enum DeletionsStage {
        case seek
        case fetch(isFirst: Bool)
        case advance
        case done
    }

    /// Gathers the partition's deletion and the range deletions that meet the wanted slices. False when blocked.
    func fetchDeletions() throws(StorageError) -> Bool {
        guard let tree = table.deletions else { throw lostDeletions() }
        while true {
            var walk: TreeWalk = deletionsWalk ?? TreeWalk(tree)
            let movement: TreeWalk.Movement
            switch deletionsStage {
            case .done: return true
            case .fetch(let isFirst):
                guard let block = try fetcher.block(deletionsLocation) else { return false }
                try gather(block, isFirst: isFirst)
                continue
            case .seek:
                let start: [UInt8] = slices.first?.start ?? []
                movement = try start.span.bytes.withUnsafeBytes { (start) throws(StorageError) in
                    try walk.seek(ordinal, key, start, &fetcher)
                }
            case .advance: movement = try walk.next(&fetcher)
            }
            switch movement {
            case .blocked: return false
            case .end: throw lostDeletions()
            case .moved(let location):
                if case .seek = deletionsStage {
                    deletionsStage = .fetch(isFirst: true)
                } else {
                    deletionsStage = .fetch(isFirst: false)
                }
                deletionsLocation = location
                deletionsWalk = walk
            }
        }
    }

    /// Takes the range deletions of one block.
    private func gather(_ block: Block, isFirst: Bool) throws(StorageError) {
        guard let index = block.find(ordinal, key) else { throw lostDeletions() }
        let segment: BlockSegment = block.segment(index)
        partitionDeletion = segment.deletion
        deletionsStage = .done
        guard let start = slices.first?.start, let end = slices.last?.end else { return }
        var ranges = SegmentRows()
        var isOnRow: Bool = isFirst && ranges.seek(segment, floorOf: start)
        if !isOnRow {
            ranges.begin(segment)
            isOnRow = ranges.next()
        }
        while isOnRow {
            let range: StoredRange = try StoredRange(ranges.body, table)
            let rangeStart: UnsafeRawBufferPointer = ranges.clustering
            if end.withUnsafeBytes({ ByteOrder.compare(rangeStart, $0) >= 0 }) { return }
            if meetsSlice(rangeStart, range.end) {
                rangeDeletions.append(
                    RangeDeletion(start: [UInt8](rangeStart), end: [UInt8](range.end), deletion: range.deletion))
            }
            isOnRow = ranges.next()
        }
        if segment.flags.contains(.continuesAfter) { deletionsStage = .advance }
    }

    private func meetsSlice(_ start: UnsafeRawBufferPointer, _ end: UnsafeRawBufferPointer) -> Bool {
        for slice in slices {
            let isBeforeEnd: Bool = slice.end.withUnsafeBytes { ByteOrder.compare(start, $0) < 0 }
            let isAfterStart: Bool = slice.start.withUnsafeBytes { ByteOrder.compare(end, $0) > 0 }
            if isBeforeEnd && isAfterStart { return true }
        }
        return false
    }

    private func lostDeletions() -> StorageError {
        .damaged(file: table.path, offset: deletionsLocation.offset, reason: "the deletions of a partition are missing")
    }
}
