import Cluster
import Coordination
import DataModel
import Environment
import Primitives
import SimulatedHost
import Testing

/// Logged batches over several partitions, with coordinators and replicas that die on the way.
@Suite struct BatchTests {
    private typealias Place = CoordinatedWorld.Place
    private static let single: [String: String] = ["class": "SimpleStrategy", "replication_factor": "1"]
    /// The last node shares its rack with the first, so it keeps none of its batches.
    private static let racks: [CoordinatedWorld.Place] = ["r1", "r2", "r3", "r1"].map { .init(rack: $0) }

    private static func values(_ count: Int, _ value: String) -> [(key: String, value: String)] {
        (0..<count).map { ("k\($0)", value) }
    }

    /// The node that holds a key, where there is one copy.
    private static func owner(_ key: String, _ test: CoordinatedWorld) throws -> Int {
        let node = try #require(test.nodes.compactMap(\.self).first)
        let set = try node.views[0].topology.placement(for: test.replication).replicas(of: node.token(key))
        return try #require(test.members.indices.first { ReplicaWorld.id($0) == set.natural[0] })
    }

    private static func key(ownedBy owner: Int, _ test: CoordinatedWorld) throws -> String {
        for number in 0..<1_000 where try BatchTests.owner("key\(number)", test) == owner { return "key\(number)" }
        return ""
    }

