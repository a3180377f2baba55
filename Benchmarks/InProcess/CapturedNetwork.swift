import Environment
import Primitives
import Synchronization

/// A network without sockets: it keeps what a node would give to its connections.
final class CapturedNetwork: Network {
    private struct NotListening: Error {}

    private let names: any Network
    private let makeHandler = Mutex<(@Sendable (any Loop) -> any ConnectionHandler)?>(nil)

    init(_ names: any Network) {
        self.names = names
    }

    /// What answers a connection that would be made now.
    func handler(_ loop: any Loop) throws -> @Sendable () -> any ConnectionHandler {
        guard let make = makeHandler.withLock({ $0 }) else { throw NotListening() }
        return { make(loop) }
    }

    func listen(
        at address: SocketAddress, on loops: [any Loop], security: (any TransportSecurity)?,
        makeHandler: @escaping @Sendable (any Loop) -> any ConnectionHandler
    ) async throws(NetworkError) -> any Listener {
        self.makeHandler.withLock { $0 = makeHandler }
        return CapturedListener(address: address)
    }

    func connect(
        to address: SocketAddress, on loop: any Loop, security: (any TransportSecurity)?, timeout: Duration,
        makeHandler: @escaping @Sendable () -> any ConnectionHandler
    ) async throws(NetworkError) -> any Connection {
        throw .refused(address)
    }

    func resolve(_ host: String, port: UInt16) async throws(NetworkError) -> [SocketAddress] {
        try await names.resolve(host, port: port)
    }
}

private final class CapturedListener: Listener {
    let address: SocketAddress

    init(address: SocketAddress) {
        self.address = address
    }

    func close() async {}
}

/// The server's end of a connection whose other end is in the same process.
///
/// `Sendable` is unchecked because it is touched on its loop only.
final class MemoryConnection: Connection, @unchecked Sendable {
    let loop: any Loop
    let remoteAddress: SocketAddress = .loopback(port: 1)
    let localAddress: SocketAddress = .loopback(port: 9_042)
    private unowned let client: MeasureClient

    init(loop: any Loop, client: MeasureClient) {
        self.loop = loop
        self.client = client
    }

    var unsentByteCount: Int { 0 }

    func send(_ bytes: inout ByteWriter) {
        bytes.withUnsafeBytes { client.take($0) }
        bytes.removeAll()
    }

    func pauseReading() {}
    func resumeReading() {}
    func close() {}
}
