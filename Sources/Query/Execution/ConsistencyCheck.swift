package import CQL
import Coordination
package import DataModel

/// Refuses, before any work, what cannot be done at the level that was asked for.
package enum ConsistencyCheck {
    package static func read(_ consistency: Consistency, _ table: CompiledTable) throws(CQLError) {
        switch consistency {
        case .any: throw .invalid(message: "ANY ConsistencyLevel is only supported for writes")
        case .one, .localOne: if table.replicas.localFactor > 0 { return }
        default: break
        }
        if let shortage = shortage(consistency, table.replicas) {
            throw .unavailable(consistency, required: shortage.required, alive: shortage.alive)
        }
    }

    package static func write(_ consistency: Consistency, _ table: CompiledTable) throws(CQLError) {
        switch consistency {
        case .one, .localOne: if table.replicas.localFactor > 0 { return }
        case .any where table.isCounter:
            throw .invalid(message: "Consistency level ANY is not yet supported for counter table \(table.name)")
        case .serial, .localSerial:
            throw .invalid(
                message: "You must use conditional updates for serializable writes")
        case .nodeLocal:
            throw .invalid(message: "NODE_LOCAL consistency level is not supported for writes")
        default: break
        }
        if let shortage = shortage(consistency, table.replicas) {
            throw .unavailable(consistency, required: shortage.required, alive: shortage.alive)
        }
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
