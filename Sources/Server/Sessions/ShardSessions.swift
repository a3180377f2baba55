package import CQL
package import Environment
package import Logging
package import Query
import Synchronization

/// What one connection, and one shard's connections together, may take.
package struct SessionLimits: Sendable {
    /// The largest message, in bytes (`native_transport_max_frame_size`).
    package var frameByteCount: Int = 16 << 20
    /// Bytes of requests of one address that are being worked on before its connections are slowed down
    /// (`native_transport_max_request_data_in_flight_per_ip`).
    package var inFlightByteCount: Int = 16 << 20
    /// The same for all addresses together (`native_transport_max_request_data_in_flight`).
    package var nodeInFlightByteCount: Int = 128 << 20
    /// Bytes of answers that a client has not taken before no more of its requests are read.
    package var unsentByteCount: Int = 8 << 20
    /// How long a connection may take to say STARTUP.
    package var handshakeTimeout: Duration = .seconds(30)
    /// How long a connection may say nothing; zero for ever (`native_transport_idle_timeout`).
    package var idleTimeout: Duration = .zero
    /// How old a request may be before its work begins (`native_transport_timeout`).
    package var queueTimeout: Duration = .seconds(12)
    /// Whether clients may speak versions before the newest (`native_transport_allow_older_protocols`).
    package var allowsOlderProtocols = true
    /// Connections of all clients, and of one address; −1 for no limit.
    package var connectionCount: Int = -1
    package var connectionCountPerAddress: Int = -1

    /// Answers that are gathered before they are handed to the connection.
    static let outputByteCount = 1 << 20
    static let keptOutputByteCount = 256 << 10
    /// How often a connection that waits for others to be done looks again.
    static let retryInterval: Duration = .milliseconds(5)
    /// Streams that the protocol has.
    static let streamLimit = 32_768

    package init() {}
}

/// The sessions of one shard. Confined to its loop, as they are; only `descriptions` may be asked from elsewhere.
package final class ShardSessions: @unchecked Sendable {
    private let described = Mutex<[UInt64: ClientDescription]>([:])
    private let load: ClientLoad
    private let limits: SessionLimits
    private let time: any TimeSource
    let log: Logger
    private var sessions: [UInt64: Session] = [:]
    private var running: [UInt64: RunningRequest] = [:]
    private var nextRequest: UInt64 = 0
    private var addresses: [UInt64: SocketAddress] = [:]
    private var next: UInt64 = 1
    /// Requests of sessions that have ended.
    private var formerRequestCount: Int64 = 0
    /// Which versions of the protocol have come from where, and when last, in milliseconds since 1970.
    private var history: [ClientHistory.Origin: Int64] = [:]
    private static let historyLimit = 1_000
    private var refusals = LogLimiter()
    private var failures = LogLimiter()

    package init(load: ClientLoad, limits: SessionLimits, time: any TimeSource, log: Logger) {
        self.load = load
        self.limits = limits
        self.time = time
        self.log = log
    }

    /// Takes a session in; nil when there are too many.
    func admit(_ session: Session, _ address: SocketAddress) -> SessionLoad? {
        switch load.enter(address.host, limits) {
        case .refused(let setting, let limit):
            if let suppressed = refusals.admits(time.monotonicNanoseconds) {
                log.warning(
                    "A connection was refused because there are too many",
                    metadata: [
                        "client.address": "\(address)", "limit": "\(limit)", "setting": "\(setting)",
                        "suppressed": "\(suppressed)",
                    ])
            }
            return nil
        case .admitted(let own):
            session.identifier = next
            next += 1
            sessions[session.identifier] = session
            addresses[session.identifier] = address
            note(session)
            return own
        }
    }

    /// Shows what has changed about a session to whoever lists the clients.
    func note(_ session: Session) {
        guard let address = addresses[session.identifier] else { return }
        let description = session.description(address)
        noteHistory(session, address)
        described.withLock { $0[session.identifier] = description }
    }

    func remove(_ session: Session) {
        described.withLock { $0[session.identifier] = nil }
        if sessions[session.identifier] != nil { formerRequestCount += session.requestCount }
        guard sessions.removeValue(forKey: session.identifier) != nil,
            let address = addresses.removeValue(forKey: session.identifier)
        else { return }
        load.leave(address.host)
    }

    /// Writes down that a request failed for a reason that is the server's; the client has heard of it already.
    func note(_ failure: CQLError) {
        guard case .serverError(let message) = failure,
            let suppressed = failures.admits(time.monotonicNanoseconds)
        else { return }
        log.error("A request failed", metadata: ["reason": "\(message)", "suppressed": "\(suppressed)"])
    }

    /// Takes note of a request that will run; `ended` forgets it.
    func arrived() -> RunningRequest {
        nextRequest &+= 1
        let request = RunningRequest(nextRequest, arrivedNanoseconds: time.monotonicNanoseconds)
        running[nextRequest] = request
        return request
    }

    func ended(_ request: RunningRequest) {
        running[request.number] = nil
    }

    /// The requests of the general path that are being worked on, oldest first.
    var requestsInProgress: [RequestInProgress] {
        let now: UInt64 = time.monotonicNanoseconds
        return running.values.map { RequestInProgress($0, now: now) }.sorted { $0.number < $1.number }
    }

    package func tell(_ event: Event) {
        for key in sessions.keys.sorted() { sessions[key]?.tell(event) }
    }

    /// How many sessions have requests under way.
    var busyCount: Int { sessions.values.count { $0.inFlightCount > 0 } }

    /// Takes no more requests; those that have been taken are answered.
    func pauseAll() {
        for key in sessions.keys.sorted() { sessions[key]?.pauseForGood() }
    }

    private func noteHistory(_ session: Session, _ address: SocketAddress) {
        guard session.isStarted else { return }
        let origin = ClientHistory.Origin(version: session.version.rawValue, address: address.hostText)
        if history.count >= ShardSessions.historyLimit, history[origin] == nil { return }
        history[origin] = time.wallMicroseconds / 1_000
    }

    /// What the sessions have done so far.
    var counts: ClientHistory {
        var counts = ClientHistory()
        counts.requestCount = formerRequestCount
        counts.lastSeen = history
        for session in sessions.values {
            counts.requestCount += session.requestCount
            counts.inFlightCount += session.inFlightCount
            if session.isPaused { counts.pausedCount += 1 }
        }
        return counts
    }

    func forgetHistory() {
        history.removeAll()
    }

    package func closeAll() {
        for key in sessions.keys.sorted() { sessions[key]?.close() }
    }

    /// The connections as they were when something about them changed last.
    package var descriptions: [ClientDescription] {
        described.withLock { found in found.keys.sorted().compactMap { found[$0] } }
    }
}

/// What clients have done on one shard.
struct ClientHistory: Sendable {
    struct Origin: Hashable, Sendable {
        let version: UInt8
        let address: String
    }

    var requestCount: Int64 = 0
    /// Requests that are being worked on.
    var inFlightCount = 0
    /// Connections that are not read from, because they have too much under way.
    var pausedCount = 0
    var lastSeen: [Origin: Int64] = [:]

    mutating func add(_ other: ClientHistory) {
        requestCount += other.requestCount
        inFlightCount += other.inFlightCount
        pausedCount += other.pausedCount
        lastSeen.merge(other.lastSeen) { max($0, $1) }
    }
}
