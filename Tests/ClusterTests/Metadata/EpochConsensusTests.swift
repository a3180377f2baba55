import Cluster
import Primitives
import Testing

/// The acceptor and the proposal, one event at a time.
@Suite struct EpochConsensusTests {
    private func ballot(_ round: UInt64, _ number: Int = 1) -> MetadataBallot {
        MetadataBallot(round: round, node: node(number), nonce: 0)
    }

    private func edit(_ name: String) -> MetadataEdit {
        let before: ClusterMetadata = metadata(3, voters: [1, 2, 3])
        return MetadataEdit(from: before, to: adding(name, to: before), id: UUID(high: 0, low: 1))
    }

    @Test func aPromiseHoldsAgainstSmallerBallots() {
        var acceptor = EpochAcceptor(epoch: 2)
        #expect(acceptor.prepare(ballot(5), of: 2, known: 1) == .promised(nil))
        #expect(acceptor.prepare(ballot(4), of: 2, known: 1) == .refused(ballot(5)))
        // The same question again has the same answer.
        #expect(acceptor.prepare(ballot(5), of: 2, known: 1) == .promised(nil))
        let early = AcceptedEdit(ballot: ballot(4), edit: edit("a"))
        #expect(acceptor.accept(early, known: 1) == .refused(ballot(5)))
        let good = AcceptedEdit(ballot: ballot(5), edit: edit("a"))
        #expect(acceptor.accept(good, known: 1) == .accepted)
        #expect(acceptor.accept(good, known: 1) == .accepted)
        #expect(acceptor.prepare(ballot(6), of: 2, known: 1) == .promised(good))
    }

    @Test func onlyTheNextEpochIsVotedOn() {
        var acceptor = EpochAcceptor(epoch: 2)
        #expect(acceptor.prepare(ballot(1), of: 3, known: 1) == .behind(epoch: 1))
        #expect(acceptor.prepare(ballot(1), of: 1, known: 1) == .decided(epoch: 1))
        _ = acceptor.prepare(ballot(9), of: 2, known: 1)
        acceptor.decided(2)
        #expect(acceptor == EpochAcceptor(epoch: 3))
        #expect(acceptor.prepare(ballot(1), of: 3, known: 2) == .promised(nil))
    }

    @Test func aVoterThatLostDecisionsDoesNotVoteOnThemAgain() {
        var acceptor = EpochAcceptor(epoch: 7, promised: ballot(3))
        acceptor.decided(4)
        #expect(acceptor.epoch == 7)
        #expect(acceptor.prepare(ballot(9), of: 5, known: 4) == .behind(epoch: 4))
        #expect(acceptor.prepare(ballot(9), of: 7, known: 4) == .behind(epoch: 4))
        acceptor.decided(6)
        #expect(acceptor.prepare(ballot(1), of: 7, known: 6) == .refused(ballot(3)))
    }

    private func proposal(_ name: String = "mine") -> EpochProposal {
        EpochProposal(edit(name), ballot: ballot(5), voters: [node(1), node(2), node(3)])
    }

    @Test func aMajorityOfPromisesAndOfAcceptancesDecides() {
        var proposal: EpochProposal = proposal()
        #expect(proposal.start() == [.prepare(ballot(5), to: [node(1), node(2), node(3)])])
        #expect(proposal.received(.answer(.promised(nil)), from: node(1), asked: .preparing) == [])
        // Twice the same voter is one voter, and a stranger is none.
        #expect(proposal.received(.answer(.promised(nil)), from: node(1), asked: .preparing) == [])
        #expect(proposal.received(.answer(.promised(nil)), from: node(9), asked: .preparing) == [])
        let asked = proposal.received(.answer(.promised(nil)), from: node(3), asked: .preparing)
        let accepted = AcceptedEdit(ballot: ballot(5), edit: edit("mine"))
        #expect(asked == [.accept(accepted, by: [node(1), node(2), node(3)])])
        // A late promise is no acceptance.
        #expect(proposal.received(.answer(.promised(nil)), from: node(2), asked: .preparing) == [])
        #expect(proposal.received(.silence, from: node(2), asked: .preparing) == [])
        #expect(proposal.received(.answer(.accepted), from: node(2), asked: .accepting) == [])
        let ended = proposal.received(.answer(.accepted), from: node(1), asked: .accepting)
        #expect(ended == [.end(.chosen(edit("mine")))])
        #expect(proposal.received(.answer(.accepted), from: node(3), asked: .accepting) == [])
    }

