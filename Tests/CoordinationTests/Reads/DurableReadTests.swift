import Cluster
import Coordination
import DataModel
import Environment
import Primitives
import SimulatedHost
import Storage
import Testing

/// What is read and not durable yet is shown to nobody.
@Suite struct DurableReadTests {
    private static func slowDown(_ machine: SimulatedMachine, milliseconds: Int) {
        machine.disk.faults.latency = SimulatedLatency(
            minimum: .milliseconds(milliseconds), maximum: .milliseconds(milliseconds))
    }

    /// Runs `body`, and says how many milliseconds of the world it took.
    private static func timed<Value>(
        _ test: ReplicaWorld, _ body: () async throws -> Value
    ) async throws -> (value: Value, milliseconds: Int) {
        let start: UInt64 = test.world.nowNanoseconds
        let value: Value = try await body()
        return (value, Int((test.world.nowNanoseconds - start) / 1_000_000))
    }

    @Test func aPageWaitsUntilWhatIsInItIsDurable() throws {
        let test = ReplicaWorld(seed: 1)
        try test.run { test in
            let node = try #require(test.nodes[0])
            try await node.write("other", "there", at: test.time, .all)
            DurableReadTests.slowDown(test.machines[0], milliseconds: 300)
            try await node.applyUnsynced("a", "new", at: test.time)
            let other = try await DurableReadTests.timed(test) { try await node.own("other") }
            #expect(other.value == "there" && other.milliseconds == 0)
            let own = try await DurableReadTests.timed(test) { try await node.own("a") }
            #expect(own.value == "new" && (200...2_000).contains(own.milliseconds))
            let again = try await DurableReadTests.timed(test) { try await node.own("a") }
            #expect(again.value == "new" && again.milliseconds == 0)
        }
    }

    @Test func whatTheLogHasRefusedIsNotShown() throws {
        let test = ReplicaWorld(seed: 2)
        try test.run { test in
            let node = try #require(test.nodes[0])
            for key in ["a", "b"] { try await node.write(key, "old", at: test.time, .all) }
            test.machines[0].disk.faults.failingPathPart = "commitlog"
            test.machines[0].disk.faults.failureProbability = 1
            try await node.applyUnsynced("a", "new", at: test.time)
            // Once when the log fails and once when it has failed.
            for _ in 0..<2 { await #expect(throws: ReplicaError.self) { _ = try await node.own("a") } }
            #expect(try await node.own("b") == "old")
            let end: RowReadEnd = try await node.compare("b", .quorum)
            #expect(end == .agreed)
            #expect(try await test.nodes[1]?.read("a", .quorum) == "old")
        }
    }

    @Test func theOwnVersionOfARowCountsFromWhenItIsDurable() throws {
        let test = ReplicaWorld(seed: 3)
        try test.run { test in
            let node = try #require(test.nodes[0])
            DurableReadTests.slowDown(test.machines[0], milliseconds: 300)
            let time: Int64 = test.time
            for case let node? in test.nodes { try await node.applyUnsynced("a", "new", at: time) }
            let first = try await DurableReadTests.timed(test) { try await node.compare("a", .all) }
            #expect(first.value == .agreed && (200...1_900).contains(first.milliseconds))
            let again = try await DurableReadTests.timed(test) { try await node.compare("a", .all) }
            #expect(again.value == .agreed && again.milliseconds < 100)
        }
    }

    @Test func anotherReplicaSaysThatItHasARowOnceThatIsDurable() throws {
        let test = ReplicaWorld(seed: 4)
        try test.run { test in
            let node = try #require(test.nodes[0])
            DurableReadTests.slowDown(test.machines[2], milliseconds: 300)
            let time: Int64 = test.time
            for case let node? in test.nodes { try await node.applyUnsynced("a", "new", at: time) }
            let first = try await DurableReadTests.timed(test) { try await node.compare("a", .all) }
            #expect(first.value == .agreed && (200...1_900).contains(first.milliseconds))
        }
    }

    @Test func aLogThatFailsLeavesARowToTheGeneralWay() throws {
        let test = ReplicaWorld(seed: 5)
        try test.run { test in
            let node = try #require(test.nodes[0])
            test.machines[0].disk.faults.failingPathPart = "commitlog"
            test.machines[0].disk.faults.failureProbability = 1
            let time: Int64 = test.time
            for case let node? in test.nodes { try await node.applyUnsynced("a", "new", at: time) }
            #expect(try await node.compare("a", .all) == .unsettled)
        }
    }

    @Test func whoWaitsForLessIsToldEarlier() {
        final class Told: DurabilityWaiter {
            var tags: [UInt64] = []
            func writeEnded(_ tag: UInt64, _ end: WriteEnd) { tags.append(tag) }
        }
        var queue = DurabilityQueue()
        let told = Told()
        for position: UInt64 in [4, 6, 2, 6, 1, 9, 5] { queue.add(LogPosition(position), told, tag: position) }
        queue.advance(to: LogPosition(5))
        #expect(told.tags == [1, 2, 4, 5])
        queue.add(LogPosition(7), told, tag: 7)
        queue.advance(to: LogPosition(7))
        #expect(told.tags == [1, 2, 4, 5, 6, 6, 7])
        queue.advance(to: LogPosition(20))
        #expect(told.tags.last == 9 && queue.isEmpty)
    }
}

extension ReplicaNode {
    /// Writes a value here only, and does not wait for the log.
    fileprivate func applyUnsynced(_ key: String, _ value: String, at timestamp: Int64) async throws {
        let bytes: [UInt8] = ReplicaWorld.mutation(key, value, at: timestamp)
        try await replica.run(on: shard(key)) { shard in
            let table: TableStore = try #require(shard.store.table(ReplicaWorld.table))
            _ = try shard.store.apply(bytes.span.bytes, to: table)
        }
    }

