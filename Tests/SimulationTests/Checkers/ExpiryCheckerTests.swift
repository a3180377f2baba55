import Simulation
import Testing

private typealias ExpiringOperation = Simulation.Operation<ExpiringAction, RowResult>

private func operation(
    _ number: Int, _ from: Int, _ to: Int, _ action: ExpiringAction, _ result: RowResult?
) -> ExpiringOperation {
    ExpiringOperation(
        number: number, client: number, action: action, invoked: Moment(sequence: from),
        returned: result == nil ? nil : Moment(sequence: to), result: result)
}

@Suite struct ExpiryCheckerTests {
    private let write = operation(1, 1, 2, .write(value: 10, timestamp: 100, expires: 50...51), .acknowledged)

    private func rule(_ history: ExpiringHistory) -> Rule? { ExpiryChecker().violation(history, of: "row")?.rule }

    private func read(_ now: ClosedRange<Int64>, latest: Int64, _ result: RowResult, from: Int = 10)
        -> ExpiringOperation
    {
        operation(from, from, from + 1, .read(now: now, latest: latest), result)
    }

    @Test func aValueIsSeenUntilItsTimeHasPassed() {
        let found = RowResult.found(value: 10, timestamp: 100)
        #expect(rule([write, read(49...49, latest: 49, found)]) == nil)
        #expect(rule([write, read(50...50, latest: 50, found)]) == nil)
        #expect(rule([write, read(50...51, latest: 51, found)]) == nil)
        #expect(rule([write, read(51...51, latest: 51, found)]) == .lifetimesAreKept)
    }

    @Test func aValueIsNotLostBefore() {
        #expect(rule([write, read(49...49, latest: 49, .absent)]) == .lifetimesAreKept)
        #expect(rule([write, read(49...49, latest: 50, .absent)]) == nil)
        #expect(rule([write, read(60...60, latest: 60, .absent)]) == nil)
        let unknown = operation(1, 1, 0, .write(value: 10, timestamp: 100, expires: 50...51), nil)
        #expect(rule([unknown, read(49...49, latest: 49, .absent)]) == nil)
    }

    @Test func aValueWithoutATimeToLiveStays() {
        let lasting = operation(2, 3, 4, .write(value: 11, timestamp: 200, expires: nil), .acknowledged)
        let found = RowResult.found(value: 11, timestamp: 200)
        #expect(rule([write, lasting, read(900...900, latest: 900, found)]) == nil)
        #expect(rule([write, lasting, read(900...900, latest: 900, .absent)]) == .lifetimesAreKept)
    }

    @Test func anExpiredValueHidesOlderOnes() {
        let older = operation(2, 3, 4, .write(value: 11, timestamp: 50, expires: nil), .acknowledged)
        #expect(rule([write, older, read(60...60, latest: 60, .absent)]) == nil)
        #expect(
            rule([write, older, read(60...60, latest: 60, .found(value: 11, timestamp: 50))]) == .quorumWriteIsVisible)
    }

    @Test func aDeletionExplainsThatNothingIsThere() {
        let deletion = operation(2, 3, 0, .delete(timestamp: 150), nil)
        #expect(rule([write, deletion, read(49...49, latest: 49, .absent)]) == nil)
        let earlier = operation(2, 3, 4, .delete(timestamp: 90), .acknowledged)
        #expect(rule([write, earlier, read(49...49, latest: 49, .absent)]) == .lifetimesAreKept)
    }

    @Test func whatNobodyWroteIsNotRead() {
        #expect(rule([write, read(1...1, latest: 1, .found(value: 11, timestamp: 100))]) == .nothingFromNowhere)
    }
}

@Suite struct WallClockRecordTests {
    @Test func secondsLieBetweenWhatTheClockShows() {
        var record = WallClockRecord()
        #expect(record.seconds(from: 0, to: 1) == nil)
        record.note(100_000_000, at: 0)
        #expect(record.seconds(from: 1_000_000_000, to: 2_500_000_000) == 100...102)
        // A jump back by a minute after five seconds, and forward again after six.
        record.note(105_000_000, at: 5_000_000_000)
        record.note(45_000_000, at: 5_000_000_000)
        record.note(46_000_000, at: 6_000_000_000)
        record.note(106_000_000, at: 6_000_000_000)
        #expect(record.seconds(from: 4_500_000_000, to: 5_500_000_000) == 44...105)
        #expect(record.seconds(from: 5_500_000_000, to: 5_600_000_000) == 45...45)
        #expect(record.seconds(from: 7_500_000_000, to: 8_600_000_000) == 107...108)
    }
}
