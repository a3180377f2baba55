package import CQL
package import Environment
package import Primitives

/// One message of a server.
package struct WireAnswer: Sendable {
    package let header: FrameHeader
    package let body: [UInt8]

    package var stream: Int16 { header.stream }

    package func decoded() throws -> Response { try Response.decode(header, body.span.bytes).response }

    /// What went in front of the message.
    package func prefix() throws -> ResponsePrefix { try Response.decode(header, body.span.bytes).prefix }

    /// The rows of a result; empty for other answers.
    package func rows() throws -> [[[UInt8]?]] {
        guard case .rows(let rows) = try decoded() else { return [] }
        return rows.rows(in: body.span.bytes)
    }

    /// The error that it is; nil for other answers.
    package var error: CQLError? {
        guard case .error(let error)? = try? decoded() else { return nil }
        return error
    }
}

/// A client that decides about every byte: what is sent in one piece, what is torn, what is wrong.
///
/// `Sendable` is unchecked because a world and all that belongs to it is used by one thread at a time.
package final class WireClient: ConnectionHandler, @unchecked Sendable {
    package struct Closed: Error {}
    package struct NotStarted: Error {
        package let answer: WireAnswer
    }

    package let version: ProtocolVersion
    /// What has come, in the order in which it came, events included.
    package private(set) var answers: [WireAnswer] = []
    /// Whether the connection has ended.
    package private(set) var isClosed = false
    /// Why what came could not be read as messages; nil while it could.
    package private(set) var confusion: String?
    private let loop: any Loop
    private var connection: (any Connection)?
    private var splitter = FrameSplitter(side: .client, limits: .client)
    private var frames: FrameWriter
    private var waiting: [(isDone: () -> Bool, continuation: UnsafeContinuation<Void, Never>)] = []
    private var taken = 0

    private init(version: ProtocolVersion, loop: any Loop) {
        self.version = version
        self.loop = loop
        self.frames = FrameWriter(version: version)
    }

    static func open(to address: SocketAddress, version: ProtocolVersion, host: Host) async throws -> WireClient {
        let client = WireClient(version: version, loop: host.loops[0])
        _ = try await host.network.connect(to: address, on: host.loops[0], timeout: .seconds(5)) { client }
        return client
    }

    // MARK: Sending

    /// Says STARTUP and waits for READY.
    package func start(compression: Compression = .none, options: [String: String] = [:]) async throws {
        send(message(.startup, stream: 0) { $0.writeStartup(compression: compression, options: options) })
        let answer: WireAnswer = try await next()
        guard answer.header.opcode == .ready else { throw NotStarted(answer: answer) }
        splitter.startFraming(version: version, compression: compression)
        frames.startFraming(version: version, compression: compression)
    }

    /// The bytes of a message by itself, in the framing of the connection.
    package func message(
        _ opcode: Opcode, stream: Int16, flags: FrameFlags = [], _ body: (inout ByteWriter) -> Void = { _ in }
    ) -> [UInt8] {
        var output = ByteWriter()
        frames.begin(opcode, stream: stream, flags: flags, into: &output)
        body(&output)
        frames.end(in: &output)
        frames.finish(&output)
        return output.array()
    }

    package typealias MessageWriter = (Opcode, Int16, FrameFlags, (inout ByteWriter) -> Void) -> Void

    /// The bytes of messages that are sent together: in v5 they share segments.
    package func messages(_ write: (MessageWriter) -> Void) -> [UInt8] {
        var output = ByteWriter()
        write { opcode, stream, flags, body in
            frames.begin(opcode, stream: stream, flags: flags, into: &output)
            body(&output)
            frames.end(in: &output)
        }
        frames.finish(&output)
        return output.array()
    }

    /// Sends bytes in one piece.
    package func send(_ bytes: [UInt8]) {
        loop.execute { [self] in
            var writer = ByteWriter()
            writer.write(bytes)
            connection?.send(&writer)
        }
    }

    /// Sends a statement's text and waits for its answer, which must be the next.
    package func query(_ text: String, stream: Int16 = 0, options: QueryOptions = QueryOptions()) async throws
        -> WireAnswer
    {
        let version: ProtocolVersion = self.version
        send(message(.query, stream: stream) { $0.writeQuery(text, options: options, version: version) })
        return try await next()
    }

    /// Prepares a statement.
    package func prepare(_ text: String) async throws -> PreparedResult {
        let version: ProtocolVersion = self.version
        send(message(.prepare, stream: 0) { $0.writePrepare(text, version: version) })
        let answer: WireAnswer = try await next()
        guard case .prepared(let result) = try answer.decoded() else { throw NotStarted(answer: answer) }
        return result
    }

    package func close() {
        loop.execute { [self] in connection?.close() }
    }

    /// Takes nothing from the server any more, or goes on.
    package func pause(_ isPaused: Bool) {
        loop.execute { [self] in
            if isPaused { connection?.pauseReading() } else { connection?.resumeReading() }
        }
    }

    /// Bytes that the other side has not taken yet.
    package var unsentByteCount: Int { connection?.unsentByteCount ?? 0 }

    // MARK: Waiting

    /// The next answer.
    ///
    /// - Throws: `Closed` when the connection ends first.
    package func next() async throws -> WireAnswer {
        try await next(1)[0]
    }

    /// The next answers.
    ///
    /// - Throws: `Closed` when the connection ends first.
    package func next(_ count: Int) async throws -> [WireAnswer] {
        let end: Int = taken + count
        await wait { [unowned self] in answers.count >= end || isClosed }
        guard answers.count >= end else { throw Closed() }
        defer { taken = end }
        return Array(answers[taken..<end])
    }

    /// Returns when the connection has ended.
    package func waitUntilClosed() async {
        await wait { [unowned self] in isClosed }
    }

    private func wait(until isDone: @escaping () -> Bool) async {
        if isDone() { return }
        await withUnsafeContinuation { waiting.append((isDone, $0)) }
    }

    private func wake() {
        let done = waiting.filter { $0.isDone() }
        waiting.removeAll { $0.isDone() }
        for entry in done { entry.continuation.resume() }
    }

    // MARK: The network's calls

    package func opened(_ connection: any Connection) {
        self.connection = connection
    }

    package func received(_ bytes: UnsafeRawBufferPointer) -> Int {
        var used = 0
        while confusion == nil {
            switch splitter.next(UnsafeRawBufferPointer(rebasing: bytes[used...])) {
            case .envelope(let envelope, let consumed):
                answers.append(WireAnswer(header: envelope.header, body: [UInt8](envelope.body)))
                used += consumed
            case .needMore(let consumed): return used + consumed
            case .rejected(let fault, _, _), .broken(let fault, _): confusion = fault.error.message
            case .unsupportedVersion(let server): confusion = "an answer of version \(server.number)"
            }
            // Behind READY another framing begins, which `start` sets before anything more is asked for.
            wake()
        }
        return bytes.count
    }

    package func receiveCompleted() {
        wake()
    }

    package func drained() {}

    package func closed(_ error: NetworkError?) {
        isClosed = true
        connection = nil
        wake()
    }
}
