package import Cluster
package import Environment
package import Primitives
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
    package let counters: CounterCoordinator
    package let batches: BatchCoordinator

    init(
        _ writes: WriteCoordinator, _ paxos: PaxosCoordinator, _ batches: BatchCoordinator, node: NodeReplica,
        host: Host
    ) {
        let view: ClusterView = writes.view
        let loop: any Loop = writes.replica.store.loop
        self.view = view
        self.replica = writes.replica
        self.writes = writes
        self.batches = batches
        self.reads = ReadCoordinator(view: view, node: node, host: host, loop: loop)
        self.rowReads = RowReads(view: view, replica: writes.replica)
        self.paxos = paxos
        self.counters = CounterCoordinator(view: view, replica: writes.replica, writes: writes, host: host)
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
        package var truncations: TruncationTimes
        /// Where batches are kept.
        package var batches: BatchTable
        /// Told of hints that are given up.
        package var missed: MissedWrites?
        /// By which value of the metadata this node acts.
        package var applied: AppliedEpoch

        package init(
            host: Host, local: NodeID, liveness: Liveness, messages: MessageService, clock: HybridClock,
            hints: HintStore, truncations: TruncationTimes, batches: BatchTable, missed: MissedWrites? = nil,
            applied: AppliedEpoch = AppliedEpoch()
        ) {
            self.host = host
            self.local = local
            self.liveness = liveness
            self.messages = messages
            self.clock = clock
            self.hints = hints
            self.truncations = truncations
            self.batches = batches
            self.missed = missed
            self.applied = applied
        }

        /// What keeps the hints of a shard.
        func keeper(_ replica: ReplicaShard) -> HintKeeper {
            HintKeeper(store: hints, replica: replica, missed: missed)
        }
    }

    package let parts: Parts
    package let replica: NodeReplica
    package let shards: [ShardCoordination]
    /// What other nodes' messages and kept batches find their tables in.
    package let tables: TableDirectory
    package let batchLog: BatchLog
    package let truncation: TruncationCoordinator
    private let verbs: [ReplicaVerbs]
    private let rowVerbs: [RowReadVerb]

    /// - Parameters:
    ///   - paxos: where this node keeps its part of decisions.
    ///   - writeTimeout: how long a write waits for this node's log, and one of counters.
    ///   - batchLog: how this node replays batches, but for the time after which they are stale.
    package init(
        _ parts: Parts, engine: StorageEngine, topology: Topology, paxos: PaxosTable,
        writeTimeout: Duration = .seconds(2),
        counterWriteTimeout: Duration = .seconds(5), batchLog: BatchLog.Options = BatchLog.Options()
    ) {
        let host: Host = parts.host
        let replicas: [ReplicaShard] = engine.shards.map { store in
            ReplicaShard(
                store: store, host: host, writeTimeout: writeTimeout, counterWriteTimeout: counterWriteTimeout)
        }
        let views: [ClusterView] = parts.messages.shards.map { messages in
            ClusterView(
                local: parts.local, topology: topology, liveness: parts.liveness, messages: messages,
                clock: parts.clock)
        }
        let writers: [WriteCoordinator] = zip(views, replicas).map { view, shard in
            WriteCoordinator(view: view, replica: shard, hints: parts.keeper(shard))
        }
        let tables = TableDirectory()
        let replica = NodeReplica(
            shards: replicas, host: host, truncations: parts.truncations,
            handover: zip(views, replicas).map { view, shard in
                HandoverWrites(view: view, tables: { tables.find($0) }, hints: parts.keeper(shard))
            })
        let writes = PartitionWrites(node: replica, writers: writers, host: host)
        var batchOptions: BatchLog.Options = batchLog
        batchOptions.writeTimeout = writeTimeout
        let truncations: TruncationTimes = parts.truncations
        let log = BatchLog(
            table: parts.batches, node: replica, writes: writes, clock: parts.clock, host: host, options: batchOptions,
            tables: { tables.find($0) }, truncatedAt: { truncations.time(of: $0) })
        self.parts = parts
        self.replica = replica
        self.tables = tables
        self.batchLog = log
        self.truncation = TruncationCoordinator(
            local: parts.local, engine: engine, times: truncations, clock: parts.clock, messenger: parts.messages,
            liveness: parts.liveness, host: host)
        let deciders: [PaxosReplica] = zip(replica.shards, views).map { shard, view in
            let placement = PaxosPlacement(
                view: view, tables: { tables.find($0) }, applied: parts.applied, loop: shard.store.loop)
            return PaxosReplica(
                shard: shard, table: paxos, placement: placement, truncatedAt: { truncations.time(of: $0) })
        }
        self.shards = zip(writers, deciders).map { writer, decider in
            let loop: any Loop = writer.replica.store.loop
            let paxos = PaxosCoordinator(
                view: writer.view, replica: decider, hints: parts.keeper(writer.replica),
                host: host, loop: loop)
            let batches = BatchCoordinator(view: writer.view, loop: loop, log: log, writes: writes, host: host)
            return ShardCoordination(writer, paxos, batches, node: replica, host: host)
        }
        self.verbs = ReplicaVerbs.register(on: parts.messages.shards, replica, host)
        self.rowVerbs = RowReadVerb.register(on: parts.messages.shards, replica)
        PaxosVerbs.register(on: parts.messages.shards, replica, deciders, host)
        register()
    }

    /// Has this node do its part of what others coordinate, beside plain reads and writes.
    private func register() {
        let replica: NodeReplica = self.replica
        let tables: TableDirectory = self.tables
        CounterVerbs.register(
            on: parts.messages.shards, replica, shards.map(\.counters), views: shards.map(\.view),
            tables: { tables.find($0) }, parts.host)
        BatchVerbs.register(on: parts.messages.shards, batchLog, parts.host)
        truncation.register()
        let view: ClusterView = shards[0].view
        let succession = HintSuccession(store: parts.hints, missed: parts.missed, host: parts.host) { node in
            view.topology.member(node).map { $0.state != .left } ?? false
        }
        HintReceiver.register(on: parts.messages, local: parts.local, succession: succession) { _, hint in
            do {
                try await replica.apply(hint)
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

    /// Forgets what was noted of tables that are gone.
    package func forget(_ tables: [UUID]) async {
        let truncations: TruncationTimes = parts.truncations
        let work = LoopWork("forget tables", on: parts.host.loops[0], of: parts.host) {
            try await truncations.forget(tables)
        }
        do {
            try await work.value()
        } catch {
            // The time of a table that is gone does no harm, and its id is never given again.
        }
    }
}
