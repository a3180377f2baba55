import Administration
import DataModel
import Environment
import Primitives
import SimulatedHost
import Testing

@testable import Server

/// A node that knows nothing and says so, slowly where it is told to.
private struct FakeAdministration: NodeAdministration {
    var time: (any TimeSource)?
    var isReady = true

    private static let nothing = AdminFailure.unavailable("The node is starting.")

    func readiness() async -> Readiness { Readiness(isReady: isReady, reason: isReady ? nil : "It starts.") }

    func version() async -> VersionReport {
        if let time { try? await time.sleep(for: .seconds(5)) }
        return VersionReport(release: "1", cql: "2", protocols: [3])
    }

    func ring(keyspace: String?, includesTokens: Bool) async throws(AdminFailure) -> RingReport {
        throw .invalid("There is no keyspace \(keyspace ?? "at all").")
    }

    func node() async throws(AdminFailure) -> NodeReport { throw FakeAdministration.nothing }
    func cluster() async throws(AdminFailure) -> ClusterReport { throw FakeAdministration.nothing }
    func gossip() async throws(AdminFailure) -> GossipReport { throw FakeAdministration.nothing }
    func failureDetector() async throws(AdminFailure) -> DetectorReport { throw FakeAdministration.nothing }
    func network() async throws(AdminFailure) -> NetworkReport { throw FakeAdministration.nothing }
    func replicas(keyspace: String, table: String, key: String) async throws(AdminFailure) -> ReplicasReport {
        ReplicasReport(token: 1, endpoints: [Endpoint(key, 1)])
    }
    func handoff() async throws(AdminFailure) -> HandoffReport { throw FakeAdministration.nothing }
    func setHandoff(enabled: Bool) async throws(AdminFailure) {}
    func pendingHints() async throws(AdminFailure) -> PendingHintsReport { throw FakeAdministration.nothing }
    func truncateHints(of node: String?) async throws(AdminFailure) {}
}

/// A node that has work which takes three seconds.
private struct WorkingAdministration: NodeAdministration {
    let operations: Operations
    let time: any TimeSource

    private static let nothing = AdminFailure.unavailable("The node is starting.")

    var routes: [AdminRoute] {
        [
            .work("/work") { (request) throws(AdminFailure) in
                let (time, fails): (any TimeSource, Bool) = (self.time, request.flag("fails"))
                return operations.begin("work") { operation in
                    for step in 0..<6 {
                        if operation.isStopWanted { throw CancellationError() }
                        operation.note(done: step, of: 6, unit: "steps")
                        try await time.sleep(for: .milliseconds(500))
                    }
                    if fails { throw AdminFailure.unavailable("It went wrong.") }
                    return .record(["steps": .integer(6)])
                }
            }
        ]
    }

    func readiness() async -> Readiness { Readiness(isReady: true) }
    func version() async -> VersionReport { VersionReport(release: "1", cql: "2", protocols: [3]) }
    func ring(keyspace: String?, includesTokens: Bool) async throws(AdminFailure) -> RingReport {
        throw WorkingAdministration.nothing
    }
    func node() async throws(AdminFailure) -> NodeReport { throw WorkingAdministration.nothing }
    func cluster() async throws(AdminFailure) -> ClusterReport { throw WorkingAdministration.nothing }
    func gossip() async throws(AdminFailure) -> GossipReport { throw WorkingAdministration.nothing }
    func failureDetector() async throws(AdminFailure) -> DetectorReport { throw WorkingAdministration.nothing }
    func network() async throws(AdminFailure) -> NetworkReport { throw WorkingAdministration.nothing }
    func replicas(keyspace: String, table: String, key: String) async throws(AdminFailure) -> ReplicasReport {
        throw WorkingAdministration.nothing
    }
    func handoff() async throws(AdminFailure) -> HandoffReport { throw WorkingAdministration.nothing }
    func setHandoff(enabled: Bool) async throws(AdminFailure) {}
    func pendingHints() async throws(AdminFailure) -> PendingHintsReport { throw WorkingAdministration.nothing }
    func truncateHints(of node: String?) async throws(AdminFailure) {}
}

