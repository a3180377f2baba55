import CQL
import DataModel
import Primitives
import SimulatedHost
import Testing

@testable import Query

/// Conditional statements and serial reads over several replicas.
@Suite struct LightweightTransactionTests {
    private static let table = "CREATE TABLE ks.t (k int PRIMARY KEY, v int, l list<int>)"
    private static let wide = "CREATE TABLE ks.w (k int, c int, v int, s int STATIC, PRIMARY KEY (k, c))"

    private func cluster(_ seed: UInt64 = 1, factor: Int = 3) throws -> ClusterUnderTest {
        try ClusterUnderTest(
            seed: seed, replication: ClusterUnderTest.simple(factor), LightweightTransactionTests.table,
            LightweightTransactionTests.wide)
    }

    // MARK: Several at once

    @Test(arguments: [1, 3]) func oneOfThreeInsertsAtOnceWins(_ factor: Int) throws {
        for seed: UInt64 in 1...3 {
            let cluster = try cluster(seed, factor: factor)
            for key in 0..<6 {
                let answers: [String] = try cluster.atOnce(
                    (0..<3).map { ("INSERT INTO t (k, v) VALUES (\(key), \($0)) IF NOT EXISTS", $0) })
                let winners: [Int] = answers.indices.filter { answers[$0] == "true" }
                #expect(winners.count == 1, "seed \(seed), key \(key): \(answers)")
                guard let winner = winners.first else { continue }
                for index in answers.indices where index != winner {
                    #expect(answers[index] == "false | \(key) | null | \(winner)", "seed \(seed), key \(key)")
                }
                for index in 0..<3 {
                    #expect(try cluster.rows("SELECT v FROM t WHERE k = \(key)", on: index, .serial) == ["\(winner)"])
                }
                #expect(try cluster.rows("SELECT v FROM t WHERE k = \(key)", .all) == ["\(winner)"])
            }
        }
    }

    @Test(arguments: [1, 3]) func eachAppliedUpdateFollowsTheOneBefore(_ factor: Int) throws {
        let cluster = try cluster(7, factor: factor)
        for key in 0..<3 {
            try cluster.run("INSERT INTO t (k, v) VALUES (\(key), 0) IF NOT EXISTS")
            let clients = 3
            var known: [Int] = Array(repeating: 0, count: clients)
            var appliedCount = 0
            for round in 0..<8 {
                let answers: [String] = try cluster.atOnce(
                    (0..<clients).map { client in
                        (
                            "UPDATE t SET v = \(known[client] + 1) WHERE k = \(key) IF v = \(known[client])",
                            (client + round) % 3
                        )
                    })
                for (client, answer) in answers.enumerated() {
                    if answer == "true" {
                        appliedCount += 1
                        known[client] += 1
                    } else {
                        known[client] = try #require(Int(answer.split(separator: " ").last ?? ""), "\(answer)")
                    }
                }
            }
            #expect(appliedCount >= 8)
            #expect(try cluster.rows("SELECT v FROM t WHERE k = \(key)", .serial) == ["\(appliedCount)"])
            #expect(try cluster.rows("SELECT v FROM t WHERE k = \(key)", .all) == ["\(appliedCount)"])
        }
    }

    // MARK: What conditions can be

