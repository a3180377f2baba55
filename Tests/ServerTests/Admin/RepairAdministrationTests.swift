import Administration
import CQL
import DataModel
import Environment
import MartletClient
import Server
import SimulatedHost
import Simulation
import Testing

/// Repairs that operators ask of real nodes.
@Suite struct RepairAdministrationTests {
    private static func client(_ cluster: SimulatedCluster, _ node: Int) -> AdminClient {
        AdminClient("127.0.0.1", port: 7_199, host: cluster.nodes[node].machine.host)
    }

    /// Three nodes without hints and without continuous repair, of which the last one has missed 30 of 100 rows.
    private static func drifted(_ seed: UInt64) throws -> SimulatedCluster {
        let cluster = try SimulatedCluster(
            seed: seed, nodeCount: 3, shardCount: 1,
            settings: ["hinted_handoff_enabled": "false", "continuous_repair": "false"])
        try cluster.start()
        try cluster.run { cluster in
            func write(_ text: String, _ level: Consistency) async throws {
                let connection = try await cluster.clients.connect(to: cluster.nodes[0])
                defer { connection.close() }
                _ = try await connection.query(text, options: QueryOptions(consistency: level))
            }
            try await write(
                "CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}", .one)
            try await write("CREATE TABLE k.t (id int PRIMARY KEY, v int)", .one)
            for id in 0..<70 { try await write("INSERT INTO k.t (id, v) VALUES (\(id), 1)", .all) }
            cluster.nodes[2].kill()
            try await cluster.clients.sleep(for: .seconds(20))
            for id in 70..<100 { try await write("INSERT INTO k.t (id, v) VALUES (\(id), 1)", .quorum) }
            try await cluster.nodes[2].restart()
            try await cluster.clients.sleep(for: .seconds(10))
        }
        return cluster
    }

    private static func repair(
        _ cluster: SimulatedCluster, _ node: Int, _ query: [HTTPRequest.Parameter] = []
    ) async throws -> OperationReport {
        try await client(cluster, node).operate("/repair", [HTTPRequest.Parameter("keyspace", "k")] + query) { _ in }
    }

    @Test func aRepairBringsOverWhatIsMissingAndSaysSo() throws {
        let cluster = try RepairAdministrationTests.drifted(1)
        try cluster.run { cluster in
            let preview = try await RepairAdministrationTests.repair(
                cluster, 0, [HTTPRequest.Parameter("kind", "preview")])
            #expect(preview.state == .done)
            #expect(preview.result["differences"] == .integer(30))
            #expect(preview.result["rows_streamed"] == .integer(0))
            let first = try await RepairAdministrationTests.repair(cluster, 0)
            #expect(first.state == .done)
            #expect(first.done == first.total && first.unit == "ranges")
            #expect(first.result["rows_compared"] == .integer(100))
            #expect(first.result["rows_streamed"] == .integer(30))
            let second = try await RepairAdministrationTests.repair(cluster, 1)
            #expect(second.result["differences"] == .integer(0))
            #expect(second.result["rows_streamed"] == .integer(0))
            let third = try await RepairAdministrationTests.repair(cluster, 1)
            #expect(third.result["bytes_read"] == .integer(0))
            let known: JSONValue = try await RepairAdministrationTests.client(cluster, 1)
                .get("/repairs", [], as: Document.self).json
            #expect(known["repairs"].elements.map { $0["state"] } == [.string("completed"), .string("completed")])
        }
    }

    @Test func aRepairWithoutOneReplicaFailsByItsName() throws {
        let cluster = try RepairAdministrationTests.drifted(2)
        try cluster.run { cluster in
            cluster.nodes[1].kill()
            try await cluster.clients.sleep(for: .seconds(20))
            let failed = try await RepairAdministrationTests.repair(cluster, 0)
            #expect(failed.state == .failed)
            let lines: [Substring] = failed.reason?.split(separator: "\n") ?? []
            #expect(lines.count == 2)
            #expect(lines.last?.hasPrefix("  node ") == true)
            #expect(lines.last?.hasSuffix(" is down: \(failed.total) ranges not repaired") == true)
            let known: JSONValue = try await RepairAdministrationTests.client(cluster, 0)
                .get("/repairs", [], as: Document.self).json
            let obstacles: [JSONValue] = known["repairs"].elements.last?["obstacles"].elements ?? []
            #expect(obstacles.map { $0["ranges"].integerValue } == [failed.total])
            #expect(obstacles.first?["nodes"].elements.count == 1)
            let forced = try await RepairAdministrationTests.repair(
                cluster, 0, [HTTPRequest.Parameter("force", "true")])
            #expect(forced.state == .done)
            #expect(forced.result["rows_streamed"] == .integer(30))
        }
    }

    private static func rows(_ cluster: SimulatedCluster, _ text: String) async throws -> [[String]] {
        let connection = try await cluster.clients.connect(to: cluster.nodes[0])
        defer { connection.close() }
        return try await connection.query(text).rows.map { row in (0..<row.count).map { row.literal(at: $0) } }
    }

