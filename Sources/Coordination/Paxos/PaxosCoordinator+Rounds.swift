import Cluster
import DataModel
import Environment
import Primitives

/// The messages of a decision.
extension PaxosCoordinator {
    /// The participants that are up.
    ///
    /// - Throws: `.unavailable` when they are too few, unless something was proposed already.
    func participants(_ run: PaxosRun) throws -> UInt64 {
        let alive: UInt64 = run.plan.alive(view.liveness)
        if let shortage = run.rule.shortage(alive: alive) {
            guard run.attempts.isEmpty else { throw run.failure }
            throw CoordinationFailure.unavailable(
                run.request.serial, required: shortage.required, alive: shortage.alive)
        }
        return alive & run.rule.members
    }

    /// Goes on with the replicas that the partition has now.
    private func followPlacement(_ run: PaxosRun) throws {
        guard let placement = replica.placement, let plan = placement.plan(of: run.request.table, run.request.token),
            plan.set.fingerprint != run.plan.set.fingerprint
        else { return }
        try run.take(plan)
    }

    private func stamp(_ run: PaxosRun) -> PlacementStamp {
        replica.placement?.stamp(of: run.plan) ?? .none
    }

    /// A ballot after all that this node and the run have seen.
    private func nextBallot(_ run: PaxosRun) -> Ballot {
        view.clock.observe(run.highest.microseconds)
        return Ballot(
            microseconds: max(view.clock.next(), run.highest.microseconds &+ 1), tie: host.entropy.next())
    }

    /// Stays away for a while.
    func pause(_ run: PaxosRun) async throws {
        run.contentionCount += 1
        try await host.time.sleep(for: run.pause.next(host.entropy, isShort: !run.attempts.isEmpty))
    }

    // MARK: Promises

    /// Begins ballots until a quorum has promised one.
    ///
    /// - Throws: `CoordinationFailure`.
    func promises(_ run: PaxosRun) async throws -> PrepareRound {
        while true {
            guard run.left(host.time) > .zero else { throw run.failure }
            try followPlacement(run)
            let round: PrepareRound = await ask(nextBallot(run), run.request.read, try participants(run), run)
            run.highest = max(run.highest, round.highest)
            if round.isPromised { return round }
            run.received = run.rule.received(round.promised)
            if round.hasOtherPlacement {
                // With the answers this node has heard that it is behind, or the others are about to hear it.
                try await host.time.sleep(for: run.pause.next(host.entropy))
            } else if round.hasRefusal {
                try await pause(run)
            } else if round.failures.values.contains(where: { $0 != .nodeDown }) {
                throw run.failure(round.failures)
            } else if round.isLost {
                // Connections that have just broken, of nodes that may be back at once.
                try await host.time.sleep(for: run.pause.next(host.entropy))
            }
        }
    }

    /// Begins one ballot, reading with it.
    ///
    /// Participants that will own the partition read too, though they miss what is older: one of them may be the only one
    /// of those that promise that has applied the last decision already.
    func ask(_ ballot: Ballot, _ read: PageRequest, _ targets: UInt64, _ run: PaxosRun) async -> PrepareRound {
        let gather = PaxosGather(PrepareRound(ballot, run.rule, asked: targets), on: loop)
        let plan: ReplicaPlan = run.plan
        let limit: Duration = run.left(host.time)
        run.trace?.add("Preparing ballot \(ballot.uuid)")
        for position in 0..<min(plan.set.count, AnswerRule.maximumReplicaCount)
        where targets & 1 << UInt64(position) != 0 {
            let message = PaxosPrepare(
                ballot: ballot, since: run.since, placement: stamp(run), table: run.request.table,
                key: run.request.key, read: read)
            if position == plan.localPosition {
                prepareHere(message, position, run, gather)
            } else {
                send(message, to: plan.set.node(at: position), position, limit, run, gather)
            }
        }
        return await gather.wait(atMost: limit)
    }

    private func send(
        _ message: PaxosPrepare, to node: NodeID, _ position: Int, _ limit: Duration, _ run: PaxosRun,
        _ gather: PaxosGather<PrepareRound>
    ) {
        let link: PeerLink = view.messages.link(to: node, lane: .data)
        let outcome: SendOutcome = link.begin(
            .paxosPrepare, for: gather, tag: UInt64(position), timeoutMilliseconds: limit.paxosMilliseconds,
            trace: run.trace)
        guard outcome == .ready else { return gather.update { $0.failed(position, node, .nodeDown) } }
        message.write(to: &link.output)
        link.end()
    }

    private func prepareHere(
        _ message: PaxosPrepare, _ position: Int, _ run: PaxosRun, _ gather: PaxosGather<PrepareRound>
    ) {
        let trace: RequestTrace? = run.trace
        let local: NodeID = view.local
        let replica: PaxosReplica = self.replica
        host.background.run("promise to itself", on: loop) {
            do {
                let answer: PrepareAnswer = try await replica.prepare(message)
                trace?.add(answer, to: message)
                gather.update { $0.answered(position, answer.promise, answer.page) }
            } catch {
                gather.update { $0.failed(position, local, ReplicaError.reason(error)) }
            }
        }
    }

