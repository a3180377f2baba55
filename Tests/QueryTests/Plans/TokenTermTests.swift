import CQL
import DataModel
import Primitives
import Testing

@testable import Query

/// `token(…)` where a value stands.
@Suite struct TokenTermTests {
    private func sandbox() throws -> PlanSandbox {
        try PlanSandbox("CREATE TABLE t (a int, b text, v bigint, PRIMARY KEY ((a, b)))")
    }

    @Test func theMarkersInItHaveTheTypesOfThePartitionKey() throws {
        let statement = try sandbox().prepare("SELECT * FROM t WHERE token(a, b) > token(?, ?) AND token(a, b) <= ?")
        #expect(statement.markers.columns.map(\.type) == [.int, .text, .bigint])
    }

    @Test func itIsTheTokenOfTheKey() throws {
        let plan = try sandbox().modification("UPDATE t SET v = token(1, 'x') WHERE a = 1 AND b = 'x'")
        guard case .assign(let expression)? = plan.regularChanges.first?.action else {
            Issue.record("an assignment is missing")
            return
        }
        let value = try expression.evaluate(Bindings(values: [], nowMicroseconds: 0, timeUUIDs: nil))
        let key: [UInt8] = [0, 4, 0, 0, 0, 1, 0, 0, 1, 120, 0]
        #expect(value.bytes == SelectorEvaluation.bigint(Token(ofKey: key.span.bytes).value))
    }

    @Test func itTakesTheWholePartitionKey() throws {
        let sandbox = try sandbox()
        #expect(
            sandbox.refusal("SELECT * FROM t WHERE token(a, b) > token(1)")
                == "Invalid number of arguments in call to function system.token: 2 required but 1 provided")
        #expect(sandbox.refusal("SELECT * FROM t WHERE token(a, b) > token('x', 1)") != nil)
    }
}
