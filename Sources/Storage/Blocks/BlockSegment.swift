internal import DataModel
internal import Primitives

/// What a segment of a block says about its partition.
struct SegmentFlags: OptionSet {
    let rawValue: UInt8

    /// The partition has a segment in the block before this one.
    static let continuesBefore = SegmentFlags(rawValue: 0x01)
    /// The partition has another segment in the next block.
    static let continuesAfter = SegmentFlags(rawValue: 0x02)
    /// The partition's deletion is in this segment.
    static let deletion = SegmentFlags(rawValue: 0x04)
    /// The partition's static row is in this segment.
    static let staticRow = SegmentFlags(rawValue: 0x08)
    /// The partition has a static row, here or in its first segment.
    static let hasStaticRow = SegmentFlags(rawValue: 0x10)
    /// The partition has a segment in the deletions tree.
    static let hasDeletions = SegmentFlags(rawValue: 0x20)

    static let all: SegmentFlags = [
        .continuesBefore, .continuesAfter, .deletion, .staticRow, .hasStaticRow, .hasDeletions,
    ]
}

/// One row as it stands in a block: how much of its clustering it shares with the row before it, and the rest.
struct BlockRow {
    var shared: Int
    var suffix: UnsafeRawBufferPointer
    var body: UnsafeRawBufferPointer
    /// Where the next row starts.
    var next: UnsafeRawPointer

    @inline(__always)
    init(at start: UnsafeRawPointer) {
        var place: UnsafeRawPointer = start
        self.shared = loadVint(&place)
        let suffixCount: Int = loadVint(&place)
        let bodyCount: Int = loadVint(&place)
        self.suffix = UnsafeRawBufferPointer(start: place, count: suffixCount)
        self.body = UnsafeRawBufferPointer(start: place + suffixCount, count: bodyCount)
        self.next = place + (suffixCount &+ bodyCount)
    }
}

/// A view of the part of a partition that stands in one block.
///
///     segment := flags u8 · key length u16 · key · [deletion 16 bytes] · [static row: vint length · bytes]
///                · vint row count · [restart table: u32 each, when there are more than 16 rows] · row*
///     row     := vint shared · vint suffix length · vint body length · suffix · body
///
/// Every sixteenth row is a restart: it shares nothing, so a search can begin there. Valid as long as its block.
struct BlockSegment {
    static let restartInterval: Int = 16

    let flags: SegmentFlags
    let key: UnsafeRawBufferPointer
    let rowCount: Int
    private let afterKey: UnsafeRawPointer
    private let restarts: UnsafeRawPointer
    private let rows: UnsafeRawPointer

    /// Reads the head of a segment that `isWellFormed` has passed.
    @inline(__always)
    init(_ start: UnsafeRawPointer) {
        self.flags = SegmentFlags(rawValue: start.load(as: UInt8.self))
        let keyCount = Int(UInt16(bigEndian: start.loadUnaligned(fromByteOffset: 1, as: UInt16.self)))
        self.key = UnsafeRawBufferPointer(start: start + 3, count: keyCount)
        var place: UnsafeRawPointer = start + (3 &+ keyCount)
        self.afterKey = place
        if flags.contains(.deletion) { place += Deletion.byteCount }
        if flags.contains(.staticRow) {
            let count: Int = loadVint(&place)
            place += count
        }
        self.rowCount = loadVint(&place)
        self.restarts = place
        if rowCount > BlockSegment.restartInterval { place += BlockSegment.restartCount(rowCount) &* 4 }
        self.rows = place
    }

    static func restartCount(_ rowCount: Int) -> Int {
        (rowCount &+ restartInterval &- 1) / restartInterval
    }

    /// The partition's deletion, in segments of the deletions tree.
    var deletion: Deletion {
        guard flags.contains(.deletion) else { return .none }
        let timestamp = Int64(bigEndian: afterKey.loadUnaligned(as: Int64.self))
        let seconds = Int64(bigEndian: afterKey.loadUnaligned(fromByteOffset: 8, as: Int64.self))
        return Deletion(timestamp: timestamp, localSeconds: seconds)
    }

    /// Empty when this segment has none.
    var staticRow: UnsafeRawBufferPointer {
        guard flags.contains(.staticRow) else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        var place: UnsafeRawPointer = flags.contains(.deletion) ? afterKey + Deletion.byteCount : afterKey
        let count: Int = loadVint(&place)
        return UnsafeRawBufferPointer(start: place, count: count)
    }

    /// Where the restart begins that row `restart * 16` is.
    @inline(__always)
    func restartPointer(_ restart: Int) -> UnsafeRawPointer {
        if restart == 0 { return rows }
        return rows + Int(UInt32(bigEndian: restarts.loadUnaligned(fromByteOffset: restart &* 4, as: UInt32.self)))
    }

    /// The last restart whose row is not after `clustering`; 0 when all are.
    @inline(__always)
    func restart(notAfter clustering: UnsafeRawBufferPointer) -> Int {
        guard rowCount > BlockSegment.restartInterval else { return 0 }
        var low = 0
        var high: Int = BlockSegment.restartCount(rowCount) &- 1
        while low < high {
            let middle: Int = (low &+ high &+ 1) >> 1
            if ByteOrder.compare(BlockRow(at: restartPointer(middle)).suffix, clustering) <= 0 {
                low = middle
            } else {
                high = middle &- 1
            }
        }
        return low
    }

    /// The body of row `index`, which must exist.
    func body(of index: Int) -> UnsafeRawBufferPointer {
        let restart: Int = index / BlockSegment.restartInterval
        var row = BlockRow(at: restartPointer(restart))
        for _ in 0..<(index &- restart &* BlockSegment.restartInterval) { row = BlockRow(at: row.next) }
        return row.body
    }

