import Administration
import DataModel
import Environment
import MartletClient
import Server
import SimulatedHost
import Simulation
import Testing

/// What operators have a node do with its tables, files and settings.
@Suite struct StorageAdministrationTests {
    /// One node with a table of a few rows.
    private static func started() throws -> SimulatedCluster {
        let cluster = try SimulatedCluster(seed: 8, nodeCount: 1)
        try cluster.start()
        try cluster.run { cluster in
            let connection = try await cluster.clients.connect(to: cluster.nodes[0])
            _ = try await connection.query(
                "CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
            _ = try await connection.query("CREATE TABLE k.t (id int PRIMARY KEY, v text)")
            for id in 0..<30 { _ = try await connection.query("INSERT INTO k.t (id, v) VALUES (\(id), 'x')") }
            _ = try await connection.query("SELECT * FROM k.t WHERE id = 3")
            connection.close()
        }
        return cluster
    }

    private static func client(_ cluster: SimulatedCluster) -> AdminClient {
        AdminClient("127.0.0.1", port: 7_199, host: cluster.nodes[0].machine.host)
    }

    private static func parameters(_ pairs: KeyValuePairs<String, String>) -> [HTTPRequest.Parameter] {
        pairs.map { HTTPRequest.Parameter($0, $1) }
    }

    private static func get(
        _ path: String, _ query: KeyValuePairs<String, String> = [:], of cluster: SimulatedCluster
    ) async throws -> JSONValue {
        try await client(cluster).get(path, parameters(query), as: Document.self).json
    }

    private static func work(
        _ path: String, _ query: KeyValuePairs<String, String> = [:], of cluster: SimulatedCluster
    ) async throws -> OperationReport {
        try await client(cluster).operate(path, parameters(query)) { _ in }
    }

    @Test func tablesShowWhatWasDoneToThem() throws {
        let cluster = try StorageAdministrationTests.started()
        try cluster.run { cluster in
            func table() async throws -> JSONValue {
                try await StorageAdministrationTests.get("/tablestats", ["name": "k.t"], of: cluster)["k"]["tables"][
                    "t"]
            }
            #expect(try await table()["local_write_count"].integerValue == 30)
            #expect(try await table()["local_read_count"].integerValue == 1)
            let flush = try await StorageAdministrationTests.work(
                "/flush", ["keyspace": "k", "table": "t"], of: cluster)
            #expect(flush.state == .done && flush.result["tables"].integerValue == 1)
            #expect(try await table()["sstable_count"].integerValue >= 1)
            #expect(try await table()["memtable_data_size"].integerValue == 0)
            #expect(try await table()["compacted_partition_maximum_bytes"].integerValue > 0)
            let histograms = try await StorageAdministrationTests.get(
                "/tablehistograms", ["keyspace": "k", "table": "t"], of: cluster)
            #expect(histograms["tables"].elements[0]["partition_size_bytes"]["count"].integerValue == 30)
            let requests = try await StorageAdministrationTests.get("/proxyhistograms", of: cluster)
            #expect(requests["write_latency_micros"]["count"].integerValue >= 30)
        }
    }

    @Test func filtersThatLetReadsThroughForNothingAreCounted() throws {
        let cluster = try StorageAdministrationTests.started()
        try cluster.run { cluster in
            let connection = try await cluster.clients.connect(to: cluster.nodes[0])
            // Without a filter every file between whose tokens the key lies is looked into.
            _ = try await connection.query(
                "CREATE TABLE k.open (id int PRIMARY KEY, v text) WITH bloom_filter_fp_chance = 1.0")
            for id in 0..<30 { _ = try await connection.query("INSERT INTO k.open (id, v) VALUES (\(id), 'x')") }
            _ = try await StorageAdministrationTests.work("/flush", ["keyspace": "k"], of: cluster)
            for id in 0..<60 {
                for table in ["open", "t"] {
                    _ = try await connection.query("SELECT v FROM k.\(table) WHERE id = \(id)")
                }
            }
            connection.close()
            let tables = try await StorageAdministrationTests.get("/tablestats", ["name": "k"], of: cluster)["k"][
                "tables"]
            let open: JSONValue = tables["open"]
            #expect(open["bloom_filter_false_positives"].integerValue > 20)
            #expect(open["bloom_filter_false_positives"].integerValue <= 30)
            #expect((0.3...0.5).contains(open["bloom_filter_false_ratio"].decimalValue))
            #expect(open["bloom_filter_space_used"].integerValue == 0)
            let filtered: JSONValue = tables["t"]
            #expect(filtered["bloom_filter_false_positives"].integerValue < 10)
            #expect(filtered["bloom_filter_space_used"].integerValue > 0)
            #expect(filtered["speculative_retries"].integerValue == 0)
            #expect(filtered["percent_repaired"].decimalValue == 100)
            #expect(filtered["local_read_write_ratio"].decimalValue > 1)
        }
    }

    @Test func compactionsAreMadeAndRemembered() throws {
        let cluster = try StorageAdministrationTests.started()
        try cluster.run { cluster in
            _ = try await StorageAdministrationTests.work("/flush", ["keyspace": "k"], of: cluster)
            let done = try await StorageAdministrationTests.work("/compact", ["keyspace": "k"], of: cluster)
            #expect(done.state == .done)
            let stats = try await StorageAdministrationTests.get("/compactionstats", of: cluster)
            #expect(stats["compactions_completed"].integerValue >= 1)
        }
        try cluster.world.run(for: .seconds(1))
        try cluster.run { cluster in
            let history = try await StorageAdministrationTests.get("/compactionhistory", of: cluster)["compactions"]
            #expect(history.elements.contains { $0["columnfamily_name"] == .string("t") })
            for path in ["/verify", "/scrub", "/upgradesstables", "/garbagecollect"] {
                let report = try await StorageAdministrationTests.work(path, ["keyspace": "k"], of: cluster)
                #expect(report.state == .done, "\(path) \(report.reason ?? "")")
            }
            await #expect(throws: AdminClientError.invalid("The table k.x does not exist.")) {
                try await StorageAdministrationTests.work("/compact", ["keyspace": "k", "table": "x"], of: cluster)
            }
        }
    }

