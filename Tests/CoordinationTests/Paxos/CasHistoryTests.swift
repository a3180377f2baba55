import Testing

/// The checker itself: what is right passes, what is wrong does not.
@Suite struct CasHistoryTests {
    private func history(_ steps: [(tried: [(String, String?)], outcome: CasHistory.Outcome)]) -> CasHistory {
        var history = CasHistory()
        var time: UInt64 = 0
        for step in steps {
            time += 10
            let operation = history.begin(at: time)
            for one in step.tried { history.tried(one.0, after: one.1, by: operation) }
            history.ended(operation, step.outcome, at: time + 5)
        }
        return history
    }

    @Test func aChainIsRight() {
        let right = history([
            ([("a", nil)], .applied("a")), ([], .seen("a")), ([("b", "a"), ("c", "a")], .applied("c")),
            ([("d", "c")], .unknown), ([], .seen("d")),
        ])
        #expect(right.problem(last: "d") == nil)
        #expect(right.appliedCount == 2)
    }

    @Test func whatIsWrongIsFound() {
        let lost = history([([("a", nil)], .applied("a")), ([("b", nil)], .applied("b"))])
        #expect(lost.problem(last: "b") != nil)
        let twice = history([([("a", nil), ("b", "a")], .applied("b"))])
        #expect(twice.problem(last: "b") != nil)
        let denied = history([([("a", nil)], .refused)])
        #expect(denied.problem(last: "a") != nil)
        let stale = history([([("a", nil)], .applied("a")), ([], .seen(nil))])
        #expect(stale.problem(last: "a") != nil)
        let returned = history([([("a", nil)], .unknown), ([], .seen(nil))])
        #expect(returned.problem(last: "a") != nil)
        #expect(returned.problem(last: nil) == nil)
        #expect(history([]).problem(last: "x") != nil)
    }
}
