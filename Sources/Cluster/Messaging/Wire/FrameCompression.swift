import CLZ4
import Primitives

/// LZ4 blocks, as the payloads of frames.
enum FrameCompression {
    /// The most that LZ4 can expand one byte to.
    private static let maximumExpansion = 255

    /// Appends the compressed form; nothing when there is none.
    static func compress(_ source: UnsafeRawBufferPointer, _ target: inout ByteWriter) {
        guard source.count <= Int(Int32.max) else { return }
        let bound = Int(LZ4_compressBound(Int32(source.count)))
        guard bound > 0 else { return }
        target.writeDirectly(upTo: bound) { room in
            let written = LZ4_compress_default(
                source.baseAddress?.assumingMemoryBound(to: CChar.self),
                room.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(source.count), Int32(bound))
            return max(0, Int(written))
        }
    }

    /// Fills `target` with exactly `byteCount` bytes; false when `block` is not the compressed form of as many.
    static func decompress(_ block: UnsafeRawBufferPointer, byteCount: Int, _ target: inout ByteWriter) -> Bool {
        target.removeAll()
        guard block.count <= Int(Int32.max), byteCount <= Int(Int32.max),
            byteCount <= block.count * maximumExpansion + 64
        else { return false }
        var isWhole = false
        target.writeDirectly(upTo: byteCount) { room in
            let written = LZ4_decompress_safe(
                block.baseAddress?.assumingMemoryBound(to: CChar.self),
                room.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(block.count), Int32(byteCount))
            isWhole = Int(written) == byteCount
            return isWhole ? byteCount : 0
        }
        return isWhole
    }
}
