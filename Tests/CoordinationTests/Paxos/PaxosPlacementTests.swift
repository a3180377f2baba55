import Cluster
import Coordination
import DataModel
import Environment
import Primitives
import SimulatedHost
import Testing

/// Decisions while the replicas of a partition change.
@Suite struct PaxosPlacementTests {
    /// The members of a world of four with the last one in a state.
    private static func members(_ world: ReplicaWorld, last state: MemberState) -> [Member] {
        var members: [Member] = world.members
        members[3].state = state
        return members
    }

    /// A key that the last of four nodes takes over from the node at `giver` when it joins.
    private static func key(_ world: ReplicaWorld, from giver: Int, _ number: Int = 0) throws -> String {
        func topology(_ state: MemberState) -> Topology {
            Topology(members: members(world, last: state), local: ReplicaWorld.id(0))
        }
        let before: Placement = try topology(.left).placement(for: ReplicaWorld.replication)
        let after: Placement = try topology(.normal).placement(for: ReplicaWorld.replication)
        var found = 0
        for attempt in 0..<10_000 {
            let key = "key\(attempt)"
            let bytes = Array(key.utf8)
            let token = Token(ofKey: bytes.span.bytes)
            guard before.replicas(of: token).contains(ReplicaWorld.id(giver)),
                !after.replicas(of: token).contains(ReplicaWorld.id(giver))
            else { continue }
            if found == number { return key }
            found += 1
        }
        throw NoKey()
    }

    private struct NoKey: Error {}

    /// A world of four nodes of which the last has not joined.
    private static func run<Value: Sendable>(
        seed: UInt64, _ body: @escaping @Sendable (PaxosWorld) async throws -> Value
    ) throws -> Value {
        let test = PaxosWorld(seed: seed, nodes: 4)
        return try test.run { test in
            try await tell(test, .left, epoch: 1, [0, 1, 2, 3])
            return try await body(test)
        }
    }

    /// Tells nodes of another state of the last one.
    private static func tell(_ test: PaxosWorld, _ state: MemberState, epoch: UInt64, _ nodes: [Int]) async throws {
        try await test.replicas.change(members(test.replicas, last: state), knownBy: nodes)
        for index in nodes { test.node(index)?.applied.reached(epoch) }
    }

    @Test func fingerprintsTellSetsApartAndNotTheirOrder() {
        func set(_ natural: [Int], _ pending: [Int]) -> UInt64 {
            ReplicaSet(
                natural: natural.map { ReplicaWorld.id($0) }, pending: pending.map { ReplicaWorld.id($0) },
                datacenters: Array(repeating: "dc1", count: natural.count + pending.count), localDatacenter: "dc1"
            ).fingerprint
        }
        #expect(set([0, 1, 2], [3]) == set([2, 0, 1], [3]))
        let all: [UInt64] = [
            set([], []), set([0], []), set([], [0]), set([0, 1], []), set([0], [1]), set([1], [0]), set([0, 1, 2], []),
            set([0, 1, 2], [3]), set([0, 1, 3], [2]), set([0, 1, 3], []),
        ]
        #expect(Set(all).count == all.count && !all.contains(0))
    }

    @Test func changesThatLeaveThePartitionWhereItIsDisturbNobody() throws {
        try Self.run(seed: 1) { test in
            for (epoch, index) in [(UInt64(9), 0), (5, 1), (1, 2)] { test.node(index)?.applied.reached(epoch) }
            let start: UInt64 = test.now
            for index in 0..<4 {
                let node = try #require(test.node(index))
                let change = try await test.change("a", through: node) { seen, _ in "\(seen ?? "")\(index)" }
                #expect(change.written == String("0123".prefix(index + 1)))
            }
            #expect(test.now - start < 200_000_000)
        }
    }

    @Test func aMajorityIsOneOfOwnersAndAllThatWillOwn() throws {
        try Self.run(seed: 2) { test in
            let key: String = try Self.key(test.replicas, from: 2)
            try await Self.tell(test, .joining, epoch: 2, [0, 1, 2, 3])
            let node = try #require(test.node(0))
            test.replicas.kill(1)
            #expect(try await test.change(key, through: node, .serial, .one) { _, _ in "x" }.written == "x")
            test.replicas.kill(2)
            await PaxosCoordinatorTests.expect(.unavailable(.serial, required: 3, alive: 2)) {
                _ = try await test.change(key, through: node, .serial, .one) { _, _ in "y" }
            }
            await PaxosCoordinatorTests.expect(.unavailable(.serial, required: 3, alive: 2)) {
                _ = try await test.look(key, through: node)
            }
        }
    }

    @Test func aCoordinatorThatIsBehindIsRefusedUntilItKnowsTheReplicas() throws {
        try Self.run(seed: 3) { test in
            let key: String = try Self.key(test.replicas, from: 2)
            try await Self.tell(test, .joining, epoch: 2, [1, 2, 3])
            let node = try #require(test.node(0))
            node.host.background.run("catch up", on: node.host.loops[0]) {
                await test.replicas.pause(.milliseconds(100))
                try? await Self.tell(test, .joining, epoch: 2, [0])
            }
            let start: UInt64 = test.now
            #expect(try await test.change(key, through: node) { _, _ in "x" }.written == "x")
            #expect(test.now - start >= 100_000_000)
            await test.replicas.pause(.milliseconds(100))
            #expect(try await test.node(3)?.own(key) == "x")
        }
    }

