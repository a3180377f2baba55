package import Primitives

/// Frames: runs of messages, checked and perhaps compressed as one (docs/formats/internode.md, Frames).
///
///     payload length u32 │ uncompressed length u32 │ CRC-32C of these u32 │ CRC-32C of the payload u32 │ payload
package enum MessageFrame {
    package static let headerByteCount = 16
    /// A frame that has as much is ended, and the next message begins another.
    package static let fullByteCount = 64 << 10
    /// Smaller frames are not worth the time of the compressor.
    package static let compressedFromByteCount = 512

    /// Begins a frame and returns where: room for its header.
    package static func begin(in writer: inout ByteWriter) -> Int {
        let start: Int = writer.count
        writer.writeZeros(headerByteCount)
        return start
    }

    /// Ends the frame that begins at `start`: compresses it if that is asked for and makes it smaller, and fills in its
    /// header.
    ///
    /// Hot: once per flush of a link.
    package static func end(
        in writer: inout ByteWriter, from start: Int, compressing: Bool, scratch: inout ByteWriter
    ) {
        let first: Int = start &+ headerByteCount
        var byteCount: Int = writer.count &- first
        var uncompressedByteCount = 0
        if compressing, byteCount > compressedFromByteCount {
            scratch.removeAll()
            writer.withUnsafeBytes {
                FrameCompression.compress(UnsafeRawBufferPointer(rebasing: $0[first...]), &scratch)
            }
            if !scratch.isEmpty, scratch.count < byteCount {
                uncompressedByteCount = byteCount
                byteCount = scratch.count
                writer.truncate(to: first)
                scratch.withUnsafeBytes { writer.write($0) }
            }
        }
        writer.overwrite(UInt32(truncatingIfNeeded: byteCount), at: start)
        writer.overwrite(UInt32(truncatingIfNeeded: uncompressedByteCount), at: start &+ 4)
        let header: UInt32 = writer.withUnsafeBytes {
            Checksum.crc32c(UnsafeRawBufferPointer(rebasing: $0[start..<(start &+ 8)]))
        }
        let payload: UInt32 = writer.withUnsafeBytes { Checksum.crc32c(UnsafeRawBufferPointer(rebasing: $0[first...])) }
        writer.overwrite(header, at: start &+ 8)
        writer.overwrite(payload, at: start &+ 12)
    }
}

/// What is wrong with the bytes of a connection.
package enum FrameFault: Equatable, Sendable {
    case headerChecksum
    case payloadChecksum
    case empty
    case tooLarge(byteCount: Int, limit: Int)
    case damagedCompression
    case damagedMessage
    /// A request came where only answers do.
    case unexpectedRequest
}

/// Cuts the bytes of a connection into frames.
///
/// Owned by a connection; it never reads a socket. A payload that is not compressed is handed out where it lies in the
/// caller's buffer, one that is in memory of the reader, until the next call. Nothing is allocated for a frame before its
/// header has been checked, and never more than the limit.
package struct FrameReader: ~Copyable {
    package enum Step {
        case needMore
        case frame(UnsafeRawBufferPointer, consumed: Int)
        case malformed(FrameFault)
    }

    private let limit: Int
    private var scratch = ByteWriter(capacity: 16)

    package init(frameByteCount: Int) {
        self.limit = frameByteCount
    }

    /// Finds the frame at the front of the buffered bytes.
    ///
    /// Hot: once per frame.
    package mutating func next(_ buffer: UnsafeRawBufferPointer) -> Step {
        if scratch.capacityByteCount > MessageSettings.keptByteCount {
            scratch.removeAll(keepingAtMost: MessageSettings.keptByteCount)
        }
        guard buffer.count >= MessageFrame.headerByteCount, let bytes = buffer.baseAddress else { return .needMore }
        let byteCount = Int(UInt32(bigEndian: bytes.loadUnaligned(as: UInt32.self)))
        let uncompressed = Int(UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self)))
        let headerSum = UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt32.self))
        guard Checksum.crc32c(UnsafeRawBufferPointer(start: bytes, count: 8)) == headerSum else {
            return .malformed(.headerChecksum)
        }
        guard byteCount > 0 else { return .malformed(.empty) }
        guard byteCount <= limit, uncompressed <= limit else {
            return .malformed(.tooLarge(byteCount: max(byteCount, uncompressed), limit: limit))
        }
        let end: Int = MessageFrame.headerByteCount &+ byteCount
        guard buffer.count >= end else { return .needMore }
        let payload = UnsafeRawBufferPointer(start: bytes + MessageFrame.headerByteCount, count: byteCount)
        let payloadSum = UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 12, as: UInt32.self))
        guard Checksum.crc32c(payload) == payloadSum else { return .malformed(.payloadChecksum) }
        if uncompressed == 0 { return .frame(payload, consumed: end) }
        guard FrameCompression.decompress(payload, byteCount: uncompressed, &scratch) else {
            return .malformed(.damagedCompression)
        }
        return .frame(scratch.withUnsafeBytes { $0 }, consumed: end)
    }
}
