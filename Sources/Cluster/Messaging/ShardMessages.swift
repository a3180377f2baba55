import Environment
import Primitives
import Synchronization

/// The messages of one loop: its links to other nodes, the requests that wait for answers, and who carries out what
/// comes.
///
/// Confined to its loop; `Sendable` is unchecked for that reason.
public final class ShardMessages: @unchecked Sendable {
    let context: MessageContext
    let loop: any Loop
    let requests: RequestTable
    /// The same of the other loops, by their index.
    var siblings: [ShardMessages] = []

    /// Links by their index; those to nodes also by node, lane for lane.
    private var links: ContiguousArray<PeerLink?> = []
    private var freeLinks: [Int32] = []
    private var nextSerial: UInt32 = 1
    private var linksByNode: [NodeID: ContiguousArray<PeerLink>] = [:]
    private var accepted: [ObjectIdentifier: PeerConnection] = [:]
    private var counters: [TrafficKey: TrafficCounter] = [:]
    private(set) var directory = PeerDirectory([])
    private var handlers: ContiguousArray<(any RequestHandler)?> = ContiguousArray(repeating: nil, count: 256)

    /// Memory that links lend each other: for the compressor, and for messages that are written anew.
    var scratch = ByteWriter(capacity: 16)
    var held = ByteWriter(capacity: 16)
    var local = ByteWriter(capacity: 16)
    var sending = ByteWriter(capacity: 16)
    var openTraces = OpenTraces()
    /// Bytes of requests that asynchronous handlers work on.
    private var handledByteCount = 0

    private var dirty: ContiguousArray<PeerLink> = []
    private var flushing: ContiguousArray<PeerLink> = []
    private var isFlushScheduled = false
    private var isFlushing = false
    private var isReading = false
    private(set) var isStopped = false

    /// What a turn of the loop asks the clocks for once.
    private var hasTurn = false
    private var turnNanoseconds: UInt64 = 0
    private(set) var turnClock: Int64 = 0
    private(set) var turnEpoch: UInt64 = 0
    /// Requests that were planned by an older placement than that of this epoch are refused.
    var requiredEpoch: UInt64 = 0
    /// The latest epoch of others that the node has been told of, and when.
    private var toldEpoch: UInt64 = 0
    private var toldEpochNanoseconds: UInt64 = 0

    private var timer: (any LoopTimer)?
    private var timerNanoseconds: UInt64 = .max

    init(_ context: MessageContext, on loop: any Loop) {
        self.context = context
        self.loop = loop
        self.requests = RequestTable(
            loopIndex: loop.index, limit: context.settings.outstandingCount,
            limitPerLink: context.settings.outstandingCountPerLink)
    }

    // MARK: Links

    /// The link to a node. It stays the same for the life of the process, so it may be kept.
    public func link(to node: NodeID, lane: Lane) -> PeerLink {
        if let known = linksByNode[node] { return known[Int(lane.rawValue)] }
        let isLocal: Bool = node == context.identity.node
        let address: SocketAddress? = directory.places[node]?.address
        var made: ContiguousArray<PeerLink> = []
        for lane in Lane.allCases {
            let link: PeerLink = insert(isLocal ? .local : .outgoing, peer: node, lane: lane, address: address)
            link.state = isStopped ? .closed : isLocal ? .open : .idle
            made.append(link)
        }
        linksByNode[node] = made
        return made[Int(lane.rawValue)]
    }

    /// Whether a node is a member whose address is known. Asked before a link is made to a node that a message names.
    public func knows(_ node: NodeID) -> Bool { directory.places[node] != nil }

    /// A link for one request to whoever is at an address.
    func link(toAddress address: SocketAddress) -> PeerLink {
        let link: PeerLink = insert(.addressed, peer: .none, lane: .bulk, address: address)
        if isStopped { link.state = .closed }
        return link
    }

    func makeAccepted(_ hello: Hello, _ connection: PeerConnection) -> PeerLink {
        let link: PeerLink = insert(.accepted, peer: hello.sender, lane: hello.lane, address: hello.address)
        link.wire = connection
        link.state = .open
        link.openedAtNanoseconds = now
        decideCompression(link)
        // Whoever calls is up: there is no reason to wait with calling it.
        if hello.lane == .control {
            for sibling in siblings { sibling.run { $0.forgetFailures(of: hello.sender) } }
        }
        return link
    }

