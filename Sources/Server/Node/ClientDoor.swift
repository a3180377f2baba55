import Environment
import Query
import Synchronization

/// Where clients come in: open, or closed for a while.
///
/// Whoever opens and closes does so one after the other: operators and the node's start and stop.
actor ClientDoor {
    private let host: Host
    private let security: (any TransportSecurity)?
    private let makeSession: @Sendable (any Loop) -> any ConnectionHandler
    private var listener: (any Listener)?
    /// Where it listens, or did last: with the port that was chosen at first.
    private nonisolated let place: Mutex<SocketAddress>

    init(
        at address: SocketAddress, security: (any TransportSecurity)?, on host: Host,
        makeSession: @escaping @Sendable (any Loop) -> any ConnectionHandler
    ) {
        self.place = Mutex(address)
        self.host = host
        self.security = security
        self.makeSession = makeSession
    }

    nonisolated var address: SocketAddress { place.withLock { $0 } }

    var isOpen: Bool { listener != nil }

    /// Lets clients in. Does nothing when they are.
    func open() async throws(NetworkError) {
        guard listener == nil else { return }
        let opened: any Listener = try await host.network.listen(
            at: address, on: host.loops, security: security, makeHandler: makeSession)
        listener = opened
        place.withLock { $0 = opened.address }
    }

    /// Lets no more clients in; those that are in stay.
    func close() async {
        guard let open = listener else { return }
        listener = nil
        await open.close()
    }
}

extension Node.Parts {
    /// How long clients' requests that are under way are waited for.
    private static let finishTimeout: Duration = .milliseconds(500)

    /// Takes no more requests, waits for those that are under way, and ends all connections of clients.
    func letClientsFinish() async {
        onSessions { $0.pauseAll() }
        let deadline = Deadline(Node.Parts.finishTimeout, host.time)
        while !deadline.hasPassed(host.time) {
            var busyCount = 0
            for (index, shard) in sessions.enumerated() {
                busyCount += await withUnsafeContinuation { continuation in
                    host.loops[index].execute { continuation.resume(returning: shard.busyCount) }
                }
            }
            if busyCount == 0 { break }
            do { try await host.time.sleep(for: .milliseconds(10)) } catch { break }
        }
        onSessions { $0.closeAll() }
    }

    private func onSessions(_ body: @escaping @Sendable (ShardSessions) -> Void) {
        for (index, shard) in sessions.enumerated() { host.loops[index].execute { body(shard) } }
    }
}
