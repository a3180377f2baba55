import Simulation
import Testing

private typealias RowOperation = Simulation.Operation<RowAction, RowResult>

private func operation(_ number: Int, _ from: Int, _ to: Int, _ action: RowAction, _ result: RowResult?) -> RowOperation
{
    RowOperation(
        number: number, client: number, action: action, invoked: Moment(sequence: from),
        returned: result == nil ? nil : Moment(sequence: to), result: result)
}

@Suite struct QuorumVisibilityTests {
    private let write = operation(1, 1, 2, .write(value: 10, timestamp: 100), .acknowledged)

    private func rule(_ history: RowHistory) -> Rule? {
        QuorumVisibilityChecker().violation(history, of: "row")?.rule
    }

    @Test func anEmptyHistoryIsGood() {
        #expect(rule([]) == nil)
        #expect(rule([operation(1, 1, 2, .read, .absent)]) == nil)
    }

    @Test func aLaterReadSeesAnAcknowledgedWrite() {
        #expect(rule([write, operation(2, 3, 4, .read, .found(value: 10, timestamp: 100))]) == nil)
        #expect(rule([write, operation(2, 3, 4, .read, .absent)]) == .quorumWriteIsVisible)
    }

    @Test func aReadAtTheSameTimeMaySeeItOrNot() {
        let late = operation(1, 1, 5, .write(value: 10, timestamp: 100), .acknowledged)
        #expect(rule([late, operation(2, 3, 4, .read, .absent)]) == nil)
        #expect(rule([late, operation(2, 3, 4, .read, .found(value: 10, timestamp: 100))]) == nil)
    }

    @Test func theNewestTimestampWinsAndNotTheLastWrite() {
        let older = operation(2, 3, 4, .write(value: 11, timestamp: 50), .acknowledged)
        #expect(rule([write, older, operation(3, 5, 6, .read, .found(value: 10, timestamp: 100))]) == nil)
        #expect(
            rule([write, older, operation(3, 5, 6, .read, .found(value: 11, timestamp: 50))]) == .quorumWriteIsVisible)
    }

    @Test func anUnknownWriteMayBeSeenOrNotButNotForgotten() {
        let unknown = operation(2, 3, 0, .write(value: 11, timestamp: 200), nil)
        let new = operation(3, 5, 6, .read, .found(value: 11, timestamp: 200))
        let old = operation(4, 7, 8, .read, .found(value: 10, timestamp: 100))
        #expect(rule([write, unknown, new]) == nil)
        #expect(rule([write, unknown, old]) == nil)
        #expect(rule([write, unknown, new, old]) == .quorumReadsAreMonotonic)
        #expect(rule([write, unknown, operation(4, 5, 9, .read, .found(value: 10, timestamp: 100)), new]) == nil)
    }

    @Test func aDeletedRowStaysAway() {
        let deletion = operation(2, 3, 4, .delete(timestamp: 150), .acknowledged)
        #expect(rule([write, deletion, operation(3, 5, 6, .read, .absent)]) == nil)
        #expect(
            rule([write, deletion, operation(3, 5, 6, .read, .found(value: 10, timestamp: 100))])
                == .nothingDeletedReturns)
    }

    @Test func aRowThatWasSeenAsDeletedStaysAway() {
        let unknown = operation(2, 3, 0, .delete(timestamp: 150), nil)
        let absent = operation(3, 5, 6, .read, .absent)
        #expect(rule([write, unknown, absent]) == nil)
        #expect(
            rule([write, unknown, absent, operation(4, 7, 8, .read, .found(value: 10, timestamp: 100))])
                == .nothingDeletedReturns)
    }

    @Test func ofSeveralDeletionsTheOldestExplainsAnAbsentRow() {
        let deletions = [
            operation(2, 3, 0, .delete(timestamp: 150), nil), operation(3, 3, 0, .delete(timestamp: 300), nil),
        ]
        let between = operation(4, 4, 0, .write(value: 12, timestamp: 200), nil)
        let absent = operation(5, 5, 6, .read, .absent)
        let seen = operation(6, 7, 8, .read, .found(value: 12, timestamp: 200))
        #expect(rule([write] + deletions + [between, absent, seen]) == nil)
    }

    @Test func whatNobodyWroteIsNotRead() {
        #expect(rule([operation(2, 3, 4, .read, .found(value: 10, timestamp: 100))]) == .nothingFromNowhere)
        #expect(rule([write, operation(2, 3, 4, .read, .found(value: 10, timestamp: 99))]) == .nothingFromNowhere)
        let later = operation(3, 9, 10, .write(value: 13, timestamp: 300), .acknowledged)
        #expect(
            rule([write, operation(2, 3, 4, .read, .found(value: 13, timestamp: 300)), later]) == .nothingFromNowhere)
    }

    @Test func theHistoryOfAViolationIsOnlyWhatShowsIt() throws {
        var history: RowHistory = [write]
        for index in 0..<20 {
            history.append(
                operation(10 + index, 10 + index * 2, 11 + index * 2, .read, .found(value: 10, timestamp: 100)))
        }
        history.append(operation(50, 60, 61, .write(value: 11, timestamp: 200), .acknowledged))
        history.append(operation(51, 62, 63, .read, .found(value: 10, timestamp: 100)))
        let violation = try #require(QuorumVisibilityChecker().violation(history, of: "row 1"))
        #expect(violation.history.count == 3)
        #expect(violation.history.first?.contains("#1 ") == true)
        #expect(violation.history.last?.contains("#51 ") == true)
    }
}

