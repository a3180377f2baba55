import CQL
import DataModel
import Environment
import MartletClient
import Primitives
import SimulatedHost

/// What a fake server answers to a statement.
enum FakeAnswer: Sendable {
    case void
    case rows([(name: String, type: CQLType)], [[[UInt8]?]], pagingState: [UInt8]? = nil)
    case error(CQLError)
    case keyspace(String)
    case silence
    /// Ends the connection.
    case hangUp
}

/// A statement as a fake server sees it.
struct FakeRequest: Sendable {
    var text: String
    var values: [[UInt8]?]
    var parameters: QueryParameters
    var pagingState: [UInt8]?
    var isTraced: Bool
}

/// How a fake server behaves.
struct FakeBehaviour: Sendable {
    var newestVersion: ProtocolVersion = .v5
    /// Nil when nobody has to log in.
    var password: String?
    var warnings: [String] = []
    /// The types of a prepared statement's markers.
    var markerTypes: [CQLType] = []
    /// Forgets each statement once it has been prepared, the first time that it is executed.
    var forgetsOnce = false
    /// For each column of the partition key, the marker that gives it.
    var partitionKeyIndexes: [UInt16] = []
    /// The connections that have registered for events.
    var listeners = FakeListeners()
    var answer: @Sendable (FakeRequest) -> FakeAnswer = { _ in .void }
}

/// The connections of a fake server that want to hear of events.
///
/// `Sendable` is unchecked because a simulated world has one thread.
final class FakeListeners: @unchecked Sendable {
    var servers: [FakeServer] = []

    func push(_ event: Event) {
        for server in servers { server.push(event) }
    }
}

/// A server inside of a simulated world that speaks the protocol and knows nothing.
final class FakeServer: ConnectionHandler {
    private let behaviour: FakeBehaviour
    private var connection: (any Connection)?
    private var splitter = FrameSplitter(side: .server)
    private var frames = FrameWriter(version: .v5)
    private var output = ByteWriter()
    private var prepared: [[UInt8]: String] = [:]
    private var hasForgotten = false

    init(_ behaviour: FakeBehaviour) {
        self.behaviour = behaviour
    }

    func opened(_ connection: any Connection) {
        self.connection = connection
    }

    func received(_ bytes: UnsafeRawBufferPointer) -> Int {
        var used = 0
        while true {
            switch splitter.next(UnsafeRawBufferPointer(rebasing: bytes[used...])) {
            case .envelope(let envelope, let consumed):
                handle(envelope)
                used += consumed
            case .needMore(let consumed): return used + consumed
            default:
                connection?.close()
                return bytes.count
            }
        }
    }

    func receiveCompleted() {
        guard let connection, !output.isEmpty else { return }
        frames.finish(&output)
        connection.send(&output)
    }

    func drained() {}

    func closed(_ error: NetworkError?) {
        connection = nil
    }

    private func handle(_ envelope: Envelope) {
        let header: FrameHeader = envelope.header
        let body: RawSpan = envelope.body.bytes
        guard header.version <= behaviour.newestVersion else {
            frames.version = behaviour.newestVersion
            let words: String = VersionNegotiation.message(for: header.version.rawValue)
            frames.writeError(.protocolError(message: words), stream: header.stream, into: &output)
            receiveCompleted()
            connection?.close()
            return
        }
        frames.version = header.version
        switch header.opcode {
        case .startup:
            let startup = try? StartupRequest(decoding: body)
            let compression: Compression = (try? startup?.validated(version: header.version)) ?? .none
            reply(behaviour.password == nil ? .ready : .authenticate, header) { writer in
                if behaviour.password != nil { writer.writeAuthenticate(className: "Fake") }
            }
            frames.startFraming(version: header.version, compression: compression)
            splitter.startFraming(version: header.version, compression: compression)
        case .authResponse:
            let credentials = (try? AuthResponseRequest(decoding: body))?.plainCredentials
            if credentials?.password == behaviour.password {
                reply(.authSuccess, header) { $0.writeAuthToken(nil) }
            } else {
                frames.writeError(.badCredentials(message: "no"), stream: header.stream, into: &output)
            }
        case .query:
            guard let request = try? QueryRequest(decoding: body, version: header.version),
                let text = try? body.text(of: request.query)
            else { return }
            answer(text, request.parameters, body, header)
        case .prepare: prepare(body, header)
        case .execute: execute(body, header)
        case .batch: reply(.result, header) { $0.writeVoidResult() }
        case .register:
            reply(.ready, header) { _ in }
            behaviour.listeners.servers.append(self)
        case .options:
            let options: [String: [String]] = SupportedOptions.standard(languageVersion: "3.4.7")
            reply(.supported, header) { $0.writeSupported(options) }
        default: connection?.close()
        }
    }

