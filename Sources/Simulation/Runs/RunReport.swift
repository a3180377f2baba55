/// What came of a run.
package struct RunReport: Sendable {
    package let seed: UInt64
    package let shape: ClusterShape
    package let work: [WorkloadKind]
    package let operationCount: Int
    package let plan: FaultPlan
    package let violations: [Violation]
    /// Questions that were left open, for want of time.
    package let undecided: [String]
    /// A digest of everything that happened: the same on every run of the same seed.
    package let trace: UInt64
    /// What clients did and saw and what went wrong, in order, when that was asked for.
    package let lines: [String]
    /// Virtual time.
    package let nanoseconds: UInt64

    package var isGood: Bool { violations.isEmpty }

    /// One line about the run.
    package var summary: String {
        let digits = String(trace, radix: 16)
        let padded: String = String(repeating: "0", count: 16 - digits.count) + digits
        let kinds: String = work.map(\.rawValue).joined(separator: ",")
        return "seed \(seed) \(isGood ? "ok" : "FAILED") nodes \(shape.nodeCount) copies \(shape.copies) "
            + "work \(kinds) operations \(operationCount) faults \(plan.events.count) trace \(padded)"
    }

    /// The line, and after it what was violated, and how.
    package var text: String {
        ([summary] + violations.map(\.description) + undecided.map { "  undecided: " + $0 }).joined(separator: "\n")
    }
}
