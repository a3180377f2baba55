import Cluster
import DataModel
import Environment
import Primitives

/// One decision on its way to all replicas: who has it, whether that is enough, and hints for who has not.
///
///     decided ─┬─▶ this node ──────────────┐
///              ├─▶ replicas that are up ───┴─▶ enough of them ─▶ the client
///              └─▶ hints for those that are down, silent, or fail
///
/// A hint has the mutation alone; that it was decided the replica learns from the next ballot.
///
/// Confined to its loop; `Sendable` is unchecked for that reason.
final class PaxosCommit: ReplyReceiver, @unchecked Sendable {
    private let message: PaxosCommitMessage
    private let plan: ReplicaPlan
    private let level: Consistency
    private let hints: any HintSink
    private let local: NodeID
    private let trace: RequestTrace?
    private var quorum: WriteQuorum
    private var failures: [NodeID: ReplicaFailure] = [:]
    private var messages: ShardMessages?
    private var outcome: CoordinationFailure??
    private var waiting: UnsafeContinuation<CoordinationFailure?, Never>?
    private var timer: (any LoopTimer)?

    init(
        _ message: PaxosCommitMessage, _ plan: ReplicaPlan, _ level: Consistency, hints: any HintSink, local: NodeID,
        _ trace: RequestTrace?
    ) {
        self.message = message
        self.plan = plan
        self.level = level
        self.hints = hints
        self.local = local
        self.trace = trace
        self.quorum = WriteQuorum(plan.writeRule(level), sentTo: plan.everybody, countsHints: level == .any)
    }

    func start(
        alive: UInt64, _ view: ClusterView, _ replica: PaxosReplica, _ host: Host, _ loop: any Loop,
        timeoutMilliseconds: UInt32
    ) {
        messages = view.messages
        timer = loop.schedule(after: .milliseconds(Int64(timeoutMilliseconds))) { [self] in timeIsUp() }
        for position in 0..<min(plan.set.count, AnswerRule.maximumReplicaCount) {
            let node: NodeID = plan.set.node(at: position)
            if position == plan.localPosition {
                commitHere(position, replica, host, loop)
            } else if alive & 1 << UInt64(position) == 0 {
                hint(node)
                settle(quorum.replicaFailed(position))
            } else {
                send(to: node, position, view, timeoutMilliseconds)
            }
        }
    }

    private func send(to node: NodeID, _ position: Int, _ view: ClusterView, _ timeoutMilliseconds: UInt32) {
        let link: PeerLink = view.messages.link(to: node, lane: .data)
        let outcome: SendOutcome = link.begin(
            .paxosCommit, for: self, tag: UInt64(position), timeoutMilliseconds: timeoutMilliseconds, trace: trace)
        guard outcome == .ready else { return refuse(position, node, .nodeDown) }
        message.write(to: &link.output)
        link.end()
    }

    private func commitHere(_ position: Int, _ replica: PaxosReplica, _ host: Host, _ loop: any Loop) {
        host.background.run("commit to itself", on: loop) { [self] in
            do {
                try await replica.commit(message)
                trace?.addCommit(message)
                settle(quorum.replicaConfirmed(position))
            } catch ReplicaError.unknownTable {
                refuse(position, local, .incompatibleSchema)
            } catch {
                refuse(position, local, .unknown)
            }
        }
    }

    // MARK: What comes

    func replied(_ tag: UInt64, from node: NodeID, body: RawSpan) {
        settle(quorum.replicaConfirmed(Int(truncatingIfNeeded: tag)))
    }

    func failed(_ tag: UInt64, from node: NodeID, _ failure: MessageFailure) {
        switch failure {
        case .timedOut: timeIsUp()
        case .refused(_, let code, _):
            refuse(Int(truncatingIfNeeded: tag), node, ReplicaFailure(rawValue: code) ?? .unknown)
        default: refuse(Int(truncatingIfNeeded: tag), node, .nodeDown)
        }
    }

    private func refuse(_ position: Int, _ node: NodeID, _ reason: ReplicaFailure) {
        guard quorum.silent & 1 << UInt64(position & 63) != 0 else { return }
        failures[node] = reason
        hint(node)
        settle(quorum.replicaFailed(position))
    }

    private func timeIsUp() {
        if quorum.deadlinePassed() { tell(timeOut) }
        var silent: UInt64 = quorum.silent
        while silent != 0 {
            let position: Int = silent.trailingZeroBitCount
            silent &= silent &- 1
            hint(plan.set.node(at: position))
            _ = quorum.replicaFailed(position)
        }
        stopTimer()
    }

    private func hint(_ node: NodeID) {
        guard node != local else { return }
        let bytes: [UInt8] = message.decision.mutation
        let madeAt: Int64 = message.decision.origin.microseconds
        if let trace, let messages { trace.add("Writing hint for \(messages.traceText(of: node))") }
        guard level == .any else { return hints.keep(bytes.span.bytes, for: node, madeAt: madeAt) }
        hints.keepDurably(bytes.span.bytes, for: node, madeAt: madeAt) { [self] in settle(quorum.hintStored()) }
    }

    private func settle(_ change: WriteQuorum.Outcome) {
        switch change {
        case .undecided: break
        case .succeeded: tell(nil)
        case .failed where failures.isSilence: tell(timeOut)
        case .failed:
            tell(
                .writeFailed(
                    .simple, level, received: quorum.rule.received(quorum.confirmed), required: quorum.rule.needed,
                    failures: failures))
        }
        if quorum.isOver, quorum.isDecided { stopTimer() }
    }

    private var timeOut: CoordinationFailure {
        .writeTimedOut(.simple, level, received: quorum.rule.received(quorum.confirmed), required: quorum.rule.needed)
    }

    private func tell(_ failure: CoordinationFailure?) {
        guard outcome == nil else { return }
        outcome = .some(failure)
        waiting?.resume(returning: failure)
        waiting = nil
    }

    private func stopTimer() {
        timer?.cancel()
        timer = nil
    }

    /// Waits until enough replicas have the decision.
    func wait() async -> CoordinationFailure? {
        if let outcome { return outcome }
        return await withUnsafeContinuation { waiting = $0 }
    }
}
