import Cluster
import DataModel
import Environment
import Primitives
import Storage

/// What a node has decided by itself.
struct LoneDecision<Result> {
    let result: Result
    let isWritten: Bool
    /// Where in the log all stands that the result tells of.
    let position: LogPosition
}

/// Decisions about partitions of which this node is the only replica.
///
/// This node's state is the quorum, so nobody has to be asked, and promise, acceptance and decision are one turn:
///
///     the partition's turn ─▶ state and rows read ─▶ choice ─▶ rows written ─▶ state written ─▶ one wait for the log
///
/// What is left behind is what the long way leaves: a decision with its ballot. So coordinators elsewhere, which go the
/// long way because they are no replicas, find their ballots refused when something came in between, and replicas that
/// are added later find a decision and nothing unfinished. It costs one wait for the log instead of three.
extension PaxosReplica {
    /// - Returns: nil when it takes more than one turn: something is unfinished, or somebody else goes first; or when this
    ///   node is the only replica no more.
    /// - Throws: `ReplicaError` and `CoordinationFailure.overloaded` when nothing was written, `.outcomeUnknown`; what
    ///   `body` throws.
    func decideAlone<Result>(
        _ run: PaxosRun, _ clock: HybridClock, _ body: ([MergedPage], Ballot) throws -> PaxosChoice<Result>
    ) async throws -> LoneDecision<Result>? {
        let request: PaxosRequest = run.request
        let token: Token = request.token
        guard await locks.enter(token, within: PaxosReplica.patience, on: shard.store.loop) else {
            throw ReplicaError.storage(.overloaded)
        }
        defer { locks.leave(token) }
        let stored: PaxosTable.Stored = try await read(request.table, request.key, token)
        if let placement, !placement.isCurrent(run.plan.set.fingerprint, request.table, token) { return nil }
        let now: UInt64 = shard.host.time.monotonicNanoseconds
        guard stored.state.isFinished, !courtesy.mustWait(token, since: run.since, now: now) else { return nil }
        let pages: [MergedPage] = try await ownPages(run)
        let ballot: Ballot = try ballot(after: stored.state, run.isRead ? [] : pages, clock)
        let choice: PaxosChoice<Result> = try body(pages, ballot)
        guard let mutation = choice.mutation, !mutation.isEmpty else {
            return LoneDecision(result: choice.result, isWritten: false, position: shard.store.log.lastPosition)
        }
        guard let target = shard.store.table(request.table) else { throw ReplicaError.unknownTable(request.table) }
        let decision = PaxosProposal(
            ballot: ballot, ancestors: stored.state.committed?.lineage ?? [.none], mutation: mutation)
        let next: PaxosState = acceptor.commit(decision, stored.state).0
        do throws(StorageError) {
            _ = try await shard.applyWithPatience(mutation, to: target)
        } catch { throw ReplicaError.storage(error) }
        do throws(ReplicaError) {
            let position: LogPosition = try await write(next, over: stored, request.table, request.key)
            return LoneDecision(result: choice.result, isWritten: true, position: position)
        } catch {
            throw CoordinationFailure.outcomeUnknown(request.serial, received: 0, required: 1)
        }
    }

    private func ownPages(_ run: PaxosRun) async throws -> [MergedPage] {
        var pages: [MergedPage] = []
        var request: PageRequest = run.request.read
        var byteCount = 0
        while true {
            let writer = PageWriter(request)
            try await shard.fill(writer, request)
            guard !writer.hasTooManyTombstones else { throw ReplicaError.tooManyTombstones }
            let page: ReadPage = writer.page()
            pages.append(MergedPage(pages: [page], covered: page.covered))
            guard !run.isRead, let mark = page.covered, mark.clustering != nil else { return pages }
            byteCount += page.fragments.count
            guard byteCount <= PaxosCoordinator.readByteLimit else { throw CoordinationFailure.overloaded }
            request.command = request.command.after(mark)
        }
    }

    /// A ballot after all that was answered, and after the rows, so that what is written wins over them.
    private func ballot(after state: PaxosState, _ pages: [MergedPage], _ clock: HybridClock) throws -> Ballot {
        var highest: Int64 = state.floor.microseconds
        for page in pages {
            guard let latest = try page.latestTimestamp(),
                latest &- clock.current < PaxosCoordinator.furthestMicroseconds
            else { continue }
            highest = max(highest, latest)
        }
        clock.observe(highest)
        return Ballot(microseconds: max(clock.next(), highest &+ 1), tie: shard.host.entropy.next())
    }
}

extension PaxosState {
    /// Whether nothing was accepted that is not known to be decided.
    fileprivate var isFinished: Bool { accepted?.isEmpty ?? true }
}

extension PaxosCoordinator {
    /// Decides where this node is the only replica; nil when the long way has to be gone.
    func decideAlone<Result>(
        _ run: PaxosRun, _ body: ([MergedPage], Ballot) throws -> PaxosChoice<Result>
    ) async throws -> Result? {
        let decision: LoneDecision<Result>
        do {
            guard let made = try await replica.decideAlone(run, view.clock, body) else { return nil }
            decision = made
        } catch ReplicaError.storage(let failure) {
            throw failure
        } catch let failure as ReplicaError {
            throw run.failure([view.local: ReplicaError.reason(failure)])
        }
        run.leave()
        switch await replica.shard.end(of: decision.position) {
        case .durable: return decision.result
        case .failed(let failure): throw failure
        case .timedOut:
            if decision.isWritten {
                throw CoordinationFailure.outcomeUnknown(run.request.serial, received: 0, required: 1)
            }
            throw run.failure
        }
    }
}
