import Cluster
import Coordination
import DataModel
import Environment
import Primitives
import SimulatedHost
import Testing

/// What comes to the owners of partitions past the coordinators of writes comes to those who are about to own them too.
@Suite struct HandoverWritesTests {
    /// Four nodes that know of the last one that it is joining, and a key that it is about to own.
    private func withJoining(
        _ body: @escaping @Sendable (CoordinatedWorld, String) async throws -> Void
    ) throws {
        let places = Array(repeating: CoordinatedWorld.Place(), count: 4)
        try CoordinatedWorld(seed: 31, places: places).run { test in
            var members: [Member] = test.members
            members[3].state = .joining
            for case let node? in test.nodes { try await node.take(members) }
            let node = try #require(test.nodes[0])
            let found: String? = try await node.replica.run(on: 0) { _ in
                try (0..<1_000).map { "k\($0)" }.first { key in
                    let set: ReplicaSet = try node.views[0].plan(for: node.replication, node.token(key)).set
                    return set.pending == [ReplicaWorld.id(3)] && set.natural.contains(ReplicaWorld.id(0))
                }
            }
            try await body(test, try #require(found))
        }
    }

    private func hint(_ key: String, _ value: String, _ test: CoordinatedWorld) -> Hint {
        Hint(
            createdMicroseconds: test.machines[0].host.time.wallMicroseconds, graceSeconds: 864_000,
            mutation: ReplicaWorld.mutation(key, value, at: test.time))
    }

    @Test func aHintComesToAJoiningNodeAsWell() throws {
        try withJoining { test, key in
            let (sender, owner) = (try #require(test.nodes[1]), try #require(test.nodes[0]))
            let batch = HintBatch(target: owner.id, hints: [hint(key, "late", test)])
            _ = try await sender.messages.request(.hint, batch.bytes, to: owner.id, timeout: .seconds(5))
            #expect(try await owner.own(key) == "late")
            // A change does not end before it has arrived, though it is in memory only.
            #expect(await owner.hints.hasHints(for: [ReplicaWorld.id(3)]))
            #expect(await !owner.hints.hasHints(for: [ReplicaWorld.id(2)]))
            await test.pause(.milliseconds(500))
            #expect(await !owner.hints.hasHints(for: [ReplicaWorld.id(3)]))
            #expect(try await test.nodes[3]?.own(key) == "late")
            #expect(try await test.nodes[2]?.own(key) == nil, "the others that own it have hints of their own")
        }
    }

    @Test func twoJoiningNodesDoNotBringEachOtherTheSameHint() throws {
        let places = Array(repeating: CoordinatedWorld.Place(), count: 5)
        try CoordinatedWorld(seed: 33, places: places).run { test in
            var members: [Member] = test.members
            for index in 3...4 { members[index].state = .joining }
            for case let node? in test.nodes { try await node.take(members) }
            let owner = try #require(test.nodes[0])
            let coming: Set<NodeID> = [ReplicaWorld.id(3), ReplicaWorld.id(4)]
            let found: String? = try await owner.replica.run(on: 0) { _ in
                try (0..<10_000).map { "k\($0)" }.first { key in
                    let set: ReplicaSet = try owner.views[0].plan(for: owner.replication, owner.token(key)).set
                    return Set(set.pending) == coming && set.natural.contains(owner.id)
                }
            }
            let key: String = try #require(found)
            let batch = HintBatch(target: owner.id, hints: [hint(key, "late", test)])
            _ = try await test.nodes[1]?.messages.request(.hint, batch.bytes, to: owner.id, timeout: .seconds(5))
            await test.pause(.seconds(10))
            for index in 3...4 {
                let node = try #require(test.nodes[index])
                #expect(try await node.own(key) == "late")
                #expect(await node.hints.currentCounters().created == 0)
            }
        }
    }

    @Test func aReadRepairComesToAJoiningNodeAsWell() throws {
        try withJoining { test, key in
            let (node, other) = (try #require(test.nodes[0]), try #require(test.nodes[1]))
            try await other.replica.apply(ReplicaWorld.mutation(key, "seen", at: test.time))
            #expect(try await node.read(key, .all) == "seen")
            await test.pause(.seconds(5))
            #expect(try await test.nodes[3]?.own(key) == "seen")
        }
    }

    /// What a node keeps for another that is down is not lost when it leaves.
    @Test func hintsOfANodeThatLeavesAreKeptByAnother() throws {
        let places = Array(repeating: CoordinatedWorld.Place(), count: 3)
        try CoordinatedWorld(seed: 34, places: places).run { test in
            let (leaver, heir) = (try #require(test.nodes[0]), try #require(test.nodes[1]))
            test.kill(2)
            let down = ReplicaWorld.id(2)
            for number in 0..<10 { try await leaver.write("k\(number)", "kept", at: test.time, .quorum) }
            await leaver.hints.flush()
            await leaver.delivery.leave(to: heir.id)
            while await leaver.hints.hasHints(for: [down]) { await test.pause(.milliseconds(50)) }
            #expect(await heir.hints.hasHints(for: [down]))
            test.kill(0)
            try await test.restart(2)
            while await heir.hints.hasHints(for: [down]) { await test.pause(.milliseconds(50)) }
            for number in 0..<10 { #expect(try await test.nodes[2]?.own("k\(number)") == "kept") }
        }
    }

    @Test func hintsForAStrangerAreNotKept() throws {
        let places = Array(repeating: CoordinatedWorld.Place(), count: 2)
        try CoordinatedWorld(seed: 35, places: places).run { test in
            let (sender, heir) = (try #require(test.nodes[0]), try #require(test.nodes[1]))
            let stranger = NodeID(UUID(high: 99, low: 99))
            let batch = HintBatch(target: stranger, hints: [hint("k", "lost", test)])
            _ = try await sender.messages.request(.hint, batch.bytes, to: heir.id, timeout: .seconds(5))
            #expect(await heir.hints.currentCounters().created == 0)
        }
    }

    @Test func aHintForANodeThatOwnsItNoMoreGoesToTheOwners() throws {
        let places = Array(repeating: CoordinatedWorld.Place(), count: 4)
        try CoordinatedWorld(seed: 32, places: places).run { test in
            let node = try #require(test.nodes[0])
            let owners: [String: [NodeID]] = try await node.replica.run(on: 0) { _ in
                var owners: [String: [NodeID]] = [:]
                for key in (0..<100).map({ "k\($0)" }) {
                    owners[key] = try node.views[0].plan(for: node.replication, node.token(key)).set.natural
                }
                return owners
            }
            let found: String? = owners.keys.sorted().first { owners[$0]?.contains(node.id) == false }
            let key: String = try #require(found)
            let batch = HintBatch(target: node.id, hints: [hint(key, "late", test)])
            _ = try await test.nodes[1]?.messages.request(.hint, batch.bytes, to: node.id, timeout: .seconds(5))
            #expect(try await node.own(key) == nil)
            await test.pause(.seconds(5))
            for index in 1...3 { #expect(try await test.nodes[index]?.own(key) == "late") }
        }
    }
}
