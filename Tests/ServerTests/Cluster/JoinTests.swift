import CQL
import Environment
import MartletClient
import SimulatedHost
import Simulation
import Testing

/// Nodes that find each other, agree, and notice who is there.
@Suite struct JoinTests {
    private static func peers(_ cluster: SimulatedCluster, at node: Int) async throws -> Int {
        let connection = try await cluster.clients.connect(to: cluster.nodes[node])
        defer { connection.close() }
        return try await connection.query("SELECT peer, schema_version FROM system.peers_v2").rows.count
    }

    @Test func threeNodesWithTheSameSeedsAreOneCluster() throws {
        let cluster = try SimulatedCluster(seed: 3, nodeCount: 3)
        try cluster.start()
        let counts: [Int] = try cluster.run { cluster in
            var counts: [Int] = []
            for index in 0..<3 { counts.append(try await JoinTests.peers(cluster, at: index)) }
            return counts
        }
        #expect(counts == [2, 2, 2])
    }

    @Test func aTableThatOneNodeMakesIsThereOnAllBeforeTheClientHearsOfIt() throws {
        let cluster = try SimulatedCluster(seed: 4, nodeCount: 3)
        try cluster.start()
        try cluster.run { cluster in
            let first = try await cluster.clients.connect(to: cluster.nodes[0])
            _ = try await first.query(
                "CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}")
            _ = try await first.query("CREATE TABLE k.t (id int PRIMARY KEY, v text)")
            for index in 1..<3 {
                let other = try await cluster.clients.connect(to: cluster.nodes[index])
                _ = try await other.query("SELECT * FROM k.t WHERE id = 1")
                let versions = try await other.query("SELECT schema_version FROM system.peers_v2").rows
                let own = try await other.query("SELECT schema_version FROM system.local").rows
                #expect(Set(versions.map { $0.literal(at: 0) }) == Set(own.map { $0.literal(at: 0) }))
            }
        }
    }

    @Test func theSameTableMadeOnTwoNodesAtOnceIsOneTable() throws {
        for seed in seeds(3) {
            let cluster = try SimulatedCluster(seed: seed, nodeCount: 3)
            try cluster.start()
            let ids: [String] = try cluster.run { cluster in
                let first = try await cluster.clients.connect(to: cluster.nodes[0])
                _ = try await first.query(
                    "CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}")
                await withTaskGroup(of: Void.self) { group in
                    for index in 0..<3 {
                        group.addTask {
                            guard let connection = try? await cluster.clients.connect(to: cluster.nodes[index]) else {
                                return
                            }
                            _ = try? await connection.query("CREATE TABLE k.t (id int PRIMARY KEY, v text)")
                        }
                    }
                }
                var ids: [String] = []
                for index in 0..<3 {
                    let connection = try await cluster.clients.connect(to: cluster.nodes[index])
                    let rows = try await connection.query(
                        "SELECT id FROM system_schema.tables WHERE keyspace_name = 'k' AND table_name = 't'"
                    ).rows
                    ids += rows.map { $0.literal(at: 0) }
                }
                return ids
            }
            #expect(ids.count == 3 && Set(ids).count == 1, "seed \(seed): \(ids)")
        }
    }

    @Test func aNodeThatRestartsComesBackFromItsOwnDisk() throws {
        let cluster = try SimulatedCluster(seed: 5, nodeCount: 3)
        try cluster.start()
        try cluster.run { cluster in
            cluster.nodes[1].kill()
            let first = try await cluster.clients.connect(to: cluster.nodes[0])
            _ = try await first.query(
                "CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}")
            _ = try await first.query("CREATE TABLE k.t (id int PRIMARY KEY, v text)")
            try await cluster.nodes[1].restart()
            try await cluster.clients.sleep(for: .seconds(3))
            let other = try await cluster.clients.connect(to: cluster.nodes[1])
            _ = try await other.query("SELECT * FROM k.t WHERE id = 1")
            #expect(try await JoinTests.peers(cluster, at: 1) == 2)
        }
    }
}
