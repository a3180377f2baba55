import CQL
import DataModel
import Environment
import MartletClient
import Primitives
import Shell
import Synchronization
import Testing

@Suite struct ShellProgramTests {
    /// A server with one table of two rows.
    private static let server = FakeBehaviour { request in
        switch request.text {
        case "SELECT * FROM t":
            return .rows(
                [(name: "id", type: .int), (name: "name", type: .text)],
                [[int(1), Array("anna".utf8)], [int(20), nil]])
        case "SELECT * FROM none", "SELECT *\nFROM none": return .rows([(name: "id", type: .int)], [])
        case "SELECT * FROM pages":
            let isFirst: Bool = request.pagingState == nil
            return .rows([(name: "id", type: .int)], [[int(isFirst ? 1 : 22)]], pagingState: isFirst ? [1] : nil)
        case "INSERT IF": return .rows([(name: "[applied]", type: .boolean)], [[[1]]])
        case "USE ks", "USE \"ks\"": return .keyspace("ks")
        case "USE \"absent\"": return .error(.invalid(message: "'absent' does not exist"))
        case "WRONG": return .error(.syntaxError(message: "line 1:0 no viable alternative"))
        case let text where text.contains("system.local"):
            return .rows(
                [
                    (name: "cluster_name", type: .text), (name: "release_version", type: .text),
                    (name: "cql_version", type: .text),
                ],
                [[Array("Nest".utf8), Array("5.0.4".utf8), Array("3.4.7".utf8)]])
        case "DESC TABLES", "DESCRIBE TABLES":
            return .rows(
                [(name: "keyspace_name", type: .text), (name: "type", type: .text), (name: "name", type: .text)],
                [
                    [Array("ks".utf8), Array("table".utf8), Array("t".utf8)],
                    [Array("ks".utf8), Array("table".utf8), Array("u".utf8)],
                ])
        case "DESCRIBE TABLE t":
            return .rows([(name: "create_statement", type: .text)], [[Array("CREATE TABLE ks.t (…);".utf8)]])
        default: return .void
        }
    }

    private struct Run {
        var status: Int32
        var output: String
        var errors: String
    }

    private func run(
        _ terminal: FakeTerminal = FakeTerminal(), files: FakeFiles = FakeFiles(),
        behaviour: FakeBehaviour = server, _ change: @Sendable (inout ShellOptions) -> Void = { _ in }
    ) throws -> Run {
        let fake = try FakeWorld(behaviour)
        var options = ShellOptions()
        options.hostName = fake.address.hostText
        change(&options)
        let chosen: ShellOptions = options
        let status = try fake.run { host in
            await ShellProgram.run(options: chosen, terminal: terminal, files: files, host: host)
        }
        #expect(!terminal.isRaw)
        return Run(status: status, output: terminal.output, errors: terminal.errors)
    }

