import DataModel
import Primitives

/// Random rows of a few columns and few timestamps, so that ties and overlaps are common.
struct RandomRows {
    var generator: SeededGenerator
    var hasCounters = false

    init(seed: UInt64, hasCounters: Bool = false) {
        self.generator = SeededGenerator(seed: seed)
        self.hasCounters = hasCounters
    }

    /// A row in canonical form: as a merge leaves it.
    mutating func row() -> [UInt8] {
        while true {
            let raw: [UInt8] = rawRow()
            if let merged = try? merge(raw, raw) { return merged }
        }
    }

    mutating func deletion() -> Deletion {
        Deletion(timestamp: Int64(generator.below(5)), localSeconds: Int64(generator.below(3)))
    }

    private mutating func rawRow() -> [UInt8] {
        var writer = ByteWriter()
        var marker: RowMarker?
        if generator.oneIn(2) {
            let isExpiring: Bool = generator.oneIn(2)
            marker = RowMarker(
                timestamp: timestamp(), ttl: isExpiring ? 1 + UInt32(generator.below(2)) : 0,
                expiresSeconds: isExpiring ? Int64(generator.below(3)) : .max)
        }
        // The life of counters and the deletion of their rows do not go together, as in Cassandra.
        let deletion: Deletion = generator.oneIn(4) && !hasCounters ? self.deletion() : .none
        var row = RowWriter(marker: marker, baseTimestamp: timestamp(), deletion: deletion, to: &writer)
        for column in 1...3 where generator.oneIn(2) {
            if hasCounters {
                writeCounter(UInt16(column), &row, &writer)
            } else {
                writeCell(UInt16(column), nil, &row, &writer)
            }
        }
        if !hasCounters, generator.oneIn(2) {
            if generator.oneIn(2) { row.columnDeletion(column: 9, self.deletion(), to: &writer) }
            for path in 0..<4 where generator.oneIn(2) { writeCell(9, [UInt8(path)], &row, &writer) }
        }
        row.finish(&writer)
        return writer.array()
    }

    private mutating func timestamp() -> Int64 { Int64(generator.below(5)) }

    private mutating func writeCell(
        _ column: UInt16, _ path: [UInt8]?, _ row: inout RowWriter, _ writer: inout ByteWriter
    ) {
        let kind: Int = generator.below(3)
        let time: Int64 = timestamp()
        let seconds = Int64(generator.below(3))
        let value: [UInt8] = generator.bytes(generator.below(2))
        let ttl: UInt32 = kind == 1 ? 1 + UInt32(generator.below(2)) : 0
        if let path {
            if kind == 2 {
                row.tombstone(
                    column: column, timestamp: time, deletedSeconds: seconds, path: path.span.bytes, to: &writer)
            } else {
                row.live(
                    column: column, timestamp: time, ttl: ttl, expiresSeconds: ttl == 0 ? .max : seconds,
                    path: path.span.bytes, value: value.span.bytes, to: &writer)
            }
        } else if kind == 2 {
            row.tombstone(column: column, timestamp: time, deletedSeconds: seconds, to: &writer)
        } else {
            row.live(
                column: column, timestamp: time, ttl: ttl, expiresSeconds: ttl == 0 ? .max : seconds,
                value: value.span.bytes, to: &writer)
        }
    }

    private mutating func writeCounter(_ column: UInt16, _ row: inout RowWriter, _ writer: inout ByteWriter) {
        if generator.oneIn(5) {
            let seconds = Int64(generator.below(3))
            row.tombstone(column: column, timestamp: timestamp(), deletedSeconds: seconds, to: &writer)
            return
        }
        var context = ByteWriter()
        for node in 0..<3 where generator.oneIn(2) {
            context.write(UInt64(node))
            context.write(UInt64(7))
            context.write(Int64(generator.below(3)))
            context.write(Int64(generator.below(3)))
        }
        row.live(column: column, timestamp: timestamp(), value: context.span, isCounter: true, to: &writer)
    }
}

/// The merge of two rows; empty when nothing is left.
func merge(_ left: [UInt8], _ right: [UInt8], shadow: Deletion = .none) throws -> [UInt8] {
    var writer = ByteWriter()
    let isKept: Bool = try RowMerge.merge(left.span.bytes, right.span.bytes, shadow: shadow, to: &writer)
    return isKept ? writer.array() : try emptyRow()
}

/// A row that says nothing.
func emptyRow() throws -> [UInt8] {
    var writer = ByteWriter()
    let row = RowWriter(marker: nil, baseTimestamp: 0, deletion: .none, to: &writer)
    row.finish(&writer)
    return writer.array()
}

func shadowed(_ row: [UInt8], by deletion: Deletion) throws -> [UInt8] {
    var writer = ByteWriter()
    let isKept: Bool = try RowMerge.apply(deletion, to: row.span.bytes, writer: &writer)
    return isKept ? writer.array() : try emptyRow()
}
