import CQL
import Environment
import MartletClient
import SimulatedHost
import Simulation
import Testing

/// Changes of the schema that a node's disk does not let it carry out at once.
@Suite struct SchemaFaultTests {
    private static let keyspace =
        "CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}"

    /// The message of the error that a statement is refused with; nil when it succeeds.
    private static func refusal(_ text: String, _ connection: CQLConnection) async -> String? {
        do {
            _ = try await connection.query(text)
            return nil
        } catch { return "\(error)" }
    }

    @Test func aTableThatStorageCanNotRemoveIsGoneForClientsAndRemovedLater() throws {
        let cluster = try NodeFixture.started()
        let files: @Sendable () -> Int = {
            cluster.node.machine.disk.files().count { $0.hasSuffix(".sst") && !$0.contains("/snapshots/") }
        }
        try cluster.run { cluster in
            let connection = try await cluster.clients.connect(to: cluster.node)
            for key in 0..<50 { _ = try await connection.query("INSERT INTO k.t (id, v) VALUES (\(key), 'x')") }
            await cluster.node.stop()
            try await cluster.node.restart()
            let again = try await cluster.clients.connect(to: cluster.node)
            let before: Int = files()
            cluster.node.machine.disk.faults.failingPathPart = "manifest"
            cluster.node.machine.disk.faults.failureProbability = 1
            #expect(await SchemaFaultTests.refusal("DROP TABLE k.t", again) == nil)
            #expect(await SchemaFaultTests.refusal("SELECT * FROM k.t", again) != nil)
            try await cluster.clients.sleep(for: .seconds(20))
            #expect(files() >= before)
            cluster.node.machine.disk.faults.failureProbability = 0
            try await cluster.clients.sleep(for: .seconds(40))
            #expect(files() < before)
            #expect(await SchemaFaultTests.refusal(NodeFixture.table, again) == nil)
            #expect(try await again.query("SELECT * FROM k.t").rows.isEmpty)
        }
        #expect(cluster.node.logLines.contains { $0.contains("still on the disk") })
    }

    @Test func aChangeThatItsCoordinatorCanNotKeepIsToldAsDecidedAndComesByItself() throws {
        let cluster = try SimulatedCluster(seed: 9, nodeCount: 3)
        try cluster.start()
        try cluster.run { cluster in
            let first = try await cluster.clients.connect(to: cluster.nodes[0])
            _ = try await first.query(SchemaFaultTests.keyspace)
            cluster.nodes[0].machine.disk.faults.failingPathPart = "metadata/edit"
            cluster.nodes[0].machine.disk.faults.failureProbability = 1
            let told: String = await SchemaFaultTests.refusal(NodeFixture.table, first) ?? ""
            #expect(told.contains("was decided and will come into force"), "\(told)")
            let other = try await cluster.clients.connect(to: cluster.nodes[1])
            #expect(try await other.query("SELECT * FROM k.t").rows.isEmpty)
            #expect(await SchemaFaultTests.refusal("SELECT * FROM k.t", first) != nil)
            cluster.nodes[0].machine.disk.faults.failureProbability = 0
            try await cluster.clients.sleep(for: .seconds(5))
            #expect(try await first.query("SELECT * FROM k.t").rows.isEmpty)
        }
    }

    @Test func aChangeThatANodeAloneCanNotKeepIsRefusedAndCanBeMadeAgain() throws {
        let cluster = try NodeFixture.started()
        try cluster.run { cluster in
            let connection = try await cluster.clients.connect(to: cluster.node)
            let used: Int = cluster.node.machine.disk.usedByteCount
            cluster.node.machine.disk.faults.capacityByteCount = used
            let told: String =
                await SchemaFaultTests.refusal("CREATE TABLE k.later (id int PRIMARY KEY)", connection) ?? ""
            #expect(told.contains("could not keep the change"), "\(told)")
            cluster.node.machine.disk.faults.capacityByteCount = nil
            #expect(await SchemaFaultTests.refusal("CREATE TABLE k.later (id int PRIMARY KEY)", connection) == nil)
            #expect(try await connection.query("SELECT * FROM k.later").rows.isEmpty)
        }
    }
}
