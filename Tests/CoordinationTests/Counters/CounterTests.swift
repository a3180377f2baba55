import Cluster
import Coordination
import DataModel
import Environment
import Primitives
import SimulatedHost
import Testing

/// Counter writes over several replicas: who leads, what is answered, what is counted.
@Suite struct CounterTests {
    private static let others: [String: String] = ["class": "SimpleStrategy", "replication_factor": "2"]

    /// The positions of nodes that hold a key, and one that does not, with two replicas on three nodes.
    private static func holders(_ key: String, _ test: CoordinatedWorld) throws -> (holders: [Int], stranger: Int) {
        let node = try #require(test.nodes.compactMap(\.self).first)
        let set = try node.views[0].topology.placement(for: test.replication).replicas(of: node.token(key))
        let holders: [Int] = (0..<3).filter { set.contains(ReplicaWorld.id($0)) }
        let stranger = try #require((0..<3).first { !set.contains(ReplicaWorld.id($0)) })
        return (holders, stranger)
    }

    @Test(arguments: [Consistency.one, .quorum, .all, .localQuorum, .localOne])
    func everyNodeCountsAtEveryLevel(level: Consistency) throws {
        let test = CoordinatedWorld(seed: 1)
        try test.run { test in
            for node in test.nodes.compactMap(\.self) { try await node.count("a", by: 5, level) }
            await test.pause(.seconds(1))
            for node in test.nodes.compactMap(\.self) {
                #expect(try await node.ownTotal("a") == 15)
                #expect(try await node.total("a", .all) == 15)
            }
        }
    }

