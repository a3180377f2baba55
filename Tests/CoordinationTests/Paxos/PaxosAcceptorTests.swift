import Coordination
import Primitives
import Testing

/// The rules of a replica, over every state and message that small numbers make.
@Suite struct PaxosAcceptorTests {
    private static func ballot(_ number: Int) -> Ballot { Ballot(microseconds: Int64(number), tie: 0) }

    private static func proposal(_ number: Int) -> PaxosProposal? {
        number == 0 ? nil : PaxosProposal(ballot: ballot(number), mutation: [UInt8(number)])
    }

    /// Every state with ballots up to 4.
    private static let states: [PaxosState] = (0...4).flatMap { promised in
        (0...4).flatMap { accepted in
            (0...4).map { committed in
                PaxosState(
                    promised: ballot(promised), accepted: proposal(accepted), committed: proposal(committed))
            }
        }
    }

    private let acceptor = PaxosAcceptor()

    @Test func aBallotIsPromisedWhenNothingGreaterStandsAgainstIt() {
        for state in PaxosAcceptorTests.states {
            for number in 1...5 {
                let ballot = PaxosAcceptorTests.ballot(number)
                let (next, promise) = acceptor.prepare(ballot, state)
                if ballot >= state.floor {
                    #expect(promise == .promised(accepted: state.accepted, committed: state.committed))
                    #expect(next.promised == ballot)
                } else {
                    #expect(promise == .refused(by: state.floor, isCourtesy: false))
                    #expect(next == state)
                }
                #expect(next.accepted == state.accepted)
                #expect(next.committed == state.committed)
                #expect(next.floor >= state.floor)
                let (again, second) = acceptor.prepare(ballot, next)
                #expect(again == next)
                #expect(second == promise)
            }
        }
    }

    @Test func aProposalIsAcceptedWhenNothingGreaterWasPromised() {
        for state in PaxosAcceptorTests.states {
            for number in 1...5 {
                let proposal = PaxosProposal(ballot: PaxosAcceptorTests.ballot(number), mutation: [UInt8(number)])
                let (next, refusedBy) = acceptor.propose(proposal, state)
                let isKnown = state.accepted == proposal || state.committed == proposal
                if isKnown {
                    #expect(refusedBy == nil)
                    #expect(next == state)
                } else if proposal.ballot >= state.floor {
                    #expect(refusedBy == nil)
                    #expect(next.accepted == proposal)
                    #expect(next.promised == proposal.ballot)
                } else {
                    #expect(refusedBy == state.floor)
                    #expect(next == state)
                }
                #expect(next.committed == state.committed)
                #expect(next.floor >= state.floor)
            }
        }
    }

    @Test func aDecisionIsAlwaysTakenAndNeverReplacedByAnEarlierOne() {
        for state in PaxosAcceptorTests.states {
            for number in 1...5 {
                let decision = PaxosProposal(ballot: PaxosAcceptorTests.ballot(number), mutation: [UInt8(number)])
                let (next, isToApply) = acceptor.commit(decision, state)
                let known: Ballot = state.committed?.ballot ?? .none
                #expect(isToApply == (known != decision.ballot))
                #expect(next.committed?.ballot == max(known, decision.ballot))
                #expect(next.floor >= state.floor)
                if let accepted = state.accepted {
                    let isDone = decision.ballot > known && accepted.ballot <= decision.ballot
                    #expect(next.accepted == (isDone ? nil : accepted))
                }
                let (again, isAppliedAgain) = acceptor.commit(decision, next)
                #expect(again == next)
                #expect(!isAppliedAgain || next.committed?.ballot != decision.ballot)
            }
        }
    }

    @Test func whateverComesInWhateverOrderTheFloorNeverSinks() {
        var random = SeededGenerator(seed: 11)
        for _ in 0..<2_000 {
            var state = PaxosState()
            for _ in 0..<12 {
                let before: PaxosState = state
                let proposal = PaxosProposal(
                    ballot: PaxosAcceptorTests.ballot(1 + random.below(8)), mutation: [UInt8(random.below(3))])
                switch random.below(3) {
                case 0: state = acceptor.prepare(proposal.ballot, state).0
                case 1: state = acceptor.propose(proposal, state).0
                default: state = acceptor.commit(proposal, state).0
                }
                #expect(state.floor >= before.floor)
                #expect(state.committed?.ballot ?? .none >= before.committed?.ballot ?? .none)
            }
        }
    }
}