    @Test func conditionsAreCheckedAgainstWhatOtherNodesHaveWritten() throws {
        let cluster = try cluster()
        #expect(try cluster.rows("UPDATE t SET v = 1 WHERE k = 1 IF EXISTS") == ["false"])
        #expect(try cluster.rows("INSERT INTO t (k, v) VALUES (1, 1) IF NOT EXISTS", on: 1) == ["true"])
        #expect(try cluster.rows("UPDATE t SET v = 2 WHERE k = 1 IF EXISTS", on: 2) == ["true"])
        #expect(try cluster.rows("UPDATE t SET v = 3 WHERE k = 1 IF v = 1", on: 0) == ["false | 2"])
        #expect(try cluster.rows("UPDATE t SET v = 3 WHERE k = 1 IF v IN (2, 9)", on: 0) == ["true"])
        #expect(try cluster.rows("DELETE FROM t WHERE k = 1 IF v > 3", on: 1) == ["false | 3"])
        #expect(try cluster.rows("DELETE FROM t WHERE k = 1 IF EXISTS", on: 1) == ["true"])
        for index in 0..<3 { #expect(try cluster.rows("SELECT v FROM t WHERE k = 1", on: index, .serial) == []) }
        #expect(try cluster.rows("INSERT INTO t (k, v) VALUES (1, 4) IF NOT EXISTS", on: 2) == ["true"])
        #expect(try cluster.rows("SELECT v FROM t WHERE k = 1", .all) == ["4"])
    }

    @Test func aConditionalBatchIsWrittenWholeOrNotAtAll() throws {
        let cluster = try cluster()
        let batch = { (s: Int, v: Int) in
            "BEGIN BATCH UPDATE w SET s = \(s + 1) WHERE k = 1 IF s = \(s); "
                + "INSERT INTO w (k, c, v) VALUES (1, \(v), \(v)); DELETE FROM w WHERE k = 1 AND c = \(v - 1); APPLY BATCH"
        }
        try cluster.run("INSERT INTO w (k, s) VALUES (1, 0) IF NOT EXISTS")
        #expect(try cluster.rows(batch(1, 1), on: 1) == ["false | 1 | null | 0"])
        for round in 0..<4 { #expect(try cluster.rows(batch(round, round), on: round % 3) == ["true"]) }
        for index in 0..<3 {
            #expect(try cluster.rows("SELECT s, c, v FROM w WHERE k = 1", on: index, .serial) == ["4 | 3 | 3"])
        }
        #expect(
            cluster.refusal(
                "BEGIN BATCH UPDATE w SET s = 1 WHERE k = 1 IF s = 4; INSERT INTO w (k, c) VALUES (2, 1); APPLY BATCH")
                == .invalid(message: "Batch with conditions cannot span multiple partitions"))
    }

    @Test func staticColumnsGuardAllRowsOfTheirPartition() throws {
        let cluster = try cluster()
        let insert = { (version: Int, row: Int) in
            "BEGIN BATCH INSERT INTO w (k, c, v) VALUES (1, \(row), \(row)); "
                + "UPDATE w SET s = \(version + 1) WHERE k = 1 IF s = \(version); APPLY BATCH"
        }
        #expect(try cluster.rows("UPDATE w SET s = 0 WHERE k = 1 IF s = null") == ["true"])
        let answers: [String] = try cluster.atOnce((0..<3).map { (insert(0, $0), $0) })
        let winners: [Int] = answers.indices.filter { answers[$0] == "true" }
        #expect(winners.count == 1, "\(answers)")
        #expect(
            try cluster.rows("SELECT s, c FROM w WHERE k = 1", .serial) == winners.map { "1 | \($0)" })
        #expect(try cluster.rows("DELETE FROM w WHERE k = 1 AND c = 0 IF s = 9", on: 1) == ["false | 1"])
        #expect(try cluster.rows("DELETE s FROM w WHERE k = 1 IF s = 1", on: 2) == ["true"])
        #expect(try cluster.rows("SELECT s FROM w WHERE k = 1", .serial) == ["null"])
    }

    @Test func elementsOfListsStandInTheOrderOfTheDecisions() throws {
        let cluster = try cluster()
        cluster.machines[0].time.jump(byMicroseconds: 30_000_000)
        cluster.machines[2].time.jump(byMicroseconds: -30_000_000)
        try cluster.run("INSERT INTO t (k, v) VALUES (1, 0) IF NOT EXISTS")
        for round in 0..<9 {
            #expect(try cluster.rows("UPDATE t SET l = l + [\(round)] WHERE k = 1 IF v = 0", on: round % 3) == ["true"])
        }
        #expect(try cluster.rows("SELECT l FROM t WHERE k = 1", .serial) == ["[0, 1, 2, 3, 4, 5, 6, 7, 8]"])
        #expect(try cluster.rows("UPDATE t SET l[0] = 9, l = l - [8] WHERE k = 1 IF v = 0", on: 1) == ["true"])
        #expect(try cluster.rows("SELECT l FROM t WHERE k = 1", on: 2, .serial) == ["[9, 1, 2, 3, 4, 5, 6, 7]"])
    }

    // MARK: Serial reads

