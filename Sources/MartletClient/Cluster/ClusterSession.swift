public import CQL
public import DataModel
public import Environment
import Primitives
import Synchronization

/// Connections to all nodes of a cluster that are of use, each request sent to a node that holds its data.
///
/// It learns the nodes from the first that answers, follows their changes, makes lost connections anew, and sends
/// a request again where that helps and does no harm. Any number of tasks may use it at once. For a single node
/// `CQLSession` is less work.
public final class ClusterSession: Sendable {
    struct State {
        var topology = ClusterTopology(nodes: [])
        var localDataCenter = ""
        var pools: [SocketAddress: NodePool] = [:]
        var control: ControlConnection?
        var controlWork: (any BackgroundWork)?
        var keyspace: String?
        var turn = 0
        var isClosed = false
    }

    let contactPoints: [SocketAddress]
    let options: ClusterOptions
    let host: Host
    let state: Mutex<State>

    private init(contactPoints: [SocketAddress], options: ClusterOptions, host: Host) {
        self.contactPoints = contactPoints
        self.options = options
        self.host = host
        var state = State()
        state.keyspace = options.keyspace
        self.state = Mutex(state)
    }

    /// Connects to the first of `contactPoints` that answers, and to the nodes that it knows.
    ///
    /// - Parameter host: the world outside of the process.
    /// - Throws: `NoNodeAvailable` when none answers; the server's error when the keyspace of the options is refused.
    public static func connect(
        to contactPoints: [SocketAddress], options: ClusterOptions = ClusterOptions(), host: Host
    ) async throws -> ClusterSession {
        let session = ClusterSession(contactPoints: contactPoints, options: options, host: host)
        do {
            let control = try await session.openControl(contactPoints)
            await session.connectPools()
            session.follow(control)
            if let keyspace = options.keyspace { _ = try await session.query("USE \(quotedName(keyspace))") }
        } catch {
            session.close()
            throw error
        }
        return session
    }

    /// What is known of the cluster.
    public var topology: ClusterTopology { state.withLock { $0.topology } }
    /// The data center whose nodes are asked first.
    public var localDataCenter: String { state.withLock { $0.localDataCenter } }
    /// The keyspace of unqualified names.
    public var keyspace: String? { state.withLock { $0.keyspace } }
    /// The nodes to which there is a connection.
    public var connectedAddresses: [SocketAddress] {
        let (topology, pools) = state.withLock { ($0.topology, $0.pools) }
        return topology.nodes.map(\.address).filter { pools[$0]?.isUp ?? false }
    }

    /// Sends a statement's text, with values for its bind markers.
    ///
    /// - Parameters:
    ///   - isIdempotent: whether it may be executed twice; if so it is sent again when an answer is lost.
    ///   - token: where the data is, so that a replica is asked.
    /// - Throws: the server's `CQLError`, a `ClientError`, or `NoNodeAvailable`.
    public func query(
        _ text: String, values: [(any CQLEncodable)?] = [], options: QueryOptions = QueryOptions(),
        isIdempotent: Bool = false, token: Token? = nil, isTraced: Bool = false
    ) async throws -> QueryResult {
        let result = try await send(isIdempotent: isIdempotent, token: token, keyspace: keyspace) { connection in
            try await connection.query(text, values: values, options: options, isTraced: isTraced)
        }
        switch result.outcome {
        case .setKeyspace(let name): state.withLock { $0.keyspace = name }
        case .schemaChange: await awaitSchemaAgreement()
        default: break
        }
        return result
    }

    /// Prepares a statement on one node; the others learn it when they are first asked to execute it.
    public func prepare(_ text: String) async throws -> PreparedStatement {
        let holder = Mutex<PreparedStatement?>(nil)
        try await attempt(isIdempotent: true, token: nil, keyspace: keyspace) { connection in
            let made = try await connection.prepare(text)
            holder.withLock { $0 = made }
        }
        guard let made = holder.withLock({ $0 }) else { throw NoNodeAvailable(attempts: []) }
        return made
    }

    /// Executes a prepared statement on a replica of the row that its values name.
    public func execute(
        _ statement: PreparedStatement, values: [(any CQLEncodable)?] = [], options: QueryOptions = QueryOptions(),
        isIdempotent: Bool = false, isTraced: Bool = false
    ) async throws -> QueryResult {
        let token: Token? = ClusterSession.token(of: statement, values)
        let place: String? = statement.markers.columns.first?.keyspace ?? keyspace
        return try await send(isIdempotent: isIdempotent, token: token, keyspace: place) { connection in
            try await connection.execute(statement, values: values, options: options, isTraced: isTraced)
        }
    }