    @Test func aBatchIsWrittenAndForgotten() throws {
        let test = CoordinatedWorld(seed: 1)
        try test.run { test in
            let node = try #require(test.nodes[0])
            try await node.writeBatch(BatchTests.values(20, "x"), at: test.time, .all)
            for node in test.nodes.compactMap(\.self) {
                for number in 0..<20 { #expect(try await node.own("k\(number)") == "x") }
            }
            await test.pause(.seconds(1))
            #expect(test.nodes.map { $0?.batchLog.counters.stored } == [0, 1, 1])
            #expect(test.nodes.allSatisfy { $0?.batchLog.batchCount == 0 })
        }
    }

    @Test func aBatchOfOnePartitionNeedsNoLog() throws {
        let test = CoordinatedWorld(seed: 2)
        try test.run { test in
            try await test.nodes[0]?.writeBatch(BatchTests.values(1, "x"), at: test.time, .all)
            #expect(try await test.nodes[2]?.own("k0") == "x")
            #expect(test.nodes.allSatisfy { $0?.batchLog.counters.stored == 0 })
        }
    }

    @Test func aNodeThatIsAloneKeepsItsOwnBatches() throws {
        let test = CoordinatedWorld(seed: 3, places: [Place()], replication: BatchTests.single)
        try test.run { test in
            try await test.nodes[0]?.writeBatch(BatchTests.values(5, "x"), at: test.time, .one)
            #expect(try await test.nodes[0]?.own("k4") == "x")
            #expect(test.nodes[0]?.batchLog.counters.stored == 1)
            await test.pause(.seconds(1))
            #expect(test.nodes[0]?.batchLog.batchCount == 0)
        }
    }

    @Test func withNobodyWhoMayKeepItABatchIsUnavailableButForAny() throws {
        let test = CoordinatedWorld(seed: 4)
        try test.run { test in
            test.kill(1)
            test.kill(2)
            await CounterTests.expect(.unavailable(.one, required: 1, alive: 0)) {
                try await test.nodes[0]?.writeBatch(BatchTests.values(2, "x"), at: test.time, .one)
            }
            let own: String? = try await test.nodes[0]?.own("k0")
            #expect(own == nil)
            await CounterTests.expect(nil) {
                try await test.nodes[0]?.writeBatch(BatchTests.values(2, "y"), at: test.time, .any)
            }
            #expect(try await test.nodes[0]?.own("k0") == "y")
        }
    }

    @Test func tooFewReplicasAreUnavailableBeforeAnythingIsKept() throws {
        let test = CoordinatedWorld(seed: 5)
        try test.run { test in
            test.kill(2)
            await CounterTests.expect(.unavailable(.all, required: 3, alive: 2)) {
                try await test.nodes[0]?.writeBatch(BatchTests.values(2, "x"), at: test.time, .all)
            }
            #expect(test.nodes[1]?.batchLog.counters.stored == 0)
            await CounterTests.expect(nil) {
                try await test.nodes[0]?.writeBatch(BatchTests.values(2, "x"), at: test.time, .quorum)
            }
            #expect(test.nodes[1]?.batchLog.counters.stored == 1)
        }
    }

    @Test func keepersThatDoNotAnswerAreATimeOutOfTheBatchLog() throws {
        let test = CoordinatedWorld(seed: 6)
        try test.run { test in
            let node = try #require(test.nodes[0])
            try await node.writeBatch(BatchTests.values(2, "x"), at: test.time, .all)
            test.world.network.split([test.machines[0]], from: [test.machines[1]])
            await CounterTests.expect(.writeTimedOut(.batchLog, .two, received: 1, required: 2)) {
                try await node.writeBatch(
                    BatchTests.values(2, "y"), at: test.time, .one, timeoutMilliseconds: 500)
            }
            #expect(try await node.own("k0") == "x")
        }
    }

    @Test func whatAReplicaMissedIsWrittenByTheKeepersAfterTheCoordinatorsDeath() throws {
        let test = CoordinatedWorld(seed: 7, places: BatchTests.racks, replication: BatchTests.single)
        try test.run { test in
            let far = try BatchTests.key(ownedBy: 3, test)
            let near = try BatchTests.key(ownedBy: 1, test)
            let node = try #require(test.nodes[0])
            test.world.network.split([test.machines[0]], from: [test.machines[3]])
            await CounterTests.expect(.writeTimedOut(.batch, .one, received: 0, required: 1)) {
                try await node.writeBatch(
                    [(far, "x"), (near, "x")], at: test.time, .one, timeoutMilliseconds: 500)
            }
            test.crash(0)
            let early: String? = try await test.nodes[3]?.own(far)
            #expect(early == nil)
            await test.pause(.seconds(30))
            #expect(try await test.nodes[3]?.own(far) == "x")
            #expect(try await test.nodes[1]?.own(near) == "x")
            #expect(test.nodes[1]?.batchLog.counters.replayed == 1)
            #expect(test.nodes.allSatisfy { ($0?.batchLog.batchCount ?? 0) == 0 })
        }
    }

    @Test func keepersThatLoseTheirPowerStillHaveTheBatch() throws {
        let test = CoordinatedWorld(seed: 8, places: BatchTests.racks, replication: BatchTests.single)
        try test.run { test in
            let far = try BatchTests.key(ownedBy: 3, test)
            let near = try BatchTests.key(ownedBy: 1, test)
            test.world.network.split([test.machines[0]], from: [test.machines[3]])
            try? await test.nodes[0]?.writeBatch(
                [(far, "x"), (near, "x")], at: test.time, .one, timeoutMilliseconds: 500)
            for victim in 0..<3 { test.crash(victim) }
            for keeper in 1..<3 { try await test.restart(keeper) }
            await test.pause(.seconds(30))
            #expect(try await test.nodes[3]?.own(far) == "x")
        }
    }

    @Test func aTruncatedTableGetsNothingBackFromABatchThatWasKeptBefore() throws {
        let test = CoordinatedWorld(seed: 9, places: BatchTests.racks, replication: BatchTests.single)
        try test.run { test in
            let far = try BatchTests.key(ownedBy: 3, test)
            let near = try BatchTests.key(ownedBy: 1, test)
            test.world.network.split([test.machines[0]], from: [test.machines[3]])
            try? await test.nodes[0]?.writeBatch(
                [(far, "x"), (near, "x")], at: test.time, .one, timeoutMilliseconds: 500)
            test.world.network.healAll()
            let node = try #require(test.nodes[1])
            try await node.truncation.truncate(ReplicaWorld.table, members: test.members, timeout: .seconds(10))
            await test.pause(.seconds(30))
            let values: [String?] = [try await test.nodes[3]?.own(far), try await node.own(near)]
            #expect(values == [nil, nil])
            #expect(node.batchLog.batchCount == 0)
        }
    }

    @Test(arguments: Array(UInt64(1)...30))
    func howeverTheCoordinatorEndsAllOfABatchHappensOrNothing(seed: UInt64) throws {
        let test = CoordinatedWorld(seed: seed, places: BatchTests.racks, replication: BatchTests.single)
        try test.run { test in
            var random = SeededGenerator(seed: seed)
            let node = try #require(test.nodes[0])
            try await node.writeBatch(BatchTests.values(8, "old"), at: test.time, .one)
            let time: Int64 = test.time
            let write = LoopWork("batch", on: node.host.loops[0], of: node.host) {
                try await node.writeBatch(BatchTests.values(8, "new"), at: time, .one)
            }
            // Long enough for none, some or all of what the coordinator does; the watch is another machine's.
            let loop = test.machines[1].host.loops[0]
            let delay: Duration = .microseconds(Int64(random.next() % 3_000))
            await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
                _ = loop.schedule(after: delay) { continuation.resume() }
            }
            _ = write
            if random.next() % 2 == 0 { test.kill(0) } else { test.crash(0) }
            if random.next() % 2 == 0 {
                test.crash(1)
                try await test.restart(1)
            }
            await test.pause(.seconds(20))
            try await test.restart(0)
            await test.pause(.seconds(60))
            var seen: Set<String> = []
            for number in 0..<8 {
                let owner: Int = try BatchTests.owner("k\(number)", test)
                seen.insert(try await test.nodes[owner]?.own("k\(number)") ?? "nothing")
            }
            #expect(seen.count == 1, "seed \(seed)")
        }
    }
}
