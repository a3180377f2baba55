import CQL
import DataModel
import SimulatedHost
import Testing

@testable import Query

/// Statements that write to several replicas: levels, failures and what they say, writes that read first.
@Suite struct ReplicaWriteTests {
    private static let needs: [(Consistency, Int)] = [
        (.one, 1), (.two, 2), (.three, 3), (.quorum, 2), (.all, 3), (.localOne, 1), (.localQuorum, 2),
        (.eachQuorum, 2),
    ]

    private func cluster() throws -> ClusterUnderTest {
        try ClusterUnderTest("CREATE TABLE ks.t (k int PRIMARY KEY, v int, l list<int>, b blob)")
    }

    @Test(arguments: [0, 1, 2]) func levelsAreMetByAsManyReplicasAsTheyNeed(_ deadCount: Int) throws {
        let cluster = try cluster()
        for index in 0..<deadCount { cluster.kill(2 - index) }
        let statements: [String] = [
            "INSERT INTO t (k, v) VALUES (1, 1)", "UPDATE t SET v = 2 WHERE k IN (1, 2, 3)",
            "BEGIN BATCH INSERT INTO t (k, v) VALUES (5, 1); INSERT INTO t (k, v) VALUES (6, 1); APPLY BATCH",
        ]
        for (level, needed) in ReplicaWriteTests.needs {
            let isEnough: Bool = needed <= 3 - deadCount
            let shortage: CQLError? = isEnough ? nil : .unavailable(level, required: needed, alive: 3 - deadCount)
            for text in statements[..<2] { #expect(cluster.refusal(text, level) == shortage, "\(level) \(text)") }
            // A logged batch is kept by another node than the one that writes it.
            let batchShortage: CQLError? =
                isEnough && deadCount == 2 ? .unavailable(.one, required: 1, alive: 0) : shortage
            #expect(cluster.refusal(statements[2], level) == batchShortage, "\(level)")
        }
        #expect(cluster.refusal(statements[0], .any) == nil)
        for index in 0..<(3 - deadCount) { #expect(try cluster.own("SELECT v FROM t WHERE k = 1", index).count == 1) }
    }

    @Test func levelsThatAreNotForWritesAreRefused() throws {
        let cluster = try cluster()
        #expect(
            cluster.refusal("INSERT INTO t (k, v) VALUES (1, 1)", .serial)
                == .invalid(message: "You must use conditional updates for serializable writes"))
        #expect(
            cluster.refusal("INSERT INTO t (k, v) VALUES (1, 1)", .nodeLocal)
                == .invalid(message: "NODE_LOCAL consistency level is not supported for writes"))
    }

    @Test func whoCoordinatesNeedNotBeAReplica() throws {
        let cluster = try ClusterUnderTest(
            nodes: 4, replication: ClusterUnderTest.simple(1),
            "CREATE TABLE ks.t (k int PRIMARY KEY, v int)")
        for key in 0..<40 { try cluster.run("INSERT INTO t (k, v) VALUES (\(key), \(key))", on: 3, .all) }
        let owned: [Int] = try (0..<4).map { try cluster.own("SELECT k FROM t", $0).count }
        #expect(owned.reduce(0, +) == 40)
        #expect(owned.allSatisfy { $0 > 0 && $0 < 40 })
        for key in 0..<40 { #expect(try cluster.rows("SELECT v FROM t WHERE k = \(key)", on: 1, .one) == ["\(key)"]) }
    }

    @Test func nothingIsWrittenWhenOnePartitionHasTooFewReplicas() throws {
        let cluster = try ClusterUnderTest(
            replication: ClusterUnderTest.simple(1),
            "CREATE TABLE ks.t (k int PRIMARY KEY, v int)")
        cluster.kill(2)
        let keys: String = (0..<20).map(String.init).joined(separator: ", ")
        #expect(
            cluster.refusal("UPDATE t SET v = 1 WHERE k IN (\(keys))", .one)
                == .unavailable(.one, required: 1, alive: 0))
        #expect(try cluster.own("SELECT k FROM t", 0) + cluster.own("SELECT k FROM t", 1) == [])
    }

