public import Primitives

/// Walks the bytes of one row, front to back, without copying or allocating.
///
/// Hot: once per row that is read, merged or written. The bytes may come from a peer, so every step is checked.
public struct RowReader: ~Escapable {
    @usableFromInline var reader: ByteReader
    public let flags: RowFlags
    public let baseTimestamp: Int64
    public let deletion: Deletion
    @usableFromInline let markerTTL: UInt32
    @usableFromInline let markerExpires: Int64

    @_lifetime(copy bytes)
    @inlinable
    public init(_ bytes: RawSpan) throws(DecodingError) {
        var reader = ByteReader(bytes)
        let flags = RowFlags(rawValue: try reader.readUInt8())
        guard flags.isSubset(of: .all) else { throw .invalid(offset: 0, what: "unknown flags of a row") }
        let baseTimestamp = try reader.readInt64()
        var ttl: UInt32 = 0
        var expires: Int64 = .max
        if flags.contains(.markerExpires) {
            ttl = try reader.readUInt32()
            expires = try reader.readInt64()
        }
        self.deletion =
            flags.contains(.deletion) ? try Deletion(from: &reader) : Deletion(timestamp: .min, localSeconds: .max)
        self.flags = flags
        self.baseTimestamp = baseTimestamp
        self.markerTTL = ttl
        self.markerExpires = expires
        self.reader = reader
    }

    /// The row's marker, if it has one.
    @inlinable public var marker: RowMarker? {
        guard flags.contains(.marker) else { return nil }
        return RowMarker(timestamp: baseTimestamp, ttl: markerTTL, expiresSeconds: markerExpires)
    }

    /// Reads the next cell; nil at the end.
    @inlinable
    public mutating func next() throws(DecodingError) -> Cell? {
        if reader.isAtEnd { return nil }
        let start = reader.offset
        let column = try reader.readUInt16()
        let flags = CellFlags(rawValue: try reader.readUInt8())
        guard flags.isSubset(of: .all) else { throw .invalid(offset: start, what: "unknown flags of a cell") }
        var cell = Cell(column: column, flags: flags, timestamp: baseTimestamp)
        if flags.contains(.ownTimestamp) { cell.timestamp = try reader.readInt64() }
        if flags.contains(.expiring) { cell.ttl = try reader.readUInt32() }
        if flags.rawValue & 0x03 != 0 { cell.seconds = try reader.readInt64() }
        if flags.contains(.path) {
            cell.pathByteCount = try reader.readLength()
            cell.pathOffset = reader.offset
            try reader.skip(cell.pathByteCount)
        }
        if !flags.contains(.tombstone) {
            cell.valueByteCount = try reader.readLength()
            cell.valueOffset = reader.offset
            try reader.skip(cell.valueByteCount)
        }
        return cell
    }

    /// The offset of the next cell in the row's bytes.
    @inlinable public var offset: Int { reader.offset }
}
