/// One attempt to have an edit decided, or to prove that none has been: counts the voters' answers and says what to do
/// next.
///
/// A pure value; every order of answers can be tried by calling `received`. What comes out may be another node's edit:
/// one that a voter had accepted before must be completed first.
///
///     start ──▶ prepare to all voters ──majority promised──▶ accept to all voters ──majority accepted──▶ chosen
///                      ├── nothing to propose, nothing accepted ──▶ undecided            │
///                      └── a majority cannot be reached any more ──▶ overruled, behind or noMajority ◀──┘
package struct EpochProposal: Sendable {
    package enum Phase: UInt8, Sendable {
        case preparing
        case accepting
        case ended
    }

    package enum Action: Hashable, Sendable {
        case prepare(MetadataBallot, to: [NodeID])
        case accept(AcceptedEdit, by: [NodeID])
        case end(Outcome)
    }

    package enum Outcome: Hashable, Sendable {
        /// A majority accepted this edit: it is decided for ever.
        case chosen(MetadataEdit)
        /// Nothing was to be proposed, and nothing had been decided for the epoch when the attempt began.
        case undecided
        /// Others are at it with a larger ballot than this.
        case overruled(by: MetadataBallot)
        /// A voter knows later epochs than this node.
        case behind(NodeID)
        /// Too few voters answered.
        case noMajority(reachable: Int, needed: Int)
    }

    package enum Reply: Hashable, Sendable {
        case answer(EpochAcceptor.Answer)
        /// No answer came.
        case silence
    }

    package let epoch: UInt64
    package let ballot: MetadataBallot
    package let voters: [NodeID]
    package private(set) var phase: Phase = .preparing
    /// Whether a voter may have accepted the edit, so that others may complete it after this attempt has failed.
    package private(set) var hasAskedToAccept = false
    /// Nil when there is nothing to propose.
    private var edit: MetadataEdit?
    /// The ballot of the edit that must be completed instead of the own one.
    private var inherited: MetadataBallot = .none
    private var agreed: Set<NodeID> = []
    private var failed: Set<NodeID> = []
    private var reached: Set<NodeID> = []
    private var largestSeen: MetadataBallot = .none

    package init(_ edit: MetadataEdit, ballot: MetadataBallot, voters: [NodeID]) {
        self.init(edit, epoch: edit.epoch, ballot: ballot, voters: voters)
    }

    /// - Parameter edit: nil to learn whether anything has been decided for the epoch; what may have been is completed.
    package init(_ edit: MetadataEdit?, epoch: UInt64, ballot: MetadataBallot, voters: [NodeID]) {
        self.epoch = epoch
        self.edit = edit
        self.ballot = ballot
        self.voters = voters
    }

    private var majority: Int { voters.count / 2 + 1 }

    package func start() -> [Action] { [.prepare(ballot, to: voters)] }

    /// Takes a voter's reply to what was asked of it in `asked`; replies to an earlier phase say nothing any more.
    package mutating func received(_ reply: Reply, from voter: NodeID, asked: Phase) -> [Action] {
        guard phase != .ended, voters.contains(voter) else { return [] }
        if case .answer(let answer) = reply {
            reached.insert(voter)
            if case .decided = answer { return end(.behind(voter)) }
        }
        guard asked == phase, !agreed.contains(voter), !failed.contains(voter) else { return [] }
        switch (reply, phase) {
        case (.answer(.promised(let accepted)), .preparing):
            agreed.insert(voter)
            if let accepted, accepted.ballot > inherited, accepted.edit.epoch == epoch {
                inherited = accepted.ballot
                edit = accepted.edit
            }
            return agreed.count >= majority ? askToAccept() : []
        case (.answer(.accepted), .accepting):
            agreed.insert(voter)
            guard agreed.count >= majority, let edit else { return [] }
            return end(.chosen(edit))
        case (.answer(.refused(let larger)), _):
            largestSeen = max(largestSeen, larger)
            return lost(voter)
        default:
            return lost(voter)
        }
    }

    private mutating func askToAccept() -> [Action] {
        guard let edit else { return end(.undecided) }
        phase = .accepting
        hasAskedToAccept = true
        agreed = []
        failed = []
        return [.accept(AcceptedEdit(ballot: ballot, edit: edit), by: voters)]
    }

    private mutating func lost(_ voter: NodeID) -> [Action] {
        failed.insert(voter)
        guard voters.count - failed.count < majority else { return [] }
        if largestSeen != .none { return end(.overruled(by: largestSeen)) }
        return end(.noMajority(reachable: reached.count, needed: majority))
    }

    private mutating func end(_ outcome: Outcome) -> [Action] {
        phase = .ended
        return [.end(outcome)]
    }
}
