import Cluster
import Coordination
import Primitives
import Testing

/// The rules and the rounds by themselves: acceptors and proposers that exchange messages which are lost, come late,
/// twice and in any order, without clocks, disks or sockets.
@Suite struct PaxosModelTests {
    @Test func historiesOfAnyOrderOfMessagesAreLinearizable() {
        for seed in 1...UInt64(seedCount(400)) {
            let problem: String? = PaxosModel(seed: seed, replicas: seed % 4 == 0 ? 5 : 3).run()
            #expect(problem == nil, "seed \(seed)")
        }
    }

    @Test func anAcceptorThatAnswersAnOlderBallotIsFound() {
        let broken = PaxosAcceptor { ballot, floor in ballot >= floor || ballot.tie % 2 == 0 }
        let found: Int = (1...UInt64(200)).count { PaxosModel(seed: $0, acceptor: broken).run() != nil }
        #expect(found > 0)
    }

    @Test func aDecisionThatIsNotBroughtAlongIsFound() {
        let found: Int = (1...UInt64(400)).count { seed in
            let model = PaxosModel(seed: seed)
            model.bringsDecisionsAlong = false
            return model.run() != nil
        }
        #expect(found > 0)
    }
}

/// A world of acceptors and proposers around one register.
private final class PaxosModel {
    private struct Replica {
        var state = PaxosState()
        /// What has been applied; the latest origin is what is read.
        var applied: PaxosProposal?
    }

    private enum Message {
        case prepare(Ballot)
        case promise(Ballot, PaxosPromise, PaxosProposal?)
        case propose(PaxosProposal, decision: PaxosProposal?)
        case accepted(Ballot, refusedBy: Ballot?)
        case commit(PaxosProposal)
    }

    private struct Envelope {
        var message: Message
        var replica: Int
        var proposer: Int
    }

    private enum Phase {
        case idle
        case preparing(PrepareRound, seen: PaxosProposal?)
        case proposing(ProposeRound, PaxosProposal, outcome: CasHistory.Outcome?)
    }

    private struct Proposer {
        var phase: Phase = .idle
        var operation = -1
        var isRead = false
        var attempts: [Ballot] = []
        var highest: Ballot = .none
        var tries = 0
    }

    var bringsDecisionsAlong = true
    private var random: SeededGenerator
    private var replicas: [Replica]
    private var proposers: [Proposer]
    private var pool: [Envelope] = []
    private var history = CasHistory()
    private var time: UInt64 = 0
    private let acceptor: PaxosAcceptor
    private let rule: AnswerRule

    init(seed: UInt64, replicas count: Int = 3, acceptor: PaxosAcceptor = PaxosAcceptor()) {
        self.random = SeededGenerator(seed: seed)
        self.replicas = Array(repeating: Replica(), count: count)
        self.proposers = Array(repeating: Proposer(), count: 4)
        self.acceptor = acceptor
        self.rule = AnswerRule([AnswerRule.Group(members: 1 << UInt64(count) - 1, needed: count / 2 + 1)])
    }

    /// Runs for a while, reads at the end when everything arrives, and says what is wrong.
    func run() -> String? {
        for _ in 0..<600 { step() }
        // Whoever is still at it has ended without knowing.
        for index in proposers.indices where proposers[index].operation >= 0 { end(index, .unknown) }
        pool = []
        let reader = 0
        begin(reader, isRead: true)
        for _ in 0..<2_000 where proposers[reader].operation >= 0 {
            if pool.isEmpty { restart(reader) } else { deliver(0) }
        }
        guard case .seen(let last) = history.operations.last?.outcome else { return "the last read did not end" }
        return history.problem(last: last)
    }

    private func step() {
        time += 1
        let proposer: Int = random.below(proposers.count)
        switch random.below(12) {
        case 0, 1:
            if proposers[proposer].operation < 0 { begin(proposer, isRead: random.oneIn(4)) }
        case 2:
            if proposers[proposer].operation >= 0 { overtaken(proposer) }
        case 3:
            if !pool.isEmpty, random.oneIn(2) { pool.remove(at: random.below(pool.count)) }
        case 4:
            if let copy = pool.randomElement(using: &random) { pool.append(copy) }
        default:
            if !pool.isEmpty { deliver(random.below(pool.count)) }
        }
    }

    private func begin(_ index: Int, isRead: Bool) {
        proposers[index] = Proposer(highest: proposers[index].highest)
        proposers[index].isRead = isRead
        proposers[index].operation = history.begin(at: time)
        restart(index)
    }

    /// Time is up for a round: a new ballot, or the end.
    private func overtaken(_ index: Int) {
        if case .proposing(let round, let proposal, _) = proposers[index].phase { lost(index, round, proposal) }
        proposers[index].tries += 1
        guard proposers[index].tries < 6 else {
            return end(index, proposers[index].attempts.isEmpty ? .refused : .unknown)
        }
        restart(index)
    }

    private func restart(_ index: Int) {
        let ballot = Ballot(
            microseconds: max(Int64(time / 4), proposers[index].highest.microseconds) + 1, tie: random.next())
        proposers[index].highest = ballot
        let everybody: UInt64 = 1 << UInt64(replicas.count) - 1
        proposers[index].phase = .preparing(PrepareRound(ballot, rule, asked: everybody), seen: nil)
        send(index) { _ in .prepare(ballot) }
    }

