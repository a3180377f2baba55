import Cluster
import Coordination
import DataModel
import Environment
import Primitives
import SimulatedHost
import Storage
import Testing

/// Ranges that nodes keep verified by themselves.
@Suite struct ContinuousRepairTests {
    private static let target = RepairTarget(
        table: CoordinatedNode.repairTable(ReplicaWorld.table), range: .wholeRing, replicas: [], shares: [],
        isComplete: true, datacenters: [])

    private static func candidate(
        _ verified: Int64, missed: Bool = false, possible: Bool = true, notBefore: Int64 = .min
    ) -> RepairSchedule.Candidate {
        RepairSchedule.Candidate(
            target: target, verifiedAtSeconds: verified, isMissed: missed, isPossible: possible,
            notBeforeSeconds: notBefore)
    }

    // MARK: Choosing

    @Test func whatWasVerifiedLongestAgoComesFirstAndMissedRangesBeforeIt() {
        let schedule = RepairSchedule(windowSeconds: 100)
        func next(_ candidates: [RepairSchedule.Candidate], isPaced: Bool = true) -> Int? {
            schedule.next(candidates, nowSeconds: 1_000, isPaced: isPaced)
        }
        #expect(next([]) == nil)
        #expect(next([ContinuousRepairTests.candidate(951)]) == nil)
        #expect(next([ContinuousRepairTests.candidate(950)]) == 0)
        let old = [900, 800, TokenSeconds.never, 850].map { ContinuousRepairTests.candidate($0) }
        #expect(next(old) == 2)
        #expect(next(old, isPaced: false) == nil)
        let missed: [RepairSchedule.Candidate] = old + [ContinuousRepairTests.candidate(999, missed: true)]
        #expect(next(missed) == 4)
        #expect(next(missed, isPaced: false) == 4)
        #expect(next([ContinuousRepairTests.candidate(0, possible: false)]) == nil)
        #expect(next([ContinuousRepairTests.candidate(0, missed: true, notBefore: 1_001)]) == nil)
        #expect(next([ContinuousRepairTests.candidate(0, missed: true, notBefore: 1_000)]) == 0)
    }

    @Test func allRangesAreThroughInHalfOfTheWindow() {
        let schedule = RepairSchedule(windowSeconds: 86_400)
        #expect(schedule.gapSeconds(candidateCount: 432) == 100)
        #expect(schedule.gapSeconds(candidateCount: 0) == 43_200)
        #expect(!schedule.isOverdue(TokenSeconds.never, madeAtSeconds: 1_000, 87_400))
        #expect(schedule.isOverdue(TokenSeconds.never, madeAtSeconds: 1_000, 87_401))
        #expect(!schedule.isOverdue(1_000, madeAtSeconds: 0, 87_400))
        #expect(schedule.isOverdue(1_000, madeAtSeconds: 0, 87_401))
    }

    // MARK: Missed writes

    @Test func missedWritesMarkTheirRangeUntilItIsRepairedAlsoOverARestart() throws {
        let world = SimulatedWorld(seed: 1)
        let machine = world.makeHost(name: "a")
        let token = Token(12_345)
        let table = ReplicaWorld.table
        let first: [ClosedRange<Token>] = try world.run(on: machine.host.loops[0]) {
            let missed = await MissedWrites.open(directory: "/data", host: machine.host)
            missed.note(table, token)
            missed.note(table, token)
            try await missed.save()
            return missed.tokens(of: table)
        }
        #expect(first.count == 1)
        #expect(first.first?.contains(token) == true)
        #expect(first.first.map { $0.upperBound.ordinal - $0.lowerBound.ordinal } == .max >> 10)
        machine.restart()
        let found = try world.run(on: machine.host.loops[0]) {
            let missed = await MissedWrites.open(directory: "/data", host: machine.host)
            let again: [ClosedRange<Token>] = missed.tokens(of: table)
            missed.clear(table, .minimum ... .maximum, cutAtSeconds: machine.host.time.wallSeconds - 100)
            let kept: Bool = missed.contains(table, token...token)
            missed.clear(table, token...token, cutAtSeconds: machine.host.time.wallSeconds + 100)
            let cut: [ClosedRange<Token>] = missed.tokens(of: table)
            missed.clear(table, .minimum ... .maximum, cutAtSeconds: machine.host.time.wallSeconds + 100)
            return (again, kept, cut.count, missed.isEmpty)
        }
        #expect(found.0 == first)
        #expect(found.1)
        #expect(found.2 == 2)
        #expect(found.3)
    }

    @Test func hintsThatNobodyHasLookedIntoMarkEverything() throws {
        let world = SimulatedWorld(seed: 2)
        let machine = world.makeHost(name: "a")
        let tokens: [ClosedRange<Token>] = try world.run(on: machine.host.loops[0]) {
            let missed = await MissedWrites.open(directory: "/data", host: machine.host)
            missed.noteEverything()
            missed.spread(over: [ReplicaWorld.table])
            return missed.tokens(of: ReplicaWorld.table)
        }
        #expect(tokens == [.minimum ... .maximum])
    }

