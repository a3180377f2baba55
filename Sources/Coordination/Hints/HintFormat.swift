internal import Cluster
internal import DataModel
internal import Primitives

/// The bytes of a file of hints (docs/formats/hints.md).
///
///     file   := head (64) · the same head (64) · record*
///     head   := magic u32 · version u16 · 0 u16 · target (16) · salt u64 · created i64 · zeros (20) · checksum u32
///     record := marker u32 · length u32 · checksum of the body u32 · checksum of these 12 bytes u32 · body
///     body   := created i64 · grace u32 · mutation
///
/// The checksums of a record start from the salt of the file and the offset of the record: what looks like a record
/// inside of a mutation, by accident or because somebody wrote it there, is never taken for one.
struct HintFileHead: Hashable, Sendable {
    /// `MLHT`.
    static let magic: UInt32 = 0x4D4C_4854
    static let version: UInt16 = 1
    static let copyByteCount = 64
    /// Where the records begin.
    static let byteCount = 128

    let target: NodeID
    let salt: UInt64
    /// When the first hint of the file was made, in microseconds since 1970.
    let createdMicroseconds: Int64

    func write(to writer: inout ByteWriter) {
        for _ in 0..<2 {
            let start: Int = writer.count
            writer.write(HintFileHead.magic)
            writer.write(HintFileHead.version)
            writer.write(UInt16(0))
            writer.write(target.uuid.high)
            writer.write(target.uuid.low)
            writer.write(salt)
            writer.write(createdMicroseconds)
            writer.writeZeros(20)
            let checksum: UInt32 = Checksum.crc32c(writer.span.extracting(start..<writer.count))
            writer.write(checksum)
        }
    }

    init(target: NodeID, salt: UInt64, createdMicroseconds: Int64) {
        self.target = target
        self.salt = salt
        self.createdMicroseconds = createdMicroseconds
    }

    /// Reads the first copy that is whole.
    init(_ bytes: [UInt8]) throws(DecodingError) {
        do throws(DecodingError) {
            try self.init(bytes, copyAt: 0)
        } catch {
            try self.init(bytes, copyAt: HintFileHead.copyByteCount)
        }
    }

    private init(_ bytes: [UInt8], copyAt offset: Int) throws(DecodingError) {
        guard bytes.count >= offset + HintFileHead.copyByteCount else {
            throw .truncated(offset: bytes.count, missing: offset + HintFileHead.copyByteCount - bytes.count)
        }
        let span = bytes.span
        let copy = span.bytes.extracting(offset..<(offset + HintFileHead.copyByteCount))
        var reader = ByteReader(copy)
        let magic: UInt32 = try reader.readUInt32()
        let version: UInt16 = try reader.readUInt16()
        try reader.skip(2)
        let high: UInt64 = try reader.readUInt64()
        self.target = NodeID(UUID(high: high, low: try reader.readUInt64()))
        self.salt = try reader.readUInt64()
        self.createdMicroseconds = try reader.readInt64()
        try reader.skip(20)
        let computed: UInt32 = Checksum.crc32c(copy.extracting(first: reader.offset))
        let stored: UInt32 = try reader.readUInt32()
        guard magic == HintFileHead.magic else { throw .invalid(offset: offset, what: "it is of another kind") }
        guard stored == computed else {
            throw .checksumMismatch(offset: offset, stored: stored, computed: computed)
        }
        guard version == HintFileHead.version else { throw .invalid(offset: offset, what: "its version is unknown") }
    }
}

/// One record of a file of hints.
enum HintRecord {
    /// `HINT`.
    static let marker: UInt32 = 0x4849_4E54
    static let headByteCount = 16
    /// Creation time and grace.
    static let bodyHeadByteCount = 12
    static let maximumBodyByteCount: Int = bodyHeadByteCount + Hint.maximumMutationByteCount

    /// Where the checksums of the record at `offset` start.
    static func seed(salt: UInt64, offset: Int) -> UInt32 {
        let low = UInt32(truncatingIfNeeded: salt)
        let high = UInt32(truncatingIfNeeded: salt >> 32)
        return low ^ high &* 0x9E37_79B1 ^ UInt32(truncatingIfNeeded: offset) &* 0x85EB_CA6B
    }

