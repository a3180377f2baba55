public import DataModel
public import Primitives

/// What a replica says of one row in 16 bytes: equal on replicas whose versions of the row can stand in for each other.
///
/// It covers whether the row is alive, its marker, the wanted cells with their timestamps, and the strongest deletion
/// around the row. Left out is
/// what replicas may differ in without any harm: tombstones past their grace, which one of them may have purged; other
/// columns, which one of them may not have looked for; and a deletion that is older than everything that is wanted and
/// there, which changes nothing and which a read that stops early does not meet.
///
/// Hot: computed by each replica of a read that needs more than one. Nothing is allocated.
public struct RowDigest: Hashable, Sendable {
    public let low: UInt64
    public let high: UInt64

    @inlinable
    public init(low: UInt64, high: UInt64) {
        self.low = low
        self.high = high
    }

    /// The columns that a request wants, and by which clock.
    public struct Frame: Sendable {
        /// Ids of columns with one cell each, ascending: all that are wanted.
        public let columns: [UInt16]
        /// Seconds since 1970, by the coordinator.
        public let nowSeconds: Int64
        /// Tombstones made before this second do not count.
        public let graceStart: Int64

        @inlinable
        public init(columns: [UInt16], nowSeconds: Int64, graceStart: Int64) {
            self.columns = columns
            self.nowSeconds = nowSeconds
            self.graceStart = graceStart
        }
    }

    /// - Parameters:
    ///   - row: nil when there is none.
    ///   - shadow: the strongest deletion around the row.
    ///   - scratch: overwritten.
    public init(
        _ row: RawSpan?, shadow: Deletion, _ frame: Frame, scratch: inout ByteWriter
    ) throws(DecodingError) {
        scratch.removeAll(keepingAtMost: 64 << 10)
        var deletion: Deletion = shadow
        var oldest: Int64 = .min
        if let row {
            var reader = try RowReader(row)
            deletion = deletion.merged(with: reader.deletion)
            oldest = try RowDigest.write(&reader, row, frame, to: &scratch)
        }
        if !deletion.isNone, deletion.timestamp >= oldest, deletion.localSeconds >= frame.graceStart {
            scratch.write(UInt8(0xFF))
            deletion.write(to: &scratch)
        }
        if scratch.isEmpty {
            self.init(low: 0, high: 0)
        } else {
            let hash: (low: UInt64, high: UInt64) = Murmur3.hash(scratch.span)
            self.init(low: hash.low, high: hash.high)
        }
    }

    /// Writes the marker and the wanted cells. Returns the oldest of their timestamps; `.min` when something that is
    /// wanted is not there, so that a deletion may be the reason.
    private static func write(
        _ reader: inout RowReader, _ row: RawSpan, _ frame: Frame, to scratch: inout ByteWriter
    ) throws(DecodingError) -> Int64 {
        var oldest: Int64 = .max
        var isAlive = false
        if let marker = reader.marker {
            isAlive = marker.isLive(at: frame.nowSeconds)
            if isAlive { oldest = marker.timestamp }
            if isAlive || marker.expiresSeconds >= frame.graceStart {
                scratch.write(UInt8(0xFE))
                scratch.write(marker.timestamp)
                scratch.write(marker.expiresSeconds)
            }
        }
        var place = 0
        var liveCount = 0
        while let cell = try reader.next() {
            let isLive: Bool = cell.isLive(at: frame.nowSeconds)
            // A row may be alive by columns that nobody wants.
            if isLive { isAlive = true }
            while place < frame.columns.count, frame.columns[place] < cell.column { place &+= 1 }
            guard place < frame.columns.count, frame.columns[place] == cell.column else { continue }
            if !isLive, cell.seconds < frame.graceStart { continue }
            scratch.write(cell.column)
            scratch.write(UInt8(isLive ? 1 : 0))
            scratch.write(cell.timestamp)
            guard isLive else {
                // A value whose time is up is the tombstone that it becomes.
                scratch.write(cell.seconds)
                continue
            }
            liveCount &+= 1
            oldest = min(oldest, cell.timestamp)
            if cell.flags.contains(.expiring) { scratch.write(cell.seconds) }
            scratch.write(UInt32(truncatingIfNeeded: cell.valueByteCount))
            scratch.write(row.extracting(cell.valueOffset..<(cell.valueOffset &+ cell.valueByteCount)))
        }
        if isAlive { scratch.write(UInt8(0xFD)) }
        return isAlive && liveCount == frame.columns.count ? oldest : .min
    }
}

/// A request for the digest of one row, as it goes to a replica.
///
///     request := table (16) · token i64 · now i64 · grace start i64 · key (u16 length · bytes)
///                · clustering (u32 length · bytes) · columns (u16 count · u16 each, ascending)
///     answer := low u64 · high u64
public enum RowRequest {
    /// Appends a request.
    public static func write(
        table: UUID, token: Token, key: RawSpan, clustering: RawSpan, _ frame: RowDigest.Frame,
        to writer: inout ByteWriter
    ) {
        writer.write(table.high)
        writer.write(table.low)
        writer.write(token.value)
        writer.write(frame.nowSeconds)
        writer.write(frame.graceStart)
        writer.write(UInt16(truncatingIfNeeded: key.byteCount))
        writer.write(key)
        writer.write(UInt32(truncatingIfNeeded: clustering.byteCount))
        writer.write(clustering)
        writer.write(UInt16(truncatingIfNeeded: frame.columns.count))
        for column in frame.columns { writer.write(column) }
    }
}
