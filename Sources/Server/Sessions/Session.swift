import CQL
package import Coordination
import DataModel
package import Environment
import Logging
import Primitives
package import Query
import Storage

/// One client's connection: frames in, frames out.
///
///     bytes ─▶ FrameSplitter ─▶ envelope ─▶ hot path ─▶ output ─▶ one send for each read
///                                   └─────▶ task ─▶ … ─▶ output ─▶ one send for each turn of the loop
///
/// It lives on one loop, with the shard of that loop. A prepared single-row statement of that shard runs at once, between
/// the read buffer and the output; whatever waits or is rare runs as a task. `Sendable` is unchecked because everything
/// is touched on the loop only, and tasks of the session run there.
package final class Session: ConnectionHandler, DurabilityWaiter, FastObserver, @unchecked Sendable {
    let executor: ShardExecutor
    let sessions: ShardSessions
    let limits: SessionLimits
    private(set) var connection: (any Connection)?
    private var splitter: FrameSplitter
    var frames: FrameWriter
    var output = ByteWriter(capacity: 4096)
    private(set) var version: ProtocolVersion = .v4
    private(set) var isStarted = false
    private(set) var isClosed = false
    var isFlushScheduled = false
    /// Whether bytes of the client are being worked through, so that everything leaves at the end of it.
    var isReading = false
    /// Whether nothing more is taken from the client for now.
    var isPaused = false
    /// Whether nothing will be taken from the client ever again.
    var isEnding = false
    var isRetryScheduled = false
    var keyspace: String?
    var events: Set<EventType> = []
    private(set) var startup = StartupRequest(options: [:])
    private(set) var requestCount: Int64 = 0
    var inFlightCount = 0
    /// When the request at hand began, on the monotonic clock: at the end of the one before it, or when its bytes came.
    private var clockNanoseconds: UInt64 = 0
    var load: SessionLoad?
    private var handshakeTimer: (any LoopTimer)?
    var idleTimer: (any LoopTimer)?
    /// When something came or left last, on the monotonic clock; kept only when connections may be too idle.
    var lastActiveNanoseconds: UInt64 = 0
    var identifier: UInt64 = 0

    package init(executor: ShardExecutor, sessions: ShardSessions, limits: SessionLimits) {
        self.executor = executor
        self.sessions = sessions
        self.limits = limits
        self.splitter = FrameSplitter(side: .server, limits: FrameLimits(frameByteCount: limits.frameByteCount))
        self.frames = FrameWriter(version: .v4)
    }

    // MARK: Connection

    package func opened(_ connection: any Connection) {
        self.connection = connection
        guard let load = sessions.admit(self, connection.remoteAddress) else {
            connection.close()
            return
        }
        self.load = load
        watchIdleness()
        handshakeTimer = connection.loop.schedule(after: limits.handshakeTimeout) { [weak self] in
            guard let self, !self.isStarted else { return }
            self.close()
        }
    }

    package func received(_ bytes: UnsafeRawBufferPointer) -> Int {
        isReading = true
        clockNanoseconds = executor.host.time.monotonicNanoseconds
        var used = 0
        while !isClosed {
            if isPaused { return used }
            let rest = UnsafeRawBufferPointer(rebasing: bytes[used...])
            switch splitter.next(rest) {
            case .needMore(let consumed):
                return used + consumed
            case .envelope(let envelope, let consumed):
                handle(envelope)
                used += consumed
                if output.count > SessionLimits.outputByteCount {
                    flush()
                    pauseIfFull()
                }
            case .rejected(let fault, let stream, let consumed):
                frames.writeError(fault.error.cqlError, stream: stream, into: &output)
                used += consumed
            case .unsupportedVersion(let client) where isStarted:
                // Versions are agreed on at the start only: later, this is damage, and told in the version that is spoken.
                let fault = FrameFault.versionChanged(got: client.number, connection: version)
                frames.writeError(fault.error.cqlError, stream: client.stream, into: &output)
                close()
                return bytes.count
            case .unsupportedVersion(let client):
                guard let consumed = refuse(client, rest) else { return bytes.count }
                used += consumed
            case .broken(let fault, let stream):
                sessions.log.debug("A client sent what is no message", metadata: ["reason": "\(fault.error.message)"])
                frames.writeError(fault.error.cqlError, stream: stream, into: &output)
                close()
                return bytes.count
            }
        }
        return bytes.count
    }

    /// Goes on with the messages that the splitter has taken out of a compressed segment; what the connection holds is
    /// shown again by itself.
    func workThroughHeld() {
        _ = received(UnsafeRawBufferPointer(start: nil, count: 0))
        isReading = false
        flush()
    }

    /// Tells a client which versions there are. The connection stays usable when the whole message is here, since
    /// drivers go on with another version on it.
    private func refuse(_ client: UnsupportedVersion, _ bytes: UnsafeRawBufferPointer) -> Int? {
        VersionNegotiation.write(client, into: &output)
        guard client.number > 2, bytes.count >= FrameHeader.byteCount else {
            close()
            return nil
        }
        let length = Int(UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 5, as: UInt32.self)))
        guard bytes.count >= FrameHeader.byteCount + length else {
            close()
            return nil
        }
        return FrameHeader.byteCount + length
    }

    package func receiveCompleted() {
        isReading = false
        flush()
        noteActivity()
        pauseIfFull()
        resumeIfPossible()
    }

    package func drained() {
        noteActivity()
        resumeIfPossible()
    }

    package func closed(_ error: NetworkError?) {
        isClosed = true
        connection = nil
        handshakeTimer?.cancel()
        idleTimer?.cancel()
        load?.leave()
        load = nil
        sessions.remove(self)
    }

    package func close() {
        guard !isClosed else { return }
        flush()
        isClosed = true
        connection?.close()
    }

    // MARK: Requests

    private func handle(_ envelope: Envelope) {
        let header: FrameHeader = envelope.header
        if !isStarted {
            version = header.version
            frames.version = version
            guard limits.allowsOlderProtocols || version == .newest else {
                let refusal = VersionNegotiation.olderVersionRefused(version, oldest: .newest)
                frames.writeError(refusal, stream: header.stream, into: &output)
                return close()
            }
        }
        requestCount &+= 1
        do {
            if header.opcode == .execute, isStarted { return try execute(header, envelope.body) }
            switch header.opcode {
            case .options:
                reply(.supported, header.stream) { output in
                    output.writeSupported(SupportedOptions.standard(languageVersion: ServerVersions.cql))
                }
            case .startup: try start(header, unsafe RawSpan(_unsafeBytes: try envelope.requestBody()))
            case .query, .prepare, .batch, .register, .authResponse, .execute:
                guard isStarted else {
                    throw CQLError.protocolError(
                        message: "Unexpected message \(header.opcode.name), expecting STARTUP or OPTIONS")
                }
                try handleStarted(envelope)
            default:
                throw CQLError.protocolError(message: "Unexpected message \(header.opcode.name)")
            }
        } catch {
            fail(header.stream, error)
        }
    }

    private func handleStarted(_ envelope: Envelope) throws {
        let header: FrameHeader = envelope.header
        switch header.opcode {
        case .register:
            let body: UnsafeRawBufferPointer = try envelope.requestBody()
            let request = try RegisterRequest(decoding: unsafe RawSpan(_unsafeBytes: body), version: version)
            events.formUnion(request.types)
            reply(.ready, header.stream) { _ in }
        case .authResponse:
            throw CQLError.protocolError(message: "Unexpected message AUTH_RESPONSE: no authentication is going on")
        default:
            let isDrawn: Bool = executor.traceThreshold != 0 && executor.drawsTrace()
            runCold(header, [UInt8](envelope.body), isDrawn: isDrawn)
        }
    }

    private func start(_ header: FrameHeader, _ body: RawSpan) throws {
        guard !isStarted else {
            throw CQLError.protocolError(message: "Unexpected message STARTUP, the connection has been started already")
        }
        let request = try StartupRequest(decoding: body)
        let compression: Compression = try request.validated(version: header.version)
        startup = request
        isStarted = true
        sessions.note(self)
        handshakeTimer?.cancel()
        handshakeTimer = nil
        reply(.ready, header.stream) { _ in }
        flush()
        splitter.startFraming(version: version, compression: compression)
        frames.startFraming(version: version, compression: compression)
    }

    /// Runs a prepared statement, at once if it is simple and its partition is on this shard.
    ///
    /// Hot: most requests are this.
    private func execute(_ header: FrameHeader, _ body: UnsafeRawBufferPointer) throws {
        let isDrawn: Bool = executor.traceThreshold != 0 && executor.drawsTrace()
        guard header.flags.isEmpty, !isDrawn else { return runCold(header, [UInt8](body), isDrawn: isDrawn) }
        let span = unsafe RawSpan(_unsafeBytes: body)
        let request = try ExecuteRequest(decoding: span, version: version)
        guard let id = StatementID(span.bytes(of: request.statementID)), let statement = executor.prepared(id) else {
            throw CQLError.unprepared(statementID: span.array(of: request.statementID) ?? [])
        }
        if startup.throwsOnOverload, isFull { throw Session.overloaded }
        let isChanged: Bool =
            version.hasResultMetadataID && !statement.isResult(span.bytes(of: request.resultMetadataID))
        let slot: Int = statement.table.map { executor.requests.slot(of: $0.definition.id) } ?? 0
        let tag = WriteTag(
            stream: header.stream, consistency: request.parameters.consistency, start: clockNanoseconds, slot: slot)
        // Until it is known to have been answered; a write that others take part in may end within the call.
        inFlightCount &+= 1
        let outcome: FastOutcome
        let isRead: Bool = statement.fastRead != nil
        if isRead { frames.begin(.result, stream: header.stream, into: &output) }
        do {
            outcome =
                isRead
                ? try executor.readFast(
                    statement, request.parameters, span, version: version, hasOwnMetadata: isChanged, observer: self,
                    tag: tag.bits, into: &output)
                : try executor.writeFast(
                    statement, request.parameters, span, version: version, observer: self, tag: tag.bits)
        } catch {
            inFlightCount &-= 1
            if isRead { frames.abandon(in: &output) }
            // The general way waits for room.
            if case StorageError.overloaded = error, !startup.throwsOnOverload {
                return runCold(header, [UInt8](body))
            }
            noteMishap(StorageFailure.cqlError(error), isRead ? .read : .write)
            throw error
        }
        if case .pending = outcome {
            if isRead { frames.abandon(in: &output) }
            return
        }
        inFlightCount &-= 1
        finish(outcome, header, body, statement, tag)
    }

    private func finish(
        _ outcome: FastOutcome, _ header: FrameHeader, _ body: UnsafeRawBufferPointer, _ statement: PreparedStatement,
        _ tag: WriteTag
    ) {
        switch outcome {
        case .replied:
            frames.end(in: &output)
            noteAnswer(.read, tag)
        case .pending: break
        case .written(let position):
            if executor.replica.wait(for: position, self, tag: tag.bits) {
                inFlightCount &+= 1
            } else {
                replyVoid(header.stream)
                noteAnswer(.write, tag)
            }
        case .elsewhere(let shard):
            if statement.fastRead != nil { frames.abandon(in: &output) }
            forward(header, [UInt8](body), statement, to: shard, tag)
        case .notFast:
            if statement.fastRead != nil { frames.abandon(in: &output) }
            runCold(header, [UInt8](body))
        }
    }

    private func replyVoid(_ stream: Int16) {
        frames.begin(.result, stream: stream, into: &output)
        output.writeVoidResult()
        frames.end(in: &output)
    }

    /// A write of the hot path has become durable, or never will.
    package func writeEnded(_ tag: UInt64, _ end: WriteEnd) {
        inFlightCount &-= 1
        guard !isClosed else { return }
        let tag = WriteTag(bits: tag)
        switch end {
        case .durable:
            replyVoid(tag.stream)
            noteAnswer(.write, tag)
        case .failed(let failure): answer(StorageFailure.cqlError(failure), tag.stream, .write)
        case .timedOut: answer(tag.timeout, tag.stream, .write)
        }
        scheduleFlush()
    }

    /// A write of the hot path that other nodes take part in has been acknowledged at its level, or can not be.
    package func coordinatedWriteEnded(_ tag: UInt64, _ failure: (any Error)?) {
        inFlightCount &-= 1
        guard !isClosed else { return }
        let tag = WriteTag(bits: tag)
        if let failure {
            answer(executor.clientError(failure), tag.stream, .write)
        } else {
            replyVoid(tag.stream)
            noteAnswer(.write, tag)
        }
        scheduleFlush()
    }

    /// The other replicas of a row of the hot path have said whether they have the same.
    package func rowReadEnded(_ read: RowRead, _ end: RowReadEnd) {
        inFlightCount &-= 1
        guard !isClosed else { return }
        let tag = WriteTag(bits: read.tag)
        switch end {
        case .agreed:
            frames.begin(.result, stream: tag.stream, into: &output)
            read.reply.withUnsafeBytes { output.write($0) }
            frames.end(in: &output)
            noteAnswer(.read, tag)
        case .unsettled:
            let body: [UInt8] = read.request.withUnsafeBytes { [UInt8]($0) }
            return runCold(
                FrameHeader(
                    version: version, flags: [], stream: tag.stream, opcode: .execute, bodyByteCount: body.count), body)
        case .timedOut(let received, let required):
            answer(
                .readTimeout(tag.consistency, received: received, required: required, isDataPresent: true), tag.stream,
                .read)
        }
        scheduleFlush()
    }

    static let overloaded = CQLError.overloaded(
        message: "Server is in overloaded state. Cannot accept more requests at this point")

    /// Runs a request as a task. Its bytes count as in flight until it is answered.
    ///
    /// - Parameter isDrawn: whether it is traced although its client has not asked for that.
    func runCold(_ header: FrameHeader, _ body: [UInt8], isDrawn: Bool = false) {
        if startup.throwsOnOverload, isFull { return fail(header.stream, Session.overloaded) }
        begin(body.count)
        let latest = Deadline(limits.queueTimeout, executor.host.time)
        let request: RunningRequest = sessions.arrived()
        executor.host.background.run("request", on: executor.loop) { [self] in
            let answer: Answer
            do {
                if latest.hasPassed(executor.host.time) { throw Session.tooOld }
                request.beganNanoseconds = executor.host.time.monotonicNanoseconds
                answer = .result(try await RequestRun(self, header, body, request, isDrawn: isDrawn).answer())
            } catch { answer = .failure(StorageFailure.cqlError(error)) }
            sessions.ended(request)
            end(body.count)
            finish(header.stream, answer)
        }
        pauseIfFull()
    }

    static let tooOld = CQLError.overloaded(message: "The request waited too long for its turn and was not begun")

    enum Answer {
        case result(Reply)
        case failure(CQLError)
    }

    func finish(_ stream: Int16, _ answer: Answer) {
        guard !isClosed else { return }
        switch answer {
        case .failure(let error): self.answer(error, stream)
        case .result(let reply):
            frames.begin(.result, stream: stream, prefix: reply.prefix, into: &output)
            reply.write(to: &output, version: version)
            frames.end(in: &output)
            if case .setKeyspace(let name) = reply.body { keyspace = name }
            sessions.note(self)
        }
        scheduleFlush()
    }

    private func reply(_ opcode: Opcode, _ stream: Int16, _ write: (inout ByteWriter) -> Void) {
        frames.begin(opcode, stream: stream, into: &output)
        write(&output)
        frames.end(in: &output)
    }

    private func fail(_ stream: Int16, _ error: any Error) {
        answer(StorageFailure.cqlError(error), stream)
        scheduleFlush()
    }

    func answer(_ failure: CQLError, _ stream: Int16) {
        frames.writeError(failure, stream: stream, into: &output)
        sessions.note(failure)
    }

    /// As above, for a request of the hot path, which is counted.
    func answer(_ failure: CQLError, _ stream: Int16, _ kind: RequestKind) {
        noteMishap(failure, kind)
        answer(failure, stream)
    }

    private func noteMishap(_ failure: CQLError, _ kind: RequestKind) {
        if let mishap = RequestStatistics.Mishap(failure) { executor.requests.note(mishap, kind) }
    }

    /// Counts a request of the hot path that has been answered, and how long that took.
    ///
    /// Hot: one look at the clock for each request.
    func noteAnswer(_ kind: RequestKind, _ tag: WriteTag) {
        let now: UInt64 = executor.host.time.monotonicNanoseconds
        executor.requests.noteStatement(isPrepared: true)
        executor.requests.note(
            kind, level: Int(tag.consistency.rawValue), slot: tag.slot, nanoseconds: tag.elapsedNanoseconds(now))
        clockNanoseconds = now
    }

    /// Tells the client of an event that it registered for.
    func tell(_ event: Event) {
        guard !isClosed, isStarted, events.contains(event.type) else { return }
        frames.writeEvent(event, into: &output)
        scheduleFlush()
    }
}
