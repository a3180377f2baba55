/// The one encoding of a row, without its clustering key: in mutations, the memtable, SSTable blocks, read answers
/// between nodes, streams and digests.
///
///     row   := flags u8 · base timestamp i64 · [marker: ttl u32, expires i64] · [row deletion] · cell*
///     cell  := column u16 · flags u8 · [timestamp i64] · [ttl u32] · [seconds i64] · [path] · [value]
///     path  := vint length · bytes                      value := vint length · bytes
///
/// Cells are in ascending order of column; within a multi-cell column its deletion comes first, then its elements in
/// ascending order of their paths, which compare with memcmp. A cell that was written at the base timestamp does not
/// repeat it. Nothing in it asks for a type, so rows are merged, shadowed and purged without the schema.
public struct RowFlags: OptionSet, Sendable {
    public let rawValue: UInt8
    @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// The row was inserted, so that it exists even without cells.
    public static let marker = RowFlags(rawValue: 0x01)
    /// The marker has a time to live.
    public static let markerExpires = RowFlags(rawValue: 0x02)
    /// The row was deleted.
    public static let deletion = RowFlags(rawValue: 0x04)
    /// Some cell has a path: the row has elements of multi-cell columns, or deletions of whole ones.
    public static let complex = RowFlags(rawValue: 0x08)
    /// Some cell is a tombstone or expires.
    public static let mortal = RowFlags(rawValue: 0x10)

    public static let all: RowFlags = [.marker, .markerExpires, .deletion, .complex, .mortal]
}

public struct CellFlags: OptionSet, Sendable {
    public let rawValue: UInt8
    @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// The cell was deleted; `seconds` is when. No value follows.
    public static let tombstone = CellFlags(rawValue: 0x01)
    /// The cell has a time to live; `seconds` is when it ends.
    public static let expiring = CellFlags(rawValue: 0x02)
    /// The cell has a timestamp of its own.
    public static let ownTimestamp = CellFlags(rawValue: 0x04)
    /// The cell is an element of a multi-cell column.
    public static let path = CellFlags(rawValue: 0x08)
    /// All elements of the column that were written at or before the timestamp are deleted. Comes with `tombstone`.
    public static let columnDeletion = CellFlags(rawValue: 0x10)
    /// The value is a counter context.
    public static let counter = CellFlags(rawValue: 0x20)

    public static let all: CellFlags = [.tombstone, .expiring, .ownTimestamp, .path, .columnDeletion, .counter]
}

/// One decoded cell: numbers, and where its path and value stand in the row's bytes.
public struct Cell: Sendable {
    public var column: UInt16
    public var flags: CellFlags
    public var timestamp: Int64
    /// Seconds to live, for expiring cells; else 0.
    public var ttl: UInt32
    /// When the cell expires or was deleted, in seconds since 1970; `.max` for cells that live.
    public var seconds: Int64
    public var pathOffset: Int
    public var pathByteCount: Int
    public var valueOffset: Int
    public var valueByteCount: Int

    @inlinable
    public init(
        column: UInt16, flags: CellFlags, timestamp: Int64, ttl: UInt32 = 0, seconds: Int64 = .max, pathOffset: Int = 0,
        pathByteCount: Int = 0, valueOffset: Int = 0, valueByteCount: Int = 0
    ) {
        self.column = column
        self.flags = flags
        self.timestamp = timestamp
        self.ttl = ttl
        self.seconds = seconds
        self.pathOffset = pathOffset
        self.pathByteCount = pathByteCount
        self.valueOffset = valueOffset
        self.valueByteCount = valueByteCount
    }

    @inlinable public var isTombstone: Bool { flags.contains(.tombstone) }
    @inlinable public var isExpiring: Bool { flags.contains(.expiring) }

    /// Whether the cell has a value that can be read at `now`, in seconds since 1970.
    @inlinable public func isLive(at now: Int64) -> Bool {
        !flags.contains(.tombstone) && (!flags.contains(.expiring) || seconds > now)
    }
}

/// Whether a row itself was inserted, when, and until when.
public struct RowMarker: Equatable, Sendable {
    public var timestamp: Int64
    public var ttl: UInt32
    /// When the marker expires, in seconds since 1970; `.max` for one that does not.
    public var expiresSeconds: Int64

    @inlinable
    public init(timestamp: Int64, ttl: UInt32 = 0, expiresSeconds: Int64 = .max) {
        self.timestamp = timestamp
        self.ttl = ttl
        self.expiresSeconds = expiresSeconds
    }

    @inlinable public var isExpiring: Bool { ttl != 0 }
    @inlinable public func isLive(at now: Int64) -> Bool { ttl == 0 || expiresSeconds > now }

    /// Of two markers the later one stays; then one that expires, then the longer expiry, then the shorter life.
    @inlinable
    public func supersedes(_ other: RowMarker) -> Bool {
        if timestamp != other.timestamp { return timestamp > other.timestamp }
        if isExpiring != other.isExpiring { return isExpiring }
        if expiresSeconds != other.expiresSeconds { return expiresSeconds > other.expiresSeconds }
        return ttl < other.ttl
    }
}