    /// Sends a batch; `token` says where its data is.
    public func batch(
        _ statements: [BatchStatement], type: BatchType = .logged, options: QueryOptions = QueryOptions(),
        isIdempotent: Bool = false, token: Token? = nil, isTraced: Bool = false
    ) async throws -> QueryResult {
        try await send(isIdempotent: isIdempotent, token: token, keyspace: keyspace) { connection in
            try await connection.batch(statements, type: type, options: options, isTraced: isTraced)
        }
    }

    /// Ends all connections, as does forgetting the session.
    public func close() {
        let (pools, control, work) = state.withLock { state in
            state.isClosed = true
            let left = (Array(state.pools.values), state.control, state.controlWork)
            state.pools = [:]
            state.control = nil
            state.controlWork = nil
            return left
        }
        work?.cancel()
        control?.connection.close()
        for pool in pools { pool.close() }
    }

    deinit {
        close()
    }

    // MARK: Routing

    /// The token of the partition that the values of a statement name; nil when they do not.
    static func token(of statement: PreparedStatement, _ values: [(any CQLEncodable)?]) -> Token? {
        let (indexes, columns) = (statement.markers.partitionKeyIndexes, statement.markers.columns)
        var parts: [[UInt8]] = []
        for index in indexes {
            guard Int(index) < values.count, Int(index) < columns.count,
                case .bytes(let bytes)? = try? values[Int(index)]?.boundValue(as: columns[Int(index)].type)
            else { return nil }
            parts.append(bytes)
        }
        guard let first = parts.first else { return nil }
        if parts.count == 1 { return Token(ofKey: first.span.bytes) }
        var writer = ByteWriter()
        for part in parts where part.count <= PartitionKey.maximumByteCount {
            PartitionKey.appendComponent(part.span.bytes, to: &writer)
        }
        let key: [UInt8] = writer.array()
        return Token(ofKey: key.span.bytes)
    }

    private func send(
        isIdempotent: Bool, token: Token?, keyspace: String?,
        _ request: @escaping (CQLConnection) async throws -> QueryResult
    ) async throws -> QueryResult {
        var result: QueryResult?
        try await attempt(isIdempotent: isIdempotent, token: token, keyspace: keyspace) { connection in
            result = try await request(connection)
        }
        guard let result else { throw NoNodeAvailable(attempts: []) }
        return result
    }

    /// Carries out a request on one node after the other until it is done or must not be sent again.
    private func attempt(
        isIdempotent: Bool, token: Token?, keyspace: String?, _ request: (CQLConnection) async throws -> Void
    ) async throws {
        var failures: [NoNodeAvailable.Attempt] = []
        var retryCount = 0
        for pool in try plan(token: token, keyspace: keyspace) {
            var isSameNode = true
            while isSameNode {
                isSameNode = false
                guard let connection = pool.connection() else {
                    failures.append(.init(address: pool.address, error: ClientError.connectionClosed(nil)))
                    break
                }
                do {
                    try await enterKeyspace(connection)
                    return try await request(connection)
                } catch {
                    switch options.retries.decision(for: error, isIdempotent: isIdempotent, retryCount: retryCount) {
                    case .fail: throw error
                    case .sameNode: isSameNode = true
                    case .nextNode: failures.append(.init(address: pool.address, error: error))
                    }
                    retryCount += 1
                }
            }
        }
        // A node that says why is worth more than a list of those that could not be asked.
        if failures.count == 1, let only = failures.first, only.error is CQLError { throw only.error }
        throw NoNodeAvailable(attempts: failures)
    }

    private func plan(token: Token?, keyspace: String?) throws -> [NodePool] {
        let (topology, pools, local, turn, isClosed) = state.withLock { state in
            state.turn = (state.turn + 1) & Int(Int32.max)
            return (state.topology, state.pools, state.localDataCenter, state.turn, state.isClosed)
        }
        if isClosed { throw ClientError.connectionClosed(nil) }
        let order: [Int] = options.routing.plan(
            topology, local: local, token: token, keyspace: keyspace, turn: turn
        ) { pools[topology.nodes[$0].address]?.isUp ?? false }
        return order.compactMap { pools[topology.nodes[$0].address] }
    }

    private func enterKeyspace(_ connection: CQLConnection) async throws {
        guard let wanted = keyspace, connection.keyspace != wanted else { return }
        _ = try await connection.query("USE \(quotedName(wanted))")
    }
}
