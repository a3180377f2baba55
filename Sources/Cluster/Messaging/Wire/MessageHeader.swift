package import Primitives

/// What stands before the body of each message (docs/formats/internode.md, Messages).
///
///     length u32 │ verb u8 │ flags u8 │ 0 u16 │ id u64 │ epoch u64 │ clock i64 │ timeout u32 │ body
///
/// The length counts what follows it.
package struct MessageHeader: Equatable, Sendable {
    package static let byteCount = 36
    package static let response: UInt8 = 1
    package static let failure: UInt8 = 2
    /// The body begins with the session of a trace, or with what an answer tells of it.
    package static let traced: UInt8 = 4

    /// Of the whole message, with this header.
    package var messageByteCount: Int
    /// A number that may be of no verb that this version knows.
    package var verbNumber: UInt8
    package var flags: UInt8
    /// What the answer is to carry; 0 when none is wanted.
    package var id: UInt64
    /// The sender's, and its hybrid clock in microseconds.
    package var epoch: UInt64
    package var clock: Int64
    /// What was left of the request's time when it was sent; nothing in a response.
    package var timeoutMilliseconds: UInt32

    package var isResponse: Bool { flags & MessageHeader.response != 0 }
    package var isFailure: Bool { flags & MessageHeader.failure != 0 }
    package var isTraced: Bool { flags & MessageHeader.traced != 0 }

    package init(
        verbNumber: UInt8, flags: UInt8, id: UInt64, epoch: UInt64, clock: Int64, timeoutMilliseconds: UInt32
    ) {
        self.messageByteCount = MessageHeader.byteCount
        self.verbNumber = verbNumber
        self.flags = flags
        self.id = id
        self.epoch = epoch
        self.clock = clock
        self.timeoutMilliseconds = timeoutMilliseconds
    }

    /// Reads the header of the message at `offset`; nil when no writer makes such a one, or it is not whole.
    ///
    /// Hot: once per message.
    package init?(_ payload: UnsafeRawBufferPointer, at offset: Int) {
        guard offset >= 0, payload.count &- offset >= MessageHeader.byteCount, let start = payload.baseAddress else {
            return nil
        }
        let bytes: UnsafeRawPointer = start + offset
        let length = Int(UInt32(bigEndian: bytes.loadUnaligned(as: UInt32.self)))
        let word = UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
        guard length >= MessageHeader.byteCount - 4, length <= payload.count &- offset &- 4, word & 0xFFFF == 0 else {
            return nil
        }
        self.messageByteCount = length &+ 4
        self.verbNumber = UInt8(truncatingIfNeeded: word >> 24)
        self.flags = UInt8(truncatingIfNeeded: word >> 16)
        self.id = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
        self.epoch = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self))
        self.clock = Int64(bigEndian: bytes.loadUnaligned(fromByteOffset: 24, as: Int64.self))
        self.timeoutMilliseconds = UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 32, as: UInt32.self))
        // A failure that is no response, or a flag that nobody has defined.
        let kind: UInt8 = flags & ~MessageHeader.traced
        guard kind == 0 || kind == MessageHeader.response || kind == 3 else { return nil }
    }

    /// Begins a message; its length is written by `end`.
    ///
    /// Hot: once per message.
    package func begin(in writer: inout ByteWriter) {
        writer.reserve(MessageHeader.byteCount)
        writer.write(UInt32(0))
        writer.write(UInt32(verbNumber) << 24 | UInt32(flags) << 16)
        writer.write(id)
        writer.write(epoch)
        writer.write(clock)
        writer.write(timeoutMilliseconds)
    }

    /// Ends the message that begins at `start` with what has been written; returns its length.
    package static func end(in writer: inout ByteWriter, from start: Int) -> Int {
        let byteCount: Int = writer.count &- start
        writer.overwrite(UInt32(truncatingIfNeeded: byteCount &- 4), at: start)
        return byteCount
    }

    static let flagsOffset = 5
    static let timeoutOffset = 32
}

/// What the body of a failure holds: code u16 │ the reason in UTF-8.
package enum FailureBody {
    package static let reasonByteCount = 4_096

    package static func write(code: UInt16, reason: String, into writer: inout ByteWriter) {
        writer.write(code)
        var prefix: String = reason
        if reason.utf8.count > reasonByteCount { prefix = String(reason.prefix(reasonByteCount / 4)) }
        writer.writeUTF8(prefix)
    }

    /// Reads a failure; what cannot be read becomes an empty one, since the request has failed either way.
    package static func read(_ body: RawSpan) -> (code: UInt16, reason: String) {
        var reader = ByteReader(body)
        guard let code = try? reader.readUInt16() else { return (0, "") }
        let count: Int = min(reader.remaining, reasonByteCount)
        guard let bytes = try? reader.readArray(count) else { return (code, "") }
        return (code, String(decoding: bytes, as: UTF8.self))
    }
}

/// Codes of failures that the messages themselves make; the codes of verbs are smaller.
package enum TransportFailure {
    /// Nobody carries out the verb.
    package static let noHandler: UInt16 = 0xFF01
    /// The handler failed in a way that its verb has no code for.
    package static let handlerFailed: UInt16 = 0xFF02
    /// The node works on as much as it may.
    package static let overloaded: UInt16 = 0xFF03
    /// The message is larger than any may be.
    package static let tooLarge: UInt16 = 0xFF04
    /// The request was planned by a placement that is too old: data has moved since then.
    package static let stalePlacement: UInt16 = 0xFF05
    /// Added to the code of a refusal of the connection.
    package static let refusedConnection: UInt16 = 0xFF80
}
