import Cluster
import DataModel
import Environment
import Primitives
import SimulatedHost
import Testing

/// Agreement while machines lose power and messages get lost, late, repeated and out of order.
@Suite struct MetadataFaultTests {
    @Test(arguments: 0..<5)
    func whatWasAcknowledgedIsInEveryLaterValue(_ block: UInt64) throws {
        for seed in (block * 10)..<(block * 10 + 10) { try attempt(seed) }
    }

    /// Short outages of many voters while most messages that tell of a decision are lost: what a voter answered before
    /// it lost its power must be what it remembers afterwards.
    @Test(arguments: 0..<3)
    func votersThatLosePowerBetweenTwoAnswersDoNotContradictThemselves(_ block: UInt64) throws {
        for seed in (block * 10)..<(block * 10 + 10) { try flicker(seed &+ 5_000) }
    }

    private func flicker(_ seed: UInt64) throws {
        let harness = MetadataHarness(seed: seed, machineCount: 3)
        var generator = SeededGenerator(seed: seed)
        for index in 0..<3 { harness.startLater(index) }
        try harness.world.run(for: .seconds(5))
        harness.net.lossProbability = 0.2
        harness.net.commitLossProbability = 0.9
        harness.net.longestDelay = .milliseconds(8)
        let journal = Journal()
        for step in 0..<120 {
            if generator.oneIn(3) {
                let victim: Int = generator.below(3)
                harness.crash(victim)
                harness.restart(victim)
                harness.startLater(victim)
            } else {
                propose("s\(step)", on: generator.below(3), harness, journal)
            }
            try harness.world.run(for: .milliseconds(Int64(generator.below(25))))
        }
        try settle(harness, seed)
        check(harness, journal, seed)
    }

    private func attempt(_ seed: UInt64) throws {
        let harness = MetadataHarness(seed: seed, machineCount: 5)
        harness.settings.snapshotInterval = 5
        harness.settings.retainedEditCount = 8
        var generator = SeededGenerator(seed: seed &+ 1_000_000)
        for index in 0..<5 { harness.startLater(index) }
        try harness.world.run(for: .seconds(8))
        #expect(harness.broken == [], "seed \(seed)")
        harness.net.lossProbability = [0, 0.05, 0.2][generator.below(3)]
        harness.net.repetitionProbability = 0.1
        harness.net.longestDelay = .milliseconds([2, 20, 120][generator.below(3)])
        let journal = Journal()
        for step in 0..<25 {
            switch generator.below(8) {
            case 0:
                let victim: Int = generator.below(5)
                if harness.logs[victim] != nil, harness.logs.count(where: { $0 == nil }) < 2 { harness.crash(victim) }
            case 1:
                if let down = harness.logs.firstIndex(where: { $0 == nil }) {
                    harness.restart(down)
                    harness.startLater(down)
                }
            case 2:
                let ids: [NodeID] = harness.ids.compactMap { $0 }
                harness.net.island = generator.oneIn(2) ? [] : [ids[generator.below(ids.count)]]
            case 3: chooseVoters(generator.next(), on: generator.below(5), harness)
            default: propose("s\(step)", on: generator.below(5), harness, journal)
            }
            try harness.world.run(for: .milliseconds(Int64(generator.below(400))))
            if generator.oneIn(3) { harness.mention() }
        }
        try settle(harness, seed)
        check(harness, journal, seed)
    }

    private func check(_ harness: MetadataHarness, _ journal: Journal, _ seed: UInt64) {
        guard let final = harness.logs[0]?.current else {
            Issue.record("seed \(seed): a node has no metadata")
            return
        }
        for log in harness.logs where log?.current != final { Issue.record("seed \(seed): nodes disagree in the end") }
        for (name, epoch) in journal.acknowledged {
            for (shownEpoch, value) in harness.shown where shownEpoch >= epoch {
                let isThere: Bool = value.schema.keyspaces[name] != nil
                #expect(isThere, "seed \(seed): \(name) of epoch \(epoch) is not in epoch \(shownEpoch)")
            }
        }
        for name in journal.refused {
            let isThere: Bool = final.schema.keyspaces[name] != nil
            #expect(!isThere, "seed \(seed): \(name) was refused for certain")
        }
        #expect(harness.broken == [], "seed \(seed)")
    }

    private func settle(_ harness: MetadataHarness, _ seed: UInt64) throws {
        harness.net.lossProbability = 0
        harness.net.island = []
        harness.net.longestDelay = .milliseconds(2)
        for index in harness.logs.indices where harness.logs[index] == nil {
            harness.restart(index)
            harness.startLater(index)
        }
        try harness.world.run(for: .seconds(15))
        // A change after all that is decided, by any node.
        _ = try harness.run { try await harness.createKeyspace("last", on: 0) }
        harness.mention()
        try harness.world.run(for: .seconds(2))
    }

    private func propose(_ name: String, on index: Int, _ harness: MetadataHarness, _ journal: Journal) {
        guard harness.logs[index] != nil else { return }
        let host: Host = harness.machines[index].host
        host.background.run("change", on: host.loops[0]) {
            do {
                let value = try await harness.createKeyspace(name, on: index, timeout: .seconds(1))
                journal.acknowledged.append((name, value.epoch))
            } catch MetadataFailure.noMajority(_, _, isUncertain: false) {
                journal.refused.append(name)
            } catch {
                // Uncertain: either is right.
            }
        }
    }

    /// Makes any one or three members the voters; the members then put that right among themselves.
    private func chooseVoters(_ seed: UInt64, on index: Int, _ harness: MetadataHarness) {
        guard let log = harness.logs[index] else { return }
        let host: Host = harness.machines[index].host
        host.background.run("voters", on: host.loops[0]) {
            do {
                _ = try await log.change(timeout: .seconds(1)) { before in
                    var generator = SeededGenerator(seed: seed)
                    let shuffled: [NodeID] = before.members.map(\.id).shuffled(using: &generator)
                    var after: ClusterMetadata = before
                    after.voters = shuffled.prefix(generator.oneIn(3) ? 1 : 3).sorted()
                    return after
                }
            } catch {
                // Nothing has to come of it.
            }
        }
    }

    private final class Journal: @unchecked Sendable {
        var acknowledged: [(name: String, epoch: UInt64)] = []
        var refused: [String] = []
    }
}
