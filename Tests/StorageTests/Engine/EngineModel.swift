import DataModel
import Primitives

@testable import Storage

/// One change of one partition, as a client would ask for it.
struct EngineChange: Sendable, CustomStringConvertible {
    enum Kind: Sendable {
        /// A row with a marker and two cells.
        case insert(row: UInt8, value: UInt8, ttl: UInt32)
        /// A cell without a marker.
        case update(row: UInt8, column: UInt16, value: UInt8)
        case deleteCell(row: UInt8, column: UInt16)
        /// One element of the collection.
        case put(row: UInt8, path: UInt8, value: UInt8)
        case removeElement(row: UInt8, path: UInt8)
        /// The whole collection, by one element.
        case replace(row: UInt8, path: UInt8, value: UInt8)
        case setStatic(value: UInt8)
        case deleteRow(row: UInt8)
        case deleteRange(from: UInt8, to: UInt8)
        case deletePartition
    }

    var key: [UInt8]
    var kind: Kind
    var timestamp: Int64
    var nowSeconds: Int64

    static let table = UUID(high: 0x1111_2222_3333_4444, low: 0x8555_6666_7777_8888)
    static let staticColumn: UInt16 = 1
    static let a: UInt16 = 2
    static let b: UInt16 = 3
    static let collection: UInt16 = 4

    var token: Token { Token(ofKey: key.span.bytes) }
    var description: String { "\(key) \(kind) at \(timestamp)" }

    static var definition: TableDefinition {
        var options = TableOptions()
        options.compression["chunk_length_in_kb"] = "4"
        return TableDefinition(
            keyspace: "ks", name: "t", id: table,
            columns: [
                ColumnDefinition(name: "k", kind: .partitionKey, type: .blob),
                ColumnDefinition(name: "c", kind: .clustering, type: .blob),
                ColumnDefinition(name: "s", id: staticColumn, kind: .static, type: .blob),
                ColumnDefinition(name: "a", id: a, kind: .regular, type: .blob),
                ColumnDefinition(name: "b", id: b, kind: .regular, type: .blob),
                ColumnDefinition(
                    name: "m", id: collection, kind: .regular, type: .map(.blob, .blob, isMultiCell: true)),
            ], options: options, nextColumnID: 5)
    }

    static func clustering(_ row: UInt8) -> [UInt8] { [0x40, row + 1] }

    /// Long enough that a few hundred changes fill several blocks.
    static func value(_ byte: UInt8) -> [UInt8] { [UInt8](repeating: byte, count: Int(byte) + 1) }

    func encoded(table: UUID = EngineChange.table) -> [UInt8] {
        var writer = ByteWriter()
        var mutation = MutationWriter(table: table, token: token, key: key.span.bytes, to: &writer)
        let deletion = Deletion(timestamp: timestamp, localSeconds: nowSeconds)
        if case .deletePartition = kind { mutation.partitionDeletion(deletion, to: &writer) }
        if case .setStatic(let value) = kind {
            let start: Int = mutation.beginStaticRow(&writer)
            var row = RowWriter(marker: nil, baseTimestamp: timestamp, deletion: .none, to: &writer)
            row.live(
                column: EngineChange.staticColumn, timestamp: timestamp, value: EngineChange.value(value).span.bytes,
                to: &writer)
            row.finish(&writer)
            mutation.endBody(start, &writer)
        }
        mutation.beginRows(&writer)
        if let row = rowNumber {
            let start: Int = mutation.beginRow(clustering: EngineChange.clustering(row).span.bytes, to: &writer)
            writeRow(&writer)
            mutation.endBody(start, &writer)
        }
        mutation.beginRanges(&writer)
        if case .deleteRange(let from, let to) = kind {
            mutation.range(
                start: EngineChange.clustering(from).span.bytes, end: EngineChange.clustering(to).span.bytes, deletion,
                to: &writer)
        }
        mutation.finish(&writer)
        return writer.array()
    }

    private var rowNumber: UInt8? {
        switch kind {
        case .insert(let row, _, _), .update(let row, _, _), .deleteCell(let row, _), .put(let row, _, _),
            .removeElement(let row, _), .replace(let row, _, _), .deleteRow(let row):
            row
        case .setStatic, .deleteRange, .deletePartition: nil
        }
    }

    private func writeRow(_ writer: inout ByteWriter) {
        var marker: RowMarker?
        if case .insert(_, _, let ttl) = kind {
            marker = RowMarker(timestamp: timestamp, ttl: ttl, expiresSeconds: ttl == 0 ? .max : expiry(ttl))
        }
        var deletion: Deletion = .none
        if case .deleteRow = kind { deletion = Deletion(timestamp: timestamp, localSeconds: nowSeconds) }
        var row = RowWriter(marker: marker, baseTimestamp: timestamp, deletion: deletion, to: &writer)
        switch kind {
        case .insert(_, let value, let ttl):
            for column in [EngineChange.a, EngineChange.b] {
                row.live(
                    column: column, timestamp: timestamp, ttl: ttl, expiresSeconds: ttl == 0 ? .max : expiry(ttl),
                    value: EngineChange.value(value).span.bytes, to: &writer)
            }
        case .update(_, let column, let value):
            row.live(
                column: column, timestamp: timestamp, value: EngineChange.value(value).span.bytes, to: &writer)
        case .deleteCell(_, let column):
            row.tombstone(column: column, timestamp: timestamp, deletedSeconds: nowSeconds, to: &writer)
        case .put(_, let path, let value):
            row.live(
                column: EngineChange.collection, timestamp: timestamp, path: [path].span.bytes,
                value: EngineChange.value(value).span.bytes, to: &writer)
        case .removeElement(_, let path):
            row.tombstone(
                column: EngineChange.collection, timestamp: timestamp, deletedSeconds: nowSeconds,
                path: [path].span.bytes, to: &writer)
        case .replace(_, let path, let value):
            row.columnDeletion(
                column: EngineChange.collection, Deletion(timestamp: timestamp - 1, localSeconds: nowSeconds),
                to: &writer)
            row.live(
                column: EngineChange.collection, timestamp: timestamp, path: [path].span.bytes,
                value: EngineChange.value(value).span.bytes, to: &writer)
        case .setStatic, .deleteRow, .deleteRange, .deletePartition: break
        }
        row.finish(&writer)
    }

