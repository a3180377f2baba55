import CQL
import DataModel
import Testing

@testable import Query

/// Aggregates, GROUP BY, and what clients are told of them.
@Suite struct AggregateTests {
    private func node() throws -> NodeUnderTest {
        let node = try NodeUnderTest(
            "CREATE TABLE ks.t (k int, c timestamp, i int, a tinyint, f float, v varint, d decimal, PRIMARY KEY (k, c))"
        )
        let big = "99999999999999999999"
        for (minute, row) in [
            (0, "1, 127, 0.1, \(big), 1.10"), (5, "2, 1, 0.2, \(big), 2.25"), (65, "4, 1, 0.3, 2, 3.3"),
        ] {
            try node.run("INSERT INTO t (k, c, i, a, f, v, d) VALUES (1, \(minute * 60_000), \(row))")
        }
        return node
    }

    @Test func sumsAndAveragesAreExactInTheirType() throws {
        let node = try node()
        #expect(try node.row("SELECT sum(i), avg(i), sum(a), avg(a) FROM t") == "7 | 2 | -127 | 43")
        #expect(
            try node.row("SELECT sum(v), avg(v), sum(d), avg(d) FROM t")
                == "200000000000000000000 | 66666666666666666666 | 6.65 | 2.22")
        #expect(
            try node.row("SELECT sum(f), avg(f), min(d), max(v) FROM t") == "0.6 | 0.2 | 1.10 | 99999999999999999999")
        #expect(
            try node.columns("SELECT sum(v), avg(d), count(*), count(1), count(i) FROM t") == [
                "system.sum(v) varint", "system.avg(d) decimal", "count bigint", "count bigint",
                "system.count(i) bigint",
            ])
    }

    @Test func nothingSumsToZero() throws {
        let node = try node()
        #expect(
            try node.row(
                "SELECT count(*), sum(v), avg(v), sum(d), avg(d), avg(f), min(i), max(v), k FROM t WHERE k = 2")
                == "0 | 0 | 0 | 0 | 0 | 0.0 | null | null | null")
    }

    @Test func aggregatesAreCalculatedWith() throws {
        let node = try node()
        #expect(try node.row("SELECT sum(i) + 1, max(i) - min(i), abs(min(i)), i + sum(i) FROM t") == "8 | 3 | 1 | 8")
    }

    @Test func floorMakesGroupsOfTheLastColumn() throws {
        let node = try node()
        #expect(
            try node.rows("SELECT floor(c, 1h), count(*), sum(i) FROM t GROUP BY k, floor(c, 1h)") == [
                "'1970-01-01T00:00:00.000Z' | 2 | 3", "'1970-01-01T01:00:00.000Z' | 1 | 4",
            ])
        #expect(try node.rows("SELECT count(*) FROM t WHERE k = 1 GROUP BY floor(c, 5m)") == ["1", "1", "1"])
        #expect(
            node.message("SELECT count(*) FROM t GROUP BY k, floor(c, 1h), c")
                == "Functions are only supported on the last element of the GROUP BY clause")
        #expect(
            node.message("SELECT count(*) FROM t GROUP BY k, now()")
                == "GROUP BY functions must have one clustering column name as parameter")
        #expect(
            node.message("SELECT count(*) FROM t GROUP BY abs(k)")
                == "Group by functions are only supported on clustering columns, got k")
        #expect(
            node.message("SELECT count(*) FROM t GROUP BY k, max(c)")
                == "Aggregate functions are not supported within the GROUP BY clause, got: system.max(c)")
    }

    @Test func groupsArePaged() throws {
        let node = try node()
        var context = RequestContext(keyspace: "ks")
        context.pageSize = 1
        let text = "SELECT floor(c, 1h), count(*) FROM t GROUP BY k, floor(c, 1h)"
        var found: [String] = []
        for _ in 0..<5 {
            guard case .rows(let page) = try node.run(text, [], context).kind else { break }
            found += NodeUnderTest.texts(page)
            context.pagingState = page.pagingState
            if page.pagingState == nil { break }
        }
        #expect(found == ["'1970-01-01T00:00:00.000Z' | 2", "'1970-01-01T01:00:00.000Z' | 1"])
    }

    @Test func clientsAreWarnedOfAggregatesOverManyPartitions() throws {
        let node = try node()
        #expect(try node.run("SELECT count(*) FROM t").warnings == ["Aggregation query used without partition key"])
        #expect(
            try node.run("SELECT count(*) FROM t WHERE k IN (1, 2)").warnings == [
                "Aggregation query used on multiple partition keys (IN restriction)"
            ])
        #expect(try node.run("SELECT count(*) FROM t WHERE k = 1").warnings == [])
        #expect(try node.run("SELECT i FROM t WHERE k IN (1, 2)").warnings == [])
    }
}
