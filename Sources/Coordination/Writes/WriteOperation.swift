import Cluster
import DataModel
import Primitives
import Storage

/// Who is told how a coordinated write has ended. On the loop that coordinates it, once.
public protocol WriteObserver: AnyObject {
    func coordinatedWriteEnded(_ tag: UInt64, _ failure: (any Error)?)
}

/// One write on its way to its replicas: remembers who has answered, and the bytes, for the hints of those who have not.
///
///     start ─▶ replies, failures, the log ─▶ observer told, once ─▶ the last one heard of ─▶ back to the pool
///
/// Owned by a `WriteCoordinator`, used again and again. Confined to its loop.
///
/// Hot: one for each write to more than one replica.
final class WriteOperation: ReplyReceiver, DurabilityWaiter, PooledRequest {
    unowned let coordinator: WriteCoordinator
    var place = 0
    private(set) var quorum = WriteQuorum(WriteOperation.noRule, sentTo: 0)
    private(set) var plan: ReplicaPlan?
    private(set) var level: Consistency = .one
    private(set) var kind: WriteKind = .simple
    private(set) var startNanoseconds: UInt64 = 0
    private(set) var deadlineNanoseconds: UInt64 = 0
    private(set) var isActive = false
    /// Nil for nearly all writes.
    private(set) var trace: RequestTrace?
    /// Counts the writes that the object has been, so that answers to a former one are told apart.
    private(set) var generation: UInt64 = 0
    var mutation = ByteWriter(capacity: 512)
    private var observer: (any WriteObserver)?
    private var tag: UInt64 = 0
    private var failures: [NodeID: ReplicaFailure] = [:]
    /// Positions of the replicas that another one of their data centre brings the write to.
    private var relayed: UInt64 = 0
    /// Whether a replica knows of a newer placement.
    private var isStale = false

    private static let noRule = AnswerRule([])
    static let keptByteCount = 64 << 10

    init(_ coordinator: WriteCoordinator) {
        self.coordinator = coordinator
    }

    func begin(
        _ plan: ReplicaPlan, _ rule: AnswerRule, _ level: Consistency, _ kind: WriteKind, start: UInt64,
        deadline: UInt64, _ observer: any WriteObserver, tag: UInt64, _ trace: RequestTrace?
    ) {
        self.plan = plan
        self.level = level
        self.kind = kind
        self.quorum = WriteQuorum(rule, sentTo: plan.everybody, countsHints: level == .any)
        self.startNanoseconds = start
        self.deadlineNanoseconds = deadline
        self.observer = observer
        self.tag = tag
        self.trace = trace
        self.isActive = true
        self.generation &+= 1
        self.relayed = 0
        self.isStale = false
    }

    /// Notes which replicas are sent the write by another one.
    func relay(to positions: UInt64) { relayed |= positions }

    /// The epoch of the placement that it goes by.
    var placement: UInt64 { plan?.placement ?? 0 }

    /// The tag of the request to a replica: its position, and which write it is of.
    func tag(_ position: Int) -> UInt64 { generation << 6 | UInt64(position & 63) }

    private func position(_ tag: UInt64) -> Int? {
        isActive && tag >> 6 == generation & (1 << 58 - 1) ? Int(tag & 63) : nil
    }

    // MARK: What comes

    func replied(_ tag: UInt64, from node: NodeID, body: RawSpan) {
        if let position = position(tag) { confirm(position) }
    }

    func failed(_ tag: UInt64, from node: NodeID, _ failure: MessageFailure) {
        guard let position = position(tag), let plan else { return }
        if case .timedOut = failure { return timeIsUp() }
        if case .refused(_, TransportFailure.stalePlacement, _) = failure { isStale = true }
        let bit: UInt64 = 1 << UInt64(position)
        if relayed & bit != 0, case .unreachable = failure {
            // Whoever should have passed it on is gone; the replica itself need not be.
            relayed &= ~bit
            return coordinator.sendAgain(position, plan.set.node(at: position), self)
        }
        refuse(position, plan.set.node(at: position), WriteOperation.reason(failure))
    }

    /// This node's own log, as a replica.
    func writeEnded(_ tag: UInt64, _ end: WriteEnd) {
        guard isActive, tag == generation, let plan else { return }
        switch end {
        case .durable: confirm(plan.localPosition)
        case .failed: refuse(plan.localPosition, coordinator.view.local, .unknown)
        case .timedOut: timeIsUp()
        }
    }

    func confirm(_ position: Int) {
        guard isActive else { return }
        settle(quorum.replicaConfirmed(position))
    }

    func refuse(_ position: Int, _ node: NodeID, _ reason: ReplicaFailure) {
        guard isActive else { return }
        failures[node] = reason
        coordinator.hint(node, self)
        settle(quorum.replicaFailed(position))
    }

    /// A replica that is down: it gets a hint, and nobody waits for it.
    func passOver(_ position: Int, _ node: NodeID) {
        coordinator.hint(node, self)
        settle(quorum.replicaFailed(position))
    }

    func hintIsStored() {
        guard isActive, level == .any else { return }
        settle(quorum.hintStored())
    }

    /// Who has not answered gets a hint; the client hears of it unless it has been told already.
    func timeIsUp() {
        guard isActive, let plan else { return }
        if quorum.deadlinePassed() { tell(timeOut) }
        var silent: UInt64 = quorum.silent
        while silent != 0 {
            let position: Int = silent.trailingZeroBitCount
            silent &= silent &- 1
            let node: NodeID = plan.set.node(at: position)
            if position != plan.localPosition { coordinator.hint(node, self) }
            _ = quorum.replicaFailed(position)
        }
        finishIfOver()
    }

    private func settle(_ outcome: WriteQuorum.Outcome) {
        switch outcome {
        case .undecided: break
        case .succeeded: tell(nil)
        case .failed where failures.isSilence || isStale: tell(timeOut)
        case .failed:
            tell(
                CoordinationFailure.writeFailed(
                    kind, level, received: quorum.rule.received(quorum.confirmed), required: quorum.rule.needed,
                    failures: failures))
        }
        finishIfOver()
    }

    private var timeOut: CoordinationFailure {
        .writeTimedOut(kind, level, received: quorum.rule.received(quorum.confirmed), required: quorum.rule.needed)
    }

    private func tell(_ failure: CoordinationFailure?) {
        let told: (any WriteObserver)? = observer
        observer = nil
        told?.coordinatedWriteEnded(tag, failure)
    }

    private func finishIfOver() {
        guard isActive, quorum.isOver, quorum.isDecided else { return }
        isActive = false
        plan = nil
        observer = nil
        if trace != nil { trace = nil }
        if !failures.isEmpty { failures = [:] }
        mutation.removeAll(keepingAtMost: WriteOperation.keptByteCount)
        coordinator.release(self)
    }

    private static func reason(_ failure: MessageFailure) -> ReplicaFailure {
        switch failure {
        case .refused(_, let code, _): ReplicaFailure(rawValue: code) ?? .unknown
        case .unreachable: .nodeDown
        default: .unknown
        }
    }
}
