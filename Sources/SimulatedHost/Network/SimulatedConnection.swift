import Environment
import Primitives

/// One end of a simulated stream.
///
///     send ─▶ unsent ─(window, cuts)─▶ under way ─(latency)─▶ arrived ─(not paused)─▶ unconsumed ─▶ handler
///
/// `Sendable` is unchecked because a world and all that belongs to it is used by one thread at a time.
final class SimulatedConnection: Connection, @unchecked Sendable {
    let loop: any Loop
    let localAddress: SocketAddress
    let remoteAddress: SocketAddress
    let localMachine: Int
    let remoteMachine: Int
    /// The other end; nil when this one has ended.
    var peer: SimulatedConnection?

    private unowned let world: SimulatedWorld
    private let lane: Lane
    private var handler: (any ConnectionHandler)?
    private var hasEnded = false
    private var isClosing = false
    private var hasSentEnd = false

    private var unsent: [UInt8] = []
    /// How much of the front of `unsent` has left already.
    private var unsentStart = 0
    private var hadUnsent = false
    /// Bytes that have left and that the other side has not read.
    private var windowUsedByteCount = 0
    /// When the last piece arrives at the other side: pieces do not overtake each other.
    private var lastArrivalNanoseconds: UInt64 = 0

    private var arrived: [[UInt8]] = []
    private var unconsumed: [UInt8] = []
    private var isPaused = false
    private var isReading = false
    private var hasOtherSideEnded = false

    init(
        world: SimulatedWorld, loop: any Loop, lane: Lane, localAddress: SocketAddress, remoteAddress: SocketAddress,
        localMachine: Int, remoteMachine: Int
    ) {
        self.world = world
        self.loop = loop
        self.lane = lane
        self.localAddress = localAddress
        self.remoteAddress = remoteAddress
        self.localMachine = localMachine
        self.remoteMachine = remoteMachine
    }

    var unsentByteCount: Int { unsent.count - unsentStart }

    func send(_ bytes: inout ByteWriter) {
        defer { bytes.removeAll() }
        guard !hasEnded, !isClosing, !bytes.isEmpty else { return }
        bytes.withUnsafeBytes { unsent.append(contentsOf: $0) }
        pump()
        if unsentByteCount > 0 { hadUnsent = true }
    }

    func pauseReading() {
        isPaused = true
    }

    func resumeReading() {
        guard isPaused else { return }
        isPaused = false
        world.enqueue(.closure { [self] in read(showsAgain: true) }, on: lane)
    }

    func close() {
        guard !isClosing, !hasEnded else { return }
        isClosing = true
        pump()
    }

    // MARK: What the net uses

    func joins(_ a: Int, _ b: Int) -> Bool {
        (localMachine == a && remoteMachine == b) || (localMachine == b && remoteMachine == a)
    }

    func open(_ handler: any ConnectionHandler) {
        self.handler = handler
        handler.opened(self)
        read()
    }

    /// Puts as much under way as the window takes.
    func pump() {
        guard !hasEnded, let peer, !world.network.isCut(from: localMachine, to: remoteMachine) else { return }
        let link: LinkBehavior = world.network.link(from: localMachine, to: remoteMachine)
        // A window that is nearly full is left to empty, or the stream would go on in ever smaller pieces.
        while unsentByteCount > 0,
            link.windowByteCount - windowUsedByteCount >= min(unsentByteCount, max(1, link.windowByteCount / 4))
        {
            if world.network.generator.chance(link.resetProbability) { return reset() }
            var count: Int = min(unsentByteCount, link.windowByteCount - windowUsedByteCount)
            if world.network.generator.chance(link.splitProbability) {
                count = 1 + world.network.generator.below(count)
            }
            let piece: [UInt8] = takeUnsent(count)
            windowUsedByteCount += count
            deliver(to: peer) { $0.arrive(piece) }
        }
        guard unsentByteCount == 0 else { return }
        if hadUnsent {
            hadUnsent = false
            world.enqueue(.closure { [self] in if !hasEnded { handler?.drained() } }, on: lane)
        }
        if isClosing, !hasSentEnd {
            hasSentEnd = true
            deliver(to: peer) { $0.otherSideEnded() }
            world.enqueue(.closure { [self] in end(nil) }, on: lane)
        }
    }

