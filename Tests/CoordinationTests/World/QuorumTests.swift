import Cluster
import Coordination
import DataModel
import Primitives
import SimulatedHost
import Testing

/// Reads and writes of several replicas, on nodes that die, fall silent and come back.
@Suite struct QuorumTests {
    private static let needs: [(Consistency, Int)] = [
        (.one, 1), (.two, 2), (.three, 3), (.quorum, 2), (.all, 3), (.localOne, 1), (.localQuorum, 2),
        (.eachQuorum, 2),
    ]

    @Test(arguments: [0, 1, 2]) func levelsAreMetByAsManyReplicasAsTheyNeed(deadCount: Int) throws {
        let test = ReplicaWorld(seed: UInt64(deadCount) + 1)
        try test.run { test in
            for index in 0..<deadCount { test.kill(2 - index) }
            let node = try #require(test.nodes[0])
            for (level, needed) in QuorumTests.needs {
                let shortage = CoordinationFailure.unavailable(level, required: needed, alive: 3 - deadCount)
                let isEnough: Bool = needed <= 3 - deadCount
                await QuorumTests.expect(isEnough ? nil : shortage) {
                    try await node.write("a", "\(level)", at: test.time, level)
                }
                await QuorumTests.expect(isEnough ? nil : shortage) { _ = try await node.read("a", level) }
            }
            await QuorumTests.expect(nil) { try await node.write("any", "x", at: test.time, .any) }
            let hintCount: Int = node.hints.kept.values.reduce(0, +)
            #expect((hintCount > 0) == (deadCount > 0))
        }
    }

    @Test func aWriteThatTooFewReplicasAnswerTimesOutAndSaysHowManyDid() throws {
        let test = ReplicaWorld(seed: 5)
        try test.run { test in
            let node = try #require(test.nodes[0])
            try await node.write("a", "before", at: test.time, .all)
            test.world.network.split([test.machines[0]], from: [test.machines[1], test.machines[2]])
            await QuorumTests.expect(.writeTimedOut(.simple, .quorum, received: 1, required: 2)) {
                try await node.write("a", "after", at: test.time, .quorum)
            }
            #expect(node.hints.kept.count == 2)
        }
    }

    @Test func aQuorumReadRepairsTheReplicaThatMissedAWrite() throws {
        let test = ReplicaWorld(seed: 6)
        try test.run { test in
            try await test.nodes[0]?.write("a", "old", at: test.time, .all)
            test.kill(2)
            try await test.nodes[0]?.write("a", "new", at: test.time, .quorum)
            try await test.restart(2)
            await test.pause(.seconds(2))
            #expect(try await test.nodes[2]?.own("a") == "old")
            #expect(try await test.nodes[0]?.read("a", .all) == "new")
            #expect(try await test.nodes[2]?.own("a") == "new")
        }
    }

    @Test func withoutReadRepairTheReplicaKeepsWhatItHas() throws {
        let test = ReplicaWorld(seed: 7)
        try test.run { test in
            try await test.nodes[0]?.write("a", "old", at: test.time, .all)
            test.kill(2)
            try await test.nodes[0]?.write("a", "new", at: test.time, .quorum)
            try await test.restart(2)
            await test.pause(.seconds(2))
            #expect(try await test.nodes[0]?.read("a", .all, repairs: false) == "new")
            #expect(try await test.nodes[2]?.own("a") == "old")
        }
    }

    @Test func aReadAsksAnotherReplicaWhenOneIsSilent() throws {
        let test = ReplicaWorld(seed: 8)
        try test.run { test in
            let node = try #require(test.nodes[0])
            try await node.write("a", "x", at: test.time, .all)
            // Nobody knows yet that these two can not talk.
            test.world.network.split([test.machines[0]], from: [test.machines[1]])
            let value = try await node.read("a", .quorum, speculation: .milliseconds(20))
            #expect(value == "x")
        }
    }

    @Test(arguments: [1, 2]) func aReplicaThatWasAskedInsteadOfASilentOneMayHaveLess(behind: Int) throws {
        let test = ReplicaWorld(seed: 8)
        try test.run { test in
            let node = try #require(test.nodes[0])
            try await node.write("a", "old", at: test.time, .all)
            test.kill(behind)
            try await node.write("a", "new", at: test.time, .quorum)
            try await test.restart(behind)
            await test.pause(.seconds(2))
            test.world.network.split([test.machines[0]], from: [test.machines[3 - behind]])
            #expect(try await node.read("a", .quorum, speculation: .milliseconds(20)) == "new")
            #expect(try await test.nodes[behind]?.own("a") == "new")
        }
    }

