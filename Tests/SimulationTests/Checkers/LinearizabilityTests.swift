import Primitives
import Simulation
import Testing

private typealias Register = ConditionalRegister
private typealias RegisterOperation = Simulation.Operation<ConditionalRegister.Action, ConditionalRegister.Result>

/// An operation from one moment to another; without a result its outcome is unknown.
private func operation(
    _ number: Int, _ from: Int, _ to: Int, _ action: Register.Action, _ result: Register.Result?
) -> RegisterOperation {
    RegisterOperation(
        number: number, client: number, action: action, invoked: Moment(sequence: from),
        returned: result == nil ? nil : Moment(sequence: to), result: result)
}

@Suite struct LinearizabilityTests {
    private let checker = LinearizabilityChecker<ConditionalRegister>()

    private func isLinearizable(_ history: [RegisterOperation]) -> Bool {
        if case .linearizable = checker.verdict(history, from: nil) { true } else { false }
    }

    private func counterexample(_ history: [RegisterOperation]) -> LinearizabilityChecker<Register>.Counterexample? {
        if case .violated(let example) = checker.verdict(history, from: nil) { example } else { nil }
    }

    @Test func nothingIsLinearizable() {
        #expect(isLinearizable([]))
    }

    @Test func operationsOneAfterAnotherMustFitTheirOrder() {
        let insert = operation(1, 1, 2, .insertIfNotExists(5), .applied)
        #expect(isLinearizable([insert, operation(2, 3, 4, .read, .value(5))]))
        #expect(!isLinearizable([insert, operation(2, 3, 4, .read, .value(nil))]))
        #expect(!isLinearizable([insert, operation(2, 3, 4, .read, .value(6))]))
    }

    @Test func operationsAtTheSameTimeMayHaveAnyOrder() {
        let insert = operation(1, 1, 4, .insertIfNotExists(5), .applied)
        #expect(isLinearizable([insert, operation(2, 2, 3, .read, .value(5))]))
        #expect(isLinearizable([insert, operation(2, 2, 3, .read, .value(nil))]))
    }

    @Test func twoReadsInARowMayNotGoBack() {
        let insert = operation(1, 1, 10, .insertIfNotExists(5), .applied)
        let new = operation(2, 2, 3, .read, .value(5))
        let old = operation(3, 4, 5, .read, .value(nil))
        #expect(!isLinearizable([insert, new, old]))
        #expect(isLinearizable([insert, operation(2, 4, 5, .read, .value(5)), operation(3, 2, 3, .read, .value(nil))]))
    }

    @Test func onlyOneOfTwoInsertsIsApplied() {
        let first = operation(1, 1, 4, .insertIfNotExists(5), .applied)
        #expect(!isLinearizable([first, operation(2, 2, 3, .insertIfNotExists(6), .applied)]))
        #expect(isLinearizable([first, operation(2, 2, 3, .insertIfNotExists(6), .notApplied(5))]))
        #expect(!isLinearizable([first, operation(2, 2, 3, .insertIfNotExists(6), .notApplied(nil))]))
    }

    @Test func aLostUpdateIsFound() {
        let insert = operation(1, 1, 2, .insertIfNotExists(1), .applied)
        let one = operation(2, 3, 6, .compareAndSet(expected: 1, new: 2), .applied)
        let other = operation(3, 4, 5, .compareAndSet(expected: 1, new: 3), .applied)
        #expect(!isLinearizable([insert, one, other]))
    }

    @Test func anUnknownOutcomeMayTakeEffectLaterOrNever() {
        let insert = operation(1, 1, 2, .insertIfNotExists(1), .applied)
        let unknown = operation(2, 3, 0, .compareAndSet(expected: 1, new: 2), nil)
        #expect(isLinearizable([insert, unknown, operation(3, 8, 9, .read, .value(1))]))
        #expect(isLinearizable([insert, unknown, operation(3, 8, 9, .read, .value(2))]))
        let old = operation(3, 8, 9, .read, .value(1))
        #expect(isLinearizable([insert, unknown, old, operation(4, 10, 11, .read, .value(2))]))
        let new = operation(3, 8, 9, .read, .value(2))
        #expect(!isLinearizable([insert, unknown, new, operation(4, 10, 11, .read, .value(1))]))
    }

    @Test func anUnknownOutcomeTakesEffectOnce() {
        let unknown = operation(1, 1, 0, .insertIfNotExists(1), nil)
        let deleted = operation(2, 2, 3, .deleteIfExists, .applied)
        let read = operation(3, 4, 5, .read, .value(1))
        #expect(!isLinearizable([unknown, deleted, read]))
    }

