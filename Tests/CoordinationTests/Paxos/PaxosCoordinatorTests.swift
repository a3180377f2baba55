import Cluster
import Coordination
import DataModel
import Environment
import Primitives
import SimulatedHost
import Testing

/// What one coordinator does, one thing at a time.
@Suite struct PaxosCoordinatorTests {
    @Test func aConditionIsCheckedAgainstWhatWasDecidedBefore() throws {
        let test = PaxosWorld(seed: 1)
        try test.run { test in
            for index in 0..<3 {
                let node = try #require(test.node(index))
                let first = try await test.change("a", through: node) { seen, _ in seen == nil ? "x" : nil }
                #expect(first.written == (index == 0 ? "x" : nil))
                #expect(try await test.look("a", through: node) == "x")
            }
            let node = try #require(test.node(1))
            let second = try await test.change("a", through: node) { seen, _ in seen == "x" ? "y" : nil }
            #expect(second.written == "y")
            for index in 0..<3 {
                let other = try #require(test.node(index))
                #expect(try await test.look("a", through: other) == "y")
                #expect(try await test.look("b", through: other) == nil)
            }
        }
    }

    @Test(arguments: [0, 1, 2]) func aQuorumIsNeededAndEnough(deadCount: Int) throws {
        let test = PaxosWorld(seed: UInt64(deadCount) + 2)
        try test.run { test in
            for index in 0..<deadCount { test.replicas.kill(2 - index) }
            let node = try #require(test.node(0))
            let isEnough: Bool = deadCount < 2
            await PaxosCoordinatorTests.expect(isEnough ? nil : .unavailable(.serial, required: 2, alive: 1)) {
                _ = try await test.change("a", through: node, .serial, .one) { _, _ in "x" }
            }
            await PaxosCoordinatorTests.expect(isEnough ? nil : .unavailable(.serial, required: 2, alive: 1)) {
                _ = try await test.look("a", through: node)
            }
            await PaxosCoordinatorTests.expect(
                deadCount == 0 ? nil : .unavailable(.all, required: 3, alive: 3 - deadCount)
            ) {
                _ = try await test.change("a", through: node, .serial, .all) { _, _ in "x" }
            }
            #expect((node.hints.kept[ReplicaWorld.id(2)] ?? 0 > 0) == (deadCount == 1))
        }
    }

    @Test func oneAfterTheOtherWritesWithGrowingTimestampsWhateverTheClocksSay() throws {
        let test = PaxosWorld(seed: 5)
        try test.run { test in
            test.replicas.machines[0].time.jump(byMicroseconds: 600_000_000)
            test.replicas.machines[2].time.jump(byMicroseconds: -600_000_000)
            for round in 0..<12 {
                let node = try #require(test.node(round % 3))
                let change = try await test.change("a", through: node) { seen, _ in
                    seen == (round == 0 ? nil : "\(round - 1)") ? "\(round)" : nil
                }
                #expect(change.written == "\(round)")
            }
        }
    }

    @Test func aWriteWinsOverTheRowFromTheFutureThatItWasConditionalOn() throws {
        let test = PaxosWorld(seed: 6)
        try test.run { test in
            let node = try #require(test.node(0))
            let ahead: Int64 = node.host.time.wallMicroseconds + 3_600_000_000
            try await node.write("a", "future", at: ahead, .all)
            let change = try await test.change("a", through: node) { seen, ballot in
                #expect(ballot.microseconds > ahead)
                return seen == "future" ? "present" : nil
            }
            #expect(change.written == "present")
            let other = try #require(test.node(1))
            #expect(try await test.look("a", through: other) == "present")
            #expect(try await other.read("a", .all) == "present")
        }
    }

