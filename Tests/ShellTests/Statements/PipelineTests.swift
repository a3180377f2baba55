import CQL
import DataModel
import Environment
import MartletClient
import Shell
import Synchronization
import Testing

@Suite struct PipelineTests {
    /// The requests in the order in which a server saw them.
    private final class Log: Sendable {
        let requests = Mutex<[FakeRequest]>([])

        var texts: [String] { requests.withLock { $0.map(\.text) } }
        var timestamps: [Int64] { requests.withLock { $0.map(\.parameters.timestamp) } }
    }

    private func run(
        _ script: String, _ answer: @escaping @Sendable (FakeRequest) -> FakeAnswer = { _ in .void }
    ) throws -> (status: Int32, output: String, errors: String, log: Log) {
        let log = Log()
        let behaviour = FakeBehaviour { request in
            log.requests.withLock { $0.append(request) }
            return answer(request)
        }
        let fake = try FakeWorld(behaviour)
        let terminal = FakeTerminal()
        var options = ShellOptions()
        options.hostName = fake.address.hostText
        options.file = "script"
        let chosen: ShellOptions = options
        let status = try fake.run { host in
            await ShellProgram.run(
                options: chosen, terminal: terminal, files: FakeFiles(["script": script]), host: host)
        }
        return (status, terminal.output, terminal.errors, log)
    }

    private func insertions(_ count: Int) -> [String] {
        (0..<count).map { "INSERT INTO t (k, v) VALUES (1, \($0))" }
    }

    @Test(arguments: [0, 1, 127, 128, 129, 1_000])
    func everyWriteIsSentOnceInItsOrderWithAGreaterTimestamp(count: Int) throws {
        let statements: [String] = insertions(count)
        let run = try run(statements.map { $0 + ";\n" }.joined())
        #expect(run.status == 0)
        #expect(run.log.texts == statements)
        #expect(zip(run.log.timestamps, run.log.timestamps.dropFirst()).allSatisfy { $0 < $1 })
    }

    @Test func errorsAreToldInTheOrderOfTheScriptAndTheRestGoesOn() throws {
        let run = try run(insertions(10).map { $0 + ";\n" }.joined()) { request in
            request.text.hasSuffix("3)") || request.text.hasSuffix("7)") ? .error(.invalid(message: "no")) : .void
        }
        #expect(run.status == 2)
        #expect(run.log.texts.count == 10)
        let lines: [Substring] = run.errors.split(separator: "\n")
        #expect(lines.count == 2)
        #expect(lines.first?.hasPrefix("script:4:InvalidRequest") == true)
        #expect(lines.last?.hasPrefix("script:8:InvalidRequest") == true)
    }

    @Test func aQueryWaitsForTheWritesBeforeItAndTheirErrorsComeFirst() throws {
        let run = try run("INSERT INTO t (k) VALUES (1);\nSELECT * FROM t;\nINSERT INTO t (k) VALUES (2);") { request in
            request.text.hasPrefix("SELECT") ? .rows([(name: "k", type: .int)], [[int(1)]]) : .void
        }
        #expect(run.log.texts == ["INSERT INTO t (k) VALUES (1)", "SELECT * FROM t", "INSERT INTO t (k) VALUES (2)"])
        #expect(run.output == "\n k\n---\n 1\n\n(1 rows)\n")
    }

    @Test func whatWasTooMuchForTheServerIsSentAgainWithItsTimestamp() throws {
        let refused = Mutex<Set<String>>([])
        let run = try self.run(insertions(5).map { $0 + ";\n" }.joined()) { request in
            let isFirst: Bool = refused.withLock { $0.insert(request.text).inserted }
            return isFirst && request.text.hasSuffix("2)") ? .error(.overloaded(message: "busy")) : .void
        }
        #expect(run.status == 0)
        #expect(run.log.texts.count == 6)
        #expect(run.log.timestamps.last == run.log.timestamps[2])
    }

    @Test func aLostConnectionFailsWhatWasOnItsWayAndIsMadeAnew() throws {
        let run = try self.run(insertions(3).map { $0 + ";\n" }.joined() + "SELECT * FROM t;") { request in
            if request.text.hasSuffix("1)") { return .hangUp }
            return request.text.hasPrefix("SELECT") ? .rows([(name: "k", type: .int)], []) : .void
        }
        #expect(run.status == 2)
        #expect(run.errors.split(separator: "\n").allSatisfy { $0.contains("NoHostAvailable") })
        #expect(run.output.hasSuffix("(0 rows)\n"))
    }

    @Test func exitEndsTheScriptBehindItsErrors() throws {
        let run = try self.run("INSERT INTO t (k) VALUES (1);\nEXIT\nSELECT 1;") { _ in .error(.invalid(message: "no"))
        }
        #expect(run.status == 2)
        #expect(run.log.texts.count == 1)
    }
}