    @Test func whatWasAcceptedWithTheLargestBallotIsCompletedFirst() {
        var proposal: EpochProposal = proposal()
        let older = AcceptedEdit(ballot: ballot(2), edit: edit("older"))
        let newer = AcceptedEdit(ballot: ballot(3), edit: edit("newer"))
        _ = proposal.received(.answer(.promised(newer)), from: node(1), asked: .preparing)
        let asked = proposal.received(.answer(.promised(older)), from: node(2), asked: .preparing)
        let expected = AcceptedEdit(ballot: ballot(5), edit: edit("newer"))
        #expect(asked == [.accept(expected, by: [node(1), node(2), node(3)])])
    }

    @Test func anAttemptWithoutAnEditLearnsWhetherThereIsOne() {
        func attempt() -> EpochProposal {
            EpochProposal(nil, epoch: 2, ballot: ballot(5), voters: [node(1), node(2), node(3)])
        }
        var undecided: EpochProposal = attempt()
        #expect(undecided.received(.answer(.promised(nil)), from: node(1), asked: .preparing) == [])
        let ended = undecided.received(.answer(.promised(nil)), from: node(2), asked: .preparing)
        #expect(ended == [.end(.undecided)])
        #expect(!undecided.hasAskedToAccept)
        // Accepted once it may have been decided, so it is completed.
        var completing: EpochProposal = attempt()
        let known = edit("known")
        let accepted = AcceptedEdit(ballot: ballot(2), edit: known)
        _ = completing.received(.answer(.promised(accepted)), from: node(1), asked: .preparing)
        let asked = completing.received(.answer(.promised(nil)), from: node(3), asked: .preparing)
        #expect(known.epoch == 2)
        #expect(
            asked == [.accept(AcceptedEdit(ballot: ballot(5), edit: known), by: [node(1), node(2), node(3)])])
    }

    @Test func aMinorityEndsTheAttempt() {
        var proposal: EpochProposal = proposal()
        _ = proposal.received(.answer(.promised(nil)), from: node(1), asked: .preparing)
        #expect(proposal.received(.silence, from: node(2), asked: .preparing) == [])
        let ended = proposal.received(.silence, from: node(3), asked: .preparing)
        #expect(ended == [.end(.noMajority(reachable: 1, needed: 2))])
        var later: EpochProposal = self.proposal()
        for number in 1...2 { _ = later.received(.answer(.promised(nil)), from: node(number), asked: .preparing) }
        _ = later.received(.silence, from: node(2), asked: .accepting)
        let uncertain = later.received(.silence, from: node(3), asked: .accepting)
        #expect(later.hasAskedToAccept && !proposal.hasAskedToAccept)
        #expect(uncertain == [.end(.noMajority(reachable: 2, needed: 2))])
    }

    @Test func largerBallotsAndLaterEpochsAreReported() {
        var overruled: EpochProposal = proposal()
        _ = overruled.received(.answer(.refused(ballot(8))), from: node(1), asked: .preparing)
        #expect(
            overruled.received(.answer(.refused(ballot(7))), from: node(2), asked: .preparing)
                == [.end(.overruled(by: ballot(8)))])
        var behind: EpochProposal = proposal()
        #expect(
            behind.received(.answer(.decided(epoch: 9)), from: node(2), asked: .preparing)
                == [.end(.behind(node(2)))])
        var strangers: EpochProposal = proposal()
        _ = strangers.received(.answer(.notVoter), from: node(1), asked: .preparing)
        #expect(
            strangers.received(.answer(.behind(epoch: 0)), from: node(2), asked: .preparing)
                == [.end(.noMajority(reachable: 2, needed: 2))])
    }
}
