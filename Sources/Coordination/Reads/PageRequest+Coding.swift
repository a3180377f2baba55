import DataModel
package import Primitives
import Storage

/// A page request between nodes:
///
///     request := table UUID · now i64 · grace start i64 · row limit u32 · byte limit u32
///                · tombstone limit u32 (all ones: none)
///                · flags u8 (1 digest, 2 reversed, 4 first slices, 8 columns, 16 one partition) · partitions
///                · slices · [slices of the first partition] · [u16 count · column u16 *]
///     partitions := token i64 · key (one partition) | position · position
///     position := token i64 · flags u8 (1 after, 2 key) · [key (u16 length · bytes)]
///     slices := u16 count · (start (u32 length · bytes) · end (u32 length · bytes)) *
extension PageRequest {
    /// More than any statement means: an IN of that many rows is refused long before.
    private static let maximumSliceCount = 65_535

    package func write(to writer: inout ByteWriter) {
        writer.write(table.high)
        writer.write(table.low)
        writer.write(nowSeconds)
        writer.write(graceStart)
        writer.write(UInt32(clamping: rowLimit))
        writer.write(UInt32(clamping: byteLimit))
        writer.write(tombstoneLimit.map { min(UInt32(clamping: $0), .max - 1) } ?? .max)
        var flags: UInt8 = 0
        if isDigest { flags |= 1 }
        if command.isReversed { flags |= 2 }
        if command.firstPartitionSlices != nil { flags |= 4 }
        if command.columns != nil { flags |= 8 }
        if case .one = command.partitions { flags |= 16 }
        writer.write(flags)
        switch command.partitions {
        case .one(let token, let key):
            writer.write(token.value)
            PageRequest.write(key, to: &writer)
        case .range(let start, let end):
            PageRequest.write(start, to: &writer)
            PageRequest.write(end, to: &writer)
        }
        PageRequest.write(command.slices, to: &writer)
        if let first = command.firstPartitionSlices { PageRequest.write(first, to: &writer) }
        if let columns = command.columns {
            writer.write(UInt16(truncatingIfNeeded: columns.count))
            for column in columns { writer.write(column) }
        }
    }

    package init(decoding bytes: RawSpan) throws(DecodingError) {
        var reader = ByteReader(bytes)
        let high = try reader.readUInt64()
        self.table = UUID(high: high, low: try reader.readUInt64())
        self.nowSeconds = try reader.readInt64()
        self.graceStart = try reader.readInt64()
        self.rowLimit = Int(try reader.readUInt32())
        self.byteLimit = Int(try reader.readUInt32())
        let tombstoneLimit = try reader.readUInt32()
        self.tombstoneLimit = tombstoneLimit == .max ? nil : Int(tombstoneLimit)
        let flags = try reader.readUInt8()
        guard flags & ~31 == 0 else { throw .invalid(offset: reader.offset, what: "unknown flags of a read") }
        self.isDigest = flags & 1 != 0
        let partitions: PartitionRange
        if flags & 16 != 0 {
            let token = Token(try reader.readInt64())
            partitions = .one(token: token, key: try reader.readArray(Int(try reader.readUInt16())))
        } else {
            let start = try PageRequest.readPosition(&reader)
            partitions = .range(start: start, end: try PageRequest.readPosition(&reader))
        }
        let slices = try PageRequest.readSlices(&reader)
        let first = flags & 4 != 0 ? try PageRequest.readSlices(&reader) : nil
        var columns: [UInt16]?
        if flags & 8 != 0 {
            var read: [UInt16] = []
            for _ in 0..<(try reader.readUInt16()) { read.append(try reader.readUInt16()) }
            columns = read
        }
        guard reader.isAtEnd else { throw .invalid(offset: reader.offset, what: "bytes after a read") }
        self.command = ReadCommand(
            partitions: partitions, slices: slices, firstPartitionSlices: first, isReversed: flags & 2 != 0,
            columns: columns)
    }

    private static func write(_ key: [UInt8], to writer: inout ByteWriter) {
        writer.write(UInt16(truncatingIfNeeded: key.count))
        writer.write(key)
    }

    private static func write(_ position: PartitionPosition, to writer: inout ByteWriter) {
        writer.write(position.token.value)
        writer.write(UInt8(position.isAfter ? 1 : 0) | UInt8(position.key == nil ? 0 : 2))
        if let key = position.key { write(key, to: &writer) }
    }

    private static func readPosition(_ reader: inout ByteReader) throws(DecodingError) -> PartitionPosition {
        let token = Token(try reader.readInt64())
        let flags = try reader.readUInt8()
        guard flags & ~3 == 0 else { throw .invalid(offset: reader.offset, what: "unknown flags of a position") }
        let key: [UInt8]? = flags & 2 == 0 ? nil : try reader.readArray(Int(try reader.readUInt16()))
        return PartitionPosition(token: token, key: key, isAfter: flags & 1 != 0)
    }

    private static func write(_ slices: [ClusteringSlice], to writer: inout ByteWriter) {
        require(slices.count <= maximumSliceCount, "a read has a bounded number of slices")
        writer.write(UInt16(truncatingIfNeeded: slices.count))
        for slice in slices {
            for bound in [slice.start, slice.end] {
                writer.write(UInt32(truncatingIfNeeded: bound.count))
                writer.write(bound)
            }
        }
    }

    private static func readSlices(_ reader: inout ByteReader) throws(DecodingError) -> [ClusteringSlice] {
        var slices: [ClusteringSlice] = []
        for _ in 0..<(try reader.readUInt16()) {
            let start = try reader.readArray(Int(try reader.readUInt32()))
            slices.append(ClusteringSlice(start: start, end: try reader.readArray(Int(try reader.readUInt32()))))
        }
        return slices
    }
}
