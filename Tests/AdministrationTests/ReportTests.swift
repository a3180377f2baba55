import Administration
import DataModel
import Testing

@Suite struct ReportTests {
    private func comesBack<Value: Report>(_ report: Value) throws {
        let read = try Value(json: try JSONValue(parsing: report.json.compactText))
        #expect(read == report)
        #expect(try Value(json: try JSONValue(parsing: report.json.indentedText)) == report)
    }

    @Test func readinessAndVersionComeBack() throws {
        try comesBack(Readiness(isReady: true))
        try comesBack(Readiness(isReady: false, reason: "It waits for a \"majority\".\n"))
        try comesBack(VersionReport(release: "5.0.4", cql: "3.4.7", protocols: [3, 4, 5]))
    }

    @Test func theRingComesBackWithEveryToken() throws {
        let node = RingNode(
            id: "00000000-0000-0000-0000-000000000001", endpoint: Endpoint("127.0.0.1", 7_000),
            native: Endpoint("127.0.0.1", 9_042), datacenter: "dc1", rack: "r1", isUp: true, state: .joining,
            loadByteCount: 12, tokenCount: 2, owned: 1.0 / 3, releaseVersion: "5.0.4",
            tokens: [.min, 9_007_199_254_740_993])
        var other: RingNode = node
        other.loadByteCount = nil
        other.owned = nil
        other.tokens = []
        other.isUp = false
        try comesBack(RingReport(keyspace: "k", isOwnershipEffective: true, note: nil, nodes: [node]))
        try comesBack(RingReport(keyspace: nil, isOwnershipEffective: false, note: "x", nodes: [node, other]))
        try comesBack(RingReport(keyspace: nil, isOwnershipEffective: false, note: nil, nodes: []))
    }

    @Test func nodesAreSortedByDatacenterAndByTheNumbersOfTheirAddress() {
        func node(_ address: String, _ datacenter: String) -> RingNode {
            RingNode(
                id: address, endpoint: Endpoint(address, 7_000), native: Endpoint(address, 9_042),
                datacenter: datacenter, rack: "r", isUp: true, state: .normal, loadByteCount: 0, tokenCount: 0,
                owned: nil, releaseVersion: "")
        }
        let nodes: [RingNode] = [node("127.0.0.10", "a"), node("127.0.0.1", "b"), node("127.0.0.2", "a")]
        let report = RingReport(keyspace: nil, isOwnershipEffective: false, note: nil, nodes: nodes)
        #expect(report.nodes.map(\.id) == ["127.0.0.2", "127.0.0.10", "127.0.0.1"])
        #expect(report.datacenters == ["a", "b"])
    }

    @Test func theClusterComesBack() throws {
        try comesBack(
            ClusterReport(
                name: "c", clusterID: "id", snitch: "SimpleSnitch", isSnitchDynamic: true, partitioner: "p", epoch: 7,
                voters: ["a"], schemaVersions: [.init(version: "v", endpoints: [Endpoint("127.0.0.1", 1)])],
                unreachable: [Endpoint("::1", 2)], liveCount: 1, joiningCount: 2, movingCount: 3, leavingCount: 4,
                datacenters: [.init(name: "dc1", nodeCount: 2, downCount: 1)], releaseVersions: [],
                keyspaces: [
                    .init(
                        name: "k", replicationClass: "SimpleStrategy",
                        options: [HTTPRequest.Parameter("replication_factor", "3")])
                ]))
    }

    @Test func gossipMessagesAndHintsComeBack() throws {
        let endpoint = Endpoint("127.0.0.1", 7_000)
        try comesBack(
            GossipReport(nodes: [
                .init(
                    id: "a", endpoint: endpoint, isUp: true, generation: 1, heartbeat: 2,
                    values: [.init(name: "LOAD", version: 3, value: "12.5")])
            ]))
        try comesBack(
            DetectorReport(nodes: [
                .init(endpoint: endpoint, isUp: false, phi: 0.125, meanIntervalMilliseconds: 1_000.5)
            ]))
        try comesBack(
            NetworkReport(
                mode: "NORMAL", readRepairsAttempted: 1, readRepairsBlocking: 2, readRepairsBackground: nil,
                pools: [.init(name: "Gossip messages", pending: 1, completed: 2, dropped: 3)],
                peers: [
                    .init(
                        endpoint: endpoint, lane: "data", connections: 1, sentMessages: 2, sentBytes: 3,
                        receivedMessages: 4, receivedBytes: 5, timedOut: 6, failed: 7, dropped: 8, pendingRequests: 9,
                        pendingBytes: 10)
                ]))
        try comesBack(HandoffReport(isEnabled: false, disabledDatacenters: ["dc2"]))
        try comesBack(
            PendingHintsReport(targets: [
                .init(
                    id: "a", endpoint: endpoint, datacenter: "dc1", rack: "r1", isUp: true, fileCount: 1, byteCount: 2,
                    oldestMicroseconds: 3, newestMicroseconds: 4),
                .init(
                    id: "b", endpoint: nil, datacenter: nil, rack: nil, isUp: false, fileCount: 1, byteCount: 2,
                    oldestMicroseconds: nil, newestMicroseconds: nil),
            ]))
        try comesBack(ReplicasReport(token: .min, endpoints: [endpoint]))
        try comesBack(FailureReport(reason: "x"))
    }

    @Test(arguments: ["[]", "{}", "{\"ready\":1}", "{\"ready\":null}", "{\"ready\":\"true\"}"])
    func tellsWhatIsNoReport(text: String) throws {
        let json = try JSONValue(parsing: text)
        #expect(throws: MalformedReport.self) { try Readiness(json: json) }
    }

    @Test func passesOverMembersThatItDoesNotKnow() throws {
        let json = try JSONValue(parsing: "{\"ready\":true,\"later\":[1]}")
        #expect(try Readiness(json: json) == Readiness(isReady: true))
    }

    @Test func indentsWhatPeopleRead() {
        let json: JSONValue = .record(["a": .integer(1), "b": .array([]), "c": .array([.null, .boolean(true)])])
        #expect(json.indentedText == "{\n  \"a\": 1,\n  \"b\": [],\n  \"c\": [\n    null,\n    true\n  ]\n}")
        #expect(json.compactText == "{\"a\":1,\"b\":[],\"c\":[null,true]}")
        #expect(JSONValue.decimal(.nan).compactText == "null")
    }
}
