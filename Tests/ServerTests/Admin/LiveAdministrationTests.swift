import Administration
import Environment
import MartletClient
import Server
import SimulatedHost
import Simulation
import Testing

/// What the admin port says of real nodes.
@Suite struct LiveAdministrationTests {
    private static func client(_ cluster: SimulatedCluster, _ node: Int) -> AdminClient {
        AdminClient("127.0.0.1", port: 7_199, host: cluster.nodes[node].machine.host)
    }

    private static func get<Answer: Report>(
        _ path: String, _ query: [String: String] = [:], at node: Int = 0, of cluster: SimulatedCluster,
        as type: Answer.Type
    ) async throws -> Answer {
        try await client(cluster, node).get(path, query.map { HTTPRequest.Parameter($0, $1) }, as: type)
    }

    /// Three nodes in two datacenters, with a keyspace.
    private static func started() throws -> SimulatedCluster {
        let cluster = try SimulatedCluster(seed: 5, nodeCount: 3)
        for (index, node) in cluster.nodes.enumerated() {
            try node.configuration.set("rack", "r\(index + 1)")
        }
        try cluster.start()
        try cluster.run { cluster in
            let connection = try await cluster.clients.connect(to: cluster.nodes[0])
            for text in [
                "CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 2}",
                "CREATE TABLE k.t (id int PRIMARY KEY, v text)",
                "CREATE TABLE k.c (a text, b int, PRIMARY KEY ((a, b)))",
            ] {
                _ = try await connection.query(text)
            }
            connection.close()
        }
        try cluster.world.run(for: .seconds(5))
        return cluster
    }

    @Test func theRingShowsAllNodesAndWhatTheyOwn() throws {
        let cluster = try LiveAdministrationTests.started()
        try cluster.run { cluster in
            let status = try await LiveAdministrationTests.get("/status", of: cluster, as: RingReport.self)
            #expect(status.nodes.map(\.rack) == ["r1", "r2", "r3"])
            #expect(status.nodes.allSatisfy { $0.isUp && $0.state == .normal && $0.tokenCount == 16 })
            #expect(status.nodes.allSatisfy { $0.loadByteCount != nil && $0.tokens.isEmpty })
            #expect(status.isOwnershipEffective && status.note == nil)
            let whole: Double = status.nodes.reduce(0) { $0 + ($1.owned ?? 0) }
            #expect(abs(whole - 2) < 0.001)
            let ring = try await LiveAdministrationTests.get("/ring", at: 1, of: cluster, as: RingReport.self)
            #expect(Set(ring.nodes.flatMap(\.tokens)).count == 48)
        }
    }

    @Test func ownershipIsOfTheKeyspaceThatIsNamed() throws {
        let cluster = try LiveAdministrationTests.started()
        try cluster.run { cluster in
            let connection = try await cluster.clients.connect(to: cluster.nodes[0])
            _ = try await connection.query(
                "CREATE KEYSPACE j WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}")
            connection.close()
            func ring(_ keyspace: String?) async throws -> RingReport {
                try await LiveAdministrationTests.get(
                    "/status", keyspace.map { ["keyspace": $0] } ?? [:], of: cluster, as: RingReport.self)
            }
            #expect(try await ring("j").nodes.allSatisfy { abs(($0.owned ?? 0) - 1) < 0.001 })
            #expect(try await ring(nil).note?.hasPrefix("Non-system keyspaces don't have the same") == true)
            #expect(try await ring(nil).nodes.allSatisfy { $0.owned == nil })
            #expect(try await ring("system").note?.hasPrefix("Ownership values for keyspaces with Local") == true)
            await #expect(throws: AdminClientError.invalid("The keyspace x does not exist.")) { try await ring("x") }
        }
    }

    @Test func aNodeTellsOfItself() throws {
        let cluster = try LiveAdministrationTests.started()
        try cluster.run { cluster in
            let node = try await LiveAdministrationTests.get("/info", at: 2, of: cluster, as: NodeReport.self)
            #expect(node.endpoint.address == cluster.nodes[2].address.hostText)
            #expect(node.rack == "r3")
            #expect(node.isGossiping && node.isServingClients)
            #expect(node.tokens.count == 16)
            #expect(node.uptimeSeconds >= 5)
            let ready = try await LiveAdministrationTests.get("/ready", of: cluster, as: Readiness.self)
            #expect(ready.isReady)
            let version = try await LiveAdministrationTests.get("/version", of: cluster, as: VersionReport.self)
            #expect(version.protocols == [3, 4, 5])
        }
    }

