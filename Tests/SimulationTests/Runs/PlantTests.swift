#if PLANTS
import Environment
import Glibc
import Simulation
import Testing

extension RunTests {
    /// Each deliberate bug, the work that shows it, and the rules of which one must be seen to break.
    struct Planted: Sendable, CustomTestStringConvertible {
        let plant: Plant
        let work: [WorkloadKind]
        let faults: [FaultEvent]
        let rules: [Rule]

        var spareCount = 0
        var layout = ClusterShape.Layout.plain
        var lengthMilliseconds = 6_000

        var testDescription: String { plant.rawValue }
    }

    private static func event(_ start: Int, _ duration: Int, _ fault: Fault) -> FaultEvent {
        FaultEvent(startMilliseconds: start, durationMilliseconds: duration, fault: fault)
    }

    static let planted: [Planted] = [
        Planted(
            plant: .acknowledgeEarly, work: [.rows],
            faults: [event(500, 2_000, .split(nodes: [0])), event(3_000, 2_000, .slowLink(1, 2, milliseconds: 300))],
            rules: [.quorumWriteIsVisible, .quorumReadsAreMonotonic, .nothingDeletedReturns]),
        Planted(
            plant: .forgetHint, work: [.rows],
            // A connection that is cut for a while brings later what it has not brought: messages have to be lost.
            faults: [event(500, 5_500, .unreliableMessages(probability: 0.1))],
            rules: [.replicasAgree, .nothingDeletedReturns]),
        Planted(
            plant: .skipLogSync, work: [.rows],
            faults: [
                event(2_500, 300, .powerLoss(nodes: [0, 1, 2])), event(4_500, 300, .powerLoss(nodes: [0, 1, 2])),
            ],
            rules: [.quorumWriteIsVisible, .quorumReadsAreMonotonic, .nothingDeletedReturns]),
        Planted(
            plant: .dropTombstone, work: [.rows],
            faults: [event(500, 2_500, .split(nodes: [0]))]
                + (0..<10).flatMap { round in
                    [0, 1, 2].map { event(400 + round * 500 + $0 * 50, 0, .compact(node: $0)) }
                },
            rules: [.nothingDeletedReturns, .replicasAgree, .quorumReadsAreMonotonic]),
        Planted(
            plant: .acceptOlderBallot, work: [.registers],
            // Whoever stands still between promise and proposal for longer than courtesy is shown comes too late.
            faults: [
                event(300, 5_600, .slowLink(0, 1, milliseconds: 60)),
                event(300, 5_600, .slowLink(1, 2, milliseconds: 60)),
                event(300, 5_600, .slowLink(0, 2, milliseconds: 60)),
            ] + (0..<9).map { event(500 + $0 * 600, 450, .pause(node: $0 % 3)) },
            rules: [.serialIsLinearizable]),
        Planted(
            plant: .handOverEarly, work: [.rows], faults: [],
            rules: [.quorumWriteIsVisible, .quorumReadsAreMonotonic, .nothingDeletedReturns], spareCount: 2,
            layout: .single),
    ]

    /// A bug that is switched on is on for all worlds of the process, so that no other test may run beside these:
    /// `tools/test` runs them alone.
    static var isAlone: Bool { getenv("MARTLET_PLANT_TESTS") != nil }

    @Test(.enabled(if: isAlone), arguments: planted) func everyPlantedBugIsFound(planted: Planted) throws {
        Plant.active = planted.plant
        defer { Plant.active = nil }
        var summaries: [String] = []
        for seed: UInt64 in 1...8 {
            var options = RunOptions()
            options.nodeCount = 3
            options.layout = planted.layout
            options.lengthMilliseconds = planted.lengthMilliseconds
            options.spareCount = planted.spareCount
            options.workloads = planted.work
            options.plan = FaultPlan(planted.faults)
            let report: RunReport = try SimulationRun(seed: seed, options: options).report()
            summaries.append(report.text)
            guard let violation = report.violations.first else { continue }
            #expect(planted.rules.contains(violation.rule), "seed \(seed): \(report.text)")
            #expect(!violation.history.isEmpty)
            return
        }
        Issue.record("\(planted.plant.rawValue) was not found: \(summaries)")
    }
}
#endif
