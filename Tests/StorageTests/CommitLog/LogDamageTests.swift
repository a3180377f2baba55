import DataModel
import Environment
import Primitives
import SimulatedHost
import Storage
import Testing

@Suite struct LogDamageTests {
    /// Writes some segments, then inverts one bit of one of them, and replays.
    private func replayAfterFlip(
        _ sync: StorageOptions.Sync, policy: CommitLogOptions.FailurePolicy, segment: Int, offset: Int
    ) throws -> (outcome: LogReplay.Outcome, witness: LogWitness) {
        let world = SimulatedWorld(seed: 8)
        let machine = world.makeHost(name: "a")
        let witness = LogWitness()
        var options: CommitLogOptions = LogFixture.options(sync)
        options.failurePolicy = policy
        let frozen: CommitLogOptions = options
        let host: Host = machine.host
        let names: [String] = try world.run {
            let log = try await CommitLog.open(frozen, host: host, replayed: LogReplay.Outcome())
            LogFixture.listen(log, witness)
            try await LogFixture.append(0..<600, to: log, host, witness, padding: 300)
            try await log.sync()
            try await LogFixture.append(600..<700, to: log, host, witness, padding: 300)
            try await log.sync()
            try await log.close()
            return try await host.disk.list("/log")
        }
        machine.disk.flipBit(3, ofByte: offset, in: "/log/" + names[segment])
        let next: Host = machine.restart()
        let outcome: LogReplay.Outcome = try world.run { try await LogFixture.replay(frozen, next, witness) }
        return (outcome, witness)
    }

    @Test(arguments: LogFixture.modes, [4_096 + 20, 4_096 + 64 + 30])
    func damageInTheMiddleStopsTheStartAndNamesThePlace(sync: StorageOptions.Sync, offset: Int) throws {
        do {
            _ = try replayAfterFlip(sync, policy: .stop, segment: 0, offset: offset)
            Issue.record("the damage was not found")
        } catch StorageError.damaged(let file, let place, _) {
            #expect(file.hasPrefix("/log/commitlog-"))
            #expect(place >= 4_096 && place <= offset)
        }
    }

    @Test(arguments: LogFixture.modes)
    func damageIsPassedOverWithAWarningWhenThePolicySaysSo(sync: StorageOptions.Sync) throws {
        let (outcome, witness) = try replayAfterFlip(sync, policy: .ignore, segment: 0, offset: 4_096 + 64 + 30)
        #expect(outcome.warnings.count >= 1)
        #expect(witness.replayed.count < 700 && witness.replayed.count > 300)
    }
}
