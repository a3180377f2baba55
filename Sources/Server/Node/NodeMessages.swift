import Cluster
import DataModel
import Environment
import Logging
import Primitives
import Synchronization

/// How this node hears from others: the message service, the clock that it keeps, and who is told what the connections
/// tell.
///
/// The service has to be there before whoever listens to it, so the listeners come later.
final class NodeMessages: Sendable {
    let service: MessageService
    let clock: HybridClock
    private let listeners: Listeners

    /// Who wants to know; nobody before the parts exist.
    private final class Listeners: Sendable {
        struct Parts {
            var log: MetadataLog?
            var gossip: GossipLoop?
        }

        let parts = Mutex(Parts())
        /// For what repeats itself with every attempt to connect, and what strangers cause.
        let insecurities = Mutex(LogLimiter())

        var log: MetadataLog? { parts.withLock(\.log) }
        var gossip: GossipLoop? { parts.withLock(\.gossip) }
    }

    /// - Parameter address: where it will listen; port 0 chooses a free one.
    init(
        _ settings: MessageSettings, _ local: LocalNode, at address: SocketAddress, _ host: Host, _ log: Logger
    ) {
        let clock = HybridClock(time: host.time)
        let listeners = Listeners()
        var callbacks = MessageCallbacks { clock.current }
        callbacks.clockSeen = { clock.observe($0) }
        callbacks.epochSeen = { node, epoch in listeners.log?.observed(epoch: epoch, at: node) }
        let time: any TimeSource = host.time
        callbacks.event = { event in NodeMessages.note(event, listeners, time, log) }
        self.clock = clock
        self.listeners = listeners
        self.service = MessageService(
            host: host,
            identity: MessageIdentity(
                node: NodeID(local.hostID), address: address, datacenter: local.dataCenter,
                clusterName: local.clusterName),
            settings: settings, callbacks: callbacks)
    }

    /// Begins to listen; returns where.
    func start(_ local: LocalNode) async throws -> SocketAddress {
        try await service.start()
        let address: SocketAddress = service.address ?? .loopback(port: 0)
        identify(local, at: address, clusterID: UUID(high: 0, low: 0))
        return address
    }

    func identify(_ local: LocalNode, at address: SocketAddress, clusterID: UUID) {
        service.setIdentity(
            MessageIdentity(
                node: NodeID(local.hostID), address: address, datacenter: local.dataCenter,
                clusterName: local.clusterName, clusterID: clusterID))
    }

    func listen(_ log: MetadataLog) {
        listeners.parts.withLock { $0.log = log }
    }

    func listen(_ gossip: GossipLoop) {
        listeners.parts.withLock { $0.gossip = gossip }
    }

    private static func note(
        _ event: MessageEvent, _ listeners: Listeners, _ time: any TimeSource, _ log: Logger
    ) {
        let gossip: GossipLoop? = listeners.gossip
        switch event {
        case .opened(let node, let lane):
            log.debug("A connection is up", metadata: ["host.id": "\(node)", "lane": "\(lane)"])
        case .closed(let node, let lane):
            log.debug("A connection has ended", metadata: ["host.id": "\(node)", "lane": "\(lane)"])
            gossip?.connectionBroke(node)
        case .unreachable(let node, let lane, let error):
            if case .insecure(let fault) = error { warn(of: fault, ["host.id": "\(node)"], listeners, time, log) }
            log.debug(
                "A node cannot be reached",
                metadata: ["host.id": "\(node)", "lane": "\(lane)", "reason": "\(error)"])
            gossip?.connectionBroke(node)
        case .refused(let address, let refusal):
            log.warning(
                "A connection between nodes was refused",
                metadata: ["address": "\(address)", "reason": "\(refusal.reason)"])
        case .insecure(let address, let fault): warn(of: fault, ["address": "\(address)"], listeners, time, log)
        case .malformed(let address, let fault):
            log.warning(
                "A connection carried what no node sends and was closed",
                metadata: ["address": "\(address)", "reason": "\(fault)"])
        }
    }

    /// Says that a connection is not protected as it has to be, which time does not put right.
    private static func warn(
        of fault: SecurityFault, _ place: Logger.Metadata, _ listeners: Listeners, _ time: any TimeSource, _ log: Logger
    ) {
        let now: UInt64 = time.monotonicNanoseconds
        guard let suppressed = listeners.insecurities.withLock({ $0.admits(now) }) else { return }
        var metadata: Logger.Metadata = place
        metadata["reason"] = "\(fault)"
        if suppressed > 0 { metadata["suppressed"] = "\(suppressed)" }
        log.warning("A connection between nodes is not secure", metadata: metadata)
    }
}
