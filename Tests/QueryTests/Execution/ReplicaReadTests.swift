import CQL
import DataModel
import Primitives
import SimulatedHost
import Testing

@testable import Query

/// Statements that read from several replicas: levels, differences, pages.
@Suite struct ReplicaReadTests {
    private static let needs: [(Consistency, Int)] = [
        (.one, 1), (.two, 2), (.three, 3), (.quorum, 2), (.all, 3), (.localOne, 1), (.localQuorum, 2),
        (.eachQuorum, 2),
    ]

    private func cluster(_ seed: UInt64 = 1) throws -> ClusterUnderTest {
        try ClusterUnderTest(seed: seed, "CREATE TABLE ks.t (k int, c int, v int, s int STATIC, PRIMARY KEY (k, c))")
    }

    @Test(arguments: [0, 1, 2]) func levelsAreMetByAsManyReplicasAsTheyNeed(_ deadCount: Int) throws {
        let cluster = try cluster()
        for key in 0..<4 { try cluster.run("INSERT INTO t (k, c, v) VALUES (\(key), 1, \(key))", .all) }
        for index in 0..<deadCount { cluster.kill(2 - index) }
        for (level, needed) in ReplicaReadTests.needs {
            let isEnough: Bool = needed <= 3 - deadCount
            let shortage: CQLError? =
                isEnough ? nil : .unavailable(level, required: needed, alive: 3 - deadCount)
            for text in ["SELECT v FROM t WHERE k = 2", "SELECT v FROM t WHERE k IN (1, 2)", "SELECT v FROM t"] {
                #expect(cluster.refusal(text, level) == shortage, "\(level) \(text)")
            }
            if isEnough {
                #expect(try cluster.rows("SELECT v FROM t WHERE k IN (3, 1, 2)", level) == ["1", "2", "3"])
                #expect(try cluster.rows("SELECT v FROM t", level).sorted() == ["0", "1", "2", "3"])
            }
        }
    }

