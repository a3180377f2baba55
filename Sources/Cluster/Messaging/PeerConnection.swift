import Environment
import Primitives

/// One connection between two nodes, as its loop sees it: the greeting, then frames in, messages to whom they are for.
///
///     bytes ─▶ greeting ─▶ FrameReader ─▶ messages ─▶ ShardMessages ─▶ handlers, or who waits for the answer
///
/// What goes out is written by its link. Damaged bytes end this connection and nothing else. Confined to its loop;
/// `Sendable` is unchecked for that reason.
final class PeerConnection: ConnectionHandler, @unchecked Sendable {
    private enum Phase {
        /// Waits for a greeting, or for the answer to ours.
        case greeting
        case open
        case ended
    }

    private let shard: ShardMessages
    /// The link that called; of an accepted connection the one that was made for it, once it has said whose it is.
    private(set) var link: PeerLink?
    private let isCaller: Bool
    private let attempt: UInt32
    private(set) var connection: (any Connection)?
    private var phase: Phase = .greeting
    private var frames = FrameReader(frameByteCount: 0)
    private var isPaused = false
    /// How much of the frame at the front has been handled, when reading stopped inside of it.
    private var handledOffset = 0
    private var timer: (any LoopTimer)?

    init(_ shard: ShardMessages, calling link: PeerLink, attempt: UInt32) {
        self.shard = shard
        self.link = link
        self.isCaller = true
        self.attempt = attempt
    }

    init(accepting shard: ShardMessages) {
        self.shard = shard
        self.isCaller = false
        self.attempt = 0
    }

    // MARK: Connection

    func opened(_ connection: any Connection) {
        self.connection = connection
        let settings: MessageSettings = shard.context.settings
        if isCaller {
            guard let link, link.attempt == attempt, link.state == .connecting else { return close() }
            var greeting = ByteWriter(capacity: 512)
            shard.hello(to: link).write(to: &greeting)
            connection.send(&greeting)
        } else {
            guard shard.admit(self) else { return close() }
        }
        let patience: Duration = isCaller ? settings.connectTimeout : settings.helloTimeout
        timer = shard.loop.schedule(after: patience) { [self] in
            if phase == .greeting { breakOff() }
        }
    }

    func received(_ bytes: UnsafeRawBufferPointer) -> Int {
        var used = 0
        if phase == .greeting {
            shard.beginReading()
            used = greet(bytes)
        }
        guard phase == .open else { return phase == .ended ? bytes.count : used }
        shard.beginReading()
        while phase == .open, !isPaused {
            switch frames.next(UnsafeRawBufferPointer(rebasing: bytes[used...])) {
            case .needMore: return used
            case .frame(let payload, let consumed):
                if let fault = handle(payload) {
                    malformed(fault)
                    return bytes.count
                }
                // The rest of the frame is for later: it stays in the buffer.
                guard handledOffset == 0 else { return used }
                used += consumed
            case .malformed(let fault):
                malformed(fault)
                return bytes.count
            }
        }
        return phase == .ended ? bytes.count : used
    }

    func receiveCompleted() {
        shard.endReading()
    }

    func drained() {
        if let link, link.isCongested { link.release() }
        controlFlow()
    }

    func closed(_ error: NetworkError?) {
        timer?.cancel()
        if case .insecure(let fault) = error, let address = connection?.remoteAddress {
            shard.context.callbacks.event(.insecure(address, fault))
        }
        connection = nil
        if !isCaller { shard.forget(self) }
        let wasEnded: Bool = phase == .ended
        phase = .ended
        shard.readingStopped()
        if !wasEnded { tellLink() }
        link = nil
    }

    /// Ends the connection without telling its link.
    func close() {
        phase = .ended
        timer?.cancel()
        shard.readingStopped()
        connection?.close()
    }

    /// Ends the connection because it is of no use.
    private func breakOff() {
        close()
        tellLink()
    }

    private func tellLink() {
        guard let link else { return }
        if isCaller {
            guard link.attempt == attempt, link.wire === self || link.state == .connecting else { return }
        } else {
            guard link.wire === self else { return }
        }
        link.ended()
    }

    private func malformed(_ fault: FrameFault) {
        if let link { link.traffic.counts.malformed &+= 1 }
        if let address = connection?.remoteAddress { shard.context.callbacks.event(.malformed(address, fault)) }
        breakOff()
    }

