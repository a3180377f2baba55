public import CQL
public import Environment
import Synchronization

/// How a session is made.
public struct SessionOptions: Sendable {
    public var connection = ConnectionOptions()
    public var connectionsPerHost = 1
    /// The keyspace of unqualified names.
    public var keyspace: String?

    public init() {}
}

/// Connections to one or more hosts, used in turn. Any number of tasks may use it at once.
///
/// A connection that has ended is made anew when it is its turn; while that fails, the next one is used.
public final class CQLSession: Sendable {
    private struct Slot {
        let address: SocketAddress
        var connection: CQLConnection?
    }

    private struct State {
        var slots: [Slot]
        var next = 0
        var keyspace: String?
        var isClosed = false
    }

    private let state: Mutex<State>
    private let options: SessionOptions
    private let host: Host

    private init(slots: sending [Slot], options: SessionOptions, host: Host) {
        self.state = Mutex(State(slots: slots, keyspace: options.keyspace))
        self.options = options
        self.host = host
    }

    /// Connects to all of `addresses`; it is enough when one of them answers.
    ///
    /// - Parameter host: the world outside of the process; connections are spread over its loops.
    /// - Throws: the error of the first address when none answers.
    public static func connect(
        to addresses: [SocketAddress], options: SessionOptions = SessionOptions(), host: Host
    ) async throws -> CQLSession {
        var slots: [Slot] = []
        var firstError: (any Error)?
        for _ in 0..<max(1, options.connectionsPerHost) {
            for address in addresses {
                let loop: any Loop = host.loops[slots.count % host.loops.count]
                var connection: CQLConnection?
                do {
                    connection = try await CQLConnection.connect(
                        to: address, on: loop, network: host.network, options: options.connection)
                } catch {
                    firstError = firstError ?? error
                }
                slots.append(Slot(address: address, connection: connection))
            }
        }
        guard slots.contains(where: { $0.connection != nil }) else { throw firstError ?? ClientError.noHosts }
        let made: [Slot] = slots
        return CQLSession(slots: made, options: options, host: host)
    }

    /// Finds the addresses of a host by its name and connects to the first that answers.
    public static func connect(
        toHost name: String, port: UInt16, options: SessionOptions = SessionOptions(), host: Host
    ) async throws -> CQLSession {
        var last: any Error = ClientError.unknownHost(name)
        let addresses: [SocketAddress]
        do {
            addresses = try await host.network.resolve(name, port: port)
        } catch {
            throw ClientError.unknownHost(name)
        }
        for address in addresses {
            do {
                return try await connect(to: [address], options: options, host: host)
            } catch {
                last = error
            }
        }
        throw last
    }

    /// The version that the connections speak.
    public var version: ProtocolVersion? { openConnections.first?.version }

    /// The connections that are up.
    public var openConnections: [CQLConnection] {
        state.withLock { state in state.slots.compactMap { $0.connection }.filter { $0.isOpen } }
    }

    /// The keyspace of unqualified names.
    public var keyspace: String? { state.withLock { $0.keyspace } }

    /// Sends a statement's text, with values for its bind markers.
    ///
    /// - Throws: the server's `CQLError`, or a `ClientError`.
    public func query(
        _ text: String, values: [(any CQLEncodable)?] = [], options: QueryOptions = QueryOptions(),
        isTraced: Bool = false
    ) async throws -> QueryResult {
        let connection = try await nextConnection()
        let result = try await connection.query(text, values: values, options: options, isTraced: isTraced)
        if case .setKeyspace(let name) = result.outcome { state.withLock { $0.keyspace = name } }
        return result
    }

    /// Prepares a statement on one connection of every host; it is enough when one of them can.
    public func prepare(_ text: String) async throws -> PreparedStatement {
        let connection = try await nextConnection()
        let statement = try await connection.prepare(text)
        var taught: [SocketAddress] = [connection.address]
        for other in openConnections where !taught.contains(other.address) {
            taught.append(other.address)
            // A host that cannot learn it now is taught when it is asked to execute it.
            _ = try? await other.prepare(text)
        }
        return statement
    }

    /// Executes a prepared statement.
    public func execute(
        _ statement: PreparedStatement, values: [(any CQLEncodable)?] = [],
        options: QueryOptions = QueryOptions(), isTraced: Bool = false
    ) async throws -> QueryResult {
        let connection = try await nextConnection()
        return try await connection.execute(statement, values: values, options: options, isTraced: isTraced)
    }

    /// Sends a batch.
    public func batch(
        _ statements: [BatchStatement], type: BatchType = .logged, options: QueryOptions = QueryOptions(),
        isTraced: Bool = false
    ) async throws -> QueryResult {
        let connection = try await nextConnection()
        return try await connection.batch(statements, type: type, options: options, isTraced: isTraced)
    }

    /// The pages of a statement's result, each fetched when it is asked for.
    public func pages(
        _ text: String, values: [(any CQLEncodable)?] = [], options: QueryOptions = QueryOptions(),
        pageSize: Int32 = 5_000
    ) -> ResultPages {
        ResultPages(session: self, source: .text(text), values: values, options: options, pageSize: pageSize)
    }

    /// The pages of a prepared statement's result, each fetched when it is asked for.
    public func pages(
        _ statement: PreparedStatement, values: [(any CQLEncodable)?] = [], options: QueryOptions = QueryOptions(),
        pageSize: Int32 = 5_000
    ) -> ResultPages {
        ResultPages(session: self, source: .prepared(statement), values: values, options: options, pageSize: pageSize)
    }

    /// Ends all connections.
    public func close() {
        let connections: [CQLConnection] = state.withLock { state in
            state.isClosed = true
            return state.slots.compactMap { $0.connection }
        }
        for connection in connections { connection.close() }
    }

    // MARK: Choosing

    /// The next connection in turn that is up, in the session's keyspace.
    private func nextConnection() async throws -> CQLConnection {
        let count: Int = state.withLock { $0.slots.count }
        var lastError: any Error = ClientError.noHosts
        for _ in 0..<count {
            let (index, slot, isClosed): (Int, Slot, Bool) = state.withLock { state in
                let index: Int = state.next
                state.next = (state.next + 1) % state.slots.count
                return (index, state.slots[index], state.isClosed)
            }
            if isClosed { throw ClientError.connectionClosed(nil) }
            do {
                let connection = try await upConnection(index, slot)
                try await enterKeyspace(connection)
                return connection
            } catch let error as ClientError {
                lastError = error
            }
        }
        throw lastError
    }

    private func upConnection(_ index: Int, _ slot: Slot) async throws -> CQLConnection {
        if let connection = slot.connection, connection.isOpen { return connection }
        let loop: any Loop = host.loops[index % host.loops.count]
        let made = try await CQLConnection.connect(
            to: slot.address, on: loop, network: host.network, options: options.connection)
        // Another task may have been faster, or the session may have been closed meanwhile.
        let kept: CQLConnection? = state.withLock { state in
            if state.isClosed { return nil }
            if let present = state.slots[index].connection, present.isOpen { return present }
            state.slots[index].connection = made
            return made
        }
        if kept !== made { made.close() }
        guard let kept else { throw ClientError.connectionClosed(nil) }
        return kept
    }

    private func enterKeyspace(_ connection: CQLConnection) async throws {
        guard let wanted = keyspace, connection.keyspace != wanted else { return }
        _ = try await connection.query("USE \(quotedName(wanted))")
    }
}

/// A name between double quotes, inner ones doubled.
func quotedName(_ name: String) -> String {
    var text = "\""
    for character in name {
        if character == "\"" { text.append(character) }
        text.append(character)
    }
    return text + "\""
}
