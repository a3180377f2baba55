import Cluster
import Coordination
import DataModel
import Environment
import Primitives
import SimulatedHost
import Testing

/// Writes to several data centres: one message to each, passed on there, and every replica counted for itself.
@Suite struct ForwardingTests {
    private static let places: [CoordinatedWorld.Place] = (0..<6).map {
        .init(datacenter: $0 < 3 ? "dc1" : "dc2", rack: "r\($0)")
    }
    private static let replication: [String: String] = [
        "class": "NetworkTopologyStrategy", "dc1": "3", "dc2": "3",
    ]

    private static func world(_ seed: UInt64) -> CoordinatedWorld {
        CoordinatedWorld(seed: seed, places: places, loops: 1, replication: replication)
    }

    /// How many messages a node has sent to each other, over the lane of mutations.
    private static func sent(_ test: CoordinatedWorld, from index: Int) async throws -> [Int] {
        let node = try #require(test.nodes[index])
        var counts: [Int] = Array(repeating: 0, count: test.members.count)
        for traffic in await node.messages.traffic() where traffic.lane == .data {
            guard let place = test.members.firstIndex(where: { $0.id == traffic.node }) else { continue }
            counts[place] += Int(traffic.counts.sentMessages)
        }
        return counts
    }

    private static func owners(_ test: CoordinatedWorld, of key: String, _ value: String) async throws -> [Int] {
        var owners: [Int] = []
        for (index, node) in test.nodes.enumerated() where try await node?.own(key) == value { owners.append(index) }
        return owners
    }

    @Test func aDatacenterIsSentOneCopyAndItsReplicasTakeTurns() throws {
        try ForwardingTests.world(1).run { test in
            let node = try #require(test.nodes[0])
            for number in 0..<30 { try await node.write("k\(number)", "x", at: test.time, .all) }
            for number in 0..<30 {
                #expect(try await ForwardingTests.owners(test, of: "k\(number)", "x") == [0, 1, 2, 3, 4, 5])
            }
            let sent: [Int] = try await ForwardingTests.sent(test, from: 0)
            #expect(sent[..<3] == [0, 30, 30])
            #expect(sent[3...].reduce(0, +) == 30)
            #expect(sent[3...].allSatisfy { $0 >= 5 })
        }
    }