    private func send(_ proposer: Int, _ message: (Int) -> Message) {
        for replica in replicas.indices {
            pool.append(Envelope(message: message(replica), replica: replica, proposer: proposer))
        }
    }

    private func end(_ index: Int, _ outcome: CasHistory.Outcome) {
        history.ended(proposers[index].operation, outcome, at: time)
        proposers[index].operation = -1
        proposers[index].phase = .idle
    }

    // MARK: Messages

    private func deliver(_ place: Int) {
        let envelope: Envelope = pool.remove(at: place)
        switch envelope.message {
        case .prepare(let ballot):
            let (state, promise) = acceptor.prepare(ballot, replicas[envelope.replica].state)
            replicas[envelope.replica].state = state
            reply(envelope, .promise(ballot, promise, replicas[envelope.replica].applied))
        case .propose(let proposal, let decision):
            if let decision { apply(decision, at: envelope.replica) }
            let (state, refusedBy) = acceptor.propose(proposal, replicas[envelope.replica].state)
            replicas[envelope.replica].state = state
            reply(envelope, .accepted(proposal.ballot, refusedBy: refusedBy))
        case .commit(let decision): apply(decision, at: envelope.replica)
        case .promise(let ballot, let promise, let seen): promised(envelope, ballot, promise, seen)
        case .accepted(let ballot, let refusedBy): accepted(envelope, ballot, refusedBy)
        }
    }

    private func reply(_ envelope: Envelope, _ message: Message) {
        pool.append(Envelope(message: message, replica: envelope.replica, proposer: envelope.proposer))
    }

    private func apply(_ decision: PaxosProposal, at replica: Int) {
        let (state, isToApply) = acceptor.commit(decision, replicas[replica].state)
        replicas[replica].state = state
        guard isToApply, decision.origin > replicas[replica].applied?.origin ?? .none else { return }
        replicas[replica].applied = decision
    }

    private func promised(_ envelope: Envelope, _ ballot: Ballot, _ promise: PaxosPromise, _ seen: PaxosProposal?) {
        let index: Int = envelope.proposer
        guard case .preparing(var round, var latest) = proposers[index].phase, round.ballot == ballot else { return }
        let before: UInt64 = round.promised
        round.answered(envelope.replica, promise, nil)
        if round.promised != before, let seen, seen.origin > latest?.origin ?? .none { latest = seen }
        proposers[index].highest = max(proposers[index].highest, round.highest)
        proposers[index].phase = .preparing(round, seen: latest)
        guard round.isOver else { return }
        guard round.isPromised else { return overtaken(index) }
        switch round.step(attempts: proposers[index].attempts) {
        case .applied(let origin): end(index, .applied("\(origin.tie)"))
        case .lostSight: end(index, .unknown)
        case .finish(let value):
            let isOwn: Bool = proposers[index].attempts.contains(value.origin)
            propose(
                index, value.proposed(with: ballot), round, outcome: isOwn ? .applied("\(value.origin.tie)") : nil)
        case .propose: choose(index, round, latest)
        }
    }

    private func choose(_ index: Int, _ round: PrepareRound, _ latest: PaxosProposal?) {
        let seen: String? = latest.map { "\($0.origin.tie)" }
        // Some conditions do not hold.
        guard !proposers[index].isRead, !random.oneIn(5) else {
            if round.isClean { return end(index, .seen(seen)) }
            let nothing = PaxosProposal(ballot: round.ballot, ancestors: round.lineage, mutation: [])
            return propose(index, nothing, round, outcome: .seen(seen))
        }
        let value = "\(round.ballot.tie)"
        history.tried(value, after: seen, by: proposers[index].operation)
        let proposal = PaxosProposal(ballot: round.ballot, ancestors: round.lineage, mutation: Array(value.utf8))
        propose(index, proposal, round, outcome: .applied(value))
    }

    private func propose(
        _ index: Int, _ proposal: PaxosProposal, _ round: PrepareRound, outcome: CasHistory.Outcome?
    ) {
        let everybody: UInt64 = 1 << UInt64(replicas.count) - 1
        proposers[index].phase = .proposing(ProposeRound(rule, asked: everybody), proposal, outcome: outcome)
        send(index) { replica in
            let isMissing: Bool = self.bringsDecisionsAlong && round.lacksLatestCommit(replica)
            return .propose(proposal, decision: isMissing ? round.latestCommit : nil)
        }
    }

    private func accepted(_ envelope: Envelope, _ ballot: Ballot, _ refusedBy: Ballot?) {
        let index: Int = envelope.proposer
        guard case .proposing(var round, let proposal, let outcome) = proposers[index].phase,
            proposal.ballot == ballot
        else { return }
        round.answered(envelope.replica, refusedBy: refusedBy)
        proposers[index].highest = max(proposers[index].highest, round.highest)
        proposers[index].phase = .proposing(round, proposal, outcome: outcome)
        guard round.isOver else { return }
        guard round.isChosen else { return overtaken(index) }
        if !proposal.isEmpty {
            send(index) { _ in .commit(proposal) }
            // Decisions get lost more often than other messages: few see them by themselves.
            for _ in replicas where random.oneIn(2) { pool.removeLast() }
        }
        if let outcome { end(index, outcome) } else { restart(index) }
    }

    private func lost(_ index: Int, _ round: ProposeRound, _ proposal: PaxosProposal) {
        guard !proposal.isEmpty, proposal.origin == proposal.ballot, round.mayBeAccepted else { return }
        proposers[index].attempts.append(proposal.origin)
    }
}
