public import CQL
public import Environment
import Primitives
import Synchronization

/// A connection to one server, for `async` code. Any number of tasks may use it at once; their requests share it.
public final class CQLConnection: Sendable {
    private struct State {
        var isOpen = true
        var keyspace: String?
    }

    private final class Status: Sendable {
        let state = Mutex(State())
    }

    /// Where it is connected to.
    public let address: SocketAddress
    /// The version that was agreed on.
    public let version: ProtocolVersion
    private let pipeline: PipelinedConnection
    private let table: RequestTable
    private let status: Status
    private let requestTimeout: Duration

    private init(pipeline: PipelinedConnection, table: RequestTable, status: Status, options: ConnectionOptions) {
        self.address = pipeline.address
        self.version = pipeline.version
        self.pipeline = pipeline
        self.table = table
        self.status = status
        self.requestTimeout = options.requestTimeout
    }

    /// Connects, agrees on a version, authenticates, and registers for the events that the options name.
    ///
    /// - Throws: `ClientError`, or the `CQLError` with which the server refuses us.
    public static func connect(
        to address: SocketAddress, on loop: any Loop, network: any Network,
        options: ConnectionOptions = ConnectionOptions()
    ) async throws -> CQLConnection {
        let status = Status()
        let onEvent: (@Sendable (Event) -> Void)? = options.onEvent
        let onClose: (@Sendable () -> Void)? = options.onClose
        let holder = TableHolder()
        let pipeline = try await PipelinedConnection.connect(
            to: address, on: loop, network: network, options: options
        ) { pipeline in
            let table = RequestTable(pipeline: pipeline, onEvent: onEvent) {
                status.state.withLock { $0.isOpen = false }
                onClose?()
            }
            holder.made.withLock { $0 = table }
            return table
        }
        guard let table = holder.made.withLock({ $0 }) else { throw ClientError.connectionClosed(nil) }
        let connection = CQLConnection(pipeline: pipeline, table: table, status: status, options: options)
        if !options.eventTypes.isEmpty {
            let types: [EventType] = options.eventTypes
            _ = try await connection.response(.register) { writer, _ in writer.writeRegister(types) }
        }
        return connection
    }

    /// Carries the table from the loop on which it is made.
    private final class TableHolder: Sendable {
        let made = Mutex<RequestTable?>(nil)
    }

    /// Whether requests can still be sent.
    public var isOpen: Bool { status.state.withLock { $0.isOpen } }
    /// The keyspace of unqualified names, as far as it was set through here.
    public var keyspace: String? { status.state.withLock { $0.keyspace } }

    /// Sends a statement's text, with values for its bind markers.
    ///
    /// - Parameter isTraced: whether the server is to record what it does; the result then has a `tracingID`.
    /// - Throws: the server's `CQLError`, or a `ClientError`.
    public func query(
        _ text: String, values: [(any CQLEncodable)?] = [], options: QueryOptions = QueryOptions(),
        isTraced: Bool = false
    ) async throws -> QueryResult {
        let bound: [BoundValue] = try bind(values, to: nil)
        let flags: FrameFlags = isTraced ? .tracing : []
        let reply = try await response(.query, flags: flags) { writer, version in
            writer.writeQuery(text, options: options, values: bound, version: version)
        }
        return try QueryResult(reply)
    }

    /// Prepares a statement on this server.
    public func prepare(_ text: String, keyspace: String? = nil) async throws -> PreparedStatement {
        let reply = try await response(.prepare) { writer, version in
            writer.writePrepare(text, keyspace: keyspace, version: version)
        }
        guard case .prepared(let prepared) = reply.response else {
            throw ClientError.malformedResponse("an answer to PREPARE that is no prepared statement")
        }
        return PreparedStatement(text: text, keyspace: keyspace, prepared)
    }

    /// Executes a prepared statement. A server that has forgotten it is taught again.
    public func execute(
        _ statement: PreparedStatement, values: [(any CQLEncodable)?] = [],
        options: QueryOptions = QueryOptions(), isTraced: Bool = false
    ) async throws -> QueryResult {
        let bound: [BoundValue] = try bind(values, to: statement.markers.columns)
        do {
            return try await executeOnce(statement, bound, options, isTraced)
        } catch CQLError.unprepared {
            let again = try await prepare(statement.text, keyspace: statement.keyspace)
            statement.learn(from: again)
            return try await executeOnce(statement, bound, options, isTraced)
        }
    }

