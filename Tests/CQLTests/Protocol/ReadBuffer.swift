import CQL
import Primitives
import Testing

/// A message as a test compares it: everything of its header but the length, and its body.
struct Message: Equatable {
    var version: ProtocolVersion
    var opcode: Opcode
    var stream: Int16
    var flags: FrameFlags
    var body: [UInt8]

    init(
        _ opcode: Opcode, stream: Int16, body: [UInt8] = [], version: ProtocolVersion = .v4, flags: FrameFlags = []
    ) {
        self.version = version
        self.opcode = opcode
        self.stream = stream
        self.flags = flags
        self.body = body
    }

    init(_ envelope: Envelope) {
        self.version = envelope.header.version
        self.opcode = envelope.header.opcode
        self.stream = envelope.header.stream
        self.flags = envelope.header.flags
        self.body = [UInt8](envelope.body)
    }
}

/// What came out of a splitter, without the places in buffers.
enum Outcome: Equatable {
    case message(Message)
    case rejected(FrameFault, stream: Int16)
    case unsupportedVersion(UnsupportedVersion)
    case broken(FrameFault, stream: Int16)
}

/// The read buffer of a connection and its splitter, as a server or a client would hold them.
struct ReadBuffer: ~Copyable {
    var splitter: FrameSplitter
    var bytes: [UInt8] = []
    var isClosed = false

    init(_ side: FrameSplitter.Side, limits: FrameLimits = .server) {
        self.splitter = FrameSplitter(side: side, limits: limits)
    }

    /// Adds bytes that have arrived and takes out what is complete, up to `limit` outcomes.
    mutating func receive(_ arrived: some Sequence<UInt8>, limit: Int = .max) -> [Outcome] {
        bytes += arrived
        var outcomes: [Outcome] = []
        while !isClosed, outcomes.count < limit {
            var isWaiting = false
            var dropped = 0
            bytes.withUnsafeBytes { buffer in
                switch splitter.next(buffer) {
                case .envelope(let envelope, let consumed):
                    outcomes.append(.message(Message(envelope)))
                    dropped = consumed
                case .needMore(let consumed):
                    dropped = consumed
                    isWaiting = true
                case .rejected(let fault, let stream, let consumed):
                    outcomes.append(.rejected(fault, stream: stream))
                    dropped = consumed
                case .unsupportedVersion(let client):
                    outcomes.append(.unsupportedVersion(client))
                    isClosed = true
                case .broken(let fault, let stream):
                    outcomes.append(.broken(fault, stream: stream))
                    isClosed = true
                }
            }
            bytes.removeFirst(min(dropped, bytes.count))
            if dropped > bytes.count + dropped { isClosed = true }
            if isWaiting { break }
        }
        return outcomes
    }
}

/// A way in which the bytes of a connection may be framed.
struct Framing: CustomTestStringConvertible, Sendable {
    var version: ProtocolVersion
    var compression: Compression

    var testDescription: String { "\(version.name) \(compression.optionName ?? "plain")" }

    static let all: [Framing] = [
        Framing(version: .v3, compression: .none), Framing(version: .v3, compression: .lz4),
        Framing(version: .v3, compression: .snappy), Framing(version: .v4, compression: .none),
        Framing(version: .v4, compression: .lz4), Framing(version: .v4, compression: .snappy),
        Framing(version: .v5, compression: .none), Framing(version: .v5, compression: .lz4),
    ]

    /// The bytes of messages, sent in batches of `flushEvery`.
    func bytes(of messages: [Message], flushEvery: Int = 3) -> [UInt8] {
        var writer = FrameWriter(version: version)
        writer.startFraming(version: version, compression: compression)
        var output = ByteWriter()
        for (index, message) in messages.enumerated() {
            writer.begin(message.opcode, stream: message.stream, flags: message.flags, into: &output)
            output.write(message.body)
            writer.end(in: &output)
            if (index + 1) % flushEvery == 0 { writer.finish(&output) }
        }
        writer.finish(&output)
        return output.array()
    }

    /// A buffer that is past the handshake.
    func readBuffer(_ side: FrameSplitter.Side, limits: FrameLimits = .server) -> ReadBuffer {
        var buffer = ReadBuffer(side, limits: limits)
        buffer.splitter.startFraming(version: version, compression: compression)
        return buffer
    }

    /// Requests with bodies of every interesting size; some are noise and some compress well.
    func randomMessages(_ count: Int, _ generator: inout SeededGenerator) -> [Message] {
        let small: [Int] = [0, 1, 5, 60, 127, 128, 129, 700, 5_000]
        let sizes: [Int] = small + [131_061, 131_062, 131_063, 131_071, 200_000, 300_000]
        let opcodes: [Opcode] = [.query, .execute, .batch, .prepare, .options]
        var messages: [Message] = []
        for index in 0..<count {
            // Large ones are rare, so that the test stays quick.
            let limit = generator.oneIn(12) ? sizes.count : small.count
            let size = sizes[generator.below(limit)]
            let body: [UInt8] =
                generator.oneIn(2) ? generator.bytes(size) : (0..<size).map { UInt8(truncatingIfNeeded: $0 / 9) }
            messages.append(
                Message(
                    opcodes[generator.below(opcodes.count)], stream: Int16(index), body: body, version: version))
        }
        return messages
    }
}