    private func takeUnsent(_ count: Int) -> [UInt8] {
        if count == unsent.count {
            defer { unsent = [] }
            return unsent
        }
        let piece: [UInt8] = Array(unsent[unsentStart..<(unsentStart + count)])
        unsentStart += count
        // The front is dropped rarely, so that a long queue is not moved for every piece.
        if unsentStart * 2 >= unsent.count {
            unsent.removeFirst(unsentStart)
            unsentStart = 0
        }
        return piece
    }

    /// Breaks the connection now, for both ends.
    func reset() {
        world.record("reset \(localAddress) \(remoteAddress)")
        let other: SimulatedConnection? = peer
        breakHere(afterNanoseconds: 0)
        other?.breakHere(afterNanoseconds: 0)
    }

    /// Breaks this end when the news has had time to travel.
    func resetLater() {
        breakHere(afterNanoseconds: world.network.latencyNanoseconds(from: remoteMachine, to: localMachine))
    }

    /// Ends without a word: the process of this end is gone.
    func vanish() {
        hasEnded = true
        handler = nil
        unsent = []
        unsentStart = 0
        arrived = []
        peer = nil
        world.network.remove(self)
    }

    // MARK: Receiving

    private func deliver(to peer: SimulatedConnection, _ news: @escaping (SimulatedConnection) -> Void) {
        let latency: UInt64 = world.network.latencyNanoseconds(from: localMachine, to: remoteMachine)
        let arrival: UInt64 = max(lastArrivalNanoseconds, world.nowNanoseconds &+ latency)
        lastArrivalNanoseconds = arrival
        _ = world.schedule(afterNanoseconds: arrival - world.nowNanoseconds, on: peer.lane) { news(peer) }
    }

    private func arrive(_ piece: [UInt8]) {
        guard !hasEnded else { return }
        arrived.append(piece)
        read()
    }

    private func otherSideEnded() {
        hasOtherSideEnded = true
        read()
    }

    /// Hands over what has arrived, unless the owner does not want it now.
    ///
    /// - Parameter showsAgain: whether what the owner left is shown even when nothing new has come.
    private func read(showsAgain: Bool = false) {
        guard handler != nil, !isReading, !hasEnded else { return }
        isReading = true
        var readByteCount = 0
        var hasHandedOver = false
        if showsAgain, arrived.isEmpty, !unconsumed.isEmpty, !isPaused, !isClosing {
            hasHandedOver = true
            show()
        }
        while !arrived.isEmpty, !isPaused || isClosing, !hasEnded {
            let piece: [UInt8] = arrived.removeFirst()
            readByteCount += piece.count
            if isClosing { continue }  // nobody wants it any more
            unconsumed.append(contentsOf: piece)
            hasHandedOver = true
            show()
        }
        if hasHandedOver, !hasEnded, !isClosing { handler?.receiveCompleted() }
        isReading = false
        if readByteCount > 0 { acknowledge(readByteCount) }
        // An owner that has paused is told at once: it may be waiting for a queue that never empties.
        if hasOtherSideEnded, arrived.isEmpty || isPaused { end(nil) }
    }

    private func show() {
        let used: Int = unconsumed.withUnsafeBytes { handler?.received($0) ?? $0.count }
        require(used >= 0 && used <= unconsumed.count, "a handler uses no more than it was shown")
        unconsumed.removeFirst(used)
    }

    /// Lets the other side send more.
    private func acknowledge(_ byteCount: Int) {
        guard let peer else { return }
        let latency: UInt64 = world.network.latencyNanoseconds(from: localMachine, to: remoteMachine)
        _ = world.schedule(afterNanoseconds: latency, on: peer.lane) {
            peer.windowUsedByteCount -= byteCount
            peer.pump()
        }
    }

    private func breakHere(afterNanoseconds delay: UInt64) {
        _ = world.schedule(afterNanoseconds: delay, on: lane) { [self] in
            end(.failed(code: SystemErrorNumber.connectionReset, reason: "Connection reset by peer"))
        }
    }

    private func end(_ error: NetworkError?) {
        guard !hasEnded else { return }
        hasEnded = true
        world.record("end \(localAddress) \(remoteAddress)")
        let owner: (any ConnectionHandler)? = handler
        handler = nil
        unsent = []
        unsentStart = 0
        arrived = []
        peer = nil
        world.network.remove(self)
        owner?.closed(error)
    }
}
