import Simulation
import Testing

@Suite(.serialized) struct RunTests {
    @Test func oneNodeHoldsAllRulesUnderFaults() throws {
        for seed: UInt64 in 1...2 {
            var options = RunOptions()
            options.nodeCount = 1
            options.lengthMilliseconds = 5_000
            let report: RunReport = try SimulationRun(seed: seed, options: options).report()
            #expect(report.isGood, "\(report.text)")
            #expect(report.operationCount > 100)
        }
    }
}