    func expiry(_ ttl: UInt32) -> Int64 { nowSeconds + Int64(ttl) }
}

/// What a table should hold, by the plainest means: for every cell its newest version, and beside them the deletions.
struct EngineModel: Sendable {
    struct Value: Sendable {
        var timestamp: Int64
        /// Nil for a tombstone.
        var bytes: [UInt8]?
        var expires: Int64 = .max
    }

    struct CellKey: Hashable, Sendable {
        var column: UInt16
        var path: [UInt8] = []
    }

    struct Row: Sendable {
        var marker: Value?
        var deletion: Int64 = .min
        var collectionDeletion: Int64 = .min
        var cells: [CellKey: Value] = [:]

        mutating func set(_ key: CellKey, _ value: Value) {
            if let old = cells[key], old.timestamp >= value.timestamp { return }
            cells[key] = value
        }
    }

    struct Partition: Sendable {
        var deletion: Int64 = .min
        var ranges: [(from: UInt8, to: UInt8, timestamp: Int64)] = []
        var rows: [UInt8: Row] = [:]
        var staticRow = Row()
    }

    var partitions: [[UInt8]: Partition] = [:]

    mutating func apply(_ change: EngineChange) {
        var partition: Partition = partitions[change.key] ?? Partition()
        let timestamp: Int64 = change.timestamp
        func live(_ byte: UInt8, ttl: UInt32 = 0) -> Value {
            Value(
                timestamp: timestamp, bytes: EngineChange.value(byte), expires: ttl == 0 ? .max : change.expiry(ttl))
        }
        switch change.kind {
        case .insert(let row, let value, let ttl):
            var marker: Value = live(value, ttl: ttl)
            if let old = partition.rows[row]?.marker, old.timestamp > timestamp { marker = old }
            partition.rows[row, default: Row()].marker = marker
            partition.rows[row, default: Row()].set(CellKey(column: EngineChange.a), live(value, ttl: ttl))
            partition.rows[row, default: Row()].set(CellKey(column: EngineChange.b), live(value, ttl: ttl))
        case .update(let row, let column, let value):
            partition.rows[row, default: Row()].set(CellKey(column: column), live(value))
        case .deleteCell(let row, let column):
            partition.rows[row, default: Row()].set(CellKey(column: column), Value(timestamp: timestamp, bytes: nil))
        case .put(let row, let path, let value):
            partition.rows[row, default: Row()].set(
                CellKey(column: EngineChange.collection, path: [path]), live(value))
        case .removeElement(let row, let path):
            partition.rows[row, default: Row()].set(
                CellKey(column: EngineChange.collection, path: [path]), Value(timestamp: timestamp, bytes: nil))
        case .replace(let row, let path, let value):
            var changed: Row = partition.rows[row] ?? Row()
            changed.collectionDeletion = max(changed.collectionDeletion, timestamp - 1)
            changed.set(CellKey(column: EngineChange.collection, path: [path]), live(value))
            partition.rows[row] = changed
        case .setStatic(let value):
            partition.staticRow.set(CellKey(column: EngineChange.staticColumn), live(value))
        case .deleteRow(let row):
            var changed: Row = partition.rows[row] ?? Row()
            changed.deletion = max(changed.deletion, timestamp)
            partition.rows[row] = changed
        case .deleteRange(let from, let to):
            if from < to { partition.ranges.append((from, to, timestamp)) }
        case .deletePartition:
            partition.deletion = max(partition.deletion, timestamp)
        }
        partitions[change.key] = partition
    }

    /// What a client can see of a partition: for each row with anything alive, a line of text.
    func visible(_ key: [UInt8], now: Int64) -> [String] {
        guard let partition = partitions[key] else { return [] }
        var lines: [String] = []
        if let line = text(partition.staticRow, shadow: partition.deletion, now) { lines.append("static \(line)") }
        for number in partition.rows.keys.sorted() {
            guard let row = partition.rows[number] else { continue }
            var shadow: Int64 = max(partition.deletion, row.deletion)
            for range in partition.ranges where range.from <= number && number < range.to {
                shadow = max(shadow, range.timestamp)
            }
            if let line = text(row, shadow: shadow, now) { lines.append("\(number) \(line)") }
        }
        return lines
    }

    private func text(_ row: Row, shadow: Int64, _ now: Int64) -> String? {
        var parts: [String] = []
        if let marker = row.marker, marker.timestamp > shadow, marker.expires > now { parts.append("m") }
        let keys: [CellKey] = row.cells.keys.sorted { left, right in
            left.column != right.column ? left.column < right.column : ByteOrder.precedes(left.path, right.path)
        }
        for key in keys {
            guard let cell = row.cells[key], let bytes = cell.bytes, cell.timestamp > shadow, cell.expires > now
            else { continue }
            if !key.path.isEmpty, cell.timestamp <= row.collectionDeletion { continue }
            parts.append("\(key.column)\(key.path)=\(bytes.count)")
        }
        return parts.isEmpty ? nil : parts.joined(separator: " ")
    }
}
