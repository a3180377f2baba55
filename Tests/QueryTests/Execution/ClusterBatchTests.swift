import CQL
import Coordination
import DataModel
import SimulatedHost
import Testing

@testable import Query

/// Logged batches and TRUNCATE on several nodes.
@Suite struct ClusterBatchTests {
    private static let table = "CREATE TABLE ks.t (k int PRIMARY KEY, v int, l list<int>)"
    private static let batch =
        "BEGIN BATCH INSERT INTO t (k, v) VALUES (1, 1); INSERT INTO t (k, v) VALUES (2, 2); "
        + "INSERT INTO t (k, v) VALUES (3, 3); APPLY BATCH"

    private func kept(_ cluster: ClusterUnderTest) -> [Int] {
        cluster.nodes.map { $0?.group.coordination.batchLog.counters.stored ?? 0 }
    }

    @Test func aLoggedBatchIsKeptByTwoOthersUntilItIsWritten() throws {
        let cluster = try ClusterUnderTest(ClusterBatchTests.table)
        try cluster.run(ClusterBatchTests.batch, .all)
        for index in 0..<3 {
            #expect(try cluster.own("SELECT v FROM t WHERE k IN (1, 2, 3)", index) == ["1", "2", "3"])
        }
        #expect(kept(cluster) == [0, 1, 1])
        try cluster.world.run(for: .seconds(1))
        #expect(cluster.nodes.allSatisfy { $0?.group.coordination.batchLog.batchCount == 0 })
        #expect(try cluster.own("SELECT id FROM system.batches", 1) == [])
    }

    @Test func otherBatchesAreNotKept() throws {
        let cluster = try ClusterUnderTest(
            ClusterBatchTests.table, "CREATE TABLE ks.c (k int PRIMARY KEY, n counter)")
        let statements: [String] = [
            "BEGIN UNLOGGED BATCH INSERT INTO t (k, v) VALUES (1, 1); INSERT INTO t (k, v) VALUES (2, 2); APPLY BATCH",
            "BEGIN BATCH INSERT INTO t (k, v) VALUES (1, 1); UPDATE t SET v = 2 WHERE k = 1; APPLY BATCH",
            "BEGIN COUNTER BATCH UPDATE c SET n = n + 1 WHERE k = 1; UPDATE c SET n = n + 1 WHERE k = 2; APPLY BATCH",
            "UPDATE t SET v = 4 WHERE k IN (1, 2, 3)",
        ]
        for statement in statements { try cluster.run(statement) }
        #expect(kept(cluster) == [0, 0, 0])
    }

    @Test func aNodeAloneKeepsItsOwnBatch() throws {
        let cluster = try ClusterUnderTest(
            nodes: 1, replication: ClusterUnderTest.simple(1), ClusterBatchTests.table)
        try cluster.run(ClusterBatchTests.batch, .one)
        #expect(try cluster.rows("SELECT v FROM t WHERE k IN (1, 2, 3)", .one) == ["1", "2", "3"])
        #expect(kept(cluster) == [1])
    }