    /// Sends a batch.
    public func batch(
        _ statements: [BatchStatement], type: BatchType = .logged, options: QueryOptions = QueryOptions(),
        isTraced: Bool = false
    ) async throws -> QueryResult {
        var entries: [BatchedStatement] = []
        for statement in statements { entries.append(try statement.encoded()) }
        let flags: FrameFlags = isTraced ? .tracing : []
        let body: [BatchedStatement] = entries
        let reply = try await response(.batch, flags: flags) { writer, version in
            writer.writeBatch(type, statements: body, options: options, version: version)
        }
        return try QueryResult(reply)
    }

    /// What the server says that it supports.
    public func supportedOptions() async throws -> [String: [String]] {
        let reply = try await response(.options) { _, _ in }
        guard case .supported(let options) = reply.response else {
            throw ClientError.malformedResponse("an answer to OPTIONS that is not SUPPORTED")
        }
        return options
    }

    deinit {
        close()
    }

    /// Ends the connection, as does forgetting it.
    public func close() {
        let pipeline: PipelinedConnection = self.pipeline
        pipeline.loop.execute { pipeline.close() }
    }

    private func executeOnce(
        _ statement: PreparedStatement, _ values: [BoundValue], _ options: QueryOptions, _ isTraced: Bool
    ) async throws -> QueryResult {
        let (resultMetadataID, columns) = statement.result
        var options = options
        options.skipsMetadata = !columns.isEmpty
        let sent: QueryOptions = options
        let identifier: [UInt8] = statement.statementID
        let reply = try await response(.execute, flags: isTraced ? .tracing : []) { writer, version in
            writer.writeExecute(
                statementID: identifier, resultMetadataID: resultMetadataID, options: sent, values: values,
                version: version)
        }
        if case .rows(let rows) = reply.response, let changedID = rows.metadata.changedID {
            statement.setResult(resultMetadataID: changedID, columns: rows.metadata.columns)
        }
        return try QueryResult(reply, knownColumns: columns)
    }

    /// Sends a request and decodes its answer.
    ///
    /// - Throws: the server's `CQLError`, a `ClientError`, or `CancellationError`.
    private func response(
        _ opcode: Opcode, flags: FrameFlags = [],
        writeBody: @escaping @Sendable (inout ByteWriter, ProtocolVersion) -> Void
    ) async throws -> DecodedReply {
        let request = PendingRequest()
        let timeout: Duration = requestTimeout
        let (loop, table) = (pipeline.loop, self.table)
        let outcome: Result<Reply, any Error> = await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                loop.execute {
                    guard request.start(continuation) else { return }
                    table.send(request, opcode, flags: flags, timeout: timeout, writeBody: writeBody)
                }
            }
        } onCancel: {
            loop.execute { request.finish(.failure(CancellationError())) }
        }
        let decoded = try DecodedReply(try outcome.get())
        if case .error(let error) = decoded.response { throw error }
        if case .setKeyspace(let name) = decoded.response { status.state.withLock { $0.keyspace = name } }
        return decoded
    }

    private func bind(
        _ values: [(any CQLEncodable)?], to columns: [ColumnSpecification]?
    ) throws -> [BoundValue] {
        if let columns, columns.count != values.count {
            throw ClientError.wrongValueCount(expected: columns.count, given: values.count)
        }
        var bound: [BoundValue] = []
        bound.reserveCapacity(values.count)
        for (index, value) in values.enumerated() {
            bound.append(try value?.boundValue(as: columns?[index].type) ?? .null)
        }
        return bound
    }
}

/// An answer and the body that its offsets count in.
struct DecodedReply: Sendable {
    let body: [UInt8]
    let prefix: ResponsePrefix
    let response: Response

    init(_ reply: Reply) throws {
        self.body = reply.body
        do {
            let decoded = try Response.decode(reply.header, reply.body.span.bytes)
            self.prefix = decoded.prefix
            self.response = decoded.response
        } catch {
            throw ClientError.malformedResponse(error.message)
        }
    }
}
