import Bench
import Testing

@Suite struct PaceTests {
    @Test func requestsAreDueAtEqualIntervalsFromTheStart() {
        var pace = Pace(startNanoseconds: 1_000, requestsPerSecond: 1e6)
        #expect(pace.take(at: 999) == nil)
        #expect(pace.take(at: 1_000) == 1_000)
        #expect(pace.take(at: 1_000) == nil)
        #expect(pace.nextNanoseconds == 2_000)
        #expect(pace.take(at: 2_000) == 2_000)
    }

    @Test func aLateRequestKeepsItsIntendedTime() {
        var pace = Pace(startNanoseconds: 0, requestsPerSecond: 1_000)
        var taken: [UInt64] = []
        while let due = pace.take(at: 5_000_000) { taken.append(due) }
        #expect(taken == [0, 1_000_000, 2_000_000, 3_000_000, 4_000_000, 5_000_000])
    }

    @Test func intervalsThatAreNoWholeNanosecondsDoNotDrift() {
        var pace = Pace(startNanoseconds: 0, requestsPerSecond: 3)
        var last: UInt64 = 0
        for _ in 0..<3_001 { last = pace.take(at: .max / 4) ?? 0 }
        #expect(last == 1_000_000_000_000)
    }

    @Test func theBacklogIsWhatIsDueAndNotTaken() {
        var pace = Pace(startNanoseconds: 1_000, requestsPerSecond: 1e6)
        #expect(pace.backlog(at: 0) == 0)
        #expect(pace.backlog(at: 1_000) == 1)
        #expect(pace.backlog(at: 3_500) == 3)
        _ = pace.take(at: 3_500)
        #expect(pace.backlog(at: 3_500) == 2)
    }
}

@Suite struct RequestSequenceTests {
    @Test(arguments: [1, 2, 7, 100_000])
    func randomRowsAreInsideOfTheKeySpaceAndCoverIt(_ rows: Int) {
        var sequence = RequestSequence(rows: rows, readPercent: 50, seed: 4)
        var seen: Set<UInt64> = []
        for _ in 0..<2_000 { seen.insert(sequence.next().row) }
        #expect(seen.allSatisfy { $0 < UInt64(rows) })
        #expect(seen.count >= min(rows, 1_500))
    }

    @Test(arguments: [(0, 0...0), (100, 10_000...10_000), (50, 4_500...5_500), (10, 800...1_200)])
    func readsHaveTheirShare(_ percent: Int, _ expected: ClosedRange<Int>) {
        var sequence = RequestSequence(rows: 1_000, readPercent: percent, seed: 9)
        var reads = 0
        for _ in 0..<10_000 where sequence.next().isRead { reads += 1 }
        #expect(expected.contains(reads))
    }

    @Test func connectionsThatWriteInTurnShareAllRows() {
        var rows: [UInt64] = []
        for connection in 0..<3 {
            var sequence = RequestSequence(writingFrom: connection, step: 3, seed: 1)
            for _ in 0..<4 {
                let choice = sequence.next()
                #expect(!choice.isRead)
                rows.append(choice.row)
            }
        }
        #expect(rows.sorted() == Array(0..<12))
    }

    @Test func theSameSeedGivesTheSameRequests() {
        var left = RequestSequence(rows: 1_000, readPercent: 30, seed: 77)
        var right = RequestSequence(rows: 1_000, readPercent: 30, seed: 77)
        for _ in 0..<100 { #expect(left.next() == right.next()) }
    }
}
