import Simulation
import Testing

/// Runs are in one process and some of them switch bugs on, so that they go one after the other.
@Suite(.serialized) struct RunTests {
    private static func report(_ seed: UInt64, _ change: (inout RunOptions) -> Void) throws -> RunReport {
        var options = RunOptions()
        options.lengthMilliseconds = 6_000
        change(&options)
        return try SimulationRun(seed: seed, options: options).report()
    }

    @Test(arguments: [UInt64(1), 2]) func clustersHoldAllRulesUnderFaults(seed: UInt64) throws {
        let report: RunReport = try Self.report(seed) { $0.workloads = WorkloadKind.allCases }
        #expect(report.isGood, "\(report.text)")
        #expect(report.undecided.isEmpty, "\(report.text)")
        #expect(report.operationCount > 100)
    }

    /// A read of a write whose group of the log was not written yet showed what was gone after the next loss of power.
    @Test(arguments: [UInt64(14), 21]) func nothingIsShownThatIsNotDurable(seed: UInt64) throws {
        let report: RunReport = try Self.report(seed) { options in
            options.nodeCount = 1
            options.lengthMilliseconds = 10_000
            options.workloads = [.rows]
        }
        #expect(report.isGood, "\(report.text)")
    }

    @Test(arguments: [UInt64(118), 124]) func countersAreExactUnderFaults(seed: UInt64) throws {
        let report: RunReport = try Self.report(seed) { $0.workloads = [.counters] }
        #expect(report.isGood, "\(report.text)")
        #expect(report.undecided.isEmpty, "\(report.text)")
    }

    @Test func theSchemaIsTheSameEverywhereWhateverHappens() throws {
        for seed: UInt64 in 11...12 {
            let report: RunReport = try Self.report(seed) { $0.workloads = [.schema] }
            #expect(report.isGood, "\(report.text)")
        }
    }

    @Test func theSameSeedGivesTheSameTrace() throws {
        let first: RunReport = try Self.report(21) { _ in }
        let second: RunReport = try Self.report(21) { _ in }
        let other: RunReport = try Self.report(22) { _ in }
        #expect(first.trace == second.trace)
        #expect(first.summary == second.summary)
        #expect(first.trace != other.trace)
    }

    @Test func theLineOfASeedSaysWhatCameOfIt() throws {
        let report: RunReport = try Self.report(31) { options in
            options.nodeCount = 1
            options.plan = FaultPlan([])
            options.lengthMilliseconds = 1_000
        }
        #expect(report.isGood, "\(report.text)")
        let words: [Substring] = report.summary.split(separator: " ")
        #expect(words.count == 11)
        #expect(words[..<5] == ["seed", "31", "ok", "nodes", "1"])
        #expect(words[9] == "trace" && words[10].count == 16)
    }
}
