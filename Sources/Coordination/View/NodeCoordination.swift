package import Cluster
package import Environment
package import Storage

/// The coordinators of one shard: what statements of the hot and of the general way are carried out by.
///
/// Confined to its loop; `Sendable` is unchecked for that reason.
public final class ShardCoordination: @unchecked Sendable {
    public let view: ClusterView
    /// This node as a replica, on this shard.
    public let replica: ReplicaShard
    public let writes: WriteCoordinator
    package let reads: ReadCoordinator
    public let rowReads: RowReads
    package let paxos: PaxosCoordinator

    init(view: ClusterView, replica: PaxosReplica, node: NodeReplica, hints: HintStore, host: Host) {
        let decider: PaxosReplica = replica
        let replica: ReplicaShard = decider.shard
        let loop: any Loop = replica.store.loop
        self.view = view
        self.replica = replica
        self.writes = WriteCoordinator(
            view: view, replica: replica, hints: HintKeeper(store: hints, replica: replica))
        self.reads = ReadCoordinator(view: view, node: node, host: host, loop: loop)
        self.rowReads = RowReads(view: view, loop: loop, time: host.time)
        self.paxos = PaxosCoordinator(
            view: view, replica: decider, hints: HintKeeper(store: hints, replica: replica), host: host, loop: loop)
    }
}

/// This node as a replica and as a coordinator, over all its shards.
///
///     statements ─▶ ShardCoordination ─┬─▶ ReplicaShard of this node
///                                      └─▶ messages ─▶ ReplicaVerbs of other nodes
package final class NodeCoordination: Sendable {
    /// What coordination stands on.
    package struct Parts: Sendable {
        package var host: Host
        package var local: NodeID
        package var liveness: Liveness
        package var messages: MessageService
        package var clock: HybridClock
        package var hints: HintStore

        package init(
            host: Host, local: NodeID, liveness: Liveness, messages: MessageService, clock: HybridClock,
            hints: HintStore
        ) {
            self.host = host
            self.local = local
            self.liveness = liveness
            self.messages = messages
            self.clock = clock
            self.hints = hints
        }
    }

    package let parts: Parts
    package let replica: NodeReplica
    package let shards: [ShardCoordination]
    private let verbs: [ReplicaVerbs]
    private let rowVerbs: [RowReadVerb]

    /// - Parameters:
    ///   - paxos: where this node keeps its part of decisions.
    ///   - writeTimeout: how long a write waits for this node's log, and one of counters.
    package init(
        _ parts: Parts, engine: StorageEngine, topology: Topology, paxos: PaxosTable,
        writeTimeout: Duration = .seconds(2),
        counterWriteTimeout: Duration = .seconds(5)
    ) {
        let host: Host = parts.host
        let replica = NodeReplica(
            shards: engine.shards.map { store in
                ReplicaShard(
                    store: store, host: host, writeTimeout: writeTimeout, counterWriteTimeout: counterWriteTimeout)
            }, host: host)
        self.parts = parts
        self.replica = replica
        let deciders: [PaxosReplica] = replica.shards.map { PaxosReplica(shard: $0, table: paxos) }
        self.shards = deciders.enumerated().map { index, decider in
            let view = ClusterView(
                local: parts.local, topology: topology, liveness: parts.liveness,
                messages: parts.messages.shards[index], clock: parts.clock)
            return ShardCoordination(view: view, replica: decider, node: replica, hints: parts.hints, host: host)
        }
        self.verbs = ReplicaVerbs.register(on: parts.messages.shards, replica, host)
        self.rowVerbs = RowReadVerb.register(on: parts.messages.shards, replica)
        PaxosVerbs.register(on: parts.messages.shards, replica, deciders, host)
        HintReceiver.register(on: parts.messages, local: parts.local) { _, hint in
            do {
                try await replica.apply(hint.mutation)
            } catch ReplicaError.unknownTable {
                // Of a table that is gone. Whoever sends hints of a new one has its schema first, and this node with it.
            }
        }
    }

    /// Sees another set of members on all shards; returns when all do.
    package func take(_ topology: Topology) async throws {
        for (index, shard) in shards.enumerated() {
            try await replica.run(on: index) { _ in shard.view.take(topology) }
        }
    }
}
