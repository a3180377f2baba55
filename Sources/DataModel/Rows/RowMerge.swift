public import Primitives

/// Merges versions of a row, and takes out of a row what a deletion covers.
///
/// Pure functions over encoded rows; the laws that replicas rely on (commutative, associative, idempotent) are tested
/// by property. Bytes in, bytes out: no schema is needed.
public enum RowMerge {
    /// Appends the merge of two versions of one row, with everything from before `shadow` (a partition's or a range's
    /// deletion) left out. Returns false, and appends nothing, when nothing is left.
    ///
    /// Hot: once per row that is in more than one place.
    @discardableResult
    public static func merge(
        _ left: RawSpan, _ right: RawSpan, shadow: Deletion = .none, to writer: inout ByteWriter
    ) throws(DecodingError) -> Bool {
        var leftRow = try RowReader(left)
        var rightRow = try RowReader(right)
        let deletion: Deletion = leftRow.deletion.merged(with: rightRow.deletion)
        let covering: Deletion = deletion.merged(with: shadow)
        let marker: RowMarker? = uncovered(later(leftRow.marker, rightRow.marker), covering)
        let kept: Deletion = shadow.timestamp >= deletion.timestamp ? .none : deletion
        var output = CellOutput(marker: marker, deletion: kept, covering: covering, writer: &writer)
        var leftCell: Cell? = try leftRow.next()
        var rightCell: Cell? = try rightRow.next()
        while true {
            switch (leftCell, rightCell) {
            case (nil, nil):
                return output.finish(&writer)
            case (let cell?, nil):
                output.add(cell, left, &writer)
                leftCell = try leftRow.next()
            case (nil, let cell?):
                output.add(cell, right, &writer)
                rightCell = try rightRow.next()
            case (let a?, let b?):
                let order: Int = compare(a, left, b, right)
                if order < 0 {
                    output.add(a, left, &writer)
                } else if order > 0 {
                    output.add(b, right, &writer)
                } else {
                    try output.addBoth(a, left, b, right, &writer)
                }
                if order <= 0 { leftCell = try leftRow.next() }
                if order >= 0 { rightCell = try rightRow.next() }
            }
        }
    }

    /// Appends a row with everything from before `shadow` left out. Returns false, and appends nothing, when nothing is
    /// left.
    @discardableResult
    public static func apply(_ shadow: Deletion, to row: RawSpan, writer: inout ByteWriter) throws(DecodingError)
        -> Bool
    {
        var source = try RowReader(row)
        let covering: Deletion = source.deletion.merged(with: shadow)
        let kept: Deletion = shadow.timestamp >= source.deletion.timestamp ? .none : source.deletion
        var output = CellOutput(
            marker: uncovered(source.marker, covering), deletion: kept, covering: covering, writer: &writer)
        while let cell = try source.next() { output.add(cell, row, &writer) }
        return output.finish(&writer)
    }

    private static func later(_ left: RowMarker?, _ right: RowMarker?) -> RowMarker? {
        guard let left else { return right }
        guard let right else { return left }
        return left.supersedes(right) ? left : right
    }

    private static func uncovered(_ marker: RowMarker?, _ deletion: Deletion) -> RowMarker? {
        guard let marker, !deletion.covers(marker.timestamp) else { return nil }
        return marker
    }

    /// The order of cells in a row: by column, the column's deletion first, then by path.
    static func compare(_ a: Cell, _ left: RawSpan, _ b: Cell, _ right: RawSpan) -> Int {
        if a.column != b.column { return a.column < b.column ? -1 : 1 }
        let aIsDeletion: Bool = a.flags.contains(.columnDeletion)
        let bIsDeletion: Bool = b.flags.contains(.columnDeletion)
        if aIsDeletion || bIsDeletion { return aIsDeletion == bIsDeletion ? 0 : (aIsDeletion ? -1 : 1) }
        if a.pathByteCount == 0 && b.pathByteCount == 0 { return 0 }
        return ByteOrder.compare(
            left.extracting(a.pathOffset..<(a.pathOffset &+ a.pathByteCount)),
            right.extracting(b.pathOffset..<(b.pathOffset &+ b.pathByteCount)))
    }
}

/// Writes the cells of a merged row, leaving out what a deletion covers.
///
/// The base timestamp follows from what is left: the marker's, else the first cell's, else the deletion's. So the same
/// contents are the same bytes, in whatever order they were merged, and replicas that agree have equal digests.
private struct CellOutput {
    /// Nil until the base timestamp is known.
    private var row: RowWriter?
    private let deletion: Deletion
    private let covering: Deletion
    /// The deletion of the multi-cell column that is being written.
    private var columnDeletion: Deletion = .none
    private var column: UInt16 = 0

    init(marker: RowMarker?, deletion: Deletion, covering: Deletion, writer: inout ByteWriter) {
        self.deletion = deletion
        self.covering = covering
        if let marker {
            row = RowWriter(marker: marker, baseTimestamp: marker.timestamp, deletion: deletion, to: &writer)
        }
    }

    private mutating func begin(_ timestamp: Int64, _ writer: inout ByteWriter) {
        if row == nil {
            row = RowWriter(marker: nil, baseTimestamp: timestamp, deletion: deletion, to: &writer)
        }
    }

    mutating func add(_ cell: Cell, _ source: RawSpan, _ writer: inout ByteWriter) {
        if covering.covers(cell.timestamp) { return }
        if cell.flags.contains(.columnDeletion) {
            column = cell.column
            columnDeletion = Deletion(timestamp: cell.timestamp, localSeconds: cell.seconds)
        } else if cell.flags.contains(.path), cell.column == column, columnDeletion.covers(cell.timestamp) {
            return
        }
        begin(cell.timestamp, &writer)
        row?.copy(cell, from: source, to: &writer)
    }

    mutating func addBoth(
        _ a: Cell, _ left: RawSpan, _ b: Cell, _ right: RawSpan, _ writer: inout ByteWriter
    ) throws(DecodingError) {
        if a.flags.contains(.columnDeletion) {
            let mine = Deletion(timestamp: a.timestamp, localSeconds: a.seconds)
            let other = Deletion(timestamp: b.timestamp, localSeconds: b.seconds)
            return mine.merged(with: other) == mine ? add(a, left, &writer) : add(b, right, &writer)
        }
        if a.flags.contains(.counter), b.flags.contains(.counter), !a.isTombstone, !b.isTombstone {
            return try addCounters(a, left, b, right, &writer)
        }
        if CellReconciliation.leftSurvives(a, left, b, right) { add(a, left, &writer) } else { add(b, right, &writer) }
    }

    private mutating func addCounters(
        _ a: Cell, _ left: RawSpan, _ b: Cell, _ right: RawSpan, _ writer: inout ByteWriter
    ) throws(DecodingError) {
        let timestamp: Int64 = max(a.timestamp, b.timestamp)
        if covering.covers(timestamp) { return }
        var context = ByteWriter(capacity: a.valueByteCount + b.valueByteCount)
        try CounterContext.merge(
            left.extracting(a.valueOffset..<(a.valueOffset &+ a.valueByteCount)),
            right.extracting(b.valueOffset..<(b.valueOffset &+ b.valueByteCount)), to: &context)
        begin(timestamp, &writer)
        row?.live(column: a.column, timestamp: timestamp, value: context.span, isCounter: true, to: &writer)
    }

    mutating func finish(_ writer: inout ByteWriter) -> Bool {
        if row == nil, deletion.isNone { return false }
        begin(deletion.timestamp, &writer)
        row?.finish(&writer)
        return true
    }
}
