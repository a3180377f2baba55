import Cluster
import Coordination
import DataModel
import Environment
import Primitives
import SimulatedHost
import Testing

/// Random histories of counters, on nodes that die, fall silent and come back.
@Suite struct CounterHistoryTests {
    @Test(arguments: Array(UInt64(1)...20))
    func whatWasAcknowledgedCountsOnceAndTheRestAtMostOnce(seed: UInt64) throws {
        let test = CoordinatedWorld(seed: seed)
        try test.run { test in
            var random = SeededGenerator(seed: seed)
            var bounds: [String: ClosedRange<Int64>] = [:]
            for _ in 0..<100 {
                try await CounterHistoryTests.disturb(test, &random)
                guard let node = test.nodes[Int(random.next() % 3)] else { continue }
                let key = "k\(random.next() % 3)"
                let delta = Int64(random.next() % 9) - 4
                let known: ClosedRange<Int64> = bounds[key] ?? 0...0
                do {
                    try await node.count(key, by: delta, .quorum, timeoutMilliseconds: 300)
                    bounds[key] = (known.lowerBound + delta)...(known.upperBound + delta)
                } catch let failure as CoordinationFailure {
                    if case .unavailable = failure { continue }
                    bounds[key] = (known.lowerBound + min(0, delta))...(known.upperBound + max(0, delta))
                }
            }
            test.world.network.healAll()
            for index in 0..<3 where test.nodes[index] == nil { try await test.restart(index) }
            await test.pause(.seconds(60))
            for (key, known) in bounds.sorted(by: { $0.key < $1.key }) {
                let total: Int64 = try await test.nodes[0]?.total(key, .all) ?? 0
                #expect(known.contains(total), "seed \(seed), \(key) is \(total), not in \(known)")
                for node in test.nodes.compactMap(\.self) {
                    let own: Int64 = try await node.ownTotal(key) ?? 0
                    #expect(own == total, "seed \(seed), \(key)")
                }
            }
        }
    }

    /// Slow enough that the other replicas have written long before.
    private static func slowDisk(_ test: CoordinatedWorld, _ index: Int) {
        test.machines[index].disk.faults.latency = SimulatedLatency(
            minimum: .milliseconds(20), maximum: .milliseconds(40))
    }

    @Test func anAcknowledgedCountSurvivesItsLeadersLossOfPower() throws {
        let test = CoordinatedWorld(seed: 31)
        try test.run { test in
            CounterHistoryTests.slowDisk(test, 0)
            for round in 0..<10 {
                try await test.nodes[0]?.count("a", by: 1, round % 2 == 0 ? .one : .quorum)
                test.crash(0)
                try await test.restart(0)
            }
            await test.pause(.seconds(20))
            #expect(try await test.nodes[1]?.total("a", .all) == 10)
        }
    }

    @Test func aCountThatOnlyOthersKeptHidesNoLaterOne() throws {
        let test = CoordinatedWorld(seed: 32)
        try test.run { test in
            CounterHistoryTests.slowDisk(test, 0)
            for round in 1...5 {
                let node = try #require(test.nodes[0])
                let lost = LoopWork("count", on: node.host.loops[0], of: node.host) {
                    try await node.count("a", by: 100, .quorum)
                }
                let loop = test.machines[1].host.loops[0]
                await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
                    _ = loop.schedule(after: .milliseconds(5)) { continuation.resume() }
                }
                _ = lost
                #expect(try await test.nodes[1]?.ownTotal("a") ?? 0 > 0, "the others have it")
                test.crash(0)
                try await test.restart(0)
                try await test.nodes[0]?.count("a", by: -3, .all)
                let total: Int64 = try await test.nodes[1]?.total("a", .all) ?? 0
                #expect((total + Int64(round) * 3) % 100 == 0, "each of the lost ones is there, or not")
            }
        }
    }

    /// One step of what goes wrong: a node dies, a machine loses its power, a link is cut, or things heal.
    private static func disturb(_ test: CoordinatedWorld, _ random: inout SeededGenerator) async throws {
        switch random.next() % 16 {
        case 0:
            guard test.nodes.allSatisfy({ $0 != nil }) else { return }
            let victim = Int(random.next() % 3)
            if random.next() % 2 == 0 { test.kill(victim) } else { test.crash(victim) }
        case 1, 2:
            if let dead = test.nodes.firstIndex(where: { $0 == nil }) { try await test.restart(dead) }
        case 3:
            let one = Int(random.next() % 3)
            let other = (one + 1 + Int(random.next() % 2)) % 3
            test.world.network.cut(from: test.machines[one], to: test.machines[other])
        case 4, 5: test.world.network.healAll()
        case 6: await test.pause(.milliseconds(Int64(random.next() % 400)))
        default: break
        }
    }
}
