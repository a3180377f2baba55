import Primitives

/// The bytes of a commit-log segment, as docs/formats/commitlog.md describes them.
enum LogFormat {
    static let pageByteCount: Int = 4_096
    /// Chunks start at multiples of this, so that a reader finds the next one behind a damaged place.
    static let chunkAlignment: Int = 512
    /// Where the first chunk is: behind the page of marks.
    static let firstChunkOffset: Int = pageByteCount
    static let recordHeadByteCount: Int = 8
    /// The length field that ends an open chunk whose shard has gone on to another.
    static let endOfChunk: UInt32 = .max
    /// What a shard takes at a time in periodic mode.
    static let openChunkByteCount: Int = 64 << 10

    static func rounded(_ byteCount: Int, to unit: Int) -> Int {
        (byteCount &+ unit &- 1) / unit &* unit
    }

    /// What the checksum of a record starts from: with its place in the shard's sequence in it, no record of another
    /// place is ever taken for this one, whatever a recycled file still holds.
    ///
    /// Hot: once per record.
    @inline(__always)
    static func seed(_ position: LogPosition, shard: Int, length: UInt32) -> UInt32 {
        let low = UInt32(truncatingIfNeeded: position.value)
        let high = UInt32(truncatingIfNeeded: position.value >> 32)
        return low ^ high &* 0x9E37_79B1 ^ UInt32(truncatingIfNeeded: shard) &* 0x85EB_CA6B ^ length &* 0xC2B2_AE35
    }

    @inline(__always)
    static func checksum(_ bytes: UnsafeRawBufferPointer, _ position: LogPosition, shard: Int) -> UInt32 {
        let length = UInt32(truncatingIfNeeded: bytes.count)
        return Checksum.crc32c(bytes, seed: seed(position, shard: shard, length: length))
    }

    static func segmentName(_ id: UInt64) -> String {
        let digits = String(id)
        return "commitlog-" + String(repeating: "0", count: max(0, 20 - digits.utf8.count)) + digits + ".log"
    }

    /// The number of the segment with a file name; nil for other files.
    static func segmentID(_ name: String) -> UInt64? {
        guard name.hasPrefix("commitlog-"), name.hasSuffix(".log"), name.utf8.count == 34 else { return nil }
        return UInt64(name.dropFirst(10).dropLast(4))
    }
}

/// The head of a chunk: a run of records that one shard wrote.
///
///     head := magic u32 · version u16 · kind u8 · 0 u8 · segment u64 · trusted from u64 · durable before u32
///             · byte count u32 · first position u64 · shard u16 · 0 u16 · record count u32 · extent u32
///             · end of the previous segment u32 · 0 u32 · CRC-32C u32
struct ChunkHead: Equatable {
    enum Kind: UInt8 {
        /// Written at once, with all its records.
        case exact = 0
        /// Reserved, and filled record by record.
        case open = 1
    }

    static let byteCount: Int = 64
    static let magic: UInt32 = 0x4D4C_434B
    static let version: UInt16 = 1

    var kind: Kind
    var segment: UInt64
    /// The first segment for which what this head says of durability counts.
    var trustedFrom: UInt64
    /// Everything before this offset of the segment was durable when this chunk was written. 0 in open chunks.
    var durableBefore: Int
    /// Head and records; for an open chunk, its room.
    var byteCount: Int
    var firstPosition: LogPosition
    var shard: Int
    /// 0 in open chunks.
    var recordCount: Int
    /// From the start of this chunk to where the next one starts.
    var extent: Int
    /// Where the chunks of the segment before end. 0 when that one is not trusted, or there is none.
    var previousEnd: Int

    func write(to writer: inout ByteWriter) {
        let start: Int = writer.count
        writer.write(ChunkHead.magic)
        writer.write(ChunkHead.version)
        writer.write(kind.rawValue)
        writer.write(UInt8(0))
        writer.write(segment)
        writer.write(trustedFrom)
        writer.write(UInt32(truncatingIfNeeded: durableBefore))
        writer.write(UInt32(truncatingIfNeeded: byteCount))
        writer.write(firstPosition.value)
        writer.write(UInt16(truncatingIfNeeded: shard))
        writer.write(UInt16(0))
        writer.write(UInt32(truncatingIfNeeded: recordCount))
        writer.write(UInt32(truncatingIfNeeded: extent))
        writer.write(UInt32(truncatingIfNeeded: previousEnd))
        writer.write(UInt32(0))
        let checksum: UInt32 = Checksum.crc32c(writer.span.extracting(start..<writer.count))
        writer.write(checksum)
    }

    /// Reads a head; nil when there is none of this segment that could be followed.
    init?(_ bytes: RawSpan, segment wanted: UInt64, at offset: Int, segmentByteCount: Int) {
        guard bytes.byteCount >= ChunkHead.byteCount else { return nil }
        let head: RawSpan = bytes.extracting(0..<ChunkHead.byteCount)
        guard let read = try? ChunkHead(checking: head), read.segment == wanted else { return nil }
        guard read.extent >= ChunkHead.byteCount, read.extent % LogFormat.chunkAlignment == 0 else { return nil }
        guard read.byteCount >= ChunkHead.byteCount, read.byteCount <= read.extent else { return nil }
        guard read.extent <= segmentByteCount - offset else { return nil }
        self = read
    }

    private init(checking bytes: RawSpan) throws(DecodingError) {
        var reader = ByteReader(bytes)
        guard try reader.readUInt32() == ChunkHead.magic, try reader.readUInt16() == ChunkHead.version,
            let kind = Kind(rawValue: try reader.readUInt8())
        else { throw .invalid(offset: 0, what: "not the head of a chunk") }
        try reader.skip(1)
        self.kind = kind
        self.segment = try reader.readUInt64()
        self.trustedFrom = try reader.readUInt64()
        self.durableBefore = Int(try reader.readUInt32())
        self.byteCount = Int(try reader.readUInt32())
        self.firstPosition = LogPosition(try reader.readUInt64())
        self.shard = Int(try reader.readUInt16())
        try reader.skip(2)
        self.recordCount = Int(try reader.readUInt32())
        self.extent = Int(try reader.readUInt32())
        self.previousEnd = Int(try reader.readUInt32())
        try reader.skip(4)
        let computed: UInt32 = Checksum.crc32c(bytes.extracting(0..<60))
        let stored: UInt32 = try reader.readUInt32()
        guard stored == computed else { throw .checksumMismatch(offset: 60, stored: stored, computed: computed) }
    }

    init(
        kind: Kind, segment: UInt64, trustedFrom: UInt64, durableBefore: Int, byteCount: Int,
        firstPosition: LogPosition, shard: Int, recordCount: Int, extent: Int, previousEnd: Int
    ) {
        self.kind = kind
        self.segment = segment
        self.trustedFrom = trustedFrom
        self.durableBefore = durableBefore
        self.byteCount = byteCount
        self.firstPosition = firstPosition
        self.shard = shard
        self.recordCount = recordCount
        self.extent = extent
        self.previousEnd = previousEnd
    }
}