    private func insert(_ role: PeerLink.Role, peer: NodeID, lane: Lane, address: SocketAddress?) -> PeerLink {
        let index: Int32 = freeLinks.popLast() ?? Int32(truncatingIfNeeded: links.count)
        let link = PeerLink(
            self, role, peer: peer, lane: lane, address: address, index: index, serial: nextSerial)
        nextSerial &+= 1
        if Int(index) < links.count { links[Int(index)] = link } else { links.append(link) }
        return link
    }

    func remove(_ link: PeerLink) {
        guard self.link(at: link.index) === link else { return }
        links[Int(link.index)] = nil
        freeLinks.append(link.index)
    }

    func decideCompression(_ link: PeerLink) {
        let place: PeerDirectory.Place? = directory.places[link.peer]
        switch context.settings.compression {
        case .all: link.compresses = true
        case .none: link.compresses = false
        case .dc: link.compresses = place.map { $0.datacenter != context.identity.datacenter } ?? false
        }
    }

    func forgetFailures(of node: NodeID) {
        for link in linksByNode[node] ?? [] { link.forgetFailures() }
    }

    /// Takes another table of members: links to nodes that have moved or gone lose their connections.
    func apply(_ directory: PeerDirectory) {
        self.directory = directory
        for link in links {
            guard let link else { continue }
            decideCompression(link)
            guard link.role == .outgoing else { continue }
            let address: SocketAddress? = directory.places[link.peer]?.address
            guard address != link.address else { continue }
            link.address = address
            link.forgetFailures()
            if link.state != .idle { link.close(.unreachable(link.peer)) }
        }
    }

    /// Ends all connections with a node.
    func disconnect(_ node: NodeID) {
        for link in links {
            guard let link, link.peer == node, link.role != .local, link.state != .idle else { continue }
            link.close(.unreachable(node))
        }
    }

    func stop() {
        isStopped = true
        timer?.cancel()
        for link in links { link?.close(.closed) }
        for connection in accepted.values { connection.close() }
        accepted.removeAll()
        linksByNode.removeAll()
        links.removeAll()
        siblings.removeAll()
        for index in handlers.indices { handlers[index] = nil }
    }

    // MARK: Accepting

    func admit(_ connection: PeerConnection) -> Bool {
        guard !isStopped, accepted.count < context.settings.acceptedCount else { return false }
        accepted[ObjectIdentifier(connection)] = connection
        return true
    }

    func forget(_ connection: PeerConnection) {
        accepted[ObjectIdentifier(connection)] = nil
    }

    func hello(to link: PeerLink) -> Hello {
        context.identity.hello(to: link.peer, lane: link.lane, epoch: context.epoch.load(ordering: .relaxed))
    }

    func answer(to hello: Hello) -> HandshakeAnswer {
        context.identity.answer(to: hello, epoch: context.epoch.load(ordering: .relaxed))
    }

    // MARK: Turns of the loop

    /// Monotonic nanoseconds, as they were when this turn first asked.
    var now: UInt64 {
        if !hasTurn { beginTurn() }
        return turnNanoseconds
    }

    private func beginTurn() {
        hasTurn = true
        turnNanoseconds = context.host.time.monotonicNanoseconds
        turnClock = context.callbacks.clock()
        turnEpoch = context.epoch.load(ordering: .relaxed)
        scheduleFlush()
    }

    func beginReading() {
        isReading = true
        beginTurn()
    }

    func endReading() {
        isReading = false
        flush()
    }

    /// A connection has ended while it was being read: nobody will say that this was all.
    func readingStopped() {
        guard isReading else { return }
        isReading = false
        scheduleFlush()
    }

    func markDirty(_ link: PeerLink) {
        dirty.append(link)
        scheduleFlush()
    }

    private func scheduleFlush() {
        guard !isReading, !isFlushScheduled else { return }
        isFlushScheduled = true
        loop.execute { [self] in
            isFlushScheduled = false
            flush()
        }
    }

    /// Sends what has been written since the last time. A loop does so by itself at the end of each turn.
    public func flush() {
        guard !isFlushing else { return }
        isFlushing = true
        swap(&dirty, &flushing)
        for link in flushing { link.flush() }
        flushing.removeAll(keepingCapacity: true)
        isFlushing = false
        hasTurn = false
        // What the messages to this node itself have brought about leaves in the next turn.
        if !dirty.isEmpty { scheduleFlush() }
    }

    // MARK: Deadlines

    /// Has the timer go off in time for a deadline.
    func awaitDeadline(_ deadline: UInt64) {
        let due: UInt64 = RequestTable.tick(of: deadline) << RequestTable.tickShift
        if due < timerNanoseconds { setTimer(due) }
    }

