import Cluster
import Coordination
import DataModel
import Primitives
import SimulatedHost
import Testing

/// Tables that are emptied on all nodes, and what must not come back.
@Suite struct TruncationTests {
    private static func truncate(
        _ test: CoordinatedWorld, from index: Int, table: UUID = ReplicaWorld.table, timeout: Duration = .seconds(60)
    ) async throws {
        let node = try #require(test.nodes[index])
        try await node.truncation.truncate(table, members: test.members, timeout: timeout)
    }

    private static func expect(
        _ expected: TruncationFailure, sourceLocation: SourceLocation = #_sourceLocation,
        _ body: () async throws -> Void
    ) async {
        do {
            try await body()
            Issue.record("nothing failed", sourceLocation: sourceLocation)
        } catch {
            #expect(error as? TruncationFailure == expected, sourceLocation: sourceLocation)
        }
    }

    private static func values(_ test: CoordinatedWorld, _ key: String) async throws -> [String?] {
        var values: [String?] = []
        for node in test.nodes.compactMap(\.self) { values.append(try await node.own(key)) }
        return values
    }

    @Test func aTableIsEmptyOnAllNodesAndTakesNewRows() throws {
        let test = CoordinatedWorld(seed: 1)
        try test.run { test in
            try await test.nodes[0]?.write("a", "x", at: test.time, .all)
            try await test.nodes[0]?.count("a", by: 1, .all)
            try await TruncationTests.truncate(test, from: 1)
            #expect(try await TruncationTests.values(test, "a") == [nil, nil, nil])
            #expect(try await test.nodes[2]?.ownTotal("a") == 1)
            // An old timestamp counts: what was deleted is forgotten, not shadowed.
            try await test.nodes[0]?.write("a", "y", at: 1, .all)
            #expect(try await TruncationTests.values(test, "a") == ["y", "y", "y"])
        }
    }

    @Test func everyMemberMustBeUp() throws {
        let test = CoordinatedWorld(seed: 2)
        try test.run { test in
            try await test.nodes[0]?.write("a", "x", at: test.time, .all)
            test.kill(2)
            await TruncationTests.expect(.unavailable(required: 3, alive: 2)) {
                try await TruncationTests.truncate(test, from: 0)
            }
            #expect(try await TruncationTests.values(test, "a") == ["x", "x"])
        }
    }

    @Test func aNodeThatDoesNotAnswerIsATimeOut() throws {
        let test = CoordinatedWorld(seed: 3)
        try test.run { test in
            test.world.network.split([test.machines[0]], from: [test.machines[2]])
            await TruncationTests.expect(.timedOut(received: 2)) {
                try await TruncationTests.truncate(test, from: 0, timeout: .seconds(5))
            }
        }
    }

    @Test func aNodeWithoutTheTableIsNamed() throws {
        let test = CoordinatedWorld(seed: 4)
        try test.run { test in
            let table = UUID(high: 9, low: 9)
            let failure = TruncationFailure.failed(
                at: test.members[0].internode, reason: "this node has no table with id \(table)")
            await TruncationTests.expect(failure) { try await TruncationTests.truncate(test, from: 0, table: table) }
        }
    }

    @Test func hintsFromBeforeBringNothingBackAndLaterOnesArrive() throws {
        let test = CoordinatedWorld(seed: 5)
        try test.run { test in
            test.world.network.split([test.machines[0]], from: [test.machines[2]])
            let node = try #require(test.nodes[0])
            try await node.write("a", "x", at: test.time, .quorum, timeoutMilliseconds: 500)
            await test.pause(.seconds(5))
            try await TruncationTests.truncate(test, from: 1)
            try await node.write("b", "y", at: test.time, .quorum, timeoutMilliseconds: 500)
            await test.pause(.seconds(5))
            test.world.network.healAll()
            await test.pause(.seconds(60))
            #expect(try await TruncationTests.values(test, "a") == [nil, nil, nil])
            #expect(try await TruncationTests.values(test, "b") == ["y", "y", "y"])
            #expect(await node.delivery.currentCounters().ofTruncatedTables == 1)
        }
    }

    @Test func aWriteFromBeforeIsNotHintedBackAfterItsDeadline() throws {
        let test = CoordinatedWorld(seed: 6)
        try test.run { test in
            test.world.network.split([test.machines[0]], from: [test.machines[2]])
            let node = try #require(test.nodes[0])
            // Acknowledged by the two that hear of it; the third gets a hint only when its time is up.
            try await node.write("a", "x", at: test.time, .quorum, timeoutMilliseconds: 2_000)
            try await TruncationTests.truncate(test, from: 1)
            await test.pause(.seconds(5))
            test.world.network.healAll()
            await test.pause(.seconds(60))
            #expect(try await TruncationTests.values(test, "a") == [nil, nil, nil])
        }
    }

    @Test func theTimeOfATruncationSurvivesARestart() throws {
        let test = CoordinatedWorld(seed: 7)
        try test.run { test in
            let before: Int64? = test.nodes[2]?.truncationTimes.time(of: ReplicaWorld.table)
            #expect(before == nil)
            try await TruncationTests.truncate(test, from: 1)
            let time: Int64? = test.nodes[2]?.truncationTimes.time(of: ReplicaWorld.table)
            #expect(time != nil)
            test.crash(2)
            try await test.restart(2)
            #expect(test.nodes[2]?.truncationTimes.time(of: ReplicaWorld.table) == time)
        }
    }
}
