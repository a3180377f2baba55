import Cluster
import Coordination
package import Environment
import Logging
import Query
package import Storage

/// One running node: storage, its place in the cluster, statements, clients.
///
///     start: identity ─▶ messages ─▶ the cluster's metadata ─▶ storage (commit log replayed) ─▶ coordinators
///            ─▶ gossip and hints ─▶ statements ─▶ clients
package final class Node: Sendable {
    /// What a node consists of once it has started.
    struct Parts: Sendable {
        var host: Host
        var configuration: NodeConfiguration
        var local: LocalNode
        var messages: NodeMessages
        var metadata: MetadataLog
        var engine: StorageEngine
        var coordination: NodeCoordination
        var gossip: GossipLoop
        var hints: HintStore
        var delivery: HintDelivery
        var repair: NodeRepair
        var watch: ClusterWatch
        var ring: RingOperations
        var streams: NodeStreams
        var group: ShardGroup
        var sessions: [ShardSessions]
        var door: ClientDoor
        var log: Logger
    }

    let parts: Parts
    private let admin: AdminPort
    private let load: NodeLoad
    /// What the node does from time to time.
    private let chores: [any BackgroundWork]

    init(_ parts: Parts, _ admin: AdminPort, _ load: NodeLoad, chores: [any BackgroundWork]) {
        self.chores = chores
        self.parts = parts
        self.admin = admin
        self.load = load
    }

    /// What this node stores.
    package var engine: StorageEngine { parts.engine }

    /// Where clients connect.
    package var clientAddress: SocketAddress { parts.door.address }

    /// Where other nodes connect.
    package var internodeAddress: SocketAddress? { parts.messages.service.address }

    /// Where operators connect; nil when the configuration wants no admin port.
    package var adminAddress: SocketAddress? { admin.address }

    /// Of how many requests one is traced without its client having asked for it, from 0 to 1; 0 at start.
    package var traceProbability: Double {
        get { parts.group.traceProbability }
        set { parts.group.traceProbability = newValue }
    }

    /// Starts a node; returns when clients can connect.
    ///
    /// - Parameters:
    ///   - logs: where it writes what happens to it; nowhere when nil.
    ///   - memory: what the process has in use and what the machine has, in bytes, for operators.
    package static func start(
        _ configuration: NodeConfiguration, on host: Host, logs: NodeLog? = nil,
        memory: (@Sendable () -> (resident: Int, machine: Int))? = nil
    ) async throws -> Node {
        let logs: NodeLog = logs ?? .silent(host.time)
        let admin = try await AdminPort.open(configuration, memory, on: host, logs.logger("admin"))
        do {
            return try await NodeStart(configuration, host, logs).run(admin)
        } catch {
            await admin.close()
            throw error
        }
    }

    /// Takes leave of the other nodes and of clients, lets what is under way end, and writes what is in memory.
    package func stop() async {
        parts.log.info("Stopping")
        admin.administration.stops()
        for work in chores { work.cancel() }
        for work in chores { await work.wait() }
        await load.stop()
        // What clients have under way still needs the other nodes, which let go of this one when it says goodbye.
        await parts.door.close()
        await parts.letClientsFinish()
        await parts.repair.stop()
        await parts.coordination.batchLog.stop()
        await parts.gossip.stop()
        await parts.delivery.stop()
        await parts.ring.stop()
        await parts.streams.stop()
        await parts.metadata.stop()
        await parts.messages.service.stop()
        await parts.hints.close()
        await parts.engine.close()
        await admin.close()
        parts.log.info("Stopped")
    }
}
