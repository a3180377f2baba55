import CQL
import DataModel
import Testing

@testable import Query

/// What a SELECT may ask for.
@Suite struct SelectPlanTests {
    private func sandbox() throws -> PlanSandbox {
        try PlanSandbox("CREATE TABLE t (a int, b int, c int, d int, v int, s int static, PRIMARY KEY ((a, b), c, d))")
    }

    private func plan(_ text: String) throws -> SelectPlan {
        guard case .select(let plan) = try sandbox().prepare(text).plan else {
            throw CQLError.serverError(message: "no select: \(text)")
        }
        return plan
    }

    @Test func whatAggregatesTakeCountsAsSelected() throws {
        let sandbox = try sandbox()
        for selection in ["count(a), max(b)", "a, b, count(*)", "a, b, max(s)", "a, b"] {
            #expect(sandbox.refusal("SELECT DISTINCT \(selection) FROM t") == nil, "\(selection)")
        }
        #expect(
            sandbox.refusal("SELECT DISTINCT count(*) FROM t")
                == "SELECT DISTINCT queries must request all the partition key columns (missing a)")
        #expect(
            sandbox.refusal("SELECT DISTINCT count(a) FROM t")
                == "SELECT DISTINCT queries must request all the partition key columns (missing b)")
        for column in ["v", "c"] {
            #expect(
                sandbox.refusal("SELECT DISTINCT a, b, max(\(column)) FROM t")
                    == "SELECT DISTINCT queries must only request partition key columns and/or static columns "
                    + "(not \(column))")
        }
    }

    @Test func aColumnThatIsOrderedTwiceTakesTheLaterDirection() throws {
        let start = "SELECT * FROM t WHERE a = 1 AND b = 2 ORDER BY "
        #expect(try plan(start + "c ASC, c DESC").isReversed)
        #expect(try !plan(start + "c DESC, c ASC").isReversed)
        #expect(try plan(start + "c ASC, d DESC, c DESC").isReversed)
        #expect(try sandbox().refusal(start + "c ASC, d DESC, c ASC") == "Unsupported order by relation")
    }
}
