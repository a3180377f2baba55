import Administration
import DataModel
import Testing

@testable import Nodetool

/// Streams as `netstats` shows them.
@Suite struct StreamTextTests {
    private func stream(
        _ id: String, _ title: String, peer: String = "127.0.0.2", _ direction: String = "receiving",
        files: (Int, Int) = (0, 0), bytes: (Int, Int) = (0, 0), rows: Int = 0, tables: (Int, Int) = (0, 0),
        table: String? = nil, isDone: Bool = false, failure: String? = nil
    ) -> JSONValue {
        .record([
            "id": .string(id), "title": .string(title), "peer": .string(peer), "port": .integer(7_000),
            "direction": .string(direction), "table": .optional(table), "files": .integer(files.0),
            "files_total": .integer(files.1), "bytes": .integer(bytes.0), "bytes_total": .integer(bytes.1),
            "rows": .integer(rows), "tables": .integer(tables.0), "tables_total": .integer(tables.1),
            "is_done": .boolean(isDone), "failure": .optional(failure),
        ])
    }

    private func running(_ streams: [JSONValue], isHuman: Bool = false, withPorts: Bool = false) -> String {
        StreamText.running(.record(["streams": .array(streams)]), isHuman: isHuman, withPorts: withPorts)
    }

    @Test func nothingIsSaidInOneLine() {
        #expect(running([]) == "Not sending any streams.\n")
        #expect(running([stream("a", "Bootstrap", isDone: true)]) == "Not sending any streams.\n")
    }

    @Test func anOperationShowsItsNodes() {
        let streams: [JSONValue] = [
            stream(
                "a", "Bootstrap", files: (3, 12), bytes: (30_000, 123_456), rows: 7, tables: (1, 4), table: "k.t"),
            stream("a", "Bootstrap", peer: "127.0.0.3", bytes: (2_048, 1_024)),
            stream("b", "Rebuild", "sending", files: (1, 2), bytes: (5, 10)),
            stream("b", "Rebuild", "sending", files: (0, 2), bytes: (0, 10), table: "k.u"),
        ]
        #expect(
            running(streams) == """
                Bootstrap a
                    /127.0.0.2
                        Receiving 12 files, 123456 bytes total. Already received 3 files (25.00%), 30000 bytes total (24.30%)
                            1 of 4 tables, 7 rows received, k.t
                    /127.0.0.3
                        Receiving 0 files, 2048 bytes total. Already received 0 files (100.00%), 2048 bytes total (100.00%)
                Rebuild b
                    /127.0.0.2
                        Sending 4 files, 20 bytes total. Already sent 1 files (25.00%), 5 bytes total (25.00%)
                            k.u

                """)
        #expect(running(streams, isHuman: true).contains("Receiving 12 files, 120.56 KiB total."))
        #expect(running(streams, withPorts: true).contains("    /127.0.0.3:7000\n"))
    }

    @Test func whatHasEndedIsShownWithItsEnd() {
        let json: JSONValue = .record([
            "streams": .array([
                stream("a", "Rebuild", isDone: true),
                stream("b", "Move", isDone: true, failure: "127.0.0.2 does not answer"),
            ])
        ])
        let text: String = StreamText.all(json, isHuman: false, withPorts: false)
        #expect(text.contains("            done\n") && text.contains("            127.0.0.2 does not answer\n"))
        #expect(StreamText.all(.null, isHuman: false, withPorts: false) == "There are no streams.\n")
    }

    @Test func aNodeThatStartsShowsItsModeAlone() {
        let report = NetworkReport(
            mode: "STARTING", readRepairsAttempted: nil, readRepairsBlocking: nil, readRepairsBackground: nil,
            pools: [], peers: [])
        #expect(
            NetworkText.statistics(report, .null, flags: [], withPorts: false)
                == "Mode: STARTING\nNot sending any streams.\n")
    }
}
