import CQL
import Coordination
import DataModel
import Environment
import Primitives
import Query
import Storage

/// A simple prepared statement whose partition another shard has: it goes there and back once.
///
/// `Sendable` is unchecked because it is on one loop at a time: the hops between the loops hand it over.
final class ForwardedRequest: DurabilityWaiter, FastObserver, @unchecked Sendable {
    let session: Session
    let header: FrameHeader
    let version: ProtocolVersion
    let body: [UInt8]
    let statement: PreparedStatement
    let tag: WriteTag
    private var reply = ByteWriter(capacity: 512)
    private var failure: CQLError?
    private var isUnfit = false
    private var consistency: Consistency = .one
    /// Of the shard that has the partition.
    private var executor: ShardExecutor?

    init(_ session: Session, _ header: FrameHeader, _ body: [UInt8], _ statement: PreparedStatement, _ tag: WriteTag) {
        self.tag = tag
        self.session = session
        self.header = header
        self.version = session.version
        self.body = body
        self.statement = statement
    }

    /// Runs on the shard that has the partition.
    func run(on executor: ShardExecutor) {
        self.executor = executor
        do {
            let bytes: [UInt8] = body
            let span = bytes.span.bytes
            let request = try ExecuteRequest(decoding: span, version: version)
            consistency = request.parameters.consistency
            let isChanged: Bool =
                version.hasResultMetadataID && !statement.isResult(span.bytes(of: request.resultMetadataID))
            let outcome: FastOutcome =
                statement.fastRead != nil
                ? try executor.readFast(
                    statement, request.parameters, span, version: version, hasOwnMetadata: isChanged, observer: self,
                    tag: 0, into: &reply)
                : try executor.writeFast(
                    statement, request.parameters, span, version: version, observer: self, tag: 0)
            switch outcome {
            case .replied: goBack()
            case .pending: break
            case .written(let position):
                reply.writeVoidResult()
                if !executor.replica.wait(for: position, self, tag: 0) { goBack() }
            case .elsewhere, .notFast:
                isUnfit = true
                goBack()
            }
        } catch {
            failure = StorageFailure.cqlError(error)
            goBack()
        }
    }

    func writeEnded(_ tag: UInt64, _ end: WriteEnd) {
        switch end {
        case .durable: break
        case .failed(let failure): self.failure = StorageFailure.cqlError(failure)
        case .timedOut: failure = .writeTimeout(.simple, consistency, received: 0, required: 1)
        }
        goBack()
    }

    func coordinatedWriteEnded(_ tag: UInt64, _ failure: (any Error)?) {
        if let failure {
            self.failure = executor?.clientError(failure) ?? StorageFailure.cqlError(failure)
        } else {
            reply.writeVoidResult()
        }
        goBack()
    }

    func rowReadEnded(_ read: RowRead, _ end: RowReadEnd) {
        switch end {
        case .agreed: read.reply.withUnsafeBytes { reply.write($0) }
        case .unsettled: isUnfit = true
        case .timedOut(let received, let required):
            failure = .readTimeout(consistency, received: received, required: required, isDataPresent: true)
        }
        goBack()
    }

    private func goBack() {
        session.executor.loop.execute { [self] in session.take(self) }
    }

    /// Runs on the session's loop.
    func write(to output: inout ByteWriter) {
        reply.withUnsafeBytes { output.write($0) }
    }

    var outcome: (failure: CQLError?, isUnfit: Bool) { (failure, isUnfit) }
}

extension Session {
    func forward(
        _ header: FrameHeader, _ body: [UInt8], _ statement: PreparedStatement, to shard: Int, _ tag: WriteTag
    ) {
        let request = ForwardedRequest(self, header, body, statement, tag)
        begin(body.count)
        let target: ShardExecutor = executor.group.executors[shard]
        target.loop.execute { request.run(on: target) }
        pauseIfFull()
    }

    /// The request is back from the other shard.
    func take(_ request: ForwardedRequest) {
        end(request.body.count)
        guard !isClosed else { return }
        let outcome = request.outcome
        if outcome.isUnfit { return runCold(request.header, request.body) }
        let kind: RequestKind = request.statement.fastRead != nil ? .read : .write
        if let failure = outcome.failure {
            answer(failure, request.header.stream, kind)
        } else {
            noteAnswer(kind, request.tag)
            frames.begin(.result, stream: request.header.stream, into: &output)
            request.write(to: &output)
            frames.end(in: &output)
        }
        scheduleFlush()
    }
}
