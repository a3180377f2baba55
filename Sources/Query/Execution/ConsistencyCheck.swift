package import CQL
import Coordination
package import DataModel

/// Refuses, before any work, levels that a statement can not have. How many replicas a level needs, and whether they are
/// up, is known to `AnswerRule` and `ReplicaPlan`.
package enum ConsistencyCheck {
    package static func validateRead(_ consistency: Consistency) throws(CQLError) {
        if consistency == .any { throw .invalid(message: "ANY ConsistencyLevel is only supported for writes") }
    }

    package static func validateWrite(_ consistency: Consistency, _ table: CompiledTable) throws(CQLError) {
        switch consistency {
        case .any where table.isCounter:
            throw .invalid(message: "Consistency level ANY is not yet supported for counter table \(table.name)")
        case .serial, .localSerial:
            throw .invalid(message: "You must use conditional updates for serializable writes")
        case .nodeLocal:
            throw .invalid(message: "NODE_LOCAL consistency level is not supported for writes")
        default: break
        }
    }

    /// A statement that must read before it writes does so at the level of the write.
    package static func validateReadBeforeWrite(_ consistency: Consistency) throws(CQLError) {
        guard consistency == .any else { return }
        throw .invalid(message: "Write operation require a read but consistency ANY is not supported on reads")
    }
}
