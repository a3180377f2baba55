import Administration
import Cluster
import Coordination
import DataModel
import Environment
import Primitives
import Query
import Storage
import Synchronization

/// What operators may ask of this node, answered from its parts.
///
/// It is there before the parts are, so that the admin port can say that the node starts.
final class LiveAdministration: NodeAdministration {
    private enum Life {
        case starting
        case running(Node.Parts)
        case stopping
    }

    /// How far the node has been told to stop serving without stopping (`nodetool drain`).
    enum Draining: String, Sendable {
        case draining, drained
    }

    private let life = Mutex(Life.starting)
    let time: any TimeSource
    let settings: LiveSettings
    let operations: Operations
    let certificates = NodeCertificates()
    /// Whether requests are being counted by partition.
    let isSampling = Atomic<Bool>(false)
    let draining = Mutex<Draining?>(nil)
    /// Of the last metadata that `/metrics` was asked for.
    let labels = Mutex<MetricsLabels?>(nil)
    private let startedLogs = Mutex<NodeLog?>(nil)
    private let silentLogs: NodeLog
    private let startedAt: UInt64
    /// Bytes that the process has in use, and bytes of the machine.
    let memory: (@Sendable () -> (resident: Int, machine: Int))?

    init(_ configuration: NodeConfiguration, _ host: Host, memory: (@Sendable () -> (resident: Int, machine: Int))?) {
        self.time = host.time
        self.settings = LiveSettings(configuration)
        self.operations = Operations(host: host)
        self.silentLogs = .silent(host.time)
        self.startedAt = host.time.monotonicNanoseconds
        self.memory = memory
    }

    /// Where the node writes its log.
    var logs: NodeLog { startedLogs.withLock { $0 } ?? silentLogs }

    /// The node has all its parts now.
    func started(_ parts: Node.Parts, _ logs: NodeLog) async throws {
        startedLogs.withLock { $0 = logs }
        parts.engine.describeTables { table in
            CreateStatementText.table(table, isVirtual: false, withInternals: true)
        }
        parts.engine.setSnapshotPace(linksPerSecond: settings.now.integer("snapshot_links_per_second"))
        try await parts.engine.setBackups(settings.now.boolean("incremental_backups"))
        try await CompactionHistory.record(of: parts)
        life.withLock { $0 = .running(parts) }
    }

    func stops() {
        life.withLock { $0 = .stopping }
    }

    /// What the node consists of, and the newest of the cluster's metadata that it has.
    func current() throws(AdminFailure) -> (parts: Node.Parts, metadata: ClusterMetadata) {
        let life: Life = life.withLock { $0 }
        switch life {
        case .starting: throw .unavailable("The node is starting.")
        case .stopping: throw .unavailable("The node is stopping.")
        case .running(let parts):
            guard let metadata = parts.metadata.current else { throw .unavailable("The node has no cluster yet.") }
            return (parts, metadata)
        }
    }

    var uptimeNanoseconds: UInt64 { time.monotonicNanoseconds &- startedAt }

    // MARK: This node

    func readiness() async -> Readiness {
        do throws(AdminFailure) {
            let (parts, metadata) = try current()
            if let draining = draining.withLock({ $0 }) {
                return Readiness(isReady: false, reason: "The node is \(draining.rawValue).")
            }
            guard await parts.door.isOpen else {
                return Readiness(isReady: false, reason: "The node takes no clients (nodetool enablebinary).")
            }
            guard metadata.member(NodeID(parts.local.hostID))?.state == .normal else {
                return Readiness(isReady: false, reason: "The node is not a normal member of its cluster.")
            }
            return Readiness(isReady: true)
        } catch {
            return Readiness(isReady: false, reason: error.reason)
        }
    }

    func version() async -> VersionReport {
        VersionReport(release: ServerVersions.release, cql: ServerVersions.cql, protocols: [3, 4, 5])
    }

