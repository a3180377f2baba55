public import Primitives

/// Takes out of a row what nobody needs any more: tombstones past their grace, and values whose time is up.
public enum RowPurge {
    /// Appends what stays of a row at a compaction. Returns false, and appends nothing, when nothing stays.
    ///
    /// - Parameters:
    ///   - now: seconds since 1970; a value that expired by then becomes a tombstone made when it expired.
    ///   - graceStart: tombstones made before this second may go.
    ///   - purgeableBefore: tombstones with a timestamp before this may go: nothing older that they cover can be
    ///     elsewhere. `.max` when nothing else can hold the row.
    @discardableResult
    public static func purge(
        _ row: RawSpan, now: Int64, graceStart: Int64, purgeableBefore: Int64, to writer: inout ByteWriter
    ) throws(DecodingError) -> Bool {
        var source = try RowReader(row)
        func isPurgeable(_ timestamp: Int64, _ seconds: Int64) -> Bool {
            timestamp < purgeableBefore && seconds < graceStart
        }
        var marker: RowMarker? = source.marker
        if let present = marker, !present.isLive(at: now), isPurgeable(present.timestamp, present.expiresSeconds) {
            marker = nil
        }
        var deletion: Deletion = source.deletion
        if !deletion.isNone, isPurgeable(deletion.timestamp, deletion.localSeconds) { deletion = .none }
        // As in a merge, the base timestamp follows from what is left.
        var output: RowWriter?
        func begin(_ timestamp: Int64, _ writer: inout ByteWriter) {
            guard output == nil else { return }
            output = RowWriter(
                marker: marker, baseTimestamp: marker?.timestamp ?? timestamp, deletion: deletion, to: &writer)
        }
        while let cell = try source.next() {
            let isLive: Bool = cell.isLive(at: now)
            if !isLive, isPurgeable(cell.timestamp, cell.seconds) { continue }
            begin(cell.timestamp, &writer)
            if isLive || cell.isTombstone {
                output?.copy(cell, from: row, to: &writer)
            } else {
                let path = row.extracting(cell.pathOffset..<(cell.pathOffset &+ cell.pathByteCount))
                output?.tombstone(
                    column: cell.column, timestamp: cell.timestamp, deletedSeconds: cell.seconds,
                    path: cell.flags.contains(.path) ? path : nil, to: &writer)
            }
        }
        if output == nil, marker == nil, deletion.isNone { return false }
        begin(deletion.timestamp, &writer)
        output?.finish(&writer)
        return true
    }
}