    func push(_ event: Event) {
        frames.writeEvent(event, into: &output)
        receiveCompleted()
    }

    private func prepare(_ body: RawSpan, _ header: FrameHeader) {
        guard let request = try? PrepareRequest(decoding: body, version: header.version),
            let text = try? body.text(of: request.query)
        else { return }
        let identifier: [UInt8] = Array(text.utf8.suffix(16))
        prepared[identifier] = text
        let markers: [ColumnSpecification] = behaviour.markerTypes.map { type in
            ColumnSpecification(keyspace: "ks", table: "t", name: "m", type: type)
        }
        reply(.result, header) { writer in
            writer.writePreparedResult(
                statementID: identifier,
                markers: PreparedMetadata(columns: markers, partitionKeyIndexes: behaviour.partitionKeyIndexes),
                result: .empty,
                version: header.version)
        }
    }

    private func execute(_ body: RawSpan, _ header: FrameHeader) {
        guard let request = try? ExecuteRequest(decoding: body, version: header.version) else { return }
        let identifier: [UInt8] = body.array(of: request.statementID) ?? []
        let forgets: Bool = behaviour.forgetsOnce && !hasForgotten
        guard let text = prepared[identifier], !forgets else {
            hasForgotten = true
            frames.writeError(.unprepared(statementID: identifier), stream: header.stream, into: &output)
            return
        }
        answer(text, request.parameters, body, header)
    }

    private func answer(_ text: String, _ parameters: QueryParameters, _ body: RawSpan, _ header: FrameHeader) {
        let request = FakeRequest(
            text: text, values: parameters.values.all(in: body).map { body.array(of: $0) }, parameters: parameters,
            pagingState: body.array(of: parameters.pagingState), isTraced: header.flags.contains(.tracing))
        switch behaviour.answer(request) {
        case .void: reply(.result, header) { $0.writeVoidResult() }
        case .rows(let columns, let rows, let pagingState):
            let specifications: [ColumnSpecification] = columns.map { column in
                ColumnSpecification(keyspace: "ks", table: "t", name: column.name, type: column.type)
            }
            reply(.result, header) { writer in
                let metadata = ResultMetadata(columns: specifications)
                let place = writer.beginRows(metadata, version: header.version, pagingState: pagingState)
                for row in rows { for value in row { writer.writeValue(value) } }
                writer.endRows(place, rowCount: rows.count)
            }
        case .error(let error): frames.writeError(error, stream: header.stream, into: &output)
        case .keyspace(let name): reply(.result, header) { $0.writeSetKeyspaceResult(name) }
        case .silence: break
        case .hangUp: connection?.close()
        }
    }

    private func reply(_ opcode: Opcode, _ header: FrameHeader, _ body: (inout ByteWriter) -> Void) {
        let hasWarnings: Bool = opcode == .result && !behaviour.warnings.isEmpty
        let tracingID: UUID? = opcode == .result && header.flags.contains(.tracing) ? UUID(high: 1, low: 2) : nil
        let prefix = ResponsePrefix(tracingID: tracingID, warnings: hasWarnings ? behaviour.warnings : [])
        frames.begin(opcode, stream: header.stream, prefix: prefix, into: &output)
        body(&output)
        frames.end(in: &output)
    }
}

/// A world with a fake server in it, for one test.
struct FakeWorld: Sendable {
    let world: SimulatedWorld
    let machine: SimulatedMachine
    let server: SimulatedMachine
    let address: SocketAddress

    init(_ behaviour: FakeBehaviour, seed: UInt64 = 1) throws {
        let world = SimulatedWorld(seed: seed)
        let server = world.makeHost(name: "server")
        let machine = world.makeHost(name: "client")
        let address: SocketAddress = server.address(port: 9_042)
        self.world = world
        self.server = server
        self.machine = machine
        self.address = address
        let host: Host = server.host
        try world.run(on: host.loops[0]) {
            _ = try await host.network.listen(at: address, on: host.loops) { _ in FakeServer(behaviour) }
        }
    }

    /// Runs `body` on the client's machine until it returns.
    func run<Value: Sendable>(_ body: @escaping @Sendable (Host) async throws -> Value) throws -> Value {
        let host: Host = machine.host
        return try world.run(on: host.loops[0]) { try await body(host) }
    }
}

func int(_ number: Int32) -> [UInt8] {
    withUnsafeBytes(of: number.bigEndian) { [UInt8]($0) }
}
