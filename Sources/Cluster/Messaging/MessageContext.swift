package import Environment
import Primitives
import Synchronization

/// What happens to connections, for the failure detector and the log.
package enum MessageEvent: Equatable, Sendable {
    /// A connection with a node is up, whoever began it.
    case opened(NodeID, Lane)
    /// A connection that was up has ended without this node wanting it.
    case closed(NodeID, Lane)
    /// An attempt to connect has failed.
    case unreachable(NodeID, Lane, NetworkError)
    /// The node at the address does not talk to this one, or this one not to it.
    case refused(SocketAddress, HandshakeRefusal)
    /// A connection has ended because the other side is not who it has to be, or does not take this node for one.
    case insecure(SocketAddress, SecurityFault)
    /// A connection carried what no node sends, and has been closed.
    case malformed(SocketAddress, FrameFault)
}

/// What the messages ask the node, and what they tell it. Everything is called on the loop on which it happens.
package struct MessageCallbacks: Sendable {
    /// The hybrid clock in microseconds, asked once in a turn of a loop.
    package var clock: @Sendable () -> Int64
    /// The largest clock of the messages of a frame.
    package var clockSeen: @Sendable (Int64) -> Void = { _ in }
    /// A node knows a later epoch than this one. Told by each loop, once a second while it stays so.
    package var epochSeen: @Sendable (NodeID, UInt64) -> Void = { _, _ in }
    package var event: @Sendable (MessageEvent) -> Void = { _ in }

    package init(clock: @escaping @Sendable () -> Int64) {
        self.clock = clock
    }
}

/// Where the members of the cluster are: an immutable table that all loops share.
final class PeerDirectory: Sendable {
    struct Place: Equatable, Sendable {
        let address: SocketAddress
        let datacenter: String
    }

    let places: [NodeID: Place]

    init(_ members: [Member]) {
        var places: [NodeID: Place] = [:]
        for member in members where member.state != .left {
            places[member.id] = Place(address: member.internode, datacenter: member.datacenter)
        }
        self.places = places
    }
}

/// What all loops share.
final class MessageContext: Sendable {
    typealias Handler = @Sendable (IncomingMessage) async throws -> [UInt8]

    let host: Host
    let settings: MessageSettings
    let callbacks: MessageCallbacks
    let epoch = Atomic<UInt64>(0)
    private let heldIdentity: Mutex<MessageIdentity>
    private let handlers = Mutex<[UInt8: Handler]>([:])

    init(host: Host, identity: MessageIdentity, settings: MessageSettings, callbacks: MessageCallbacks) {
        require(
            identity.clusterName.utf8.count <= MessageSettings.clusterNameByteCount,
            "the name of a cluster has a bounded length")
        self.host = host
        self.settings = settings
        self.callbacks = callbacks
        self.heldIdentity = Mutex(identity)
    }

    var identity: MessageIdentity {
        get { heldIdentity.withLock { $0 } }
        set { heldIdentity.withLock { $0 = newValue } }
    }

    func setHandler(_ verb: Verb, _ handler: @escaping Handler) {
        handlers.withLock { $0[verb.rawValue] = handler }
    }

    func handler(of verb: Verb) -> Handler? {
        handlers.withLock { $0[verb.rawValue] }
    }
}
