import Simulation
import Testing

private typealias ColumnOperation = Simulation.Operation<ColumnAction, ColumnResult>

private func moment(_ second: Int) -> Moment {
    Moment(sequence: second, nanoseconds: UInt64(second) * 1_000_000_000)
}

private func operation(
    _ number: Int, _ from: Int, _ to: Int, _ action: ColumnAction, _ result: ColumnResult?
) -> ColumnOperation {
    ColumnOperation(
        number: number, client: number, action: action, invoked: moment(from),
        returned: result == nil ? nil : moment(to), result: result)
}

@Suite struct ColumnCheckerTests {
    private let write = operation(1, 1, 2, .write(value: 10, timestamp: 100), .acknowledged)
    private let drop = ColumnDrop(invoked: moment(10), returned: moment(11))

    private func isGood(_ history: ColumnChecker.History, _ drops: [ColumnDrop] = []) -> Bool {
        ColumnChecker(learningMilliseconds: 3_000).violation(history, drops: drops, of: "column") == nil
    }

    private func read(_ from: Int, _ value: Int64?) -> ColumnOperation {
        operation(1_000 + from, from, from + 1, .read, .value(value))
    }

    @Test func aColumnShowsWhatWasWritten() {
        #expect(isGood([read(1, nil)]))
        #expect(isGood([write, read(3, 10)]))
        #expect(!isGood([write, read(3, nil)]))
        #expect(!isGood([write, read(3, 11)]))
        let older = operation(2, 3, 4, .write(value: 11, timestamp: 90), .acknowledged)
        #expect(isGood([write, older, read(5, 10)]))
        #expect(!isGood([write, older, read(5, 11)]))
    }

    @Test func aDroppedColumnStartsEmpty() {
        #expect(isGood([write, read(20, nil)], [drop]))
        #expect(!isGood([write, read(20, 10)], [drop]))
        #expect(isGood([write, read(12, 10)], [drop]), "a node may not know of the drop yet")
        #expect(isGood([write, read(20, 10)], [ColumnDrop(invoked: moment(10))]))
        #expect(isGood([write, read(20, nil)], [ColumnDrop(invoked: moment(10))]))
    }

    @Test func whatIsWrittenLongAfterADropStays() {
        let soon = operation(2, 12, 13, .write(value: 11, timestamp: 200), .acknowledged)
        let later = operation(3, 15, 16, .write(value: 12, timestamp: 300), .acknowledged)
        #expect(isGood([write, soon, read(20, nil)], [drop]))
        #expect(!isGood([write, soon, later, read(20, nil)], [drop]))
        #expect(isGood([write, soon, later, read(20, 12)], [drop]))
    }
}

@Suite struct BatchCheckerTests {
    private func violation(_ present: [Bool]) -> Violation? {
        BatchChecker().violation(
            present.enumerated().map { BatchReading(partition: $0, isPresent: $1) }, of: "batch", history: ["written"])
    }

    @Test func aBatchIsThereAsAWholeOrNotAtAll() {
        #expect(violation([]) == nil)
        #expect(violation([true, true, true]) == nil)
        #expect(violation([false, false]) == nil)
        #expect(violation([true, false, true])?.rule == .batchesAreWhole)
        #expect(
            violation([false, true])?.history == [
                "written", "at the end: partition 0 has no row of it", "at the end: partition 1 has its row",
            ])
    }
}

@Suite struct ReadDomainTests {
    private typealias RowOperation = Simulation.Operation<RowAction, RowResult>

    private func operation(_ number: Int, _ action: RowAction, _ result: RowResult) -> RowOperation {
        RowOperation(
            number: number, client: 1, action: action, invoked: Moment(sequence: number * 2),
            returned: Moment(sequence: number * 2 + 1), result: result)
    }

    /// A write that one data centre has acknowledged must be seen there, and nowhere else.
    @Test func aQuorumIsHeldOnlyAgainstThoseThatMeetIt() {
        let history: RowHistory = [
            operation(1, .write(value: 10, timestamp: 100), .acknowledged), operation(2, .read, .absent),
        ]
        let here: Set<ReadDomain> = [.datacenter("dc1")]
        let there: Set<ReadDomain> = [.datacenter("dc2")]
        func rule(_ domain: ReadDomain, _ written: Set<ReadDomain>, _ read: Set<ReadDomain>) -> Rule? {
            let seen: RowHistory = history.seen(by: domain, [1: written, 2: read])
            return QuorumVisibilityChecker().violation(seen, of: "row")?.rule
        }
        #expect(rule(.datacenter("dc1"), here, here) == .quorumWriteIsVisible)
        #expect(rule(.datacenter("dc2"), here, there) == nil)
        #expect(rule(.cluster, here, [.cluster]) == nil)
        let everywhere: Set<ReadDomain> = [.cluster, .datacenter("dc1"), .datacenter("dc2")]
        #expect(rule(.datacenter("dc2"), everywhere, there) == .quorumWriteIsVisible)
        #expect(rule(.cluster, [.cluster], [.cluster]) == .quorumWriteIsVisible)
    }
}
