import Environment
import Primitives

/// A proposal whose voters are being asked.
struct ProposalInFlight {
    let number: UInt64
    var proposal: EpochProposal
    var continuation: UnsafeContinuation<EpochProposal.Outcome, Never>?
}

/// Nodes that are being asked for something, of whom so many must do it.
struct Gathering {
    let needed: Int
    var waiting: Int
    var succeeded = 0
    let continuation: UnsafeContinuation<Int, Never>
}

extension MetadataLog {
    /// Has a change decided.
    ///
    /// - Parameters:
    ///   - timeout: for how long to try; a vote that is under way at its end is waited for.
    ///   - provesNoChange: whether, where there is nothing to do, it succeeds only once a majority has proved that nothing
    ///     newer has been decided.
    ///   - body: makes the new value of the present one; nil or an equal one when there is nothing to do. It is called
    ///     again when another change came first. What it throws is thrown, once a majority has confirmed that the value
    ///     it was given is the newest.
    /// - Returns: the value with the change, which the listener has been told of.
    package func change(
        timeout: Duration, provesNoChange: Bool = false, _ body: @Sendable (ClusterMetadata) throws -> ClusterMetadata?
    ) async throws -> ClusterMetadata {
        await enter(.propose)
        defer { leave(.propose) }
        let end: UInt64 = host.time.monotonicNanoseconds &+ MetadataLog.nanoseconds(timeout)
        var proposed: Set<UUID> = []
        var round: UInt64 = 1
        var pauseCount = 0
        var isUncertain = false
        while true {
            guard !isStopped else { throw MetadataFailure.stopped }
            guard let before = metadata else { throw MetadataFailure.notStarted }
            // An attempt that failed may have been completed by others since.
            if recent.contains(where: { proposed.contains($0.id) }) {
                await delivered(before.epoch)
                return before
            }
            let edit: MetadataEdit? = try await edit(before, body)
            if edit == nil {
                if metadata?.epoch != before.epoch { continue }
                if !provesNoChange || before.voters == [identity.id] {
                    await delivered(before.epoch)
                    return before
                }
            }
            if let edit { proposed.insert(edit.id) }
            let (outcome, mayBeCompleted) = try await decide(edit, from: before, round)
            isUncertain = isUncertain || mayBeCompleted && edit != nil
            // A voter holds the ballots of failed attempts against later ones, also those of the same node.
            round &+= 1
            if try await isOver(outcome, from: before) {
                await delivered(before.epoch)
                return before
            }
            if case .overruled(let ballot) = outcome { round = max(round, ballot.round &+ 1) }
            if metadata?.epoch != before.epoch { round = 1 }
            if let decided = recent.first(where: { $0.epoch == before.epoch + 1 }) {
                if proposed.contains(decided.id) { continue }
                // The epoch is another's, so this edit is out; a snapshot would not have told.
                isUncertain = false
            }
            guard host.time.monotonicNanoseconds < end else { throw MetadataLog.failure(outcome, isUncertain) }
            // After another's change the next attempt may begin at once.
            if case .chosen = outcome { continue }
            try await pause(pauseCount)
            pauseCount += 1
        }
    }

    /// Takes in what an attempt came to; whether it has proved that there is nothing to do.
    private func isOver(_ outcome: EpochProposal.Outcome, from before: ClusterMetadata) async throws -> Bool {
        switch outcome {
        case .chosen(let chosen):
            do {
                try await learn(chosen)
            } catch {
                // The others are told all the same, and this node hears of it again with their next messages.
                await announce(chosen)
                throw MetadataFailure.notKept(reason: "\(error)", isDecided: true)
            }
            await delivered(chosen.epoch)
            await announce(chosen)
        case .behind(let node): _ = await catchUp(from: node)
        case .undecided: return metadata?.epoch == before.epoch
        case .overruled, .noMajority: break
        }
        return false
    }

    private static func failure(_ outcome: EpochProposal.Outcome, _ isUncertain: Bool) -> MetadataFailure {
        guard case .noMajority(let reachable, let needed) = outcome else {
            return .contended(isUncertain: isUncertain)
        }
        return .noMajority(reachable: reachable, needed: needed, isUncertain: isUncertain)
    }

