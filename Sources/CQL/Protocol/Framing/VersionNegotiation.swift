public import Primitives

/// A first message of a version that we do not speak.
public struct UnsupportedVersion: Equatable, Sendable {
    /// The version as the client wrote it, without the direction.
    public var number: UInt8
    public var flags: UInt8
    public var stream: Int16

    public init(number: UInt8, flags: UInt8, stream: Int16) {
        self.number = number
        self.flags = flags
        self.stream = stream
    }
}

/// Answers clients that speak another version, in a form that they can read, so that they come back with ours.
///
/// - Versions 1 and 2 are answered in kind: their headers have eight bytes, one of them for the stream.
/// - A beta version without the flag for it is told of the flag, in that version, as Cassandra does.
/// - Everything else (the 65 and 66 of DSE, which newer drivers try first, or plain noise) is answered with our newest.
public enum VersionNegotiation {
    /// The sentence that drivers look for when they step down.
    public static func message(for number: UInt8) -> String {
        let supported = ProtocolVersion.allCases.map(\.name).joined(separator: ", ")
        return "Invalid or unsupported protocol version (\(number)); supported versions are (\(supported))"
    }

    /// Appends the whole answer, unframed and uncompressed; the connection is closed behind it.
    public static func write(_ client: UnsupportedVersion, into writer: inout ByteWriter) {
        let beta: ProtocolVersion? = ProtocolVersion(rawValue: client.number).flatMap { $0.isBeta ? $0 : nil }
        let text: String =
            beta.map { "Beta version of the protocol used (\($0.name)), but USE_BETA flag is unset" }
            ?? message(for: client.number)
        writeError(
            CQLError.protocolError(message: text), stream: client.stream,
            versionNumber: beta != nil || client.number == 1 || client.number == 2
                ? client.number : ProtocolVersion.newest.rawValue,
            into: &writer)
    }

    /// The refusal of a version that we speak but that the operator has switched off.
    public static func olderVersionRefused(_ version: ProtocolVersion, oldest: ProtocolVersion) -> CQLError {
        .protocolError(message: "Rejecting Protocol Version \(version.name) < \(oldest.name).")
    }

    private static func writeError(
        _ error: CQLError, stream: Int16, versionNumber: UInt8, into writer: inout ByteWriter
    ) {
        writer.write(versionNumber | FrameHeader.responseBit)
        writer.write(UInt8(0))
        if versionNumber >= 3 { writer.write(stream) } else { writer.write(Int8(truncatingIfNeeded: stream)) }
        writer.write(Opcode.error.rawValue)
        let lengthOffset = writer.count
        writer.write(UInt32(0))
        error.write(into: &writer, version: .v3)
        writer.overwrite(UInt32(truncatingIfNeeded: writer.count - lengthOffset - 4), at: lengthOffset)
    }
}
