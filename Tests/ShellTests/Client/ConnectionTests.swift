import CQL
import DataModel
import Environment
import MartletClient
import Primitives
import SimulatedHost
import Synchronization
import Testing

@Suite struct ConnectionTests {
    private func connect(_ fake: FakeWorld, _ host: Host, _ options: ConnectionOptions = ConnectionOptions())
        async throws -> CQLConnection
    {
        try await CQLConnection.connect(to: fake.address, on: host.loops[0], network: host.network, options: options)
    }

    @Test(arguments: ProtocolVersion.released) func agreesOnTheNewestVersionOfTheServer(
        version: ProtocolVersion
    ) throws {
        let fake = try FakeWorld(FakeBehaviour(newestVersion: version))
        let agreed = try fake.run { host in try await connect(fake, host).version }
        #expect(agreed == version)
    }

    @Test func tellsWhenTheOnlyWantedVersionIsRefused() throws {
        let fake = try FakeWorld(FakeBehaviour(newestVersion: .v4))
        #expect(throws: ClientError.self) {
            try fake.run { host in
                var options = ConnectionOptions()
                options.version = .v5
                _ = try await connect(fake, host, options)
            }
        }
    }

    @Test(arguments: ProtocolVersion.released) func compressesBothWays(version: ProtocolVersion) throws {
        let long = String(repeating: "martlet ", count: 40_000)
        let fake = try FakeWorld(
            FakeBehaviour(newestVersion: version) { request in
                .rows([(name: "a", type: .text)], [[Array(request.text.utf8)]])
            })
        let answered = try fake.run { host in
            var options = ConnectionOptions()
            options.compression = .lz4
            let result = try await connect(fake, host, options).query(long)
            return try result.rows.map { try $0["a", as: String.self] }
        }
        #expect(answered == [long])
    }

    @Test func logsInWithAPassword() throws {
        let fake = try FakeWorld(FakeBehaviour(password: "secret"))
        let isOpen = try fake.run { host in
            var options = ConnectionOptions()
            options.credentials = Credentials(user: "anna", password: "secret")
            let connection = try await connect(fake, host, options)
            _ = try await connection.query("SELECT 1")
            return connection.isOpen
        }
        #expect(isOpen)
    }

    @Test func passesOnThatAPasswordIsWrong() throws {
        let fake = try FakeWorld(FakeBehaviour(password: "secret"))
        #expect(throws: CQLError.badCredentials(message: "no")) {
            try fake.run { host in
                var options = ConnectionOptions()
                options.credentials = Credentials(user: "anna", password: "guess")
                _ = try await connect(fake, host, options)
            }
        }
        #expect(throws: ClientError.authenticationRequired(className: "Fake")) {
            try fake.run { host in _ = try await connect(fake, host) }
        }
    }

    @Test func refusedConnectionsNameTheAddress() throws {
        let fake = try FakeWorld(FakeBehaviour())
        let closed = SocketAddress(host: fake.address.host, port: 1)
        #expect(throws: ClientError.unreachable(closed, .refused(closed))) {
            try fake.run { host in
                _ = try await CQLConnection.connect(to: closed, on: host.loops[0], network: host.network)
            }
        }
    }

    @Test func bindsValuesByTheirTypes() throws {
        let seen = Seen()
        let fake = try FakeWorld(
            FakeBehaviour(markerTypes: [.bigint, .text, .int, .set(.int, isMultiCell: false)]) { request in
                seen.requests.withLock { $0.append(request) }
                return .void
            })
        try fake.run { host in
            let connection = try await connect(fake, host)
            let statement = try await connection.prepare("INSERT")
            _ = try await connection.execute(statement, values: [7, "é", nil, [3, 1, 3]])
        }
        let values: [[UInt8]?]? = seen.requests.withLock { $0.last?.values }
        let set: [UInt8] = int(2) + int(4) + int(1) + int(4) + int(3)
        #expect(values == [[0, 0, 0, 0, 0, 0, 0, 7], [0xC3, 0xA9], nil, set])
    }

    @Test func refusesValuesThatDoNotFit() throws {
        let fake = try FakeWorld(FakeBehaviour(markerTypes: [.tinyint]))
        let failures = try fake.run { host in
            let connection = try await connect(fake, host)
            let statement = try await connection.prepare("INSERT")
            var failures: [String] = []
            for values: [(any CQLEncodable)?] in [[128], ["x"], [1, 2], [true]] {
                do { _ = try await connection.execute(statement, values: values) } catch { failures.append("\(error)") }
            }
            _ = try await connection.execute(statement, values: [127])
            return failures
        }
        #expect(failures.count == 4)
        #expect(failures.first == "128 is no value of type tinyint")
    }

    @Test func teachesAServerThatHasForgottenAStatement() throws {
        let fake = try FakeWorld(FakeBehaviour(forgetsOnce: true) { _ in .rows([(name: "a", type: .int)], [[int(5)]]) })
        let value = try fake.run { host in
            let connection = try await connect(fake, host)
            let statement = try await connection.prepare("SELECT a")
            return try await connection.execute(statement).rows.map { try $0["a", as: Int.self] }
        }
        #expect(value == [5])
    }

    @Test func aSilentServerTimesOutAndOthersGoOn() throws {
        let fake = try FakeWorld(FakeBehaviour { $0.text == "silence" ? .silence : .void })
        #expect(throws: ClientError.timedOut(.seconds(10))) {
            try fake.run { host in _ = try await connect(fake, host).query("silence") }
        }
        try fake.run { host in
            let connection = try await connect(fake, host)
            do { _ = try await connection.query("silence") } catch {}
            _ = try await connection.query("other")
        }
    }

    @Test func requestsFailWhenTheServerHangsUp() throws {
        let fake = try FakeWorld(FakeBehaviour { _ in .hangUp })
        let outcome = try fake.run { host in
            let connection = try await connect(fake, host)
            do { _ = try await connection.query("a") } catch { return ("\(error)", connection.isOpen) }
            return ("", true)
        }
        #expect(outcome.0 == "the connection was closed")
        #expect(!outcome.1)
    }

    @Test func manyRequestsShareAConnection() throws {
        let fake = try FakeWorld(
            FakeBehaviour { .rows([(name: "a", type: .text)], [[Array($0.text.utf8)]]) }, seed: 77)
        let answers = try fake.run { host in
            let connection = try await connect(fake, host)
            return try await withThrowingTaskGroup(of: Bool.self) { group in
                for number in 0..<500 {
                    group.addTask {
                        let row = try await connection.query("q\(number)").rows.first { _ in true }
                        return try row?["a", as: String.self] == "q\(number)"
                    }
                }
                return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
            }
        }
        #expect(answers == 500)
    }

    @Test func walksPagesAndStopsBehindTheLast() throws {
        let fake = try FakeWorld(
            FakeBehaviour { request in
                let page = Int32(request.pagingState?.first ?? 0)
                let more: [UInt8]? = page < 2 ? [UInt8(page + 1)] : nil
                return .rows([(name: "a", type: .int)], [[int(page * 2)], [int(page * 2 + 1)]], pagingState: more)
            })
        let numbers = try fake.run { host in
            let session = try await CQLSession.connect(to: [fake.address], host: host)
            var numbers: [Int] = []
            for try await row in session.pages("SELECT a", pageSize: 2).rows {
                numbers.append(try row["a", as: Int.self] ?? -1)
            }
            return numbers
        }
        #expect(numbers == [0, 1, 2, 3, 4, 5])
    }

    @Test func aSessionConnectsAgainAndReturnsToItsKeyspace() throws {
        let seen = Seen()
        let fake = try FakeWorld(
            FakeBehaviour { request in
                seen.requests.withLock { $0.append(request) }
                if request.text.hasPrefix("USE") { return .keyspace("ks") }
                return request.text == "hang up" ? .hangUp : .void
            })
        try fake.run { host in
            let session = try await CQLSession.connect(to: [fake.address], host: host)
            _ = try await session.query("USE ks")
            do { _ = try await session.query("hang up") } catch {}
            _ = try await session.query("after")
        }
        #expect(seen.requests.withLock { $0.map(\.text) } == ["USE ks", "hang up", "USE \"ks\"", "after"])
    }

    @Test func aPipelineAnswersOnTheStreamsThatWereAsked() throws {
        let fake = try FakeWorld(FakeBehaviour(markerTypes: [.int]))
        let counts = try fake.run { host in
            let statement = try await connect(fake, host).prepare("UPDATE")
            let handler = CountingHandler()
            var options = ConnectionOptions()
            options.inFlightLimit = 8
            let loop: any Loop = host.loops[0]
            let pipeline = try await PipelinedConnection.connect(
                to: fake.address, on: loop, network: host.network, options: options
            ) { _ in handler }
            let template = ExecuteTemplate(statement, options: QueryOptions(), version: pipeline.version)
            // A server knows only what was prepared through the same connection here.
            var sent = 0
            while pipeline.execute(template, writeValues: { $0.writeValue(int(1)) }) != nil { sent += 1 }
            pipeline.flush()
            while handler.count < sent { try await host.time.sleep(for: .milliseconds(1)) }
            return (sent, handler.count, pipeline.inFlightCount)
        }
        #expect(counts == (8, 8, 0))
    }
}

/// Requests that a fake server has seen.
final class Seen: Sendable {
    let requests = Mutex<[FakeRequest]>([])
}

/// `Sendable` is unchecked because the test and the connection share one loop.
private final class CountingHandler: ResponseHandler, @unchecked Sendable {
    private(set) var count = 0

    func completed(_ stream: Int16, _ envelope: Envelope) {
        count += 1
    }

    func closed(_ error: ClientError) {}
}
