import Simulation
import Testing

/// Runs are in one process and some of them switch bugs on, so that they go one after the other.
@Suite(.serialized) struct RunTests {
    private static func report(_ seed: UInt64, _ change: (inout RunOptions) -> Void) throws -> RunReport {
        var options = RunOptions()
        options.lengthMilliseconds = 6_000
        options.layout = .plain
        change(&options)
        return try SimulationRun(seed: seed, options: options).report()
    }

    @Test(arguments: [UInt64(1), 2]) func clustersHoldAllRulesUnderFaults(seed: UInt64) throws {
        let report: RunReport = try Self.report(seed) { $0.workloads = [.rows, .registers, .counters, .schema] }
        #expect(report.isGood, "\(report.text)")
        #expect(report.undecided.isEmpty, "\(report.text)")
        #expect(report.operationCount > 100)
    }

    /// Nodes come and go under faults, and no rule is broken.
    @Test(arguments: [UInt64(61), 62]) func ringsThatChangeHoldAllRulesUnderFaults(seed: UInt64) throws {
        let report: RunReport = try Self.report(seed) { options in
            options.nodeCount = 3
            options.spareCount = 2
            options.lengthMilliseconds = 12_000
            options.workloads = [.rows, .registers, .counters]
        }
        #expect(report.isGood, "\(report.text)")
        #expect(report.operationCount > 100)
    }

    @Test(
        arguments: zip(
            [UInt64(41), 42], [[WorkloadKind.batches, .scans, .columns], [.statics, .expiry, .truncation]]))
    func everyKindOfWorkHoldsItsRules(seed: UInt64, work: [WorkloadKind]) throws {
        let report: RunReport = try Self.report(seed) { options in
            options.nodeCount = 4
            options.lengthMilliseconds = 5_000
            options.workloads = work
        }
        #expect(report.isGood, "\(report.text)")
        #expect(report.operationCount > 100)
    }

    @Test func requestsOfADatacenterHoldThereUnderFaults() throws {
        let report: RunReport = try Self.report(51) { options in
            options.layout = .datacenters
            options.lengthMilliseconds = 4_000
            options.workloads = [.rows, .registers]
        }
        #expect(report.isGood, "\(report.text)")
        #expect(report.shape.datacenters == ["dc1", "dc2"])
    }

    @Test func oneCopyOnSeveralNodesHoldsAllRules() throws {
        let report: RunReport = try Self.report(52) { options in
            options.layout = .single
            options.nodeCount = 4
            options.lengthMilliseconds = 4_000
            options.workloads = [.rows, .counters, .batches]
        }
        #expect(report.isGood, "\(report.text)")
        #expect(report.shape.copies == "1")
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
        func report(_ seed: UInt64) throws -> RunReport {
            try Self.report(seed) { options in
                options.nodeCount = 4
                options.lengthMilliseconds = 2_000
                options.workloads = [.rows, .registers, .batches, .columns]
            }
        }
        let first: RunReport = try report(21)
        let second: RunReport = try report(21)
        let other: RunReport = try report(22)
        #expect(first.trace == second.trace)
        #expect(first.summary == second.summary)
        #expect(first.trace != other.trace)
    }

    @Test func theLineOfASeedSaysWhatCameOfIt() throws {
        let report: RunReport = try Self.report(31) { options in
            options.nodeCount = 1
            options.plan = FaultPlan([])
            options.lengthMilliseconds = 1_000
            options.workloads = [.rows, .batches]
        }
        #expect(report.isGood, "\(report.text)")
        let words: [Substring] = report.summary.split(separator: " ")
        #expect(words.count == 15)
        #expect(words[..<9] == ["seed", "31", "ok", "nodes", "1", "copies", "1", "work", "rows,batches"])
        #expect(words[13] == "trace" && words[14].count == 16)
    }
}
