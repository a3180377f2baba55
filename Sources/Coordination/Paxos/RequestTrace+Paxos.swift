package import Cluster

/// What participants tell of their part in a decision.
extension RequestTrace {
    package func add(_ answer: PrepareAnswer, to message: PaxosPrepare) {
        switch answer.promise {
        case .refused(let ballot, _): add("Rejecting ballot \(message.ballot.uuid): \(ballot.uuid) was promised before")
        case .promised: add("Promising ballot \(message.ballot.uuid)")
        }
        guard let page = answer.page else { return }
        addRows(live: page.liveRowCount, tombstones: page.tombstoneCount)
    }

    package func add(refusedBy other: Ballot?, _ message: PaxosPropose) {
        if let other {
            add("Rejecting proposal of ballot \(message.proposal.ballot.uuid): \(other.uuid) was promised before")
        } else {
            add("Accepting proposal of ballot \(message.proposal.ballot.uuid)")
        }
    }

    package func addCommit(_ message: PaxosCommitMessage) {
        add("Committed what was decided with ballot \(message.decision.ballot.uuid)")
    }
}