/// A client that sends bytes and keeps what comes.
///
/// `Sendable` is unchecked because a world and all that belongs to it is used by one thread at a time.
private final class ByteClient: ConnectionHandler, @unchecked Sendable {
    private(set) var bytes: [UInt8] = []
    private(set) var isClosed = false
    private let first: [UInt8]
    private var connection: (any Connection)?

    init(_ first: String) {
        self.first = Array(first.utf8)
    }

    var text: String { String(decoding: bytes, as: UTF8.self) }

    func send(_ bytes: [UInt8]) {
        var writer = ByteWriter()
        writer.write(bytes)
        connection?.send(&writer)
    }

    func close() { connection?.close() }

    func opened(_ connection: any Connection) {
        self.connection = connection
        if !first.isEmpty { send(first) }
    }

    func received(_ bytes: UnsafeRawBufferPointer) -> Int {
        self.bytes += bytes
        return bytes.count
    }

    func receiveCompleted() {}
    func drained() {}
    func closed(_ error: NetworkError?) {
        isClosed = true
        connection = nil
    }
}

@Suite struct AdminServerTests {
    private let world = SimulatedWorld(seed: 1)
    private let host: Host

    init() {
        host = world.makeHost(name: "a").host
    }

    private func start(
        _ node: any NodeAdministration = FakeAdministration(), connections: Int = 64, access: AdminAccess? = nil
    ) throws -> AdminServer {
        let host: Host = self.host
        return try world.run(on: host.loops[0]) {
            var limits = AdminServer.Limits()
            limits.connections = connections
            return try await AdminServer.start(
                at: .loopback(port: 7_199), for: node, access: access, limits: limits, on: host)
        }
    }

    private func connect(_ text: String = "") throws -> ByteClient {
        let host: Host = self.host
        let client = ByteClient(text)
        _ = try world.run(on: host.loops[0]) {
            try await host.network.connect(
                to: .loopback(port: 7_199), on: host.loops[0], timeout: .seconds(1)
            ) { client }
        }
        return client
    }

    /// What comes back within a second.
    private func answer(_ text: String) throws -> String {
        let client: ByteClient = try connect(text)
        try world.run(for: .seconds(1))
        return client.text
    }

    private func status(_ text: String) throws -> Int? {
        Int(try answer(text).split(separator: " ").dropFirst().first ?? "")
    }

    private func get(_ path: String, _ headers: String = "") -> String { "GET \(path) HTTP/1.1\r\n\(headers)\r\n" }

