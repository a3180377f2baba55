import CQL
import DataModel
import Testing

@testable import Query

/// Warnings and refusals by size, pages of DESCRIBE, and statements over several shards.
@Suite struct StatementLimitTests {
    private func batch(_ node: NodeUnderTest, _ kind: String, _ count: Int, valueByteCount: Int, distinct: Bool = true)
        throws -> QueryResult
    {
        let value = String(repeating: "x", count: valueByteCount)
        let inserts = (0..<count).map { "INSERT INTO t (k, c, v) VALUES (\(distinct ? $0 : 0), \($0), '\(value)');" }
        return try node.run("BEGIN \(kind) BATCH \(inserts.joined(separator: " ")) APPLY BATCH")
    }

    private func node() throws -> NodeUnderTest {
        try NodeUnderTest("CREATE TABLE ks.t (k int, c int, v text, PRIMARY KEY (k, c))")
    }

    @Test func largeBatchesOverPartitionsWarnAndThenFail() throws {
        let node = try node()
        #expect(try batch(node, "", 2, valueByteCount: 100).warnings == [])
        let warnings = try batch(node, "", 2, valueByteCount: 3_000).warnings
        #expect(warnings.count == 1)
        #expect(warnings[0].hasPrefix("Batch for [ks.t] is of size 5.9"))
        #expect(warnings[0].contains(", exceeding specified threshold of 5.000KiB by 10"))
        #expect(throws: CQLError.invalid(message: "Batch too large")) {
            try batch(node, "UNLOGGED", 2, valueByteCount: 30_000)
        }
        #expect(try node.rows("SELECT k FROM t WHERE k = 0 AND v = 'x' ALLOW FILTERING") == [])
        #expect(try node.row("SELECT count(*) FROM t WHERE k IN (0, 1)") == "2")
        #expect(try batch(node, "", 3, valueByteCount: 30_000, distinct: false).warnings == [])
    }

    @Test func unloggedBatchesOverManyPartitionsWarn() throws {
        let node = try node()
        #expect(try batch(node, "UNLOGGED", 10, valueByteCount: 1).warnings == [])
        #expect(
            try batch(node, "UNLOGGED", 11, valueByteCount: 1).warnings == [
                "Unlogged batch covering 11 partitions detected against table [ks.t]. You should use a logged "
                    + "batch for atomicity, or asynchronous writes for performance."
            ])
        #expect(try batch(node, "", 11, valueByteCount: 1).warnings == [])
        #expect(try node.row("SELECT count(*) FROM t") == "11")
    }

    @Test func tombstonesWarn() throws {
        let node = try node()
        for row in 0..<1_001 { try node.run("DELETE FROM t WHERE k = 1 AND c = \(row)") }
        try node.run("INSERT INTO t (k, c, v) VALUES (1, 2000, 'x')")
        let all = try node.run("SELECT c FROM t WHERE k = 1")
        #expect(all.warnings.count == 1)
        #expect(
            all.warnings.first?.hasPrefix(
                "Read 1 live rows and 1001 tombstone cells for query SELECT c FROM t WHERE k = 1; token ") == true)
        #expect(try node.run("SELECT c FROM t WHERE k = 1 AND c > 0").warnings == [])
    }

    @Test func tooManyTombstonesFailTheRead() throws {
        let limit = TombstoneLimit(count: 3, consistency: .one, address: .loopback)
        try limit.check(3)
        #expect(
            throws: CQLError.readFailure(
                message:
                    "Operation failed - received 0 responses and 1 failures: READ_TOO_MANY_TOMBSTONES from /127.0.0.1",
                consistency: .one, received: 0, required: 1,
                failures: [ReplicaFailure(address: .loopback, reason: .readTooManyTombstones)], isDataPresent: false)
        ) { try limit.check(4) }
    }

    @Test func aggregatesCountTombstonesAnewForEachOfTheirPages() throws {
        let columns: [String] = (0..<18).map { "a\($0)" }
        let node = try NodeUnderTest(
            "CREATE TABLE ks.w (k int, c int, \(columns.map { "\($0) int" }.joined(separator: ", ")), PRIMARY KEY (k, c))"
        )
        let names: String = columns.joined(separator: ", ")
        let nulls: String = columns.map { _ in "null" }.joined(separator: ", ")
        // 108,000 tombstones, of which no page of 5,000 rows has more than 90,000.
        for start in stride(from: 0, to: 6_000, by: 100) {
            let inserts: [String] = (start..<(start + 100)).map {
                "INSERT INTO w (k, c, \(names)) VALUES (1, \($0), \(nulls));"
            }
            try node.run("BEGIN UNLOGGED BATCH \(inserts.joined(separator: " ")) APPLY BATCH")
        }
        #expect(try node.row("SELECT count(*) FROM w WHERE k = 1") == "6000")
    }

    @Test func describeIsPagedWhileTheSchemaStays() throws {
        let node = try node()
        var context = RequestContext(keyspace: "ks")
        context.pageSize = 1
        guard case .rows(let first) = try node.run("DESCRIBE KEYSPACE ks", [], context).kind else { return }
        #expect(first.rowCount == 1)
        let state: [UInt8] = try #require(first.pagingState)
        context.pagingState = state
        guard case .rows(let second) = try node.run("DESCRIBE KEYSPACE ks", [], context).kind else { return }
        #expect(second.rowCount == 1)
        #expect(second.pagingState == nil)
        #expect(NodeUnderTest.texts(first) != NodeUnderTest.texts(second))
        try node.run("CREATE TABLE other (k int PRIMARY KEY)")
        #expect(
            throws: CQLError.invalid(
                message:
                    "The schema has changed since the previous page of the DESCRIBE statement result. Please retry the DESCRIBE statement."
            )
        ) { try node.run("DESCRIBE KEYSPACE ks", [], context) }
        context.pagingState = [1, 2, 3]
        #expect(throws: CQLError.self) { try node.run("DESCRIBE KEYSPACE ks", [], context) }
    }

    /// All rows of a query, page by page.
    private func pages(_ node: NodeUnderTest, _ text: String, size: Int) throws -> [[String]] {
        var context = RequestContext(keyspace: "ks")
        context.pageSize = size
        var pages: [[String]] = []
        while true {
            guard case .rows(let page) = try node.run(text, [], context).kind else { return pages }
            pages.append(NodeUnderTest.texts(page))
            guard let state = page.pagingState else { return pages }
            context.pagingState = state
        }
    }

    @Test(arguments: [1, 2, 4])
    func partitionsOfManyShardsComeInOrderInPagesOfAnySize(_ shards: Int) throws {
        let node = try NodeUnderTest(
            shards: shards, "CREATE TABLE ks.t (k int, c int, s int STATIC, PRIMARY KEY (k, c))")
        var wanted: [String] = []
        for key in 0..<50 {
            for row in 0..<(key % 4) {
                try node.run("INSERT INTO t (k, c) VALUES (\(key), \(row))")
                wanted.append("\(key) | \(row) | null")
            }
        }
        try node.run("INSERT INTO t (k, s) VALUES (60, 5)")
        wanted.append("60 | null | 5")
        let keys = (0..<70).map(String.init).joined(separator: ", ")
        let text = "SELECT k, c, s FROM t WHERE k IN (\(keys))"
        #expect(try node.rows(text) == wanted)
        for size in [1, 2, 3, 7, 20, 1_000] {
            let pages = try pages(node, text, size: size)
            #expect(pages.flatMap { $0 } == wanted, "\(size)")
            #expect(pages.allSatisfy { $0.count <= size })
            let limited = try self.pages(node, text + " PER PARTITION LIMIT 2 LIMIT 30", size: size).flatMap { $0 }
            #expect(limited.count == 30)
            #expect(limited == Array(wanted.filter { !$0.contains("| 2 |") }.prefix(30)), "\(size)")
        }
        #expect(try node.row("SELECT count(*) FROM t WHERE k IN (\(keys))") == "\(wanted.count - 1 + 1)")
    }

    @Test func partitionsThatAreOneRowEachComeOnceInPagesOfAnySize() throws {
        let node = try NodeUnderTest("CREATE TABLE ks.t (k int, c int, s int STATIC, PRIMARY KEY (k, c))")
        for key in 0..<12 {
            try node.run("INSERT INTO t (k, s) VALUES (\(key), 1)")
            for row in 0..<(key % 4) { try node.run("INSERT INTO t (k, c) VALUES (\(key), \(row))") }
        }
        try node.flush()
        for key in 0..<6 { try node.run("INSERT INTO t (k, s) VALUES (\(key), \(key))") }
        for text in ["SELECT DISTINCT k, s FROM t", "SELECT k, s, count(c) FROM t GROUP BY k", "SELECT k, c, s FROM t"]
        {
            let wanted: [String] = try node.rows(text)
            #expect(Set(wanted.map { $0.prefix { $0 != " " } }).count == 12)
            for size in [1, 2, 5, 12, 13] {
                #expect(try pages(node, text, size: size).flatMap { $0 } == wanted, "\(size): \(text)")
            }
        }
    }

    @Test func writesOverShardsAllArrive() throws {
        let node = try NodeUnderTest(shards: 4, "CREATE TABLE ks.t (k int PRIMARY KEY, v int, l list<int>)")
        let keys = (0..<40).map(String.init).joined(separator: ", ")
        try node.run("UPDATE t SET v = 1, l = l + [1] WHERE k IN (\(keys))")
        try node.run("UPDATE t SET l[0] = 7 WHERE k IN (\(keys))")
        #expect(try node.row("SELECT count(v), sum(v) FROM t") == "40 | 40")
        #expect(Set(try node.rows("SELECT l FROM t")) == ["[7]"])
        #expect(
            node.message("UPDATE t SET l[3] = 7 WHERE k IN (\(keys))") == "List index 3 out of bound, list has size 1")
    }

    @Test func rowsStayWhateverColumnsAreWanted() throws {
        let node = try NodeUnderTest("CREATE TABLE ks.t (k int, c int, a int, b int, PRIMARY KEY (k, c))")
        try node.run("UPDATE t USING TIMESTAMP 10 SET b = 1 WHERE k = 1 AND c = 1")
        try node.flush()
        try node.run("UPDATE t USING TIMESTAMP 20 SET a = 2 WHERE k = 1 AND c = 1")
        try node.flush()
        try node.run("DELETE a FROM t USING TIMESTAMP 30 WHERE k = 1 AND c = 1")
        #expect(try node.rows("SELECT a FROM t WHERE k = 1 AND c = 1") == ["null"])
        #expect(try node.rows("SELECT c FROM t WHERE k = 1 AND c = 1") == ["1"])
        #expect(try node.rows("SELECT b FROM t WHERE k = 1 AND c = 1") == ["1"])
        try node.flush()
        #expect(try node.rows("SELECT a, writetime(b) FROM t WHERE k = 1 AND c = 1") == ["null | 10"])
        try node.run("DELETE b FROM t USING TIMESTAMP 40 WHERE k = 1 AND c = 1")
        #expect(try node.rows("SELECT a FROM t WHERE k = 1 AND c = 1") == [])
    }
}

