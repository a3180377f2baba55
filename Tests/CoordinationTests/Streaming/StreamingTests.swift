import Cluster
import DataModel
import Environment
import Primitives
import SimulatedHost
import Storage
import Testing

@testable import Coordination

/// Nodes that fetch ranges from others, over messages that get lost.
@Suite struct StreamingTests {
    private static let whole: [RingRange] = [.wholeRing]

    private static func fill(_ node: StreamNode, _ partitions: Range<Int>, _ generator: inout SeededGenerator)
        async throws
    {
        for number in partitions {
            let count: Int = generator.oneIn(20) ? 1 + generator.below(300) : 1 + generator.below(4)
            try await node.write(number, rows: 0..<count)
            if generator.oneIn(60) { try await node.engine.flush() }
        }
    }

    private static func failure(_ body: () async throws -> Void) async -> StreamFailure? {
        do {
            try await body()
            return nil
        } catch { return error as? StreamFailure }
    }

    private static let silent: @Sendable (Int, [RingRange]) async -> Void = { _, _ in }

    /// Rows and whole files arrive whatever is lost on the way and wherever the source forgets its sessions.
    @Test(arguments: 0..<12)
    func everythingArrivesWhateverIsLost(seed: UInt64) throws {
        let test = StreamWorld(seed: seed)
        test.lossRate = seed % 3 == 0 ? 0 : 15
        test.settings.wholeByteCount = seed % 2 == 0 ? 0 : .max
        let shards: [Int] = [1 + Int(seed % 3), 1 + Int(seed % 4)]
        let forgetful: Bool = seed % 4 == 1 || seed % 4 == 2
        try test.run(shards: shards) { test in
            let (source, target) = (test.nodes[0], test.nodes[1])
            try await StreamingTests.fill(source, 0..<200, &test.generator)
            var untilForgotten = 12
            test.watch = { verb, node in
                guard forgetful, verb == .streamRows || verb == .streamFile else { return }
                untilForgotten -= 1
                if untilForgotten == 0 {
                    untilForgotten = 40 + test.generator.below(60)
                    node.makeStreams()
                }
            }
            let ranges: [RingRange] =
                seed % 5 == 0 ? StreamingTests.whole : [RingRange(after: Token(.max / 2), through: Token(.min / 4))]
            try await target.receiver.pull(test.pull(ranges), held: StreamingTests.silent)
            let wanted = TokenRanges(ranges)
            let expected = try await source.rows().filter { wanted.contains(Token(ofKey: $0.key.span.bytes)) }
            #expect(try await target.rows() == expected)
            let progress: StreamProgress = try #require(target.receiver.progress().first)
            #expect(progress.isDone && progress.failure == nil)
            #expect(progress.rowCount >= expected.values.reduce(0, +))
            #expect(progress.tableCount == 1 && progress.tableTotal == 1)
        }
    }

    @Test func severalSourcesAreMergedAndPartsAreHeldOneByOne() throws {
        let test = StreamWorld(seed: 100)
        try test.run(shards: [1, 2, 2]) { test in
            for number in 0..<40 { try await test.nodes[number % 2].write(number, rows: 0..<3) }
            try await test.nodes[0].write(500, table: StreamWorld.paxos)
            let middle = Token(0)
            let halves: [RingRange] = [
                RingRange(after: .minimum, through: middle), RingRange(after: middle, through: .minimum),
            ]
            let parts: [StreamReceiver.Part] = halves.map {
                StreamReceiver.Part(
                    tables: [StreamWorld.table], ranges: [$0], sources: [StreamWorld.id(0), StreamWorld.id(1)])
            }
            let held = HeldRanges()
            try await test.nodes[2].receiver.pull(
                StreamReceiver.Pull(id: UUID(high: 1, low: 1), title: "Bootstrap", parts: parts, includesPaxos: true)
            ) { part, ranges in held.add(part, ranges) }
            #expect(held.parts.sorted() == [0, 1])
            #expect(Set(held.ranges) == Set(halves))
            #expect(try await test.nodes[2].rows().count == 40)
            #expect(try await test.nodes[2].rows().values.allSatisfy { $0 == 3 })
            #expect(try await test.nodes[2].rows(table: StreamWorld.paxos).count == 1)
            #expect(test.nodes[2].receiver.progress().map(\.peer) == [StreamWorld.id(0), StreamWorld.id(1)])
        }
    }

