package import CQL
package import DataModel
package import Primitives

/// One cell that a statement writes, before it is put into its row in order.
package struct PendingCell: Sendable {
    package var column: UInt16
    package var timestamp: Int64
    package var timeToLive: UInt32 = 0
    /// When the cell expires or was deleted, in seconds.
    package var seconds: Int64 = .max
    package var path: [UInt8]? = nil
    /// Nil for a tombstone.
    package var value: [UInt8]?
    package var isColumnDeletion: Bool = false
    /// The value then is by how much to count, as 8 bytes.
    package var isCounter: Bool = false
}

/// All that one request changes in one partition of one table, collected before it becomes a mutation.
///
/// The cold way to a mutation: for statements that touch collections, several rows, ranges, or that come in batches.
package struct PartitionUpdate: Sendable {
    package let table: CompiledTable
    package let key: [UInt8]
    package let token: Token
    package private(set) var deletion: Deletion = .none
    private var statics: [[UInt8]] = []
    /// The static row of a table of counters, whose cells add up before they are encoded.
    private var staticCounts: (cells: [PendingCell], timestamp: Int64) = ([], 0)
    private var rows: [(clustering: [UInt8], body: [UInt8])] = []
    private var ranges: [(slice: (start: [UInt8], end: [UInt8]), deletion: Deletion)] = []

    package init(table: CompiledTable, key: [UInt8]) {
        self.table = table
        self.key = key
        self.token = Token(ofKey: key.span.bytes)
    }

    package var isEmpty: Bool {
        deletion.isNone && statics.isEmpty && staticCounts.cells.isEmpty && rows.isEmpty && ranges.isEmpty
    }

    package mutating func delete(_ deletion: Deletion) {
        self.deletion = self.deletion.merged(with: deletion)
    }

    package mutating func deleteRange(start: [UInt8], end: [UInt8], _ deletion: Deletion) {
        ranges.append(((start, end), deletion))
    }

    package mutating func changeStatic(_ cells: [PendingCell], timestamp: Int64) {
        guard !cells.isEmpty else { return }
        guard !table.isCounter else {
            staticCounts.cells += cells
            staticCounts.timestamp = timestamp
            return
        }
        statics.append(PartitionUpdate.body(marker: nil, deletion: .none, cells, timestamp: timestamp))
    }

    package mutating func changeRow(
        clustering: [UInt8], marker: RowMarker?, deletion: Deletion = .none, _ cells: [PendingCell], timestamp: Int64
    ) {
        guard marker != nil || !deletion.isNone || !cells.isEmpty else { return }
        rows.append((clustering, PartitionUpdate.body(marker: marker, deletion: deletion, cells, timestamp: timestamp)))
    }

    /// Encodes a row. Of two cells for the same place the one that reconciliation would keep stays; counts add up.
    private static func body(
        marker: RowMarker?, deletion: Deletion, _ cells: [PendingCell], timestamp: Int64
    ) -> [UInt8] {
        var writer = ByteWriter()
        var row = RowWriter(marker: marker, baseTimestamp: timestamp, deletion: deletion, to: &writer)
        for cell in ordered(cells) {
            if cell.isColumnDeletion {
                row.columnDeletion(
                    column: cell.column, Deletion(timestamp: cell.timestamp, localSeconds: cell.seconds), to: &writer)
            } else if let value = cell.value {
                row.live(
                    column: cell.column, timestamp: cell.timestamp, ttl: cell.timeToLive, expiresSeconds: cell.seconds,
                    path: cell.path?.span.bytes, value: value.span.bytes, isCounter: cell.isCounter, to: &writer)
            } else {
                row.tombstone(
                    column: cell.column, timestamp: cell.timestamp, deletedSeconds: cell.seconds,
                    path: cell.path?.span.bytes, to: &writer)
            }
        }
        row.finish(&writer)
        return writer.array()
    }

    private static func ordered(_ cells: [PendingCell]) -> [PendingCell] {
        let sorted = cells.sorted { order($0, $1) < 0 }
        var unique: [PendingCell] = []
        for cell in sorted {
            if let last = unique.last, order(last, cell) == 0 {
                if let sum = sum(last, cell) {
                    unique[unique.count - 1].value = sum
                } else if wins(cell, over: last) {
                    unique[unique.count - 1] = cell
                }
            } else {
                unique.append(cell)
            }
        }
        return unique
    }

    private static func order(_ a: PendingCell, _ b: PendingCell) -> Int {
        if a.column != b.column { return a.column < b.column ? -1 : 1 }
        if a.isColumnDeletion != b.isColumnDeletion { return a.isColumnDeletion ? -1 : 1 }
        return ByteOrder.compare(a.path ?? [], b.path ?? [])
    }

    /// By how much two cells of one counter count together; nil when one of them does not count.
    private static func sum(_ a: PendingCell, _ b: PendingCell) -> [UInt8]? {
        guard a.isCounter, b.isCounter, let left = a.value, let right = b.value else { return nil }
        func delta(_ bytes: [UInt8]) -> Int64 { bytes.reduce(0) { $0 << 8 | Int64($1) } }
        return SelectorEvaluation.bigint(delta(left) &+ delta(right))
    }

    private static func wins(_ a: PendingCell, over b: PendingCell) -> Bool {
        if a.timestamp != b.timestamp { return a.timestamp > b.timestamp }
        guard let left = a.value, let right = b.value else { return a.value == nil }
        return ByteOrder.compare(left, right) >= 0
    }

    /// Takes in what a later statement does to the same partition.
    package mutating func add(_ later: PartitionUpdate) {
        deletion = deletion.merged(with: later.deletion)
        statics += later.statics
        if !later.staticCounts.cells.isEmpty {
            staticCounts = (staticCounts.cells + later.staticCounts.cells, later.staticCounts.timestamp)
        }
        rows += later.rows
        ranges += later.ranges
    }

    /// The static row and the rows that are written, as far as they are known.
    package var changes: (statics: [[UInt8]], rows: [(clustering: [UInt8], body: [UInt8])]) { (statics, rows) }

    /// Appends the mutation.
    package func write(to writer: inout ByteWriter) throws(CQLError) {
        var mutation = MutationWriter(table: table.definition.id, token: token, key: key.span.bytes, to: &writer)
        if !deletion.isNone { mutation.partitionDeletion(deletion, to: &writer) }
        if let row = try staticRow() {
            let start = mutation.beginStaticRow(&writer)
            writer.write(row)
            mutation.endBody(start, &writer)
        }
        mutation.beginRows(&writer)
        for row in rows {
            let start = mutation.beginRow(clustering: row.clustering.span.bytes, to: &writer)
            writer.write(row.body)
            mutation.endBody(start, &writer)
        }
        mutation.beginRanges(&writer)
        for range in ranges {
            mutation.range(
                start: range.slice.start.span.bytes, end: range.slice.end.span.bytes, range.deletion, to: &writer)
        }
        mutation.finish(&writer)
    }

    private func staticRow() throws(CQLError) -> [UInt8]? {
        if !staticCounts.cells.isEmpty {
            return PartitionUpdate.body(
                marker: nil, deletion: .none, staticCounts.cells, timestamp: staticCounts.timestamp)
        }
        return statics.isEmpty ? nil : try PartitionUpdate.merged(statics)
    }

    private static func merged(_ bodies: [[UInt8]]) throws(CQLError) -> [UInt8] {
        var result = bodies[0]
        for body in bodies.dropFirst() {
            var writer = ByteWriter(capacity: result.count + body.count)
            do throws(DecodingError) {
                try RowMerge.merge(result.span.bytes, body.span.bytes, to: &writer)
            } catch { throw .serverError(message: "A row that was just written cannot be read") }
            result = writer.array()
        }
        return result
    }
}
