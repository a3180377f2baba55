import CQL
import DataModel
import Environment
import MartletClient
import Server
import SimulatedHost
import Simulation
import Testing

/// Whole nodes that come into a ring with data, and go.
@Suite struct RingTests {
    private static let rowCount = 60

    /// A cluster whose first nodes run and hold rows; the others have not been started.
    private func loaded(
        seed: UInt64, nodeCount: Int, running: Int, settings: [String: String] = [:]
    ) throws -> SimulatedCluster {
        let cluster = try SimulatedCluster(seed: seed, nodeCount: nodeCount, settings: settings)
        try cluster.run { cluster in
            for index in 0..<running { try await cluster.nodes[index].start() }
            let client = try await cluster.clients.connect(to: cluster.nodes[0])
            _ = try await client.query(
                "CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}")
            _ = try await client.query("CREATE TABLE k.t (id int PRIMARY KEY, v text)")
            for id in 0..<RingTests.rowCount {
                _ = try await client.query(
                    "INSERT INTO k.t (id, v) VALUES (\(id), 'value \(id)')", options: QueryOptions(consistency: .quorum)
                )
            }
            client.close()
        }
        return cluster
    }

    /// How many rows are found one by one at a node.
    private static func count(
        _ cluster: SimulatedCluster, at index: Int, _ level: Consistency = .quorum
    ) async throws -> Int {
        let client = try await cluster.clients.connect(to: cluster.nodes[index])
        defer { client.close() }
        var count = 0
        for id in 0..<rowCount {
            count += try await client.query(
                "SELECT v FROM k.t WHERE id = \(id)", options: QueryOptions(consistency: level)
            ).rows.count
        }
        return count
    }

    @Test func aNodeThatComesToDataHasItBeforeItTakesClients() throws {
        let cluster = try loaded(seed: 11, nodeCount: 4, running: 3)
        try cluster.run { cluster in
            try await cluster.nodes[3].start()
            #expect(try await RingTests.count(cluster, at: 3) == RingTests.rowCount)
            #expect(cluster.nodes[3].running?.owners.count == 4)
            // Everything is there without two of the others: each row has a replica among the two that live.
            cluster.nodes[0].kill()
            cluster.nodes[1].kill()
            try await cluster.clients.sleep(for: .seconds(15))
            #expect(try await RingTests.count(cluster, at: 3, .one) == RingTests.rowCount)
        }
    }

    @Test func aNodeThatLeavesHandsOverWhatItHas() throws {
        let cluster = try loaded(seed: 12, nodeCount: 4, running: 4)
        try cluster.run { cluster in
            let isDone: Bool = try await cluster.nodes[1].carryOut { try await $0.decommission() }
            #expect(isDone)
            cluster.nodes[1].kill()
            #expect(cluster.nodes[0].running?.owners.count == 3)
            #expect(try await RingTests.count(cluster, at: 2) == RingTests.rowCount)
            #expect(try await RingTests.count(cluster, at: 0, .all) == RingTests.rowCount)
            await #expect(throws: (any Error).self) { try await cluster.nodes[1].restart() }
        }
    }

    @Test func aDeadNodeIsReplacedByANewOneWithItsTokens() throws {
        let cluster = try loaded(seed: 13, nodeCount: 4, running: 3)
        try cluster.run { cluster in
            cluster.nodes[2].kill()
            try await cluster.clients.sleep(for: .seconds(15))
            let address: String = cluster.nodes[2].address.hostText
            try cluster.nodes[3].configuration.set("replace_address_first_boot", address)
            try await cluster.nodes[3].start()
            #expect(cluster.nodes[3].running?.owners.count == 3)
            #expect(try await RingTests.count(cluster, at: 3, .all) == RingTests.rowCount)
            // Whoever has been replaced does not come back.
            await #expect(throws: (any Error).self) { try await cluster.nodes[2].restart() }
        }
    }

    @Test func aDeadNodeIsTakenOut() throws {
        let cluster = try loaded(seed: 14, nodeCount: 4, running: 4)
        try cluster.run { cluster in
            let id = try #require(cluster.nodes[3].running?.hostID)
            cluster.nodes[3].kill()
            try await cluster.clients.sleep(for: .seconds(15))
            let isDone: Bool = try await cluster.nodes[0].carryOut { try await $0.remove(id) }
            #expect(isDone)
            #expect(try await RingTests.count(cluster, at: 1, .all) == RingTests.rowCount)
        }
    }

    @Test func aJoinGoesOnAfterARestart() throws {
        for seed in seeds(3) {
            let cluster = try loaded(seed: seed, nodeCount: 4, running: 3)
            try cluster.run { cluster in
                let world: SimulatedWorld = cluster.world
                cluster.clients.host.background.run("start", on: cluster.clients.host.loops[0]) {
                    do { try await cluster.nodes[3].start() } catch {
                        // It is killed in the middle.
                    }
                }
                try await cluster.clients.sleep(for: .milliseconds(Int64(200 + world.nowNanoseconds % 3_000)))
                try await cluster.nodes[3].restart()
                try await cluster.clients.sleep(for: .seconds(3))
                #expect(try await RingTests.count(cluster, at: 3) == RingTests.rowCount, "seed \(seed)")
                #expect(cluster.nodes[3].running?.owners.count == 4, "seed \(seed)")
            }
        }
    }
}
