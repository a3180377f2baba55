package import Cluster
import Primitives

/// What the answers of the participants to one message come to. Positions are those of the replicas in their set.
package protocol ParticipantAnswers: SendableMetatype {
    mutating func replied(_ position: Int, _ body: RawSpan)
    mutating func failed(_ position: Int, _ node: NodeID, _ reason: ReplicaFailure)
    /// Whether more answers would change nothing.
    var isOver: Bool { get }
    /// Whether somebody has refused: then the others are not waited for as long.
    var hasRefusal: Bool { get }
}

/// Counts the promises of one ballot, and finds what has to be done before anything new is proposed with it.
///
/// A pure value: `PaxosCoordinator` feeds it answers and does what `step` says.
package struct PrepareRound: ParticipantAnswers, Sendable {
    package let ballot: Ballot
    package let rule: AnswerRule
    /// Who was sent the ballot.
    package let asked: UInt64
    package private(set) var promised: UInt64 = 0
    package private(set) var pages: [Int: ReadPage] = [:]
    package private(set) var failures: [NodeID: ReplicaFailure] = [:]
    /// The greatest ballot that anybody has named.
    package private(set) var highest: Ballot
    /// The last decision that anybody knows.
    package private(set) var latestCommit: PaxosProposal?
    private var commitBallots: [Int: Ballot] = [:]
    private var lastAccepted: PaxosProposal?
    private var refused: UInt64 = 0
    private var failedPositions: UInt64 = 0

    package init(_ ballot: Ballot, _ rule: AnswerRule, asked: UInt64) {
        self.ballot = ballot
        self.rule = rule
        self.asked = asked
        self.highest = ballot
    }

    package var hasRefusal: Bool { refused != 0 }
    /// Whether somebody places the partition elsewhere.
    package var hasOtherPlacement: Bool { failures.values.contains(.otherPlacement) }
    package var isPromised: Bool { rule.isMet(by: promised) }
    /// Whether so many have refused or failed that the quorum is out of reach.
    package var isLost: Bool { !rule.isMet(by: asked & ~refused & ~failedPositions) }
    package var isOver: Bool { isPromised || isLost }

    package mutating func replied(_ position: Int, _ body: RawSpan) {
        do throws(DecodingError) {
            let answer = try PrepareAnswer(decoding: body)
            answered(position, answer.promise, answer.page)
        } catch {
            failedPositions |= bit(position)
        }
    }

    package mutating func failed(_ position: Int, _ node: NodeID, _ reason: ReplicaFailure) {
        failures[node] = reason
        failedPositions |= bit(position)
    }

    package mutating func answered(_ position: Int, _ promise: PaxosPromise, _ page: ReadPage?) {
        let bit: UInt64 = bit(position)
        guard asked & bit != 0, (promised | refused | failedPositions) & bit == 0 else { return }
        switch promise {
        case .refused(let other, _):
            refused |= bit
            highest = max(highest, other)
        case .promised(let accepted, let committed):
            promised |= bit
            if let page { pages[position] = page }
            if let accepted, accepted.ballot > lastAccepted?.ballot ?? .none { lastAccepted = accepted }
            if let committed {
                commitBallots[position] = committed.ballot
                if committed.ballot > latestCommit?.ballot ?? .none { latestCommit = committed }
            }
        }
    }

    private func bit(_ position: Int) -> UInt64 { 1 << UInt64(position & 63) }

    // MARK: What follows

    /// A value that was proposed before and may have been decided, so that nothing else may be proposed first.
    package var unfinished: PaxosProposal? {
        guard let last = lastAccepted, !last.isEmpty else { return nil }
        guard let commit = latestCommit else { return last }
        return last.ballot > commit.ballot && last.origin != commit.origin ? last : nil
    }

    /// Whether a participant is not known to have the last decision. Whatever is decided next is decided only where the
    /// last decision has been applied; otherwise it could be lost from sight.
    package func lacksLatestCommit(_ position: Int) -> Bool {
        guard let latest = latestCommit else { return false }
        return commitBallots[position] ?? .none < latest.ballot
    }

    /// Whether every participant there is has promised and nobody knows of anything unfinished: then no older proposal
    /// can be decided any more, and nothing needs to be proposed to make sure of it.
    package var isClean: Bool { promised & rule.members == rule.members && unfinished == nil }

    /// What a new value has for ancestors.
    package var lineage: [Ballot] { latestCommit?.lineage ?? [.none] }

    /// What has to be done with this ballot.
    package enum Step: Sendable, Equatable {
        /// A value of this request was decided.
        case applied(origin: Ballot)
        /// Nobody knows any more whether one was.
        case lostSight
        /// A value is to be proposed again before anything else.
        case finish(PaxosProposal)
        /// The partition may be read and a new value be proposed.
        case propose
    }

    /// - Parameter attempts: the ballots with which this request has proposed values whose fate it has not seen.
    package func step(attempts: [Ballot]) -> Step {
        var isLost = false
        for attempt in attempts {
            switch latestCommit.fate(of: attempt) {
            case .decided: return .applied(origin: attempt)
            case .unknown: isLost = true
            case .undecided: break
            }
        }
        if isLost { return .lostSight }
        if let unfinished { return .finish(unfinished) }
        return .propose
    }
}

/// Counts who has accepted a proposal.
package struct ProposeRound: ParticipantAnswers, Sendable {
    package let rule: AnswerRule
    package private(set) var asked: UInt64
    package private(set) var accepted: UInt64 = 0
    /// The greatest ballot that stands against it.
    package private(set) var highest: Ballot = .none
    package private(set) var failures: [NodeID: ReplicaFailure] = [:]
    private var refused: UInt64 = 0
    private var failedPositions: UInt64 = 0

    package init(_ rule: AnswerRule, asked: UInt64) {
        self.rule = rule
        self.asked = asked
    }

    package var hasRefusal: Bool { refused != 0 }
    /// Whether the value is decided.
    package var isChosen: Bool { rule.isMet(by: accepted) }
    package var isLost: Bool { !rule.isMet(by: asked & ~refused & ~failedPositions) }
    package var isOver: Bool { isChosen || isLost }
    /// Whether anybody may have accepted it: then it may still be decided, by somebody who finds it there.
    package var mayBeAccepted: Bool { asked & ~refused != 0 }

    package mutating func replied(_ position: Int, _ body: RawSpan) {
        do throws(DecodingError) {
            answered(position, refusedBy: try ProposeAnswer.decode(body))
        } catch {
            failedPositions |= bit(position)
        }
    }

    package mutating func failed(_ position: Int, _ node: NodeID, _ reason: ReplicaFailure) {
        failures[node] = reason
        failedPositions |= bit(position)
        // It has not looked at the value.
        if reason == .otherPlacement { notSent(position) }
    }

    /// The proposal has not been sent there.
    package mutating func notSent(_ position: Int) {
        asked &= ~bit(position)
    }

    package mutating func answered(_ position: Int, refusedBy other: Ballot?) {
        let bit: UInt64 = bit(position)
        guard asked & bit != 0, (accepted | refused | failedPositions) & bit == 0 else { return }
        if let other {
            refused |= bit
            highest = max(highest, other)
        } else {
            accepted |= bit
        }
    }

    private func bit(_ position: Int) -> UInt64 { 1 << UInt64(position & 63) }
}
