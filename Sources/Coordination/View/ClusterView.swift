public import Cluster
package import DataModel
import Environment

/// The cluster as one shard sees it: where data is, who is up, how to reach them.
///
/// Confined to its loop; `Sendable` is unchecked for that reason.
public final class ClusterView: @unchecked Sendable {
    package let local: NodeID
    public let liveness: Liveness
    public let messages: ShardMessages
    package let clock: HybridClock
    package private(set) var topology: Topology
    /// Changes with every change of the members: what was planned with another number is to be planned again.
    public private(set) var version: UInt64 = 1
    /// The epoch of the placement that plans are made by.
    public private(set) var placementEpoch: UInt64
    private var plans: [ObjectIdentifier: ReplicaPlan] = [:]

    package init(
        local: NodeID, topology: Topology, liveness: Liveness, messages: ShardMessages, clock: HybridClock
    ) {
        self.local = local
        self.topology = topology
        self.placementEpoch = topology.epoch
        self.liveness = liveness
        self.messages = messages
        self.clock = clock
    }

    /// Sees another set of members from now on.
    package func take(_ topology: Topology) {
        self.topology = topology
        placementEpoch = topology.epoch
        plans = [:]
        version &+= 1
    }

    /// The plan for a set of replicas of the present topology.
    ///
    /// Hot: once per request of a table with several replicas.
    package func plan(for set: ReplicaSet, _ counts: ReplicaCounts) -> ReplicaPlan {
        if let known = plans[ObjectIdentifier(set)] { return known }
        let made = ReplicaPlan(set, counts, local: local, placement: placementEpoch)
        plans[ObjectIdentifier(set)] = made
        return made
    }

    /// The same plan by the present placement, for a request that has waited since it was planned.
    package func renewed(_ plan: ReplicaPlan, _ token: Token) -> ReplicaPlan {
        self.plan(for: topology.placement(for: plan.set.strategy).replicas(of: token), plan.counts)
    }
}