/// Conditions of lightweight transactions on what is in a collection.
@Suite struct CollectionConditionTests {
    @Test func conditionsAskForElements() throws {
        let node = try NodeUnderTest(
            "CREATE TABLE ks.t (k int PRIMARY KEY, v int, m map<text, int>, s set<int>)",
            "INSERT INTO ks.t (k, v, m, s) VALUES (1, 0, {'a': 1}, {5})")
        #expect(
            try node.row("UPDATE t SET v = 1 WHERE k = 1 IF m CONTAINS KEY 'a' AND m CONTAINS 1 AND s CONTAINS 5")
                == "true")
        #expect(try node.row("UPDATE t SET v = 2 WHERE k = 1 IF s CONTAINS 6") == "false | {5}")
        #expect(try node.row("UPDATE t SET v = 2 WHERE k = 1 IF m CONTAINS KEY 'b'") == "false | {'a': 1}")
        #expect(try node.row("SELECT v FROM t") == "1")
        #expect(
            node.message("UPDATE t SET v = 2 WHERE k = 1 IF v CONTAINS 6")
                == "Cannot use CONTAINS on non-collection column v")
        #expect(
            node.message("UPDATE t SET v = 2 WHERE k = 1 IF s CONTAINS ?", [.null])
                == "Invalid comparison with null for operator \"CONTAINS\"")
    }
}
