import DataModel
import Environment
import Primitives
import SimulatedHost
import Testing

@testable import Storage

/// What one engine holds and another takes over, and what the disk may do to that.
@Suite struct StreamTests {
    /// Rows, deletions of every kind and whole files arrive as they were, whatever the numbers of shards, the sizes of
    /// chunks and the interruptions; and late writes under tombstones stay hidden, so none was purged on the way.
    @Test(arguments: 0..<4)
    func whatArrivesEqualsTheModel(part: Int) throws {
        for seed in 0..<UInt64(seedCount(24)) where Int(seed % 4) == part {
            let test = StreamedEngines(seed: seed)
            do {
                try StreamTests.roundTrip(test)
            } catch {
                Issue.record("seed \(seed): \(error)")
                return
            }
        }
    }

    private static func roundTrip(_ test: StreamedEngines) throws {
        let sourceShards: Int = 1 + test.generator.below(4)
        let targetShards: Int = 1 + test.generator.below(4)
        let isInterrupted: Bool = test.generator.oneIn(2)
        let wholeByteCount: Int = test.generator.oneIn(2) ? 0 : .max
        var definition: TableDefinition = EngineChange.definition
        if test.generator.oneIn(2) { definition.options.compression = ["enabled": "false"] }
        let ranges: TokenRanges = try test.world.run(on: test.machine.host.loops[0]) { [definition] in
            let source = try await test.open("source", shards: sourceShards)
            let target = try await test.open("target", shards: targetShards, definition: definition)
            try await test.fill(source, changes: 100 + test.generator.below(400))
            let ranges: TokenRanges = test.ranges()
            let ingest = try #require(try await TableIngest.begin(EngineChange.table, in: target.engine))
            try await test.transfer(
                source, into: ingest, ranges, wholeByteCount: wholeByteCount, isInterrupted: isInterrupted)
            #expect(try await target.visible(now: 0).isEmpty, "nothing is seen before the commit")
            #expect(try await ingest.commit() == .live)
            try await test.compare(target, ranges, "after the commit")
            #expect(try await test.strays(target).isEmpty)
            for _ in 0..<100 {
                let change: EngineChange = test.change(now: target.host.time.wallSeconds, isLate: true)
                guard ranges.contains(change.token) else { continue }
                try await target.write(change)
                test.model.apply(change)
            }
            try await test.compare(target, ranges, "after late writes")
            try await target.engine.compact(table: EngineChange.table)
            try await test.compare(target, ranges, "after a compaction")
            await target.engine.close()
            await source.engine.close()
            return ranges
        }
        test.machine.restart()
        try test.world.run(on: test.machine.host.loops[0]) { [definition] in
            let again = try await test.open("target", shards: 1 + (targetShards + 1) % 4, definition: definition)
            try await test.compare(again, ranges, "after a restart")
        }
    }

    /// A loss of power at any disk operation of an ingest leaves what is live whole, nothing beside it, and an engine
    /// into which all of it can be streamed again.
    @Test(arguments: 0..<4)
    func aCrashAtAnyDiskOperationLosesNothingAndLeavesNothing(part: Int) throws {
        for seed in 0..<UInt64(seedCount(24)) where Int(seed % 4) == part {
            let test = StreamedEngines(seed: seed)
            do {
                try StreamTests.crashRun(test)
            } catch {
                Issue.record("seed \(seed): \(error)")
                return
            }
        }
    }

