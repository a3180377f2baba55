public import Primitives

/// Streams of bytes between processes.
public protocol Network: Sendable {
    /// Accepts connections at `address` (port 0 chooses a free one), spreading them over `loops`.
    ///
    /// `makeHandler` runs on the loop that the connection will live on, when the other side has connected; with
    /// `security`, before the two have agreed on keys, so that those who never do are counted too.
    func listen(
        at address: SocketAddress, on loops: [any Loop], security: (any TransportSecurity)?,
        makeHandler: @escaping @Sendable (any Loop) -> any ConnectionHandler
    ) async throws(NetworkError) -> any Listener

    /// Connects to `address`; the connection lives on `loop`. `makeHandler` runs there, with `security` once the other side
    /// has shown who it is.
    func connect(
        to address: SocketAddress, on loop: any Loop, security: (any TransportSecurity)?, timeout: Duration,
        makeHandler: @escaping @Sendable () -> any ConnectionHandler
    ) async throws(NetworkError) -> any Connection

    /// The addresses of a host name, or the address that the text is.
    func resolve(_ host: String, port: UInt16) async throws(NetworkError) -> [SocketAddress]

    /// Checks keys and certificates and makes them ready for `listen`.
    ///
    /// - Throws: `.insecure` with what is wrong with them; `.unavailable` where there is no encryption.
    func prepare(_ security: ServerSecurity) async throws(NetworkError) -> any TransportSecurity

    /// Checks keys and certificates and makes them ready for `connect`.
    ///
    /// - Throws: as for a server.
    func prepare(_ security: ClientSecurity) async throws(NetworkError) -> any TransportSecurity
}

extension Network {
    /// Accepts connections that are not encrypted.
    public func listen(
        at address: SocketAddress, on loops: [any Loop],
        makeHandler: @escaping @Sendable (any Loop) -> any ConnectionHandler
    ) async throws(NetworkError) -> any Listener {
        try await listen(at: address, on: loops, security: nil, makeHandler: makeHandler)
    }

    /// Connects without encryption.
    public func connect(
        to address: SocketAddress, on loop: any Loop, timeout: Duration,
        makeHandler: @escaping @Sendable () -> any ConnectionHandler
    ) async throws(NetworkError) -> any Connection {
        try await connect(to: address, on: loop, security: nil, timeout: timeout, makeHandler: makeHandler)
    }

    public func prepare(_ security: ServerSecurity) async throws(NetworkError) -> any TransportSecurity {
        throw .insecure(.unavailable)
    }

    public func prepare(_ security: ClientSecurity) async throws(NetworkError) -> any TransportSecurity {
        throw .insecure(.unavailable)
    }
}

public protocol Listener: AnyObject, Sendable {
    /// Where it listens, with the port that was chosen.
    var address: SocketAddress { get }
    /// Stops accepting. Connections that exist stay.
    func close() async
}

/// One end of a stream. All calls are made on its loop.
public protocol Connection: AnyObject, Sendable {
    var loop: any Loop { get }
    var remoteAddress: SocketAddress { get }
    var localAddress: SocketAddress { get }

    /// Sends what was written and empties the writer, in one system call where the other side keeps up.
    ///
    /// Hot: once per read of a busy connection.
    func send(_ bytes: inout ByteWriter)

    /// The protocol that encrypts the stream, such as TLSv1.3; nil for a plain one, and until the two sides have agreed.
    var encryptionProtocol: String? { get }

    /// Bytes given to `send` that have not left yet.
    var unsentByteCount: Int { get }

    /// Stops handing over what arrives, so that the other side is slowed down; and starts again, showing once more what
    /// the owner has left, even when nothing new has come. A stream that ends while it is paused ends at once.
    func pauseReading()
    func resumeReading()

    /// Sends what is queued, then ends the stream in both directions.
    func close()
}

extension Connection {
    public var encryptionProtocol: String? { nil }
}

/// What a connection tells its owner, always on the connection's loop.
public protocol ConnectionHandler: AnyObject {
    /// The connection is up. The first call.
    func opened(_ connection: any Connection)

    /// Bytes have come, after those that the last call left. Returns how many were used; the rest is shown again,
    /// followed by what comes later.
    ///
    /// Hot: once per read. The buffer is valid for the duration of the call.
    func received(_ bytes: UnsafeRawBufferPointer) -> Int

    /// Everything that could be read for now has been handed over: the moment to send replies.
    func receiveCompleted()

    /// The queue of unsent bytes has become empty after it was not.
    func drained()

    /// The stream has ended. The last call.
    func closed(_ error: NetworkError?)
}

/// Why a network operation failed.
public enum NetworkError: Error, Equatable, Sendable {
    case refused(SocketAddress)
    case timedOut(SocketAddress)
    case addressInUse(SocketAddress)
    case unknownHost(String)
    case closed
    /// The stream cannot be protected, or the other side is not who it has to be.
    case insecure(SecurityFault)
    /// Anything else the system reports: its number and its words.
    case failed(code: Int32, reason: String)
}
