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

/// The same for the hot path, on a node that is all there is.
extension ConsistencyCheck {
    package static func read(_ consistency: Consistency, _ table: CompiledTable) throws(CQLError) {
        switch consistency {
        case .one, .localOne: if table.replicas.localFactor > 0 { return }
        default: try validateRead(consistency)
        }
        try checkAlone(consistency, table.replicas)
    }

    package static func write(_ consistency: Consistency, _ table: CompiledTable) throws(CQLError) {
        switch consistency {
        case .one, .localOne: if table.replicas.localFactor > 0 { return }
        default: try validateWrite(consistency, table)
        }
        try checkAlone(consistency, table.replicas)
    }

    private static func checkAlone(_ level: Consistency, _ counts: ReplicaCounts) throws(CQLError) {
        guard let shortage = shortage(level, counts) else { return }
        throw .unavailable(level, required: shortage.required, alive: shortage.alive)
    }

    /// What UNAVAILABLE says, when this node is all there is.
    private static func shortage(_ level: Consistency, _ counts: ReplicaCounts) -> (required: Int, alive: Int)? {
        let alive: Int = min(1, counts.localFactor)
        if level == .eachQuorum, counts.knowsDatacenters {
            for datacenter in counts.datacenters {
                let needed: Int = datacenter.factor / 2 + 1
                if needed > 1 || datacenter.factor != counts.localFactor { return (needed, min(alive, needed)) }
            }
            return nil
        }
        let needed: Int = counts.required(level)
        return alive < needed ? (needed, alive) : nil
    }
}
