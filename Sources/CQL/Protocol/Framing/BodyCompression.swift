import CLZ4
import Primitives

/// Compresses and decompresses bodies (v3, v4) and the payloads of segments (v5).
///
/// Sizes that a peer announces are held against a limit, and against what its compressed bytes could possibly become,
/// before any memory is taken for them.
enum BodyCompression {
    /// The most that LZ4 can expand one byte to.
    private static let maximumLZ4Expansion: Int = 255

    /// Appends the compressed form of a body of v3 or v4.
    static func compressBody(
        _ body: UnsafeRawBufferPointer, with compression: Compression, into writer: inout ByteWriter
    ) {
        switch compression {
        case .none: writer.write(body)
        case .snappy: Snappy.compress(body, into: &writer)
        case .lz4:
            writer.write(UInt32(truncatingIfNeeded: body.count))
            compressBlock(body, into: &writer)
        }
    }

    /// Appends the decompressed form of a body of v3 or v4.
    ///
    /// - Throws: a fault when it is damaged or would be larger than `limit`.
    static func decompressBody(
        _ body: UnsafeRawBufferPointer, with compression: Compression, limit: Int, into writer: inout ByteWriter
    ) throws(FrameFailure) {
        switch compression {
        case .none: throw FrameFailure(fault: .compressionNotNegotiated)
        case .lz4:
            guard body.count >= 4 else { throw FrameFailure(fault: .damagedCompression) }
            let stored = body.loadUnaligned(as: UInt32.self)
            let length = Int(UInt32(bigEndian: stored))
            let block = UnsafeRawBufferPointer(rebasing: body[4...])
            try check(length, of: block.count, expansion: maximumLZ4Expansion, limit: limit)
            try decompressBlock(block, byteCount: length, into: &writer)
        case .snappy:
            guard let announced = Snappy.announcedLength(body) else {
                throw FrameFailure(fault: .damagedCompression)
            }
            try check(announced.byteCount, of: body.count, expansion: Snappy.maximumExpansion, limit: limit)
            try writer.writeDirectly(upTo: announced.byteCount) { (target) throws(FrameFailure) -> Int in
                guard Snappy.decompress(body, from: announced.start, into: target) else {
                    throw FrameFailure(fault: .damagedCompression)
                }
                return target.count
            }
        }
    }

    private static func check(_ length: Int, of byteCount: Int, expansion: Int, limit: Int) throws(FrameFailure) {
        guard length <= limit else {
            let total = length + FrameHeader.byteCount
            throw FrameFailure(fault: .tooLong(byteCount: total, limit: limit + FrameHeader.byteCount))
        }
        guard length <= byteCount * expansion + 64 else { throw FrameFailure(fault: .damagedCompression) }
    }

    /// Appends an LZ4 block without any length.
    static func compressBlock(_ source: UnsafeRawBufferPointer, into writer: inout ByteWriter) {
        let bound = Int(LZ4_compressBound(Int32(truncatingIfNeeded: source.count)))
        writer.writeDirectly(upTo: bound) { target in
            let from = source.baseAddress?.assumingMemoryBound(to: CChar.self)
            let to = target.baseAddress?.assumingMemoryBound(to: CChar.self)
            let written = LZ4_compress_default(
                from, to, Int32(truncatingIfNeeded: source.count), Int32(truncatingIfNeeded: bound))
            return max(0, Int(written))
        }
    }

    /// Appends what an LZ4 block of exactly `byteCount` decompressed bytes holds.
    static func decompressBlock(
        _ block: UnsafeRawBufferPointer, byteCount: Int, into writer: inout ByteWriter
    ) throws(FrameFailure) {
        // Cassandra's compressors write nothing, or one zero byte, for nothing.
        if byteCount == 0 { return }
        try writer.writeDirectly(upTo: byteCount) { (target) throws(FrameFailure) -> Int in
            let from = block.baseAddress?.assumingMemoryBound(to: CChar.self)
            let to = target.baseAddress?.assumingMemoryBound(to: CChar.self)
            let written = LZ4_decompress_safe(
                from, to, Int32(truncatingIfNeeded: block.count), Int32(truncatingIfNeeded: byteCount))
            guard Int(written) == byteCount else { throw FrameFailure(fault: .damagedCompression) }
            return byteCount
        }
    }
}
