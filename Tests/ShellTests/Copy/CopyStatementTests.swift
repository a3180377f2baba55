import CQL
import DataModel
import Environment
import MartletClient
import Shell
import SimulatedHost
import Synchronization
import Testing

/// COPY as a whole, against a server that knows one table of an int and a text.
@Suite struct CopyStatementTests {
    private final class Log: Sendable {
        let executed = Mutex<[[[UInt8]?]]>([])
    }

    private func run(
        _ script: [String], files: [String: String] = [:], rows: [[[UInt8]?]] = [],
        refusing: @escaping @Sendable ([[UInt8]?]) -> Bool = { _ in false }
    ) throws -> (status: Int32, output: String, errors: String, files: FakeFiles, log: Log) {
        let log = Log()
        var behaviour = FakeBehaviour()
        behaviour.markerTypes = [.int, .text, .bigint]
        behaviour.partitionKeyIndexes = [0]
        behaviour.answer = { request in
            if request.text.contains("system_schema.columns") {
                let text: (String) -> [UInt8] = { Array($0.utf8) }
                return .rows(
                    [
                        (name: "column_name", type: .text), (name: "kind", type: .text), (name: "position", type: .int),
                        (name: "type", type: .text),
                    ],
                    [
                        [text("v"), text("regular"), int(-1), text("text")],
                        [text("k"), text("partition_key"), int(0), text("int")],
                    ])
            }
            if request.text.hasPrefix("SELECT \"k\", \"v\" FROM \"ks\".\"t\"") {
                return .rows([(name: "k", type: .int), (name: "v", type: .text)], rows)
            }
            guard request.text.hasPrefix("INSERT INTO \"ks\".\"t\"") else { return .void }
            log.executed.withLock { $0.append(request.values) }
            return refusing(request.values) ? .error(.invalid(message: "no")) : .void
        }
        let fake = try FakeWorld(behaviour)
        let terminal = FakeTerminal(script)
        let stored = FakeFiles()
        var options = ShellOptions()
        options.hostName = fake.address.hostText
        let chosen: ShellOptions = options
        let status = try fake.run { host in
            for (path, text) in files {
                let file = try await host.disk.open(path, .create)
                try await file.write(Array(text.utf8), at: 0)
                await file.close()
            }
            return await ShellProgram.run(options: chosen, terminal: terminal, files: stored, host: host)
        }
        return (status, terminal.output, terminal.errors, stored, log)
    }

    @Test func rowsGoToStandardOutput() throws {
        let run = try run(
            ["COPY ks.t TO STDOUT WITH HEADER = true;"], rows: [[int(1), Array("a,b".utf8)], [int(2), nil]])
        #expect(run.status == 0)
        #expect(run.output == "k,v\n1,\"a,b\"\n2,\n")
    }

    @Test func aRowOfAFileIsInsertedWithATimestamp() throws {
        let run = try run(["COPY ks.t FROM '/rows.csv';"], files: ["/rows.csv": "7,\"x\ny\"\n"])
        #expect(run.errors.isEmpty && run.status == 0)
        #expect(run.output.contains("1 rows imported from 1 files in "))
        let values = try #require(run.log.executed.withLock { $0 }.first)
        #expect(values.count == 3 && values[0] == int(7) && values[1] == Array("x\ny".utf8))
        #expect(values[2] != nil)
    }

    @Test func rowsOfThePipeEndWithTheirMarkAndStatementsFollow() throws {
        let run = try run(["COPY ks.t (k, v) FROM STDIN;\n1", ",x\n\\.\nSELECT \"k\", \"v\" FROM \"ks\".\"t\";"])
        #expect(run.status == 0)
        #expect(run.output.hasSuffix("(0 rows)\n"))
        #expect(run.log.executed.withLock { $0 }.first?[0] == int(1))
    }

    @Test func rowsThatFailAreToldAndKept() throws {
        let run = try run(
            ["COPY ks.t FROM '/rows.csv' WITH ERRFILE = 'bad';"],
            files: ["/rows.csv": "1,a\nx,b\n3\n,c\n"])
        #expect(run.status == 2)
        #expect(run.files.text("bad") == "x,b\n3\n,c\n")
        #expect(run.errors.contains("Failed to process 3 rows; failed rows written to bad"))
        #expect(run.errors.contains("Invalid row length 1 should be 2"))
        #expect(run.errors.contains("Cannot insert null value for primary key column 'k'"))
        #expect(run.output.contains("1 rows imported from 1 files in "))
    }

    @Test func aRowThatTheServerRefusesIsKeptToo() throws {
        let run = try run(["COPY ks.t FROM '/r' WITH ERRFILE = 'bad';"], files: ["/r": "1,a\n"]) { _ in true }
        #expect(run.status == 2)
        #expect(run.files.text("bad") == "1,a\n")
        #expect(run.errors.contains("InvalidRequest"))
    }

    @Test(arguments: ["COPY ks.t FROM '/absent';", "COPY t TO STDOUT;", "COPY ks.t (nope) TO STDOUT;", "COPY ks.t;"])
    func whatCannotBeCopiedIsAnError(_ statement: String) throws {
        #expect(try run([statement]).status == 2)
    }
}
