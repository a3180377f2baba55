import Cluster
import DataModel
package import Environment
import Primitives
import Storage

/// Decides about partitions of one shard together with their replicas, one value after the other, so that what is read
/// and what is written from it is one step for everybody who goes the same way.
///
///     ballot ─▶ promises, with what was decided, is unfinished, and the rows read
///                 ├─▶ something unfinished ─▶ proposed again ─▶ decided ─▶ a new ballot
///                 └─▶ the caller's choice ─▶ proposed, the last decision coming along ─▶ decided ─▶ committed
///
/// What is decided is decided only where the decision before it has been applied, so the last one is never out of sight.
/// A request that does not know whether its value was accepted goes on until it has found out, or says that it does not
/// know; it never says that the value was not written as long as that can still happen.
///
/// Requests of this node for one partition go one after the other, in their order; against those of other nodes there
/// are random pauses, and courtesy for who has waited longer (`PromiseCourtesy`).
///
/// Confined to its loop; `Sendable` is unchecked for that reason.
package final class PaxosCoordinator: @unchecked Sendable {
    let view: ClusterView
    let replica: PaxosReplica
    let hints: any HintSink
    let host: Host
    let loop: any Loop
    private let locks = PartitionLocks()

    /// How far ahead of the clock a ballot is put for the sake of rows from the future.
    static let furthestMicroseconds: Int64 = 24 * 60 * 60 * 1_000_000
    /// How much of a partition is read at most for one decision.
    static let readByteLimit = 256 << 20

    package init(view: ClusterView, replica: PaxosReplica, hints: any HintSink, host: Host, loop: any Loop) {
        self.view = view
        self.replica = replica
        self.hints = hints
        self.host = host
        self.loop = loop
    }

    /// Reads a partition and writes what `body` makes of it, with nobody in between.
    ///
    /// `body` gets all that the request reads, page by page, and the ballot: its microseconds are the timestamp that
    /// the mutation has to have. It may be called several times, and only the last choice counts.
    ///
    /// - Throws: `CoordinationFailure`: `.unavailable` and `.contended` and `.writeTimedOut(.compareAndSet, …)` when
    ///   nothing was written, `.outcomeUnknown` when nobody knows, `.writeTimedOut(.simple, …)` when it was decided and
    ///   will be written everywhere but has not been yet. What `body` throws.
    package func decide<Result>(
        _ request: PaxosRequest, _ body: ([MergedPage], Ballot) throws -> PaxosChoice<Result>
    ) async throws -> Result {
        let rule: AnswerRule = request.plan.writeRule(request.commit)
        let alive: UInt64 = request.plan.alive(view.liveness)
        if request.commit != .any, let shortage = rule.shortage(alive: alive) {
            throw CoordinationFailure.unavailable(
                request.commit, required: shortage.required, alive: shortage.alive)
        }
        return try await carryOut(request, isRead: false, body)
    }

    /// Reads one page of a partition as it is after all that was decided before, and makes sure that nothing that was
    /// only proposed before is decided afterwards.
    ///
    /// - Throws: `CoordinationFailure`.
    package func read(_ request: PaxosRequest) async throws -> MergedPage {
        try await carryOut(request, isRead: true) { pages, _ in
            PaxosChoice(mutation: nil, result: pages.first ?? MergedPage(pages: [], covered: nil))
        }
    }

    private func carryOut<Result>(
        _ request: PaxosRequest, isRead: Bool, _ body: ([MergedPage], Ballot) throws -> PaxosChoice<Result>
    ) async throws -> Result {
        let limit: Duration = request.timeouts.contention
        let deadline: UInt64 =
            host.time.monotonicNanoseconds &+ UInt64(max(0, min(1e15, limit / .nanoseconds(1))))
        let run = PaxosRun(request, isRead: isRead, since: view.clock.next(), deadline: deadline, locks)
        _ = try participants(run)
        guard await run.enter(limit, on: loop) else {
            run.contentionCount += 1
            throw run.failure
        }
        defer { run.leave() }
        if run.plan.isLocalOnly, let result = try await decideAlone(run, body) { return result }
        var results: [Ballot: Result] = [:]
        while true {
            let round: PrepareRound = try await promises(run)
            switch round.step(attempts: run.attempts) {
            case .applied(let origin):
                if let result = try await settled(results[origin], origin, round, run) { return result }
            case .lostSight:
                throw run.failure
            case .finish(let value):
                if let result = try await finish(value, results[value.origin], round, run) { return result }
            case .propose:
                guard let choice = try await choose(round, run, body) else { continue }
                results[round.ballot] = choice.result
                if try await propose(choice.mutation ?? [], round, run) { return choice.result }
            }
        }
    }

    /// A value of this request was decided while it was not looking.
    private func settled<Result>(
        _ result: Result?, _ origin: Ballot, _ round: PrepareRound, _ run: PaxosRun
    ) async throws -> Result? {
        if let decision = round.latestCommit, decision.origin == origin {
            try await commit(decision, run)
        } else {
            release(round.ballot, run)
        }
        return result
    }

    /// Proposes a value again that was found unfinished; it may be one of this request.
    private func finish<Result>(
        _ value: PaxosProposal, _ result: Result?, _ round: PrepareRound, _ run: PaxosRun
    ) async throws -> Result? {
        run.trace?.add("Finishing what another request has proposed with ballot \(value.ballot.uuid)")
        let again: PaxosProposal = value.proposed(with: round.ballot)
        guard try await propose(again, round, run).isChosen else { return nil }
        if let result {
            try await commit(again, run)
            return result
        }
        startCommit(again, run)
        return nil
    }

    /// Reads the partition and asks what is to be written; nil when another ballot is needed.
    private func choose<Result>(
        _ round: PrepareRound, _ run: PaxosRun, _ body: ([MergedPage], Ballot) throws -> PaxosChoice<Result>
    ) async throws -> PaxosChoice<Result>? {
        run.trace?.add(run.isRead ? "Reading the decided rows" : "Reading existing values for CAS precondition")
        guard let pages = try await pages(round, run) else { return nil }
        do {
            if !run.isRead, try isTooEarly(round.ballot, for: pages, run) { return nil }
            return try body(pages, round.ballot)
        } catch {
            release(round.ballot, run)
            throw run.attempts.isEmpty ? error : run.failure
        }
    }

    /// Whether there are rows that would win over what is written with the ballot. The next one is greater, so that
    /// this and all later decisions win over them.
    private func isTooEarly(_ ballot: Ballot, for pages: [MergedPage], _ run: PaxosRun) throws -> Bool {
        var latest: Int64 = .min
        for page in pages { latest = max(latest, try page.latestTimestamp() ?? .min) }
        guard latest >= ballot.microseconds,
            latest &- view.clock.current < PaxosCoordinator.furthestMicroseconds
        else { return false }
        run.highest = max(run.highest, Ballot(microseconds: latest, tie: .max))
        return true
    }

    /// Proposes a new value; false when another ballot is needed.
    private func propose(_ mutation: [UInt8], _ round: PrepareRound, _ run: PaxosRun) async throws -> Bool {
        if mutation.isEmpty, round.isClean {
            release(round.ballot, run)
            return true
        }
        let proposal = PaxosProposal(ballot: round.ballot, ancestors: round.lineage, mutation: mutation)
        let answers: ProposeRound = try await propose(proposal, round, run)
        guard answers.isChosen else {
            if !mutation.isEmpty, answers.mayBeAccepted { run.attempts.append(round.ballot) }
            return false
        }
        // What was proposed before with lesser ballots can not be decided any more.
        run.attempts = []
        if !mutation.isEmpty { try await commit(proposal, run) }
        return true
    }

    // MARK: Reading

    /// What the promises have read; for a decision all of it, however many pages that takes. Nil when somebody else
    /// came between the pages.
    private func pages(_ round: PrepareRound, _ run: PaxosRun) async throws -> [MergedPage]? {
        let isReversed: Bool = run.request.read.command.isReversed
        var merged: [MergedPage] = [PaxosCoordinator.merge(round.pages, isReversed: isReversed)]
        var byteCount: Int = merged[0].byteCount
        var request: PageRequest = run.request.read
        while !run.isRead, let mark = merged[merged.count - 1].covered, mark.clustering != nil {
            request.command = request.command.after(mark)
            let next: PrepareRound = await ask(round.ballot, request, try participants(run), run)
            run.highest = max(run.highest, next.highest)
            guard next.isPromised else {
                try await pause(run)
                return nil
            }
            merged.append(PaxosCoordinator.merge(next.pages, isReversed: isReversed))
            byteCount += merged[merged.count - 1].byteCount
            guard byteCount <= PaxosCoordinator.readByteLimit else { throw CoordinationFailure.overloaded }
        }
        return merged
    }

    private static func merge(_ pages: [Int: ReadPage], isReversed: Bool) -> MergedPage {
        let all: [ReadPage] = pages.sorted { $0.key < $1.key }.map(\.value)
        if let first = all.first, all.allSatisfy({ $0.digest == first.digest && $0.covered == first.covered }) {
            return MergedPage(pages: [first], covered: first.covered)
        }
        return MergedPage(pages: all, covered: .earliest(all.map(\.covered), isReversed: isReversed))
    }
}

extension MergedPage {
    var byteCount: Int { pages.reduce(0) { $0 + $1.fragments.count } }
}
