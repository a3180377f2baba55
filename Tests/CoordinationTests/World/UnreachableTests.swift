import Cluster
import Coordination
import DataModel
import Environment
import Primitives
import SimulatedHost
import Testing

/// Requests whose replica goes away while it is asked. Nobody knows what became of them there.
@Suite struct UnreachableTests {
    /// Runs `body` while the last node's answers do not come through, and breaks its connections a moment later.
    private static func breaking(
        _ test: ReplicaWorld, _ index: Int, _ body: () async throws -> Void
    ) async -> (failure: CoordinationFailure?, nanoseconds: UInt64) {
        test.world.network.cut(from: test.machines[index], to: test.machines[0])
        let host = test.machines[0].host
        host.background.run("break", on: host.loops[1]) {
            await test.pause(.milliseconds(50))
            test.machines[index].kill()
        }
        let start: UInt64 = test.world.nowNanoseconds
        var failure: CoordinationFailure?
        do { try await body() } catch { failure = error as? CoordinationFailure }
        return (failure, test.world.nowNanoseconds - start)
    }

    @Test func aWriteThatCanNotReachItsLevelAnyMoreTimesOutAtOnceAndLeavesAHint() throws {
        let test = ReplicaWorld(seed: 1)
        try test.run { test in
            let node = try #require(test.nodes[0])
            try await node.write("a", "before", at: test.time, .all)
            let end = await UnreachableTests.breaking(test, 2) {
                try await node.write("a", "after", at: test.time, .all)
            }
            #expect(end.failure == .writeTimedOut(.simple, .all, received: 2, required: 3))
            #expect((50_000_000..<1_000_000_000).contains(end.nanoseconds))
            #expect(node.hints.kept[ReplicaWorld.id(2)] == 1)
        }
    }

    @Test func aWriteThatEnoughHaveTakenSucceeds() throws {
        let test = ReplicaWorld(seed: 2)
        try test.run { test in
            let node = try #require(test.nodes[0])
            try await node.write("a", "before", at: test.time, .all)
            let end = await UnreachableTests.breaking(test, 2) {
                try await node.write("a", "after", at: test.time, .quorum)
            }
            #expect(end.failure == nil)
            await test.pause(.seconds(1))
            #expect(node.hints.kept[ReplicaWorld.id(2)] == 1)
        }
    }

    @Test(arguments: [1, 2]) func aReadAsksAnotherReplicaAtOnce(index: Int) throws {
        let test = ReplicaWorld(seed: 3)
        try test.run { test in
            let node = try #require(test.nodes[0])
            try await node.write("a", "x", at: test.time, .all)
            var value: String?
            let end = await UnreachableTests.breaking(test, index) { value = try await node.read("a", .quorum) }
            #expect(end.failure == nil && value == "x")
            #expect(end.nanoseconds < 1_000_000_000)
        }
    }

    @Test func aReadThatNobodyElseCanAnswerTimesOutAtOnce() throws {
        let test = ReplicaWorld(seed: 4)
        try test.run { test in
            let node = try #require(test.nodes[0])
            try await node.write("a", "x", at: test.time, .all)
            let end = await UnreachableTests.breaking(test, 2) { _ = try await node.read("a", .all) }
            #expect(end.failure == .readTimedOut(.all, received: 2, required: 3, hasData: true))
            #expect((50_000_000..<1_000_000_000).contains(end.nanoseconds))
        }
    }
}
