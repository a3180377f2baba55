import Primitives

/// The outer framing of v5 (protocol specification v5, section 2): checksummed segments around envelopes.
///
///     plain  length (17 bits) · self-contained (1) · padding (6) · CRC24 (24)      payload   CRC32
///     LZ4    length (17) · uncompressed length (17) · self-contained (1) · padding (5) · CRC24 (24)   payload   CRC32
///
/// All little-endian.
enum Segment {
    static let maximumPayload: Int = 131_071
    static let plainHeaderByteCount: Int = 6
    static let compressedHeaderByteCount: Int = 8
    static let trailerByteCount: Int = 4

    /// CRC-32 of FA 2D 55 CA, with which every payload's checksum starts (Cassandra, net/Crc.java).
    static let payloadSeed: UInt32 = 0x4477_7ed3

    /// The checksum of a header's first `byteCount` bytes, given as a little-endian integer.
    static func crc24(_ bytes: UInt64, byteCount: Int) -> UInt32 {
        var crc: UInt32 = 0x87_5060
        var rest = bytes
        for _ in 0..<byteCount {
            crc ^= UInt32(truncatingIfNeeded: rest & 0xFF) << 16
            rest >>= 8
            for _ in 0..<8 {
                crc <<= 1
                // All ones when the bit that was shifted out is set, so that no branch depends on data.
                crc ^= 0x197_4F0B & (0 &- (crc >> 24 & 1))
            }
        }
        return crc
    }

    static func crc32(_ payload: UnsafeRawBufferPointer) -> UInt32 {
        guard let start = payload.baseAddress else { return payloadSeed }
        return Checksum.crc32(RawSpan(_unsafeStart: start, byteCount: payload.count), seed: payloadSeed)
    }

    /// The fields of a segment's header.
    struct Header: Equatable {
        /// Bytes of payload as they travel.
        var payloadByteCount: Int
        /// Bytes after decompression; 0 when the payload travels as it is.
        var uncompressedByteCount: Int
        var isSelfContained: Bool

        /// Reads a header from as many bytes as a header of the kind has.
        static func load(from bytes: UnsafeRawPointer, isCompressed: Bool) throws(FrameFailure) -> Header {
            var stored: UInt64 = 0
            let count = isCompressed ? compressedHeaderByteCount : plainHeaderByteCount
            for index in 0..<count {
                stored |= UInt64(bytes.load(fromByteOffset: index, as: UInt8.self)) << UInt64(index * 8)
            }
            let fieldBits = UInt64((count - 3) * 8)
            let fields = stored & (1 << fieldBits - 1)
            let storedCRC = UInt32(truncatingIfNeeded: stored >> fieldBits)
            let computed = crc24(fields, byteCount: count - 3)
            guard storedCRC == computed else {
                throw FrameFailure(fault: .headerChecksum(stored: storedCRC, computed: computed))
            }
            let flagBit: UInt64 = isCompressed ? 34 : 17
            return Header(
                payloadByteCount: Int(fields & 0x1FFFF),
                uncompressedByteCount: isCompressed ? Int(fields >> 17 & 0x1FFFF) : 0,
                isSelfContained: fields >> flagBit & 1 == 1)
        }

        /// The header's bytes as a little-endian integer.
        func encoded(isCompressed: Bool) -> UInt64 {
            var fields = UInt64(payloadByteCount)
            if isCompressed { fields |= UInt64(uncompressedByteCount) << 17 }
            if isSelfContained { fields |= 1 << (isCompressed ? 34 : 17) }
            let fieldBytes = isCompressed ? 5 : 3
            return fields | UInt64(crc24(fields, byteCount: fieldBytes)) << UInt64(fieldBytes * 8)
        }

        /// Writes the header over room that was kept for it.
        func overwrite(at offset: Int, in writer: inout ByteWriter, isCompressed: Bool) {
            let bytes = encoded(isCompressed: isCompressed)
            writer.overwrite(UInt32(truncatingIfNeeded: bytes).byteSwapped, at: offset)
            if isCompressed {
                writer.overwrite(UInt32(truncatingIfNeeded: bytes >> 32).byteSwapped, at: offset + 4)
            } else {
                writer.overwrite(UInt8(truncatingIfNeeded: bytes >> 32), at: offset + 4)
                writer.overwrite(UInt8(truncatingIfNeeded: bytes >> 40), at: offset + 5)
            }
        }
    }
}

/// A fault on its way out of the framing code.
struct FrameFailure: Error {
    var fault: FrameFault
}
