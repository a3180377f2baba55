public import CQL
public import Environment
public import Primitives

/// One connection that carries many requests at once, for whoever counts every nanosecond.
///
/// Requests are written one behind the other into one output buffer, which `flush` sends; answers are handed to the
/// handler in the order in which they come. After it is connected it starts no task, stores no closure and allocates
/// nothing for a request. `CQLConnection` puts `async` calls on top of it.
///
/// `Sendable` is unchecked because all state is touched on `loop` only: the network makes its calls there, and whoever
/// calls a method here must be there too.
public final class PipelinedConnection: ConnectionHandler, @unchecked Sendable {
    enum Outcome {
        case ready
        case versionRefused(message: String)
        case failed(any Error)
    }

    public let loop: any Loop
    public let address: SocketAddress
    /// The version that is spoken.
    public let version: ProtocolVersion
    private let options: ConnectionOptions
    private let makeHandler: @Sendable (PipelinedConnection) -> any ResponseHandler
    private var connection: (any Connection)?
    private var handler: (any ResponseHandler)?
    private var splitter = FrameSplitter(side: .client, limits: .client)
    private var frames: FrameWriter
    private var output = ByteWriter(capacity: 16 * 1_024)
    private var streams: StreamPool
    private var handshake: Handshake?
    private var handshakeTimer: (any LoopTimer)?
    private var outcome: Outcome?
    private var waiting: UnsafeContinuation<Outcome, Never>?
    private var failure: ClientError?

    private init(
        address: SocketAddress, loop: any Loop, version: ProtocolVersion, options: ConnectionOptions,
        makeHandler: @escaping @Sendable (PipelinedConnection) -> any ResponseHandler
    ) {
        self.address = address
        self.loop = loop
        self.version = version
        self.options = options
        self.makeHandler = makeHandler
        self.frames = FrameWriter(version: version)
        self.streams = StreamPool(limit: options.inFlightLimit)
        self.handshake = Handshake(credentials: options.credentials)
    }

    /// Connects, agrees on a version (the newest first) and authenticates.
    ///
    /// - Parameter makeHandler: runs on `loop` once, when requests can be sent.
    /// - Throws: `ClientError`, or the `CQLError` with which the server refuses us.
    public static func connect(
        to address: SocketAddress, on loop: any Loop, network: any Network,
        options: ConnectionOptions = ConnectionOptions(),
        makeHandler: @escaping @Sendable (PipelinedConnection) -> any ResponseHandler
    ) async throws -> PipelinedConnection {
        var refusal = ""
        for version in options.versions {
            let pipeline = PipelinedConnection(
                address: address, loop: loop, version: version, options: options, makeHandler: makeHandler)
            do {
                _ = try await network.connect(
                    to: address, on: loop, security: options.security, timeout: options.connectTimeout
                ) { pipeline }
            } catch {
                throw ClientError.unreachable(address, error)
            }
            let outcome: Outcome = await withUnsafeContinuation { continuation in
                loop.execute { pipeline.tellOutcome(to: continuation) }
            }
            switch outcome {
            case .ready: return pipeline
            case .versionRefused(let message): refusal = message
            case .failed(let error): throw error
            }
        }
        throw ClientError.versionRefused(message: refusal)
    }

    // MARK: Requests

    /// How many requests wait for answers.
    public var inFlightCount: Int { streams.waitingCount }
    /// How many requests may wait for answers.
    public var inFlightLimit: Int { streams.limit }
    /// Whether requests can be sent.
    public var isOpen: Bool { connection != nil && handshake == nil && failure == nil }
    /// Bytes that were sent and have not left yet: a sender that must not run ahead looks at this.
    public var unsentByteCount: Int { connection?.unsentByteCount ?? 0 }

    /// Writes a request; it leaves with the next `flush`.
    ///
    /// Hot. `writeBody` must not call this connection.
    ///
    /// - Returns: the stream on which the answer will come; nil when the limit is reached or the connection has ended.
    public func send(
        _ opcode: Opcode, flags: FrameFlags = [], writeBody: (inout ByteWriter, ProtocolVersion) -> Void
    ) -> Int16? {
        guard isOpen, let stream = streams.take() else { return nil }
        frames.begin(opcode, stream: stream, flags: flags, into: &output)
        writeBody(&output, version)
        frames.end(in: &output)
        return stream
    }

