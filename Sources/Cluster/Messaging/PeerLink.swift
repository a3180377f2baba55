import Environment
public import Primitives

/// The way from one loop of this node to another node, over one lane: what a message is written into.
///
///     begin ─▶ the body into `output` ─▶ end ─▶ … ─▶ one frame and one send for each turn of the loop
///
/// A link that this node began connects when it is first used, and again when it is used after its connection has
/// broken; it lives as long as the node, so it may be kept. One that was accepted carries answers, and ends with its
/// connection. Messages wait in `output`, outside of any frame, while the connection is not up or the peer is slow, so
/// that they can expire.
///
/// Confined to its loop; `Sendable` is unchecked for that reason.
///
/// Hot: for every message. Nothing is allocated when it is warm.
public final class PeerLink: @unchecked Sendable {
    enum Role {
        case outgoing
        /// To an address; who is there shows when it answers. For one request.
        case addressed
        case accepted
        /// To this node itself: nothing leaves the loop.
        case local
    }

    enum State {
        case idle, connecting, open, closed
    }

    /// Who is at the other end; `.none` while nobody knows.
    public internal(set) var peer: NodeID
    public let lane: Lane
    /// Where the body of a message is written, between `begin` and `end`.
    public var output = ByteWriter(capacity: 1_024)

    let shard: ShardMessages
    let role: Role
    let limits: LaneLimits
    let traffic: TrafficCounter
    /// The place among the links of the loop, and a number that no other link of it has.
    let index: Int32
    let serial: UInt32
    var state: State = .idle
    var address: SocketAddress?
    var wire: PeerConnection?
    var compresses = false
    /// Whether the connection has as much unsent as it may.
    var isCongested = false
    /// Bytes of requests from here that asynchronous handlers work on.
    var handledByteCount = 0

    /// The deadlines of the messages in `output`, while none of them is in a frame.
    var waiting: ContiguousArray<UInt64> = []
    var earliestDeadline: UInt64 = .max
    private var messageStart = -1
    private var frameStart = -1
    private var isDirty = false

    /// Counts attempts to connect, so that what a former one does late is not taken for this one's.
    var attempt: UInt32 = 0
    var failureCount = 0
    var retryAtNanoseconds: UInt64 = 0
    var openedAtNanoseconds: UInt64 = 0

    init(
        _ shard: ShardMessages, _ role: Role, peer: NodeID, lane: Lane, address: SocketAddress?, index: Int32,
        serial: UInt32
    ) {
        self.shard = shard
        self.role = role
        self.peer = peer
        self.lane = lane
        self.address = address
        self.limits = shard.context.settings.limits(of: lane)
        self.traffic = shard.traffic(of: peer, lane)
        self.index = index
        self.serial = serial
    }

    // MARK: Writing messages

    /// Begins a request. When the outcome is `.ready` the body is to be written into `output`, then `end` called; the
    /// receiver hears of the request once, later. Otherwise nothing has happened, and it does not.
    ///
    /// A request to several nodes has one slot for each: the same receiver, and a tag that it understands.
    ///
    /// - Parameter placement: the epoch of the placement that the request was planned by; 0 for what follows from none.
    ///   Who knows that data has moved since then refuses it.
    public func begin(
        _ verb: Verb, for receiver: any ReplyReceiver, tag: UInt64, timeoutMilliseconds: UInt32, placement: UInt64 = 0
    ) -> SendOutcome {
        let outcome: SendOutcome = admit()
        guard outcome == .ready else { return outcome }
        let now: UInt64 = shard.now
        let deadline: UInt64 = now &+ UInt64(timeoutMilliseconds) &* 1_000_000
        let id: UInt64 = shard.requests.add(receiver, tag: tag, link: index, now: now, deadline: deadline)
        guard id != 0 else {
            traffic.counts.overloadedOutgoing &+= 1
            return .overloaded
        }
        shard.awaitDeadline(deadline)
        start(verb.rawValue, 0, id, timeoutMilliseconds, deadline, placement: placement)
        return .ready
    }

    /// Takes a slot for an answer to another request than the one that was begun last: to one that its receiver makes of
    /// what the message says. The message carries the id that is returned, and whoever answers it does so over this link
    /// (`ReplyPlace.forRequest`). 0, and the receiver hears nothing, when more waits than may wait.
    public func expectAnswer(for receiver: any ReplyReceiver, tag: UInt64, timeoutMilliseconds: UInt32) -> UInt64 {
        let now: UInt64 = shard.now
        let deadline: UInt64 = now &+ UInt64(timeoutMilliseconds) &* 1_000_000
        let id: UInt64 = shard.requests.add(receiver, tag: tag, link: index, now: now, deadline: deadline)
        if id == 0 { traffic.counts.overloadedOutgoing &+= 1 } else { shard.awaitDeadline(deadline) }
        return id
    }

