import Cluster
import Coordination
import DataModel
import Primitives
import SimulatedHost
import Testing

/// Writes and reads of partitions that a node is about to take over: it gets every write, on top of what the level asks
/// for, and answers no read.
@Suite struct PendingReplicaTests {
    private static func set(local: String, isHandedOver: Bool = false) -> ReplicaSet {
        // Natural ones in both data centres, and one that is joining in each.
        ReplicaSet(
            natural: (0..<6).map { ReplicaWorld.id($0) }, pending: [ReplicaWorld.id(6), ReplicaWorld.id(7)],
            datacenters: ["dc1", "dc1", "dc1", "dc2", "dc2", "dc2", "dc1", "dc2"], localDatacenter: local,
            isHandedOver: isHandedOver)
    }

    private static let counts = ReplicaCounts(
        replication: ["class": "NetworkTopologyStrategy", "dc1": "3", "dc2": "3"], localDatacenter: "dc1")

    @Test(arguments: [
        (Consistency.any, 1, 1), (.one, 3, 1), (.two, 4, 2), (.three, 5, 3), (.quorum, 6, 4), (.all, 8, 6),
        (.localOne, 2, 1), (.localQuorum, 3, 2), (.eachQuorum, 6, 4), (.serial, 6, 4), (.localSerial, 3, 2),
    ]) func writesWaitForOneMoreForEachThatIsPending(level: Consistency, writes: Int, reads: Int) {
        let set: ReplicaSet = Self.set(local: "dc1")
        #expect(AnswerRule.writes(level, of: set, Self.counts).needed == writes)
        #expect(AnswerRule.reads(level, of: set, Self.counts).needed == reads)
        #expect(AnswerRule.reads(level, of: set, Self.counts).members & 0b1100_0000 == 0)
    }

    @Test(arguments: [
        (Consistency.one, 1), (.two, 4), (.three, 5), (.quorum, 6), (.all, 8), (.localOne, 1), (.localQuorum, 3),
        (.eachQuorum, 6), (.serial, 6), (.localSerial, 3), (.nodeLocal, 1),
    ]) func readsOfWhatWasHandedOverWaitForThoseThatHadItToo(level: Consistency, needed: Int) {
        let rule = AnswerRule.reads(level, of: Self.set(local: "dc1", isHandedOver: true), Self.counts)
        #expect(rule.needed == needed)
        let former: UInt64 = level.isDatacenterLocal ? 0b0100_0000 : 0b1100_0000
        #expect(rule.members & 0b1100_0000 == (needed == 1 ? 0 : former))
    }

    @Test func eachQuorumCountsThePendingOnesOfEachDatacenter() {
        let rule = AnswerRule.writes(.eachQuorum, of: Self.set(local: "dc1"), Self.counts)
        // Two of dc1 and the one that joins there, three natural ones of dc2.
        #expect(rule.isMet(by: 0b0111_1011))
        #expect(!rule.isMet(by: 0b0101_1111))
        #expect(!rule.isMet(by: 0b0010_0111 | 0b0000_1000))
    }

    @Test func aJoiningNodeGetsEveryWriteAndAnswersNoRead() throws {
        let test = ReplicaWorld(seed: 21, nodes: 4)
        try test.run { test in
            var members: [Member] = test.members
            members[3].state = .joining
            try await test.change(members, knownBy: [0, 1, 2, 3])
            let node = try #require(test.nodes[0])
            let found: String? = try (0..<1_000).map { "k\($0)" }.first { key in
                try node.plan(key, node.shard(key)).set.pending == [ReplicaWorld.id(3)]
            }
            let key: String = try #require(found)
            try await node.write(key, "one", at: test.time, .quorum)
            await test.pause(.milliseconds(100))
            #expect(try await test.nodes[3]?.own(key) == "one")
            test.kill(1)
            try await node.write(key, "two", at: test.time, .quorum)
            #expect(try await test.nodes[3]?.own(key) == "two")
            // The two that own it are enough to read, and not to write.
            test.kill(3)
            #expect(try await node.read(key, .quorum) == "two")
            await PaxosCoordinatorTests.expect(.unavailable(.quorum, required: 3, alive: 2)) {
                try await node.write(key, "three", at: test.time, .quorum)
            }
            await PaxosCoordinatorTests.expect(.unavailable(.one, required: 2, alive: 1)) {
                test.kill(2)
                try await node.write(key, "three", at: test.time, .one)
            }
            #expect(try await node.read(key, .one) == "two")
            #expect(node.hints.kept[ReplicaWorld.id(1)] == 1)
        }
    }
}
