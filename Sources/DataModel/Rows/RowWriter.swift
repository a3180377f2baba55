public import Primitives

/// Writes one row into a `ByteWriter`: first the head, then its cells in ascending order.
///
/// Hot: once per row written or merged. It remembers where the row began, because the flags are known only at the end.
public struct RowWriter: Sendable {
    @usableFromInline let start: Int
    @usableFromInline let baseTimestamp: Int64
    @usableFromInline var flags: RowFlags

    /// Writes the head of a row. `baseTimestamp` is the marker's timestamp when there is a marker, else any timestamp
    /// that most cells share.
    @inlinable
    public init(marker: RowMarker?, baseTimestamp: Int64, deletion: Deletion, to writer: inout ByteWriter) {
        self.start = writer.count
        var flags: RowFlags = []
        self.baseTimestamp = marker?.timestamp ?? baseTimestamp
        writer.reserve(40)
        writer.write(UInt8(0))
        writer.write(self.baseTimestamp)
        if let marker {
            flags.formUnion(.marker)
            if marker.ttl != 0 {
                flags.formUnion([.markerExpires, .mortal])
                writer.write(marker.ttl)
                writer.write(marker.expiresSeconds)
            }
        }
        if deletion.timestamp != .min {
            flags.formUnion(.deletion)
            deletion.write(to: &writer)
        }
        self.flags = flags
    }

    /// Writes a cell that lives for ever or expires.
    @inlinable
    public mutating func live(
        column: UInt16, timestamp: Int64, ttl: UInt32 = 0, expiresSeconds: Int64 = .max, path: RawSpan? = nil,
        value: RawSpan, isCounter: Bool = false, to writer: inout ByteWriter
    ) {
        var cell: CellFlags = isCounter ? .counter : []
        if ttl != 0 { cell.formUnion(.expiring) }
        head(column: column, cell, timestamp, ttl, expiresSeconds, path, to: &writer)
        writer.writeLength(value.byteCount)
        writer.write(value)
    }

    /// Writes the tombstone of a cell.
    @inlinable
    public mutating func tombstone(
        column: UInt16, timestamp: Int64, deletedSeconds: Int64, path: RawSpan? = nil, to writer: inout ByteWriter
    ) {
        head(column: column, .tombstone, timestamp, 0, deletedSeconds, path, to: &writer)
    }

    /// Writes the deletion of all elements of a multi-cell column. Comes before the column's elements.
    @inlinable
    public mutating func columnDeletion(column: UInt16, _ deletion: Deletion, to writer: inout ByteWriter) {
        flags.formUnion(.complex)
        head(
            column: column, [.tombstone, .columnDeletion], deletion.timestamp, 0, deletion.localSeconds, nil,
            to: &writer)
    }

    /// Writes a cell that was read from `source`, with the same contents.
    @inlinable
    public mutating func copy(_ cell: Cell, from source: RawSpan, to writer: inout ByteWriter) {
        if cell.flags.contains(.columnDeletion) { flags.formUnion(.complex) }
        let kept: CellFlags = cell.flags.intersection([.tombstone, .expiring, .columnDeletion, .counter])
        if cell.flags.contains(.path) {
            let path = source.extracting(cell.pathOffset..<(cell.pathOffset &+ cell.pathByteCount))
            head(column: cell.column, kept, cell.timestamp, cell.ttl, cell.seconds, path, to: &writer)
        } else {
            head(column: cell.column, kept, cell.timestamp, cell.ttl, cell.seconds, nil, to: &writer)
        }
        if !cell.flags.contains(.tombstone) {
            writer.writeLength(cell.valueByteCount)
            writer.write(source.extracting(cell.valueOffset..<(cell.valueOffset &+ cell.valueByteCount)))
        }
    }

    /// Ends the row; its flags are known now. Returns where the row began.
    @inlinable
    @discardableResult
    public func finish(_ writer: inout ByteWriter) -> Int {
        writer.overwrite(flags.rawValue, at: start)
        return start
    }

    @inlinable
    mutating func head(
        column: UInt16, _ wanted: CellFlags, _ timestamp: Int64, _ ttl: UInt32, _ seconds: Int64, _ path: RawSpan?,
        to writer: inout ByteWriter
    ) {
        var cell: CellFlags = wanted
        if timestamp != baseTimestamp { cell.formUnion(.ownTimestamp) }
        if path != nil {
            cell.formUnion(.path)
            flags.formUnion(.complex)
        }
        writer.reserve(32)
        writer.write(column)
        writer.write(cell.rawValue)
        if cell.contains(.ownTimestamp) { writer.write(timestamp) }
        if cell.contains(.expiring) { writer.write(ttl) }
        if cell.rawValue & 0x03 != 0 {
            flags.formUnion(.mortal)
            writer.write(seconds)
        }
        if let path {
            writer.writeLength(path.byteCount)
            writer.write(path)
        }
    }
}