    @Test func aCoordinatorThatNeverCatchesUpSaysThatNothingWasWritten() throws {
        try Self.run(seed: 4) { test in
            let key: String = try Self.key(test.replicas, from: 2)
            try await Self.tell(test, .joining, epoch: 2, [1, 2, 3])
            let node = try #require(test.node(0))
            await PaxosCoordinatorTests.expect(.writeTimedOut(.compareAndSet, .serial, received: 1, required: 2)) {
                _ = try await test.change(key, through: node) { _, _ in "x" }
            }
            for index in 0..<4 { #expect(try await test.node(index)?.own(key) == nil) }
        }
    }

    @Test func aReplicaThatIsBehindCatchesUpBeforeItAnswers() throws {
        try Self.run(seed: 5) { test in
            let key: String = try Self.key(test.replicas, from: 2)
            try await Self.tell(test, .joining, epoch: 2, [0, 3])
            let node = try #require(test.node(0))
            node.host.background.run("catch up", on: node.host.loops[0]) {
                await test.replicas.pause(.milliseconds(100))
                try? await Self.tell(test, .joining, epoch: 2, [1, 2])
            }
            let start: UInt64 = test.now
            #expect(try await test.change(key, through: node) { _, _ in "x" }.written == "x")
            #expect((100_000_000..<150_000_000).contains(test.now - start))
        }
    }

    /// Counts in several partitions while a node joins: no count is lost, and none is done twice, when all are told of each
    /// step before the next one.
    @Test(arguments: UInt64(1)...4) func noDecisionIsLostWhileANodeJoins(seed: UInt64) throws {
        try Self.run(seed: seed) { test in
            let keys: [String] = try (0..<3).map { try Self.key(test.replicas, from: $0) }
            let tally = Tally()
            for (client, key) in (keys + keys).enumerated() {
                let node = try #require(test.node(client % 4))
                node.host.background.run("client", on: node.host.loops[0]) { await Self.count(key, node, test, tally) }
            }
            var generator = SeededGenerator(seed: seed)
            for (step, state) in [MemberState.joining, .normal].enumerated() {
                for index in [0, 1, 2, 3].shuffled(using: &generator) {
                    await test.replicas.pause(.milliseconds(Int64(generator.below(80))))
                    try await Self.tell(test, state, epoch: UInt64(step) + 2, [index])
                }
                // What was written before the node got every write is brought to it.
                for key in keys where state == .joining {
                    await Self.rewrite(key, try #require(test.node(0)), test)
                }
            }
            await test.replicas.pause(.milliseconds(200))
            tally.isOver = true
            while tally.clientCount > 0 { await test.replicas.pause(.milliseconds(20)) }
            for key in keys {
                let patient = PaxosTimeouts(contention: .seconds(5), write: .seconds(2))
                let value: String? = try await test.look(key, through: try #require(test.node(1)), timeouts: patient)
                let count: Int = value.flatMap { Int($0) } ?? 0
                let done: Int = tally.done[key] ?? 0
                let unknown: Int = tally.unknown[key] ?? 0
                #expect(
                    (done...(done + unknown)).contains(count), "seed \(seed) \(key): \(done) + \(unknown), \(count)")
                #expect(done > 3, "seed \(seed)")
            }
        }
    }

    /// `Sendable` is unchecked because a world is used by one thread at a time.
    private final class Tally: @unchecked Sendable {
        var done: [String: Int] = [:]
        var unknown: [String: Int] = [:]
        var clientCount = 6
        var isOver = false
    }

    private static func count(_ key: String, _ node: ReplicaNode, _ test: PaxosWorld, _ tally: Tally) async {
        while !tally.isOver {
            do {
                _ = try await test.change(key, through: node) { seen, _ in
                    "\((seen.flatMap { Int($0) } ?? 0) + 1)"
                }
                tally.done[key, default: 0] += 1
            } catch CoordinationFailure.outcomeUnknown { tally.unknown[key, default: 0] += 1 } catch {
                // Nothing was written; a decision that is late at its replicas counts as unknown.
                if case CoordinationFailure.writeTimedOut(.simple, _, _, _) = error {
                    tally.unknown[key, default: 0] += 1
                }
            }
        }
        tally.clientCount -= 1
    }

    private static func rewrite(_ key: String, _ node: ReplicaNode, _ test: PaxosWorld) async {
        let patient = PaxosTimeouts(contention: .seconds(5), write: .seconds(2))
        while true {
            do {
                _ = try await test.change(key, through: node, .serial, .all, timeouts: patient) { seen, _ in
                    seen ?? "0"
                }
                return
            } catch { await test.replicas.pause(.milliseconds(10)) }
        }
    }
}
