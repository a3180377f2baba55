import Simulation
import Testing

private typealias CounterOperation = Simulation.Operation<CounterAction, CounterResult>

private func operation(
    _ number: Int, _ from: Int, _ to: Int, _ action: CounterAction, _ result: CounterResult?
) -> CounterOperation {
    CounterOperation(
        number: number, client: number, action: action, invoked: Moment(sequence: from),
        returned: result == nil ? nil : Moment(sequence: to), result: result)
}

@Suite struct CounterCheckerTests {
    private let one = operation(1, 1, 2, .add(1), .acknowledged)
    private let ten = operation(2, 3, 4, .add(10), .acknowledged)

    private func isGood(_ history: CounterHistory) -> Bool {
        CounterChecker().violation(history, of: "counter") == nil
    }

    @Test func aCounterIsExactWhenEverythingWasAcknowledged() {
        #expect(isGood([operation(9, 5, 6, .read, .value(0))]))
        #expect(isGood([one, ten, operation(9, 5, 6, .read, .value(11))]))
        #expect(!isGood([one, ten, operation(9, 5, 6, .read, .value(10))]))
        #expect(!isGood([one, ten, operation(9, 5, 6, .read, .value(12))]))
        #expect(!isGood([one, ten, operation(9, 5, 6, .read, .value(21))]))
    }

    @Test func anUnknownIncrementCountsOnceOrNotAtAll() {
        let unknown = operation(3, 3, 0, .add(100), nil)
        #expect(isGood([one, unknown, operation(9, 5, 6, .read, .value(1))]))
        #expect(isGood([one, unknown, operation(9, 5, 6, .read, .value(101))]))
        #expect(!isGood([one, unknown, operation(9, 5, 6, .read, .value(201))]))
        #expect(!isGood([one, unknown, operation(9, 5, 6, .read, .value(50))]))
    }

    @Test func anIncrementUnderWayMayBeSeenOrNot() {
        let long = operation(3, 1, 9, .add(-5), .acknowledged)
        #expect(isGood([long, operation(9, 5, 6, .read, .value(0))]))
        #expect(isGood([long, operation(9, 5, 6, .read, .value(-5))]))
        #expect(!isGood([long, operation(9, 10, 11, .read, .value(0))]))
    }

    @Test func anIncrementSentAfterTheReadIsNotSeen() {
        let later = operation(3, 7, 8, .add(1), .acknowledged)
        #expect(!isGood([later, operation(9, 5, 6, .read, .value(1))]))
    }
}