    func node() async throws(AdminFailure) -> NodeReport {
        let (parts, metadata) = try current()
        let own: Member? = metadata.member(NodeID(parts.local.hostID))
        let used: (resident: Int, machine: Int)? = memory?()
        let internode: SocketAddress = own?.internode ?? parts.messages.service.address ?? .loopback(port: 0)
        return NodeReport(
            id: parts.local.hostID.description, clusterName: metadata.clusterName,
            endpoint: Endpoint(internode), native: Endpoint(own?.native ?? parts.door.address),
            datacenter: parts.local.dataCenter, rack: parts.local.rack, state: RingState(own?.state ?? .joining),
            isGossiping: await parts.gossip.gossips(), isServingClients: await parts.door.isOpen,
            loadByteCount: await NodeLoad.byteCount(of: parts.engine, metadata.schema),
            generation: Int(parts.local.generation),
            uptimeSeconds: Int((time.monotonicNanoseconds &- startedAt) / 1_000_000_000),
            residentByteCount: used?.resident, memoryByteCount: used?.machine,
            shardCount: parts.host.loops.count, epoch: Int(clamping: metadata.epoch),
            releaseVersion: ServerVersions.release, tokens: (own?.tokens ?? []).map(\.value),
            cache: try await cacheFigures(parts), percentRepaired: repairedPercent())
    }

    /// Reads whose replicas differed, and those after which replicas had to be brought something.
    func readRepairs(_ parts: Node.Parts) async throws(AdminFailure) -> (attempted: Int, repaired: Int) {
        try await carryOut {
            var sum: (attempted: Int, repaired: Int) = (0, 0)
            for shard in parts.group.executors.indices {
                let counts = try await parts.group.run(on: shard) { $0.coordination.reads.repairCounts }
                sum = (sum.attempted + counts.attempted, sum.repaired + counts.repaired)
            }
            return sum
        }
    }

    private func cacheFigures(_ parts: Node.Parts) async throws(AdminFailure) -> NodeReport.Cache {
        let work: [ShardWork] = try await carryOut { try await parts.engine.work() }
        func sum(_ value: (ShardWork) -> Int) -> Int { work.reduce(0) { $0 + value($1) } }
        return NodeReport.Cache(
            entryCount: sum(\.cacheEntryCount), byteCount: sum(\.cacheByteCount), byteLimit: sum(\.cacheByteLimit),
            hitCount: sum(\.cache.hitCount), missCount: sum(\.cache.missCount))
    }

    func network() async throws(AdminFailure) -> NetworkReport {
        if isStarting {
            return NetworkReport(
                mode: "STARTING", readRepairsAttempted: nil, readRepairsBlocking: nil, readRepairsBackground: nil,
                pools: [], peers: [])
        }
        let (parts, metadata) = try current()
        let traffic: [PeerTraffic] = await parts.trafficWithOthers()
        let lanes: [(Lane, String)] = [
            (.bulk, "Large messages"), (.data, "Small messages"), (.control, "Gossip messages"),
        ]
        let pools: [NetworkReport.Pool] = lanes.map { lane, name in
            var sum = PeerTraffic(node: .none, lane: lane)
            for peer in traffic where peer.lane == lane { sum.add(peer) }
            return NetworkReport.Pool(
                name: name, pending: sum.outstandingRequests, completed: Int(clamping: sum.counts.sentMessages),
                dropped: Int(clamping: sum.counts.droppedMessages))
        }
        let own: Member? = metadata.member(NodeID(parts.local.hostID))
        let repairs: (attempted: Int, repaired: Int) = try await readRepairs(parts)
        return NetworkReport(
            mode: operationMode(own?.state), readRepairsAttempted: repairs.attempted,
            readRepairsBlocking: repairs.repaired, readRepairsBackground: 0, pools: pools,
            peers: traffic.compactMap { peer in
                metadata.member(peer.node).map { NetworkReport.Peer(peer, at: Endpoint($0.internode)) }
            })
    }

    /// Whether the node has no parts yet that could be asked.
    private var isStarting: Bool {
        life.withLock { life in
            if case .starting = life { return true }
            return false
        }
    }