    @Test func aNodeThatHasLeftSaysSo() throws {
        let cluster = try LiveAdministrationTests.started()
        try cluster.run { cluster in
            func network(_ node: Int) async throws -> NetworkReport {
                try await LiveAdministrationTests.get("/netstats", at: node, of: cluster, as: NetworkReport.self)
            }
            #expect(try await network(2).mode == "NORMAL")
            let end = try await LiveAdministrationTests.client(cluster, 2).operate("/ring/decommission", []) { _ in }
            #expect(end.state == .done)
            #expect(try await network(2).mode == "DECOMMISSIONED")
            let node = try await LiveAdministrationTests.get("/info", at: 2, of: cluster, as: NodeReport.self)
            #expect(node.state == .left && node.tokens.isEmpty && !node.isServingClients)
            let own = try await LiveAdministrationTests.get("/status", at: 2, of: cluster, as: RingReport.self)
            #expect(own.nodes.count == 2 && own.note == "The node that was asked has left the ring")
            let others = try await LiveAdministrationTests.get("/status", of: cluster, as: RingReport.self)
            #expect(others.nodes.count == 2 && others.note == nil)
            // What it cannot do any more it says in its own words.
            await #expect(throws: AdminClientError.self) {
                _ = try await LiveAdministrationTests.client(cluster, 2).operate(
                    "/ring/removenode", [HTTPRequest.Parameter("node", "nobody")]
                ) { _ in }
            }
        }
    }

    @Test func aRequestForWorkThatIsWrongIsRefusedInWords() throws {
        let cluster = try LiveAdministrationTests.started()
        try cluster.run { cluster in
            await #expect(throws: AdminClientError.invalid("Host ID nobody not found.")) {
                _ = try await LiveAdministrationTests.client(cluster, 0).operate(
                    "/ring/removenode", [HTTPRequest.Parameter("node", "nobody")]
                ) { _ in }
            }
            let alive: String = cluster.nodes[1].address.hostText
            await #expect(
                throws: AdminClientError.failed(
                    "The node is alive: 'nodetool decommission' on it takes it out of the ring.")
            ) {
                _ = try await LiveAdministrationTests.client(cluster, 0).post(
                    "/ring/assassinate", [HTTPRequest.Parameter("node", alive)])
            }
        }
    }

    @Test(arguments: ["gossip_info", "internode_inbound", "queries", "system_logs", "streaming", "repairs"])
    func viewsOfTheClusterAreThere(view: String) throws {
        let cluster = try LiveAdministrationTests.started()
        try cluster.run { cluster in
            let connection = try await cluster.clients.connect(to: cluster.nodes[0])
            let rows = try await connection.query("SELECT * FROM system_views.\(view)").rows.count
            switch view {
            case "gossip_info": #expect(rows == 3)
            case "internode_inbound": #expect(rows == 2)
            // The statement itself is under way.
            case "queries": #expect(rows >= 1)
            default: break
            }
            connection.close()
        }
    }

    @Test func theClusterIsDescribed() throws {
        let cluster = try LiveAdministrationTests.started()
        try cluster.run { cluster in
            let report = try await LiveAdministrationTests.get("/cluster", of: cluster, as: ClusterReport.self)
            #expect(report.schemaVersions.map(\.endpoints.count) == [3])
            #expect(report.releaseVersions.map(\.endpoints.count) == [3])
            #expect(report.liveCount == 3 && report.unreachable.isEmpty)
            #expect(report.datacenters == [.init(name: "datacenter1", nodeCount: 3, downCount: 0)])
            let keyspace: ClusterReport.Keyspace? = report.keyspaces.first { $0.name == "k" }
            #expect(keyspace?.replicationClass == "SimpleStrategy")
            #expect(keyspace?.options == [HTTPRequest.Parameter("replication_factor", "2")])
            #expect(report.voters.count == 3)
        }
    }

    @Test func gossipAndMessagesAreShown() throws {
        let cluster = try LiveAdministrationTests.started()
        try cluster.run { cluster in
            let gossip = try await LiveAdministrationTests.get("/gossipinfo", of: cluster, as: GossipReport.self)
            #expect(gossip.nodes.count == 3)
            for node in gossip.nodes {
                let names: [String] = node.values.map(\.name)
                for name in ["STATUS_WITH_PORT", "LOAD", "SCHEMA", "DC", "RACK", "HOST_ID", "TOKENS"] {
                    #expect(names.contains(name), "\(name)")
                }
            }
            let detector = try await LiveAdministrationTests.get(
                "/failuredetector", of: cluster, as: DetectorReport.self)
            #expect(detector.nodes.count == 2 && detector.nodes.allSatisfy { $0.isUp && $0.phi < 8 })
            let network = try await LiveAdministrationTests.get("/netstats", of: cluster, as: NetworkReport.self)
            #expect(network.mode == "NORMAL")
            #expect(network.pools.map(\.name) == ["Large messages", "Small messages", "Gossip messages"])
            #expect((network.pools.last?.completed ?? 0) > 5)
            #expect(Set(network.peers.map(\.endpoint)).count == 2)
        }
    }

    @Test func aNodeThatIsKilledIsShownDown() throws {
        let cluster = try LiveAdministrationTests.started()
        try cluster.run { cluster in cluster.nodes[1].kill() }
        try cluster.world.run(for: .seconds(15))
        try cluster.run { cluster in
            let status = try await LiveAdministrationTests.get("/status", of: cluster, as: RingReport.self)
            #expect(status.nodes.map(\.isUp) == [true, false, true])
            let report = try await LiveAdministrationTests.get("/cluster", of: cluster, as: ClusterReport.self)
            #expect(report.liveCount == 2 && report.unreachable.count == 1)
            #expect(report.datacenters.first?.downCount == 1)
        }
    }

    @Test func replicasAreThoseOfTheKey() throws {
        let cluster = try LiveAdministrationTests.started()
        try cluster.run { cluster in
            func ask(_ keyspace: String, _ table: String, _ key: String) async throws -> ReplicasReport {
                try await LiveAdministrationTests.get(
                    "/endpoints", ["keyspace": keyspace, "table": table, "key": key], of: cluster,
                    as: ReplicasReport.self)
            }
            let connection = try await cluster.clients.connect(to: cluster.nodes[0])
            _ = try await connection.query("INSERT INTO k.t (id, v) VALUES (7, 'x')")
            _ = try await connection.query("INSERT INTO k.c (a, b) VALUES ('x:y', 2)")
            let simple = try await connection.query("SELECT token(id) FROM k.t WHERE id = 7").rows
            let composite = try await connection.query("SELECT token(a, b) FROM k.c WHERE a = 'x:y' AND b = 2").rows
            #expect(simple.map { $0.literal(at: 0) } == [String(try await ask("k", "t", "7").token)])
            #expect(composite.map { $0.literal(at: 0) } == [String(try await ask("k", "c", "x\\:y:2").token)])
            #expect(Set(try await ask("k", "t", "7").endpoints).count == 2)
            for (keyspace, table, key) in [
                ("x", "t", "7"), ("k", "x", "7"), ("k", "t", "seven"), ("k", "c", "a"), ("k", "c", "a:b"),
            ] {
                await #expect(throws: AdminClientError.self) { _ = try await ask(keyspace, table, key) }
            }
        }
    }

    @Test func hintsAreSwitchedAndForgotten() throws {
        let cluster = try LiveAdministrationTests.started()
        try cluster.run { cluster in
            func handoff() async throws -> HandoffReport {
                try await LiveAdministrationTests.get("/hints", of: cluster, as: HandoffReport.self)
            }
            let client: AdminClient = LiveAdministrationTests.client(cluster, 0)
            #expect(try await handoff().isEnabled)
            try await client.post("/hints/disable")
            #expect(try await !handoff().isEnabled)
            try await client.post("/hints/enable")
            #expect(try await handoff().isEnabled)
            let pending = try await LiveAdministrationTests.get(
                "/hints/pending", of: cluster, as: PendingHintsReport.self)
            #expect(pending.targets.isEmpty)
            try await client.post("/hints/truncate")
            try await client.post(
                "/hints/truncate", [HTTPRequest.Parameter("node", cluster.nodes[1].address.hostText)])
            await #expect(throws: AdminClientError.invalid("There is no node 9.9.9.9.")) {
                try await client.post("/hints/truncate", [HTTPRequest.Parameter("node", "9.9.9.9")])
            }
        }
    }

    @Test func aNodeThatWaitsForItsClusterSaysSo() throws {
        let cluster = try SimulatedCluster(seed: 1)
        try cluster.node.configuration.set("seeds", "10.9.9.9")
        let host: Host = cluster.node.machine.host
        try cluster.run { cluster in
            let node: SimulatedNode = cluster.node
            host.background.run("start", on: host.loops[0]) { try? await node.start() }
            try await host.time.sleep(for: .seconds(5))
            let client: AdminClient = LiveAdministrationTests.client(cluster, 0)
            let starting = AdminClientError.failed("The node is starting.")
            await #expect(throws: starting) { try await client.get("/ready", as: Readiness.self) }
            await #expect(throws: starting) { try await client.get("/info", as: NodeReport.self) }
            await #expect(throws: starting) { try await client.post("/hints/disable") }
            #expect(try await client.get("/version", as: VersionReport.self).protocols == [3, 4, 5])
        }
        // The start gives up, and the port goes with it.
        try cluster.world.run(for: .seconds(120))
        try cluster.run { cluster -> Void in
            await #expect(throws: AdminClientError.refused(host: "127.0.0.1", port: 7_199)) {
                try await LiveAdministrationTests.client(cluster, 0).get("/ready", as: Readiness.self)
            }
        }
    }
}
