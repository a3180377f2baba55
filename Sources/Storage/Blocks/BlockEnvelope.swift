internal import Primitives

/// Where a block stands in its file.
struct BlockLocation: Equatable, Sendable {
    var offset: Int
    /// With the trailer.
    var storedByteCount: Int

    func write(to writer: inout ByteWriter) {
        writer.writeUnsignedVint(UInt64(offset))
        writer.writeLength(storedByteCount)
    }

    /// Reads a location that `write` made. The caller has checked the block that it stands in; a location outside the
    /// file is caught when the block is fetched.
    init(_ body: UnsafeRawBufferPointer) {
        guard let start = body.baseAddress, body.count >= 2, let end = body.baseAddress?.advanced(by: body.count),
            let (offset, rest) = loadCheckedVint(start, end: end),
            let (count, _) = loadCheckedVint(rest, end: end)
        else {
            self.init(offset: -1, storedByteCount: 0)
            return
        }
        self.init(offset: offset, storedByteCount: count)
    }

    init(offset: Int, storedByteCount: Int) {
        self.offset = offset
        self.storedByteCount = storedByteCount
    }
}

/// The stored form of a block (docs/formats/sstable.md, Blocks):
///
///     stored := payload · kind u8 · raw byte count u32 · CRC-32C u32
///
/// The checksum covers the offset of the block in its file, then everything before the checksum: a block that is read
/// from the wrong place is damage too.
enum BlockEnvelope {
    static let trailerByteCount: Int = 9
    /// No block is larger than this before compression; a length beyond it is damage, not a wish for memory.
    static let rawByteCountLimit: Int = 1 << 30

    static func checksum(of stored: UnsafeRawBufferPointer, at offset: Int) -> UInt32 {
        var place: UInt64 = UInt64(truncatingIfNeeded: offset).bigEndian
        let seed: UInt32 = withUnsafeBytes(of: &place) { Checksum.crc32c($0) }
        return Checksum.crc32c(stored, seed: seed)
    }

    /// Appends a block that will stand at `offset`, and returns where it then is.
    static func append(
        _ raw: UnsafeRawBufferPointer, at offset: Int, compressor: BlockCompressor, to writer: inout ByteWriter
    ) -> BlockLocation {
        let start: Int = writer.count
        let kind: BlockKind = compressor.append(raw, to: &writer)
        writer.write(kind.rawValue)
        writer.write(UInt32(truncatingIfNeeded: raw.count))
        let sum: UInt32 = writer.withUnsafeBytes { bytes in
            checksum(of: UnsafeRawBufferPointer(rebasing: bytes[start...]), at: offset)
        }
        writer.write(sum)
        return BlockLocation(offset: offset, storedByteCount: writer.count - start)
    }

    /// Checks a stored block and returns its contents in new memory, which the caller frees.
    static func open(
        _ stored: UnsafeRawBufferPointer, at offset: Int, decompressor: BlockDecompressor
    ) throws(BlockDamage) -> UnsafeMutableRawBufferPointer {
        guard let start = stored.baseAddress, stored.count >= trailerByteCount else {
            throw BlockDamage(offset: offset, reason: "a block is shorter than its trailer")
        }
        let checked = UnsafeRawBufferPointer(start: start, count: stored.count - 4)
        let sum = UInt32(bigEndian: start.loadUnaligned(fromByteOffset: stored.count - 4, as: UInt32.self))
        guard checksum(of: checked, at: offset) == sum else {
            throw BlockDamage(offset: offset, reason: "the checksum of a block does not match")
        }
        let payload = UnsafeRawBufferPointer(start: start, count: stored.count - trailerByteCount)
        let rawCount = Int(UInt32(bigEndian: start.loadUnaligned(fromByteOffset: stored.count - 8, as: UInt32.self)))
        guard let kind = BlockKind(rawValue: stored[stored.count - trailerByteCount]), rawCount <= rawByteCountLimit,
            kind != .lz4 || rawCount <= (payload.count + 1) &* 256
        else {
            throw BlockDamage(offset: offset, reason: "the trailer of a block makes no sense")
        }
        let target = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, rawCount), alignment: 16)
        guard decompressor.decompress(payload, kind, into: UnsafeMutableRawBufferPointer(rebasing: target[..<rawCount]))
        else {
            target.deallocate()
            throw BlockDamage(offset: offset, reason: "a block cannot be decompressed")
        }
        return UnsafeMutableRawBufferPointer(start: target.baseAddress, count: rawCount)
    }
}

/// What is wrong with a block; whoever knows the file makes a `StorageError` of it.
struct BlockDamage: Error {
    var offset: Int
    var reason: String
}

/// Reads a variable-length integer (`ByteWriter.writeUnsignedVint`) that a check of the block has already passed over.
///
/// Hot: three times per row that a search looks at.
@inline(__always)
func loadVint(_ place: inout UnsafeRawPointer) -> Int {
    let first: UInt8 = place.load(as: UInt8.self)
    if first < 0x80 {
        place += 1
        return Int(first)
    }
    return loadLongVint(&place, first)
}

@inline(never)
private func loadLongVint(_ place: inout UnsafeRawPointer, _ first: UInt8) -> Int {
    let extra: Int = (~first).leadingZeroBitCount
    var value: UInt64 = extra >= 7 ? 0 : UInt64(first & (0xFF >> UInt8(extra + 1)))
    for index in 0..<extra { value = value << 8 | UInt64(place.load(fromByteOffset: index + 1, as: UInt8.self)) }
    place += extra + 1
    return Int(truncatingIfNeeded: value)
}

/// Reads a variable-length integer from unchecked bytes; nil when it does not end before `end` or is no size.
func loadCheckedVint(_ start: UnsafeRawPointer, end: UnsafeRawPointer) -> (value: Int, next: UnsafeRawPointer)? {
    guard start < end else { return nil }
    let extra: Int = (~start.load(as: UInt8.self)).leadingZeroBitCount
    guard end - start > extra else { return nil }
    var place: UnsafeRawPointer = start
    let value: Int = loadVint(&place)
    return value < 0 ? nil : (value, place)
}
