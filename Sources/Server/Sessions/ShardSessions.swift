package import CQL
import Environment
package import Query
import Synchronization

/// What one connection, and one shard's connections together, may take.
package struct SessionLimits: Sendable {
    /// The largest message, in bytes (`native_transport_max_frame_size`).
    package var frameByteCount: Int = 16 << 20
    /// Bytes of requests of one connection that are being worked on before it is slowed down
    /// (`native_transport_max_request_data_in_flight_per_ip`).
    package var inFlightByteCount: Int = 16 << 20
    /// The same for all connections of the node (`native_transport_max_request_data_in_flight`).
    package var nodeInFlightByteCount: Int = 128 << 20
    /// Bytes of answers that a client has not taken before no more of its requests are read.
    package var unsentByteCount: Int = 8 << 20
    /// How long a connection may take to say STARTUP.
    package var handshakeTimeout: Duration = .seconds(30)
    /// Connections of all clients, and of one address; −1 for no limit.
    package var connectionCount: Int = -1
    package var connectionCountPerAddress: Int = -1

    static let keptOutputByteCount = 256 << 10
    /// Streams that the protocol has.
    static let streamLimit = 32_768

    package init() {}
}

/// Counts connections over all shards.
package final class ConnectionCounts: Sendable {
    private let counts = Mutex<(total: Int, byAddress: [[UInt8]: Int])>((0, [:]))

    package init() {}

    func enter(_ address: [UInt8], _ limits: SessionLimits) -> Bool {
        counts.withLock { counts in
            if limits.connectionCount >= 0, counts.total >= limits.connectionCount { return false }
            let own: Int = counts.byAddress[address] ?? 0
            if limits.connectionCountPerAddress >= 0, own >= limits.connectionCountPerAddress { return false }
            counts.total += 1
            counts.byAddress[address] = own + 1
            return true
        }
    }

    func leave(_ address: [UInt8]) {
        counts.withLock { counts in
            counts.total -= 1
            let own: Int = (counts.byAddress[address] ?? 1) - 1
            counts.byAddress[address] = own == 0 ? nil : own
        }
    }

    package var total: Int { counts.withLock { $0.total } }
}

/// The sessions of one shard. Confined to its loop, as they are; only `descriptions` may be asked from elsewhere.
package final class ShardSessions: @unchecked Sendable {
    private let described = Mutex<[UInt64: ClientDescription]>([:])
    private let counts: ConnectionCounts
    private let limits: SessionLimits
    private let shardCount: Int
    private var sessions: [UInt64: Session] = [:]
    private var addresses: [UInt64: SocketAddress] = [:]
    private var next: UInt64 = 1
    var inFlightByteCount = 0

    package init(counts: ConnectionCounts, limits: SessionLimits, shardCount: Int) {
        self.counts = counts
        self.limits = limits
        self.shardCount = shardCount
    }

    func admit(_ session: Session, _ address: SocketAddress) -> Bool {
        guard counts.enter(address.host, limits) else { return false }
        session.identifier = next
        next += 1
        sessions[session.identifier] = session
        addresses[session.identifier] = address
        note(session)
        return true
    }

    /// Shows what has changed about a session to whoever lists the clients.
    func note(_ session: Session) {
        guard let address = addresses[session.identifier] else { return }
        let description = session.description(address)
        described.withLock { $0[session.identifier] = description }
    }

    func remove(_ session: Session) {
        described.withLock { $0[session.identifier] = nil }
        guard sessions.removeValue(forKey: session.identifier) != nil,
            let address = addresses.removeValue(forKey: session.identifier)
        else { return }
        counts.leave(address.host)
    }

    func hasRoom(for byteCount: Int) -> Bool {
        inFlightByteCount + byteCount <= limits.nodeInFlightByteCount / shardCount
    }

    package func tell(_ event: Event) {
        for key in sessions.keys.sorted() { sessions[key]?.tell(event) }
    }

    package func closeAll() {
        for key in sessions.keys.sorted() { sessions[key]?.close() }
    }

    /// The connections as they were when something about them changed last.
    package var descriptions: [ClientDescription] {
        described.withLock { found in found.keys.sorted().compactMap { found[$0] } }
    }
}
