package import CQL
import DataModel

/// What may stand together in a batch.
package enum BatchRules {
    package static let maximumStatementCount = 65_535

    package static func check(_ batch: BatchPlan) throws(CQLError) {
        if batch.timeToLive != nil {
            throw .invalid(message: "Global TTL on the BATCH statement is not supported.")
        }
        try check(batch.kind, batch.plans, hasTimestamp: batch.timestamp != nil)
    }

    package static func check(
        _ kind: BatchStatement.Kind, _ plans: [ModificationPlan], hasTimestamp: Bool
    ) throws(CQLError) {
        guard plans.count <= maximumStatementCount else {
            throw .invalid(
                message: "Batch statement has too many statements: \(plans.count) > \(maximumStatementCount)")
        }
        let hasCounters: Bool = plans.contains(where: \.isCounter)
        let hasConditions: Bool = plans.contains { $0.condition.isPresent }
        if hasTimestamp {
            if hasConditions {
                throw .invalid(message: "Cannot provide custom timestamp for conditional BATCH")
            }
            if hasCounters { throw .invalid(message: "Cannot provide custom timestamp for counter BATCH") }
            if plans.contains(where: { $0.timestamp != nil }) {
                throw .invalid(message: "Timestamp must be set either on BATCH or individual statements")
            }
        }
        if hasCounters, plans.contains(where: { !$0.isCounter }) {
            throw .invalid(message: "Counter and non-counter mutations cannot exist in the same batch")
        }
        switch kind {
        case .counter where !hasCounters && !plans.isEmpty:
            throw .invalid(message: "Cannot include non-counter statement in a counter batch")
        case .logged where hasCounters:
            throw .invalid(message: "Cannot include a counter statement in a logged batch")
        case .unlogged where hasCounters:
            throw .invalid(message: "Counter mutations are only allowed in COUNTER batches")
        default: break
        }
        if hasConditions, let first = plans.first, plans.contains(where: { $0.table !== first.table }) {
            throw .invalid(message: "Batch with conditions cannot span multiple tables")
        }
    }
}
