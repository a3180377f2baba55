/// One voter's part in deciding the next epoch: what it has promised and accepted.
///
/// A pure value. `MetadataLog` makes every new state durable before it lets the answer out. There is one instance of
/// Paxos for each epoch, and a voter takes part in one at a time, the one after the epoch that it knows:
///
///     ballot seen before or larger ──▶ promised ──▶ accepted ──▶ (the epoch is decided elsewhere) ──▶ next instance
package struct EpochAcceptor: Hashable, Sendable {
    /// The epoch that is being decided.
    package private(set) var epoch: UInt64
    /// The largest ballot that was answered; smaller ones are refused.
    package private(set) var promised: MetadataBallot
    package private(set) var accepted: AcceptedEdit?

    package enum Answer: Hashable, Sendable {
        /// Nothing smaller will be accepted; here is what has been.
        case promised(AcceptedEdit?)
        case accepted
        /// A larger ballot has been promised.
        case refused(MetadataBallot)
        /// The epoch has been decided; this is how far the voter knows.
        case decided(epoch: UInt64)
        /// The voter does not know the epochs before, so it cannot know whether it has a vote.
        case behind(epoch: UInt64)
        /// The voter is none, of this epoch.
        case notVoter
    }

    package init(epoch: UInt64, promised: MetadataBallot = .none, accepted: AcceptedEdit? = nil) {
        self.epoch = epoch
        self.promised = promised
        self.accepted = accepted
    }

    /// Goes on to the instance after a decided epoch. A voter whose record is of a later instance than its log keeps
    /// it: it has lost decisions that it knew, and must not vote on them again.
    package mutating func decided(_ decided: UInt64) {
        if epoch <= decided { self = EpochAcceptor(epoch: decided &+ 1) }
    }

    package mutating func prepare(_ ballot: MetadataBallot, of instance: UInt64, known: UInt64) -> Answer {
        if let answer = refusal(of: instance, known: known) { return answer }
        guard ballot >= promised else { return .refused(promised) }
        promised = ballot
        return .promised(accepted)
    }

    package mutating func accept(_ proposal: AcceptedEdit, known: UInt64) -> Answer {
        if let answer = refusal(of: proposal.edit.epoch, known: known) { return answer }
        guard proposal.ballot >= promised else { return .refused(promised) }
        promised = proposal.ballot
        accepted = proposal
        return .accepted
    }

    /// - Parameter known: the epoch that this node's log has reached.
    private func refusal(of instance: UInt64, known: UInt64) -> Answer? {
        if instance <= known { return .decided(epoch: known) }
        if instance != epoch || instance != known &+ 1 { return .behind(epoch: known) }
        return nil
    }
}