    /// In Cassandra's words. Whoever is no member yet waits for its turn to join.
    private func operationMode(_ state: MemberState?) -> String {
        if let draining = draining.withLock({ $0 }) { return draining.rawValue.uppercased() }
        if state == .left { return "DECOMMISSIONED" }
        return RingState(state ?? .joining).rawValue.uppercased()
    }

    // MARK: Hints

    func handoff() async throws(AdminFailure) -> HandoffReport {
        let switches = try await current().parts.hints.switches()
        return HandoffReport(isEnabled: switches.isEnabled, disabledDatacenters: switches.disabledDatacenters)
    }

    func setHandoff(enabled: Bool) async throws(AdminFailure) {
        try await current().parts.hints.setEnabled(enabled)
    }

    func pendingHints() async throws(AdminFailure) -> PendingHintsReport {
        let (parts, metadata) = try current()
        let backlog: [HintStore.Backlog] = await parts.hints.backlog()
        return PendingHintsReport(
            targets: backlog.map { waiting in
                let member: Member? = metadata.member(waiting.target)
                return PendingHintsReport.Target(
                    id: waiting.target.description, endpoint: member.map { Endpoint($0.internode) },
                    datacenter: member?.datacenter, rack: member?.rack,
                    isUp: parts.gossip.liveness.isAlive(waiting.target), fileCount: waiting.fileCount,
                    byteCount: waiting.byteCount, oldestMicroseconds: waiting.oldestMicroseconds.map { Int($0) },
                    newestMicroseconds: waiting.newestMicroseconds.map { Int($0) })
            })
    }

    func truncateHints(of node: String?) async throws(AdminFailure) {
        let (parts, metadata) = try current()
        // Of which ranges the hints are nobody looks up: all are verified soon.
        if await !parts.hints.backlog().isEmpty { parts.repair.missed.noteEverything() }
        guard let node else { return await parts.hints.truncate() }
        // A node that has left may still have hints here, and is known by its id alone.
        let member: Member? = metadata.members.first { member in
            member.id.description == node || member.internode.hostText == node || member.internode.description == node
        }
        guard let target = member?.id ?? UUID(text: node).map({ NodeID($0) }) else {
            throw .invalid("There is no node \(node).")
        }
        await parts.hints.truncate(target)
    }
}

extension Node.Parts {
    /// What went to and came from other nodes; a node that is its own replica sends messages to itself too.
    func trafficWithOthers() async -> [PeerTraffic] {
        await messages.service.traffic().filter { $0.node != NodeID(local.hostID) }
    }
}

extension TrafficCounts {
    /// Messages that never reached the other node's code.
    fileprivate var droppedMessages: UInt64 { expiredOutgoing &+ overloadedOutgoing &+ undelivered }
}

extension NetworkReport.Peer {
    fileprivate init(_ traffic: PeerTraffic, at endpoint: Endpoint) {
        let counts: TrafficCounts = traffic.counts
        self.init(
            endpoint: endpoint, lane: "\(traffic.lane)", connections: traffic.openConnections,
            sentMessages: Int(clamping: counts.sentMessages), sentBytes: Int(clamping: counts.sentBytes),
            receivedMessages: Int(clamping: counts.receivedMessages),
            receivedBytes: Int(clamping: counts.receivedBytes), timedOut: Int(clamping: counts.timedOutRequests),
            failed: Int(clamping: counts.failedRequests), dropped: Int(clamping: counts.droppedMessages),
            pendingRequests: traffic.outstandingRequests, pendingBytes: traffic.pendingBytes)
    }
}

extension Endpoint {
    init(_ address: SocketAddress) {
        self.init(address.hostText, Int(address.port))
    }
}

extension RingState {
    init(_ state: MemberState) {
        switch state {
        case .joining: self = .joining
        case .leaving: self = .leaving
        case .moving: self = .moving
        case .normal: self = .normal
        case .left: self = .left
        }
    }
}