    private func setTimer(_ nanoseconds: UInt64) {
        timer?.cancel()
        timerNanoseconds = nanoseconds
        let delay: UInt64 = nanoseconds > now ? nanoseconds - now : 0
        // No weak reference: an object that has ever had one is slower to retain and release for ever.
        timer = loop.schedule(after: .nanoseconds(Int64(clamping: delay))) { [self] in timerFired() }
    }

    private func timerFired() {
        timer = nil
        timerNanoseconds = .max
        guard !isStopped else { return }
        beginTurn()
        while let taken = requests.takeExpired(now: turnNanoseconds) {
            guard let link = links[Int(taken.link)] else { continue }
            link.traffic.counts.timedOutRequests &+= 1
            taken.receiver.failed(taken.tag, from: link.peer, .timedOut(link.peer))
        }
        if let next = requests.nextDeadlineNanoseconds, next < timerNanoseconds {
            setTimer(next)
        }
    }

    func failRequests(of link: PeerLink, _ failure: MessageFailure) {
        while let taken = requests.takeAny(of: link.index) {
            link.traffic.counts.failedRequests &+= 1
            taken.receiver.failed(taken.tag, from: link.peer, failure)
        }
    }

    // MARK: What other parts of this loop need

    /// Has the requests of a verb that come to this loop carried out here and at once. May be called from anywhere, also
    /// while messages come already: a node talks to others before it has its data.
    public func handle(_ verb: Verb, by handler: any RequestHandler) {
        let box = HandlerBox(handler: handler)
        run { $0.handlers[Int(verb.rawValue)] = box.handler }
    }

    /// `Sendable` is unchecked because the handler is used on this loop only.
    private struct HandlerBox: @unchecked Sendable {
        let handler: any RequestHandler
    }

    func handler(of number: UInt8) -> (any RequestHandler)? { handlers[Int(number)] }

    func link(at index: Int32) -> PeerLink? {
        index >= 0 && Int(index) < links.count ? links[Int(index)] : nil
    }

    /// The counter of a node and lane. Strangers beyond the bound share one.
    func traffic(of node: NodeID, _ lane: Lane) -> TrafficCounter {
        let isKnown: Bool = counters.count < ShardMessages.counterCount || directory.places[node] != nil
        let key = TrafficKey(node: isKnown ? node : .none, lane: lane)
        if let counter = counters[key] { return counter }
        let counter = TrafficCounter(node: key.node, lane: lane)
        counters[key] = counter
        return counter
    }

    private static let counterCount = 3_072

    var traffic: [PeerTraffic] {
        var found: [TrafficKey: PeerTraffic] = [:]
        for (key, counter) in counters {
            found[key] = PeerTraffic(node: key.node, lane: key.lane)
            found[key]?.counts = counter.counts
        }
        for link in links {
            guard let link else { continue }
            let key = TrafficKey(node: link.traffic.node, lane: link.lane)
            found[key]?.outstandingRequests += requests.count(of: link.index)
            found[key]?.pendingBytes += link.output.count + (link.wire?.connection?.unsentByteCount ?? 0)
            found[key]?.openConnections += link.wire == nil ? 0 : 1
        }
        return Array(found.values)
    }

    /// A node knows a later epoch than this one: tells of it, again only when some time has passed in vain.
    func saw(_ epoch: UInt64, of node: NodeID) {
        guard epoch > turnEpoch else { return }
        guard epoch > toldEpoch || now &- toldEpochNanoseconds >= 1_000_000_000 else { return }
        toldEpoch = epoch
        toldEpochNanoseconds = now
        context.callbacks.epochSeen(node, epoch)
    }

    /// Whether asynchronous handlers may take on as much more; counts it then.
    func beginHandling(_ byteCount: Int, _ link: PeerLink) -> Bool {
        guard handledByteCount + byteCount <= context.settings.handledByteCount else { return false }
        handledByteCount += byteCount
        link.handledByteCount += byteCount
        link.wire?.controlFlow()
        return true
    }

    func endHandling(_ byteCount: Int, _ link: PeerLink) {
        handledByteCount -= byteCount
        link.handledByteCount -= byteCount
        link.wire?.controlFlow()
    }

    /// Runs `body` on the loop: at once when the caller is on it.
    func run(_ body: @escaping @Sendable (ShardMessages) -> Void) {
        if loop.isCurrent { body(self) } else { loop.execute { body(self) } }
    }
}