    // MARK: Nodes

    private static func areEqual(_ test: CoordinatedWorld) async throws -> Bool {
        var pages: [UnitPage] = []
        for node in test.nodes.compactMap(\.self) { pages.append(try await node.units()) }
        return pages.allSatisfy { $0 == pages[0] }
    }

    @Test func everythingIsVerifiedWithinTheWindowAndNothingIsReadTwice() throws {
        let (areEqual, states, counters) = try CoordinatedWorld(seed: 3).run { test in
            for step in 0..<60 {
                try await test.nodes[step % 3]?.put(ReplicaWorld.mutation("k\(step)", "v", at: 1))
            }
            let running: [ContinuousRepair] = test.nodes.compactMap { $0?.verifyContinuously(window: .seconds(600)) }
            await test.pause(.seconds(600))
            let areEqual = try await ContinuousRepairTests.areEqual(test)
            let states: [RangeStatus] = running.flatMap { $0.status() }
            // What was brought over is read once more.
            await test.pause(.seconds(600))
            let read: [Int] = running.map(\.counters.counts.bytesRead)
            await test.pause(.seconds(600))
            let counters = running.map(\.counters)
            for repair in running { await repair.stop() }
            return (
                areEqual, states,
                zip(counters, read).map { $0.0.counts.bytesRead - $0.1 } + counters.map(\.rangesFailed)
            )
        }
        #expect(areEqual)
        #expect(!states.isEmpty)
        #expect(states.allSatisfy { $0.state != .overdue && $0.verifiedAtSeconds != nil })
        #expect(counters == [0, 0, 0, 0, 0, 0])
    }

    @Test func missedRangesAreRepairedAtOnceAndNoOthers() throws {
        let (values, isEmpty) = try CoordinatedWorld(seed: 4).run { test in
            let node = try #require(test.nodes[0])
            // Verified a moment ago: nothing is due.
            _ = try await node.repair()
            for key in ["a", "b"] {
                for index in [0, 1] { try await test.nodes[index]?.put(ReplicaWorld.mutation(key, "x", at: 1)) }
            }
            await test.pause(.seconds(5))
            node.missed.note(ReplicaWorld.table, node.token("a"))
            let repair: ContinuousRepair = node.verifyContinuously(window: .seconds(1_000_000))
            await test.pause(.seconds(60))
            await repair.stop()
            let other = try #require(test.nodes[2])
            return ([try await other.own("a"), try await other.own("b")], node.missed.isEmpty)
        }
        #expect(values == ["x", nil])
        #expect(isEmpty)
    }

    @Test func nothingDeletedReturnsWithANodeThatWasAwayForVeryLong() throws {
        let (before, values, purged) = try CoordinatedWorld(seed: 5).run { test in
            func rule() async throws {
                for node in test.nodes.compactMap(\.self) {
                    let table: RepairTable = CoordinatedNode.repairTable(ReplicaWorld.table)
                    let start: PurgeStart? = table.purge.start(table.id, node.watermarks)
                    try await node.engine.setPurgeRule { _ in start }
                }
            }
            for node in test.nodes { try await node?.put(ReplicaWorld.mutation("a", "x", at: 1)) }
            test.kill(2)
            let long: Int64 = test.nowSeconds - 10_000_000
            let deletion: [UInt8] = RepairChange(key: "a", kinds: [.deletePartition], timestamp: 2, nowSeconds: long)
                .encoded()
            for index in [0, 1] { try await test.nodes[index]?.put(deletion) }
            try await rule()
            for node in test.nodes.compactMap(\.self) {
                try await node.engine.flush()
                try await node.engine.compact(table: ReplicaWorld.table)
            }
            try await test.restart(2)
            try await rule()
            let before: String? = try await test.nodes[2]?.own("a")
            let running: [ContinuousRepair] = test.nodes.compactMap { $0?.verifyContinuously(window: .seconds(100)) }
            await test.pause(.seconds(400))
            for repair in running { await repair.stop() }
            var values: [String?] = []
            var purged: [Bool] = []
            for node in test.nodes.compactMap(\.self) {
                values.append(try await node.own("a"))
                try await node.engine.flush()
                try await node.engine.compact(table: ReplicaWorld.table)
                purged.append(try await node.units().partitions.isEmpty)
            }
            return (before, values, purged)
        }
        #expect(before == "x")
        #expect(values == [nil, nil, nil])
        // Now that all have it, the tombstone has done its work.
        #expect(purged == [true, true, true])
    }

    @Test func switchedOffItDoesNothing() throws {
        let counters: ContinuousRepair.Counters = try CoordinatedWorld(seed: 6).run { test in
            let repair: ContinuousRepair = try #require(test.nodes[0]).verifyContinuously(window: .seconds(10))
            repair.setEnabled(false)
            await test.pause(.seconds(100))
            await repair.stop()
            return repair.counters
        }
        #expect(counters == ContinuousRepair.Counters())
    }
}