    /// Writes an EXECUTE from its prepared parts; it leaves with the next `flush`.
    ///
    /// Hot: two copies and the values. `writeValues` appends one [value] for each of the template's, with `writeValue`.
    ///
    /// - Returns: the stream on which the answer will come; nil when the limit is reached or the connection has ended.
    public func execute(
        _ template: ExecuteTemplate, flags: FrameFlags = [], writeValues: (inout ByteWriter) -> Void
    ) -> Int16? {
        guard isOpen, let stream = streams.take() else { return nil }
        frames.begin(.execute, stream: stream, flags: flags, into: &output)
        output.write(template.head)
        if template.valueCount > 0 { writeValues(&output) }
        if !template.tail.isEmpty { output.write(template.tail) }
        frames.end(in: &output)
        return stream
    }

    /// Sends what was written. Inside of a handler's calls this is done for it.
    public func flush() {
        guard let connection, !output.isEmpty else { return }
        frames.finish(&output)
        connection.send(&output)
    }

    /// Sends what was written and ends the connection; the handler is told.
    public func close() {
        flush()
        connection?.close()
    }

    // MARK: The network's calls

    public func opened(_ connection: any Connection) {
        self.connection = connection
        var startup: [String: String] = [:]
        startup["DRIVER_NAME"] = options.driverName
        startup["DRIVER_VERSION"] = options.driverVersion
        frames.begin(.startup, stream: 0, into: &output)
        output.writeStartup(compression: options.compression, options: startup)
        frames.end(in: &output)
        flush()
        let limit: Duration = options.connectTimeout
        handshakeTimer = loop.schedule(after: limit) { [weak self] in
            guard let self, self.handshake != nil else { return }
            self.finish(.failed(ClientError.timedOut(limit)))
        }
    }

    public func received(_ bytes: UnsafeRawBufferPointer) -> Int {
        var used = 0
        while failure == nil, connection != nil {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[used...])
            switch splitter.next(rest) {
            case .envelope(let envelope, let consumed):
                take(envelope)
                used += consumed
            case .needMore(let consumed): return used + consumed
            case .rejected(let fault, _, _), .broken(let fault, _):
                fail(.malformedResponse(fault.error.message))
            case .unsupportedVersion(let server):
                let words = "it answers with version \(server.number)"
                if handshake == nil { fail(.malformedResponse(words)) } else { finish(.versionRefused(message: words)) }
            }
        }
        return bytes.count
    }

    public func receiveCompleted() {
        handler?.receiveCompleted()
        flush()
    }

    public func drained() {
        handler?.drained()
        flush()
    }

    public func closed(_ error: NetworkError?) {
        connection = nil
        let reason: ClientError = failure ?? .connectionClosed(error)
        failure = reason
        if handshake != nil { finish(.failed(reason)) }
        let owner: (any ResponseHandler)? = handler
        handler = nil
        owner?.closed(reason)
    }

    // MARK: Parts

    private func take(_ envelope: Envelope) {
        if handshake != nil { return shakeHands(envelope) }
        let stream: Int16 = envelope.header.stream
        if stream < 0 {
            handler?.pushed(envelope)
        } else if streams.release(stream) {
            handler?.completed(stream, envelope)
        } else {
            fail(.malformedResponse("an answer to no request, on stream \(stream)"))
        }
    }

    private func shakeHands(_ envelope: Envelope) {
        let response: Response
        do {
            response = try Response.decode(envelope.header, envelope.body.bytes).response
        } catch {
            return finish(.failed(ClientError.malformedResponse(error.message)))
        }
        // The framing that was asked for begins behind the answer to STARTUP, whatever comes after it.
        switch response {
        case .ready, .authenticate:
            splitter.startFraming(version: version, compression: options.compression)
            frames.startFraming(version: version, compression: options.compression)
        default: break
        }
        guard let step = handshake?.received(response) else { return }
        switch step {
        case .answer(let token):
            frames.begin(.authResponse, stream: 0, into: &output)
            output.writeAuthResponse(token)
            frames.end(in: &output)
        case .ready: finish(.ready)
        case .versionRefused(let message): finish(.versionRefused(message: message))
        case .refused(let error): finish(.failed(error))
        case .failed(let error): finish(.failed(error))
        }
    }

    private func finish(_ outcome: Outcome) {
        handshake = nil
        handshakeTimer?.cancel()
        handshakeTimer = nil
        if case .ready = outcome {
            handler = makeHandler(self)
        } else {
            if failure == nil { failure = .connectionClosed(nil) }
            connection?.close()
        }
        self.outcome = outcome
        waiting?.resume(returning: outcome)
        waiting = nil
    }

    private func tellOutcome(to continuation: UnsafeContinuation<Outcome, Never>) {
        if let outcome { return continuation.resume(returning: outcome) }
        waiting = continuation
    }

    private func fail(_ error: ClientError) {
        guard failure == nil else { return }
        failure = error
        if handshake != nil { finish(.failed(error)) } else { connection?.close() }
    }
}
