/// What must hold of every history, whatever the faults.
package enum Rule: String, Sendable, CaseIterable {
    case serialIsLinearizable = "every operation at SERIAL is linearizable"
    case quorumWriteIsVisible = "an acknowledged QUORUM write is seen by every later QUORUM read"
    case quorumReadsAreMonotonic = "no QUORUM read sees less than an earlier one saw"
    case nothingFromNowhere = "only what somebody wrote is read"
    case counterIsExact = "a counter shows every acknowledged increment once, and nothing else"
    case nothingDeletedReturns = "nothing deleted returns"
    case batchesAreWhole = "a logged batch happens as a whole or not at all"
    case lifetimesAreKept = "a value is seen until its time to live has passed, and not after"
    case scansAreComplete = "a scan has every row that is there, once, and no other"
    case columnsKeepTheirValues = "a column has what was written since it was added, and nothing older"
    case replicasAgree = "replicas agree once the faults have healed"
    case schemasAgree = "all nodes have the same schema"
    case clusterRecovers = "the cluster works again once the faults have healed"
}

/// A rule that does not hold, with the shortest history that shows it.
package struct Violation: Sendable, CustomStringConvertible {
    package let rule: Rule
    /// Which register, row or counter it is about.
    package let subject: String
    package let reason: String
    package let history: [String]

    package init(_ rule: Rule, subject: String, reason: String, history: [String]) {
        self.rule = rule
        self.subject = subject
        self.reason = reason
        self.history = history
    }

    package var description: String {
        let lines: [String] = history.map { "    " + $0 }
        return (["violated: \(rule.rawValue)", "  \(subject): \(reason)"] + lines).joined(separator: "\n")
    }
}
