import CQL
import Testing

@testable import Query

/// How long a statement may be.
@Suite struct StatementLengthTests {
    @Test func largeValuesMayStandInTheText() throws {
        let sandbox = try PlanSandbox("CREATE TABLE t (k int PRIMARY KEY, v text)")
        let start = "INSERT INTO t (k, v) VALUES (1, '"
        let limit: Int = StatementPreparer.maximumByteCount
        let room: Int = limit - start.utf8.count - 2
        #expect(sandbox.refusal(start + String(repeating: "a", count: room) + "')") == nil)
        #expect(
            sandbox.refusal(start + String(repeating: "a", count: room + 1) + "')")
                == "The statement has \(limit + 1) bytes; at most \(limit) are allowed")
    }
}
