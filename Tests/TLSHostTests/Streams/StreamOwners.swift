import Environment
import Primitives
import SystemHost
import TLSHost
import Testing

/// Runs `body` with the operating system and TLS.
func withSystem(
    loopCount: Int = 2, handshakeLimit: Duration = .seconds(10), _ body: (Host) async throws -> Void
) async throws {
    let system = OperatingSystem(
        loopCount: loopCount, diskThreadCount: 2, securing: TLSSecuring(handshakeLimit: handshakeLimit))
    do {
        try await body(system.host)
    } catch {
        await system.shutdown()
        throw error
    }
    await system.shutdown()
}

/// Writes down what its connection tells it, and lets tests wait for it.
///
/// `Sendable` is unchecked because the state is only touched on the loop.
final class StreamOwner: ConnectionHandler, @unchecked Sendable {
    let loop: any Loop
    private(set) var connection: (any Connection)?
    private(set) var bytes: [UInt8] = []
    private(set) var endings: [NetworkError?] = []
    /// Whether it sends back what it receives.
    private let echoes: Bool
    private var writer = ByteWriter()
    private var waiting: [(condition: (StreamOwner) -> Bool, continuation: UnsafeContinuation<Void, Never>)] = []

    init(_ loop: any Loop, echoes: Bool = false) {
        self.loop = loop
        self.echoes = echoes
    }

    func opened(_ connection: any Connection) {
        #expect(loop.isCurrent && self.connection == nil)
        self.connection = connection
        look()
    }

    func received(_ bytes: UnsafeRawBufferPointer) -> Int {
        #expect(loop.isCurrent && endings.isEmpty && connection != nil)
        if echoes { writer.write(bytes) } else { self.bytes.append(contentsOf: bytes) }
        return bytes.count
    }

    func receiveCompleted() {
        if echoes { connection?.send(&writer) }
        look()
    }

    func drained() { look() }

    func closed(_ error: NetworkError?) {
        #expect(loop.isCurrent && endings.isEmpty)
        endings.append(error)
        look()
    }

    func wait(_ condition: @escaping @Sendable (StreamOwner) -> Bool) async {
        await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
            loop.execute {
                if condition(self) { return continuation.resume() }
                self.waiting.append((condition, continuation))
            }
        }
    }

    /// How the stream has ended, once it has.
    func ending() async -> NetworkError? {
        await wait { !$0.endings.isEmpty }
        return await get { $0.endings[0] }
    }

    func get<Value: Sendable>(_ value: @escaping @Sendable (StreamOwner) -> Value) async -> Value {
        await withUnsafeContinuation { continuation in
            loop.execute { continuation.resume(returning: value(self)) }
        }
    }

    func send(_ bytes: [UInt8]) async {
        await get { owner in
            var writer = ByteWriter(capacity: bytes.count)
            writer.write(bytes)
            owner.connection?.send(&writer)
        }
    }

    func close() async {
        await get { $0.connection?.close() }
    }

    private func look() {
        let met = waiting.filter { $0.condition(self) }
        waiting.removeAll { $0.condition(self) }
        for waiter in met { waiter.continuation.resume() }
    }
}

/// A listener whose owners send back what they receive.
enum EchoPort {
    /// - Returns: the listener, and the owners in the order in which they are made.
    static func open(
        on host: Host, _ security: ServerSecurity?
    ) async throws -> (listener: any Listener, owners: AsyncStream<StreamOwner>) {
        let ready: (any TransportSecurity)? =
            if let security { try await host.network.prepare(security) } else { nil }
        let (owners, continuation) = AsyncStream<StreamOwner>.makeStream()
        let listener = try await host.network.listen(at: .loopback(port: 0), on: [host.loops[1]], security: ready) {
            let owner = StreamOwner($0, echoes: true)
            continuation.yield(owner)
            return owner
        }
        return (listener, owners)
    }
}

extension Host {
    /// Connects to a listener; nil security for none.
    func open(
        _ listener: any Listener, _ security: ClientSecurity?, timeout: Duration = .seconds(5)
    ) async throws -> StreamOwner {
        let ready: (any TransportSecurity)? = if let security { try await network.prepare(security) } else { nil }
        let owner = StreamOwner(loops[0])
        _ = try await network.connect(to: listener.address, on: loops[0], security: ready, timeout: timeout) { owner }
        return owner
    }
}
