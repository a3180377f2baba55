package import Primitives

/// The kinds of work that a run can have.
package enum WorkloadKind: String, Sendable, CaseIterable {
    case rows, registers, counters, schema, statics, batches, expiry, scans, truncation, columns

    /// How many of the lots a client draws from are of this kind; the schema is changed by one client, beside its work.
    var lotCount: Int {
        switch self {
        case .rows: 5
        case .registers, .statics, .expiry, .scans, .columns: 3
        case .counters, .batches, .truncation: 2
        case .schema: 0
        }
    }

    /// Draws what a run is about: a few kinds, so that each is worked at.
    package static func drawn(_ generator: inout SeededGenerator) -> [WorkloadKind] {
        var kinds: [WorkloadKind] = allCases
        kinds.shuffle(using: &generator)
        let chosen = kinds.prefix(2 + generator.below(3))
        return allCases.filter { chosen.contains($0) }
    }
}

/// What clients do in a run, and what must be true of what they saw.
package protocol Workload: AnyObject, Sendable {
    /// The statements that make its tables, in the keyspace that the run has made.
    var schema: [String] { get }

    /// Does one thing, and notes what came of it.
    func act(_ client: WorkloadClient) async

    /// Looks at everything once more when all faults have healed.
    ///
    /// - Returns: whether all of it could be seen; if not it is tried again.
    func lookAgain(_ client: WorkloadClient) async -> Bool

    /// What of the history may not be.
    func violations() -> [Violation]

    /// Questions that were left open, for want of time.
    var undecided: [String] { get }
}

extension Workload {
    package var undecided: [String] { [] }
}