    @Test func levelsThatAreNotForReadsAreRefused() throws {
        let cluster = try cluster()
        #expect(
            cluster.refusal("SELECT v FROM t", .any)
                == .invalid(message: "ANY ConsistencyLevel is only supported for writes"))
    }

    @Test func readingOnlyThisNodeShowsWhatItHas() throws {
        let cluster = try cluster()
        try cluster.alone(1) { try $0.run("INSERT INTO t (k, c, v) VALUES (1, 1, 1)", on: 1, .one) }
        #expect(try cluster.own("SELECT v FROM t", 0) == [])
        #expect(try cluster.own("SELECT v FROM t", 1) == ["1"])
        #expect(try cluster.rows("SELECT v FROM t", .all) == ["1"])
    }

    @Test(arguments: [true, false]) func whatAReplicaMissesIsBroughtToItUnlessTheTableSaysNo(_ repairs: Bool) throws {
        let cluster = try cluster()
        if !repairs { try cluster.change("ALTER TABLE ks.t WITH read_repair = 'NONE'") }
        try cluster.run("INSERT INTO t (k, c, v) VALUES (1, 1, 1)", .all)
        try cluster.run("INSERT INTO t (k, c, v) VALUES (1, 2, 1)", .all)
        try cluster.alone(1) { cluster in
            try cluster.run("INSERT INTO t (k, c, v) VALUES (1, 1, 2)", on: 1, .one)
            try cluster.run("DELETE FROM t WHERE k = 1 AND c = 2", on: 1, .one)
        }
        #expect(try cluster.own("SELECT v FROM t WHERE k = 1", 0) == ["1", "1"])
        #expect(try cluster.rows("SELECT v FROM t WHERE k = 1", .all) == ["2"])
        #expect(try cluster.own("SELECT v FROM t WHERE k = 1", 0) == (repairs ? ["2"] : ["1", "1"]))
        #expect(try cluster.own("SELECT v FROM t WHERE k = 1", 2) == (repairs ? ["2"] : ["1", "1"]))
    }

    /// Fills each replica with its own part of the same history: each has missed some writes, and some deletions.
    private func fill(_ cluster: ClusterUnderTest, _ random: inout SeededGenerator) throws {
        for key in 0..<6 {
            let rowCount: Int = key * key * 3
            for row in 0..<rowCount {
                try write(cluster, "INSERT INTO t (k, c, v) VALUES (\(key), \(row), \(row))", &random)
            }
            if key % 2 == 0 { try write(cluster, "INSERT INTO t (k, s) VALUES (\(key), 7)", &random) }
            for row in 0..<rowCount where random.next() % 3 == 0 {
                try write(cluster, "DELETE FROM t WHERE k = \(key) AND c = \(row)", &random)
            }
            if key == 4 { try write(cluster, "DELETE FROM t WHERE k = 4 AND c > 10 AND c < 30", &random) }
        }
        try write(cluster, "DELETE FROM t WHERE k = 3", &random)
        try write(cluster, "INSERT INTO t (k, c, v) VALUES (3, 5, 5)", &random)
        try write(cluster, "INSERT INTO t (k, s) VALUES (10, 1)", &random)
        try write(cluster, "INSERT INTO t (k, s) VALUES (11, 1)", &random)
    }

    /// Writes to one or two of the three replicas.
    private func write(_ cluster: ClusterUnderTest, _ text: String, _ random: inout SeededGenerator) throws {
        let time = Int64(cluster.world.nowNanoseconds / 1_000) + 1_000_000
        let stamped: String =
            text.hasPrefix("INSERT")
            ? "\(text) USING TIMESTAMP \(time)"
            : text.replacing(" WHERE", with: " USING TIMESTAMP \(time) WHERE", maxReplacements: 1)
        let first = Int(random.next() % 3)
        for index in Set([first, (first + Int(random.next() % 2)) % 3]) {
            try cluster.alone(index) { try $0.run(stamped, on: index, .one) }
        }
        try cluster.world.run(for: .milliseconds(1))
    }

    private static let queries: [String] = [
        "SELECT k, c, v FROM t", "SELECT * FROM t WHERE k IN (0, 1, 2, 3, 4, 5, 10, 11)",
        "SELECT k, c FROM t WHERE k = 5 ORDER BY c DESC", "SELECT k, c FROM t WHERE k = 5 AND c > 7 AND c < 60",
        "SELECT k, c FROM t PER PARTITION LIMIT 3", "SELECT k, c FROM t WHERE k IN (5, 4, 3) PER PARTITION LIMIT 10",
        "SELECT DISTINCT k FROM t", "SELECT DISTINCT k, s FROM t", "SELECT k, c FROM t LIMIT 37",
        "SELECT k, max(c), count(*) FROM t GROUP BY k", "SELECT k, c, count(*) FROM t GROUP BY k, c LIMIT 50",
        "SELECT k, c, s FROM t WHERE v >= 20 ALLOW FILTERING",
        "SELECT k, sum(v) FROM t WHERE k IN (2, 4, 5) GROUP BY k",
        "SELECT k, c FROM t WHERE token(k) > -3000000000000000000 AND token(k) <= 6000000000000000000",
    ]

    @Test(arguments: [1, 2, 3] as [UInt64])
    func pagesOfAnySizeAreTheWholeResultWhateverEachReplicaHasMissed(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let cluster = try cluster(seed)
        try cluster.change("ALTER TABLE ks.t WITH read_repair = 'NONE'")
        try fill(cluster, &random)
        // With repair every replica ends with everything, so that a node by itself knows the result.
        let wanted: [[String]] = try ReplicaReadTests.queries.map { try cluster.rows($0, .all) }
        for (text, wanted) in zip(ReplicaReadTests.queries, wanted) {
            for size in [1, 3, 40] {
                let pages = try cluster.pages(text, .all, size: size)
                #expect(pages.flatMap { $0 } == wanted, "seed \(seed), size \(size): \(text)")
                #expect(pages.allSatisfy { $0.count <= size }, "seed \(seed), size \(size): \(text)")
            }
        }
        try cluster.change("ALTER TABLE ks.t WITH read_repair = 'BLOCKING'")
        _ = try cluster.rows("SELECT * FROM t", .all)
        for (text, wanted) in zip(ReplicaReadTests.queries, wanted) {
            for index in 0..<3 {
                #expect(try cluster.own(text, index) == wanted, "seed \(seed), node \(index): \(text)")
            }
        }
    }

    @Test func aggregatesAndSortedRowsCrossPages() throws {
        let cluster = try cluster()
        for key in 0..<3 {
            for start in stride(from: 0, to: 2_400, by: 200) {
                let inserts = (start..<(start + 200)).map { "INSERT INTO t (k, c, v) VALUES (\(key), \($0), 1);" }
                try cluster.run("BEGIN UNLOGGED BATCH \(inserts.joined(separator: " ")) APPLY BATCH", .all)
            }
        }
        #expect(try cluster.rows("SELECT count(*), sum(v), max(c) FROM t", .quorum) == ["7200 | 7200 | 2399"])
        #expect(try cluster.rows("SELECT count(*) FROM t WHERE k IN (0, 2)", .one) == ["4800"])
        #expect(
            try cluster.rows("SELECT c, k FROM t WHERE k IN (0, 1, 2) ORDER BY c DESC LIMIT 4", .quorum)
                == ["2399 | 0", "2399 | 1", "2399 | 2", "2398 | 0"])
        #expect(try cluster.rows("SELECT k FROM t", .quorum).count == 7_200)
    }

    @Test(arguments: [1, 2, 3], [3, 4]) func scansGiveEveryRowOnceInTheOrderOfTokens(_ factor: Int, _ nodeCount: Int)
        throws
    {
        let cluster = try ClusterUnderTest(
            nodes: nodeCount, replication: ClusterUnderTest.simple(factor),
            "CREATE TABLE ks.t (k int, c int, PRIMARY KEY (k, c))")
        for key in 0..<200 {
            for row in 0..<(1 + key % 3) {
                try cluster.run("INSERT INTO t (k, c) VALUES (\(key), \(row))", on: key % nodeCount, .all)
            }
        }
        let tokens: [String] = try cluster.rows("SELECT token(k) FROM t", .all)
        #expect(tokens.count == 67 + 2 * 67 + 3 * 66)
        #expect(tokens.compactMap { Int64($0) } == tokens.compactMap { Int64($0) }.sorted())
        let whole: [String] = try cluster.rows("SELECT k, c FROM t", .all)
        #expect(Set(whole).count == whole.count)
        for index in 0..<nodeCount {
            #expect(try cluster.rows("SELECT k, c FROM t", on: index, .one) == whole)
        }
        for size in [7, 50, 399, 400] {
            #expect(try cluster.pages("SELECT k, c FROM t", .all, size: size).flatMap { $0 } == whole)
        }
        #expect(try cluster.rows("SELECT count(*) FROM t", .one) == ["399"])
        #expect(try cluster.rows("SELECT k, c FROM t LIMIT 5", .one) == Array(whole.prefix(5)))
    }

    @Test func aScanWithTooFewReplicasOfAnyRangeIsRefused() throws {
        let cluster = try ClusterUnderTest(
            replication: ClusterUnderTest.simple(1),
            "CREATE TABLE ks.t (k int PRIMARY KEY, v int)")
        for key in 0..<20 { try cluster.run("INSERT INTO t (k, v) VALUES (\(key), 1)", .one) }
        let keys: String = (0..<20).map(String.init).joined(separator: ", ")
        cluster.kill(2)
        let shortage = CQLError.unavailable(.one, required: 1, alive: 0)
        #expect(cluster.refusal("SELECT * FROM t", .one) == shortage)
        #expect(cluster.refusal("SELECT * FROM t WHERE k IN (\(keys))", .one) == shortage)
        let refused: [Int] = (0..<20).filter { cluster.refusal("SELECT * FROM t WHERE k = \($0)", .one) != nil }
        #expect(!refused.isEmpty && refused.count < 20)
    }

    @Test func aReplicaThatPassesTooManyTombstonesFailsTheRead() throws {
        var limits = QueryLimits()
        limits.tombstoneWarnCount = 10
        limits.tombstoneFailureCount = 100
        let cluster = try ClusterUnderTest(
            limits: limits, "CREATE TABLE ks.t (k int, c int, v int, s int STATIC, PRIMARY KEY (k, c))")
        for row in 0..<100 { try cluster.run("DELETE FROM t WHERE k = 1 AND c = \(row)", .all) }
        try cluster.run("INSERT INTO t (k, c, v) VALUES (1, 500, 1)", .all)
        let enough = try cluster.run("SELECT c FROM t WHERE k = 1", .quorum)
        #expect(enough.warnings.count == 1)
        #expect(enough.warnings.first?.hasPrefix("Read 1 live rows and 100 tombstone cells for query") == true)
        #expect(try cluster.run("SELECT c FROM t WHERE k = 1 AND c >= 90", .quorum).warnings == [])
        try cluster.run("DELETE FROM t WHERE k = 1 AND c = 100", .all)
        for text in ["SELECT c FROM t WHERE k = 1", "SELECT count(*) FROM t"] {
            guard case .readFailure(_, .quorum, 0, 2, let failures, false)? = cluster.refusal(text, .quorum) else {
                Issue.record("not refused: \(text)")
                continue
            }
            #expect(failures.count >= 2)
            #expect(failures.allSatisfy { $0.reason == .readTooManyTombstones })
        }
    }

    @Test func aReadThatReplicasDoNotAnswerTimesOutAndSaysHowManyDid() throws {
        let cluster = try cluster()
        try cluster.run("INSERT INTO t (k, c, v) VALUES (1, 1, 1)", .all)
        #expect(try cluster.rows("SELECT v FROM t WHERE k = 1", .all) == ["1"])
        cluster.world.network.split([cluster.machines[0]], from: [cluster.machines[1], cluster.machines[2]])
        let start: UInt64 = cluster.world.nowNanoseconds
        guard
            case .readTimeout(_, .quorum, 1, 2, true)? = cluster.refusal("SELECT v FROM t WHERE k = 1", .quorum)
        else {
            Issue.record("the read does not time out")
            return
        }
        let milliseconds: UInt64 = (cluster.world.nowNanoseconds - start) / 1_000_000
        #expect(milliseconds >= 4_990 && milliseconds < 5_500)
    }
}
