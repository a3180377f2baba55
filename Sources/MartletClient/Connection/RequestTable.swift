import CQL
import Environment
import Primitives

/// An answer that was copied out of the read buffer.
struct Reply: Sendable {
    let header: FrameHeader
    let body: [UInt8]
}

/// One request that somebody awaits.
///
/// `Sendable` is unchecked because it is touched on the connection's loop only.
final class PendingRequest: @unchecked Sendable {
    private var continuation: UnsafeContinuation<Result<Reply, any Error>, Never>?
    private var timer: (any LoopTimer)?
    private var early: Result<Reply, any Error>?

    func start(_ continuation: UnsafeContinuation<Result<Reply, any Error>, Never>) -> Bool {
        if let early {
            continuation.resume(returning: early)
            return false
        }
        self.continuation = continuation
        return true
    }

    func limit(_ timer: any LoopTimer) {
        self.timer = timer
    }

    /// Hands over the outcome; only the first counts.
    func finish(_ outcome: Result<Reply, any Error>) {
        guard early == nil else { return }
        early = outcome
        timer?.cancel()
        timer = nil
        continuation?.resume(returning: outcome)
        continuation = nil
    }
}

/// Knows which awaited request waits on which stream of a connection.
///
/// A request that was given up keeps its stream until its answer comes, since the answer could not be told from that to
/// a later request.
///
/// `Sendable` is unchecked because it is touched on the connection's loop only.
final class RequestTable: ResponseHandler, @unchecked Sendable {
    private let pipeline: PipelinedConnection
    private let onEvent: (@Sendable (Event) -> Void)?
    private let onClose: @Sendable () -> Void
    private var pending: [PendingRequest?] = []
    private var isFlushPlanned = false

    init(
        pipeline: PipelinedConnection, onEvent: (@Sendable (Event) -> Void)?, onClose: @escaping @Sendable () -> Void
    ) {
        self.pipeline = pipeline
        self.onEvent = onEvent
        self.onClose = onClose
    }

    /// Sends a request; it leaves together with those that other tasks send in the same turn of the loop.
    func send(
        _ request: PendingRequest, _ opcode: Opcode, flags: FrameFlags, timeout: Duration,
        writeBody: (inout ByteWriter, ProtocolVersion) -> Void
    ) {
        guard let stream = pipeline.send(opcode, flags: flags, writeBody: writeBody) else {
            let reason: ClientError =
                pipeline.isOpen ? .tooManyRequests(limit: pipeline.inFlightLimit) : .connectionClosed(nil)
            return request.finish(.failure(reason))
        }
        while pending.count <= Int(stream) { pending.append(nil) }
        pending[Int(stream)] = request
        let timer: any LoopTimer = pipeline.loop.schedule(after: timeout) {
            request.finish(.failure(ClientError.timedOut(timeout)))
        }
        request.limit(timer)
        planFlush()
    }

    private func planFlush() {
        if isFlushPlanned { return }
        isFlushPlanned = true
        pipeline.loop.execute { [self] in
            isFlushPlanned = false
            pipeline.flush()
        }
    }

    func completed(_ stream: Int16, _ envelope: Envelope) {
        guard Int(stream) < pending.count, let request = pending[Int(stream)] else { return }
        pending[Int(stream)] = nil
        request.finish(.success(Reply(header: envelope.header, body: [UInt8](envelope.body))))
    }

    func pushed(_ envelope: Envelope) {
        // An event that we cannot read is one of a newer protocol, and nobody registered for it.
        guard let onEvent, let decoded = try? Response.decode(envelope.header, envelope.body.bytes),
            case .event(let event) = decoded.response
        else { return }
        onEvent(event)
    }

    func closed(_ error: ClientError) {
        let left: [PendingRequest?] = pending
        pending = []
        for request in left { request?.finish(.failure(error)) }
        onClose()
    }
}
