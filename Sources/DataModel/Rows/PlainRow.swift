/// Walks a plain row: one without row deletion, multi-cell columns and counters, whose values are of less than 16 KiB.
/// Most rows are plain, and walking one costs a fraction of what `RowReader` takes.
///
/// It says nothing of what is wrong with a row that is not plain; `RowReader` then does. Every row that it walks to the
/// end is one that `RowReader` reads with the same result.
///
/// Hot: once or twice per row written. The bytes may come from a peer, so every step is checked.
public struct PlainRow {
    public let flags: RowFlags
    public let baseTimestamp: Int64
    /// When the marker expires; `.max` for one that does not.
    public let markerExpires: Int64
    /// The cell that `next` has moved to. `seconds` counts only when the cell is a tombstone or expires.
    public var column: Int
    public var cellFlags: CellFlags
    public var timestamp: Int64
    public var seconds: Int64 = .max
    /// Whether nothing was met so far that a plain row does not have.
    public var isPlain = true
    @usableFromInline var place: UnsafeRawPointer
    @usableFromInline let end: UnsafeRawPointer
    @usableFromInline var isMortal: Bool

    /// Reads the head; nil when it is not that of a plain row. The bytes must outlive the walk.
    @inlinable
    @inline(__always)
    public init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= 9, let start = bytes.baseAddress else { return nil }
        let flags = RowFlags(rawValue: unsafe start.load(as: UInt8.self))
        guard flags.isSubset(of: [.marker, .markerExpires, .mortal]) else { return nil }
        var headByteCount = 9
        var expires: Int64 = .max
        if flags.contains(.markerExpires) {
            guard bytes.count >= 21, flags.contains(.marker) else { return nil }
            guard unsafe start.loadUnaligned(fromByteOffset: 9, as: UInt32.self) != 0 else { return nil }
            expires = Int64(bigEndian: unsafe start.loadUnaligned(fromByteOffset: 13, as: Int64.self))
            headByteCount = 21
        }
        self.flags = flags
        self.baseTimestamp = Int64(bigEndian: unsafe start.loadUnaligned(fromByteOffset: 1, as: Int64.self))
        self.markerExpires = expires
        self.column = -1
        self.cellFlags = CellFlags(rawValue: 0)
        self.timestamp = baseTimestamp
        self.place = unsafe start + headByteCount
        self.end = unsafe start + bytes.count
        self.isMortal = flags.contains(.markerExpires)
    }

    /// Moves to the next cell; false at the end, and where the row turns out not to be plain.
    @inlinable
    @inline(__always)
    public mutating func next() -> Bool {
        let left: Int = unsafe end - place
        guard left >= 3 else {
            // The flags must be those that a merge would write.
            return stop(left == 0 && isMortal == flags.contains(.mortal))
        }
        let next = Int(UInt16(bigEndian: unsafe place.loadUnaligned(as: UInt16.self)))
        let cell: UInt8 = unsafe place.load(fromByteOffset: 2, as: UInt8.self)
        // Only these: tombstone, expiring, own timestamp.
        guard cell & ~0x07 == 0, next > column else { return stop(false) }
        column = next
        cellFlags = CellFlags(rawValue: cell)
        timestamp = baseTimestamp
        var offset = 3
        if cell != 0 {
            offset = readTimes(cell, left)
            if offset == 0 { return stop(false) }
        }
        if cell & 0x01 == 0 {
            guard left > offset else { return stop(false) }
            var length = Int(unsafe place.load(fromByteOffset: offset, as: UInt8.self))
            offset &+= 1
            if length >= 0x80 {
                guard length < 0xC0, left > offset else { return stop(false) }
                length = (length & 0x3F) << 8 | Int(unsafe place.load(fromByteOffset: offset, as: UInt8.self))
                offset &+= 1
                guard length >= 0x80 else { return stop(false) }
            }
            offset &+= length
            guard left >= offset else { return stop(false) }
        }
        unsafe place += offset
        return true
    }

    /// Reads the times of a cell that has any; returns the offset after them, or 0 when they are not all there.
    @inlinable
    mutating func readTimes(_ cell: UInt8, _ left: Int) -> Int {
        let isOwn: Bool = cell & 0x04 != 0
        let isDying: Bool = cell & 0x03 != 0
        let needed: Int = 3 &+ (isOwn ? 8 : 0) &+ (cell & 0x02 != 0 ? 4 : 0) &+ (isDying ? 8 : 0)
        guard left >= needed else { return 0 }
        if isOwn {
            timestamp = Int64(bigEndian: unsafe place.loadUnaligned(fromByteOffset: 3, as: Int64.self))
            // A merge would not repeat the row's.
            guard timestamp != baseTimestamp else { return 0 }
        }
        if isDying {
            isMortal = true
            seconds = Int64(bigEndian: unsafe place.loadUnaligned(fromByteOffset: needed &- 8, as: Int64.self))
        }
        return needed
    }

    @inlinable
    @inline(__always)
    mutating func stop(_ isWhole: Bool) -> Bool {
        isPlain = isWhole
        return false
    }

    /// Whether the merge of two versions of a row is the newer one, to the byte: it was written later, all at one time,
    /// and has every column of the older one. May be false when it is.
    ///
    /// Hot: once per overwrite of a row. It saves the merge when a whole row is written again.
    public static func overwrites(_ newer: UnsafeRawBufferPointer, _ older: UnsafeRawBufferPointer) -> Bool {
        guard var new = PlainRow(newer), var old = PlainRow(older) else { return false }
        guard new.baseTimestamp > old.baseTimestamp else { return false }
        guard new.flags.contains(.marker) || !old.flags.contains(.marker) else { return false }
        var hasOld: Bool = old.next()
        var isEmpty = !new.flags.contains(.marker)
        while new.next() {
            guard !new.cellFlags.contains(.ownTimestamp) else { return false }
            isEmpty = false
            if hasOld, old.column <= new.column {
                guard old.column == new.column, !old.cellFlags.contains(.ownTimestamp) else { return false }
                hasOld = old.next()
            }
        }
        return new.isPlain && old.isPlain && !hasOld && !isEmpty
    }
}
