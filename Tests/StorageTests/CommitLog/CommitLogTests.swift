import DataModel
import Environment
import Primitives
import SimulatedHost
import Storage
import Testing

/// Mutations that were appended and acknowledged, and what a replay brought back.
///
/// `Sendable` is unchecked because a world runs on one thread.
final class LogWitness: @unchecked Sendable {
    var acknowledged: Set<UInt64> = []
    var replayed: [UInt64: Int] = [:]
    /// Those that a sync which has returned had been asked for.
    var synced: Set<UInt64> = []
    /// Those whose acknowledgement is still to come, for each shard.
    var waiting: [Int: [(position: LogPosition, number: UInt64)]] = [:]
    /// The last position of each shard that a replay brought back.
    var replayedPositions: [Int: LogPosition] = [:]
    var isReplayOrdered = true
    var pressed: [DirtyTable] = []
    var failures: [StorageError] = []
}

enum LogFixture {
    static let table = UUID(high: 1, low: 2)

    static let modes: [StorageOptions.Sync] = [.batch, .group(windowMilliseconds: 2), .periodic(milliseconds: 5)]

    static func options(_ sync: StorageOptions.Sync, segmentByteCount: Int = 64 << 10) -> CommitLogOptions {
        CommitLogOptions(directory: "/log", sync: sync, segmentByteCount: segmentByteCount)
    }

    /// A mutation whose bytes after the table are a number and `padding` zeros.
    static func mutation(_ number: UInt64, padding: Int = 40, table: UUID = table) -> [UInt8] {
        var writer = ByteWriter()
        writer.write(table.high)
        writer.write(table.low)
        writer.write(number)
        writer.writeZeros(padding)
        return writer.array()
    }

    static func replay(_ options: CommitLogOptions, _ host: Host, _ witness: LogWitness) async throws
        -> LogReplay.Outcome
    {
        try await LogReplay.run(options, host: host) {
            (shard: Int, position: LogPosition, mutation: RawSpan) throws(StorageError) in
            if position <= witness.replayedPositions[shard] ?? .start { witness.isReplayOrdered = false }
            witness.replayedPositions[shard] = position
            do throws(DecodingError) {
                var reader = ByteReader(mutation)
                try reader.skip(16)
                witness.replayed[try reader.readUInt64(), default: 0] += 1
            } catch {
                throw .decoding(error)
            }
        }
    }

    /// Appends mutations `numbers` on every shard's loop, a few a turn, waiting while the log is behind.
    static func append(
        _ numbers: Range<UInt64>, to log: CommitLog, _ host: Host, _ witness: LogWitness, padding: Int = 40
    ) async throws {
        for number in numbers {
            let shard: CommitLogShard = log.shards[Int(number) % log.shards.count]
            let bytes: [UInt8] = mutation(number, padding: padding)
            while true {
                let outcome: Result<LogPosition, StorageError> = await on(host.loops[shard.index]) {
                    do throws(StorageError) {
                        let position: LogPosition = try shard.append(bytes.span.bytes)
                        if position <= shard.acknowledgeable {
                            witness.acknowledged.insert(number)
                        } else {
                            witness.waiting[shard.index, default: []].append((position, number))
                        }
                        return .success(position)
                    } catch {
                        return .failure(error)
                    }
                }
                if case .failure(.overloaded) = outcome {
                    try await host.time.sleep(for: .milliseconds(1))
                    continue
                }
                _ = try outcome.get()
                break
            }
        }
    }

    /// Notes acknowledgements as the log tells of them.
    static func listen(_ log: CommitLog, _ witness: LogWitness) {
        for shard in log.shards {
            let index: Int = shard.index
            shard.onAdvance = { position in
                let waiting: [(position: LogPosition, number: UInt64)] = witness.waiting[index] ?? []
                witness.waiting[index] = waiting.filter { $0.position > position }
                for entry in waiting where entry.position <= position { witness.acknowledged.insert(entry.number) }
            }
            shard.onFailure = { error in
                // What waited then is acknowledged by no later advance.
                witness.waiting[index] = []
                witness.failures.append(error)
            }
        }
    }

    static func on<Value: Sendable>(_ loop: any Loop, _ body: @escaping @Sendable () -> Value) async -> Value {
        await withUnsafeContinuation { continuation in
            loop.execute { continuation.resume(returning: body()) }
        }
    }
}

