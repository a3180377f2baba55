import CQL
import DataModel
public import Primitives

/// What a decoded row has in one column.
public struct SlotValue: Sendable {
    /// Where the value's bytes are: −1 for no value, else an offset into the row, or into `assembled`.
    public var offset: Int
    public var byteCount: Int
    public var isAssembled: Bool
    /// Of the cell, or of the latest live element.
    public var timestamp: Int64
    /// When the cell expires, in seconds; `.max` when it does not.
    public var expires: Int64

    static let none = SlotValue(offset: -1, byteCount: 0, isAssembled: false, timestamp: .min, expires: .max)

    public var hasValue: Bool { offset >= 0 }
}

/// The columns of one row as a client sees them at one moment: tombstones and expired cells gone, the cells of a
/// multi-cell column put together into one value.
///
/// Owned by whoever reads rows and filled again for each row, so that reading allocates nothing once it is warm.
///
/// Hot: once per row that is read.
public final class RowSlots {
    public private(set) var values: [SlotValue]
    /// Values of multi-cell columns, in the encoding of the native protocol.
    public private(set) var assembled = ByteWriter(capacity: 64)
    /// Whether anything of the row is alive: its marker, or any cell.
    public private(set) var isLive = false
    public private(set) var tombstoneCount = 0
    private let columns: [CompiledColumn]
    private let slotByID: [Int]
    private var row = UnsafeRawBufferPointer(start: nil, count: 0)
    // The multi-cell column that is being put together.
    private var openSlot = -1
    private var openCount = 0
    private var openStart = 0

    public init(columns: [CompiledColumn], slotByID: [Int]) {
        self.columns = columns
        self.slotByID = slotByID
        self.values = Array(repeating: .none, count: columns.count)
    }

    /// Forgets the last row.
    public func clear() {
        for index in values.indices { values[index] = .none }
        assembled.removeAll()
        isLive = false
        tombstoneCount = 0
        row = UnsafeRawBufferPointer(start: nil, count: 0)
    }

    /// Decodes a row; its bytes must stay where they are until the next call.
    public func fill(_ bytes: UnsafeRawBufferPointer, now: Int64) throws(DecodingError) {
        clear()
        row = bytes
        guard bytes.count > 0 else { return }
        let span = unsafe RawSpan(_unsafeBytes: bytes)
        var reader = try RowReader(span)
        if let marker = reader.marker, marker.isLive(at: now) { isLive = true }
        while let cell = try reader.next() {
            guard cell.isLive(at: now) else {
                tombstoneCount &+= 1
                continue
            }
            guard Int(cell.column) < slotByID.count else { continue }
            let slot: Int = slotByID[Int(cell.column)]
            guard slot >= 0 else { continue }
            isLive = true
            if cell.flags.contains(.path) {
                try add(cell, slot, span)
            } else {
                values[slot] = SlotValue(
                    offset: cell.valueOffset, byteCount: cell.valueByteCount, isAssembled: false,
                    timestamp: cell.timestamp, expires: cell.isExpiring ? cell.seconds : .max)
                if cell.flags.contains(.counter) { try openCounter(cell, slot, span) }
            }
        }
        closeMultiCell()
    }

    /// The row that was decoded last; its bytes stay where they are until the next one.
    var rowBytes: UnsafeRawBufferPointer { row }

    /// The bytes of a value; valid until the next row. Empty for no value.
    public func bytes(_ slot: Int) -> UnsafeRawBufferPointer {
        let value: SlotValue = values[slot]
        guard value.hasValue else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        if value.isAssembled {
            return assembled.withUnsafeBytes {
                UnsafeRawBufferPointer(rebasing: $0[value.offset..<(value.offset + value.byteCount)])
            }
        }
        return UnsafeRawBufferPointer(rebasing: row[value.offset..<(value.offset + value.byteCount)])
    }

    public func array(_ slot: Int) -> [UInt8]? {
        values[slot].hasValue ? [UInt8](bytes(slot)) : nil
    }

    // MARK: Multi-cell columns

    /// A counter's cell holds the parts of every node; clients see their sum.
    private func openCounter(_ cell: Cell, _ slot: Int, _ span: RawSpan) throws(DecodingError) {
        closeMultiCell()
        let context = span.extracting(cell.valueOffset..<(cell.valueOffset + cell.valueByteCount))
        let start: Int = assembled.count
        assembled.write(try CounterContext.total(of: context))
        values[slot].offset = start
        values[slot].byteCount = 8
        values[slot].isAssembled = true
    }

    private func add(_ cell: Cell, _ slot: Int, _ span: RawSpan) throws(DecodingError) {
        if slot != openSlot {
            closeMultiCell()
            openSlot = slot
            openStart = assembled.count
            openCount = 0
            if columns[slot].type.isCollection { assembled.write(UInt32(0)) }
            values[slot] = SlotValue(offset: openStart, byteCount: 0, isAssembled: true, timestamp: .min, expires: .max)
        }
        let path = span.extracting(cell.pathOffset..<(cell.pathOffset + cell.pathByteCount))
        let value = span.extracting(cell.valueOffset..<(cell.valueOffset + cell.valueByteCount))
        values[slot].timestamp = max(values[slot].timestamp, cell.timestamp)
        if cell.isExpiring { values[slot].expires = min(values[slot].expires, cell.seconds) }
        switch columns[slot].type {
        case .list: assembled.writeElement(value)
        case .set: try writePath(path, columns[slot])
        case .map:
            try writePath(path, columns[slot])
            assembled.writeElement(value)
        default:
            // Fields that were never written come as nulls in between.
            let index: Int = path.byteCount == 2 ? path.withUnsafeBytes { Int($0[0]) << 8 | Int($0[1]) } : openCount
            while openCount < index {
                assembled.writeNullElement()
                openCount += 1
            }
            assembled.writeElement(value)
        }
        openCount += 1
    }

    private func writePath(_ path: RawSpan, _ column: CompiledColumn) throws(DecodingError) {
        var reader = ByteReader(path)
        try ComparableDecoder.decodeElement(&reader, form: column.elementForm, descending: false, into: &assembled)
    }

    private func closeMultiCell() {
        guard openSlot >= 0 else { return }
        if case .userDefined(let type, _) = columns[openSlot].type {
            while openCount < type.fieldNames.count {
                assembled.writeNullElement()
                openCount += 1
            }
        } else {
            assembled.overwrite(UInt32(truncatingIfNeeded: openCount), at: openStart)
        }
        values[openSlot].byteCount = assembled.count - openStart
        openSlot = -1
    }
}
