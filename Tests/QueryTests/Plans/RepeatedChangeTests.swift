import CQL
import DataModel
import Primitives
import Testing

@testable import Query

/// Statements that change one column more than once.
@Suite struct RepeatedChangeTests {
    private func sandbox() throws -> PlanSandbox {
        try PlanSandbox(
            "CREATE TYPE u (a int, b int)",
            "CREATE TABLE t (k int PRIMARY KEY, n int, l list<int>, s set<int>, m map<int, int>, v u)",
            "CREATE TABLE c (k int PRIMARY KEY, n counter)")
    }

    @Test func partsOfAColumnMayChangeTogether() throws {
        let sandbox = try sandbox()
        let allowed: [String] = [
            "s = s + {1}, s = s - {2}", "l = [0] + l, l = l + [9]", "l = l - [1], l = l + [2], l[0] = 3",
            "m[1] = 1, m[1] = 2", "m = m + {1: 1}, m[2] = 2, m = m - {3}", "v.a = 1, v.b = 2",
        ]
        for changes in allowed {
            #expect(sandbox.refusal("UPDATE t SET \(changes) WHERE k = 1") == nil, "\(changes)")
        }
        #expect(sandbox.refusal("UPDATE c SET n = n + 1, n = n - 2 WHERE k = 1") == nil)
    }

    @Test func aColumnIsReplacedOnceAndThenByNothingElse() throws {
        let sandbox = try sandbox()
        let refused: [(String, String)] = [
            ("n = 1, n = 2", "n"), ("s = {1}, s = s + {2}", "s"), ("s = s + {2}, s = {1}", "s"),
            ("l[0] = 1, l = [2]", "l"), ("v.a = 1, v.a = 2", "v"), ("v = {a: 1}, v.b = 2", "v"),
            ("v.b = 2, v = {a: 1}", "v"),
        ]
        for (changes, name) in refused {
            #expect(
                sandbox.refusal("UPDATE t SET \(changes) WHERE k = 1")
                    == "Multiple incompatible setting of column \(name)",
                "\(changes)")
        }
    }

    @Test func aCounterCountsAllThatOneStatementAdds() throws {
        let sandbox = try sandbox()
        let plan = try sandbox.modification("UPDATE c SET n = n + 5, n = n - 2, n = n + 4 WHERE k = 1")
        let bindings = Bindings(values: [], nowMicroseconds: 1_000_000, timeUUIDs: nil)
        let execution = ModificationExecution(
            plan: plan, bindings: bindings, times: WriteTimes(timestamp: 1, timeToLive: 0, nowSeconds: 1))
        var update = PartitionUpdate(table: plan.table, key: [0, 0, 0, 1])
        try execution.apply(to: &update)
        let body: [UInt8] = try #require(update.changes.rows.first?.body)
        var deltas: [Int64] = []
        var reader = try RowReader(body.span.bytes)
        while let cell = try reader.next() {
            let value: [UInt8] = Array(body[cell.valueOffset..<(cell.valueOffset + cell.valueByteCount)])
            var number = ByteReader(value.span.bytes)
            deltas.append(try number.readInt64())
            #expect(cell.flags.contains(.counter))
        }
        #expect(deltas == [7])
    }
}