    /// Writes a record that will be at `offset` of its file.
    static func write(_ body: RawSpan, offset: Int, salt: UInt64, to writer: inout ByteWriter) {
        let seed: UInt32 = seed(salt: salt, offset: offset)
        let start: Int = writer.count
        writer.write(marker)
        writer.write(UInt32(truncatingIfNeeded: body.byteCount))
        writer.write(Checksum.crc32c(body, seed: seed))
        let checksum: UInt32 = Checksum.crc32c(writer.span.extracting(start..<writer.count), seed: seed)
        writer.write(checksum)
        writer.write(body)
    }
}

/// Reads the records of a file window by window, past damage.
///
/// A pure value: whoever owns it reads the bytes. A record whose body is damaged is passed over; where no head can be
/// read, the next one is looked for byte by byte. What is unreadable up to the end of the file is a write that a crash
/// cut off, of which nobody was told, and is no damage.
struct HintFileReader: Sendable {
    struct Entry: Hashable, Sendable {
        let hint: Hint
        /// Where the record ends in the file.
        let end: Int
    }

    let salt: UInt64
    /// Where the next window begins.
    private(set) var offset: Int
    /// The least size of the next window, unless the file ends before.
    private(set) var neededByteCount: Int = HintRecord.headByteCount
    private(set) var damagedCount = 0
    /// Whether the bytes before `offset` could not be read.
    private var isInGap = false

    init(salt: UInt64, offset: Int) {
        self.salt = salt
        self.offset = max(offset, HintFileHead.byteCount)
    }

    /// Takes the records of a window that begins at `offset`, and moves on.
    mutating func read(_ window: [UInt8], isEnd: Bool) -> [Entry] {
        var entries: [Entry] = []
        let start: Int = offset
        var place = 0
        neededByteCount = HintRecord.headByteCount
        while window.count - place >= HintRecord.headByteCount {
            guard let length = bodyByteCount(window, place, start + place) else {
                isInGap = true
                place += 1
                continue
            }
            let end: Int = place + HintRecord.headByteCount + length
            guard end <= window.count else {
                if isEnd { break }
                neededByteCount = HintRecord.headByteCount + length
                offset = start + place
                return entries
            }
            if isInGap { damagedCount += 1 }
            isInGap = false
            if let hint = hint(window, place, length, start + place) {
                entries.append(Entry(hint: hint, end: start + end))
            } else {
                damagedCount += 1
            }
            place = end
        }
        offset = isEnd ? start + window.count : start + place
        return entries
    }

    /// The length of the body whose head is here; nil when none is.
    private func bodyByteCount(_ window: [UInt8], _ place: Int, _ fileOffset: Int) -> Int? {
        // The first byte of the marker, so that a search does not check a sum for each byte.
        guard window[place] == UInt8(truncatingIfNeeded: HintRecord.marker >> 24) else { return nil }
        let span = window.span
        let head = span.bytes.extracting(place..<(place + HintRecord.headByteCount))
        var reader = ByteReader(head)
        do throws(DecodingError) {
            guard try reader.readUInt32() == HintRecord.marker else { return nil }
            let length = Int(try reader.readUInt32())
            try reader.skip(4)
            let seed: UInt32 = HintRecord.seed(salt: salt, offset: fileOffset)
            guard try reader.readUInt32() == Checksum.crc32c(head.extracting(first: 12), seed: seed) else { return nil }
            guard length >= HintRecord.bodyHeadByteCount, length <= HintRecord.maximumBodyByteCount else { return nil }
            return length
        } catch {
            return nil
        }
    }

    private func hint(_ window: [UInt8], _ place: Int, _ length: Int, _ fileOffset: Int) -> Hint? {
        let span = window.span
        let record = span.bytes.extracting(place..<(place + HintRecord.headByteCount + length))
        var reader = ByteReader(record)
        do throws(DecodingError) {
            try reader.skip(8)
            let stored: UInt32 = try reader.readUInt32()
            try reader.skip(4)
            let seed: UInt32 = HintRecord.seed(salt: salt, offset: fileOffset)
            guard stored == Checksum.crc32c(reader.rest, seed: seed) else { return nil }
            let created: Int64 = try reader.readInt64()
            let grace: UInt32 = try reader.readUInt32()
            let mutation: [UInt8] = try reader.readArray(reader.remaining)
            return Hint(createdMicroseconds: created, graceSeconds: grace, mutation: mutation)
        } catch {
            return nil
        }
    }
}