    @Test func snapshotsAreKeptUntilTheirTimeIsUp() throws {
        let cluster = try StorageAdministrationTests.started()
        try cluster.run { cluster in
            for (name, ttl) in [("kept", nil), ("short", "2m")] as [(String, String?)] {
                var query = [HTTPRequest.Parameter("keyspace", "k"), HTTPRequest.Parameter("tag", name)]
                if let ttl { query.append(HTTPRequest.Parameter("ttl", ttl)) }
                let made = try await StorageAdministrationTests.client(cluster).operate("/snapshot", query) { _ in }
                #expect(made.result["name"] == .string(name))
            }
            let all = try await StorageAdministrationTests.get("/listsnapshots", of: cluster)["snapshots"].elements
            #expect(all.map { $0["name"].plainText } == ["kept", "short"])
        }
        try cluster.world.run(for: .seconds(200))
        try cluster.run { cluster in
            let left = try await StorageAdministrationTests.get("/listsnapshots", of: cluster)["snapshots"].elements
            #expect(left.map { $0["name"].plainText } == ["kept"])
            await #expect(throws: AdminClientError.self) {
                try await StorageAdministrationTests.work(
                    "/snapshot", ["keyspace": "k", "tag": "../elsewhere"], of: cluster)
            }
        }
    }

    @Test func settingsAreChangedWhileTheNodeRuns() throws {
        let cluster = try StorageAdministrationTests.started()
        try cluster.run { cluster in
            let client = StorageAdministrationTests.client(cluster)
            try await client.post(
                "/settings", StorageAdministrationTests.parameters(["name": "read_request_timeout", "value": "7s"]))
            let shown = try await StorageAdministrationTests.get(
                "/settings", ["name": "read_request_timeout"], of: cluster)
            #expect(shown["settings"].elements.first?["value"] == .string("7s"))
            await #expect(throws: AdminClientError.self) {
                try await client.post(
                    "/settings", StorageAdministrationTests.parameters(["name": "num_tokens", "value": "4"]))
            }
            await #expect(throws: AdminClientError.self) {
                try await client.post(
                    "/settings",
                    StorageAdministrationTests.parameters(["name": "read_request_timeout", "value": "soon"]))
            }
        }
    }

    @Test func aNodeWithoutClientsIsNotReady() throws {
        let cluster = try StorageAdministrationTests.started()
        try cluster.run { cluster in
            let client = StorageAdministrationTests.client(cluster)
            try await client.post("/binary/disable")
            await #expect(throws: AdminClientError.self) { try await client.get("/ready", as: Readiness.self) }
            try await client.post("/binary/enable")
            #expect(try await client.get("/ready", as: Readiness.self).isReady)
            let connection = try await cluster.clients.connect(to: cluster.nodes[0])
            _ = try await connection.query("SELECT * FROM k.t")
            connection.close()
        }
    }

    @Test func everyPathAnswersOrSaysWhatItNeeds() throws {
        let cluster = try StorageAdministrationTests.started()
        try cluster.run { cluster in
            for path in [
                "/operations", "/tpstats", "/clientstats", "/compactionstats", "/compactionhistory", "/listsnapshots",
                "/settings", "/logging", "/datapaths", "/seeds", "/traceprobability", "/binary", "/gossip", "/backup",
                "/autocompaction", "/hints/delivery", "/rangekeysample",
            ] {
                _ = try await StorageAdministrationTests.get(path, of: cluster)
            }
            for path in ["/sstables", "/describering"] {
                await #expect(throws: AdminClientError.self, "\(path)") {
                    try await StorageAdministrationTests.get(path, of: cluster)
                }
            }
            let ring = try await StorageAdministrationTests.get("/describering", ["keyspace": "k"], of: cluster)
            #expect(!ring["ranges"].elements.isEmpty)
            let busy = try await StorageAdministrationTests.get("/toppartitions", ["duration": "100"], of: cluster)
            #expect(busy["duration_ms"].integerValue == 100)
        }
    }
}
