public import Cluster
public import DataModel
import Environment
public import Primitives
public import Storage

/// How the replicas' versions of one row compare.
public enum RowReadEnd: Sendable, Equatable {
    /// As many as the level needs have what this node has.
    case agreed
    /// They differ, or one of them could not say: the row is to be read in the general way.
    case unsettled
    /// Too few have answered in time; so many have, this node included, of so many.
    case timedOut(received: Int, required: Int)
}

/// Who waits for a row. On the loop that reads it, once.
public protocol RowReadObserver: AnyObject {
    func rowReadEnded(_ read: RowRead, _ end: RowReadEnd)
}

/// One read of a row that this node has, while other replicas say whether they have the same.
///
/// Owned by a `RowReads`, used again and again. Confined to its loop.
public final class RowRead: ReplyReceiver, DurabilityWaiter, PooledRequest {
    private unowned let reads: RowReads
    var place = 0
    /// What the observer knows it by.
    public fileprivate(set) var tag: UInt64 = 0
    /// What the client is told if the others agree.
    public var reply = ByteWriter(capacity: 512)
    /// The client's request, for the general way.
    public var request = ByteWriter(capacity: 256)
    /// What goes to the replicas.
    fileprivate var question = ByteWriter(capacity: 256)
    fileprivate var observer: (any RowReadObserver)?
    fileprivate var plan: ReplicaPlan?
    fileprivate var rule: AnswerRule?
    fileprivate var digest = RowDigest(low: 0, high: 0)
    fileprivate var agreed: UInt64 = 0
    fileprivate var asked: UInt64 = 0
    fileprivate var generation: UInt64 = 0
    fileprivate var table = UUID(high: 0, low: 0)
    fileprivate var startedNanoseconds: UInt64 = 0
    fileprivate var isActive = false
    fileprivate var speculation: SpeculativeRetry = .never
    /// When one replica more is asked; 0 when that is still to be found out, `.max` for never.
    fileprivate var speculatesAt: UInt64 = .max

    static let keptByteCount = 64 << 10

    fileprivate init(_ reads: RowReads) {
        self.reads = reads
    }

    private func position(_ tag: UInt64) -> Int? {
        isActive && tag >> 6 == generation & (1 << 58 - 1) ? Int(tag & 63) : nil
    }

    public func replied(_ tag: UInt64, from node: NodeID, body: RawSpan) {
        guard let position = position(tag), let rule else { return }
        reads.noteAnswer(of: node, to: self)
        guard body.byteCount == 16,
            UInt64(bigEndian: unsafe body.unsafeLoadUnaligned(fromByteOffset: 0, as: UInt64.self)) == digest.low,
            UInt64(bigEndian: unsafe body.unsafeLoadUnaligned(fromByteOffset: 8, as: UInt64.self)) == digest.high
        else { return reads.end(self, .unsettled) }
        agree(position, rule)
    }

    private func agree(_ position: Int, _ rule: AnswerRule) {
        agreed |= 1 << UInt64(position)
        if rule.isMet(by: agreed) { reads.end(self, .agreed) }
    }

    /// What this node has read of the row is durable, or never will be.
    public func writeEnded(_ tag: UInt64, _ end: WriteEnd) {
        guard let position = position(tag), let rule else { return }
        switch end {
        case .durable: agree(position, rule)
        case .failed: reads.end(self, .unsettled)
        case .timedOut: reads.end(self, .timedOut(received: rule.received(agreed), required: rule.needed))
        }
    }

    public func failed(_ tag: UInt64, from node: NodeID, _ failure: MessageFailure) {
        guard position(tag) != nil, let rule else { return }
        guard case .timedOut = failure else { return reads.end(self, .unsettled) }
        reads.end(self, .timedOut(received: rule.received(agreed), required: rule.needed))
    }
}

/// Reads single rows of which this node is a replica: its own version at once, and from as many others as the level needs
/// a digest that says whether theirs is the same. Its own counts from when it is durable.
///
///     own row ─▶ reply, digest ─▶ digests of others, own log ─┬─▶ all equal ─▶ the reply
///                                                             └─▶ one differs ─▶ the general way: merge and repair
///
/// Confined to its loop; `Sendable` is unchecked for that reason.
///
/// Hot: one for each single-row read at a level of more than one replica.
public final class RowReads: @unchecked Sendable {
    private let view: ClusterView
    private let replica: ReplicaShard
    private let loop: any Loop
    private let time: any TimeSource
    private var pool = RequestPool<RowRead>()
    private var scores = ReplicaScores()
    private var latencies = LatencyEstimate()
    /// How often a read of a table asked one replica more because the others were slow.
    package private(set) var speculationCounts: [UUID: Int] = [:]
    private var scratch = ByteWriter(capacity: 1_024)
    private var timer: (any LoopTimer)?
    private var trimTimer: (any LoopTimer)?

