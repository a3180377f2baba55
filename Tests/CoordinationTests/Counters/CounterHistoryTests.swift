import Cluster
import Coordination
import DataModel
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
