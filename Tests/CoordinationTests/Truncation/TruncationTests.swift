import Cluster
import Coordination
import DataModel
import Environment
import Primitives
import SimulatedHost
import Storage
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

    // MARK: Rows that were read before

    @Test func whatWasReadBeforeIsNotBroughtBack() throws {
        let test = CoordinatedWorld(seed: 8)
        try test.run { test in
            let node = try #require(test.nodes[2])
            let row: [UInt8] = ReplicaWorld.mutation("a", "x", at: test.time)
            #expect(try await node.page("a").truncation == 0)
            try await TruncationTests.truncate(test, from: 1)
            try await node.replica.repair(ReadRepair(TruncationSpan(), row))
            #expect(try await node.own("a") == nil)
            let stamp: Int64 = try await node.page("a").truncation
            #expect(stamp > 0)
            for other in test.nodes { #expect(try await other?.page("a").truncation == stamp) }
            try await node.replica.repair(ReadRepair(TruncationSpan([stamp - 1, stamp]), row))
            #expect(try await node.own("a") == nil)
            try await node.replica.repair(ReadRepair(TruncationSpan([stamp, stamp]), row))
            #expect(try await node.own("a") == "x")
        }
    }

    @Test func aNodeThatIsAboutToEmptyATableTakesNothingOfBefore() throws {
        let test = CoordinatedWorld(seed: 9)
        try test.run { test in
            let node = try #require(test.nodes[2])
            try await node.write("a", "x", at: test.time, .all)
            try await TruncationTests.begin(node, 5)
            // It still has the row, and says that it is from before.
            let page: ReadPage = try await node.page("a")
            #expect(page.truncation == 0)
            #expect(page.liveRowCount == 1)
            try await node.replica.repair(
                ReadRepair(TruncationSpan(), ReplicaWorld.mutation("b", "y", at: test.time)))
            #expect(try await node.own("b") == nil)
            node.truncationTimes.finish(ReplicaWorld.table, stamp: 5)
            #expect(try await node.page("a").truncation == 5)
            // The end of one that was never begun says nothing.
            node.truncationTimes.finish(ReplicaWorld.table, stamp: 6)
            #expect(node.truncationTimes.finished(ReplicaWorld.table) == 5)
        }
    }

    @Test func aTruncationIsNewerThanAllOthersWhateverTheClocksSay() throws {
        let test = CoordinatedWorld(seed: 10)
        try test.run { test in
            let (first, last): (CoordinatedNode, CoordinatedNode) = (
                try #require(test.nodes[0]), try #require(test.nodes[2])
            )
            let future: Int64 = last.clock.next() + 3_600_000_000
            try await TruncationTests.begin(last, future)
            try await first.write("a", "x", at: test.time, .all)
            try await TruncationTests.truncate(test, from: 0)
            #expect(try await TruncationTests.values(test, "a") == [nil, nil, nil])
            for node in test.nodes { #expect(node?.truncationTimes.finished(ReplicaWorld.table) == future + 1) }
        }
    }

    @Test func aNodeThatMissedATruncationTakesPartInRepairsAgain() throws {
        let test = CoordinatedWorld(seed: 11)
        try test.run { test in
            let node = try #require(test.nodes[0])
            try await TruncationTests.begin(node, 5)
            node.truncationTimes.finish(ReplicaWorld.table, stamp: 5)
            try await test.nodes[1]?.replica.apply(ReplicaWorld.mutation("a", "x", at: test.time))
            #expect(try await node.read("a", .all) == "x")
            // What is from before does not come to the node that is empty; the other may have it.
            #expect(try await TruncationTests.values(test, "a") == [nil, "x", "x"])
            #expect(test.nodes[1]?.truncationTimes.finished(ReplicaWorld.table) == 0)
            await test.pause(.seconds(601))
            #expect(try await node.read("a", .all) == "x")
            await test.pause(.seconds(1))
            #expect(test.nodes[1]?.truncationTimes.finished(ReplicaWorld.table) == 5)
            #expect(try await node.read("a", .all) == "x")
            #expect(try await TruncationTests.values(test, "a") == ["x", "x", "x"])
            let time: Int64? = test.nodes[1]?.truncationTimes.time(of: ReplicaWorld.table)
            #expect(time == nil)
        }
    }

    @Test func aReadDuringATruncationWaitsForItsEnd() throws {
        let test = CoordinatedWorld(seed: 12)
        try test.run { test in
            let node = try #require(test.nodes[0])
            try await TruncationTests.begin(node, 5)
            node.truncationTimes.finish(ReplicaWorld.table, stamp: 5)
            for other in test.nodes.compactMap(\.self) where other !== node {
                try await other.replica.apply(ReplicaWorld.mutation("b", "y", at: 1))
                _ = other.host.loops[0].schedule(after: .milliseconds(15)) {
                    other.host.background.run("truncate", on: other.host.loops[0]) {
                        try? await TruncationTests.begin(other, 5)
                        try? await other.engine.truncate(id: ReplicaWorld.table)
                        other.truncationTimes.finish(ReplicaWorld.table, stamp: 5)
                    }
                }
            }
            #expect(try await node.read("b", .all) == nil)
            #expect(try await TruncationTests.values(test, "b") == [nil, nil, nil])
        }
    }

    @Test func stampsSurviveARestartAndRecordsWithoutThemAreRead() throws {
        let test = CoordinatedWorld(seed: 13)
        try test.run { test in
            let host = test.machines[0].host
            let table = UUID(high: 1, low: 2)
            let times: [Int64?] = try await LoopWork("old record", on: host.loops[0], of: host) {
                let record = DurableRecord(disk: host.disk, directory: "/old", name: "truncations", magic: 0x4D4C_5452)
                try await host.disk.createDirectory("/old")
                var writer = ByteWriter()
                writer.write(table.high)
                writer.write(table.low)
                writer.write(Int64(77))
                try await record.store(writer.array())
                let old = try await TruncationTimes.open(directory: "/old", disk: host.disk)
                _ = try await old.begin(table, stamp: 9, at: 50)
                let refused: Int64? = try await old.begin(table, stamp: 9, at: 99)
                let new = try await TruncationTimes.open(directory: "/old", disk: host.disk)
                return [refused, new.time(of: table), new.begun(table), new.finished(table)]
            }.value()
            #expect(times == [9, 77, 9, 9])
        }
    }

    @Test func aReadRepairThatIsCutShortIsRefused() throws {
        var writer = ByteWriter()
        let repair = ReadRepair(TruncationSpan(oldest: 1, newest: 2), ReplicaWorld.table.bytes)
        repair.write(to: &writer)
        let bytes: [UInt8] = writer.array()
        let read = try ReadRepair(decoding: bytes.span.bytes)
        #expect(read == repair)
        for count in bytes.indices {
            let part = Array(bytes[..<count])
            #expect(throws: DecodingError.self) { try ReadRepair(decoding: part.span.bytes) }
        }
    }

    private static func begin(_ node: CoordinatedNode, _ stamp: Int64) async throws {
        _ = try await LoopWork("begin", on: node.host.loops[0], of: node.host) {
            try await node.truncationTimes.begin(ReplicaWorld.table, stamp: stamp, at: node.clock.next())
        }.value()
    }
}