    @Test func aStatementOfTheCommandLineIsDrawnAsATable() throws {
        let run = try run { $0.statements = "SELECT * FROM t" }
        #expect(run.status == 0)
        #expect(
            run.output == """

                 id | name
                ----+------
                  1 | anna
                 20 | null

                (2 rows)

                """)
    }

    @Test func noRowsAreAHeaderAndACount() throws {
        #expect(try run { $0.statements = "SELECT * FROM none;" }.output == "\n id\n----\n\n\n(0 rows)\n")
    }

    @Test func pagesFollowEachOtherWithoutHeaders() throws {
        #expect(try run { $0.statements = "SELECT * FROM pages" }.output == "\n id\n----\n  1\n 22\n\n(2 rows)\n")
    }

    @Test func conditionalStatementsAreNotCounted() throws {
        #expect(try run { $0.statements = "INSERT IF" }.output == "\n [applied]\n-----------\n      True\n")
    }

    @Test func aFailedStatementIsToldAndTheOthersGoOn() throws {
        let run = try run { $0.statements = "WRONG;\nSELECT * FROM none; WRONG" }
        #expect(run.status == 2)
        #expect(
            run.errors == """
                <stdin>:1:SyntaxException: Error from server: code=2000 [Syntax error in CQL query] \
                message="line 1:0 no viable alternative"
                <stdin>:2:SyntaxException: Error from server: code=2000 [Syntax error in CQL query] \
                message="line 1:0 no viable alternative"

                """)
        #expect(run.output.hasSuffix("(0 rows)\n"))
    }

    @Test func filesNameThemselvesInErrors() throws {
        let files = FakeFiles(["a.cql": "-- first\nWRONG;\nSELECT 1"])
        let run = try run(files: files) { $0.file = "a.cql" }
        #expect(run.status == 2)
        #expect(run.errors.hasPrefix("a.cql:2:SyntaxException: "))
        #expect(run.errors.hasSuffix("a.cql:3:Incomplete statement at end of file\n"))
        #expect(try self.run { $0.file = "absent" }.status == 1)
    }

    @Test func pipesAreReadAsTheyCome() throws {
        let run = try run(FakeTerminal(["SELECT * FR", "OM none;\nEXIT\nWRO", "NG;"]))
        #expect(run.status == 0)
        #expect(run.output.hasSuffix("(0 rows)\n"))
        #expect(run.errors.isEmpty)
    }

    @Test func withoutAServerTheStatusIsOne() throws {
        let run = try run { $0.port = 1 }
        #expect(run.status == 1)
        #expect(run.errors.hasPrefix("Connection error: cannot connect to "))
        #expect(try self.run { $0.keyspace = "absent" }.status == 1)
    }

    @Test func settingsAreShownAndChanged() throws {
        let run = try run {
            $0.statements = """
                CONSISTENCY; CONSISTENCY QUORUM; SERIAL CONSISTENCY LOCAL_SERIAL; TRACING; PAGING 7
                PAGING OFF
                EXPAND ON
                SELECT * FROM t
                """
        }
        #expect(
            run.output == """
                Current consistency level is ONE.
                Consistency level set to QUORUM.
                Serial consistency level set to LOCAL_SERIAL.
                Tracing is currently disabled. Use TRACING ON to enable.
                Page size: 7
                Disabled Query paging.
                Now Expanded output is enabled

                @ Row 1
                ------+------
                 id   | 1
                 name | anna

                @ Row 2
                ------+------
                 id   | 20
                 name | null


                (2 rows)

                """)
    }

    @Test func namesAndStatementsOfTheSchemaAreDrawn() throws {
        let run = try run { $0.statements = "DESC TABLES; DESCRIBE TABLE t; USE ks; DESCRIBE TABLES" }
        #expect(
            run.output == """

                Keyspace ks
                -----------
                t  u


                CREATE TABLE ks.t (…);

                t  u


                """)
    }

    @Test func resultsAreCapturedInAFile() throws {
        let files = FakeFiles()
        let run = try run(files: files) { $0.statements = "CAPTURE '~/out'\nSELECT * FROM none; CAPTURE OFF" }
        #expect(run.output == "Now capturing query output to '/home/out'.\n")
        #expect(files.text("/home/out")?.hasSuffix("(0 rows)\n") == true)
    }

    @Test func filesThatReadThemselvesEnd() throws {
        let files = FakeFiles(["loop": "SOURCE 'loop'\n"])
        let run = try run(files: files) { $0.statements = "SOURCE 'loop'" }
        #expect(run.status == 2)
        #expect(run.errors == "loop:1:Could not open 'loop': more than 16 files inside each other\n")
    }

    @Test func warningsAreShownBehindTheResult() throws {
        var behaviour: FakeBehaviour = Self.server
        behaviour.warnings = ["tombstones"]
        let warned = behaviour
        let run = try run(behaviour: warned) { $0.statements = "SELECT * FROM none" }
        #expect(run.output.hasSuffix("(0 rows)\n\nWarnings :\ntombstones\n\n"))
    }

    @Test func aPersonIsGreetedPromptedAndRemembered() throws {
        let files = FakeFiles()
        let terminal = FakeTerminal(["USE ks;\r", "SELECT *\rFROM none;\r", "WRONG\u{03}", "\u{04}"], isTerminal: true)
        let run = try run(terminal, files: files) { $0.isColored = false }
        #expect(run.status == 0)
        #expect(run.output.hasPrefix("Connected to Nest at "))
        #expect(run.output.contains("[martlet 1.0 | Cassandra 5.0.4 | CQL spec 3.4.7 | Native protocol v5]\n"))
        #expect(run.output.contains("martlet> "))
        #expect(run.output.contains("martlet:ks> "))
        #expect(run.output.contains("   ... "))
        #expect(run.output.contains("\n id\n----\n\n(0 rows)\n"))
        #expect(run.errors.isEmpty)
        #expect(files.text("/home/.martlet/history") == "USE ks;\nSELECT * FROM none;\n")
    }

    @Test func onATerminalPagesWaitForAKey() throws {
        let terminal = FakeTerminal(["SELECT * FROM pages;\r", "q", "\u{04}"], isTerminal: true)
        let run = try run(terminal) { $0.isColored = false }
        #expect(run.output.contains("---MORE---"))
        #expect(run.output.contains("(1 rows)\n"))
    }

    @Test func theLevelsOfTheSessionAreShown() throws {
        let run = try run {
            $0.statements = "SHOW CONSISTENCY\nCONSISTENCY QUORUM\nSERIAL CONSISTENCY LOCAL_SERIAL\nSHOW CONSISTENCY"
        }
        #expect(run.errors.isEmpty)
        #expect(
            run.output == """
                Current consistency level is ONE.
                Current serial consistency level is SERIAL.
                Consistency level set to QUORUM.
                Serial consistency level set to LOCAL_SERIAL.
                Current consistency level is QUORUM.
                Current serial consistency level is LOCAL_SERIAL.

                """)
    }

    @Test func tracesAreAwaitedAndDrawn() throws {
        let asked = Seen()
        let local: [UInt8] = [127, 0, 0, 1]
        let event: [UInt8] = UUID.timeBased(timestamp: UInt64(UUID.unixEpoch) + 10_000, low: 0).bytes
        let behaviour = FakeBehaviour { request in
            asked.requests.withLock { $0.append(request) }
            if request.text.contains("system_traces.sessions") {
                let isDone: Bool = asked.requests.withLock { $0.filter { $0.text.contains("sessions") }.count } > 2
                return .rows(
                    [
                        (name: "client", type: .inet), (name: "coordinator", type: .inet),
                        (name: "request", type: .text),
                        (name: "started_at", type: .timestamp), (name: "duration", type: .int),
                    ],
                    [
                        [
                            local, local, Array("Execute CQL3 query".utf8), [UInt8](repeating: 0, count: 8),
                            isDone ? int(1_500) : nil,
                        ]
                    ])
            }
            guard request.text.contains("system_traces.events") else { return .void }
            return .rows(
                [
                    (name: "activity", type: .text), (name: "event_id", type: .timeuuid), (name: "source", type: .inet),
                    (name: "source_elapsed", type: .int), (name: "thread", type: .text),
                ],
                [[Array("Parsing".utf8), event, local, int(7), Array("shard-0".utf8)]])
        }
        let run = try run(behaviour: behaviour) { $0.statements = "TRACING ON\nINSERT" }
        #expect(run.errors.isEmpty)
        #expect(
            run.output == """
                Now Tracing is enabled

                Tracing session: 00000000-0000-0001-0000-000000000002

                 activity           | timestamp                  | source    | source_elapsed | client
                --------------------+----------------------------+-----------+----------------+-----------
                 Execute CQL3 query | 1970-01-01 00:00:00.000000 | 127.0.0.1 |              0 | 127.0.0.1
                  Parsing [shard-0] | 1970-01-01 00:00:00.001000 | 127.0.0.1 |              7 | 127.0.0.1
                   Request complete | 1970-01-01 00:00:00.001500 | 127.0.0.1 |           1500 | 127.0.0.1


                """)
    }

    @Test func hostsAndPortsAreRead() {
        var options = ShellOptions()
        #expect(options.readHost("db:9043") && options.hostName == "db" && options.port == 9_043)
        #expect(options.readHost("[::1]:9044") && options.hostName == "::1" && options.port == 9_044)
        #expect(options.readHost("::1") && options.hostName == "::1")
        #expect(!options.readHost("db:0") && !options.readHost("db:x") && !options.readHost(":9042"))
    }
}