    /// The last row that is not after `clustering`; nil when all are.
    @inline(__always)
    func floor(_ clustering: UnsafeRawBufferPointer) -> (index: Int, body: UnsafeRawBufferPointer)? {
        guard let found = search(clustering) else { return nil }
        return (found.index, found.row.body)
    }

    /// The body of the row at exactly `clustering`; nil when there is none.
    @inline(__always)
    func exact(_ clustering: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        guard let found = search(clustering), found.isExact else { return nil }
        return found.row.body
    }

    /// The last row that is not after `target`.
    ///
    /// Hot: once per block of a point read. It never puts a whole clustering together: what a row shares with the one
    /// before it tells how it stands to the target. With `matched` bytes of the target equal to the row before, which
    /// was smaller, a row that shares less is greater than the target, and one that shares more is smaller.
    private func search(
        _ target: UnsafeRawBufferPointer
    ) -> (index: Int, row: BlockRow, isExact: Bool)? {
        guard rowCount > 0 else { return nil }
        let restart: Int = self.restart(notAfter: target)
        var index: Int = restart &* BlockSegment.restartInterval
        var best = BlockRow(at: restartPointer(restart))
        var (matched, order) = compareTail(best.suffix, target, from: 0)
        if order > 0 { return nil }
        if order == 0 { return (index, best, true) }
        let end: Int = min(rowCount, index &+ BlockSegment.restartInterval)
        while index &+ 1 < end {
            let row = BlockRow(at: best.next)
            if row.shared < matched { break }
            if row.shared == matched {
                (matched, order) = compareTail(row.suffix, target, from: matched)
                if order > 0 { break }
            }
            index &+= 1
            best = row
            if order == 0 { return (index, best, true) }
        }
        return (index, best, false)
    }

    /// Compares a suffix with what follows `start` in the target: how many bytes of the target are then matched, and
    /// which is greater.
    @inline(__always)
    private func compareTail(
        _ suffix: UnsafeRawBufferPointer, _ target: UnsafeRawBufferPointer, from start: Int
    ) -> (matched: Int, order: Int) {
        let rest: Int = target.count &- start
        let limit: Int = min(suffix.count, rest)
        guard limit > 0, let left = suffix.baseAddress, let right = target.baseAddress else {
            return (start, suffix.count &- rest)
        }
        let common: Int = commonPrefix(left, right + start, limit)
        if common == limit { return (start &+ common, suffix.count &- rest) }
        let a: UInt8 = left.load(fromByteOffset: common, as: UInt8.self)
        let b: UInt8 = right.load(fromByteOffset: start &+ common, as: UInt8.self)
        return (start &+ common, a < b ? -1 : 1)
    }

    /// Checks a segment that ends at `end`, byte by byte.
    static func isWellFormed(_ start: UnsafeRawPointer, end: UnsafeRawPointer) -> Bool {
        guard end - start >= 4 else { return false }
        let flags = SegmentFlags(rawValue: start.load(as: UInt8.self))
        let keyCount = Int(UInt16(bigEndian: start.loadUnaligned(fromByteOffset: 1, as: UInt16.self)))
        var place: UnsafeRawPointer = start + 3
        guard flags.isSubset(of: .all), end - place > keyCount else { return false }
        place += keyCount
        if flags.contains(.deletion) {
            guard end - place > Deletion.byteCount else { return false }
            place += Deletion.byteCount
        }
        if flags.contains(.staticRow) {
            guard let (count, next) = loadCheckedVint(place, end: end), end - next > count else { return false }
            place = next + count
        }
        guard let (rowCount, next) = loadCheckedVint(place, end: end), rowCount <= (end - next) / 3
        else { return false }
        place = next
        let restarts: UnsafeRawPointer = place
        if rowCount > restartInterval {
            guard end - place >= restartCount(rowCount) * 4 else { return false }
            place += restartCount(rowCount) * 4
        }
        return areWellFormed(rows: place, count: rowCount, restarts: restarts, end: end)
    }

    private static func areWellFormed(
        rows: UnsafeRawPointer, count: Int, restarts: UnsafeRawPointer, end: UnsafeRawPointer
    ) -> Bool {
        var place: UnsafeRawPointer = rows
        var previousCount = 0
        for index in 0..<count {
            guard let (shared, a) = loadCheckedVint(place, end: end), let (suffix, b) = loadCheckedVint(a, end: end),
                let (body, c) = loadCheckedVint(b, end: end), shared <= previousCount, suffix <= end - c,
                body <= end - c - suffix
            else { return false }
            if index % restartInterval == 0 {
                guard shared == 0 else { return false }
                if count > restartInterval {
                    let offset: Int = index / restartInterval * 4
                    let stored = Int(UInt32(bigEndian: restarts.loadUnaligned(fromByteOffset: offset, as: UInt32.self)))
                    guard stored == place - rows else { return false }
                }
            }
            previousCount = shared + suffix
            place = c + (suffix + body)
        }
        return place == end
    }
}

/// How many of the first `limit` bytes are equal. Hot: once per row that a search looks at.
@inline(__always)
func commonPrefix(_ left: UnsafeRawPointer, _ right: UnsafeRawPointer, _ limit: Int) -> Int {
    var offset = 0
    while offset &+ 8 <= limit {
        let a: UInt64 = left.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
        let b: UInt64 = right.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
        if a != b { return offset &+ UInt64(littleEndian: a ^ b).trailingZeroBitCount >> 3 }
        offset &+= 8
    }
    while offset < limit,
        left.load(fromByteOffset: offset, as: UInt8.self) == right.load(fromByteOffset: offset, as: UInt8.self)
    {
        offset &+= 1
    }
    return offset
}
