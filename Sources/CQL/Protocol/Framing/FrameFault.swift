/// What is wrong with the framing of a connection's bytes.
public enum FrameFault: Equatable, Sendable {
    /// An envelope is larger than the limit, header included.
    case tooLong(byteCount: Int, limit: Int)
    case negativeLength(Int32)
    case unknownOpcode(UInt8)
    case wrongDirection(Opcode)
    /// A message of another version than the connection's.
    case versionChanged(got: UInt8, connection: ProtocolVersion)
    case headerChecksum(stored: UInt32, computed: UInt32)
    case payloadChecksum(stored: UInt32, computed: UInt32)
    /// An envelope that does not end where its segment, or its last segment, does.
    case strayEnvelope
    case compressionNotNegotiated
    case damagedCompression

    /// The error to answer with.
    public var error: ProtocolError {
        switch self {
        case .tooLong(let byteCount, let limit):
            ProtocolError(
                "Request is too big: length \(byteCount) exceeds maximum allowed length \(limit).",
                isInvalidRequest: true)
        case .negativeLength(let length):
            ProtocolError("Invalid value for envelope header body length field: \(length)")
        case .unknownOpcode(let code): ProtocolError("Unknown opcode \(code)")
        case .wrongDirection(let opcode):
            ProtocolError(
                "Wrong protocol direction (expected \(opcode.isRequest ? "REQUEST" : "RESPONSE"), "
                    + "got \(opcode.isRequest ? "RESPONSE" : "REQUEST")) for opcode \(opcode.rawValue) "
                    + "(\(opcode.name))")
        case .versionChanged(let got, let connection):
            ProtocolError(
                "Invalid message version. Got \(got)/v\(got) but previous messages on this connection had version "
                    + connection.name)
        case .headerChecksum(let stored, let computed):
            ProtocolError("Invalid CRC24 of a segment's header: stored \(stored), computed \(computed)")
        case .payloadChecksum(let stored, let computed):
            ProtocolError("Invalid CRC32 of a segment's payload: stored \(stored), computed \(computed)")
        case .strayEnvelope: ProtocolError("An envelope does not end where its segment does")
        case .compressionNotNegotiated: ProtocolError("A message is compressed but no compression was agreed on")
        case .damagedCompression: ProtocolError("A compressed message cannot be decompressed")
        }
    }
}

/// What `FrameSplitter.next` found at the front of the buffered bytes.
///
/// `consumed` counts bytes that the caller drops from the front of its buffer, after it has dealt with the envelope.
public enum FrameStep {
    /// A whole message.
    case envelope(Envelope, consumed: Int)
    /// Nothing more until more bytes arrive.
    case needMore(consumed: Int)
    /// A message that is not acceptable. It is skipped and the connection goes on; a server answers on `stream`.
    case rejected(FrameFault, stream: Int16, consumed: Int)
    /// A message of a version that we do not speak; a server answers with `VersionNegotiation` and closes.
    case unsupportedVersion(UnsupportedVersion)
    /// The bytes make no sense from here on; a server answers on stream 0 or `stream` if it can, and closes.
    case broken(FrameFault, stream: Int16)
}