    private static func crashRun(_ test: StreamedEngines) throws {
        let shards: Int = 1 + test.generator.below(3)
        let wholeByteCount: Int = test.generator.oneIn(2) ? 0 : .max
        let ranges: TokenRanges = test.ranges()
        try test.world.run(on: test.machine.host.loops[0]) {
            let source = try await test.open("source", shards: 1 + test.generator.below(4))
            try await test.fill(source, changes: 150)
            await source.engine.close()
            let target = try await test.open("target", shards: shards)
            await target.engine.close()
        }
        test.machine.restart()
        for crashCount in 0...3 {
            let isLast: Bool = crashCount == 3
            do {
                try test.world.run(on: test.machine.host.loops[0]) {
                    let source = try await test.open("source", shards: 2)
                    let target = try await test.open("target", shards: shards)
                    // Without a manifest nothing was ever begun but that.
                    #expect(try await test.strays(target).filter { $0 != "manifest.tmp" } == [])
                    let found: [[UInt8]: [String]] = try await target.visible(now: target.host.time.wallSeconds)
                    for key in found.keys where !ranges.contains(Token(ofKey: key.span.bytes)) {
                        throw EngineMismatch("\(key) was never asked for")
                    }
                    if !isLast {
                        test.machine.disk.crashAfterOperation =
                            test.machine.disk.operationCount + test.generator.below(120)
                    }
                    let ingest = try #require(try await TableIngest.begin(EngineChange.table, in: target.engine))
                    try await test.transfer(
                        source, into: ingest, ranges, wholeByteCount: wholeByteCount, isInterrupted: false)
                    #expect(try await ingest.commit() == .live)
                    test.machine.disk.crashAfterOperation = nil
                    try await test.compare(target, ranges, "after \(crashCount) crashes")
                }
            } catch SimulationFailure.crashed {}
            test.machine.disk.crashAfterOperation = nil
            test.machine.crash()
            test.machine.restart()
        }
        try test.world.run(on: test.machine.host.loops[0]) {
            let target = try await test.open("target", shards: shards)
            try await test.compare(target, ranges, "after the last crash")
        }
    }

    /// A target with something in it, and an ingest that has all of a source.
    private static func prepared(
        _ test: StreamedEngines,
        _ body: @escaping @Sendable (EngineUnderTest, EngineUnderTest, TableIngest) async throws -> Void
    ) throws {
        try test.world.run(on: test.machine.host.loops[0]) {
            let source = try await test.open("source", shards: 2)
            let target = try await test.open("target", shards: 3)
            try await test.fill(source, changes: 200)
            let ingest = try #require(try await TableIngest.begin(EngineChange.table, in: target.engine))
            try await body(source, target, ingest)
        }
    }

    @Test func aTableThatIsEmptiedMeanwhileStaysEmpty() throws {
        let test = StreamedEngines(seed: 1)
        try StreamTests.prepared(test) { source, target, ingest in
            try await test.transfer(source, into: ingest, .all, wholeByteCount: 0, isInterrupted: false)
            try await target.engine.truncate(id: EngineChange.table)
            #expect(try await ingest.commit() == .truncated)
            #expect(try await target.visible(now: 0).isEmpty)
            #expect(try await test.strays(target).isEmpty)
        }
    }

    @Test func aTableThatIsDroppedMeanwhileStaysAway() throws {
        let test = StreamedEngines(seed: 2)
        try StreamTests.prepared(test) { source, target, ingest in
            try await test.transfer(source, into: ingest, .all, wholeByteCount: .max, isInterrupted: false)
            try await target.engine.dropTable(id: EngineChange.table)
            #expect(try await ingest.commit() == .gone)
            #expect(try await test.strays(target).isEmpty)
            #expect(try await TableIngest.begin(EngineChange.table, in: target.engine) == nil)
        }
    }

    @Test func whatIsGivenUpLeavesNothing() throws {
        let test = StreamedEngines(seed: 3)
        try StreamTests.prepared(test) { source, target, ingest in
            try await test.transfer(source, into: ingest, .all, wholeByteCount: 0, isInterrupted: false)
            let capture = try #require(try await source.engine.capture(table: EngineChange.table, ranges: .all))
            let rows = capture.rows(in: .all)
            try await ingest.beginRows(on: 0, in: .all, expectedPartitionCount: 1)
            _ = try? await ingest.addRows(try await rows.next(byteCount: 10), on: 0)
            await ingest.abort()
            #expect(try await test.strays(target).isEmpty)
            #expect(try await target.visible(now: 0).isEmpty)
        }
    }