    @Test func eachQuorumNeedsAQuorumOfEveryDatacenter() throws {
        let test = ReplicaWorld(
            seed: 9, nodes: 4, datacenters: ["dc1", "dc1", "dc2", "dc2"],
            replication: ["class": "NetworkTopologyStrategy", "dc1": "2", "dc2": "2"])
        try test.run { test in
            test.kill(3)
            let node = try #require(test.nodes[0])
            await QuorumTests.expect(nil) { try await node.write("a", "x", at: test.time, .localQuorum) }
            await QuorumTests.expect(.unavailable(.eachQuorum, required: 2, alive: 1)) {
                try await node.write("a", "y", at: test.time, .eachQuorum)
            }
            await QuorumTests.expect(nil) { try await node.write("a", "z", at: test.time, .quorum) }
        }
    }

    @Test(arguments: Array(UInt64(1)...25))
    func whatAQuorumAcknowledgedEveryLaterQuorumSees(seed: UInt64) throws {
        let test = ReplicaWorld(seed: seed)
        try test.run { test in
            var random = SeededGenerator(seed: seed)
            var history = RegisterHistory()
            for step in 0..<120 {
                try await QuorumTests.disturb(test, &random)
                guard let node = test.nodes[Int(random.next() % 3)] else { continue }
                let key = "k\(random.next() % 3)"
                if random.next() % 2 == 0 {
                    let time: Int64 = test.time &+ Int64(step)
                    let isAcknowledged: Bool
                    do {
                        try await node.write(key, "\(time)", at: time, .quorum, timeoutMilliseconds: 300)
                        isAcknowledged = true
                    } catch { isAcknowledged = false }
                    history.wrote(key, time, isAcknowledged: isAcknowledged)
                } else {
                    let seen: String?
                    do {
                        seen = try await node.read(key, .quorum, timeoutMilliseconds: 300)
                    } catch { continue }
                    let problem: String? = history.read(key, seen.flatMap { Int64($0) } ?? 0)
                    #expect(problem == nil, "seed \(seed), step \(step)")
                }
            }
        }
    }

    /// One step of what goes wrong: a node dies or returns, a link is cut or heals; never more than one node at a time.
    private static func disturb(_ test: ReplicaWorld, _ random: inout SeededGenerator) async throws {
        switch random.next() % 16 {
        case 0:
            if test.nodes.allSatisfy({ $0 != nil }) { test.kill(Int(random.next() % 3)) }
        case 1, 2:
            if let dead = test.nodes.firstIndex(where: { $0 == nil }) { try await test.restart(dead) }
        case 3:
            let one = Int(random.next() % 3)
            let other = (one + 1 + Int(random.next() % 2)) % 3
            test.world.network.cut(from: test.machines[one], to: test.machines[other])
        case 4, 5: test.world.network.healAll()
        case 6: await test.pause(.milliseconds(Int64(random.next() % 400)))
        default: break
        }
    }

    /// Expects a call to fail like this, or to succeed.
    private static func expect(
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

extension ReplicaWorld {
    /// A timestamp that grows.
    var time: Int64 { Int64(world.nowNanoseconds / 1_000) + 1_000 }
}

/// What may be read of registers that one client writes and reads, one operation at a time.
struct RegisterHistory {
    /// The newest value that was acknowledged or has been seen.
    private var certain: [String: Int64] = [:]
    private var possible: [String: Set<Int64>] = [:]

    mutating func wrote(_ key: String, _ value: Int64, isAcknowledged: Bool) {
        possible[key, default: []].insert(value)
        if isAcknowledged { certain[key] = max(certain[key] ?? 0, value) }
    }

    /// What is wrong with having read a value; 0 stands for none.
    mutating func read(_ key: String, _ value: Int64) -> String? {
        let known: Int64 = certain[key] ?? 0
        if value < known { return "\(key) was \(value) after \(known)" }
        if value > 0, possible[key]?.contains(value) != true { return "\(key) was \(value), which nobody wrote" }
        certain[key] = value
        return nil
    }
}