    @Test(arguments: [1, 3]) func serialReadsSeeWhatWasDecidedWhereverItIs(_ factor: Int) throws {
        let cluster = try cluster(factor: factor)
        for key in 0..<6 {
            for round in 0..<6 {
                let condition: String = round == 0 ? "v = null" : "v = \(round - 1)"
                #expect(
                    try cluster.rows("UPDATE t SET v = \(round) WHERE k = \(key) IF \(condition)", on: round % 3, .any)
                        == ["true"])
                #expect(
                    try cluster.rows("SELECT v FROM t WHERE k = \(key)", on: (round + 1) % 3, .serial) == ["\(round)"])
                #expect(
                    try cluster.rows("SELECT v FROM t WHERE k = \(key)", on: (round + 2) % 3, .localSerial)
                        == ["\(round)"])
            }
        }
    }

    @Test func serialReadsHavePagesAndOnePartition() throws {
        let cluster = try cluster()
        for row in 0..<25 { try cluster.run("INSERT INTO w (k, c, v) VALUES (1, \(row), \(row)) IF NOT EXISTS") }
        let pages: [[String]] = try cluster.pages("SELECT c FROM w WHERE k = 1", .serial, size: 10)
        #expect(pages.map(\.count) == [10, 10, 5])
        #expect(pages.flatMap { $0 } == (0..<25).map { "\($0)" })
        #expect(try cluster.rows("SELECT count(*) FROM w WHERE k = 1", on: 1, .serial) == ["25"])
        #expect(
            try cluster.rows("SELECT c FROM w WHERE k = 1 ORDER BY c DESC LIMIT 2", on: 2, .localSerial) == [
                "24", "23",
            ])
        #expect(try cluster.rows("SELECT c FROM w", .serial).count == 25)
        #expect(
            cluster.refusal("SELECT c FROM w WHERE k IN (1, 2)", .serial)
                == .invalid(
                    message: "SERIAL/LOCAL_SERIAL consistency may only be requested for one partition at a time"))
    }

    // MARK: Levels and failures

    @Test(arguments: [0, 1, 2]) func aQuorumIsNeededAndEnough(_ deadCount: Int) throws {
        let cluster = try cluster()
        try cluster.run("INSERT INTO t (k, v) VALUES (1, 0)", .all)
        for index in 0..<deadCount { cluster.kill(2 - index) }
        let update = "UPDATE t SET v = 1 WHERE k = 1 IF EXISTS"
        for serial in [Consistency.serial, .localSerial] {
            let shortage: CQLError? = deadCount < 2 ? nil : .unavailable(serial, required: 2, alive: 1)
            #expect(cluster.refusal(update, .one, serial: serial) == shortage)
            #expect(cluster.refusal("SELECT v FROM t WHERE k = 1", serial) == shortage)
        }
        let shortage: CQLError? = deadCount == 0 ? nil : .unavailable(.all, required: 3, alive: 3 - deadCount)
        #expect(cluster.refusal(update, .all) == shortage)
    }

    @Test func levelsThatAreNotForConditionsAreRefused() throws {
        let cluster = try cluster()
        let update = "UPDATE t SET v = 1 WHERE k = 1 IF EXISTS"
        for level in [Consistency.serial, .localSerial] {
            guard case .invalid(let message)? = cluster.refusal(update, level) else {
                Issue.record("\(level) is not refused")
                continue
            }
            #expect(message.hasPrefix("\(level.name) is not supported as conditional update commit consistency."))
        }
        #expect(
            cluster.refusal(update, serial: .quorum)
                == .invalid(
                    message: "Invalid consistency for conditional update. Must be one of SERIAL or LOCAL_SERIAL"))
    }

    @Test func localSerialAsksItsOwnDatacenterAlone() throws {
        let cluster = try ClusterUnderTest(
            nodes: 5, datacenters: ["dc1", "dc1", "dc1", "dc2", "dc2"],
            replication: ["class": "NetworkTopologyStrategy", "dc1": "3", "dc2": "2"], LightweightTransactionTests.table
        )
        try cluster.run("INSERT INTO t (k, v) VALUES (1, 0) IF NOT EXISTS", on: 3)
        for index in [2, 3, 4] { cluster.kill(index) }
        let update = "UPDATE t SET v = 1 WHERE k = 1 IF v = 0"
        #expect(cluster.refusal(update, .localQuorum) == .unavailable(.serial, required: 3, alive: 2))
        #expect(cluster.refusal(update, .quorum, serial: .localSerial) == .unavailable(.quorum, required: 3, alive: 2))
        #expect(cluster.refusal(update, .localQuorum, serial: .localSerial) == nil)
        #expect(try cluster.rows("SELECT v FROM t WHERE k = 1", on: 1, .localSerial) == ["1"])
    }

    @Test func whoeverCanNotReachAQuorumSaysSoInTime() throws {
        let cluster = try cluster()
        try cluster.run("INSERT INTO t (k, v) VALUES (1, 0)", .all)
        cluster.world.network.split([cluster.machines[0]], from: [cluster.machines[1], cluster.machines[2]])
        let start: UInt64 = cluster.world.nowNanoseconds
        #expect(
            cluster.refusal("UPDATE t SET v = 1 WHERE k = 1 IF v = 0")
                == .writeTimeout(.compareAndSet, .serial, received: 1, required: 2))
        #expect(
            cluster.refusal("SELECT v FROM t WHERE k = 1", .serial)
                == .readTimeout(.serial, received: 1, required: 2, isDataPresent: false))
        #expect(cluster.world.nowNanoseconds - start < 5_000_000_000)
        #expect(try cluster.rows("UPDATE t SET v = 2 WHERE k = 1 IF v = 0", on: 1) == ["true"])
        cluster.world.network.healAll()
        try cluster.world.run(for: .seconds(3))
        #expect(try cluster.rows("SELECT v FROM t WHERE k = 1", .serial) == ["2"])
    }

    @Test func nodesThatStopAndComeBackLoseNothing() throws {
        for seed: UInt64 in 1...3 {
            let cluster = try cluster(seed)
            try cluster.run("INSERT INTO t (k, v) VALUES (1, 0) IF NOT EXISTS")
            for round in 0..<9 {
                let down: Int = round % 3
                cluster.kill(down)
                let through: Int = (round + 1) % 3
                #expect(
                    try cluster.rows("UPDATE t SET v = \(round + 1) WHERE k = 1 IF v = \(round)", on: through)
                        == ["true"], "seed \(seed), round \(round)")
                try cluster.restart(down)
                #expect(
                    try cluster.rows("SELECT v FROM t WHERE k = 1", on: down, .serial) == ["\(round + 1)"],
                    "seed \(seed), round \(round)")
            }
            for index in 0..<3 { cluster.kill(index) }
            for index in 0..<3 { try cluster.restart(index) }
            #expect(try cluster.rows("UPDATE t SET v = 0 WHERE k = 1 IF v = 9", on: 1) == ["true"])
            #expect(try cluster.rows("SELECT v FROM t WHERE k = 1", .all) == ["0"])
        }
    }

    @Test(arguments: [1, 3]) func whatIsDecidedAfterATruncationFindsNothing(_ factor: Int) throws {
        let cluster = try cluster(factor: factor)
        for round in 0..<3 {
            for key in 0..<4 {
                #expect(
                    try cluster.rows("INSERT INTO t (k, v) VALUES (\(key), \(round)) IF NOT EXISTS", on: round)
                        == ["true"], "round \(round), key \(key)")
            }
            try cluster.run("TRUNCATE t", on: round)
            #expect(try cluster.rows("SELECT v FROM t WHERE k = 1", on: (round + 1) % 3, .serial) == [])
        }
    }

    @Test func aProposalThatIsTooLargeIsRefused() throws {
        let cluster = try cluster()
        try cluster.change("CREATE TABLE ks.b (k int PRIMARY KEY, b blob)")
        let blob = "0x" + String(repeating: "ab", count: 3 << 20)
        guard case .invalid(let message)? = cluster.refusal("INSERT INTO b (k, b) VALUES (1, \(blob)) IF NOT EXISTS")
        else {
            Issue.record("not refused")
            return
        }
        #expect(message.hasPrefix("Rejected an oversized mutation ("))
        #expect(try cluster.rows("INSERT INTO b (k, b) VALUES (1, 0x01) IF NOT EXISTS", on: 1) == ["true"])
    }
}

