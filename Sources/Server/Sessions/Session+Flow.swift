import CQL
import DataModel
import Environment
import Logging
import Primitives
import Query

/// What a session sends when, and when it stops taking more from its client.
extension Session {
    /// Sends what has been written since the last time.
    func flush() {
        guard !output.isEmpty else { return }
        frames.finish(&output)
        connection?.send(&output)
        output.removeAll(keepingAtMost: SessionLimits.keptOutputByteCount)
    }

    /// Sends once the loop has done what is waiting, so that replies that come together leave together.
    func scheduleFlush() {
        guard !isReading, !isFlushScheduled, let connection else { return }
        isFlushScheduled = true
        connection.loop.execute { [weak self] in
            guard let self else { return }
            self.isFlushScheduled = false
            self.flush()
            self.noteActivity()
            self.pauseIfFull()
            self.resumeIfPossible()
        }
    }

    func begin(_ byteCount: Int) {
        inFlightCount += 1
        load?.add(byteCount)
    }

    func end(_ byteCount: Int) {
        inFlightCount -= 1
        load?.add(-byteCount)
    }

    // MARK: Back-pressure

    /// Whether the client, its address or the node has as much under way as it may.
    var isFull: Bool {
        inFlightCount > SessionLimits.streamLimit || load?.isFull ?? false
    }

    /// Whether a client that has not asked for errors instead is slowed down.
    private var mustWait: Bool { isFull && !startup.throwsOnOverload }

    /// Stops reading from a client that sends faster than it is served, or does not take its answers.
    func pauseIfFull() {
        guard !isPaused, !isClosed, let connection else { return }
        guard mustWait || connection.unsentByteCount > limits.unsentByteCount else { return }
        isPaused = true
        connection.pauseReading()
        scheduleRetry()
    }

    /// Takes nothing more from the client: the node stops.
    func pauseForGood() {
        isEnding = true
        guard !isPaused, !isClosed, let connection else { return }
        isPaused = true
        connection.pauseReading()
    }

    /// Reads on when there is room again. Called only when nothing of the client is being worked through.
    func resumeIfPossible() {
        guard isPaused, !isEnding, !isClosed, let connection else { return }
        let isStillFull: Bool = !startup.throwsOnOverload && load?.isStillFull ?? false
        guard !mustWait, !isStillFull, connection.unsentByteCount <= limits.unsentByteCount else {
            return scheduleRetry()
        }
        isPaused = false
        workThroughHeld()
        // Of what the splitter held, something may have filled the room again.
        if !isPaused { connection.resumeReading() }
    }

    /// What fills the room may be another connection's, which tells nobody when it is done: so this one looks again,
    /// unless something of its own will come first.
    private func scheduleRetry() {
        guard !isRetryScheduled, !isEnding, inFlightCount == 0, let connection,
            connection.unsentByteCount <= limits.unsentByteCount
        else { return }
        isRetryScheduled = true
        _ = connection.loop.schedule(after: SessionLimits.retryInterval) { [weak self] in
            guard let self else { return }
            self.isRetryScheduled = false
            self.resumeIfPossible()
        }
    }

    // MARK: Idleness

    func noteActivity() {
        if limits.idleTimeout > .zero { lastActiveNanoseconds = executor.host.time.monotonicNanoseconds }
    }

    /// Closes the connection when nothing has come or left for too long.
    func watchIdleness() {
        guard limits.idleTimeout > .zero else { return }
        noteActivity()
        waitForIdleness(limits.idleTimeout)
    }

    private func waitForIdleness(_ duration: Duration) {
        idleTimer = connection?.loop.schedule(after: duration) { [weak self] in
            guard let self, !self.isClosed else { return }
            let now: UInt64 = self.executor.host.time.monotonicNanoseconds
            let silent = Duration.nanoseconds(Int64(clamping: now &- self.lastActiveNanoseconds))
            // Whoever waits for an answer is not idle, however long that takes.
            if self.inFlightCount > 0 { return self.waitForIdleness(self.limits.idleTimeout) }
            if silent < self.limits.idleTimeout { return self.waitForIdleness(self.limits.idleTimeout - silent) }
            self.sessions.log.debug("A connection was idle for too long and is closed")
            self.close()
        }
    }
}

/// What a write of the hot path is known by while it waits for the log.
struct WriteTag {
    let bits: UInt64

    init(bits: UInt64) {
        self.bits = bits
    }

    /// - Parameters:
    ///   - start: when the request began, on the monotonic clock.
    ///   - slot: where the requests of its table are counted.
    init(stream: Int16, consistency: Consistency, start nanoseconds: UInt64 = 0, slot: Int = 0) {
        let microseconds: UInt64 = nanoseconds / 1_000 & WriteTag.timeMask
        let low = UInt64(consistency.rawValue & 0xFF) << 16 | UInt64(UInt16(bitPattern: stream))
        self.bits = UInt64(truncatingIfNeeded: slot & 0xFFF) << 52 | microseconds << 24 | low
    }

    /// Four minutes, in microseconds: longer than any request.
    private static let timeMask: UInt64 = (1 << 28) - 1

    var slot: Int { Int(truncatingIfNeeded: bits >> 52) }

    /// How long ago the request began.
    func elapsedNanoseconds(_ now: UInt64) -> UInt64 {
        ((now / 1_000) &- (bits >> 24)) & WriteTag.timeMask &* 1_000
    }

    var stream: Int16 { Int16(bitPattern: UInt16(truncatingIfNeeded: bits)) }

    var consistency: Consistency { Consistency(rawValue: UInt16(truncatingIfNeeded: bits >> 16 & 0xFF)) ?? .one }

    var timeout: CQLError {
        .writeTimeout(.simple, consistency, received: 0, required: 1)
    }
}
