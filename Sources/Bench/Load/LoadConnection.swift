import CQL
import Environment
import MartletClient
import Primitives

/// What one connection is to send, and how far it is.
///
/// A class, so that the hot path copies one reference and not all the parts. `Sendable` is unchecked because whoever
/// makes it hands it over to the connection's loop.
final class ConnectionLoad: @unchecked Sendable {
    let read: ExecuteTemplate
    let write: ExecuteTemplate
    let values: ValueSource
    /// Requests that may be under way at once.
    let inFlight: Int
    var sequence: RequestSequence
    /// Requests to send; `Int.max` until it is stopped.
    var remainingCount: Int
    /// Nil to send the next request when one is answered.
    var pace: Pace?

    init(
        read: ExecuteTemplate, write: ExecuteTemplate, values: ValueSource, sequence: RequestSequence, inFlight: Int,
        remainingCount: Int, pace: Pace?
    ) {
        self.read = read
        self.write = write
        self.values = values
        self.sequence = sequence
        self.inFlight = inFlight
        self.remainingCount = remainingCount
        self.pace = pace
    }
}

/// Keeps one pipelined connection busy.
///
///     answer ─▶ completed: record its latency, send what may be sent now ─▶ … ─▶ one send for each read
///
/// Hot: everything between `completed` and the next request is synchronous on the loop; no task, closure or allocation
/// for a request, except a timer when it is paced and nothing is due.
///
/// `Sendable` is unchecked because it is touched on the connection's loop only.
final class LoadConnection: ResponseHandler, @unchecked Sendable {
    private struct Slot {
        var sinceNanoseconds: UInt64
        var isRead: Bool
    }

    private let pipeline: PipelinedConnection
    private let meter: LoadMeter
    private let time: any TimeSource
    private var load: ConnectionLoad?
    private var slots: [Slot] = []
    private var isStopping = false
    private var isWakePlanned = false
    private var onEnd: (@Sendable (_ backlog: Int) -> Void)?
    private var backlog = 0
    private var failure: ClientError?

    init(_ pipeline: PipelinedConnection, meter: LoadMeter, time: any TimeSource) {
        self.pipeline = pipeline
        self.meter = meter
        self.time = time
    }

    /// Starts sending. `onEnd` is called once: when everything is sent and answered, or the connection has ended.
    func start(_ load: ConnectionLoad, onEnd: @escaping @Sendable (_ backlog: Int) -> Void) {
        self.load = load
        self.onEnd = onEnd
        isStopping = false
        backlog = 0
        if let failure {
            meter.noteError(failure.description)
            return end()
        }
        advance(time.monotonicNanoseconds)
        pipeline.flush()
        endIfDone()
    }

    /// Sends nothing more; the end comes with the last answer.
    func stop() {
        guard load != nil, !isStopping else { return }
        isStopping = true
        backlog = load?.pace?.backlog(at: time.monotonicNanoseconds) ?? 0
        endIfDone()
    }

    /// Gives up on the answers that have not come.
    func abandon() {
        guard load != nil else { return }
        meter.noteError("no answer came", count: pipeline.inFlightCount)
        end()
    }

    func close() {
        pipeline.close()
    }

    // MARK: The connection's calls

    func completed(_ stream: Int16, _ envelope: Envelope) {
        let index = Int(stream)
        guard load != nil, index < slots.count else { return }
        let now: UInt64 = time.monotonicNanoseconds
        let slot: Slot = slots[index]
        if envelope.header.opcode == .result {
            meter.counts.record(now > slot.sinceNanoseconds ? now &- slot.sinceNanoseconds : 0)
            if slot.isRead, LoadConnection.isEmpty(envelope.body) { meter.counts.missingCount &+= 1 }
        } else {
            meter.noteError(envelope)
        }
        advance(now)
        endIfDone()
    }

    func closed(_ error: ClientError) {
        failure = error
        guard load != nil else { return }
        meter.noteError(error.description, count: max(1, pipeline.inFlightCount))
        end()
    }

    /// Whether a result holds no row: kind, flags, column count and row count stand in front when the column
    /// specifications are left out, as is asked for (protocol specification, section 4.2.5.2).
    static func isEmpty(_ body: UnsafeRawBufferPointer) -> Bool {
        guard body.count >= 16 else { return false }
        let flags = UInt32(bigEndian: body.loadUnaligned(fromByteOffset: 4, as: UInt32.self))
        let isBare: Bool = flags & 0x0E == 0x04
        return isBare && body.loadUnaligned(fromByteOffset: 12, as: UInt32.self) == 0
    }

    // MARK: Sending

    /// Sends what may be sent now.
    private func advance(_ now: UInt64) {
        guard let load, !isStopping else { return }
        while load.remainingCount > 0, pipeline.inFlightCount < load.inFlight {
            var since: UInt64 = now
            if load.pace != nil {
                guard let due = load.pace?.take(at: now) else { return planWake(now) }
                since = due
            }
            let choice: RequestSequence.Choice = load.sequence.next()
            guard let stream = write(choice, of: load) else { return }
            load.remainingCount &-= 1
            note(Slot(sinceNanoseconds: since, isRead: choice.isRead), at: Int(stream))
        }
    }

    private func note(_ slot: Slot, at index: Int) {
        if index < slots.count {
            slots[index] = slot
        } else {
            while slots.count < index { slots.append(Slot(sinceNanoseconds: 0, isRead: false)) }
            slots.append(slot)
        }
    }

    private func write(_ choice: RequestSequence.Choice, of load: ConnectionLoad) -> Int16? {
        if choice.isRead {
            return pipeline.execute(load.read) { writer in load.values.writeKey(choice.row, to: &writer) }
        }
        return pipeline.execute(load.write) { writer in
            load.values.writeKey(choice.row, to: &writer)
            load.values.writeColumns(choice.noise, to: &writer)
        }
    }

    private func planWake(_ now: UInt64) {
        guard !isWakePlanned, let due = load?.pace?.nextNanoseconds else { return }
        isWakePlanned = true
        let delay: UInt64 = due > now ? due &- now : 0
        _ = pipeline.loop.schedule(after: .nanoseconds(Int64(clamping: delay))) { [weak self] in self?.wake() }
    }

    private func wake() {
        isWakePlanned = false
        guard load != nil else { return }
        advance(time.monotonicNanoseconds)
        pipeline.flush()
        endIfDone()
    }

    private func endIfDone() {
        guard pipeline.inFlightCount == 0, isStopping || load?.remainingCount == 0 else { return }
        end()
    }

    private func end() {
        guard load != nil else { return }
        load = nil
        let tell: (@Sendable (Int) -> Void)? = onEnd
        onEnd = nil
        tell?(backlog)
    }
}

extension LoadMeter {
    fileprivate func noteError(_ words: String, count: Int = 1) {
        counts.noteError(words, count: count)
    }

    /// Cold: an answer that is not a result.
    fileprivate func noteError(_ envelope: Envelope) {
        let decoded = try? Response.decode(envelope.header, envelope.body.bytes)
        guard case .error(let error) = decoded?.response else {
            return counts.noteError("an answer that is no result: \(envelope.header.opcode.name)")
        }
        counts.noteError(error.message)
    }
}