    /// Begins a message without an answer, which is dropped when it has not been read after `timeoutMilliseconds`.
    public func begin(_ verb: Verb, timeoutMilliseconds: UInt32 = 10_000) -> SendOutcome {
        let outcome: SendOutcome = admit()
        guard outcome == .ready else { return outcome }
        start(verb.rawValue, 0, 0, timeoutMilliseconds, shard.now &+ UInt64(timeoutMilliseconds) &* 1_000_000)
        return .ready
    }

    /// Begins the answer to a request; false when it cannot be sent.
    func beginAnswer(_ place: ReplyPlace, _ flags: UInt8) -> Bool {
        guard admit() == .ready else { return false }
        start(place.verbNumber, flags, place.id, 0, place.deadlineNanoseconds)
        return true
    }

    /// Cold: says of the request that was begun that it is part of a trace.
    func markTraced(_ session: UUID) {
        output.overwrite(MessageHeader.traced, at: messageStart + MessageHeader.flagsOffset)
        output.write(session.high)
        output.write(session.low)
    }

    /// Ends the message: it leaves with the others of this turn of the loop, a large one over the bulk lane. Until then no
    /// other message to the same node may be begun on that lane or this one.
    public func end() {
        require(messageStart >= 0, "a message is begun before it is ended")
        let byteCount: Int = MessageHeader.end(in: &output, from: messageStart)
        let isLarge: Bool = byteCount > MessageSettings.largeByteCount
        if isLarge, sendAnotherWay(byteCount) { return }
        messageStart = -1
        traffic.counts.sentMessages &+= 1
        traffic.counts.sentBytes &+= UInt64(byteCount)
        if frameStart >= 0, output.count &- frameStart >= MessageFrame.fullByteCount { endFrame() }
        if !isDirty, state != .connecting {
            isDirty = true
            shard.markDirty(self)
        }
    }

    /// Takes a message back that was begun. Its receiver hears nothing.
    public func abandon() {
        require(messageStart >= 0, "a message is begun before it is abandoned")
        let id: UInt64 = messageID
        if !isAnswer { _ = shard.requests.take(id) }
        dropMessage()
    }

    /// Whether the peer can take a message now.
    private func admit() -> SendOutcome {
        require(messageStart < 0, "a message is ended before the next begins")
        switch state {
        case .open, .connecting: break
        case .closed: return shard.isStopped ? .closed : .unreachable
        case .idle:
            guard address != nil, shard.now >= retryAtNanoseconds else {
                traffic.counts.undelivered &+= 1
                return .unreachable
            }
            connect()
        }
        guard output.count >= limits.waitingByteCount else { return .ready }
        if isWaiting, earliestDeadline <= shard.now { dropExpired() }
        guard output.count >= limits.waitingByteCount else { return .ready }
        traffic.counts.overloadedOutgoing &+= 1
        return .overloaded
    }

    /// Whether messages stay in the link for now.
    var isWaiting: Bool { isCongested || state == .connecting }

    private func start(
        _ verbNumber: UInt8, _ flags: UInt8, _ id: UInt64, _ timeoutMilliseconds: UInt32, _ deadline: UInt64,
        placement: UInt64 = 0
    ) {
        if isWaiting {
            waiting.append(deadline)
            if deadline < earliestDeadline { earliestDeadline = deadline }
        } else if frameStart < 0, role != .local {
            frameStart = MessageFrame.begin(in: &output)
        }
        messageStart = output.count
        let header = MessageHeader(
            verbNumber: verbNumber, flags: flags, id: id, epoch: placement == 0 ? shard.turnEpoch : placement,
            clock: shard.turnClock, timeoutMilliseconds: timeoutMilliseconds)
        header.begin(in: &output)
    }

