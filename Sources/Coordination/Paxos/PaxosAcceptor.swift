import Environment

/// What one replica remembers about the decisions of one partition.
package struct PaxosState: Hashable, Sendable {
    /// The greatest ballot that the replica has answered: it has nothing to do with lesser ones any more.
    package var promised: Ballot
    /// The last proposal that it has accepted, unless that is known to be decided.
    package var accepted: PaxosProposal?
    /// The last decision that it has applied.
    package var committed: PaxosProposal?

    package init(promised: Ballot = .none, accepted: PaxosProposal? = nil, committed: PaxosProposal? = nil) {
        self.promised = promised
        self.accepted = accepted
        self.committed = committed
    }

    /// Ballots below this one are refused. The parts of a state are forgotten one by one as their time runs out, so none
    /// of them alone says it.
    package var floor: Ballot {
        max(promised, max(accepted?.ballot ?? .none, committed?.ballot ?? .none))
    }

    /// The same for a table that has been truncated at a time: what was written or proposed before is gone, and nothing
    /// from before is answered any more, so that it can not come back.
    package func truncated(at microseconds: Int64) -> PaxosState {
        var state: PaxosState = self
        if let value = accepted, value.origin.microseconds <= microseconds { state.accepted = nil }
        if let value = committed, value.origin.microseconds <= microseconds { state.committed = nil }
        state.promised = max(promised, Ballot(microseconds: microseconds, tie: .max))
        return state
    }
}

/// What a replica answers to a ballot.
package enum PaxosPromise: Hashable, Sendable {
    /// It will refuse lesser ballots, and this is what it knows.
    case promised(accepted: PaxosProposal?, committed: PaxosProposal?)
    /// It has answered a greater ballot, or lets somebody finish who has waited longer.
    case refused(by: Ballot, isCourtesy: Bool)
}

/// The rules by which a replica promises, accepts and commits: all that the safety of the protocol rests on.
///
/// Pure: a state goes in, a state and an answer come out. `PaxosReplica` makes the new state durable before the answer
/// leaves.
package struct PaxosAcceptor: Sendable {
    /// Whether a ballot may be answered, given the least that has to be. Tests put a wrong rule here, to see it found.
    private let mayAnswer: @Sendable (_ ballot: Ballot, _ floor: Ballot) -> Bool

    package init(mayAnswer: @escaping @Sendable (Ballot, Ballot) -> Bool = { $0 >= $1 }) {
        self.mayAnswer = mayAnswer
    }

    /// A ballot begins. The same one may begin again: then it reads on, or its message came twice.
    package func prepare(_ ballot: Ballot, _ state: PaxosState) -> (PaxosState, PaxosPromise) {
        guard mayAnswer(ballot, state.floor) else {
            return (state, .refused(by: state.floor, isCourtesy: false))
        }
        var next: PaxosState = state
        next.promised = ballot
        return (next, .promised(accepted: state.accepted, committed: state.committed))
    }

    /// A value is proposed.
    ///
    /// - Returns: nil when it is accepted, else the ballot that stands against it.
    package func propose(_ proposal: PaxosProposal, _ state: PaxosState) -> (PaxosState, refusedBy: Ballot?) {
        // A proposal that comes again, or after its own decision: the answer is what it was.
        if state.committed?.ballot == proposal.ballot || state.accepted?.ballot == proposal.ballot {
            return (state, nil)
        }
        #if PLANTS
        let isAnswered: Bool = mayAnswer(proposal.ballot, state.floor) || Plant.isOn(.acceptOlderBallot)
        #else
        let isAnswered: Bool = mayAnswer(proposal.ballot, state.floor)
        #endif
        guard isAnswered else { return (state, state.floor) }
        var next: PaxosState = state
        next.promised = proposal.ballot
        next.accepted = proposal
        return (next, nil)
    }

    /// A value has been decided. Always taken: a decision is final, whatever was promised since.
    ///
    /// - Returns: also whether the mutation has to be applied.
    package func commit(_ proposal: PaxosProposal, _ state: PaxosState) -> (PaxosState, isToApply: Bool) {
        if let known = state.committed, known.ballot >= proposal.ballot {
            // An earlier decision may be one that this replica has missed.
            return (state, known.ballot != proposal.ballot)
        }
        var next: PaxosState = state
        next.committed = proposal
        next.promised = max(state.promised, proposal.ballot)
        if let accepted = state.accepted, accepted.ballot <= proposal.ballot { next.accepted = nil }
        return (next, true)
    }
}
