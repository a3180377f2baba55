public import Primitives

/// The flags of an envelope's header (protocol specification, section 2.2).
public struct FrameFlags: OptionSet, Hashable, Sendable {
    public let rawValue: UInt8

    @inlinable
    public init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// The body is compressed; only v3 and v4 use it.
    public static var compressed: FrameFlags { FrameFlags(rawValue: 0x01) }
    /// A request asks for tracing; a response carries the session's identifier.
    public static var tracing: FrameFlags { FrameFlags(rawValue: 0x02) }
    public static var customPayload: FrameFlags { FrameFlags(rawValue: 0x04) }
    public static var warnings: FrameFlags { FrameFlags(rawValue: 0x08) }
    public static var useBeta: FrameFlags { FrameFlags(rawValue: 0x10) }
}

/// The nine bytes in front of every message.
///
///     version and direction (1) · flags (1) · stream (2) · opcode (1) · byte count of the body (4)
public struct FrameHeader: Equatable, Sendable {
    /// How many bytes a header takes.
    @inlinable public static var byteCount: Int { 9 }
    /// The bit of the version byte that marks a response.
    @inlinable public static var responseBit: UInt8 { 0x80 }

    public var version: ProtocolVersion
    public var flags: FrameFlags
    public var stream: Int16
    public var opcode: Opcode
    public var bodyByteCount: Int

    @inlinable
    public init(version: ProtocolVersion, flags: FrameFlags, stream: Int16, opcode: Opcode, bodyByteCount: Int) {
        self.version = version
        self.flags = flags
        self.stream = stream
        self.opcode = opcode
        self.bodyByteCount = bodyByteCount
    }

    /// Appends the header; the direction follows from the opcode.
    @inlinable
    public func write(into writer: inout ByteWriter) {
        // The first eight bytes as one integer: one check for room instead of five.
        let first = UInt64(version.rawValue | (opcode.isRequest ? 0 : FrameHeader.responseBit)) << 56
        let middle = UInt64(flags.rawValue) << 48 | UInt64(UInt16(bitPattern: stream)) << 32
        let length = UInt64(UInt32(truncatingIfNeeded: bodyByteCount))
        writer.write(first | middle | UInt64(opcode.rawValue) << 24 | length >> 8)
        writer.write(UInt8(truncatingIfNeeded: length))
    }
}

/// The stored fields of a header, before anybody has judged them.
@usableFromInline
struct RawFrameHeader {
    @usableFromInline let versionByte: UInt8
    @usableFromInline let flags: UInt8
    @usableFromInline let stream: Int16
    @usableFromInline let opcode: UInt8
    @usableFromInline let length: Int32

    /// Loads the fields from `FrameHeader.byteCount` readable bytes.
    @inlinable
    init(loadingFrom bytes: UnsafeRawPointer) {
        self.versionByte = bytes.load(fromByteOffset: 0, as: UInt8.self)
        self.flags = bytes.load(fromByteOffset: 1, as: UInt8.self)
        self.stream = Int16(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: Int16.self))
        self.opcode = bytes.load(fromByteOffset: 4, as: UInt8.self)
        self.length = Int32(bigEndian: bytes.loadUnaligned(fromByteOffset: 5, as: Int32.self))
    }
}

/// One whole message: its header, and where its body lies.
public struct Envelope {
    public var header: FrameHeader
    /// The body, uncompressed; valid until the splitter is asked for the next step or the read buffer moves.
    public var body: UnsafeRawBufferPointer

    @inlinable
    public init(header: FrameHeader, body: UnsafeRawBufferPointer) {
        self.header = header
        self.body = body
    }
}

/// Bounds on what a peer may make us hold.
public struct FrameLimits: Sendable, Equatable {
    /// The largest envelope, header included, before and after decompression.
    public var frameByteCount: Int
    /// How much scratch memory a splitter keeps between large messages.
    public var keptScratchByteCount: Int

    public init(frameByteCount: Int = 16 * 1024 * 1024, keptScratchByteCount: Int = 128 * 1024) {
        self.frameByteCount = min(max(frameByteCount, FrameHeader.byteCount), FrameLimits.specifiedByteCount)
        self.keptScratchByteCount = keptScratchByteCount
    }

    /// What the specification allows at most: 256 MiB.
    public static let specifiedByteCount: Int = 256 * 1024 * 1024
    /// `native_transport_max_frame_size` by default.
    public static let server = FrameLimits()
    /// What a client takes from a server.
    public static let client = FrameLimits(frameByteCount: FrameLimits.specifiedByteCount)
}