    // MARK: Proposals

    /// Proposes a value with the ballot of a round, and pauses when it is not accepted. The last decision comes along
    /// for those that may have missed it.
    func propose(_ proposal: PaxosProposal, _ promises: PrepareRound, _ run: PaxosRun) async throws -> ProposeRound {
        let plan: ReplicaPlan = run.plan
        let targets: UInt64 = try participants(run)
        let limit: Duration = run.request.timeouts.write
        let gather = PaxosGather(ProposeRound(run.rule, asked: targets), on: loop)
        run.trace?.add("Proposing with ballot \(proposal.ballot.uuid)")
        for position in 0..<min(plan.set.count, AnswerRule.maximumReplicaCount)
        where targets & 1 << UInt64(position) != 0 {
            let message = PaxosPropose(
                placement: stamp(run), table: run.request.table, key: run.request.key, proposal: proposal,
                decision: promises.lacksLatestCommit(position) ? promises.latestCommit : nil)
            if position == plan.localPosition {
                proposeHere(message, position, run, gather)
            } else {
                send(message, to: plan.set.node(at: position), position, limit, run, gather)
            }
        }
        let answers: ProposeRound = await gather.wait(atMost: limit)
        run.received = run.rule.received(answers.accepted)
        run.highest = max(run.highest, answers.highest)
        if !answers.isChosen { try await pause(run) }
        return answers
    }

    private func send(
        _ message: PaxosPropose, to node: NodeID, _ position: Int, _ limit: Duration, _ run: PaxosRun,
        _ gather: PaxosGather<ProposeRound>
    ) {
        let link: PeerLink = view.messages.link(to: node, lane: .data)
        let outcome: SendOutcome = link.begin(
            .paxosPropose, for: gather, tag: UInt64(position), timeoutMilliseconds: limit.paxosMilliseconds,
            trace: run.trace)
        guard outcome == .ready else { return gather.update { $0.notSent(position) } }
        message.write(to: &link.output)
        link.end()
    }

    private func proposeHere(
        _ message: PaxosPropose, _ position: Int, _ run: PaxosRun, _ gather: PaxosGather<ProposeRound>
    ) {
        let trace: RequestTrace? = run.trace
        let local: NodeID = view.local
        let replica: PaxosReplica = self.replica
        host.background.run("propose to itself", on: loop) {
            do {
                let refusedBy: Ballot? = try await replica.propose(message)
                trace?.add(refusedBy: refusedBy, message)
                gather.update { $0.answered(position, refusedBy: refusedBy) }
            } catch {
                gather.update { $0.failed(position, local, ReplicaError.reason(error)) }
            }
        }
    }

    // MARK: Decisions

    /// Brings a decision to the replicas, and returns once it has reached as many as the request wants.
    ///
    /// - Throws: `CoordinationFailure`. The decision stands all the same.
    func commit(_ decision: PaxosProposal, _ run: PaxosRun) async throws {
        let commit: PaxosCommit = startCommit(decision, run)
        // Whoever comes next finds the decision at the replicas, or brings it there himself.
        run.leave()
        if let failure = await commit.wait() { throw failure }
    }

    @discardableResult
    func startCommit(_ decision: PaxosProposal, _ run: PaxosRun) -> PaxosCommit {
        // It belongs to those who hold the partition now, also when others have decided.
        let plan: ReplicaPlan = replica.placement?.plan(of: run.request.table, run.request.token) ?? run.plan
        run.trace?.add("Committing what was decided with ballot \(decision.ballot.uuid)")
        let commit = PaxosCommit(
            PaxosCommitMessage(table: run.request.table, key: run.request.key, decision: decision), plan,
            run.request.commit, hints: hints, local: view.local, run.trace)
        commit.start(
            alive: plan.alive(view.liveness), view, replica, host, loop,
            timeoutMilliseconds: run.request.timeouts.write.paxosMilliseconds)
        return commit
    }

    /// Tells the participants that nothing more comes with a ballot, so that they need not show it any courtesy.
    func release(_ ballot: Ballot, _ run: PaxosRun) {
        let plan: ReplicaPlan = run.plan
        let message = PaxosCommitMessage(
            table: run.request.table, key: run.request.key, decision: PaxosProposal(ballot: ballot, mutation: []))
        let targets: UInt64 = plan.alive(view.liveness) & run.rule.members
        for position in 0..<min(plan.set.count, AnswerRule.maximumReplicaCount)
        where targets & 1 << UInt64(position) != 0 {
            if position == plan.localPosition {
                replica.release(message)
            } else {
                let link: PeerLink = view.messages.link(to: plan.set.node(at: position), lane: .data)
                guard link.begin(.paxosCommit, timeoutMilliseconds: 1_000) == .ready else { continue }
                message.write(to: &link.output)
                link.end()
            }
        }
    }
}

extension Duration {
    /// As the timeout of a message: whole milliseconds, at least one.
    fileprivate var paxosMilliseconds: UInt32 {
        UInt32(max(1, min(3.6e6, self / .milliseconds(1))))
    }
}
