import CQL
import DataModel
import Environment
import MartletClient
import Server
import SimulatedHost
import Simulation
import Testing

/// What must happen although the node that began it died, and what must not happen any more.
@Suite struct LostWritesTests {
    private static func cluster(
        seed: UInt64, racks: [String], replicas: Int, settings: [String: String] = [:]
    ) throws -> SimulatedCluster {
        let cluster = try SimulatedCluster(seed: seed, nodeCount: racks.count, settings: settings)
        for (node, rack) in zip(cluster.nodes, racks) { try node.configuration.set("rack", rack) }
        try cluster.start()
        try cluster.run { cluster in
            let connection = try await cluster.clients.connect(to: cluster.node)
            for text in [
                "CREATE KEYSPACE k WITH replication = "
                    + "{'class': 'SimpleStrategy', 'replication_factor': \(replicas)}",
                "CREATE TABLE k.t (id int PRIMARY KEY, v text)", "CREATE TABLE k.c (id int PRIMARY KEY, n counter)",
            ] {
                _ = try await connection.query(text)
            }
            connection.close()
            // All are seen to be up, and links are there.
            try await cluster.clients.sleep(for: .seconds(3))
        }
        return cluster
    }

    private static func ids(
        _ cluster: SimulatedCluster, at node: Int, _ level: Consistency
    ) async throws -> [String] {
        let connection = try await cluster.clients.connect(to: cluster.nodes[node])
        defer { connection.close() }
        let options = QueryOptions(consistency: level)
        return try await connection.query("SELECT id FROM k.t", options: options).rows.map { $0.literal(at: 0) }
    }

    private static func batch(_ keys: Range<Int>, _ value: String) -> String {
        let inserts: [String] = keys.map { "INSERT INTO k.t (id, v) VALUES (\($0), '\(value)')" }
        return "BEGIN BATCH \(inserts.joined(separator: "; ")); APPLY BATCH"
    }

    @Test func aBatchWhoseCoordinatorDiesIsWrittenByThoseThatKeepIt() throws {
        // The last node shares its rack with the first, so that it keeps none of its batches.
        let cluster = try LostWritesTests.cluster(seed: 1, racks: ["r1", "r2", "r3", "r1"], replicas: 1)
        try cluster.run { cluster in
            let connection = try await cluster.clients.connect(to: cluster.node)
            _ = try await connection.query(LostWritesTests.batch(100..<120, "before"))
            cluster.world.network.split([cluster.nodes[0].machine], from: [cluster.nodes[3].machine])
            async let outcome: Void = {
                await #expect(throws: (any Error).self) {
                    _ = try await connection.query(LostWritesTests.batch(0..<40, "x"))
                }
            }()
            try await cluster.clients.sleep(for: .milliseconds(500))
            cluster.nodes[0].crash()
            await outcome
            try await cluster.clients.sleep(for: .seconds(30))
            try await cluster.nodes[0].restart()
            cluster.world.network.healAll()
            try await cluster.clients.sleep(for: .seconds(30))
            #expect(try await LostWritesTests.ids(cluster, at: 1, .one).count == 60)
        }
    }

    @Test(arguments: seeds(4)) func allOfABatchHappensOrNothing(seed: UInt64) throws {
        let cluster = try LostWritesTests.cluster(seed: seed, racks: ["r1", "r2", "r3"], replicas: 1)
        try cluster.run { cluster in
            let connection = try await cluster.clients.connect(to: cluster.node)
            async let acknowledged: Set<Int> = {
                var done: Set<Int> = []
                for round in 0..<200 {
                    do {
                        _ = try await connection.query(LostWritesTests.batch(round * 10..<(round * 10 + 10), "x"))
                        done.insert(round)
                    } catch { return done }
                }
                return done
            }()
            try await cluster.clients.sleep(for: .microseconds(5_000 + Int64(seed) * 777))
            cluster.nodes[0].crash()
            let done: Set<Int> = await acknowledged
            try await cluster.clients.sleep(for: .seconds(20))
            try await cluster.nodes[0].restart()
            try await cluster.clients.sleep(for: .seconds(60))
            var counts: [Int: Int] = [:]
            for id in try await LostWritesTests.ids(cluster, at: 1, .one) {
                counts[(Int(id) ?? 0) / 10, default: 0] += 1
            }
            #expect(counts.values.allSatisfy { $0 == 10 }, "seed \(seed): \(counts)")
            #expect(!done.isEmpty && done.count < 200 && done.allSatisfy { counts[$0] != nil }, "seed \(seed)")
        }
    }

    @Test func hintsFromBeforeATruncationBringNothingBack() throws {
        let cluster = try LostWritesTests.cluster(
            seed: 2, racks: ["r1", "r2", "r3"], replicas: 3, settings: ["hinted_handoff_throttle": "1KiB"])
        try cluster.run { cluster in
            cluster.nodes[2].kill()
            try await cluster.clients.sleep(for: .seconds(15))
            let connection = try await cluster.clients.connect(to: cluster.node)
            let options = QueryOptions(consistency: .quorum)
            let value = String(repeating: "x", count: 40_000)
            for id in 0..<30 {
                _ = try await connection.query("INSERT INTO k.t (id, v) VALUES (\(id), '\(value)')", options: options)
            }
            await #expect(throws: (any Error).self) { _ = try await connection.query("TRUNCATE k.t") }
            #expect(try await LostWritesTests.ids(cluster, at: 1, .quorum).count == 30)
            try await cluster.nodes[2].restart()
            try await cluster.clients.sleep(for: .seconds(5))
            _ = try await connection.query("TRUNCATE k.t")
            _ = try await connection.query("INSERT INTO k.t (id, v) VALUES (77, 'after')", options: options)
            try await cluster.clients.sleep(for: .seconds(1_800))
            for node in 0..<3 {
                let ids: [String] = try await LostWritesTests.ids(cluster, at: node, .nodeLocal)
                #expect(ids == ["77"], "node \(node)")
            }
        }
    }

    @Test func countersGoOnThroughEveryNodeWhileOneIsAway() throws {
        let cluster = try LostWritesTests.cluster(seed: 3, racks: ["r1", "r2", "r3"], replicas: 3)
        try cluster.run { cluster in
            func count(_ nodes: [Int]) async throws {
                for node in nodes {
                    let connection = try await cluster.clients.connect(to: cluster.nodes[node])
                    for id in 0..<10 {
                        _ = try await connection.query(
                            "UPDATE k.c SET n = n + 1 WHERE id = \(id)", options: QueryOptions(consistency: .quorum))
                    }
                    connection.close()
                }
            }
            try await count([0, 1, 2])
            cluster.nodes[1].crash()
            try await cluster.clients.sleep(for: .seconds(15))
            try await count([0, 2])
            try await cluster.nodes[1].restart()
            try await cluster.clients.sleep(for: .seconds(15))
            try await count([1])
            for node in 0..<3 {
                let connection = try await cluster.clients.connect(to: cluster.nodes[node])
                let rows = try await connection.query(
                    "SELECT n FROM k.c", options: QueryOptions(consistency: .all)
                ).rows
                #expect(rows.map { $0.literal(at: 0) } == Array(repeating: "6", count: 10))
            }
        }
    }
}
