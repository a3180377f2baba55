import DataModel
package import Primitives

/// A batch as a node keeps it for others.
struct StoredBatch: Sendable, Equatable {
    /// A version 1 UUID: who wrote the batch, and when.
    let id: UUID
    let mutations: [[UInt8]]
}

/// How batches are kept: in `system.batches`, a table like any other, whose ids the node's catalog knows.
///
///     id timeuuid primary key · mutations list<blob> · version int
package struct BatchTable: Sendable {
    private let id: UUID
    private let mutations: UInt16
    private let version: UInt16

    /// The version of the mutations' encoding.
    private static let formatVersion: Int32 = 1

    /// - Parameters:
    ///   - id: the id of the table.
    ///   - mutations: the ids of its columns.
    package init(id: UUID, mutations: UInt16, version: UInt16) {
        self.id = id
        self.mutations = mutations
        self.version = version
    }

    var tableID: UUID { id }

    static func key(_ batch: UUID) -> [UInt8] {
        var writer = ByteWriter(capacity: 16)
        writer.write(batch.high)
        writer.write(batch.low)
        return writer.array()
    }

    /// The batch that a partition key of the table is of.
    static func batch(_ key: UnsafeRawBufferPointer) -> UUID? {
        key.count == 16 ? unsafe UUID(RawSpan(_unsafeBytes: key)) : nil
    }

    static func token(_ batch: UUID) -> Token {
        let key: [UInt8] = BatchTable.key(batch)
        return Token(ofKey: key.span.bytes)
    }

    private func begin(_ batch: UUID, _ writer: inout ByteWriter) -> MutationWriter {
        let key: [UInt8] = BatchTable.key(batch)
        return MutationWriter(table: id, token: Token(ofKey: key.span.bytes), key: key.span.bytes, to: &writer)
    }

    /// The mutation that stores a batch. The elements of the list sort by their paths as CQL's do.
    func storing(_ batch: StoredBatch, at timestamp: Int64) -> [UInt8] {
        var writer = ByteWriter(capacity: batch.mutations.reduce(128) { $0 + $1.count + 40 })
        var mutation: MutationWriter = begin(batch.id, &writer)
        mutation.beginRows(&writer)
        let clustering: [UInt8] = []
        let start: Int = mutation.beginRow(clustering: clustering.span.bytes, to: &writer)
        var row = RowWriter(
            marker: RowMarker(timestamp: timestamp), baseTimestamp: timestamp, deletion: .none, to: &writer)
        if version < mutations { writeVersion(&row, timestamp, &writer) }
        for (index, bytes) in batch.mutations.enumerated() {
            var path = ByteWriter(capacity: 16)
            path.write((1 << 63) as UInt64 | batch.id.timestamp)
            path.write(UInt64(truncatingIfNeeded: index) << 40 | batch.id.low & 0xFF_FFFF_FFFF)
            row.live(
                column: mutations, timestamp: timestamp, path: path.span, value: bytes.span.bytes, to: &writer)
        }
        if version > mutations { writeVersion(&row, timestamp, &writer) }
        row.finish(&writer)
        mutation.endBody(start, &writer)
        mutation.beginRanges(&writer)
        mutation.finish(&writer)
        return writer.array()
    }

    private func writeVersion(_ row: inout RowWriter, _ timestamp: Int64, _ writer: inout ByteWriter) {
        var value = ByteWriter(capacity: 4)
        value.write(BatchTable.formatVersion)
        row.live(column: version, timestamp: timestamp, value: value.span, to: &writer)
    }

    /// The mutation that removes one.
    func removing(_ batch: UUID, at timestamp: Int64, nowSeconds: Int64) -> [UInt8] {
        var writer = ByteWriter(capacity: 128)
        var mutation: MutationWriter = begin(batch, &writer)
        mutation.partitionDeletion(Deletion(timestamp: timestamp, localSeconds: nowSeconds), to: &writer)
        mutation.beginRows(&writer)
        mutation.beginRanges(&writer)
        mutation.finish(&writer)
        return writer.array()
    }

    /// The mutations of a stored row, and when it was stored; nil when it is of a version that this node does not read.
    func read(_ row: UnsafeRawBufferPointer) throws(DecodingError) -> (mutations: [[UInt8]], storedAt: Int64)? {
        let body = unsafe RawSpan(_unsafeBytes: row)
        var reader = try RowReader(body)
        let storedAt: Int64 = reader.baseTimestamp
        var found: [[UInt8]] = []
        var isKnown = false
        while let cell = try reader.next() {
            guard !cell.isTombstone else { continue }
            let value = body.extracting(cell.valueOffset..<(cell.valueOffset &+ cell.valueByteCount))
            if cell.column == version {
                var number = ByteReader(value)
                isKnown = try number.readInt32() == BatchTable.formatVersion
            } else if cell.column == mutations {
                found.append([UInt8](copying: value))
            }
        }
        return isKnown ? (found, storedAt) : nil
    }
}
