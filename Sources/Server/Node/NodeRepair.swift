import Cluster
import Coordination
import DataModel
import Environment
import Primitives
import Storage
import Synchronization

/// What a node has to keep the copies of its data equal to those of others: what it knows of the ranges, repairs that
/// operators begin, and the one that goes on always.
final class NodeRepair: Sendable {
    let watermarks: RepairWatermarks
    let missed: MissedWrites
    private let local: NodeID
    private let metadata: MetadataLog
    private let running = Mutex<Running?>(nil)
    private let known = Mutex<Known?>(nil)

    /// What there is once the node coordinates.
    struct Running: Sendable {
        let coordinator: RepairCoordinator
        let continuous: ContinuousRepair
    }

    /// What follows from one epoch of the metadata.
    private struct Known {
        var epoch: UInt64
        var topology: Topology
        var tables: [RepairTable]
    }

    private init(_ watermarks: RepairWatermarks, _ missed: MissedWrites, _ local: NodeID, _ metadata: MetadataLog) {
        self.watermarks = watermarks
        self.missed = missed
        self.local = local
        self.metadata = metadata
    }

    /// Reads what former processes have noted.
    static func open(directory: String, host: Host, local: NodeID, metadata: MetadataLog) async throws -> NodeRepair {
        try await LoopWork("open what is known of repairs", on: host.loops[0], of: host) {
            NodeRepair(
                await RepairWatermarks.open(directory: directory, disk: host.disk),
                await MissedWrites.open(directory: directory, host: host), local, metadata)
        }.value()
    }

    // MARK: The schema

    /// All tables that the cluster shares and the present members; nil before the node is in its cluster.
    private var present: Known? {
        guard let current = metadata.current else { return nil }
        return known.withLock { known in
            if let known, known.epoch == current.epoch { return known }
            let topology = Topology(current, local: local)
            var tables: [RepairTable] = []
            for keyspace in current.schema.sortedKeyspaces {
                for table in keyspace.sortedTables {
                    tables.append(NodeRepair.table(table, keyspace.replication, topology))
                }
            }
            let made = Known(epoch: current.epoch, topology: topology, tables: tables)
            known = made
            return made
        }
    }

    private static func table(
        _ table: TableDefinition, _ replication: [String: String], _ topology: Topology
    ) -> RepairTable {
        var isReplicated = false
        do throws(ReplicationError) {
            let placement: Placement = try topology.placement(for: replication)
            isReplicated = placement.distinctSets.contains { $0.count > 1 }
        } catch {
            // Such a keyspace has no place, and nothing is repaired of it.
        }
        return RepairTable(
            id: table.id, keyspace: table.keyspace, name: table.name, replication: replication,
            purge: TombstonePurge(
                table.options.tombstoneGC, graceSeconds: Int64(table.options.gcGraceSeconds),
                isReplicated: isReplicated))
    }

    /// All tables that the cluster shares.
    func tables() -> [RepairTable] { present?.tables ?? [] }

    /// The present members.
    func topology() -> Topology? { present?.topology }

    /// Who has some tokens of a table; nil when not all of them have the same owners, or when that is about to change.
    private func owners(of table: UUID, _ tokens: ClosedRange<Token>) -> Set<NodeID>? {
        guard let known = present, let table = known.tables.first(where: { $0.id == table }) else { return nil }
        do throws(ReplicationError) {
            return RepairPlan.owners(of: tokens, in: try known.topology.placement(for: table.replication))
        } catch {
            return nil
        }
    }

    /// What storage asks before it drops tombstones of a table.
    var purgeRule: PurgeRule {
        { [self] definition in
            if let table = tables().first(where: { $0.id == definition.id }) {
                return table.purge.start(table.id, watermarks)
            }
            // A table of this node alone.
            let grace = Int64(definition.options.gcGraceSeconds)
            return TombstonePurge(definition.options.tombstoneGC, graceSeconds: grace, isReplicated: false)
                .start(definition.id, watermarks)
        }
    }

    // MARK: Life

    /// Has this node take part in repairs, before messages come.
    func register(_ coordination: NodeCoordination, _ engine: StorageEngine, _ messages: MessageService, _ host: Host) {
        RepairReplica(
            node: coordination.replica, engine: engine, watermarks: watermarks, missed: missed, host: host,
            owners: { [self] in owners(of: $0, $1) }
        ).register(on: messages)
    }

    /// Begins to verify, once the node has all its parts.
    func begin(
        _ messages: MessageService, _ liveness: Liveness, _ host: Host, _ options: ContinuousRepair.Options
    ) {
        let metadata: MetadataLog = self.metadata
        let coordinator = RepairCoordinator(
            RepairCoordinator.Parts(
                host: host, local: local, messenger: messages, liveness: liveness, missed: missed,
                name: { NodeRepair.name(of: $0, in: metadata.current) }))
        let continuous = ContinuousRepair(
            ContinuousRepair.Parts(
                host: host, local: local, messenger: messages, liveness: liveness, watermarks: watermarks,
                missed: missed, tables: { [weak self] in self?.tables() ?? [] },
                topology: { [weak self] in self?.topology() }), options)
        running.withLock { $0 = Running(coordinator: coordinator, continuous: continuous) }
        continuous.start()
    }

    /// What people call a node: its address, with the port where several have the same one.
    static func name(of node: NodeID, in metadata: ClusterMetadata?) -> String {
        guard let metadata, let address = metadata.member(node)?.internode else { return node.description }
        let sameCount: Int = metadata.members.count { $0.state != .left && $0.internode.host == address.host }
        return sameCount > 1 ? address.description : address.hostText
    }

    /// Nil before the node has started.
    var current: Running? { running.withLock { $0 } }

    func stop() async {
        guard let running = current else { return }
        running.coordinator.stop()
        await running.continuous.stop()
    }
}