    /// Also while nodes repair by themselves what they know to be missed.
    @Test(arguments: 0..<4 as Range<UInt64>) func aSecondRepairFindsNothing(_ seed: UInt64) throws {
        let cluster = try SimulatedCluster(
            seed: 700 + seed, nodeCount: 3, shardCount: 1 + Int(seed % 2),
            settings: ["hinted_handoff_enabled": "false", "continuous_repair": seed % 4 < 3 ? "true" : "false"])
        try cluster.start()
        try cluster.run { cluster in
            let connection = try await cluster.clients.connect(to: cluster.nodes[0])
            func write(_ text: String, _ level: Consistency) async throws {
                _ = try await connection.query(text, options: QueryOptions(consistency: level))
            }
            try await write(
                "CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}", .one)
            try await write("CREATE TABLE k.t (id int PRIMARY KEY, v int)", .one)
            for id in 0..<200 { try await write("INSERT INTO k.t (id, v) VALUES (\(id), 1)", .all) }
            cluster.nodes[2].kill()
            try await cluster.clients.sleep(for: .seconds(20))
            for id in 0..<60 { try await write("INSERT INTO k.t (id, v) VALUES (\(id), 2)", .quorum) }
            for id in 60..<120 { try await write("DELETE FROM k.t WHERE id = \(id)", .quorum) }
            try await cluster.nodes[2].restart()
            try await cluster.clients.sleep(for: .milliseconds(Int64(2_000 + seed * 150)))
            let first = try await RepairAdministrationTests.repair(cluster, 0)
            #expect(first.state == .done, "seed \(seed)")
            let second = try await RepairAdministrationTests.repair(cluster, 0)
            #expect(second.result["differences"] == .integer(0), "seed \(seed)")
            #expect(second.result["rows_streamed"] == .integer(0), "seed \(seed)")
        }
    }

    @Test func theClusterRemembersRepairsAndTheirRanges() throws {
        let cluster = try RepairAdministrationTests.drifted(4)
        try cluster.run { cluster in
            _ = try await RepairAdministrationTests.repair(cluster, 0, [HTTPRequest.Parameter("kind", "preview")])
            let done = try await RepairAdministrationTests.repair(cluster, 0)
            try await cluster.clients.sleep(for: .seconds(2))
            cluster.nodes[1].kill()
            try await cluster.clients.sleep(for: .seconds(20))
            _ = try await RepairAdministrationTests.repair(cluster, 0)
            try await cluster.clients.sleep(for: .seconds(2))
            let repairs: [[String]] = try await RepairAdministrationTests.rows(
                cluster,
                "SELECT keyspace_name, columnfamily_names, exception_message FROM system_distributed.parent_repair_history "
                    + "WHERE finished_at > 0 ALLOW FILTERING")
            #expect(repairs.count == 2)
            #expect(repairs.allSatisfy { $0[0] == "'k'" && $0[1] == "{'t'}" })
            #expect(repairs.count { $0[2].lowercased() == "null" } == 1)
            #expect(repairs.count { $0[2].hasSuffix(" is down'") } == 1)
            let ranges: [[String]] = try await RepairAdministrationTests.rows(
                cluster,
                "SELECT status, coordinator FROM system_distributed.repair_history WHERE keyspace_name = 'k' "
                    + "AND columnfamily_name = 't'")
            #expect(ranges.count { $0[0] == "'SUCCESS'" } == done.total)
            #expect(ranges.count { $0[0] == "'FAILED'" } == done.total)
        }
    }

    @Test func whatIsWrongIsRefused() throws {
        let cluster = try RepairAdministrationTests.drifted(3)
        try cluster.run { cluster in
            for (name, value) in [
                ("table", "nothing"), ("kind", "some"), ("start_token", "x"), ("datacenter", "nowhere"),
                ("host", "10.9.9.9"), ("jobs", "9"),
            ] {
                await #expect(throws: AdminClientError.self, "\(name)") {
                    _ = try await RepairAdministrationTests.repair(cluster, 0, [HTTPRequest.Parameter(name, value)])
                }
            }
            let status: JSONValue = try await RepairAdministrationTests.client(cluster, 0)
                .get("/repair/status", [], as: Document.self).json
            #expect(status["enabled"] == .boolean(false))
            #expect(status["ranges"].elements.count > 3)
            // The node that took the writes knows where they are missing.
            let states: Set<String> = Set(status["ranges"].elements.map { $0["state"].plainText })
            #expect(states.contains("missed") && states.isSubset(of: ["missed", "due"]))
            let connection = try await cluster.clients.connect(to: cluster.nodes[0])
            let rows = try await connection.query("SELECT * FROM system_views.repair_status").rows.count
            #expect(rows == status["ranges"].elements.count)
        }
    }
}
