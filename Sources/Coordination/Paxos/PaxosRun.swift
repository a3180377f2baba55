import Cluster
import DataModel
import Environment
import Primitives

/// One request on its way to a decision: what it has seen, tried and lost sight of.
///
/// Confined to its loop; `Sendable` is unchecked for that reason.
final class PaxosRun: @unchecked Sendable {
    let request: PaxosRequest
    let isRead: Bool
    /// The replicas, and what the level asks of them. Others when the cluster changes.
    private(set) var plan: ReplicaPlan
    private(set) var rule: AnswerRule
    /// When it began, in microseconds: who has waited longer goes first.
    let since: Int64
    let deadlineNanoseconds: UInt64
    /// The greatest ballot that anybody has named.
    var highest: Ballot = .none
    var pause = ContentionPause()
    var contentionCount = 0
    /// Ballots with which values were proposed whose fate is not known.
    var attempts: [Ballot] = []
    /// How many have answered the last message as was wished.
    var received = 0
    private let locks: PartitionLocks
    private var holdsLock = false

    init(_ request: PaxosRequest, isRead: Bool, since: Int64, deadline: UInt64, _ locks: PartitionLocks) {
        self.request = request
        self.isRead = isRead
        self.plan = request.plan
        self.rule = request.plan.writeRule(request.serial)
        self.since = since
        self.deadlineNanoseconds = deadline
        self.locks = locks
    }

    var trace: RequestTrace? { request.trace }

    /// Goes on with other replicas.
    ///
    /// - Throws: when it is not known whether former ones have accepted a value. What majorities of the new ones know does
    ///   not tell for certain.
    func take(_ plan: ReplicaPlan) throws(CoordinationFailure) {
        guard attempts.isEmpty else { throw failure }
        self.plan = plan
        rule = plan.writeRule(request.serial)
    }

    func left(_ time: any TimeSource) -> Duration {
        let now: UInt64 = time.monotonicNanoseconds
        return now >= deadlineNanoseconds ? .zero : .nanoseconds(Int64(clamping: deadlineNanoseconds - now))
    }

    // MARK: The turn among the requests of this node

    func enter(_ limit: Duration, on loop: any Loop) async -> Bool {
        holdsLock = await locks.enter(request.token, within: limit, on: loop)
        return holdsLock
    }

    func leave() {
        if holdsLock { locks.leave(request.token) }
        holdsLock = false
    }

    // MARK: Failures

    /// What the client is told when there is no time left.
    var failure: CoordinationFailure {
        let needed: Int = rule.needed
        if !attempts.isEmpty { return .outcomeUnknown(request.serial, received: received, required: needed) }
        if contentionCount > 0 {
            return .contended(
                request.serial, received: received, required: needed, contentionCount: contentionCount)
        }
        return isRead
            ? .readTimedOut(request.serial, received: received, required: needed, hasData: false)
            : .writeTimedOut(.compareAndSet, request.serial, received: received, required: needed)
    }

    /// What the client is told when replicas could not do their part.
    func failure(_ failures: [NodeID: ReplicaFailure]) -> CoordinationFailure {
        let needed: Int = rule.needed
        if !attempts.isEmpty { return .outcomeUnknown(request.serial, received: received, required: needed) }
        return isRead
            ? .readFailed(request.serial, received: received, required: needed, hasData: false, failures: failures)
            : .writeFailed(.compareAndSet, request.serial, received: received, required: needed, failures: failures)
    }
}
