import CQL
import DataModel
import SimulatedHost
import Testing

@testable import Query

/// Statements that count, on several nodes.
@Suite struct ClusterCounterTests {
    private func cluster(nodes: Int = 3) throws -> ClusterUnderTest {
        try ClusterUnderTest(
            nodes: nodes, "CREATE TABLE ks.c (k int PRIMARY KEY, n counter, m counter)",
            "CREATE TABLE ks.w (k int, r int, n counter, s counter static, PRIMARY KEY (k, r))")
    }

    @Test(arguments: [Consistency.one, .quorum, .all, .localQuorum])
    func everyNodeCountsForEveryOther(_ level: Consistency) throws {
        let cluster = try cluster()
        for round in 0..<4 {
            for index in 0..<3 { try cluster.run("UPDATE c SET n = n + \(10 + round) WHERE k = 1", on: index, level) }
        }
        for index in 0..<3 {
            #expect(try cluster.rows("SELECT n, m FROM c WHERE k = 1", on: index, .all) == ["138 | null"])
        }
    }

    @Test func whoCoordinatesNeedNotBeAReplica() throws {
        let cluster = try cluster(nodes: 5)
        for key in 0..<20 {
            for index in 0..<5 { try cluster.run("UPDATE c SET n = n + 1 WHERE k = \(key)", on: index, .quorum) }
        }
        for key in 0..<20 {
            #expect(try cluster.rows("SELECT n FROM c WHERE k = \(key)", on: key % 5, .quorum) == ["5"])
        }
    }

