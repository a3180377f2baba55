public import CQL
public import Environment

/// A user name and a password, for the SASL mechanism PLAIN.
public struct Credentials: Sendable, Equatable {
    public var user: String
    public var password: String

    public init(user: String, password: String) {
        self.user = user
        self.password = password
    }
}

/// How a connection is made.
public struct ConnectionOptions: Sendable {
    /// The only version to speak; nil for the newest that the server speaks too.
    public var version: ProtocolVersion?
    public var compression: Compression = .none
    public var credentials: Credentials?
    /// What encrypts the connections, made ready by the network that they are made with; nil for nothing.
    public var security: (any TransportSecurity)?
    /// For the connection and the handshake, each.
    public var connectTimeout: Duration = .seconds(5)
    /// How long to wait for the answer to a request.
    public var requestTimeout: Duration = .seconds(10)
    /// How many requests may wait for answers at once; at most 32,768.
    public var inFlightLimit: Int = StreamPool.largestLimit
    /// What the server lists in its table of clients.
    public var driverName: String = "Martlet Swift driver"
    public var driverVersion: String = "1.0"
    /// The events to register for; given to `onEvent` on the connection's loop.
    public var eventTypes: [EventType] = []
    public var onEvent: (@Sendable (Event) -> Void)?
    /// Called once on the connection's loop when a connection that was made has ended, for whatever reason.
    public var onClose: (@Sendable () -> Void)?

    public init() {}

    /// The versions to try, in this order.
    var versions: [ProtocolVersion] {
        version.map { [$0] } ?? ProtocolVersion.released.reversed()
    }
}