extension ClusterUnderTest {
    /// Runs statements at the same time, each through a node; returns the only row of each answer.
    fileprivate func atOnce(_ statements: [(text: String, node: Int)]) throws -> [String] {
        var targets: [(text: String, node: ClusterNode)] = []
        for statement in statements { targets.append((statement.text, try #require(nodes[statement.node]))) }
        let works: [(text: String, node: ClusterNode)] = targets
        return try world.run {
            try await withThrowingTaskGroup(of: (Int, String).self) { group in
                for (index, work) in works.enumerated() {
                    group.addTask {
                        let context = RequestContext(consistency: .quorum, keyspace: "ks")
                        let result: QueryResult = try await work.node.execute(work.text, [], context)
                        guard case .rows(let rows) = result.kind else { return (index, "") }
                        return (index, NodeUnderTest.texts(rows).joined(separator: "; "))
                    }
                }
                var answers: [String] = Array(repeating: "", count: works.count)
                for try await (index, answer) in group { answers[index] = answer }
                return answers
            }
        }
    }

    /// The error that a conditional statement is refused with.
    fileprivate func refusal(_ text: String, _ level: Consistency = .quorum, serial: Consistency) -> CQLError? {
        do {
            let node = try #require(nodes[0])
            let context = RequestContext(consistency: level, serialConsistency: serial, keyspace: "ks")
            _ = try world.run { try await node.execute(text, [], context) }
            return nil
        } catch { return StorageFailure.cqlError(error) }
    }
}