    @Test func countingGoesOnWhileAReplicaIsDownAsLongAsTheLevelIsMet() throws {
        let cluster = try cluster()
        try cluster.run("UPDATE c SET n = n + 1 WHERE k = 1", .all)
        cluster.kill(2)
        for index in 0..<2 {
            try cluster.run("UPDATE c SET n = n + 10 WHERE k = 1", on: index, .quorum)
            try cluster.run("UPDATE c SET n = n + 100 WHERE k = 1", on: index, .one)
        }
        #expect(
            cluster.refusal("UPDATE c SET n = n + 1 WHERE k = 1", .all)
                == .unavailable(.all, required: 3, alive: 2))
        #expect(try cluster.rows("SELECT n FROM c WHERE k = 1", .quorum) == ["221"])
        try cluster.restart(2)
        try cluster.run("UPDATE c SET n = n + 1000 WHERE k = 1", on: 2, .quorum)
        for index in 0..<3 { #expect(try cluster.rows("SELECT n FROM c WHERE k = 1", on: index, .all) == ["1221"]) }
        cluster.kill(0)
        cluster.kill(1)
        #expect(
            cluster.refusal("UPDATE c SET n = n + 1 WHERE k = 1", on: 2, .quorum)
                == .unavailable(.quorum, required: 2, alive: 1))
        #expect(
            cluster.refusal("UPDATE c SET n = n + 1 WHERE k = 1", on: 2, .any)
                == .invalid(message: "Consistency level ANY is not yet supported for counter table c"))
    }

    @Test func aNodeGoesOnFromItsOwnCountAfterARestart() throws {
        let cluster = try cluster()
        for index in 0..<3 { try cluster.run("UPDATE c SET n = n + 1 WHERE k = 1", on: index, .all) }
        for index in 0..<3 {
            cluster.kill(index)
            try cluster.restart(index)
            try cluster.run("UPDATE c SET n = n + 1 WHERE k = 1", on: index, .all)
        }
        #expect(try cluster.rows("SELECT n FROM c WHERE k = 1", .all) == ["6"])
    }

    @Test func aBatchCountsInAllItsRows() throws {
        let cluster = try cluster()
        let statements: [String] = [
            "UPDATE w SET n = n + 1 WHERE k = 1 AND r = 1", "UPDATE w SET n = n + 2 WHERE k = 1 AND r = 2",
            "UPDATE w SET s = s + 5 WHERE k = 1", "UPDATE w SET n = n + 3 WHERE k = 1 AND r = 1",
            "UPDATE w SET s = s - 1, n = n + 4 WHERE k = 1 AND r = 3", "UPDATE w SET n = n + 9 WHERE k = 2 AND r = 1",
            "UPDATE c SET m = m + 7 WHERE k = 1", "UPDATE c SET m = m + 7, n = n - 1 WHERE k = 1",
        ]
        for index in 0..<3 {
            try cluster.run("BEGIN COUNTER BATCH \(statements.joined(separator: "; ")); APPLY BATCH", on: index)
        }
        #expect(
            try cluster.rows("SELECT r, n, s FROM w WHERE k = 1", .all) == ["1 | 12 | 12", "2 | 6 | 12", "3 | 12 | 12"])
        #expect(try cluster.rows("SELECT r, n, s FROM w WHERE k = 2", .all) == ["1 | 27 | null"])
        #expect(try cluster.rows("SELECT n, m FROM c WHERE k = 1", .all) == ["-3 | 42"])
    }

    @Test func oneStatementCountsAColumnAsOftenAsItSays() throws {
        let cluster = try cluster()
        for index in 0..<3 {
            try cluster.run("UPDATE c SET n = n + 5, n = n - 2, n = n + 4 WHERE k IN (1, 2, 3)", on: index)
            try cluster.run("UPDATE w SET s = s + 5, s = s - 2 WHERE k = 1", on: index)
        }
        #expect(try cluster.rows("SELECT n FROM c WHERE k IN (1, 2, 3)", .all) == ["21", "21", "21"])
        #expect(try cluster.rows("SELECT DISTINCT s FROM w WHERE k = 1", .all) == ["9"])
    }

    @Test func whatIsDeletedInABatchIsNotCounted() throws {
        let cluster = try cluster()
        try cluster.run("UPDATE w SET s = s + 5, n = n + 1 WHERE k = 1 AND r = 1", .all)
        try cluster.run(
            "BEGIN COUNTER BATCH UPDATE w SET s = s + 5 WHERE k = 1; DELETE s FROM w WHERE k = 1; "
                + "UPDATE w SET n = n + 1 WHERE k = 1 AND r = 1; APPLY BATCH", on: 1, .all)
        #expect(try cluster.rows("SELECT r, n, s FROM w WHERE k = 1", on: 2, .all) == ["1 | 2 | null"])
        try cluster.run("DELETE FROM w WHERE k = 1 AND r = 1", on: 2, .all)
        #expect(try cluster.rows("SELECT r, n, s FROM w WHERE k = 1", .all) == [])
    }

    @Test func replicasThatDoNotAnswerAreATimeOutOfACounterWrite() throws {
        let cluster = try cluster()
        for index in 0..<3 { try cluster.run("UPDATE c SET n = n + 1 WHERE k = 1", on: index, .all) }
        cluster.world.network.split([cluster.machines[0]], from: [cluster.machines[1], cluster.machines[2]])
        let start: UInt64 = cluster.world.nowNanoseconds
        #expect(
            cluster.refusal("UPDATE c SET n = n + 1 WHERE k = 1", .quorum)
                == .writeTimeout(.counter, .quorum, received: 1, required: 2))
        #expect((cluster.world.nowNanoseconds - start) / 1_000_000 >= 4_900)
        try cluster.run("UPDATE c SET n = n + 1 WHERE k = 1", .one)
        #expect(try cluster.own("SELECT n FROM c WHERE k = 1", 0) == ["5"])
    }

    @Test(arguments: Array(UInt64(1)...5))
    func whatManyClientsCountAtOnceIsAllThere(_ seed: UInt64) throws {
        let cluster = try ClusterUnderTest(seed: seed, "CREATE TABLE ks.c (k int PRIMARY KEY, n counter)")
        try cluster.world.run {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for case let node? in cluster.nodes {
                    for number in 0..<20 {
                        group.addTask {
                            let context = RequestContext(consistency: .quorum, keyspace: "ks")
                            let text = "UPDATE c SET n = n + \(1 << (number % 5)) WHERE k = \(number % 2)"
                            _ = try await node.execute(text, [], context)
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
        let rows: [String] = try cluster.rows("SELECT n FROM c WHERE k IN (0, 1)", .all)
        #expect(rows == ["186", "186"], "seed \(seed)")
    }
}