    /// Stops reading requests from a node that does not take its answers, or sends more than is carried out. A
    /// connection that brings answers is always read: they take no room, and two nodes that waited for each other would
    /// wait for ever.
    func controlFlow() {
        guard !isCaller, let link, let connection else { return }
        let limit: Int = shard.context.settings.handledByteCountPerConnection
        let isFull: Bool = link.isCongested || link.handledByteCount > limit
        if isFull, !isPaused {
            isPaused = true
            connection.pauseReading()
        } else if isPaused, !isFull, link.handledByteCount <= limit / 2 {
            isPaused = false
            connection.resumeReading()
        }
    }

    /// Sends the answers that one read has brought about before it goes on, when they are many.
    private func pauseUntilSent(_ link: PeerLink) {
        guard let connection, !isPaused else { return }
        isPaused = true
        connection.pauseReading()
        link.sendAndSettle()
    }

    // MARK: Greeting

    /// Reads the greeting or its answer; returns how much of the bytes it was.
    private func greet(_ bytes: UnsafeRawBufferPointer) -> Int {
        if isCaller {
            switch HandshakeAnswer.read(bytes) {
            case .needMore: return 0
            case .malformed: breakOff()
            case .complete(let answer, let consumed):
                take(answer)
                return consumed
            }
        } else {
            switch Hello.read(bytes) {
            case .needMore: return 0
            case .malformed: breakOff()
            case .complete(let hello, let consumed):
                take(hello)
                return consumed
            }
        }
        return bytes.count
    }

    private func take(_ answer: HandshakeAnswer) {
        guard let link, link.attempt == attempt, link.state == .connecting else { return close() }
        let refusal: HandshakeRefusal
        switch answer {
        case .welcome(let welcome):
            if let reason = shard.context.identity.judge(welcome, wanted: link.peer) {
                refusal = reason
            } else {
                open(link.limits)
                shard.saw(welcome.epoch, of: welcome.node)
                return link.opened(self, welcome)
            }
        case .refusal(let reason): refusal = reason
        }
        close()
        link.refused(refusal)
    }

    private func take(_ hello: Hello) {
        let answer: HandshakeAnswer = shard.answer(to: hello)
        var bytes = ByteWriter(capacity: 512)
        answer.write(to: &bytes)
        connection?.send(&bytes)
        guard phase == .greeting else { return }  // sending has shown that the connection is gone
        switch answer {
        case .welcome:
            let link: PeerLink = shard.makeAccepted(hello, self)
            self.link = link
            open(link.limits)
            shard.saw(hello.epoch, of: hello.sender)
            shard.context.callbacks.event(.opened(hello.sender, hello.lane))
        case .refusal(let refusal):
            if let address = connection?.remoteAddress { shard.context.callbacks.event(.refused(address, refusal)) }
            close()
        }
    }

    private func open(_ limits: LaneLimits) {
        phase = .open
        frames = FrameReader(frameByteCount: limits.frameByteCount)
        timer?.cancel()
        timer = nil
    }

    // MARK: Messages

    /// Hands over the messages of a frame, or as many of them as there is room for the answers.
    ///
    /// Hot: once per frame.
    private func handle(_ payload: UnsafeRawBufferPointer) -> FrameFault? {
        guard let link else { return nil }
        var offset: Int = handledOffset
        handledOffset = 0
        var latestClock: Int64 = .min
        while offset < payload.count {
            guard let header = MessageHeader(payload, at: offset) else { return .damagedMessage }
            if isCaller, !header.isResponse { return .unexpectedRequest }
            let end: Int = offset &+ header.messageByteCount
            let body = UnsafeRawBufferPointer(rebasing: payload[(offset &+ MessageHeader.byteCount)..<end])
            if header.epoch > shard.turnEpoch { shard.saw(header.epoch, of: link.peer) }
            latestClock = max(latestClock, header.clock)
            shard.dispatch(header, body, link)
            guard phase == .open else { return nil }
            offset = end
            if !isCaller, link.output.count > link.limits.unsentByteCount { pauseUntilSent(link) }
            if isPaused, offset < payload.count {
                handledOffset = offset
                break
            }
        }
        shard.context.callbacks.clockSeen(latestClock)
        return nil
    }
}
