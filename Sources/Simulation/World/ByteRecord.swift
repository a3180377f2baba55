import Environment
import Primitives

/// A digest of the bytes that clients were shown, and when.
///
/// `Sendable` is unchecked because a world and all that belongs to it is used by one thread at a time.
package final class ByteRecord: @unchecked Sendable {
    package private(set) var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    package private(set) var byteCount = 0
    private var connectionCount: UInt64 = 0

    package init() {}

    func nextConnection() -> UInt64 {
        connectionCount += 1
        return connectionCount
    }

    func add(_ bytes: UnsafeRawBufferPointer, connection: UInt64, nanoseconds: UInt64) {
        mix(connection)
        mix(nanoseconds)
        byteCount += bytes.count
        for byte in bytes { mix(UInt64(byte)) }
    }

    private func mix(_ number: UInt64) {
        let mixed: UInt64 = (hash ^ number) &* 0x9E37_79B9_7F4A_7C15
        hash = mixed ^ mixed >> 29
    }
}

/// A network whose connections write what arrives into a record.
struct RecordedNetwork: Network {
    let network: any Network
    let record: ByteRecord
    let time: any TimeSource

    func listen(
        at address: SocketAddress, on loops: [any Loop], security: (any TransportSecurity)?,
        makeHandler: @escaping @Sendable (any Loop) -> any ConnectionHandler
    ) async throws(NetworkError) -> any Listener {
        try await network.listen(at: address, on: loops, security: security, makeHandler: makeHandler)
    }

    func connect(
        to address: SocketAddress, on loop: any Loop, security: (any TransportSecurity)?, timeout: Duration,
        makeHandler: @escaping @Sendable () -> any ConnectionHandler
    ) async throws(NetworkError) -> any Connection {
        let (record, time) = (self.record, self.time)
        return try await network.connect(to: address, on: loop, security: security, timeout: timeout) {
            RecordedHandler(makeHandler(), record, time)
        }
    }

    func resolve(_ host: String, port: UInt16) async throws(NetworkError) -> [SocketAddress] {
        try await network.resolve(host, port: port)
    }
}

/// Stands between a connection and its owner.
private final class RecordedHandler: ConnectionHandler {
    private let owner: any ConnectionHandler
    private let record: ByteRecord
    private let time: any TimeSource
    private let number: UInt64

    init(_ owner: any ConnectionHandler, _ record: ByteRecord, _ time: any TimeSource) {
        self.owner = owner
        self.record = record
        self.time = time
        self.number = record.nextConnection()
    }

    func opened(_ connection: any Connection) {
        owner.opened(connection)
    }

    func received(_ bytes: UnsafeRawBufferPointer) -> Int {
        let used: Int = owner.received(bytes)
        let seen = UnsafeRawBufferPointer(rebasing: bytes[..<used])
        record.add(seen, connection: number, nanoseconds: time.monotonicNanoseconds)
        return used
    }

    func receiveCompleted() { owner.receiveCompleted() }

    func drained() { owner.drained() }

    func closed(_ error: NetworkError?) { owner.closed(error) }
}