@Suite struct EndOfHistoryTests {
    private let write = operation(1, 1, 2, .write(value: 10, timestamp: 100), .acknowledged)
    private let deletion = operation(2, 3, 4, .delete(timestamp: 150), .acknowledged)

    private func reading(_ node: Int, _ result: RowResult) -> ReplicaReading {
        ReplicaReading(node: node, result: result)
    }

    @Test func noReplicaHoldsWhatWasDeleted() {
        let old = RowResult.found(value: 10, timestamp: 100)
        let checker = DeletionChecker()
        #expect(checker.violation([write, deletion], atTheEnd: [reading(1, .absent)], of: "row") == nil)
        let violation = checker.violation(
            [write, deletion], atTheEnd: [reading(1, .absent), reading(2, old)], of: "row")
        #expect(violation?.rule == .nothingDeletedReturns)
        #expect(violation?.history.count == 3)
        #expect(checker.violation([write], atTheEnd: [reading(2, old)], of: "row") == nil)
    }

    @Test func aDeletionThatWasNotAcknowledgedBindsNobody() {
        let unknown = operation(2, 3, 0, .delete(timestamp: 150), nil)
        let old = RowResult.found(value: 10, timestamp: 100)
        #expect(DeletionChecker().violation([write, unknown], atTheEnd: [reading(1, old)], of: "row") == nil)
    }

    @Test func aWriteThatIsNewerThanTheDeletionMayBeThere() {
        let again = operation(3, 5, 6, .write(value: 11, timestamp: 200), .acknowledged)
        let new = RowResult.found(value: 11, timestamp: 200)
        #expect(DeletionChecker().violation([write, deletion, again], atTheEnd: [reading(1, new)], of: "row") == nil)
    }

    @Test func replicasAgreeOrAreShown() {
        let new = RowResult.found(value: 11, timestamp: 200)
        #expect(ReplicaAgreement().violation([], of: "row") == nil)
        #expect(ReplicaAgreement().violation([reading(1, new), reading(2, new)], of: "row") == nil)
        let violation = ReplicaAgreement().violation([reading(1, new), reading(2, .absent)], of: "row")
        #expect(violation?.rule == .replicasAgree)
        #expect(violation?.history == ["node 1: 11 of timestamp 200", "node 2: no row"])
    }
}