@Suite struct CommitLogTests {
    @Test(arguments: LogFixture.modes)
    func aCleanRestartBringsEverythingBackOnce(sync: StorageOptions.Sync) throws {
        let world = SimulatedWorld(seed: 1)
        let machine = world.makeHost(name: "a", loopCount: 3)
        let witness = LogWitness()
        let options: CommitLogOptions = LogFixture.options(sync)
        let first: Host = machine.host
        try world.run {
            let log = try await CommitLog.open(options, host: first, replayed: LogReplay.Outcome())
            LogFixture.listen(log, witness)
            try await LogFixture.append(0..<3_000, to: log, first, witness)
            try await log.close()
        }
        let second: Host = machine.restart()
        let outcome: LogReplay.Outcome = try world.run { try await LogFixture.replay(options, second, witness) }
        #expect(witness.acknowledged.count == 3_000)
        #expect(witness.replayed.count == 3_000 && witness.replayed.values.allSatisfy { $0 == 1 })
        #expect(outcome.mutationCount == 3_000 && outcome.tornCount == 0)
        #expect(outcome.paths.count > 2)
    }

    @Test(arguments: LogFixture.modes)
    func aCrashAtAnyOperationLosesNothingThatWasDurable(sync: StorageOptions.Sync) throws {
        for seed in UInt64(1)...60 {
            let world = SimulatedWorld(seed: seed)
            let machine = world.makeHost(name: "a", loopCount: 2)
            let witness = LogWitness()
            let options: CommitLogOptions = LogFixture.options(sync)
            let first: Host = machine.host
            let isPeriodic: Bool = if case .periodic = sync { true } else { false }
            machine.disk.crashAfterOperation = Int(seed) * (isPeriodic ? 53 : seed.isMultiple(of: 2) ? 2 : 11)
            do {
                try world.run {
                    let log = try await CommitLog.open(options, host: first, replayed: LogReplay.Outcome())
                    LogFixture.listen(log, witness)
                    for start in stride(from: UInt64(0), to: 2_000, by: 250) {
                        try await LogFixture.append(start..<(start + 250), to: log, first, witness, padding: 200)
                        try await log.sync()
                        witness.synced.formUnion(0..<(start + 250))
                    }
                    try await log.close()
                }
            } catch is SimulationFailure {}
            machine.crash()
            machine.disk.crashAfterOperation = nil
            let second: Host = machine.restart()
            let outcome: LogReplay.Outcome = try world.run { try await LogFixture.replay(options, second, witness) }
            #expect(outcome.damages.isEmpty, "seed \(seed)")
            #expect(witness.replayed.values.allSatisfy { $0 == 1 } && witness.isReplayOrdered, "seed \(seed)")
            let forgotten: Set<UInt64> = witness.synced.subtracting(witness.replayed.keys)
            #expect(forgotten.isEmpty, "seed \(seed)")
            if !isPeriodic {
                let lost: Set<UInt64> = witness.acknowledged.subtracting(witness.replayed.keys)
                #expect(lost.isEmpty, "seed \(seed)")
            }
            // The next process writes on; a further start must read both.
            try world.run {
                let log = try await CommitLog.open(options, host: second, replayed: outcome)
                LogFixture.listen(log, witness)
                try await LogFixture.append(5_000..<5_020, to: log, second, witness)
                try await log.close()
            }
            let again = LogWitness()
            let third: Host = machine.restart()
            _ = try world.run { try await LogFixture.replay(options, third, again) }
            #expect((UInt64(5_000)..<5_020).allSatisfy { again.replayed[$0] == 1 }, "seed \(seed)")
        }
    }

    @Test(arguments: LogFixture.modes)
    func aKilledProcessLosesNothingThatWasAcknowledged(sync: StorageOptions.Sync) throws {
        for seed in UInt64(1)...10 {
            let world = SimulatedWorld(seed: seed)
            let machine = world.makeHost(name: "a", loopCount: 2)
            let witness = LogWitness()
            let options: CommitLogOptions = LogFixture.options(sync)
            let first: Host = machine.host
            try world.run {
                let log = try await CommitLog.open(options, host: first, replayed: LogReplay.Outcome())
                LogFixture.listen(log, witness)
                try await LogFixture.append(0..<(100 * seed), to: log, first, witness)
            }
            machine.kill()
            let second: Host = machine.restart()
            _ = try world.run { try await LogFixture.replay(options, second, witness) }
            let lost: Set<UInt64> = witness.acknowledged.subtracting(witness.replayed.keys)
            #expect(lost.isEmpty, "seed \(seed)")
        }
    }