    @Test func aSourceThatIsGoneIsNamedAndWhatWasHeldStays() throws {
        let test = StreamWorld(seed: 101)
        try test.run(shards: [1, 1, 2]) { test in
            for number in 0..<30 { try await test.nodes[number % 2].write(number) }
            test.nodes[1].isDead = true
            let parts: [StreamReceiver.Part] = [1, 0].map {
                StreamReceiver.Part(
                    tables: [StreamWorld.table], ranges: StreamingTests.whole, sources: [StreamWorld.id($0)])
            }
            let held = HeldRanges()
            let failure = await StreamingTests.failure {
                try await test.nodes[2].receiver.pull(
                    StreamReceiver.Pull(id: UUID(high: 1, low: 1), title: "Removal", parts: parts, includesPaxos: false)
                ) { part, ranges in held.add(part, ranges) }
            }
            #expect(
                failure == .unreachable(peer: "node 2", table: "ks.t", reason: "it cannot be reached"))
            #expect(held.parts == [1])
            #expect(try await test.nodes[2].rows().count == 15)
            let failed: StreamProgress? = test.nodes[2].receiver.progress().first { $0.peer == StreamWorld.id(1) }
            #expect(failed?.failure == "node 2 did not answer while streaming ks.t: it cannot be reached")
        }
    }

    @Test func aSecondAttemptFetchesOnlyWhatIsMissing() throws {
        let test = StreamWorld(seed: 110)
        try test.run(shards: [1, 1, 1]) { test in
            for number in 0..<30 { try await test.nodes[number % 2].write(number) }
            let part = StreamReceiver.Part(
                tables: [StreamWorld.table], ranges: StreamingTests.whole,
                sources: [StreamWorld.id(0), StreamWorld.id(1)])
            let pull = StreamReceiver.Pull(
                id: UUID(high: 1, low: 1), title: "Bootstrap", parts: [part], includesPaxos: false)
            test.nodes[1].isDead = true
            var opened: [NodeID] = []
            test.watch = { verb, node in if verb == .streamOpen { opened.append(node.id) } }
            let target: StreamNode = test.nodes[2]
            let failure = await StreamingTests.failure {
                try await target.receiver.pull(pull, held: StreamingTests.silent)
            }
            #expect(failure != nil)
            #expect(opened == [StreamWorld.id(0)])
            test.nodes[1].isDead = false
            try await target.receiver.pull(pull, held: StreamingTests.silent)
            #expect(opened == [StreamWorld.id(0), StreamWorld.id(1)])
            #expect(try await target.rows().count == 30)
            // One that has succeeded is asked for anew.
            try await target.receiver.pull(pull, held: StreamingTests.silent)
            #expect(opened.count == 4)
        }
    }

    @Test func aPullThatIsCancelledEndsSoonAndLeavesNothing() throws {
        let test = StreamWorld(seed: 102)
        try test.run(shards: [1, 2]) { test in
            try await StreamingTests.fill(test.nodes[0], 0..<300, &test.generator)
            let pull = test.pull(StreamingTests.whole)
            let target: StreamNode = test.nodes[1]
            var count = 0
            test.watch = { _, _ in
                count += 1
                if count == 6 { #expect(target.receiver.cancel(pull.id)) }
            }
            let failure = await StreamingTests.failure {
                try await target.receiver.pull(pull, held: StreamingTests.silent)
            }
            #expect(failure == .cancelled)
            #expect(count < 30)
            #expect(try await target.rows().isEmpty)
            #expect(!target.receiver.cancel(pull.id))
            test.watch = { _, _ in }
            try await target.receiver.pull(pull, held: StreamingTests.silent)
            #expect(try await target.rows().count == 300)
        }
    }

    @Test func cancellingTheTaskCancelsThePull() throws {
        let test = StreamWorld(seed: 103)
        try test.run(shards: [1, 2]) { test in
            try await StreamingTests.fill(test.nodes[0], 0..<300, &test.generator)
            let target: StreamNode = test.nodes[1]
            let pull = test.pull(StreamingTests.whole)
            let outcome = HeldRanges()
            let work = target.host.background.run("pull", on: target.host.loops[0]) {
                do {
                    try await target.receiver.pull(pull, held: StreamingTests.silent)
                } catch { if error is CancellationError { outcome.add(1, []) } }
            }
            try await target.host.time.sleep(for: .milliseconds(15))
            work.cancel()
            await work.wait()
            #expect(outcome.parts == [1])
            #expect(try await target.rows().isEmpty)
        }
    }

    @Test func anIdRunsOnce() throws {
        let test = StreamWorld(seed: 104)
        try test.run(shards: [1, 1]) { test in
            try await StreamingTests.fill(test.nodes[0], 0..<50, &test.generator)
            let pull = test.pull(StreamingTests.whole)
            let target: StreamNode = test.nodes[1]
            let second = HeldRanges()
            var isAsked = false
            test.watch = { _, _ in
                if isAsked { return }
                isAsked = true
                let failure = await StreamingTests.failure {
                    try await target.receiver.pull(pull, held: StreamingTests.silent)
                }
                if failure == .isRunning(pull.id) { second.add(0, []) }
            }
            try await target.receiver.pull(pull, held: StreamingTests.silent)
            #expect(second.parts == [0])
            #expect(try await target.rows().count == 50)
        }
    }

    @Test func aSourceThatIsBehindIsWaitedFor() throws {
        let test = StreamWorld(seed: 105)
        try test.run(shards: [1, 1]) { test in
            try await test.nodes[0].write(1)
            test.nodes[1].appliedEpoch = 8
            var count = 0
            test.watch = { verb, node in
                if verb == .streamOpen { count += 1 }
                if count == 4 { node.appliedEpoch = 8 }
            }
            try await test.nodes[1].receiver.pull(test.pull(StreamingTests.whole), held: StreamingTests.silent)
            #expect(count == 4)
            #expect(try await test.nodes[1].rows().count == 1)
        }
    }

    @Test func aBusySourceIsAskedUntilItHasRoom() throws {
        let test = StreamWorld(seed: 106)
        test.settings.sessionCount = 1
        try test.run(shards: [2, 2, 2]) { test in
            try await StreamingTests.fill(test.nodes[0], 0..<150, &test.generator)
            let works = [1, 2].map { index in
                LoopWork<Void>("pull", on: test.nodes[index].host.loops[0], of: test.nodes[index].host) {
                    try await test.nodes[index].receiver.pull(
                        test.pull(StreamingTests.whole), held: StreamingTests.silent)
                }
            }
            for work in works { try await work.value() }
            #expect(try await test.nodes[1].rows().count == 150)
            #expect(try await test.nodes[2].rows().count == 150)
        }
    }

    @Test func aTableThatTheSourceHasNotIsAnErrorAndADroppedOneIsNot() throws {
        let test = StreamWorld(seed: 107)
        try test.run(shards: [1, 1]) { test in
            try await test.nodes[0].write(1)
            try await test.nodes[0].engine.dropTable(id: StreamWorld.table)
            let pull = test.pull(StreamingTests.whole)
            let failure = await StreamingTests.failure {
                try await test.nodes[1].receiver.pull(pull, held: StreamingTests.silent)
            }
            #expect(failure == .refused(peer: "node 1", table: "ks.t", reason: "it has no such table"))
            var count = 0
            test.watch = { _, _ in
                count += 1
                if count == 3 { try? await test.nodes[1].engine.dropTable(id: StreamWorld.table) }
            }
            try await test.nodes[1].receiver.pull(pull, held: StreamingTests.silent)
        }
    }

    /// Whoever truncates first, and whenever in the stream, nothing from before comes back.
    @Test(arguments: 0..<24)
    func aTruncationDuringAStreamIsNotUndone(seed: UInt64) throws {
        let test = StreamWorld(seed: 200 + seed)
        test.lossRate = seed % 2 == 0 ? 0 : 30
        test.settings.wholeByteCount = seed % 3 == 0 ? 0 : .max
        try test.run(shards: [2, 2]) { test in
            let (source, target) = (test.nodes[0], test.nodes[1])
            try await StreamingTests.fill(source, 0..<100, &test.generator)
            // The target is told only by the source: it was no member yet when the truncation began.
            let work = LoopWork<Void>("truncate", on: source.host.loops[0], of: source.host) {
                try await source.host.time.sleep(for: .milliseconds(Int64(seed) * 12))
                test.lossRate = 0
                if seed % 4 == 3 { try await target.engine.truncate(id: StreamWorld.table) }
                try await source.truncate()
            }
            try await target.receiver.pull(test.pull(StreamingTests.whole), held: StreamingTests.silent)
            try await work.value()
            #expect(try await target.rows().isEmpty)
            try await source.write(7, at: 20)
            try await target.receiver.pull(test.pull(StreamingTests.whole), held: StreamingTests.silent)
            #expect(try await target.rows().count == 1)
        }
    }

    @Test func sessionsEndWithTheirLease() throws {
        let test = StreamWorld(seed: 108)
        try test.run(shards: [1, 1]) { test in
            try await StreamingTests.fill(test.nodes[0], 0..<100, &test.generator)
            let (source, target) = (test.nodes[0], test.nodes[1])
            let request = StreamMessages.Open(
                session: UUID(high: 3, low: 3), epoch: 1, table: StreamWorld.table, pull: UUID(high: 4, low: 4),
                title: "Move", ranges: .all)
            let first = try await target.request(
                .streamOpen, request.encoded(), to: source.id, timeout: .seconds(1))
            let again = try await target.request(
                .streamOpen, request.encoded(), to: source.id, timeout: .seconds(1))
            #expect(first == again)
            #expect(await source.source.progress().map(\.title) == ["Move"])
            try await source.host.time.sleep(for: .seconds(400))
            #expect(await source.source.progress().isEmpty)
        }
    }

    @Test func theThrottleHoldsAndMayBeChanged() throws {
        let test = StreamWorld(seed: 109)
        test.settings.bytesPerSecond = 20_000
        try test.run(shards: [2, 2]) { test in
            for number in 0..<40 { try await test.nodes[0].write(number, rows: 0..<50) }
            let target: StreamNode = test.nodes[1]
            var start: UInt64 = target.host.time.monotonicNanoseconds
            try await target.receiver.pull(test.pull(StreamingTests.whole), held: StreamingTests.silent)
            let byteCount: Int = target.receiver.progress().reduce(0) { $0 + $1.byteCount }
            let seconds = Double(target.host.time.monotonicNanoseconds - start) / 1e9
            let rate: Double = Double(byteCount) / seconds
            #expect(byteCount > 100_000)
            #expect(rate > 14_000 && rate < 24_000, "\(rate) bytes a second")
            await test.nodes[0].source.setThroughput(bytesPerSecond: 0, interDatacenter: 5)
            #expect(await test.nodes[0].source.throughput() == (0, 5))
            start = target.host.time.monotonicNanoseconds
            try await target.receiver.pull(test.pull(StreamingTests.whole), held: StreamingTests.silent)
            #expect(Double(target.host.time.monotonicNanoseconds - start) / 1e9 < seconds / 4)
        }
    }
}

/// What a pull says that it holds.
final class HeldRanges: @unchecked Sendable {
    private(set) var parts: [Int] = []
    private(set) var ranges: [RingRange] = []

    func add(_ part: Int, _ ranges: [RingRange]) {
        parts.append(part)
        self.ranges += ranges
    }
}
