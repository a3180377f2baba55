import Administration
import DataModel
import DevelopmentCluster
import Testing

@Suite struct ClusterPlanTests {
    private func plan(_ datacenters: String, settings: [String] = []) throws -> ClusterPlan {
        try ClusterPlan(name: "c", datacenters: DatacenterSize.parse(datacenters), settings: settings)
    }

    @Test func numbersNodesFromOneAndSpreadsThemOverRacks() throws {
        let nodes: [ClusterPlan.Node] = try plan("dc1:4").nodes
        #expect(nodes.map(\.address) == ["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"])
        #expect(nodes.map(\.rack) == ["r1", "r2", "r3", "r1"])
    }

    @Test func givesEachDatacenterItsNodesAndASeed() throws {
        let plan: ClusterPlan = try plan("east:3,west:1")
        #expect(plan.nodes.map(\.datacenter) == ["east", "east", "east", "west"])
        #expect(plan.nodes.map(\.rack) == ["r1", "r2", "r3", "r1"])
        #expect(plan.seeds == ["127.0.0.1", "127.0.0.2", "127.0.0.4"])
        #expect(plan.datacenters == [DatacenterSize(name: "east", count: 3), DatacenterSize(name: "west", count: 1)])
    }

    @Test func addsWhereTheFewestNodesAreUnlessTold() throws {
        var plan: ClusterPlan = try plan("east:2,west:1")
        _ = try plan.add()
        _ = try plan.add(to: "north")
        #expect(plan.nodes.suffix(2).map { "\($0.number) \($0.datacenter) \($0.rack)" } == ["4 west r2", "5 north r1"])
    }

    @Test func startsANodeWithAllThatItMustKnow() throws {
        let plan: ClusterPlan = try plan("dc1:2", settings: ["shards=4"])
        let line: String = plan.arguments(of: plan.nodes[1], dataDirectory: "/d/node2/data").joined(separator: " ")
        #expect(
            line
                == "node --data-dir /d/node2/data --listen 127.0.0.2 --native-port 9042 --internode-port 7000 "
                + "--admin-port 7199 --seeds 127.0.0.1,127.0.0.2 --cluster-name c --dc dc1 --rack r2 "
                + "--set shards=1 --set memtable_heap_space=64MiB --set file_cache_size=32MiB --set shards=4")
    }

    @Test func comesBackFromItsFile() throws {
        var plan: ClusterPlan = try plan("east:2,west:1", settings: ["a=b=c"])
        _ = try plan.add()
        #expect(try ClusterPlan(json: try JSONValue(parsing: plan.json.indentedText)) == plan)
    }

    @Test func hasALimit() throws {
        var plan: ClusterPlan = try plan("dc1:100")
        #expect(plan.nodes.last?.address == "127.0.0.100")
        #expect(throws: ClusterFailure("A cluster on one machine has at most 100 nodes.")) { try plan.add() }
        #expect(throws: ClusterFailure.self) { try self.plan("dc1:101") }
        #expect(throws: ClusterFailure.self) { try self.plan("dc1:9223372036854775807") }
    }

    @Test(arguments: ["", "dc1", "dc1:", ":3", "dc1:0", "dc1:-1", "dc1:x", "dc1:3,", "dc1:1,dc1:2", "dc1:1:2"])
    func refusesWhatAreNoDatacenters(text: String) {
        #expect(throws: ClusterFailure.self) { try DatacenterSize.parse(text) }
    }

    @Test func refusesPortsThatCollide() throws {
        var ports = ClusterPorts()
        ports.admin = ports.native
        let sizes: [DatacenterSize] = [DatacenterSize(name: "dc1", count: 1)]
        #expect(throws: ClusterFailure.self) { try ClusterPlan(name: "c", datacenters: sizes, ports: ports) }
        ports.admin = 0
        #expect(throws: ClusterFailure.self) { try ClusterPlan(name: "c", datacenters: sizes, ports: ports) }
    }

    @Test func namesTheNodesThatThereAre() throws {
        #expect(throws: ClusterFailure("There is no node 4; the cluster has the nodes 1, 2, 3.")) {
            try self.plan("dc1:3").node(4)
        }
    }
}
