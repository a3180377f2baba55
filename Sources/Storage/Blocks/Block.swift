internal import DataModel
internal import Primitives

/// One decompressed block of an SSTable: segments of partitions, each with rows in ascending order of clustering.
///
/// Rows, range deletions and index entries all stand in blocks of this one form (docs/formats/sstable.md, Blocks).
/// Everything that a search relies on for its memory safety is checked once, here, when the block is made; searches
/// then use raw pointers. Immutable; whoever holds a reference may keep pointers into it.
///
/// `Sendable` is unchecked because nothing is written after `init`.
final class Block: @unchecked Sendable {
    let base: UnsafeRawPointer
    let byteCount: Int
    let segmentCount: Int
    /// The ordinals of the segments' tokens, ascending, 8 bytes each, big-endian.
    private let tokens: UnsafeRawPointer
    /// Where each segment starts, 4 bytes each, big-endian.
    private let offsets: UnsafeRawPointer
    private let segmentsEnd: Int

    /// Takes over `memory`, which came from `allocate`, and frees it in the end, also when it throws.
    init(adopting memory: UnsafeMutableRawBufferPointer, at fileOffset: Int) throws(BlockDamage) {
        guard let start = memory.baseAddress, memory.count >= 4 else {
            memory.deallocate()
            throw BlockDamage(offset: fileOffset, reason: "a block is empty")
        }
        let count = Int(UInt32(bigEndian: start.loadUnaligned(fromByteOffset: memory.count - 4, as: UInt32.self)))
        guard count > 0, count <= (memory.count - 4) / 12 else {
            memory.deallocate()
            throw BlockDamage(offset: fileOffset, reason: "a block has an impossible number of segments")
        }
        self.base = UnsafeRawPointer(start)
        self.byteCount = memory.count
        self.segmentCount = count
        self.segmentsEnd = memory.count - 4 - count * 12
        self.tokens = UnsafeRawPointer(start) + segmentsEnd
        self.offsets = UnsafeRawPointer(start) + (segmentsEnd + count * 8)
        guard isWellFormed() else { throw BlockDamage(offset: fileOffset, reason: "a block has a broken structure") }
    }

    deinit {
        UnsafeMutableRawPointer(mutating: base).deallocate()
    }

    /// The ordinal of a segment's token.
    @inline(__always)
    func ordinal(_ index: Int) -> UInt64 {
        UInt64(bigEndian: tokens.loadUnaligned(fromByteOffset: index &* 8, as: UInt64.self))
    }

    @inline(__always)
    func segment(_ index: Int) -> BlockSegment {
        let start = Int(UInt32(bigEndian: offsets.loadUnaligned(fromByteOffset: index &* 4, as: UInt32.self)))
        return BlockSegment(base + start)
    }

    /// The first segment whose token is not before `ordinal`; `segmentCount` when all are.
    @inline(__always)
    func lowerBound(_ ordinal: UInt64) -> Int {
        var low = 0
        var count: Int = segmentCount
        while count > 0 {
            let half: Int = count >> 1
            if self.ordinal(low &+ half) < ordinal {
                low = low &+ half &+ 1
                count = count &- half &- 1
            } else {
                count = half
            }
        }
        return low
    }

    /// The segment of a partition; nil when the block has none.
    ///
    /// Hot: once per point read.
    func find(_ ordinal: UInt64, _ key: UnsafeRawBufferPointer) -> Int? {
        var index: Int = lowerBound(ordinal)
        while index < segmentCount, self.ordinal(index) == ordinal {
            if ByteOrder.compare(segment(index).key, key) == 0 { return index }
            index &+= 1
        }
        return nil
    }

    /// The first segment that is not before (token, key); `segmentCount` when all are.
    func lowerBound(_ ordinal: UInt64, _ key: UnsafeRawBufferPointer) -> Int {
        var index: Int = lowerBound(ordinal)
        while index < segmentCount, self.ordinal(index) == ordinal, ByteOrder.compare(segment(index).key, key) < 0 {
            index &+= 1
        }
        return index
    }