    @Test func writesThatReplicasDoNotAnswerTimeOutAndSayWhatTheyWere() throws {
        let cluster = try cluster()
        // Links that are up notice nothing of a cut.
        for key in 0..<20 { try cluster.run("INSERT INTO t (k, v) VALUES (\(key), 1)", .all) }
        cluster.world.network.split([cluster.machines[0]], from: [cluster.machines[1], cluster.machines[2]])
        let two = "INSERT INTO t (k, v) VALUES (1, 1); INSERT INTO t (k, v) VALUES (2, 1);"
        let statements: [(String, WriteType)] = [
            ("INSERT INTO t (k, v) VALUES (1, 1)", .simple), ("DELETE FROM t WHERE k IN (1, 2)", .unloggedBatch),
            ("BEGIN UNLOGGED BATCH \(two) APPLY BATCH", .unloggedBatch),
            ("BEGIN UNLOGGED BATCH INSERT INTO t (k, v) VALUES (1, 1); APPLY BATCH", .simple),
        ]
        for (text, type) in statements {
            let start: UInt64 = cluster.world.nowNanoseconds
            #expect(
                cluster.refusal(text, .quorum) == .writeTimeout(type, .quorum, received: 1, required: 2), "\(text)")
            let milliseconds: UInt64 = (cluster.world.nowNanoseconds - start) / 1_000_000
            #expect(milliseconds >= 1_990 && milliseconds < 2_600)
        }
    }

    @Test func replicasThatFailAreNamedWithTheirReasons() throws {
        let cluster = try cluster()
        try cluster.change("CREATE TABLE ks.u (k int PRIMARY KEY, v int)", except: 2)
        let failures = [ReplicaFailure(address: cluster.address(2), reason: .incompatibleSchema)]
        guard
            case .writeFailure(_, .all, 0...2, 3, let failedWriters, .simple)? = cluster.refusal(
                "INSERT INTO u (k, v) VALUES (1, 1)", .all),
            case .readFailure(_, .all, 0...2, 3, let failedReaders, _)? = cluster.refusal(
                "SELECT * FROM u WHERE k = 1", .all)
        else {
            Issue.record("not refused")
            return
        }
        #expect(failedWriters == failures)
        #expect(failedReaders == failures)
        #expect(cluster.refusal("INSERT INTO u (k, v) VALUES (1, 1)", .quorum) == nil)
    }

    @Test func levelsOfSeveralDatacentersCountEachByItself() throws {
        let cluster = try ClusterUnderTest(
            nodes: 5, datacenters: ["dc1", "dc1", "dc1", "dc2", "dc2"],
            replication: ["class": "NetworkTopologyStrategy", "dc1": "3", "dc2": "2"],
            "CREATE TABLE ks.t (k int PRIMARY KEY, v int)")
        let insert = "INSERT INTO t (k, v) VALUES (1, 1)"
        let select = "SELECT v FROM t WHERE k = 1"
        cluster.kill(4)
        for text in [insert, select] {
            #expect(cluster.refusal(text, .localQuorum) == nil)
            #expect(cluster.refusal(text, .eachQuorum) == .unavailable(.eachQuorum, required: 2, alive: 1))
            #expect(cluster.refusal(text, .all) == .unavailable(.all, required: 5, alive: 4))
            #expect(cluster.refusal(text, on: 3, .localQuorum) == .unavailable(.localQuorum, required: 2, alive: 1))
            #expect(cluster.refusal(text, on: 3, .localOne) == nil)
        }
        cluster.kill(1)
        cluster.kill(2)
        for text in [insert, select] {
            #expect(cluster.refusal(text, .localQuorum) == .unavailable(.localQuorum, required: 2, alive: 1))
            #expect(cluster.refusal(text, .quorum) == .unavailable(.quorum, required: 3, alive: 2))
        }
    }

    @Test func writesThatNeedARowReadItFromTheReplicasAtTheirLevel() throws {
        let cluster = try cluster()
        try cluster.alone(1) { try $0.run("INSERT INTO t (k, l) VALUES (1, [1, 2, 3])", on: 1, .one) }
        #expect(try cluster.own("SELECT l FROM t", 0) == [])
        try cluster.run("UPDATE t SET l[1] = 9 WHERE k = 1", .all)
        #expect(try cluster.rows("SELECT l FROM t WHERE k = 1", .all) == ["[1, 9, 3]"])
        try cluster.run("UPDATE t SET l = l - [3] WHERE k = 1", .quorum)
        try cluster.run(
            "BEGIN BATCH UPDATE t SET l = l + [4] WHERE k = 1; UPDATE t SET l[2] = 5 WHERE k = 1; APPLY BATCH")
        #expect(try cluster.rows("SELECT l FROM t WHERE k = 1", .all) == ["[1, 9, 5]"])
        #expect(
            cluster.refusal("UPDATE t SET l[7] = 9 WHERE k = 1")
                == .invalid(message: "List index 7 out of bound, list has size 3"))
        #expect(
            cluster.refusal("UPDATE t SET l[1] = 9 WHERE k = 1", .any)
                == .invalid(message: "Write operation require a read but consistency ANY is not supported on reads"))
    }

    @Test func aMutationThatIsTooLargeIsRefusedAsOnANodeAlone() throws {
        let cluster = try cluster()
        let blob = "0x" + String(repeating: "ab", count: 3 << 20)
        guard case .invalid(let message)? = cluster.refusal("INSERT INTO t (k, b) VALUES (1, \(blob))") else {
            Issue.record("not refused")
            return
        }
        #expect(message.hasPrefix("Rejected an oversized mutation ("))
        let large = "0x" + String(repeating: "ab", count: 1 << 20)
        try cluster.run("INSERT INTO t (k, b) VALUES (1, \(large))", .all)
        #expect(try cluster.own("SELECT k FROM t WHERE k = 1", 2) == ["1"])
        #expect(try cluster.rows("SELECT b FROM t", .all) == [large])
    }

    @Test func aReplicaThatWasDownIsReadAroundAndRepaired() throws {
        let cluster = try cluster()
        try cluster.run("INSERT INTO t (k, v) VALUES (1, 1)", .all)
        cluster.kill(1)
        try cluster.run("BEGIN BATCH UPDATE t SET v = 2 WHERE k = 1; INSERT INTO t (k, v) VALUES (2, 2); APPLY BATCH")
        try cluster.restart(1)
        #expect(try cluster.own("SELECT v FROM t WHERE k IN (1, 2)", 1) == ["1"])
        #expect(try cluster.rows("SELECT v FROM t WHERE k IN (1, 2)", on: 1, .all) == ["2", "2"])
        #expect(try cluster.own("SELECT v FROM t WHERE k IN (1, 2)", 1) == ["2", "2"])
    }
}
