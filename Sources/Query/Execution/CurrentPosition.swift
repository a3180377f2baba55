import CQL
import DataModel
package import Primitives

/// The row that a select stands on: where each of its columns can be found.
///
/// Hot: values are written into results from here. Nothing is copied until somebody asks for an array.
package final class CurrentPosition {
    package let table: CompiledTable
    package let statics: RowSlots
    package let regulars: RowSlots
    package private(set) var key = UnsafeRawBufferPointer(start: nil, count: 0)
    /// Empty for a row of static columns only.
    package private(set) var clustering = UnsafeRawBufferPointer(start: nil, count: 0)
    package private(set) var hasRow = false
    private var decoded = ByteWriter(capacity: 64)
    /// Where the decoded clustering columns lie in `decoded`, each as the protocol's [bytes]; one more for the end.
    private var decodedOffsets: [Int] = []
    private var isDecoded = false

    package init(_ table: CompiledTable) {
        self.table = table
        self.statics = RowSlots(columns: table.statics, slotByID: table.staticSlots)
        self.regulars = RowSlots(columns: table.regulars, slotByID: table.regularSlots)
    }

    package func enterPartition(
        key: UnsafeRawBufferPointer, staticRow: UnsafeRawBufferPointer, now: Int64
    ) throws(DecodingError) {
        self.key = key
        hasRow = false
        regulars.clear()
        try statics.fill(staticRow, now: now)
    }

    package func enterRow(
        clustering: UnsafeRawBufferPointer, row: UnsafeRawBufferPointer, now: Int64
    ) throws(DecodingError) {
        self.clustering = clustering
        hasRow = true
        isDecoded = false
        try regulars.fill(row, now: now)
    }

    private var keptMemory: [UnsafeMutableRawBufferPointer] = []

    /// Stands on a row that was copied out of storage, and keeps its bytes.
    package func keep(
        key: [UInt8], staticRow: [UInt8], clustering: [UInt8]?, row: [UInt8], now: Int64
    ) throws(DecodingError) {
        func held(_ bytes: [UInt8]) -> UnsafeRawBufferPointer {
            let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, bytes.count), alignment: 1)
            memory.copyBytes(from: bytes)
            keptMemory.append(memory)
            return UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(memory)[0..<bytes.count])
        }
        try enterPartition(key: held(key), staticRow: held(staticRow), now: now)
        if let clustering { try enterRow(clustering: held(clustering), row: held(row), now: now) }
    }

    deinit {
        for memory in keptMemory { memory.deallocate() }
    }

    /// Stands on the partition itself: the row that shows its static columns when it has no others.
    package func leaveRow() {
        hasRow = false
        regulars.clear()
    }

    /// Appends the value of a column as the protocol's [bytes].
    package func write(_ column: CompiledColumn, to writer: inout ByteWriter) throws(DecodingError) {
        switch column.kind {
        case .partitionKey: try writeKeyComponent(column.slot, to: &writer)
        case .clustering:
            guard hasRow else { return writer.write(Int32(-1)) }
            try decodeClustering()
            let range: Range<Int> = decodedOffsets[column.slot]..<decodedOffsets[column.slot + 1]
            decoded.withUnsafeBytes { writer.write(UnsafeRawBufferPointer(rebasing: $0[range])) }
        case .static: CurrentPosition.write(statics, column.slot, to: &writer)
        case .regular: CurrentPosition.write(regulars, column.slot, to: &writer)
        }
    }

    private static func write(_ slots: RowSlots, _ slot: Int, to writer: inout ByteWriter) {
        guard slots.values[slot].hasValue else { return writer.write(Int32(-1)) }
        writer.write(Int32(truncatingIfNeeded: slots.values[slot].byteCount))
        writer.write(slots.bytes(slot))
    }

    private func writeKeyComponent(_ index: Int, to writer: inout ByteWriter) throws(DecodingError) {
        if table.partitionKey.count == 1 {
            writer.write(Int32(truncatingIfNeeded: key.count))
            return writer.write(key)
        }
        var reader = ByteReader(unsafe RawSpan(_unsafeBytes: key))
        for position in 0...index {
            let byteCount = Int(try reader.readUInt16())
            let bytes = try reader.readBytes(byteCount)
            try reader.skip(1)
            if position == index {
                writer.write(Int32(truncatingIfNeeded: byteCount))
                writer.write(bytes)
            }
        }
    }

    private func decodeClustering() throws(DecodingError) {
        if isDecoded { return }
        decoded.removeAll()
        decodedOffsets.removeAll(keepingCapacity: true)
        var reader = ByteReader(unsafe RawSpan(_unsafeBytes: clustering))
        for column in table.clustering {
            decodedOffsets.append(decoded.count)
            try ComparableDecoder.decodeElement(
                &reader, form: column.form, descending: column.definition.isDescending, into: &decoded)
        }
        decodedOffsets.append(decoded.count)
        isDecoded = true
    }

    /// A copy of the value of a column; nil for null.
    package func array(_ column: CompiledColumn) throws(DecodingError) -> [UInt8]? {
        var writer = ByteWriter(capacity: 64)
        try write(column, to: &writer)
        let bytes = writer.array()
        return bytes.count >= 4 && bytes[0] < 0x80 ? Array(bytes[4...]) : nil
    }

    package func cell(_ column: CompiledColumn) -> SlotValue {
        column.kind == .static ? statics.values[column.slot] : regulars.values[column.slot]
    }

    /// The bytes of the first `count` clustering columns.
    package func clusteringPrefix(_ count: Int) throws(DecodingError) -> [UInt8] {
        var reader = ByteReader(unsafe RawSpan(_unsafeBytes: clustering))
        for column in table.clustering.prefix(count) {
            try ComparableDecoder.skip(&reader, form: column.form, descending: column.definition.isDescending)
        }
        return [UInt8](UnsafeRawBufferPointer(rebasing: clustering[0..<reader.offset]))
    }
}
