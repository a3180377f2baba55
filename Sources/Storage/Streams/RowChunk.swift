import DataModel
import Primitives

/// Takes a chunk of streamed rows apart (`CapturedRows`). It comes from another node: nothing in it is trusted.
struct RowChunk {
    /// The head of a partition.
    struct Partition {
        var token: Token
        var key: [UInt8]
        var deletion: Deletion
        var staticRow: Range<Int>
        var ranges: [RangeDeletion]
    }

    enum Part {
        case partition(Partition)
        /// Places in `bytes`.
        case row(clustering: Range<Int>, body: Range<Int>)
        case endOfPartition
        case end
    }

    let bytes: [UInt8]
    let flags: ChunkFlags
    private var offset = 1
    private var isInPartition: Bool

    /// A key is no longer than this.
    private static let keyByteCountLimit: Int = 65_535

    init(_ bytes: [UInt8]) throws(DecodingError) {
        guard let first = bytes.first, first < 8 else { throw .invalid(offset: 0, what: "unknown flags of a chunk") }
        self.bytes = bytes
        self.flags = ChunkFlags(rawValue: first)
        self.isInPartition = flags.contains(.continues)
        if flags.isSuperset(of: [.isCut, .isLast]) { throw .invalid(offset: 0, what: "a last chunk that is cut") }
    }

    /// The next part; `.end` when there is none.
    mutating func next() throws(DecodingError) -> Part {
        guard offset < bytes.count else {
            guard isInPartition == flags.contains(.isCut) else {
                throw .invalid(offset: offset, what: "a partition without an end")
            }
            return .end
        }
        var reader = ByteReader(bytes.span.bytes)
        try reader.skip(offset)
        let part: Part = isInPartition ? try readRow(&reader) : .partition(try RowChunk.readPartition(&reader))
        offset = reader.offset
        switch part {
        case .partition: isInPartition = true
        case .endOfPartition: isInPartition = false
        case .row, .end: break
        }
        return part
    }

    private func readRow(_ reader: inout ByteReader) throws(DecodingError) -> Part {
        switch try reader.readUInt8() {
        case 0: return .endOfPartition
        case 1: break
        default: throw .invalid(offset: reader.offset, what: "neither a row nor the end of a partition")
        }
        let clustering: Range<Int> = try RowChunk.skipRun(&reader)
        return .row(clustering: clustering, body: try RowChunk.skipRun(&reader))
    }

    private static func readPartition(_ reader: inout ByteReader) throws(DecodingError) -> Partition {
        let token = Token(try reader.readInt64())
        let keyByteCount = Int(try reader.readUInt32())
        guard keyByteCount <= keyByteCountLimit else { throw .invalid(offset: reader.offset, what: "a key too long") }
        let key: [UInt8] = try reader.readArray(keyByteCount)
        guard Token(ofKey: key.span.bytes) == token else {
            throw .invalid(offset: reader.offset, what: "a key with another key's token")
        }
        let deletion: Deletion = try Deletion(from: &reader)
        let staticRow: Range<Int> = try skipRun(&reader)
        let rangeCount: UInt32 = try reader.readUInt32()
        var ranges: [RangeDeletion] = []
        for _ in 0..<rangeCount {
            let range: RangeDeletion = try readRange(&reader)
            guard !range.deletion.isNone, ByteOrder.precedes(range.start, range.end) else {
                throw .invalid(offset: reader.offset, what: "a deletion of nothing")
            }
            if let last = ranges.last, ByteOrder.precedes(range.start, last.end) {
                throw .invalid(offset: reader.offset, what: "deletions of ranges out of order")
            }
            ranges.append(range)
        }
        return Partition(token: token, key: key, deletion: deletion, staticRow: staticRow, ranges: ranges)
    }

    private static func readRange(_ reader: inout ByteReader) throws(DecodingError) -> RangeDeletion {
        let startByteCount = Int(try reader.readUInt32())
        let start: [UInt8] = try reader.readArray(startByteCount)
        let endByteCount = Int(try reader.readUInt32())
        let end: [UInt8] = try reader.readArray(endByteCount)
        return RangeDeletion(start: start, end: end, deletion: try Deletion(from: &reader))
    }

    private static func skipRun(_ reader: inout ByteReader) throws(DecodingError) -> Range<Int> {
        let byteCount = Int(try reader.readUInt32())
        let start: Int = reader.offset
        try reader.skip(byteCount)
        return start..<reader.offset
    }
}