    /// The edit that `body` wants; nil when it wants none.
    private func edit(
        _ before: ClusterMetadata, _ body: @Sendable (ClusterMetadata) throws -> ClusterMetadata?
    ) async throws -> MetadataEdit? {
        let wanted: ClusterMetadata?
        do { wanted = try body(before) } catch {
            // What is wrong here may be right in a newer value that has not come yet.
            await confirmNewest(before)
            if metadata?.epoch != before.epoch { return nil }
            throw error
        }
        if let wanted {
            let id = UUID.version4(high: host.entropy.next(), low: host.entropy.next())
            let edit = MetadataEdit(from: before, to: wanted, id: id)
            let byteCount: Int = MetadataCodec.encode(edit).count
            guard byteCount <= MetadataEdit.maximumByteCount / 2 else {
                throw MetadataFailure.tooLarge(byteCount: byteCount)
            }
            if !edit.isEmpty { return edit }
        }
        await confirmNewest(before)
        return nil
    }

    private func decide(
        _ edit: MetadataEdit?, from before: ClusterMetadata, _ round: UInt64
    ) async throws -> (EpochProposal.Outcome, mayBeCompleted: Bool) {
        if before.voters == [identity.id], let edit { return (try await decideAlone(edit), false) }
        let ballot = MetadataBallot(round: round, node: identity.id, nonce: host.entropy.next())
        attemptCount += 1
        let number: UInt64 = attemptCount
        let proposal = EpochProposal(edit, epoch: before.epoch + 1, ballot: ballot, voters: before.voters)
        let clusterID: UUID = before.clusterID
        let outcome: EpochProposal.Outcome = await withUnsafeContinuation { continuation in
            attempt = ProposalInFlight(number: number, proposal: proposal, continuation: continuation)
            carryOut(proposal.start(), number, clusterID)
        }
        let hasAskedToAccept: Bool = attempt?.proposal.hasAskedToAccept ?? true
        attempt = nil
        return (outcome, hasAskedToAccept)
    }

    /// What the only voter wants is decided as soon as it is durable, unless it has accepted another node's edit.
    private func decideAlone(_ edit: MetadataEdit) async throws -> EpochProposal.Outcome {
        await enter(.write)
        defer { leave(.write) }
        guard let before = metadata, before.voters == [identity.id], edit.epoch == before.epoch + 1,
            acceptor.epoch == edit.epoch
        else { return .behind(identity.id) }
        let chosen: MetadataEdit = acceptor.accepted?.edit ?? edit
        do {
            try await advance(chosen, from: before)
        } catch let failure as MetadataError {
            // The file may have its new name already, and then it counts at the next start.
            throw MetadataFailure.notKept(reason: "\(failure)", isDecided: false)
        }
        return .chosen(chosen)
    }

    private func carryOut(_ actions: [EpochProposal.Action], _ number: UInt64, _ clusterID: UUID) {
        for action in actions {
            switch action {
            case .prepare(let ballot, let voters):
                guard let epoch = attempt?.proposal.epoch else { continue }
                let message = MetadataMessages.Prepare(clusterID: clusterID, epoch: epoch, ballot: ballot)
                let body: [UInt8] = MetadataMessages.encode(message)
                for voter in voters { ask(voter, .metadataPrepare, body, .preparing, number, clusterID) }
            case .accept(let proposal, let voters):
                let message = MetadataMessages.Accept(clusterID: clusterID, proposal: proposal)
                let body: [UInt8] = MetadataMessages.encode(message)
                for voter in voters { ask(voter, .metadataAccept, body, .accepting, number, clusterID) }
            case .end(let outcome):
                let waiting = attempt?.continuation
                attempt?.continuation = nil
                waiting?.resume(returning: outcome)
            }
        }
    }

    /// Asks one voter in the background: whoever is slow must not hold up the count of the others.
    private func ask(
        _ voter: NodeID, _ verb: Verb, _ body: [UInt8], _ phase: EpochProposal.Phase, _ number: UInt64,
        _ clusterID: UUID
    ) {
        inBackground("metadata-vote") { log in
            let reply: EpochProposal.Reply = await log.reply(of: voter, verb, body)
            await log.replied(reply, voter, phase, number, clusterID)
        }
    }