    @Test func aNodeThatHoldsNothingOfThePartitionSendsTheCountToALeader() throws {
        let test = CoordinatedWorld(seed: 2, replication: CounterTests.others)
        try test.run { test in
            let (holders, stranger) = try CounterTests.holders("a", test)
            let node = try #require(test.nodes[stranger])
            for _ in 0..<10 { try await node.count("a", by: 3, .quorum) }
            #expect(try await node.ownTotal("a") == nil)
            for holder in holders { #expect(try await test.nodes[holder]?.ownTotal("a") == 30) }
        }
    }

    @Test func severalRowsAndTheStaticRowAreCountedInOneWrite() throws {
        let test = CoordinatedWorld(seed: 3)
        try test.run { test in
            let node = try #require(test.nodes[0])
            let deltas = CoordinatedNode.deltas("a", [(nil, 100), ("x", 1), ("y", 2), ("x", 10)])
            for _ in 0..<2 { try await node.count("a", deltas, .all) }
            #expect(try await node.total("a", nil, .all) == 200)
            #expect(try await node.total("a", "x", .all) == 22)
            #expect(try await node.total("a", "y", .all) == 4)
        }
    }

    @Test func countsThatMeetInOnePartitionAllCount() throws {
        let test = CoordinatedWorld(seed: 4)
        try test.run { test in
            let works = (0..<60).map { index in
                let node = test.nodes[index % 3]
                return LoopWork("count", on: test.machines[index % 3].host.loops[0], of: test.machines[index % 3].host)
                {
                    try await node?.count("a", by: Int64(index), .quorum)
                }
            }
            for work in works { try await work.value() }
            #expect(try await test.nodes[0]?.total("a", .all) == (0..<60).reduce(0, +))
        }
    }

    @Test func tooFewReplicasAreUnavailableAndNothingIsCounted() throws {
        let test = CoordinatedWorld(seed: 5)
        try test.run { test in
            test.kill(1)
            test.kill(2)
            await CounterTests.expect(.unavailable(.quorum, required: 2, alive: 1)) {
                try await test.nodes[0]?.count("a", by: 1, .quorum)
            }
            let own: Int64? = try await test.nodes[0]?.ownTotal("a")
            #expect(own == nil)
            await CounterTests.expect(nil) { try await test.nodes[0]?.count("a", by: 1, .one) }
        }
    }

    @Test func whatALeaderSaysOfItsReplicasReachesTheClientAsItIs() throws {
        let test = CoordinatedWorld(seed: 6, replication: CounterTests.others)
        try test.run { test in
            let (holders, stranger) = try CounterTests.holders("a", test)
            let node = try #require(test.nodes[stranger])
            try await node.count("a", by: 1, .all)
            // Whoever leads reaches the coordinator, and not the other replica.
            test.world.network.split([test.machines[holders[0]]], from: [test.machines[holders[1]]])
            await CounterTests.expect(.writeTimedOut(.counter, .all, received: 1, required: 2)) {
                try await node.count("a", by: 1, .all, timeoutMilliseconds: 1_000)
            }
            test.world.network.healAll()
            // A leader that knows of its dead neighbour says so itself.
            test.nodes[holders[0]]?.liveness.set(ReplicaWorld.id(holders[1]), alive: false)
            test.nodes[holders[1]]?.liveness.set(ReplicaWorld.id(holders[0]), alive: false)
            await CounterTests.expect(.unavailable(.all, required: 2, alive: 1)) {
                try await node.count("a", by: 1, .all)
            }
        }
    }

    @Test func aLeaderThatDoesNotAnswerIsATimeOut() throws {
        let test = CoordinatedWorld(seed: 7, replication: CounterTests.others)
        try test.run { test in
            let (holders, stranger) = try CounterTests.holders("a", test)
            let node = try #require(test.nodes[stranger])
            try await node.count("a", by: 1, .all)
            test.world.network.split([test.machines[stranger]], from: holders.map { test.machines[$0] })
            await CounterTests.expect(.writeTimedOut(.counter, .one, received: 0, required: 1)) {
                try await node.count("a", by: 1, .one, timeoutMilliseconds: 500)
            }
        }
    }

    @Test func aDeadLeaderIsNotAsked() throws {
        let test = CoordinatedWorld(seed: 8, replication: CounterTests.others)
        try test.run { test in
            let (holders, stranger) = try CounterTests.holders("a", test)
            test.kill(holders[0])
            let node = try #require(test.nodes[stranger])
            for _ in 0..<20 { try await node.count("a", by: 1, .one) }
            #expect(try await test.nodes[holders[1]]?.ownTotal("a") == 20)
        }
    }

    @Test func aNodeGoesOnFromItsOwnCountAfterARestart() throws {
        let test = CoordinatedWorld(seed: 9)
        try test.run { test in
            for round in 0..<4 {
                for index in 0..<3 { try await test.nodes[index]?.count("a", by: 10, .all) }
                let victim: Int = round % 3
                test.kill(victim)
                let other = try #require(test.nodes[(victim + 1) % 3])
                try await other.count("a", by: 1, .quorum)
                try await test.restart(victim)
                await test.pause(.seconds(3))
            }
            #expect(try await test.nodes[0]?.total("a", .all) == 4 * 30 + 4)
        }
    }

    @Test func aHintBringsACountOnce() throws {
        let test = CoordinatedWorld(seed: 10)
        try test.run { test in
            test.kill(2)
            for _ in 0..<5 { try await test.nodes[0]?.count("a", by: 7, .quorum) }
            try await test.restart(2)
            await test.pause(.seconds(20))
            #expect(try await test.nodes[2]?.ownTotal("a") == 35)
        }
    }

    @Test func aDeletedCounterIsGoneOnAllReplicas() throws {
        let test = CoordinatedWorld(seed: 11)
        try test.run { test in
            let node = try #require(test.nodes[0])
            try await node.count("a", "x", by: 7, .all, at: 5)
            try await node.count("a", "y", by: 8, .all, at: 5)
            try await node.count("a", CoordinatedNode.deletion("a", "x", at: 9), .all)
            for node in test.nodes.compactMap(\.self) {
                #expect(try await node.ownTotal("a", "x") == nil)
                #expect(try await node.ownTotal("a", "y") == 8)
            }
        }
    }

    @Test func aDamagedDeltaIsRefusedAndNothingIsCounted() throws {
        let test = CoordinatedWorld(seed: 12)
        try test.run { test in
            let node = try #require(test.nodes[0])
            let whole: [UInt8] = CoordinatedNode.deltas("a", [("x", 1)])
            for length in stride(from: whole.count - 1, through: 24, by: -1) {
                let failures: [NodeID: ReplicaFailure] = [ReplicaWorld.id(0): .unknown]
                await CounterTests.expect(
                    .writeFailed(.counter, .one, received: 0, required: 1, failures: failures)
                ) { try await node.count("a", Array(whole[..<length]), .one) }
            }
            #expect(try await node.ownTotal("a", "x") == nil)
        }
    }

    /// Expects a call to fail like this, or to succeed.
    static func expect(
        _ expected: CoordinationFailure?, sourceLocation: SourceLocation = #_sourceLocation,
        _ body: () async throws -> Void
    ) async {
        do {
            try await body()
            #expect(expected == nil, sourceLocation: sourceLocation)
        } catch {
            #expect(error as? CoordinationFailure == expected, sourceLocation: sourceLocation)
        }
    }
}