    @Test func flushedSegmentsAreUsedAgainAndStaleRecordsAreNotReplayed() throws {
        for sync in LogFixture.modes {
            let world = SimulatedWorld(seed: 3)
            let machine = world.makeHost(name: "a")
            let witness = LogWitness()
            let options: CommitLogOptions = LogFixture.options(sync)
            let host: Host = machine.host
            let names: [String] = try world.run {
                let log = try await CommitLog.open(options, host: host, replayed: LogReplay.Outcome())
                LogFixture.listen(log, witness)
                for round in UInt64(0)..<20 {
                    try await LogFixture.append(
                        (round * 200)..<(round * 200 + 200), to: log, host, witness, padding: 300)
                    try await log.sync()
                    await LogFixture.on(host.loops[0]) {
                        log.markFlushed(LogFixture.table, shard: 0, upTo: log.shards[0].lastPosition)
                    }
                    try await host.time.sleep(for: .milliseconds(50))
                }
                try await LogFixture.append(9_000..<9_010, to: log, host, witness)
                try await log.close()
                return try await host.disk.list("/log")
            }
            #expect(names.count < 8)
            let next: Host = machine.restart()
            _ = try world.run { try await LogFixture.replay(options, next, witness) }
            #expect((UInt64(9_000)..<9_010).allSatisfy { witness.replayed[$0] == 1 })
            #expect(witness.replayed.count < 1_000)
        }
    }

    @Test func tooMuchUnflushedAsksForTheOldestTables() throws {
        let world = SimulatedWorld(seed: 4)
        let machine = world.makeHost(name: "a")
        let witness = LogWitness()
        var options: CommitLogOptions = LogFixture.options(.batch)
        options.totalByteCount = 3 * options.segmentByteCount
        let frozen: CommitLogOptions = options
        let host: Host = machine.host
        try world.run {
            let log = try await CommitLog.open(frozen, host: host, replayed: LogReplay.Outcome()) {
                witness.pressed += $0
            }
            LogFixture.listen(log, witness)
            try await LogFixture.append(0..<1_500, to: log, host, witness, padding: 300)
            try await log.close()
        }
        #expect(witness.pressed.contains(DirtyTable(shard: 0, table: LogFixture.table)))
    }

    @Test func aMutationAtTheLimitIsTakenAndALargerOneRefused() throws {
        for sync in LogFixture.modes {
            let world = SimulatedWorld(seed: 5)
            let machine = world.makeHost(name: "a")
            let witness = LogWitness()
            let options: CommitLogOptions = LogFixture.options(sync)
            let host: Host = machine.host
            try world.run {
                let log = try await CommitLog.open(options, host: host, replayed: LogReplay.Outcome())
                LogFixture.listen(log, witness)
                try await LogFixture.append(7..<8, to: log, host, witness, padding: options.mutationLimit - 24)
                await #expect(
                    throws: StorageError.tooLarge(byteCount: options.mutationLimit + 1, limit: options.mutationLimit)
                ) {
                    try await LogFixture.append(8..<9, to: log, host, witness, padding: options.mutationLimit - 23)
                }
                try await log.close()
            }
            let next: Host = machine.restart()
            _ = try world.run { try await LogFixture.replay(options, next, witness) }
            #expect(witness.replayed == [7: 1])
        }
    }

    @Test func aFullDiskRefusesWritesAndAcknowledgesNothing() throws {
        let world = SimulatedWorld(seed: 6)
        let machine = world.makeHost(name: "a")
        let witness = LogWitness()
        let options: CommitLogOptions = LogFixture.options(.batch)
        machine.disk.faults.capacityByteCount = 5 * options.segmentByteCount
        let host: Host = machine.host
        try world.run {
            let log = try await CommitLog.open(options, host: host, replayed: LogReplay.Outcome())
            LogFixture.listen(log, witness)
            await #expect(throws: StorageError.self) {
                try await LogFixture.append(0..<3_000, to: log, host, witness, padding: 300)
            }
            try await host.time.sleep(for: .seconds(3))
        }
        #expect(!witness.failures.isEmpty)
        #expect(witness.acknowledged.count < 3_000)
        let next: Host = machine.restart()
        _ = try world.run { try await LogFixture.replay(options, next, witness) }
        #expect(witness.acknowledged.subtracting(witness.replayed.keys).isEmpty)
    }
}