    @Test func whatWasDecidedSurvivesThatAllNodesAreRestarted() throws {
        let test = PaxosWorld(seed: 7)
        try test.run { test in
            _ = try await test.change("a", through: try #require(test.node(0))) { _, _ in "x" }
            for index in 0..<3 { test.replicas.kill(index) }
            for index in 0..<3 { try await test.replicas.restart(index) }
            await test.replicas.pause(.seconds(1))
            let node = try #require(test.node(1))
            let change = try await test.change("a", through: node) { seen, _ in seen == "x" ? "y" : nil }
            #expect(change.written == "y")
        }
    }

    @Test func whoeverCanNotReachAQuorumSaysSoInTime() throws {
        let test = PaxosWorld(seed: 8)
        try test.run { test in
            let node = try #require(test.node(0))
            _ = try await test.change("a", through: node) { _, _ in "x" }
            let machines = test.replicas.machines
            test.replicas.world.network.split([machines[0]], from: [machines[1], machines[2]])
            let start: UInt64 = test.now
            await PaxosCoordinatorTests.expect(
                .writeTimedOut(.compareAndSet, .serial, received: 1, required: 2)
            ) { _ = try await test.change("a", through: node) { _, _ in "y" } }
            await PaxosCoordinatorTests.expect(.readTimedOut(.serial, received: 1, required: 2, hasData: false)) {
                _ = try await test.look("a", through: node)
            }
            #expect(test.now - start < 2_500_000_000)
        }
    }

    @Test func aDecisionThatTooFewHaveAcknowledgedIsATimeoutOfAPlainWrite() throws {
        let test = PaxosWorld(seed: 9)
        try test.run { test in
            let node = try #require(test.node(0))
            let machines = test.replicas.machines
            // Nobody knows yet that this one can not answer.
            test.replicas.world.network.cut(from: machines[2], to: machines[0])
            await PaxosCoordinatorTests.expect(.writeTimedOut(.simple, .all, received: 2, required: 3)) {
                _ = try await test.change("a", through: node, .serial, .all) { _, _ in "x" }
            }
            test.replicas.world.network.healAll()
            #expect(try await test.look("a", through: try #require(test.node(1))) == "x")
        }
    }

    @Test func localSerialAsksItsOwnDatacenterAlone() throws {
        let test = PaxosWorld(
            seed: 10, nodes: 6, datacenters: ["dc1", "dc1", "dc1", "dc2", "dc2", "dc2"],
            replication: ["class": "NetworkTopologyStrategy", "dc1": "3", "dc2": "3"])
        try test.run { test in
            let node = try #require(test.node(0))
            _ = try await test.change("a", through: node, .serial, .localQuorum) { _, _ in "x" }
            for index in 3..<6 { test.replicas.kill(index) }
            let change = try await test.change("a", through: node, .localSerial, .localQuorum) { seen, _ in
                seen == "x" ? "y" : nil
            }
            #expect(change.written == "y")
            #expect(try await test.look("a", through: try #require(test.node(1)), .localSerial) == "y")
            await PaxosCoordinatorTests.expect(.unavailable(.serial, required: 4, alive: 3)) {
                _ = try await test.look("a", through: node)
            }
        }
    }

    @Test func contendersOfAllNodesFinish() throws {
        let test = PaxosWorld(seed: 11)
        let counts: [String: Int] = try test.run { test in
            let tally = Tally()
            let patient = PaxosTimeouts(contention: .seconds(5), write: .seconds(2))
            for client in 0..<12 {
                let node = try #require(test.node(client % 3))
                node.host.background.run("contender", on: node.host.loops[0]) {
                    for _ in 0..<10 {
                        do {
                            let change = try await test.change("a", through: node, timeouts: patient) { seen, _ in
                                "\((seen.flatMap { Int($0) } ?? 0) + 1)"
                            }
                            tally.add(change.written == nil ? "left" : "done")
                        } catch { tally.add("\(error)") }
                    }
                    tally.finishedCount += 1
                }
            }
            while tally.finishedCount < 12 { await test.replicas.pause(.milliseconds(10)) }
            #expect(try await test.look("a", through: try #require(test.node(2))) == "\(tally.counts["done"] ?? 0)")
            return tally.counts
        }
        #expect(counts == ["done": 120])
    }

    /// `Sendable` is unchecked because a world is used by one thread at a time.
    private final class Tally: @unchecked Sendable {
        var counts: [String: Int] = [:]
        var finishedCount = 0
        func add(_ name: String) { counts[name, default: 0] += 1 }
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