    @Test func replicasThatAnotherOnePassesAWriteToTellOfIt() throws {
        try ForwardingTests.world(9).run { test in
            let node = try #require(test.nodes[0])
            let trace = RequestTrace(
                id: UUID(high: 1, low: 2), source: test.members[0].internode, host: node.host)
            try await node.write("k", "x", at: test.time, .all, trace: trace)
            await test.pause(.seconds(1))
            #expect(!trace.hasOpenMessages)
            let events: [TraceEvent] = trace.takeEvents()
            let sent: [TraceEvent] = events.filter { $0.activity.hasPrefix("Sending MUTATION_REQ message") }
            #expect(sent.count(where: { $0.source == test.members[0].internode }) == 3)
            #expect(sent.count(where: { $0.source != test.members[0].internode }) == 2, "those of the forwarder")
            for member in test.members {
                #expect(
                    events.count {
                        $0.source == member.internode && $0.activity == "Appending to commitlog"
                    } == 1, "\(member.internode)")
            }
        }
    }

    @Test func aDeadReplicaOfAnotherDatacenterGetsAHint() throws {
        try ForwardingTests.world(2).run { test in
            test.kill(4)
            let node = try #require(test.nodes[0])
            for number in 0..<6 { try await node.write("k\(number)", "x", at: test.time, .eachQuorum) }
            await CounterTests.expect(.unavailable(.all, required: 6, alive: 5)) {
                try await node.write("k", "y", at: test.time, .all)
            }
            try await test.restart(4)
            await test.pause(.seconds(20))
            for number in 0..<6 {
                #expect(try await ForwardingTests.owners(test, of: "k\(number)", "x") == [0, 1, 2, 3, 4, 5])
            }
        }
    }

    @Test func aReplicaThatTheForwarderDoesNotReachIsCountedAlone() throws {
        try ForwardingTests.world(3).run { test in
            let node = try #require(test.nodes[0])
            for number in 0..<3 { try await node.write("k\(number)", "w", at: test.time, .all) }
            test.world.network.split([test.machines[5]], from: [test.machines[3], test.machines[4]])
            for number in 0..<3 {
                await CounterTests.expect(nil) {
                    try await node.write("k\(number)", "x", at: test.time, .localQuorum, timeoutMilliseconds: 500)
                }
            }
            var received: [Int] = []
            for number in 0..<3 {
                do {
                    try await node.write("k\(number)", "y", at: test.time, .all, timeoutMilliseconds: 500)
                } catch CoordinationFailure.writeTimedOut(.simple, .all, let count, required: 6) {
                    received.append(count)
                }
            }
            // By turns the forwarder reaches one of two others, or none.
            #expect(received.sorted() == [4, 5, 5])
            test.world.network.healAll()
            await test.pause(.seconds(20))
            for number in 0..<3 {
                #expect(try await ForwardingTests.owners(test, of: "k\(number)", "y") == [0, 1, 2, 3, 4, 5])
            }
        }
    }

    @Test func aForwarderThatDiesIsNotMissed() throws {
        try ForwardingTests.world(4).run { test in
            let node = try #require(test.nodes[0])
            for number in 0..<6 { try await node.write("k\(number)", "w", at: test.time, .all) }
            // Nobody is told.
            test.machines[3].kill()
            for number in 0..<6 {
                await CounterTests.expect(nil) {
                    try await node.write("k\(number)", "x", at: test.time, .eachQuorum, timeoutMilliseconds: 1_000)
                }
                #expect(try await test.nodes[4]?.own("k\(number)") == "x")
                #expect(try await test.nodes[5]?.own("k\(number)") == "x")
            }
        }
    }

    @Test func largeMutationsArePassedOnToo() throws {
        try ForwardingTests.world(5).run { test in
            let node = try #require(test.nodes[0])
            let value = String(repeating: "x", count: 100_000)
            for number in 0..<3 { try await node.write("k\(number)", value, at: test.time, .all) }
            #expect(try await ForwardingTests.owners(test, of: "k0", value) == [0, 1, 2, 3, 4, 5])
        }
    }

    @Test func countersReachOtherDatacenters() throws {
        try ForwardingTests.world(6).run { test in
            for node in test.nodes.compactMap(\.self) { try await node.count("a", by: 2, .eachQuorum) }
            #expect(try await test.nodes[5]?.total("a", .all) == 12)
        }
    }

    @Test(arguments: Array(UInt64(1)...10))
    func whatEachQuorumAcknowledgedEveryLaterLocalQuorumSees(seed: UInt64) throws {
        try ForwardingTests.world(seed).run { test in
            var random = SeededGenerator(seed: seed)
            var history = RegisterHistory()
            for step in 0..<80 {
                try await ForwardingTests.disturb(test, &random)
                guard let node = test.nodes[Int(random.next() % 6)] else { continue }
                let key = "k\(random.next() % 3)"
                if random.next() % 2 == 0 {
                    let time: Int64 = test.time &+ Int64(step)
                    let isAcknowledged: Bool
                    do {
                        try await node.write(key, "\(time)", at: time, .eachQuorum, timeoutMilliseconds: 300)
                        isAcknowledged = true
                    } catch { isAcknowledged = false }
                    history.wrote(key, time, isAcknowledged: isAcknowledged)
                } else {
                    let seen: String?
                    do {
                        seen = try await node.read(key, .eachQuorum, timeoutMilliseconds: 300)
                    } catch { continue }
                    let problem: String? = history.read(key, seen.flatMap { Int64($0) } ?? 0)
                    #expect(problem == nil, "seed \(seed), step \(step)")
                }
            }
        }
    }

    /// One step of what goes wrong: a node dies or returns, a link is cut or heals; one node at a time.
    private static func disturb(_ test: CoordinatedWorld, _ random: inout SeededGenerator) async throws {
        switch random.next() % 16 {
        case 0:
            if test.nodes.allSatisfy({ $0 != nil }) { test.kill(Int(random.next() % 6)) }
        case 1, 2:
            if let dead = test.nodes.firstIndex(where: { $0 == nil }) { try await test.restart(dead) }
        case 3:
            let one = Int(random.next() % 6)
            let other = (one + 1 + Int(random.next() % 5)) % 6
            test.world.network.cut(from: test.machines[one], to: test.machines[other])
        case 4, 5: test.world.network.healAll()
        default: break
        }
    }
}
