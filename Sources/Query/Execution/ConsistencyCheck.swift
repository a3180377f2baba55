package import CQL
import Coordination
package import DataModel

/// Refuses, before any work, levels that a statement can not have. How many replicas a level needs, and whether they are
/// up, is known to `AnswerRule` and `ReplicaPlan`.
package enum ConsistencyCheck {
    package static func validateRead(_ consistency: Consistency) throws(CQLError) {
        if consistency == .any { throw .invalid(message: "ANY ConsistencyLevel is only supported for writes") }
    }

    /// - Parameter isConditional: whether the level is that at which a decision is written.
    package static func validateWrite(
        _ consistency: Consistency, _ table: CompiledTable, isConditional: Bool = false
    ) throws(CQLError) {
        switch consistency {
        case .serial where isConditional, .localSerial where isConditional:
            throw .invalid(
                message:
                    "\(consistency.name) is not supported as conditional update commit consistency. Use ANY if you "
                    + "mean \"make sure it is accepted but I don't care how many replicas commit it for non-SERIAL reads\""
            )
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
