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
            #expect(failed.reason?.contains("could not take part: It is down") == true)
            let forced = try await RepairAdministrationTests.repair(
                cluster, 0, [HTTPRequest.Parameter("force", "true")])
            #expect(forced.state == .done)
            #expect(forced.result["rows_streamed"] == .integer(30))
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
            #expect(states.contains("missed") && states.isSubset(of: ["missed", "overdue"]))
            let connection = try await cluster.clients.connect(to: cluster.nodes[0])
            let rows = try await connection.query("SELECT * FROM system_views.repair_status").rows.count
            #expect(rows == status["ranges"].elements.count)
        }
    }
}
