import Environment
import Primitives

/// The net as one process sees it. Nothing in it is encrypted: who asks for that is refused.
///
/// `Sendable` is unchecked because a world and all that belongs to it is used by one thread at a time.
final class MachineNetwork: Network, @unchecked Sendable {
    private let port: MachinePort
    private let life: ProcessLife
    private unowned let world: SimulatedWorld

    init(port: MachinePort, life: ProcessLife, world: SimulatedWorld) {
        self.port = port
        self.life = life
        self.world = world
    }

    func listen(
        at address: SocketAddress, on loops: [any Loop], security: (any TransportSecurity)?,
        makeHandler: @escaping @Sendable (any Loop) -> any ConnectionHandler
    ) async throws(NetworkError) -> any Listener {
        if life.isOver { await neverReturn() }
        if security != nil { throw .insecure(.unavailable) }
        require(!loops.isEmpty, "a listener spreads connections over at least one loop")
        let isOwn: Bool = address.host == port.host || MachinePort.isAny(address.host)
        guard isOwn || MachinePort.isLoopback(address.host) else {
            throw .failed(code: 99, reason: "Cannot assign requested address")
        }
        let isTaken: Bool = port.listeners.contains { $0.occupies(address) }
        if address.port != 0, isTaken { throw .addressInUse(address) }
        let chosen = SocketAddress(host: address.host, port: address.port == 0 ? port.freePort() : address.port)
        let listener = SimulatedListener(address: chosen, loops: loops, port: port, makeHandler: makeHandler)
        port.listeners.append(listener)
        world.record("listen \(port.name) \(chosen)")
        return listener
    }

    func connect(
        to address: SocketAddress, on loop: any Loop, security: (any TransportSecurity)?, timeout: Duration,
        makeHandler: @escaping @Sendable () -> any ConnectionHandler
    ) async throws(NetworkError) -> any Connection {
        if life.isOver { await neverReturn() }
        if security != nil { throw .insecure(.unavailable) }
        guard let clientLane = (loop as? SimulatedLoop)?.lane else { throw .closed }
        let network: SimulatedNetwork = world.network
        let limit: UInt64 = timeout.wholeNanoseconds
        guard let target = network.port(of: address.host, from: port) else { throw await timeOut(address, limit) }
        let there: UInt64 = network.latencyNanoseconds(from: port.number, to: target.number)
        let back: UInt64 = network.latencyNanoseconds(from: target.number, to: port.number)
        guard isReachable(target), there &+ back <= limit else { throw await timeOut(address, limit) }
        await world.pause(nanoseconds: there, on: life.clockLane)

        // The other side may have changed while the request was under way.
        guard let reached = network.port(of: address.host, from: port), isReachable(reached) else {
            throw await timeOut(address, limit &- there)
        }
        let listener: SimulatedListener? = reached.listeners.first {
            $0.address.port == address.port && $0.accepts(address.host)
        }
        guard reached.state == .running, let listener else {
            await world.pause(nanoseconds: back, on: life.clockLane)
            world.record("refused \(address)")
            throw .refused(address)
        }
        let client = accept(by: listener, at: reached, address, on: loop, clientLane)
        await world.pause(nanoseconds: back, on: life.clockLane)
        await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
            world.enqueue(
                .closure {
                    client.open(makeHandler())
                    continuation.resume()
                }, on: clientLane)
        }
        return client
    }

    func resolve(_ host: String, port wanted: UInt16) async throws(NetworkError) -> [SocketAddress] {
        if life.isOver { await neverReturn() }
        await world.pause(nanoseconds: 100_000, on: life.clockLane)
        if host == "localhost" { return [.loopback(port: wanted)] }
        if let named = world.network.port(named: host) { return [SocketAddress(host: named.host, port: wanted)] }
        let parts: [UInt8] = host.split(separator: ".", omittingEmptySubsequences: false).compactMap { UInt8($0) }
        guard parts.count == 4, host.utf8.filter({ $0 == UInt8(ascii: ".") }).count == 3 else {
            throw .unknownHost(host)
        }
        return [SocketAddress(host: parts, port: wanted)]
    }

    /// Makes both ends of a connection and opens the one at the listener; returns the other.
    private func accept(
        by listener: SimulatedListener, at reached: MachinePort, _ address: SocketAddress, on loop: any Loop,
        _ clientLane: Lane
    ) -> SimulatedConnection {
        let serverLoop: any Loop = listener.nextLoop()
        let serverLane: Lane = (serverLoop as? SimulatedLoop)?.lane ?? clientLane
        let isLocal: Bool = reached.number == port.number && MachinePort.isLoopback(address.host)
        let clientAddress = SocketAddress(host: isLocal ? address.host : port.host, port: port.freePort())
        let client = SimulatedConnection(
            world: world, loop: loop, lane: clientLane, localAddress: clientAddress, remoteAddress: address,
            localMachine: port.number, remoteMachine: reached.number)
        let server = SimulatedConnection(
            world: world, loop: serverLoop, lane: serverLane, localAddress: address, remoteAddress: clientAddress,
            localMachine: reached.number, remoteMachine: port.number)
        client.peer = server
        server.peer = client
        world.network.add(client)
        world.network.add(server)
        world.record("connect \(clientAddress) \(address)")
        world.enqueue(.closure { server.open(listener.makeHandler(serverLoop)) }, on: serverLane)
        return client
    }

    private func isReachable(_ target: MachinePort) -> Bool {
        target.state != .off && !world.network.isCut(from: port.number, to: target.number)
            && !world.network.isCut(from: target.number, to: port.number)
    }

    private func timeOut(_ address: SocketAddress, _ nanoseconds: UInt64) async -> NetworkError {
        await world.pause(nanoseconds: nanoseconds, on: life.clockLane)
        return .timedOut(address)
    }
}