    private func reply(of voter: NodeID, _ verb: Verb, _ body: [UInt8]) async -> EpochProposal.Reply {
        do {
            let answer: [UInt8]
            if voter == identity.id {
                answer = try await vote(IncomingMessage(verb: verb, sender: voter, body: body))
            } else {
                answer = try await messenger.request(verb, body, to: voter, timeout: settings.voteTimeout)
            }
            return .answer(try MetadataMessages.decodeAnswer(answer))
        } catch {
            // Whatever went wrong there, it is no vote.
            return .silence
        }
    }

    private func replied(
        _ reply: EpochProposal.Reply, _ voter: NodeID, _ phase: EpochProposal.Phase, _ number: UInt64,
        _ clusterID: UUID
    ) {
        guard var flight = attempt, flight.number == number else { return }
        let actions: [EpochProposal.Action] = flight.proposal.received(reply, from: voter, asked: phase)
        attempt = flight
        carryOut(actions, number, clusterID)
    }

    /// Tells all members of a decided edit, and waits a little for them to have it.
    private func announce(_ edit: MetadataEdit) async {
        guard let metadata else { return }
        let others: [NodeID] = metadata.members.filter { $0.state != .left && $0.id != identity.id }.map(\.id)
        let body: [UInt8] = MetadataMessages.encode(.init(clusterID: metadata.clusterID, edit: edit))
        let messenger: any Messenger = self.messenger
        let patience: Duration = settings.commitPatience
        _ = await gather(others, needed: others.count) { _, node in
            do {
                _ = try await messenger.request(.metadataCommit, body, to: node, timeout: patience)
                return true
            } catch {
                // It will see the epoch in the next message and fetch the edit.
                return false
            }
        }
    }

    /// Makes sure, if a majority of the voters can be reached, that no newer value than `before` has been decided.
    private func confirmNewest(_ before: ClusterMetadata) async {
        if before.voters == [identity.id] { return }
        _ = await gather(before.voters, needed: before.majority) { log, voter in
            await log.catchUp(from: voter)
        }
    }

    /// Learns, if a majority of the voters can be reached, what has been decided.
    package func refresh() async {
        guard let metadata, !isStopped else { return }
        await confirmNewest(metadata)
    }

    /// Has `work` done for each of some nodes at once.
    ///
    /// - Returns: for how many it succeeded, as soon as these are enough or all have ended.
    private func gather(
        _ nodes: [NodeID], needed: Int, _ work: @escaping @Sendable (MetadataLog, NodeID) async -> Bool
    ) async -> Int {
        if nodes.isEmpty || needed == 0 { return 0 }
        gatheringCount += 1
        let number: UInt64 = gatheringCount
        return await withUnsafeContinuation { continuation in
            gatherings[number] = Gathering(needed: needed, waiting: nodes.count, continuation: continuation)
            for node in nodes {
                inBackground("metadata-ask") { log in
                    let hasSucceeded: Bool = await work(log, node)
                    await log.gathered(number, hasSucceeded)
                }
            }
        }
    }

    private func gathered(_ number: UInt64, _ hasSucceeded: Bool) {
        guard var gathering = gatherings[number] else { return }
        gathering.waiting -= 1
        if hasSucceeded { gathering.succeeded += 1 }
        gatherings[number] = gathering
        guard gathering.succeeded >= gathering.needed || gathering.waiting == 0 else { return }
        gatherings[number] = nil
        gathering.continuation.resume(returning: gathering.succeeded)
    }

    /// Waits for a random time that grows with the number of attempts, so that proposers come out of step.
    func pause(_ attempt: Int) async throws {
        let longest: UInt64 = MetadataLog.nanoseconds(settings.longestPause)
        let first: UInt64 = MetadataLog.nanoseconds(settings.firstPause)
        let bound: UInt64 = max(1, min(longest, first << UInt64(min(attempt, 20))))
        let nanoseconds: UInt64 = bound / 4 + host.entropy.next() % bound
        try await host.time.sleep(for: .nanoseconds(Int64(clamping: nanoseconds)))
    }

    static func nanoseconds(_ duration: Duration) -> UInt64 {
        let parts = duration.components
        let seconds = UInt64(clamping: parts.seconds)
        let whole = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        return whole.overflow
            ? .max / 2 : min(.max / 2, whole.partialValue) &+ UInt64(clamping: parts.attoseconds / 1_000_000_000)
    }
}