    @Test func aCaptureOutlivesCompactionAndTruncation() throws {
        let test = StreamedEngines(seed: 4)
        try StreamTests.prepared(test) { source, target, ingest in
            let capture = try #require(
                try await source.engine.capture(table: EngineChange.table, ranges: .all, wholeByteCount: .max))
            try await source.engine.compact(table: EngineChange.table)
            try await source.engine.truncate(id: EngineChange.table)
            for shard in ingest.shards.indices {
                let slice: TokenRanges = TokenRanges.all.clamped(to: ingest.slices.tokens(of: shard))
                let rows = capture.rows(in: slice)
                try await ingest.beginRows(on: shard, in: slice, expectedPartitionCount: 8)
                while try await !ingest.addRows(try await rows.next(byteCount: 700), on: shard).isLast {}
            }
            #expect(try await ingest.commit() == .live)
            try await test.compare(target, .all, "from files that were removed")
        }
    }

    @Test func aDamagedFileIsRefusedAndRemoved() throws {
        let test = StreamedEngines(seed: 5)
        try StreamTests.prepared(test) { source, target, ingest in
            let capture = try #require(
                try await source.engine.capture(table: EngineChange.table, ranges: .all, wholeByteCount: 0))
            let file: CapturedFile = try #require(capture.files.first)
            for place in stride(from: 0, to: file.byteCount, by: max(1, file.byteCount / 60)) {
                var offset = 0
                do {
                    // The checksum is that of the damaged bytes: the source's disk has them so.
                    try await test.bring(file, 0, into: ingest) { bytes in
                        var bytes: [UInt8] = bytes
                        if (offset..<(offset + bytes.count)).contains(place) { bytes[place - offset] ^= 0x10 }
                        offset += bytes.count
                        return bytes
                    }
                    Issue.record("byte \(place) of \(file.byteCount) was changed, and nobody has noticed")
                } catch StorageError.damaged {}
            }
            await ingest.abort()
            #expect(try await test.strays(target).isEmpty)
        }
    }

    @Test func bytesThatNobodyHasWrittenAreRefusedOrHarmless() throws {
        let test = StreamedEngines(seed: 6)
        try StreamTests.prepared(test) { source, target, ingest in
            let capture = try #require(
                try await source.engine.capture(table: EngineChange.table, ranges: .all, wholeByteCount: .max))
            let rows = capture.rows(in: TokenRanges.all.clamped(to: ingest.slices.tokens(of: 0)))
            let chunk: [UInt8] = try await rows.next(byteCount: 4_000)
            for _ in 0..<600 {
                var changed: [UInt8] = chunk
                switch test.generator.below(3) {
                case 0: changed.removeLast(test.generator.below(changed.count))
                case 1: changed[test.generator.below(changed.count)] ^= UInt8(1 << test.generator.below(8))
                default:
                    for _ in 0..<8 { changed[test.generator.below(changed.count)] = UInt8(test.generator.below(256)) }
                }
                try await ingest.beginRows(on: 0, in: .all, expectedPartitionCount: 8)
                do {
                    _ = try await ingest.addRows(changed, on: 0)
                } catch StorageError.decoding {} catch StorageError.tooLarge {}
                await ingest.abort()
            }
            #expect(try await test.strays(target).isEmpty)
        }
    }

    @Test func partitionsOfOtherTokensAndOutOfOrderAreRefused() throws {
        let test = StreamedEngines(seed: 7)
        try StreamTests.prepared(test) { source, target, ingest in
            let capture = try #require(
                try await source.engine.capture(table: EngineChange.table, ranges: .all, wholeByteCount: .max))
            let slice: TokenRanges = TokenRanges.all.clamped(to: ingest.slices.tokens(of: 0))
            let chunk: [UInt8] = try await capture.rows(in: slice).next(byteCount: 1 << 20)
            func refusal(_ ranges: TokenRanges, _ chunks: [[UInt8]]) async -> Bool {
                do {
                    try await ingest.beginRows(on: 0, in: ranges, expectedPartitionCount: 8)
                    for chunk in chunks { _ = try await ingest.addRows(chunk, on: 0) }
                    return false
                } catch { return true }
            }
            #expect(await refusal(.none, [chunk]))
            await ingest.abort()
            #expect(await refusal(slice, [chunk, chunk]))
            await ingest.abort()
            #expect(await refusal(slice, [[9]]))
            #expect(await refusal(slice, [[]]))
            #expect(await refusal(slice, [[UInt8(1)]]))
            #expect(await !refusal(slice, [[UInt8(4)]]))
            await ingest.abort()
        }
    }
}
