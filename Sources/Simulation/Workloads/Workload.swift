/// The kinds of work that a run can have.
package enum WorkloadKind: String, Sendable, CaseIterable {
    case rows, registers, counters, schema
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
