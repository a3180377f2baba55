import DataModel
import Environment
import Primitives
import SimulatedHost
import Storage
import Testing

/// The log after failures that are not its end: what was taken before has to be there before anything that comes later
/// may count as durable, because memtables have it.
@Suite struct LogOutageTests {
    /// Appends on one shard, a few a turn, until one is refused for another reason than that the log is behind; returns the
    /// number after the last that was taken.
    private static func append(
        from start: UInt64, _ count: UInt64, to log: CommitLog, _ host: Host, _ witness: LogWitness
    ) async throws -> UInt64 {
        for number in start..<(start + count) {
            do {
                try await LogFixture.append(number..<(number + 1), to: log, host, witness, padding: 300)
            } catch { return number }
            if number % 7 == 0 { try await host.time.sleep(for: .microseconds(100)) }
        }
        return start + count
    }

    /// Appends until the disk refuses, gives it space or health again, appends more, and kills the process.
    private func run(
        _ sync: StorageOptions.Sync, policy: CommitLogOptions.FailurePolicy, seed: UInt64,
        break breaking: @escaping @Sendable (SimulatedDisk, CommitLogOptions) -> Void,
        mend: @escaping @Sendable (SimulatedDisk) -> Void
    ) throws -> (witness: LogWitness, taken: UInt64) {
        let world = SimulatedWorld(seed: seed)
        let machine = world.makeHost(name: "a", loopCount: 2)
        let witness = LogWitness()
        var options: CommitLogOptions = LogFixture.options(sync)
        options.failurePolicy = policy
        let frozen: CommitLogOptions = options
        let host: Host = machine.host
        let taken: UInt64 = try world.run {
            let log = try await CommitLog.open(frozen, host: host, replayed: LogReplay.Outcome())
            LogFixture.listen(log, witness)
            var next: UInt64 = try await LogOutageTests.append(from: 0, 100, to: log, host, witness)
            breaking(machine.disk, frozen)
            for _ in 0..<20 {
                next = try await LogOutageTests.append(from: next, 200, to: log, host, witness)
                try await host.time.sleep(for: .milliseconds(20))
            }
            mend(machine.disk)
            try await host.time.sleep(for: .seconds(3))
            let before: Int = witness.acknowledged.count
            next = try await LogOutageTests.append(from: next, 100, to: log, host, witness)
            try await log.sync()
            try await host.time.sleep(for: .milliseconds(10))
            #expect(witness.acknowledged.count >= before + 100, "seed \(seed)")
            return next
        }
        machine.crash()
        let next: Host = machine.restart()
        _ = try world.run { try await LogFixture.replay(frozen, next, witness) }
        return (witness, taken)
    }

    private func check(_ outcome: (witness: LogWitness, taken: UInt64), _ seed: UInt64) {
        let witness: LogWitness = outcome.witness
        #expect(!witness.failures.isEmpty, "seed \(seed)")
        // The last ones were acknowledged, so everything that was taken before them has to be there, once.
        let missing: [UInt64] = (0..<outcome.taken).filter { witness.replayed[$0] != 1 }
        #expect(missing.isEmpty, "seed \(seed): \(missing)")
        #expect(witness.isReplayOrdered, "seed \(seed)")
    }

    @Test(arguments: [StorageOptions.Sync.batch, .group(windowMilliseconds: 2)])
    func afterAFullDiskNothingCountsAsDurableBeforeWhatWasTakenWhileItWasFull(sync: StorageOptions.Sync) throws {
        for seed in UInt64(1)...5 {
            let outcome = try run(
                sync, policy: .stop, seed: seed,
                break: { disk, options in
                    disk.faults.capacityByteCount = disk.usedByteCount + Int(seed) * options.segmentByteCount / 2
                }, mend: { $0.faults.capacityByteCount = nil })
            check(outcome, seed)
        }
    }

    @Test(arguments: [StorageOptions.Sync.batch, .group(windowMilliseconds: 2)])
    func afterFailedWritesTheLogGoesOnWithWhatItCouldNotWrite(sync: StorageOptions.Sync) throws {
        for seed in UInt64(1)...10 {
            let outcome = try run(
                sync, policy: .ignore, seed: seed,
                break: { disk, _ in disk.faults.failureProbability = 0.3 },
                mend: { $0.faults.failureProbability = 0 })
            check(outcome, seed)
        }
    }

    @Test func aFailedSyncDoesNotMakeTheLogForgetWhatItsSegmentsHold() throws {
        let world = SimulatedWorld(seed: 4)
        let machine = world.makeHost(name: "a")
        let witness = LogWitness()
        var options: CommitLogOptions = LogFixture.options(.periodic(milliseconds: 5))
        options.failurePolicy = .ignore
        let frozen: CommitLogOptions = options
        let host: Host = machine.host
        try world.run {
            let log = try await CommitLog.open(frozen, host: host, replayed: LogReplay.Outcome())
            LogFixture.listen(log, witness)
            try await LogFixture.append(0..<20, to: log, host, witness)
            machine.disk.faults.failureProbability = 1
            try await host.time.sleep(for: .milliseconds(20))
            machine.disk.faults.failureProbability = 0
            try await host.time.sleep(for: .seconds(2))
            // Enough for several segments: those that are clean are used again.
            try await LogFixture.append(20..<1_500, to: log, host, witness, padding: 300)
            try await log.sync()
        }
        machine.kill()
        let next: Host = machine.restart()
        _ = try world.run { try await LogFixture.replay(frozen, next, witness) }
        #expect(witness.acknowledged.count == 1_500)
        #expect(witness.acknowledged.subtracting(witness.replayed.keys).isEmpty)
    }
}