    @Test func anUnknownOutcomeHasNoEffectBeforeItWasSent() {
        let read = operation(1, 1, 2, .read, .value(1))
        #expect(!isLinearizable([read, operation(2, 3, 0, .insertIfNotExists(1), nil)]))
    }

    @Test func theSearchEndsUndecidedAtItsLimit() {
        // All at once and nothing fits in the end: the search has to try very many sets.
        var history: [RegisterOperation] = (0..<24).map {
            operation($0, $0 + 1, 0, .compareAndSet(expected: Int64($0), new: Int64(($0 * 7 + 1) % 24)), nil)
        }
        history += (24..<40).map { operation($0, $0 + 1, 100 + $0, .insertIfNotExists(Int64($0 - 24)), nil) }
        history.append(operation(50, 300, 301, .read, .value(-1)))
        let small = LinearizabilityChecker<ConditionalRegister>(stepLimit: 500)
        guard case .undecided(stepCount: 500) = small.verdict(history, from: nil) else {
            Issue.record("the search did not end at its limit")
            return
        }
    }

    @Test func aCounterexampleIsShort() throws {
        var history: [RegisterOperation] = []
        var time = 0
        func add(_ action: Register.Action, _ result: Register.Result) {
            history.append(operation(history.count, time + 1, time + 2, action, result))
            time += 2
        }
        add(.insertIfNotExists(0), .applied)
        for value: Int64 in 1...20 {
            add(.compareAndSet(expected: value - 1, new: value), .applied)
            add(.read, .value(value))
        }
        add(.compareAndSet(expected: 7, new: 8), .notApplied(19))
        add(.read, .value(20))
        add(.compareAndSet(expected: 20, new: 21), .applied)
        let example = try #require(counterexample(history))
        #expect(example.history.count == 1)
        #expect(example.before == [20])
        #expect(example.history.first?.result == .notApplied(19))
    }

    /// Whether some order fits, by trying all of them.
    private static func hasOrder(_ left: [RegisterOperation], _ state: Int64?) -> Bool {
        if left.allSatisfy(\.isUnknown) { return true }
        for (index, candidate) in left.enumerated() {
            let mustWait: Bool = left.contains { other in other.returned.map { $0 < candidate.invoked } ?? false }
            guard !mustWait,
                let next = Register.after(candidate.action, on: state, telling: candidate.result)
            else { continue }
            var rest: [RegisterOperation] = left
            rest.remove(at: index)
            if hasOrder(rest, next) { return true }
        }
        return false
    }

    private static func randomHistory(_ generator: inout SeededGenerator) -> [RegisterOperation] {
        var history: [RegisterOperation] = []
        var moments: [Int] = Array(1...14)
        moments.shuffle(using: &generator)
        for number in 0..<7 {
            let (from, to) = (
                min(moments[number * 2], moments[number * 2 + 1]), max(moments[number * 2], moments[number * 2 + 1])
            )
            func value() -> Int64? { [nil, 1, 2, 3][generator.below(4)] }
            let action: Register.Action
            let result: Register.Result
            switch generator.below(4) {
            case 0:
                (action, result) = (
                    .insertIfNotExists(value() ?? 1), generator.oneIn(2) ? .applied : .notApplied(value())
                )
            case 1:
                (action, result) = (
                    .compareAndSet(expected: value() ?? 1, new: value() ?? 2),
                    generator.oneIn(2) ? .applied : .notApplied(value())
                )
            case 2: (action, result) = (.deleteIfExists, generator.oneIn(2) ? .applied : .notApplied(nil))
            default: (action, result) = (.read, .value(value()))
            }
            history.append(operation(number, from, to, action, generator.oneIn(3) ? nil : result))
        }
        return history
    }

    @Test(arguments: [UInt64(1), 2, 3]) func agreesWithTryingEveryOrder(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var counts: [Bool: Int] = [:]
        for round in 0..<400 {
            let history: [RegisterOperation] = Self.randomHistory(&generator)
            let expected: Bool = Self.hasOrder(history, nil)
            counts[expected, default: 0] += 1
            #expect(isLinearizable(history) == expected, "seed \(seed) round \(round): \(history)")
            guard let example = counterexample(history) else { continue }
            let isBad: Bool = example.before.allSatisfy { !Self.hasOrder(example.history, $0) }
            #expect(isBad, "seed \(seed) round \(round): the shortened history is good")
        }
        #expect((counts[true] ?? 0) > 20 && (counts[false] ?? 0) > 20)
    }
}
