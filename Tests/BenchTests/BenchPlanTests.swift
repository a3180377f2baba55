import Bench
import Testing

@Suite struct BenchPlanTests {
    @Test(arguments: [
        ("example", "example", 9042), ("10.0.0.1:1", "10.0.0.1", 1), ("localhost:65535", "localhost", 65_535),
        ("::1", "::1", 9042), ("[::1]", "::1", 9042), ("[fe80::2]:9142", "fe80::2", 9_142),
    ])
    func aTargetIsAHostWithOrWithoutAPort(_ text: String, _ host: String, _ port: Int) throws {
        var plan = BenchPlan(.read)
        try plan.setTarget(text)
        #expect(plan.host == host)
        #expect(plan.port == UInt16(port))
    }

    @Test(arguments: ["", ":9042", "host:", "host:0", "host:65536", "host:x", "[::1", "[::1]9042", "[]:1"])
    func whatIsNoTargetIsRefused(_ text: String) {
        var plan = BenchPlan(.read)
        #expect(throws: BenchError.self) { try plan.setTarget(text) }
    }

    @Test func consistencyLevelsAreTakenByNameInAnyCase() throws {
        var plan = BenchPlan(.write)
        try plan.setConsistency("local_quorum")
        #expect("\(plan.consistency)" == "LOCAL_QUORUM")
        #expect(throws: BenchError.self) { try plan.setConsistency("MOST") }
        #expect(throws: BenchError.self) { try plan.setConsistency("SERIAL") }
    }

    @Test(arguments: [2, 6, 0, 255])
    func unknownVersionsAreRefused(_ number: Int) {
        var plan = BenchPlan(.write)
        #expect(throws: BenchError.self) { try plan.setVersion(UInt8(number)) }
    }

    @Test func theDefaultsCanBeRun() throws {
        for workload in BenchPlan.Workload.allCases { try BenchPlan(workload).validate() }
    }

    @Test func everyNumberHasItsLimits() {
        let changes: [(inout BenchPlan) -> Void] = [
            { $0.connections = 0 }, { $0.connections = BenchPlan.largestConnectionCount + 1 }, { $0.inFlight = 0 },
            { $0.inFlight = 32_769 }, { $0.rows = 0 }, { $0.columns = 0 }, { $0.columns = 1_001 },
            { $0.valueByteCount = -1 }, { $0.valueByteCount = BenchPlan.largestRowByteCount / 5 + 1 },
            { $0.replicationFactor = 0 }, { $0.readPercent = 101 }, { $0.rate = 0 }, { $0.rate = .nan },
            { $0.rate = .infinity }, { $0.extent = .requests(0) }, { $0.extent = .duration(.zero) },
            { $0.warmup = .seconds(-1) }, { $0.keyspace = "" }, { $0.keyspace = "a\"b" }, { $0.keyspace = "1a" },
            { $0.keyspace = String(repeating: "k", count: 49) },
        ]
        for (index, change) in changes.enumerated() {
            var plan = BenchPlan(.mixed)
            change(&plan)
            #expect(throws: BenchError.self, "change \(index)") { try plan.validate() }
        }
    }

    @Test func limitsThemselvesAreAllowed() throws {
        var plan = BenchPlan(.mixed)
        plan.connections = BenchPlan.largestConnectionCount
        plan.inFlight = 32_768
        plan.columns = 1_000
        plan.valueByteCount = BenchPlan.largestRowByteCount / 1_000
        plan.readPercent = 0
        plan.keyspace = String(repeating: "k", count: 48)
        try plan.validate()
    }

    @Test(arguments: [
        ("10", 10_000), ("10s", 10_000), ("500ms", 500), ("1.5s", 1_500), ("2m", 120_000), ("1h", 3_600_000), ("0", 0),
    ])
    func durationsHaveUnits(_ text: String, _ milliseconds: Int) {
        #expect(DurationText.parse(text) == .milliseconds(milliseconds))
    }

    @Test(arguments: ["", "s", "-1s", "1d", "1 s", "1..2s", "1e3", "99999999999999h"])
    func whatIsNoDurationIsRefused(_ text: String) {
        #expect(DurationText.parse(text) == nil)
    }
}
