import Simulation
import Testing

private typealias TableOperation = Simulation.Operation<TableAction, TableResult>

/// An operation between two seconds.
private func operation(
    _ number: Int, _ from: Int, _ to: Int, _ action: TableAction, _ result: TableResult?
) -> TableOperation {
    TableOperation(
        number: number, client: number, action: action,
        invoked: Moment(sequence: from, nanoseconds: UInt64(from) * 1_000_000_000),
        returned: result == nil ? nil : Moment(sequence: to, nanoseconds: UInt64(to) * 1_000_000_000), result: result)
}

private func scan(_ from: Int, _ rows: [Int]) -> TableOperation {
    operation(1_000 + from, from, from + 1, .scan("pages of 2"), .rows(rows))
}

@Suite struct ScanCheckerTests {
    private let first = operation(1, 1, 2, .insert(1), .acknowledged)
    private let second = operation(2, 3, 4, .insert(2), .acknowledged)

    private func violation(_ history: TableHistory, settlingSeconds: Int = 3) -> Violation? {
        ScanChecker(settlingMilliseconds: settlingSeconds * 1_000).violation(history, of: "table")
    }

    private func isGood(_ history: TableHistory) -> Bool { violation(history) == nil }

    @Test func aScanHasEveryRowThatWasAcknowledged() {
        #expect(isGood([]))
        #expect(isGood([first, second, scan(5, [2, 1])]))
        #expect(violation([first, second, scan(5, [2])])?.rule == .scansAreComplete)
        #expect(isGood([first, second, operation(9, 5, 6, .scan("a count"), .count(2))]))
        #expect(!isGood([first, second, operation(9, 5, 6, .scan("a count"), .count(1))]))
        #expect(!isGood([first, second, operation(9, 5, 6, .scan("a count"), .count(3))]))
    }

    @Test func aRowThatIsUnderWayMayBeSeenOrNot() {
        let unknown = operation(2, 3, 0, .insert(2), nil)
        #expect(isGood([first, unknown, scan(5, [1])]))
        #expect(isGood([first, unknown, scan(5, [1, 2])]))
        let late = operation(2, 3, 9, .insert(2), .acknowledged)
        #expect(isGood([first, late, scan(5, [1])]))
        #expect(!isGood([first, late, scan(10, [1])]))
    }

    @Test func noRowIsSeenTwiceOrFromNowhere() {
        #expect(!isGood([first, second, scan(5, [1, 2, 1])]))
        #expect(!isGood([first, scan(5, [1, 2])]))
        #expect(!isGood([first, scan(5, [1, 2]), operation(2, 8, 9, .insert(2), .acknowledged)]))
    }

    @Test func aDeletedRowIsGone() {
        let deletion = operation(3, 5, 7, .delete(1), .acknowledged)
        #expect(isGood([first, second, deletion, scan(8, [2])]))
        #expect(!isGood([first, second, deletion, scan(8, [1, 2])]))
        #expect(isGood([first, second, deletion, scan(6, [1, 2])]))
        #expect(isGood([first, second, deletion, scan(6, [2])]))
        let unknown = operation(3, 5, 0, .delete(1), nil)
        #expect(isGood([first, second, unknown, scan(8, [1, 2]), scan(10, [2])]))
    }

    @Test func whatWasSettledBeforeATruncationIsGone() {
        let truncation = operation(5, 10, 11, .truncate, .acknowledged)
        #expect(isGood([first, second, truncation, scan(12, [])]))
        #expect(!isGood([first, second, truncation, scan(12, [2])]))
        let after = operation(6, 12, 13, .insert(3), .acknowledged)
        #expect(isGood([first, truncation, after, scan(14, [3])]))
        #expect(!isGood([first, truncation, after, scan(14, [])]))
    }

    @Test func whatWasUnderWayAtATruncationMayStay() {
        let truncation = operation(5, 10, 11, .truncate, .acknowledged)
        let recent = operation(3, 7, 8, .insert(3), .acknowledged)
        #expect(isGood([recent, truncation, scan(12, [3]), scan(14, [])]))
        let unknown = operation(3, 1, 0, .insert(3), nil)
        #expect(isGood([unknown, truncation, scan(12, [3])]))
    }

    @Test func aTruncationThatIsNotKnownToBeOverMayTakeADeletionOnly() {
        let deletion = operation(3, 5, 6, .delete(1), .acknowledged)
        let truncation = operation(5, 10, 0, .truncate, nil)
        #expect(isGood([first, deletion, truncation, scan(12, [1])]))
        #expect(!isGood([first, deletion, scan(12, [1])]))
    }

    @Test func aTruncationWithUnknownOutcomeTakesRowsUntilItIsSettled() {
        let truncation = operation(5, 10, 0, .truncate, nil)
        let soon = operation(6, 12, 13, .insert(3), .acknowledged)
        let later = operation(7, 14, 15, .insert(4), .acknowledged)
        #expect(isGood([first, truncation, soon, later, scan(16, [4])]))
        #expect(isGood([first, truncation, soon, later, scan(16, [1, 3, 4])]))
        #expect(!isGood([first, truncation, soon, later, scan(16, [1, 3])]))
    }

    @Test func theHistoryOfAViolationIsOfTheRowAlone() throws {
        let deletion = operation(3, 5, 6, .delete(1), .acknowledged)
        let found = try #require(violation([first, second, deletion, scan(8, [1, 2])]))
        #expect(found.history.count == 3)
        #expect(found.history[0].contains("insert row 1"))
    }
}
