import Environment
import SimulatedHost
import Testing

@Suite struct SimulatedContractTests {
    @Test(arguments: allRules) func theSimulatedHostKeepsThePromise(rule: Rule) throws {
        for seed: UInt64 in 0..<3 {
            let world = SimulatedWorld(seed: seed)
            let machine = world.makeHost(name: "a", loopCount: 2)
            let host: Host = machine.host
            try world.run(timeLimit: .seconds(36_000)) {
                try await host.disk.createDirectory("/contract")
                try await rule.check(host, "/contract")
            }
            // The far ends of connections close a little later.
            try world.runUntilIdle()
            #expect(machine.disk.openHandles == [], "seed \(seed)")
            #expect(world.network.openEndCount == 0, "seed \(seed)")
        }
    }
}
