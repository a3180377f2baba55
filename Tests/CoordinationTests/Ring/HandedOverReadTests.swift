import Cluster
import Coordination
import DataModel
import Environment
import Primitives
import SimulatedHost
import Testing

/// What is read between the moment at which a range has new owners and the end of the change.
@Suite struct HandedOverReadTests {
    /// Four nodes, one copy, and a key that the last node owns since just now, and the first one did before.
    private func withHandedOver(
        _ body: @escaping @Sendable (_ test: CoordinatedWorld, _ key: String) async throws -> Void
    ) throws {
        let places = Array(repeating: CoordinatedWorld.Place(), count: 4)
        let replication: [String: String] = ["class": "SimpleStrategy", "replication_factor": "1"]
        try CoordinatedWorld(seed: 41, places: places, replication: replication).run { test in
            var members: [Member] = test.members
            members[3].state = .joining
            var change = RingChange(
                id: UUID(high: 0, low: 7), kind: .join, node: members[3].id, tokens: members[3].tokens,
                driver: members[3].id)
            let start = Topology(members: members, changes: [change], local: .none)
            change.handedOver = start.affected(by: change.id, [.simple(factor: 1)])
            for case let node? in test.nodes { try await node.take(members, [change]) }
            let node = try #require(test.nodes[3])
            let found: String? = try await node.replica.run(on: 0) { _ in
                try (0..<1_000).map { "k\($0)" }.first { key in
                    let set: ReplicaSet = try node.views[0].plan(for: node.replication, node.token(key)).set
                    return set.natural == [node.id] && set.pending == [ReplicaWorld.id(0)]
                }
            }
            try await body(test, try #require(found))
        }
    }

    @Test func whatOnlyTheFormerOwnerHasIsSeenAndBroughtToThePresentOne() throws {
        try withHandedOver { test, key in
            let (node, owner) = (try #require(test.nodes[1]), try #require(test.nodes[3]))
            try await test.nodes[0]?.replica.apply(ReplicaWorld.mutation(key, "seen", at: test.time))
            #expect(try await node.read(key, .one) == nil, "one replica is the present owner")
            #expect(try await node.read(key, .quorum) == "seen")
            #expect(try await owner.own(key) == "seen")
            test.kill(0)
            #expect(try await node.read(key, .one) == "seen")
            await PaxosCoordinatorTests.expect(.unavailable(.quorum, required: 2, alive: 1)) {
                _ = try await node.read(key, .quorum)
            }
        }
    }

    @Test func aHintForTheFormerOwnerComesToThePresentOne() throws {
        try withHandedOver { test, key in
            let old = try #require(test.nodes[0])
            let hint = Hint(
                createdMicroseconds: test.machines[0].host.time.wallMicroseconds, graceSeconds: 864_000,
                mutation: ReplicaWorld.mutation(key, "late", at: test.time))
            let batch = HintBatch(target: old.id, hints: [hint])
            _ = try await test.nodes[1]?.messages.request(.hint, batch.bytes, to: old.id, timeout: .seconds(5))
            #expect(try await old.own(key) == "late")
            await test.pause(.seconds(5))
            #expect(try await test.nodes[3]?.own(key) == "late")
            #expect(await test.nodes[3]?.hints.currentCounters().created == 0, "it does not go back")
        }
    }
}
