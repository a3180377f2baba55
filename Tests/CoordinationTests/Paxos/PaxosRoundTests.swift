import Cluster
import Coordination
import Primitives
import Testing

/// What answers come to.
@Suite struct PaxosRoundTests {
    private let rule = AnswerRule([AnswerRule.Group(members: 7, needed: 2)])

    private func ballot(_ number: Int) -> Ballot { Ballot(microseconds: Int64(number), tie: 0) }

    private func value(_ number: Int, origin: Int? = nil, ancestors: [Int] = [0]) -> PaxosProposal {
        PaxosProposal(
            ballot: ballot(number), origin: ballot(origin ?? number), ancestors: ancestors.map { ballot($0) },
            mutation: [1])
    }

    private func round(_ answers: [(PaxosProposal?, PaxosProposal?)]) -> PrepareRound {
        var round = PrepareRound(ballot(9), rule, asked: 7)
        for (index, answer) in answers.enumerated() {
            round.answered(index, .promised(accepted: answer.0, committed: answer.1), nil)
        }
        return round
    }

    @Test func aQuorumOfPromisesIsNeeded() {
        var round = PrepareRound(ballot(9), rule, asked: 7)
        #expect(!round.isOver)
        round.answered(0, .promised(accepted: nil, committed: nil), nil)
        round.answered(0, .promised(accepted: nil, committed: nil), nil)
        #expect(!round.isOver)
        round.answered(1, .refused(by: ballot(20), isCourtesy: false), nil)
        #expect(round.hasRefusal && !round.isOver)
        #expect(round.highest == ballot(20))
        round.failed(2, NodeID(UUID(high: 1, low: 1)), .nodeDown)
        #expect(round.isLost && !round.isPromised)
    }

    @Test func whatWasNotAskedDoesNotAnswer() {
        var round = PrepareRound(ballot(9), rule, asked: 3)
        round.answered(2, .promised(accepted: nil, committed: nil), nil)
        round.answered(70, .promised(accepted: nil, committed: nil), nil)
        #expect(round.promised == 1 << 6 & round.asked)
        #expect(!round.isOver)
        let damaged: [UInt8] = [1, 200]
        round.replied(0, damaged.span.bytes)
        #expect(round.isLost)
    }

    @Test func theLastUnfinishedValueIsFinishedFirst() {
        #expect(round([(value(3), nil), (value(5), nil)]).step(attempts: []) == .finish(value(5)))
        #expect(round([(value(3), value(4)), (nil, nil)]).step(attempts: []) == .propose)
        #expect(round([(value(5), nil), (nil, value(4))]).step(attempts: []) == .finish(value(5)))
        // The same value, decided with another ballot.
        #expect(round([(value(5, origin: 4), nil), (nil, value(4))]).step(attempts: []) == .propose)
        // Nothing was proposed last: what was before can not have been decided.
        let nothing = PaxosProposal(ballot: ballot(6), mutation: [])
        #expect(round([(value(5), nil), (nothing, nil)]).step(attempts: []) == .propose)
    }

    @Test func whoeverMayLackTheLastDecisionIsKnown() {
        let round = round([(nil, value(4)), (nil, value(3))])
        #expect(round.latestCommit == value(4))
        #expect(!round.lacksLatestCommit(0))
        #expect(round.lacksLatestCommit(1))
        #expect(round.lacksLatestCommit(2))
        #expect(!self.round([(nil, nil), (nil, nil)]).lacksLatestCommit(0))
        #expect(round.lineage == [ballot(4), ballot(0)])
    }

    @Test func onlyWhenEverybodyPromisesNothingNeedsToBeProposed() {
        #expect(!round([(nil, nil), (nil, nil)]).isClean)
        #expect(round([(nil, nil), (nil, nil), (nil, nil)]).isClean)
        #expect(!round([(nil, nil), (nil, nil), (value(2), nil)]).isClean)
    }

    @Test func theFateOfAValueFollowsFromWhatWasDecidedSince() {
        #expect(PaxosProposal?.none.fate(of: ballot(5)) == .undecided)
        #expect(PaxosProposal?.some(value(4)).fate(of: ballot(5)) == .undecided)
        #expect(PaxosProposal?.some(value(8, origin: 5)).fate(of: ballot(5)) == .decided)
        #expect(PaxosProposal?.some(value(8, ancestors: [7, 5, 4])).fate(of: ballot(5)) == .decided)
        #expect(PaxosProposal?.some(value(8, ancestors: [7, 4])).fate(of: ballot(5)) == .undecided)
        #expect(PaxosProposal?.some(value(8, ancestors: [7, 6])).fate(of: ballot(5)) == .unknown)
        let later: [(PaxosProposal?, PaxosProposal?)] = [(nil, value(8, ancestors: [7, 6])), (nil, nil)]
        #expect(round(later).step(attempts: [ballot(5)]) == .lostSight)
        #expect(round(later).step(attempts: [ballot(5), ballot(6)]) == .applied(origin: ballot(6)))
        #expect(
            round([(nil, value(8, origin: 5)), (nil, nil)]).step(attempts: [ballot(5)]) == .applied(origin: ballot(5)))
    }

    @Test func onlySoManyAncestorsAreRemembered() {
        var last = value(1)
        for number in 2...40 { last = PaxosProposal(ballot: ballot(number), ancestors: last.lineage, mutation: [1]) }
        #expect(last.ancestors.count == PaxosProposal.ancestorLimit)
        #expect(last.ancestors.first == ballot(39))
        let bytes = last.encoded
        #expect((try? PaxosProposal(decoding: bytes)) == last)
    }

    @Test func aProposalThatNobodyCanHaveAcceptedIsKnownNotToBe() {
        var round = ProposeRound(rule, asked: 7)
        round.notSent(2)
        round.answered(0, refusedBy: ballot(12))
        #expect(round.mayBeAccepted && round.isLost)
        round.answered(1, refusedBy: ballot(11))
        #expect(!round.mayBeAccepted && round.highest == ballot(12))
        var silent = ProposeRound(rule, asked: 7)
        silent.failed(0, NodeID(UUID(high: 1, low: 1)), .unknown)
        silent.failed(1, NodeID(UUID(high: 1, low: 2)), .unknown)
        #expect(silent.isLost && silent.mayBeAccepted)
        var chosen = ProposeRound(rule, asked: 7)
        chosen.answered(0, refusedBy: nil)
        chosen.answered(0, refusedBy: nil)
        #expect(!chosen.isOver)
        chosen.answered(2, refusedBy: nil)
        #expect(chosen.isChosen)
    }
}