    @Test func aBatchThatDependsOnRowsReadsThemFirst() throws {
        let cluster = try ClusterUnderTest(ClusterBatchTests.table)
        for key in 1...2 {
            try cluster.alone(1) { try $0.run("INSERT INTO t (k, l) VALUES (\(key), [1, 2, 3])", on: 1, .one) }
        }
        try cluster.run(
            "BEGIN BATCH UPDATE t SET l[1] = 9 WHERE k = 1; UPDATE t SET l = l - [3] WHERE k = 2; "
                + "INSERT INTO t (k, v) VALUES (3, 3); APPLY BATCH", on: 2, .all)
        #expect(
            try cluster.rows("SELECT k, v, l FROM t WHERE k IN (1, 2, 3)", .all)
                == ["1 | null | [1, 9, 3]", "2 | null | [1, 2]", "3 | 3 | null"])
        #expect(kept(cluster) == [1, 1, 0])
        #expect(
            cluster.refusal(
                "BEGIN BATCH UPDATE t SET l[7] = 9 WHERE k = 1; INSERT INTO t (k, v) VALUES (4, 4); APPLY BATCH")
                == .invalid(message: "List index 7 out of bound, list has size 3"))
        #expect(try cluster.rows("SELECT v FROM t WHERE k = 4", .all) == [])
    }

    @Test func withoutAnyOtherNodeABatchIsUnavailable() throws {
        let cluster = try ClusterUnderTest(ClusterBatchTests.table)
        cluster.kill(1)
        cluster.kill(2)
        #expect(cluster.refusal(ClusterBatchTests.batch, .one) == .unavailable(.one, required: 1, alive: 0))
        #expect(try cluster.own("SELECT v FROM t", 0) == [])
        #expect(cluster.refusal(ClusterBatchTests.batch, .any) == nil)
        #expect(try cluster.own("SELECT v FROM t WHERE k IN (1, 2, 3)", 0) == ["1", "2", "3"])
    }

    @Test func keepersThatDoNotAnswerAreATimeOutOfTheLog() throws {
        let cluster = try ClusterUnderTest(ClusterBatchTests.table)
        for _ in 0..<8 { try cluster.run(ClusterBatchTests.batch, .all) }
        cluster.world.network.split([cluster.machines[0]], from: [cluster.machines[1], cluster.machines[2]])
        #expect(
            cluster.refusal(ClusterBatchTests.batch, .one)
                == .writeTimeout(.batchLog, .two, received: 0, required: 2))
    }

    // MARK: TRUNCATE

    @Test func aTableIsEmptyOnAllNodes() throws {
        let cluster = try ClusterUnderTest(
            ClusterBatchTests.table, "CREATE TABLE ks.c (k int PRIMARY KEY, n counter)")
        for key in 0..<20 {
            try cluster.run("INSERT INTO t (k, v) VALUES (\(key), 1)", .all)
            try cluster.run("UPDATE c SET n = n + 5 WHERE k = \(key)", .all)
        }
        try cluster.run("TRUNCATE t", on: 1)
        try cluster.run("TRUNCATE c", on: 2)
        for index in 0..<3 {
            #expect(try cluster.own("SELECT k FROM t", index) == [])
            #expect(try cluster.own("SELECT k FROM c", index) == [])
        }
        try cluster.run("INSERT INTO t (k, v) VALUES (1, 2)", .all)
        for index in 0..<3 { try cluster.run("UPDATE c SET n = n + 1 WHERE k = 1", on: index, .all) }
        #expect(try cluster.rows("SELECT v FROM t", on: 2, .all) == ["2"])
        #expect(try cluster.rows("SELECT n FROM c", on: 2, .all) == ["3"])
    }

    @Test func aTableIsNotTruncatedWhileANodeIsDown() throws {
        let cluster = try ClusterUnderTest(ClusterBatchTests.table)
        try cluster.run("INSERT INTO t (k, v) VALUES (1, 1)", .all)
        cluster.kill(2)
        #expect(
            cluster.refusal("TRUNCATE t")
                == .truncateError(message: "Error during truncate: Cannot achieve consistency level ALL"))
        #expect(try cluster.rows("SELECT v FROM t") == ["1"])
        try cluster.restart(2)
        #expect(cluster.refusal("TRUNCATE t", on: 2) == nil)
        #expect(try cluster.rows("SELECT v FROM t", .all) == [])
    }

    @Test func nodesThatDoNotAnswerOrFailAreNamed() throws {
        let cluster = try ClusterUnderTest(ClusterBatchTests.table)
        try cluster.change("CREATE TABLE ks.u (k int PRIMARY KEY)", except: 2)
        let address = "\(cluster.machines[2].address(port: 7_000))"
        #expect(
            cluster.refusal("TRUNCATE u")
                == .truncateError(message: "Error during truncate: Truncate failed on replica \(address)"))
        try cluster.run("TRUNCATE t")
        cluster.world.network.split([cluster.machines[0]], from: [cluster.machines[1]])
        #expect(
            cluster.refusal("TRUNCATE t")
                == .truncateError(
                    message: "Error during truncate: Truncate timed out - received only 2 responses"))
    }
}
