import CQL
import DataModel
import Environment
import Glibc
import MartletClient
import Primitives
import SimulatedHost
import Simulation
import Testing

/// Whole nodes that miss writes for good, with hints switched off, and the repair that goes on always.
@Suite struct RepairRunTests {
    private static let settings: [String: String] = [
        "hinted_handoff_enabled": "false", "continuous_repair_window": "60s", "repair_throughput": "0MiB/s",
    ]
    private static let schema: [String] = [
        "CREATE KEYSPACE k WITH replication = {'class': 'NetworkTopologyStrategy', 'replication_factor': 3}",
        """
        CREATE TABLE k.t (id int PRIMARY KEY, v int) WITH gc_grace_seconds = 300
        AND tombstone_gc = {'mode': 'repair', 'propagation_delay_in_seconds': '0'} AND read_repair = 'NONE'
        """,
    ]

    private static func write(
        _ cluster: SimulatedCluster, _ node: Int, _ level: Consistency, _ statement: String
    ) async throws {
        let connection = try await cluster.clients.connect(to: cluster.nodes[node])
        _ = try await connection.query(statement, options: QueryOptions(consistency: level))
    }

    /// How many rows a node shows.
    private static func count(_ cluster: SimulatedCluster, _ node: Int, _ level: Consistency) async throws -> Int {
        let connection = try await cluster.clients.connect(to: cluster.nodes[node])
        return try await connection.query("SELECT id FROM k.t", options: QueryOptions(consistency: level)).rows.count
    }

    private static func begin(_ seed: UInt64) throws -> SimulatedCluster {
        let cluster = try SimulatedCluster(seed: seed, nodeCount: 3, shardCount: 1, settings: settings)
        try cluster.start()
        try cluster.run { cluster in
            for statement in schema { try await write(cluster, 0, .one, statement) }
        }
        return cluster
    }

    @Test func aNodeThatMissedWritesGetsThemWithoutAnybodysDoing() throws {
        let cluster = try RepairRunTests.begin(1)
        let counts: [Int] = try cluster.run { cluster in
            cluster.nodes[2].kill()
            try await cluster.clients.sleep(for: .seconds(20))
            for id in 0..<30 {
                try await RepairRunTests.write(cluster, 0, .quorum, "INSERT INTO k.t (id, v) VALUES (\(id), 1)")
            }
            try await cluster.nodes[2].restart()
            try await cluster.clients.sleep(for: .seconds(240))
            cluster.nodes[0].kill()
            cluster.nodes[1].kill()
            return [try await RepairRunTests.count(cluster, 2, .one)]
        }
        #expect(counts == [30])
    }

    /// Rows that are deleted while a node is away for longer than everything, and compactions meanwhile.
    fileprivate static func rowsThatReturn(_ seed: UInt64) throws -> Int {
        let cluster = try begin(seed)
        return try cluster.run { cluster in
            for id in 0..<20 { try await write(cluster, 0, .all, "INSERT INTO k.t (id, v) VALUES (\(id), 1)") }
            cluster.nodes[2].kill()
            try await cluster.clients.sleep(for: .seconds(20))
            for id in 0..<20 { try await write(cluster, 0, .quorum, "DELETE FROM k.t WHERE id = \(id)") }
            try await cluster.clients.sleep(for: .seconds(600))
            let table: UUID = try await id(cluster)
            for node in [0, 1] { cluster.nodes[node].tidy(merging: [table]) }
            try await cluster.clients.sleep(for: .seconds(20))
            try await cluster.nodes[2].restart()
            try await cluster.clients.sleep(for: .seconds(240))
            return try await count(cluster, 0, .all)
        }
    }

    private static func id(_ cluster: SimulatedCluster) async throws -> UUID {
        let connection = try await cluster.clients.connect(to: cluster.nodes[0])
        let rows = try await connection.query(
            "SELECT id FROM system_schema.tables WHERE keyspace_name = 'k' AND table_name = 't'"
        ).rows
        for row in rows {
            if let id = UUID(text: row.literal(at: 0)) { return id }
        }
        return UUID(high: 0, low: 0)
    }

    @Test func nothingDeletedReturnsWithANodeThatWasAway() throws {
        #expect(try RepairRunTests.rowsThatReturn(2) == 0)
    }

    /// What a node shows of rows that were deleted before they came to it, late.
    fileprivate static func lateRows(_ seed: UInt64) throws -> Int {
        let cluster = try begin(seed)
        return try cluster.run { cluster in
            cluster.nodes[2].kill()
            try await cluster.clients.sleep(for: .seconds(20))
            for id in 0..<10 {
                try await write(cluster, 0, .quorum, "DELETE FROM k.t USING TIMESTAMP 200 WHERE id = \(id)")
            }
            try await cluster.nodes[2].restart()
            // Long enough for a round, short enough for no tombstone to be purged on the last node.
            try await cluster.clients.sleep(for: .seconds(100))
            cluster.nodes[0].kill()
            cluster.nodes[1].kill()
            for id in 0..<10 {
                try await write(cluster, 2, .one, "INSERT INTO k.t (id, v) VALUES (\(id), 1) USING TIMESTAMP 100")
            }
            return try await count(cluster, 2, .one)
        }
    }

    @Test func deletionsOfNothingAreRepairedToo() throws {
        #expect(try RepairRunTests.lateRows(3) == 0)
    }
}

#if PLANTS
extension RunTests {
    @Test(.enabled(if: isAlone), arguments: [Plant.purgeBeforeWatermark, .leafIgnoresTombstones])
    func everyPlantedBugOfRepairIsFound(plant: Plant) throws {
        Plant.active = plant
        defer { Plant.active = nil }
        let rowCount: Int =
            plant == .purgeBeforeWatermark ? try RepairRunTests.rowsThatReturn(2) : try RepairRunTests.lateRows(3)
        #expect(rowCount > 0)
    }
}
#endif
