import Coordination
import DataModel
import Testing

/// When a write may be acknowledged, and when it has failed.
@Suite struct WriteQuorumTests {
    private static func quorum(_ needed: Int, of count: Int, countsHints: Bool = false) -> WriteQuorum {
        let everybody: UInt64 = (1 << UInt64(count)) - 1
        return WriteQuorum(
            AnswerRule([AnswerRule.Group(members: everybody, needed: needed)]), sentTo: everybody,
            countsHints: countsHints)
    }

    @Test func itSucceedsOnceWithEnoughAnswers() {
        var quorum = Self.quorum(2, of: 3)
        #expect(quorum.replicaConfirmed(0) == .undecided)
        #expect(quorum.replicaConfirmed(0) == .undecided, "an answer that comes twice is one")
        #expect(quorum.replicaConfirmed(2) == .succeeded)
        #expect(quorum.replicaConfirmed(1) == .undecided)
        #expect(quorum.isOver)
    }

    @Test func itFailsOnceTooFewAreLeft() {
        var quorum = Self.quorum(2, of: 3)
        #expect(quorum.replicaFailed(0) == .undecided)
        #expect(quorum.replicaFailed(1) == .failed)
        #expect(quorum.replicaFailed(2) == .undecided)
    }

    @Test func whereAHintIsAnAnswerTheFailureOfAllReplicasIsNotTheEnd() {
        var quorum = Self.quorum(1, of: 3, countsHints: true)
        for position in 0..<3 { #expect(quorum.replicaFailed(position) == .undecided) }
        #expect(!quorum.isDecided)
        #expect(quorum.hintStored() == .succeeded)
        #expect(quorum.hintStored() == .undecided)
    }

    @Test func withoutAHintItEndsByItsDeadline() {
        var quorum = Self.quorum(1, of: 1, countsHints: true)
        #expect(quorum.replicaFailed(0) == .undecided)
        let isLate: Bool = quorum.deadlinePassed()
        #expect(isLate && quorum.isDecided)
    }
}