    private var messageID: UInt64 {
        output.withUnsafeBytes { bytes in
            UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: messageStart + 8, as: UInt64.self))
        }
    }

    private var isAnswer: Bool {
        output.withUnsafeBytes { $0[messageStart + 5] } & MessageHeader.response != 0
    }

    private func dropMessage() {
        output.truncate(to: messageStart)
        messageStart = -1
        if isWaiting {
            waiting.removeLast()
        } else if frameStart >= 0, output.count == frameStart + MessageFrame.headerByteCount {
            output.truncate(to: frameStart)
            frameStart = -1
        }
    }

    /// Cold: sends a message that is too large for its lane over the bulk lane, or fails it when it is too large for
    /// that. False when it may go as it is.
    private func sendAnotherWay(_ byteCount: Int) -> Bool {
        if role == .local { return false }
        let isAnswer: Bool = self.isAnswer
        // An answer goes back on its request's connection as long as it fits.
        let isFit: Bool = byteCount <= limits.messageByteCount
        if isFit, isAnswer || lane == .bulk { return false }
        let id: UInt64 = messageID
        let message: [UInt8] = output.withUnsafeBytes { [UInt8]($0[messageStart...]) }
        dropMessage()
        let bulkLimit: Int = shard.context.settings.bulk.messageByteCount
        if byteCount <= bulkLimit, lane != .bulk, role != .addressed {
            shard.sendBulk(message, id, isAnswer: isAnswer, from: self)
        } else {
            shard.failLater(
                id, isAnswer: isAnswer, self,
                .refused(
                    peer, code: TransportFailure.tooLarge,
                    reason: "A message of \(byteCount) bytes is larger than the limit of \(bulkLimit)"))
        }
        return true
    }

    /// Takes a whole message that was written elsewhere.
    func adopt(_ message: [UInt8], deadline: UInt64) -> SendOutcome {
        let outcome: SendOutcome = admit()
        guard outcome == .ready else { return outcome }
        if isWaiting {
            waiting.append(deadline)
            earliestDeadline = min(earliestDeadline, deadline)
        } else if frameStart < 0 {
            frameStart = MessageFrame.begin(in: &output)
        }
        messageStart = output.count
        output.write(message)
        end()
        return .ready
    }

    // MARK: Sending

    /// Sends what this turn of the loop has written.
    func flush() {
        isDirty = false
        guard state == .open else { return }
        if role == .local { return shard.deliverLocally(self) }
        guard let connection = wire?.connection else { return }
        if isCongested {
            guard connection.unsentByteCount <= limits.unsentByteCount else { return }
            release()
            wire?.controlFlow()
            return
        }
        send()
    }

    /// Sends the frames of `output`.
    func send() {
        guard let unsent = sendFrames(), unsent > limits.unsentByteCount else { return }
        settle()
    }

    /// Sends the frames of `output`, and looks soon whether they have left.
    func sendAndSettle() {
        if !isWaiting { _ = sendFrames() }
        settle()
    }

    /// While a connection is being read it leaves what it is given for the end: only then it shows what stays.
    private func settle() {
        shard.loop.execute { [self] in noteCongestion() }
    }

    private func noteCongestion() {
        guard state == .open, !isCongested else { return }
        // What this turn has written is in a frame already.
        let unsent: Int = sendFrames() ?? wire?.connection?.unsentByteCount ?? 0
        guard state == .open else { return }
        isCongested = unsent > limits.unsentByteCount
        wire?.controlFlow()
    }

    /// Gives the connection what is written; returns how much of it and of what was before has not left, or nil when
    /// there is nothing to give.
    private func sendFrames() -> Int? {
        guard let wire, let connection = wire.connection, !output.isEmpty else { return nil }
        if frameStart >= 0 { endFrame() }
        // The connection may end inside of the call, and this link with it.
        swap(&output, &shard.sending)
        connection.send(&shard.sending)
        shard.sending.removeAll(keepingAtMost: MessageSettings.keptByteCount)
        return self.wire === wire ? connection.unsentByteCount : nil
    }

    func beginFrame() {
        if frameStart < 0 { frameStart = MessageFrame.begin(in: &output) }
    }

    func endFrame() {
        MessageFrame.end(in: &output, from: frameStart, compressing: compresses, scratch: &shard.scratch)
        frameStart = -1
    }

    var isFrameFull: Bool { frameStart >= 0 && output.count &- frameStart >= MessageFrame.fullByteCount }

    /// Forgets everything that is written.
    func clearOutput() {
        output.removeAll(keepingAtMost: MessageSettings.keptByteCount)
        waiting.removeAll(keepingCapacity: true)
        earliestDeadline = .max
        messageStart = -1
        frameStart = -1
        isCongested = false
    }
}