    /// Reads a row as the hot path does, and returns how that has ended.
    fileprivate func compare(_ key: String, _ level: Consistency) async throws -> RowReadEnd {
        let index: Int = shard(key)
        let bytes = Array(key.utf8)
        return try await replica.run(on: index) { [self] shard in
            let table: TableStore = try #require(shard.store.table(ReplicaWorld.table))
            let plan: ReplicaPlan = try plan(key, index)
            let token = Token(ofKey: bytes.span.bytes)
            let none: [UInt8] = []
            var scratch = ByteWriter()
            var found: UnsafeRawBufferPointer?
            let answer: RowAnswer = try table.readRow(
                token: token, key: bytes.span.bytes, clustering: none.span.bytes, columns: nil, scratch: &scratch)
            if case .row(let row) = answer { found = row }
            let read: RowRead = try #require(rowReads[index].take())
            let observer = AwaitedRow()
            let question = RowReads.Question(
                table: ReplicaWorld.table, token: token, plan: plan, rule: plan.readRule(level), speculation: .never,
                timeoutMilliseconds: 2_000)
            let frame = RowDigest.Frame(
                columns: [ReplicaWorld.column], nowSeconds: host.time.wallSeconds, graceStart: 0)
            try rowReads[index].begin(
                read, question, row: found, shadow: shard.store.lastShadow, position: shard.store.lastReadPosition,
                key: bytes.span.bytes, clustering: none.span.bytes, frame,
                alive: plan.alive(views[index].liveness) & plan.readers, observer: observer, tag: 7)
            return await observer.wait()
        }
    }
}

/// Lets a test wait for a row.
private final class AwaitedRow: RowReadObserver, @unchecked Sendable {
    private var outcome: RowReadEnd?
    private var waiting: UnsafeContinuation<RowReadEnd, Never>?

    func rowReadEnded(_ read: RowRead, _ end: RowReadEnd) {
        outcome = end
        waiting?.resume(returning: end)
        waiting = nil
    }

    func wait() async -> RowReadEnd {
        if let outcome { return outcome }
        return await withUnsafeContinuation { waiting = $0 }
    }
}
