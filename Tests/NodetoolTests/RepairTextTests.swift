import Administration
import DataModel
import Testing

@testable import Nodetool

/// How repairs are shown.
@Suite struct RepairTextTests {
    private func report(_ activity: String?) -> OperationReport {
        OperationReport(
            id: "1", name: "repair", state: .running, done: 12, total: 48, unit: "ranges", activity: activity)
    }

    @Test func theBarSaysRangesRowsBytesAndTheTimeLeft() {
        let line: String? = RepairText.progress(report("id 500 20000 300 2048 65000"))
        #expect(
            line?.hasPrefix("[###############...............] 12/48 ranges, 20000 rows compared, 300 streamed (")
                == true)
        #expect(line?.hasSuffix(", 1 min 5 s left") == true)
        #expect(RepairText.progress(report("id 0 0 0 0"))?.contains("left") == false)
        #expect(RepairText.progress(report(nil)) == nil)
        #expect(RepairText.progress(report("something else")) == nil)
        #expect(RepairText.progress(report("id 5000 1 1 1"))?.hasPrefix("[##############################]") == true)
    }

    @Test func durationsAreShort() {
        #expect(RepairText.duration(0) == "0 s")
        #expect(RepairText.duration(59_999) == "59 s")
        #expect(RepairText.duration(3_599_000) == "59 min 59 s")
        #expect(RepairText.duration(7_260_000) == "2 h 1 min")
    }

    @Test func theSummaryNamesWhatWasNotRepaired() throws {
        let json = try JSONValue(
            parsing: """
                {"id": "x", "state": "failed", "ranges": 3, "ranges_failed": 1, "rows_compared": 10, "differences": 2,
                "rows_streamed": 2, "bytes_streamed": 99, "bytes_read": 7, "wrong_hashes": 0, "duration_ms": 5,
                "failures": ["k.t (1,2]: node 127.0.0.3 is down", "k.t (2,3]: node 127.0.0.3 is down"],
                "obstacles": [{"nodes": ["n3"], "reason": "node 127.0.0.3 is down", "ranges": 2},
                {"nodes": [], "reason": "nodes 127.0.0.1 and 127.0.0.3 are down", "ranges": 1}]}
                """)
        let text: String = RepairText.summary(json)
        #expect(text.contains("Rows streamed"))
        let end =
            "node 127.0.0.3 is down: 2 ranges not repaired\n"
            + "nodes 127.0.0.1 and 127.0.0.3 are down: 1 range not repaired\n"
        #expect(text.hasSuffix(end))
        #expect(!text.contains("(1,2]"))
    }

    @Test func theStatusSaysTheWindowAndEachRange() throws {
        let json = try JSONValue(
            parsing: """
                {"enabled": true, "window_seconds": 86400, "last_failure": null, "ranges": [{"keyspace": "k",
                "table": "t", "start_token": "1", "end_token": "2", "state": "current", "verified_seconds_ago": 61,
                "missed": false, "waits_for": []}, {"keyspace": "k", "table": "t", "start_token": "2",
                "end_token": "3", "state": "missed", "verified_seconds_ago": null, "missed": true,
                "waits_for": ["127.0.0.3:7000"]}]}
                """)
        let text: String = RepairText.status(json)
        #expect(text.hasPrefix("Every range is verified within 24 h 0 min.\n"))
        #expect(text.contains("1 min 1 s ago"))
        #expect(text.contains("never"))
        #expect(text.contains("127.0.0.3:7000"))
        #expect(text.hasSuffix("2 ranges: 1 missed, 1 current\n"))
    }
}