    /// How often reads are looked at that may have waited for too long.
    private static let sweep: Duration = .milliseconds(2)
    /// How often memory is given back after a burst.
    private static let trimInterval: Duration = .seconds(1)
    /// Reads that may be under way; further ones go the general way.
    private static let activeLimit = 65_536

    package init(view: ClusterView, replica: ReplicaShard) {
        self.view = view
        self.replica = replica
        self.loop = replica.store.loop
        self.time = replica.host.time
    }

    /// The reads that wait for other replicas: when they began, and the clients' requests.
    package var waiting: [(startedNanoseconds: UInt64, request: [UInt8])] {
        pool.inUse.filter(\.isActive).map { read in
            (read.startedNanoseconds, read.request.withUnsafeBytes { [UInt8]($0) })
        }
    }

    /// Takes a read from the pool; nil when too many are under way. It is to be begun, or given back.
    public func take() -> RowRead? {
        guard pool.inUse.count < RowReads.activeLimit else { return nil }
        let read: RowRead = pool.take { RowRead(self) }
        if trimTimer == nil, pool.isLarge { startTrimming() }
        return read
    }

    /// Gives a read back that was not begun.
    public func giveBack(_ read: RowRead) {
        read.reply.removeAll(keepingAtMost: RowRead.keptByteCount)
        read.request.removeAll(keepingAtMost: RowRead.keptByteCount)
        read.question.removeAll(keepingAtMost: RowRead.keptByteCount)
        pool.giveBack(read)
    }

    /// What is asked, and of whom.
    public struct Question {
        public let table: UUID
        public let token: Token
        public let plan: ReplicaPlan
        public let rule: AnswerRule
        public let speculation: SpeculativeRetry
        public let timeoutMilliseconds: UInt32

        @inlinable
        public init(
            table: UUID, token: Token, plan: ReplicaPlan, rule: AnswerRule, speculation: SpeculativeRetry,
            timeoutMilliseconds: UInt32
        ) {
            self.table = table
            self.token = token
            self.plan = plan
            self.rule = rule
            self.speculation = speculation
            self.timeoutMilliseconds = timeoutMilliseconds
        }
    }

    /// Asks other replicas whether they have `row` too. The reply has been written already; the observer is told later.
    ///
    /// - Parameters:
    ///   - position: where the last of the row is in this node's log, which has not failed before that.
    ///   - alive: the replicas that are up.
    public func begin(
        _ read: RowRead, _ question: Question, row: UnsafeRawBufferPointer?, shadow: Deletion, position: LogPosition,
        key: RawSpan, clustering: RawSpan,
        _ frame: RowDigest.Frame, alive: UInt64, observer: any RowReadObserver, tag: UInt64
    ) throws(DecodingError) {
        if let row {
            let bytes = unsafe RawSpan(_unsafeBytes: row)
            read.digest = try RowDigest(bytes, shadow: shadow, frame, scratch: &scratch)
        } else {
            read.digest = try RowDigest(nil, shadow: shadow, frame, scratch: &scratch)
        }
        RowRequest.write(
            table: question.table, token: question.token, key: key, clustering: clustering, frame, to: &read.question)
        start(read, question.plan, question.rule, observer, tag)
        read.table = question.table
        read.speculation = question.speculation
        if case .never = question.speculation {} else { read.speculatesAt = 0 }
        if !awaitsLog(read, position, at: question.plan.localPosition) { read.agreed = read.asked }
        var missing: Int = question.rule.needed &- 1
        while missing > 0, read.isActive, let next = best(read, alive) {
            ask(read, next, question.timeoutMilliseconds)
            missing &-= 1
        }
        if timer == nil, read.isActive, read.speculatesAt == 0 { startSweep() }
    }

    /// Waits until what this node has read is durable, where nobody else is asked. The reply has been written already; the
    /// observer is told later.
    ///
    /// - Parameter position: where the last of the row is in this node's log, which has not failed before that.
    public func wait(
        _ read: RowRead, for position: LogPosition, _ plan: ReplicaPlan, _ rule: AnswerRule,
        observer: any RowReadObserver, tag: UInt64
    ) {
        start(read, plan, rule, observer, tag)
        if awaitsLog(read, position, at: plan.localPosition) { return }
        // Not within this call: the observer expects to hear later.
        endLater(read, .agreed)
    }

    private func start(
        _ read: RowRead, _ plan: ReplicaPlan, _ rule: AnswerRule, _ observer: any RowReadObserver, _ tag: UInt64
    ) {
        read.plan = plan
        read.rule = rule
        read.observer = observer
        read.tag = tag
        read.agreed = 0
        read.asked = 1 << UInt64(plan.localPosition)
        read.generation &+= 1
        read.startedNanoseconds = time.monotonicNanoseconds
        read.isActive = true
        read.speculatesAt = .max
    }