    @Test func answersWithJSON() throws {
        _ = try start()
        #expect(
            try answer(get("/health"))
                == "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 15\r\nCache-Control: no-store\r\n"
                + "\r\n{\"alive\":true}\n")
        #expect(try answer(get("/version")).hasSuffix("\"cql_version\":\"2\",\"native_protocol_versions\":[3]}\n"))
        #expect(try answer(get("/endpoints?keyspace=k&table=t&key=a%20b")).contains("\"address\":\"a b\""))
    }

    @Test func saysWhetherTheNodeIsReady() throws {
        _ = try start()
        #expect(try status(get("/ready")) == 200)
        let other = AdminServerTests()
        _ = try other.start(FakeAdministration(isReady: false))
        #expect(try other.status(other.get("/ready")) == 503)
        #expect(try other.status(other.get("/health")) == 200)
    }

    @Test func saysWhyItDoesNotAnswer() throws {
        _ = try start()
        let wrong: String = try answer(get("/status?keyspace=k"))
        #expect(wrong.hasPrefix("HTTP/1.1 400 "))
        #expect(wrong.hasSuffix("{\"error\":\"There is no keyspace k.\"}\n"))
        #expect(try status(get("/info")) == 503)
        #expect(try status(get("/endpoints?keyspace=k")) == 400)
        #expect(try status(get("/nothing")) == 404)
        #expect(try status(get("/hints/enable")) == 405)
        let post: String = try answer("POST /version HTTP/1.1\r\n\r\n")
        #expect(post.hasPrefix("HTTP/1.1 405 ") && post.contains("\r\nAllow: GET, HEAD\r\n"))
    }

    @Test func knowsEveryPathThatItNames() throws {
        _ = try start()
        for path in AdminRoutes(FakeAdministration()).reading {
            let status: Int? = try status(get(path))
            #expect(status != 404 && status != 405 && status != nil, "\(path)")
        }
        for path in AdminRoutes(FakeAdministration()).changing {
            #expect(try status("POST \(path) HTTP/1.1\r\n\r\n") == 200, "\(path)")
        }
    }

    @Test func refusesWebPages() throws {
        _ = try start()
        let page = "POST /hints/truncate HTTP/1.1\r\nOrigin: http://example.com\r\n\r\n"
        #expect(try status(page) == 403)
    }

    // MARK: Work that takes long

    private func startWork() throws -> Operations {
        let operations = Operations(host: host)
        _ = try start(WorkingAdministration(operations: operations, time: host.time))
        return operations
    }

    @Test func tellsLineByLineHowFarWorkIs() throws {
        _ = try startWork()
        let client: ByteClient = try connect("POST /work HTTP/1.1\r\n\r\n")
        try world.run(for: .seconds(5))
        #expect(client.text.contains("Content-Type: application/x-ndjson\r\n"))
        let lines: [Substring] = client.text.split(separator: "\r\n\r\n")[1].split(separator: "\n")
        let reports: [OperationReport] = try lines.map { try OperationReport(json: JSONValue(parsing: String($0))) }
        #expect(reports.count >= 3)
        #expect(reports.dropLast().allSatisfy { $0.state == .running && $0.total == 6 })
        #expect(reports.last?.state == .done && reports.last?.done == 6)
        #expect(reports.last?.result == .record(["steps": .integer(6)]))
        #expect(client.isClosed)
    }

    @Test func workThatFailsSaysWhy() throws {
        _ = try startWork()
        let host: Host = self.host
        let report: OperationReport = try world.run(on: host.loops[0]) {
            try await AdminClient("127.0.0.1", port: 7_199, host: host).operate(
                "/work", [HTTPRequest.Parameter("fails", "true")], hear: { _ in })
        }
        #expect(report.state == .failed && report.reason == "It went wrong.")
    }

    @Test func workGoesOnWhenNobodyListens() throws {
        let operations: Operations = try startWork()
        let client: ByteClient = try connect("POST /work HTTP/1.1\r\n\r\n")
        try world.run(for: .milliseconds(700))
        client.close()
        try world.run(for: .seconds(5))
        #expect(operations.known.map(\.report.state) == [.done])
        let answer: String = try answer("POST /work?wait=false HTTP/1.1\r\n\r\n")
        #expect(answer.contains("\"state\":\"running\""))
    }

    @Test func workCanBeStopped() throws {
        let operations: Operations = try startWork()
        let client: ByteClient = try connect("POST /work HTTP/1.1\r\n\r\n")
        try world.run(for: .milliseconds(700))
        let host: Host = self.host
        try world.run(on: host.loops[0]) { await operations.known[0].stop() }
        try world.run(for: .seconds(2))
        #expect(client.text.contains("\"state\":\"stopped\""))
    }

    @Test func keepsNoMoreOperationsThanItsLimit() throws {
        let operations = Operations(host: host)
        for _ in 0..<200 {
            _ = operations.begin("nothing") { _ in .null }
            try world.run(for: .milliseconds(1))
        }
        #expect(operations.known.count <= 65)
    }

    // MARK: Names and passwords

    @Test func asksForANameAndAPasswordWhenThereAreAny() throws {
        _ = try start(access: try AdminAccess(text: "# people\nanna  s3 cret\n\nben\tpass\r\n"))
        let refused: String = try answer(get("/version"))
        #expect(refused.hasPrefix("HTTP/1.1 401 ") && refused.contains("WWW-Authenticate: Basic "))
        func status(_ user: String, _ password: String) throws -> Int? {
            let header: String = BasicCredentials.header(AdminClient.Credentials(user: user, password: password))
            return try self.status(get("/version", "Authorization: \(header)\r\n"))
        }
        #expect(try status("anna", "s3 cret") == 200)
        #expect(try status("ben", "pass") == 200)
        for (user, password) in [("anna", "s3 cre"), ("anna", "s3 cret2"), ("anna", ""), ("carl", "carl?"), ("", "")] {
            #expect(try status(user, password) == 401, "\(user) \(password)")
        }
        #expect(try self.status(get("/version", "Authorization: Basic !!!\r\n")) == 401)
        #expect(try self.status(get("/health")) == 200)
    }

    @Test(arguments: ["", "# nobody\n", "anna\n", "anna \n"]) func refusesPasswordFilesThatNameNobody(text: String) {
        #expect(throws: ConfigurationError.self) { try AdminAccess(text: text) }
    }

    @Test func answersHeadWithoutTheBody() throws {
        _ = try start()
        let answer: String = try answer("HEAD /health HTTP/1.1\r\n\r\n")
        #expect(answer.contains("Content-Length: 15\r\n"))
        #expect(answer.hasSuffix("\r\n\r\n"))
    }

    @Test func answersSeveralRequestsOfAConnectionInOrder() throws {
        _ = try start(FakeAdministration(time: host.time))
        let client: ByteClient = try connect(
            get("/version") + get("/health") + get("/nothing", "Connection: close\r\n"))
        try world.run(for: .seconds(6))
        let statuses: [Substring] = client.text.split(separator: "HTTP/1.1 ").map { $0.prefix(3) }
        #expect(statuses == ["200", "200", "404"])
        #expect(client.isClosed)
    }

    @Test func takesARequestInPieces() throws {
        _ = try start()
        let client: ByteClient = try connect()
        for byte in Array(get("/health").utf8) {
            client.send([byte])
            try world.run(for: .milliseconds(1))
        }
        #expect(client.text.hasSuffix("{\"alive\":true}\n"))
        #expect(!client.isClosed)
    }

    @Test(arguments: ["\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/3\r\n\r\n", "GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n"])
    func closesAConnectionThatMakesNoSense(text: String) throws {
        _ = try start()
        let client: ByteClient = try connect(text + get("/health"))
        try world.run(for: .seconds(1))
        #expect(client.text.hasPrefix("HTTP/1.1 400 ") || client.text.hasPrefix("HTTP/1.1 505 "))
        #expect(!client.text.contains("alive"))
        #expect(client.isClosed)
    }

    @Test func doesNotWaitForEverForARequest() throws {
        _ = try start()
        let client: ByteClient = try connect("GET /health HTTP/1.1\r\n")
        try world.run(for: .seconds(29))
        #expect(!client.isClosed)
        try world.run(for: .seconds(2))
        #expect(client.text.hasPrefix("HTTP/1.1 408 "))
        #expect(client.isClosed)
    }

    @Test func takesNoMoreConnectionsThanItsLimit() throws {
        _ = try start(connections: 2)
        let first: ByteClient = try connect()
        let second: ByteClient = try connect()
        let third: ByteClient = try connect()
        try world.run(for: .seconds(1))
        #expect(!first.isClosed && !second.isClosed && third.isClosed)
        #expect(third.text.hasPrefix("HTTP/1.1 503 "))
        first.send(Array(get("/health", "Connection: close\r\n").utf8))
        try world.run(for: .seconds(1))
        #expect(first.isClosed)
        #expect(try status(get("/health")) == 200)
    }

    @Test func endsItsConnectionsWhenItStops() throws {
        let server: AdminServer = try start(FakeAdministration(time: host.time))
        let idle: ByteClient = try connect()
        let busy: ByteClient = try connect(get("/version"))
        try world.run(for: .seconds(1))
        try world.run(on: host.loops[0]) { await server.stop() }
        try world.run(for: .seconds(10))
        #expect(idle.isClosed && busy.isClosed)
        #expect(throws: NetworkError.self) { try connect() }
    }

    @Test(arguments: 1...20 as ClosedRange<UInt64>) func survivesWhateverComes(seed: UInt64) throws {
        _ = try start()
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<20 {
            var bytes = Array((get("/health") + "POST /hints/enable HTTP/1.1\r\nContent-Length: 2\r\n\r\nab").utf8)
            for _ in 0..<(1 + generator.below(5)) {
                bytes[generator.below(bytes.count)] = UInt8(truncatingIfNeeded: generator.next())
            }
            let client: ByteClient = try connect()
            client.send(bytes)
            try world.run(for: .milliseconds(10))
        }
        #expect(try status(get("/health")) == 200, "seed \(seed)")
    }
}