    /// The last row of the block that is at or before (token, key, clustering); nil when all rows are after it.
    ///
    /// Hot: once or twice per point read, in index blocks.
    func floor(_ ordinal: UInt64, _ key: UnsafeRawBufferPointer, _ clustering: UnsafeRawBufferPointer) -> BlockPlace? {
        var index: Int = lowerBound(ordinal, key)
        if index < segmentCount, self.ordinal(index) == ordinal {
            let segment: BlockSegment = self.segment(index)
            if ByteOrder.compare(segment.key, key) == 0, let (row, body) = segment.floor(clustering) {
                return BlockPlace(segment: index, row: row, body: body)
            }
        }
        while index > 0 {
            index &-= 1
            let segment: BlockSegment = self.segment(index)
            if segment.rowCount > 0 {
                let last: Int = segment.rowCount &- 1
                return BlockPlace(segment: index, row: last, body: segment.body(of: last))
            }
        }
        return nil
    }

    /// The first row of the block; nil when it has none.
    var firstPlace: BlockPlace? { place(after: -1, lastRow: 0) }

    /// The row after `place`, in whatever segment; nil at the end of the block.
    func place(after place: BlockPlace) -> BlockPlace? {
        let segment: BlockSegment = self.segment(place.segment)
        if place.row + 1 < segment.rowCount {
            return BlockPlace(segment: place.segment, row: place.row + 1, body: segment.body(of: place.row + 1))
        }
        return self.place(after: place.segment, lastRow: 0)
    }

    private func place(after segmentIndex: Int, lastRow: Int) -> BlockPlace? {
        var index: Int = segmentIndex + 1
        while index < segmentCount {
            let segment: BlockSegment = self.segment(index)
            if segment.rowCount > 0 { return BlockPlace(segment: index, row: 0, body: segment.body(of: 0)) }
            index += 1
        }
        return nil
    }

    /// The row before `place`; nil at the start of the block.
    func place(before place: BlockPlace) -> BlockPlace? {
        if place.row > 0 {
            let segment: BlockSegment = self.segment(place.segment)
            return BlockPlace(segment: place.segment, row: place.row - 1, body: segment.body(of: place.row - 1))
        }
        return lastPlace(before: place.segment)
    }

    /// The last row of the block; nil when it has none.
    var lastPlace: BlockPlace? { lastPlace(before: segmentCount) }

    private func lastPlace(before segmentIndex: Int) -> BlockPlace? {
        var index: Int = segmentIndex - 1
        while index >= 0 {
            let segment: BlockSegment = self.segment(index)
            if segment.rowCount > 0 {
                let last: Int = segment.rowCount - 1
                return BlockPlace(segment: index, row: last, body: segment.body(of: last))
            }
            index -= 1
        }
        return nil
    }

    /// Walks the whole block with every step checked.
    private func isWellFormed() -> Bool {
        let end: UnsafeRawPointer = base + segmentsEnd
        var previous: UInt64 = 0
        for index in 0..<segmentCount {
            let start = Int(UInt32(bigEndian: offsets.loadUnaligned(fromByteOffset: index * 4, as: UInt32.self)))
            let limit: Int =
                index + 1 < segmentCount
                ? Int(UInt32(bigEndian: offsets.loadUnaligned(fromByteOffset: index * 4 + 4, as: UInt32.self)))
                : segmentsEnd
            guard index > 0 || start == 0, start < limit, limit <= segmentsEnd, ordinal(index) >= previous,
                BlockSegment.isWellFormed(base + start, end: min(base + limit, end))
            else { return false }
            previous = ordinal(index)
        }
        return true
    }
}

/// One row of a block: its segment, its place in the segment, and its body.
struct BlockPlace {
    var segment: Int
    var row: Int
    var body: UnsafeRawBufferPointer
}