    /// Whether this node's own answer is one only later.
    @inline(__always)
    private func awaitsLog(_ read: RowRead, _ position: LogPosition, at place: Int) -> Bool {
        replica.wait(for: position, read, tag: read.generation << 6 | UInt64(place))
    }

    /// The replica to ask next: one of this data centre if there is one, of these the fastest.
    private func best(_ read: RowRead, _ alive: UInt64) -> Int? {
        guard let plan = read.plan, let rule = read.rule else { return nil }
        var best: Int?
        var bestKey: (Int, Int64) = (.max, .max)
        var candidates: UInt64 = alive & rule.members & ~read.asked
        while candidates != 0 {
            let position: Int = candidates.trailingZeroBitCount
            candidates &= candidates &- 1
            let average: Int64 = scores.average(plan.set.node(at: position))
            let key: (Int, Int64) = (plan.set.isLocal[position] ? 0 : 1, average)
            if key < bestKey {
                bestKey = key
                best = position
            }
        }
        return best
    }

    private func ask(_ read: RowRead, _ position: Int, _ timeoutMilliseconds: UInt32) {
        guard let plan = read.plan else { return }
        read.asked |= 1 << UInt64(position)
        let link: PeerLink = view.messages.link(to: plan.set.node(at: position), lane: .data)
        let outcome: SendOutcome = link.begin(
            .readRow, for: read, tag: read.generation << 6 | UInt64(position), timeoutMilliseconds: timeoutMilliseconds,
            placement: plan.placement)
        guard outcome == .ready else {
            // Not within this call: the observer expects to hear later.
            return endLater(read, .unsettled)
        }
        read.question.withUnsafeBytes { link.output.write($0) }
        link.end()
    }

    private func endLater(_ read: RowRead, _ outcome: RowReadEnd) {
        let generation: UInt64 = read.generation
        let box = ReadBox(read: read)
        loop.execute { [self] in
            if box.read.isActive, box.read.generation == generation { end(box.read, outcome) }
        }
    }

    /// The work above runs on the loop to which the read is confined.
    private struct ReadBox: @unchecked Sendable {
        let read: RowRead
    }

    fileprivate func noteAnswer(of node: NodeID, to read: RowRead) {
        scores.answered(node, after: time.monotonicNanoseconds &- read.startedNanoseconds)
    }

    fileprivate func end(_ read: RowRead, _ end: RowReadEnd) {
        guard read.isActive else { return }
        read.isActive = false
        // How long others take is learnt where others were asked.
        if read.asked & (read.asked &- 1) != 0 { latencies.add(time.monotonicNanoseconds &- read.startedNanoseconds) }
        let observer: (any RowReadObserver)? = read.observer
        read.observer = nil
        read.plan = nil
        observer?.rowReadEnded(read, end)
        giveBack(read)
    }

    // MARK: Slow replicas

    private func startSweep() {
        timer = loop.schedule(after: RowReads.sweep) { [weak self] in
            guard let self else { return }
            self.timer = nil
            if self.speculate() { self.startSweep() }
        }
    }

    /// Asks one replica more for each read that takes longer than nearly all others did. Returns whether some read may
    /// still come to that.
    private func speculate() -> Bool {
        let now: UInt64 = time.monotonicNanoseconds
        var isSomeLeft = false
        // Asking ends no read within this call, so that none changes its place.
        for read in pool.inUse where read.isActive && read.speculatesAt != .max {
            if read.speculatesAt == 0 {
                // Before enough was seen nothing is slow, and it is asked again.
                guard let delay = read.speculation.delay(&latencies) else {
                    isSomeLeft = true
                    continue
                }
                read.speculatesAt = read.startedNanoseconds &+ min(delay, .max / 2)
            }
            guard now > read.speculatesAt, let plan = read.plan else {
                isSomeLeft = true
                continue
            }
            read.speculatesAt = .max
            if let next = best(read, plan.alive(view.liveness)) {
                speculationCounts[read.table, default: 0] += 1
                ask(read, next, RowReads.speculationTimeout)
            }
        }
        return isSomeLeft
    }

    private func startTrimming() {
        trimTimer = loop.schedule(after: RowReads.trimInterval) { [weak self] in
            guard let self else { return }
            self.trimTimer = nil
            self.pool.trim()
            if self.pool.isLarge { self.startTrimming() }
        }
    }

    /// The first question's time-out ends the read; this one only has to be later than that.
    private static let speculationTimeout: UInt32 = 60_000
}
