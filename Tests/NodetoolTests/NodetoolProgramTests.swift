import Administration
import DataModel
import Environment
import Nodetool
import Primitives
import SimulatedHost
import Synchronization
import Testing

/// A port at which the same answer is given to everybody.
private final class AnsweringPort: ConnectionHandler, @unchecked Sendable {
    let requests: RequestLog
    private let answer: @Sendable (HTTPRequest) -> [UInt8]
    private var connection: (any Connection)?

    init(_ requests: RequestLog, _ answer: @escaping @Sendable (HTTPRequest) -> [UInt8]) {
        self.requests = requests
        self.answer = answer
    }

    func opened(_ connection: any Connection) { self.connection = connection }

    func received(_ bytes: UnsafeRawBufferPointer) -> Int {
        guard case .request(let request, let byteCount) = HTTPRequestParser().next(bytes) else { return 0 }
        requests.all.withLock { $0.append(request) }
        var writer = ByteWriter()
        writer.write(answer(request))
        connection?.send(&writer)
        connection?.close()
        return byteCount
    }

    func receiveCompleted() {}
    func drained() {}
    func closed(_ error: NetworkError?) { connection = nil }
}

private final class RequestLog: Sendable {
    let all = Mutex<[HTTPRequest]>([])
}

/// What a run of the tool wrote, and how it ended.
private struct Run: Equatable, Sendable {
    var status: Int32
    var output = ""
    var errors = ""
    var asked: [String] = []
}

@Suite struct NodetoolProgramTests {
    private let world = SimulatedWorld(seed: 1)

    private func run(
        _ arguments: String..., answer: (@Sendable (HTTPRequest) -> [UInt8])? = nil
    ) throws -> Run {
        let host: Host = world.makeHost(name: "a").host
        let written = Mutex((output: "", errors: ""))
        let requests = RequestLog()
        let shared = Written(written)
        return try world.run {
            if let answer {
                _ = try await host.network.listen(at: .loopback(port: 7_199), on: host.loops) { _ in
                    AnsweringPort(requests, answer)
                }
            }
            let program = NodetoolProgram(host: host) { text in
                shared.text.withLock { $0.output += text }
            } writeError: { text in
                shared.text.withLock { $0.errors += text }
            }
            let status: Int32 = await program.run(arguments)
            let text = shared.text.withLock { $0 }
            let asked: [String] = requests.all.withLock { all in
                all.map { request in
                    let query: String = request.query.map { "\($0.name)=\($0.value)" }.joined(separator: "&")
                    return "\(request.method) \(request.path)" + (query.isEmpty ? "" : "?" + query)
                }
            }
            return Run(status: status, output: text.output, errors: text.errors, asked: asked)
        }
    }

    private final class Written: Sendable {
        let text: Mutex<(output: String, errors: String)>

        init(_ text: consuming sending Mutex<(output: String, errors: String)>) {
            self.text = text
        }
    }

    private static func json(_ status: Int, _ text: String) -> @Sendable (HTTPRequest) -> [UInt8] {
        { _ in HTTPResponse(status: status, body: Array(text.utf8)).bytes(keepsConnection: false) }
    }

    private static let version = json(
        200, "{\"release_version\":\"5.0.4\",\"cql_version\":\"3.4.7\",\"native_protocol_versions\":[3,4,5]}")

    @Test func printsTheAnswerAsText() throws {
        let plain: Run = try run("version", answer: NodetoolProgramTests.version)
        #expect(plain == Run(status: 0, output: "ReleaseVersion: 5.0.4\n", asked: ["GET /version"]))
        let verbose: Run = try run("version", "-v", answer: NodetoolProgramTests.version)
        #expect(
            verbose.output
                == "ReleaseVersion: 5.0.4\nCQLVersion: 3.4.7\nNativeProtocolVersions: 3/v3, 4/v4, 5/v5\n")
    }

    @Test func printsTheAnswerAsJSON() throws {
        let result: Run = try run("-F", "json", "version", answer: NodetoolProgramTests.version)
        #expect(result.status == 0)
        let json = try JSONValue(parsing: result.output)
        #expect(try VersionReport(json: json).protocols == [3, 4, 5])
    }

    @Test func asksForWhatTheOperandsName() throws {
        let replicas = NodetoolProgramTests.json(
            200, "{\"token\":\"1\",\"endpoints\":[{\"address\":\"127.0.0.2\",\"port\":7000}]}")
        let result: Run = try run("getendpoints", "k", "t", "a b", answer: replicas)
        #expect(result == Run(status: 0, output: "127.0.0.2\n", asked: ["GET /endpoints?keyspace=k&table=t&key=a b"]))
        let done = NodetoolProgramTests.json(200, "{}")
        #expect(try run("disablehandoff", answer: done) == Run(status: 0, asked: ["POST /hints/disable"]))
        #expect(
            try run("truncatehints", "127.0.0.2", "127.0.0.3", answer: done)
                == Run(
                    status: 0, asked: ["POST /hints/truncate?node=127.0.0.2", "POST /hints/truncate?node=127.0.0.3"]))
        #expect(try run("truncatehints", answer: done) == Run(status: 0, asked: ["POST /hints/truncate"]))
    }

    @Test func tellsThatNobodyListens() throws {
        let result: Run = try run("-h", "127.0.0.1", "status")
        #expect(result.status == 2)
        #expect(
            result.errors
                == "nodetool: Failed to connect to 127.0.0.1:7199: connection refused; is the node running, and is that its "
                + "admin port?\n")
        let unknown: Run = try run("-h", "nowhere", "status")
        #expect(unknown == Run(status: 2, errors: "nodetool: The host nowhere is not known.\n"))
    }

    @Test func passesOnWhatTheNodeSays() throws {
        let refused = NodetoolProgramTests.json(400, "{\"error\":\"There is no keyspace k.\"}")
        #expect(
            try run("status", "k", answer: refused)
                == Run(status: 1, errors: "nodetool: There is no keyspace k.\n", asked: ["GET /status?keyspace=k"]))
        let unable = NodetoolProgramTests.json(503, "{\"error\":\"The node is starting.\"}")
        #expect(
            try run("info", answer: unable)
                == Run(status: 2, errors: "nodetool: The node is starting.\n", asked: ["GET /info"]))
    }

    @Test(arguments: ["SSH-2.0-OpenSSH_9\r\n\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]", "x"])
    func tellsThatSomethingElseAnswers(bytes: String) throws {
        let result: Run = try run("info") { _ in Array(bytes.utf8) }
        #expect(result.status == 2)
        #expect(result.errors.hasPrefix("nodetool: What answers at 127.0.0.1:7199 is not a node's admin port. "))
    }

    @Test func givesUpOnANodeThatIsSilent() throws {
        let result: Run = try run("info") { _ in [] }
        #expect(result.status == 2)
    }

    @Test func helpsAndRefusesWithoutAskingAnybody() throws {
        let help: Run = try run("help")
        #expect(help.status == 0)
        for command in NodetoolCommand.all { #expect(help.output.contains("    \(command.name) ")) }
        #expect(try run("help", "info").output.hasPrefix("usage: nodetool [OPTIONS] info [-T | --tokens]\n"))
        let wrong: Run = try run("stauts")
        #expect(wrong.status == 1)
        #expect(wrong.errors.hasPrefix("nodetool: There is no command stauts. Did you mean status?\n"))
    }
}
