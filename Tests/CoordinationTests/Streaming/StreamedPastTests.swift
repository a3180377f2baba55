import Cluster
import DataModel
import Environment
import Primitives
import Storage
import Testing

@testable import Coordination

/// What a node takes over with ranges: how far they are repaired, and which truncations have passed it by.
@Suite struct StreamedPastTests {
    private static let silent: @Sendable (Int, [RingRange]) async -> Void = { _, _ in }
    private static let low = RingRange(after: .minimum, through: Token(0))
    private static let high = RingRange(after: Token(0), through: .minimum)

    private static func note(_ node: StreamNode, _ range: RingRange, _ seconds: Int64) throws {
        node.watermarks.note(StreamWorld.table, try #require(range.tokens), repairedAtSeconds: seconds)
    }

    private static func watermark(_ node: StreamNode, _ range: RingRange) -> Int64 {
        node.watermarks.watermark(table: StreamWorld.table, range: range)
    }

    /// Has a node begin and finish a truncation, of which nothing more is carried out.
    private static func truncate(_ node: StreamNode, _ stamp: Int64) async throws {
        let times: TruncationTimes = node.truncations
        try await LoopWork("truncate", on: node.host.loops[0], of: node.host) {
            _ = try await times.begin(StreamWorld.table, stamp: stamp, at: 1)
            times.finish(StreamWorld.table, stamp: stamp)
        }.value()
    }

    /// Sources forget their sessions now and then, and messages get lost: what is noted is the same.
    @Test(arguments: 0..<8) func aNewOwnerKnowsWhatItsSourceKnew(seed: UInt64) throws {
        let test = StreamWorld(seed: seed)
        test.lossRate = seed % 2 == 0 ? 0 : 12
        try test.run(shards: [1, 2]) { test in
            let (source, target) = (test.nodes[0], test.nodes[1])
            for number in 0..<80 { try await source.write(number, rows: 0..<3) }
            try StreamedPastTests.note(source, StreamedPastTests.low, 500)
            // What it knew when it had the range before does not count any more.
            try StreamedPastTests.note(target, .init(after: .minimum, through: .minimum), 900)
            var untilForgotten = 6
            test.watch = { verb, node in
                guard seed % 4 > 1, verb == .streamRows else { return }
                untilForgotten -= 1
                if untilForgotten == 0 { node.makeStreams() }
            }
            try await target.receiver.pull(test.pull([StreamedPastTests.low]), held: StreamedPastTests.silent)
            #expect(StreamedPastTests.watermark(target, StreamedPastTests.low) == 500)
            #expect(StreamedPastTests.watermark(target, StreamedPastTests.high) == 900)
            try await target.receiver.pull(test.pull([StreamedPastTests.high]), held: StreamedPastTests.silent)
            #expect(StreamedPastTests.watermark(target, StreamedPastTests.high) == TokenSeconds.never)
        }
    }

    @Test func ofSeveralSourcesTheSmallestCountsAlsoWhenOneComesLater() throws {
        let test = StreamWorld(seed: 30)
        try test.run(shards: [1, 1, 1, 1]) { test in
            for (index, seconds) in [(0, 500), (1, 300), (2, 800)] as [(Int, Int64)] {
                try await test.nodes[index].write(index)
                try StreamedPastTests.note(test.nodes[index], StreamedPastTests.low, seconds)
            }
            let target = test.nodes[3]
            var pull = test.pull([StreamedPastTests.low], sources: [0, 1, 2])
            pull.adoptsTruncations = true
            for index in 0...2 { try await StreamedPastTests.truncate(test.nodes[index], 100 + Int64(index)) }
            test.nodes[1].isDead = true
            await #expect(throws: (any Error).self) {
                try await target.receiver.pull(pull, held: StreamedPastTests.silent)
            }
            test.nodes[1].isDead = false
            try await target.receiver.pull(pull, held: StreamedPastTests.silent)
            #expect(StreamedPastTests.watermark(target, StreamedPastTests.low) == 300)
            #expect(target.truncations.finished(StreamWorld.table) == 100)
        }
    }

    /// A repair that ends while the rows are on their way is of later.
    @Test func whatASourceHearsAfterwardsIsNotTakenOver() throws {
        let test = StreamWorld(seed: 31)
        test.settings.wholeByteCount = 0
        try test.run(shards: [1, 1]) { test in
            let (source, target) = (test.nodes[0], test.nodes[1])
            for number in 0..<30 { try await source.write(number, rows: 0..<20) }
            try StreamedPastTests.note(source, StreamedPastTests.low, 500)
            test.watch = { verb, node in
                guard verb == .streamRows, let tokens = StreamedPastTests.low.tokens else { return }
                node.watermarks.note(StreamWorld.table, tokens, repairedAtSeconds: 7_000)
            }
            try await target.receiver.pull(test.pull([StreamedPastTests.low]), held: StreamedPastTests.silent)
            #expect(StreamedPastTests.watermark(target, StreamedPastTests.low) == 500)
        }
    }

    @Test(arguments: [true, false]) func onlyANewNodeTakesOverTruncations(_ isNew: Bool) throws {
        let test = StreamWorld(seed: 32)
        let stamps: [Int64] = try test.run(shards: [1, 1]) { test in
            try await test.nodes[0].write(1)
            try await StreamedPastTests.truncate(test.nodes[0], 42)
            var pull = test.pull([.wholeRing])
            pull.adoptsTruncations = isNew
            let times: TruncationTimes = test.nodes[1].truncations
            try await test.nodes[1].receiver.pull(pull, held: StreamedPastTests.silent)
            return [times.begun(StreamWorld.table), times.finished(StreamWorld.table)]
        }
        #expect(stamps == (isNew ? [42, 42] : [0, 0]))
    }

    @Test func whatIsToldIsBounded() throws {
        let test = StreamWorld(seed: 33)
        try test.run(shards: [1]) { test in
            let known: RepairWatermarks = test.nodes[0].watermarks
            for index in 0..<100 {
                let first = Token(ordinal: UInt64(index) << 57)
                known.note(
                    StreamWorld.table, first...Token(ordinal: first.ordinal + 9), repairedAtSeconds: Int64(index))
            }
            let some = TokenRanges([Token(ordinal: 0)...Token(ordinal: 5)])
            #expect(known.watermarks(StreamWorld.table, some).smallest(in: some.runs[0]) == 0)
            #expect(known.watermarks(StreamWorld.table, .all).runs.count > 150)
            #expect(known.watermarks(StreamWorld.table, .all, limit: 100).isEmpty)
        }
    }
}
