import Primitives

/// A place in the log: an offset of a segment.
struct LogPlace: Hashable, Comparable, Sendable {
    var segment: UInt64
    var offset: Int

    static func < (left: LogPlace, right: LogPlace) -> Bool {
        left.segment != right.segment ? left.segment < right.segment : left.offset < right.offset
    }
}

/// What was durable after a sync, as the first page of a segment says it: what is unreadable before these places is
/// damage, and after them it may be what a crash has left unwritten.
///
///     page := slot (2,048 bytes) · slot            a mark goes into the slot that its number is not in
///     slot := magic u32 · segment u64 · trusted from u64 · number u64 · heads before u32 · end of the previous segment u32
///             · shard count u16 · (segment u64 · offset u32) for each shard · CRC-32C u32
struct SyncMark: Equatable {
    static let magic: UInt32 = 0x4D4C_534D
    static let slotByteCount: Int = 2_048
    /// How many shards fit into a slot; nothing is said of further ones.
    static let shardLimit: Int = 160

    /// The segment that the mark is in.
    var segment: UInt64
    var trustedFrom: UInt64
    /// Counts the marks of a run.
    var number: UInt64
    /// All chunks of the segment that start before this offset are there.
    var headsBefore: Int
    /// The same of the segment before; 0 when that is not to be trusted.
    var previousEnd: Int
    /// For each shard the end of its last record; all before it are there.
    var ends: [LogPlace]

    var slotOffset: Int { Int(number & 1) * SyncMark.slotByteCount }

    func write(to writer: inout ByteWriter) {
        let start: Int = writer.count
        writer.write(SyncMark.magic)
        writer.write(segment)
        writer.write(trustedFrom)
        writer.write(number)
        writer.write(UInt32(truncatingIfNeeded: headsBefore))
        writer.write(UInt32(truncatingIfNeeded: previousEnd))
        let told: Int = min(ends.count, SyncMark.shardLimit)
        writer.write(UInt16(truncatingIfNeeded: told))
        for end in ends.prefix(told) {
            writer.write(end.segment)
            writer.write(UInt32(truncatingIfNeeded: end.offset))
        }
        let checksum: UInt32 = Checksum.crc32c(writer.span.extracting(start..<writer.count))
        writer.write(checksum)
    }

    init(segment: UInt64, trustedFrom: UInt64, number: UInt64, headsBefore: Int, previousEnd: Int, ends: [LogPlace]) {
        self.segment = segment
        self.trustedFrom = trustedFrom
        self.number = number
        self.headsBefore = headsBefore
        self.previousEnd = previousEnd
        self.ends = ends
    }

    /// Reads a slot; fails for one that holds no mark of this segment.
    init(_ slot: RawSpan, segment wanted: UInt64) throws(DecodingError) {
        var reader = ByteReader(slot)
        let magic: UInt32 = try reader.readUInt32()
        self.segment = try reader.readUInt64()
        guard magic == SyncMark.magic, segment == wanted else { throw .invalid(offset: 0, what: "not a mark") }
        self.trustedFrom = try reader.readUInt64()
        self.number = try reader.readUInt64()
        self.headsBefore = Int(try reader.readUInt32())
        self.previousEnd = Int(try reader.readUInt32())
        let count = Int(try reader.readUInt16())
        self.ends = []
        for _ in 0..<count {
            let place: UInt64 = try reader.readUInt64()
            ends.append(LogPlace(segment: place, offset: Int(try reader.readUInt32())))
        }
        let computed: UInt32 = Checksum.crc32c(slot.extracting(0..<reader.offset))
        let offset: Int = reader.offset
        let stored: UInt32 = try reader.readUInt32()
        guard stored == computed else { throw .checksumMismatch(offset: offset, stored: stored, computed: computed) }
    }
}
