import Administration
import DataModel
import Testing

@testable import Nodetool

/// The forms that scripts read: every blank counts.
@Suite struct NodetoolTextTests {
    private func node(
        _ number: Int, _ datacenter: String = "dc1", isUp: Bool = true, state: RingState = .normal, load: Int? = 21_790,
        owned: Double? = 2.0 / 3, tokens: [Int64] = []
    ) -> RingNode {
        RingNode(
            id: "00000000-0000-0000-0000-00000000000\(number)", endpoint: Endpoint("127.0.0.\(number)", 7_000),
            native: Endpoint("127.0.0.\(number)", 9_042), datacenter: datacenter, rack: "r\(number)", isUp: isUp,
            state: state, loadByteCount: load, tokenCount: tokens.isEmpty ? 16 : tokens.count, owned: owned,
            releaseVersion: "5.0.4", tokens: tokens)
    }

    @Test func statusShowsADatacenterAfterTheOther() {
        let report = RingReport(
            keyspace: "k", isOwnershipEffective: true, note: nil,
            nodes: [
                node(1), node(2, isUp: false, load: nil), node(3, "east", state: .joining, load: 0, owned: nil),
                node(4, state: .leaving, load: 5 << 30, owned: 1),
            ])
        #expect(
            RingText.status(report, withPorts: false) == """
                Datacenter: dc1
                ===============
                Status=Up/Down
                |/ State=Normal/Leaving/Joining/Moving
                --  Address    Load       Tokens  Owns (effective)  Host ID                               Rack
                UN  127.0.0.1  21.28 KiB  16      66.7%             00000000-0000-0000-0000-000000000001  r1
                DN  127.0.0.2  ?          16      66.7%             00000000-0000-0000-0000-000000000002  r2
                UL  127.0.0.4  5 GiB      16      100.0%            00000000-0000-0000-0000-000000000004  r4

                Datacenter: east
                ================
                Status=Up/Down
                |/ State=Normal/Leaving/Joining/Moving
                --  Address    Load       Tokens  Owns (effective)  Host ID                               Rack
                UJ  127.0.0.3  0 bytes    16      ?                 00000000-0000-0000-0000-000000000003  r3


                """)
    }

    @Test func statusSaysWhyOwnershipIsNotEffective() {
        let report = RingReport(
            keyspace: nil, isOwnershipEffective: false, note: "Keyspaces differ.", nodes: [node(1, owned: nil)])
        #expect(
            RingText.status(report, withPorts: true) == """
                Datacenter: dc1
                ===============
                Status=Up/Down
                |/ State=Normal/Leaving/Joining/Moving
                --  Address         Load       Tokens  Owns  Host ID                               Rack
                UN  127.0.0.1:7000  21.28 KiB  16      ?     00000000-0000-0000-0000-000000000001  r1

                Note: Keyspaces differ.

                """)
    }

    @Test func ringShowsEveryTokenInTheirOrder() {
        let report = RingReport(
            keyspace: nil, isOwnershipEffective: true, note: nil,
            nodes: [node(1, owned: 0.5, tokens: [-5, 7]), node(2, isUp: false, owned: 0.5, tokens: [0])])
        let blanks = String(repeating: " ", count: 24)
        #expect(
            RingText.ring(report, withPorts: false)
                == [
                    "", "Datacenter: dc1", "==========",
                    "Address    Rack        Status State   Load            Owns                Token"
                        + String(repeating: " ", count: 39),
                    String(repeating: " ", count: 74) + "7" + String(repeating: " ", count: 43),
                    "127.0.0.1  r1          Up     Normal  21.28 KiB       50.00%              -5" + blanks
                        + String(repeating: " ", count: 18),
                    "127.0.0.2  r2          Down   Normal  21.28 KiB       50.00%              0" + blanks
                        + String(repeating: " ", count: 19),
                    "127.0.0.1  r1          Up     Normal  21.28 KiB       50.00%              7" + blanks
                        + String(repeating: " ", count: 19),
                    "", "  Warning: \"nodetool ring\" is used to output all the tokens of a node.",
                    "  To view status related info of a node use \"nodetool status\" instead.", "", "",
                ].joined(separator: "\n"))
    }

    @Test func infoShowsTokensWhenAsked() {
        let report = NodeReport(
            id: "id", clusterName: "c", endpoint: Endpoint("127.0.0.1", 7_000), native: Endpoint("127.0.0.1", 9_042),
            datacenter: "dc1", rack: "r1", state: .normal, isGossiping: true, isServingClients: true,
            loadByteCount: 1_023, generation: 1_700_000_000, uptimeSeconds: 61, residentByteCount: 50 << 20,
            memoryByteCount: 8 << 30, shardCount: 2, epoch: 9, releaseVersion: "5.0.4", tokens: [-1, 1])
        let start = """
            ID                     : id
            Gossip active          : true
            Native Transport active: true
            Load                   : 1023 bytes
            Generation No          : 1700000000
            Uptime (seconds)       : 61
            Heap Memory (MB)       : 50.00 / 8192.00
            Data Center            : dc1
            Rack                   : r1
            Shards                 : 2
            Metadata epoch         : 9

            """
        let end = "Bootstrap state        : COMPLETED\nDecommissioning        : false\n"
        #expect(
            NodeText.info(report, showsTokens: false)
                == start + "Token                  : (invoke with -T/--tokens to see all 2 tokens)\n" + end)
        #expect(
            NodeText.info(report, showsTokens: true)
                == start + "Token                  : -1\nToken                  : 1\n" + end)
    }

    @Test func infoSaysThatANodeIsOutOfTheRing() {
        var report = NodeReport(
            id: "id", clusterName: "c", endpoint: Endpoint("127.0.0.1", 7_000), native: Endpoint("127.0.0.1", 9_042),
            datacenter: "dc1", rack: "r1", state: .left, isGossiping: true, isServingClients: false, loadByteCount: 0,
            generation: 1, uptimeSeconds: 1, residentByteCount: nil, memoryByteCount: nil, shardCount: 1, epoch: 1,
            releaseVersion: "5.0.4", tokens: [], percentRepaired: 62.5)
        let end: String = """
            Percent Repaired       : 62.5%
            Token                  : (node is not joined to the cluster)
            Bootstrap state        : DECOMMISSIONED
            Decommissioning        : false

            """
        #expect(NodeText.info(report, showsTokens: false).hasSuffix(end))
        report.state = .joining
        #expect(NodeText.info(report, showsTokens: false).contains("Bootstrap state        : IN_PROGRESS\n"))
        report.state = .leaving
        #expect(NodeText.info(report, showsTokens: false).contains("Decommissioning        : true\n"))
    }

    @Test func describeclusterShowsTheCluster() {
        let endpoint = Endpoint("127.0.0.1", 7_000)
        let report = ClusterReport(
            name: "c", clusterID: "cid", snitch: "SimpleSnitch", isSnitchDynamic: false, partitioner: "Murmur3",
            epoch: 4, voters: ["a", "b"], schemaVersions: [.init(version: "v1", endpoints: [endpoint])],
            unreachable: [Endpoint("127.0.0.2", 7_000)], liveCount: 1, joiningCount: 0, movingCount: 0,
            leavingCount: 0, datacenters: [.init(name: "dc1", nodeCount: 2, downCount: 1)],
            releaseVersions: [.init(version: "5.0.4", endpoints: [endpoint])],
            keyspaces: [
                .init(
                    name: "k", replicationClass: "SimpleStrategy",
                    options: [HTTPRequest.Parameter("replication_factor", "3")]),
                .init(name: "system", replicationClass: "LocalStrategy", options: []),
            ])
        #expect(
            ClusterText.describe(report, withPorts: false)
                == """
                Cluster Information:
                	Name: c
                	Snitch: SimpleSnitch
                	DynamicEndPointSnitch: disabled
                	Partitioner: Murmur3
                	Schema versions:
                		v1: [127.0.0.1]

                		UNREACHABLE: [127.0.0.2]

                Stats for all nodes:
                	Live: 1
                	Joining: 0
                	Moving: 0
                	Leaving: 0
                	Unreachable: 1

                Data Centers:\u{20}
                	dc1 #Nodes: 2 #Down: 1

                Database versions:
                	5.0.4: [127.0.0.1]

                Keyspaces:
                	k -> Replication class: SimpleStrategy {replication_factor=3}
                	system -> Replication class: LocalStrategy {}

                Cluster Metadata:
                	Cluster ID: cid
                	Epoch: 4
                	Voters: [a, b]

                """)
    }

    @Test func gossipinfoHidesTokens() {
        let report = GossipReport(nodes: [
            .init(
                id: "a", endpoint: Endpoint("127.0.0.1", 7_000), isUp: true, generation: 5, heartbeat: 6,
                values: [
                    .init(name: "TOKENS", version: 1, value: "1;2;3"), .init(name: "LOAD", version: 2, value: "9.5"),
                ]),
            .init(id: "b", endpoint: Endpoint("127.0.0.2", 7_000), isUp: true, generation: 1, heartbeat: 0, values: []),
        ])
        #expect(
            GossipText.states(report, withPorts: false) == """
                /127.0.0.1
                  generation:5
                  heartbeat:6
                  LOAD:2:9.5
                  TOKENS:1:<hidden>
                /127.0.0.2
                  generation:1
                  heartbeat:0
                  TOKENS: not present

                """)
    }

    @Test func failuredetectorAlignsItsFigures() {
        let report = DetectorReport(nodes: [
            .init(endpoint: Endpoint("127.0.0.2", 7_000), isUp: true, phi: 0.4567890123, meanIntervalMilliseconds: 1)
        ])
        #expect(
            GossipText.detector(report, withPorts: false)
                == "  Endpoint,             Phi\n/127.0.0.2,      0.45678901\n")
    }

    @Test func netstatsShowsPoolsAndPeersWhenAsked() {
        let report = NetworkReport(
            mode: "NORMAL", readRepairsAttempted: 1, readRepairsBlocking: 2, readRepairsBackground: 3,
            pools: [.init(name: "Gossip messages", pending: 4, completed: 50, dropped: 6)],
            peers: [
                .init(
                    endpoint: Endpoint("127.0.0.2", 7_000), lane: "data", connections: 1, sentMessages: 2,
                    sentBytes: 2_048, receivedMessages: 4, receivedBytes: 5, timedOut: 6, failed: 7, dropped: 8,
                    pendingRequests: 9, pendingBytes: 10)
            ])
        let start = """
            Mode: NORMAL
            Not sending any streams.
            Read Repair Statistics:
            Attempted: 1
            Mismatch (Blocking): 2
            Mismatch (Background): 3
            Pool Name                    Active   Pending      Completed   Dropped
            Gossip messages                 n/a         4             50         6

            """
        #expect(NetworkText.statistics(report, .null, flags: [], withPorts: false) == start)
        let peers: String = NetworkText.statistics(report, .null, flags: ["-P", "-H"], withPorts: false)
        #expect(peers.hasPrefix(start + "\nPeer       Lane  Connections  Sent  Sent bytes"))
        #expect(peers.contains("127.0.0.2  data  1            2     2 KiB"))
    }

    @Test func hintsAreShownWithTheirTimes() {
        #expect(
            HintText.handoff(HandoffReport(isEnabled: true, disabledDatacenters: [])) == "Hinted handoff is running\n")
        #expect(
            HintText.handoff(HandoffReport(isEnabled: false, disabledDatacenters: ["dc2"]))
                == "Hinted handoff is not running\nData center dc2 is disabled\n")
        #expect(
            HintText.pending(PendingHintsReport(targets: []), withPorts: false)
                == "This node does not have any pending hints\n")
        let report = PendingHintsReport(targets: [
            .init(
                id: "a", endpoint: Endpoint("127.0.0.2", 7_000), datacenter: "dc1", rack: "r2", isUp: false,
                fileCount: 2, byteCount: 1_536, oldestMicroseconds: 0, newestMicroseconds: 1_700_000_000_123_456),
            .init(
                id: "b", endpoint: nil, datacenter: nil, rack: nil, isUp: false, fileCount: 1, byteCount: 1,
                oldestMicroseconds: nil, newestMicroseconds: nil),
        ])
        #expect(
            HintText.pending(report, withPorts: false) == """
                Host ID Address   Rack    DC      Status  Total files Newest                  Oldest                  Total size
                a       127.0.0.2 r2      dc1     DOWN    2           2023-11-14 22:13:20,123 1970-01-01 00:00:00,000 1.5 KiB
                b       Unknown   Unknown Unknown Unknown 1           ?                       ?                       1 bytes

                """)
    }

    @Test(arguments: [
        (0, "0 bytes"), (1_023, "1023 bytes"), (1_024, "1 KiB"), (1_126, "1.1 KiB"), (1 << 20, "1 MiB"),
        (3 << 39, "1.5 TiB"), (Int.max, "8388608 TiB"),
    ])
    func bytesHaveAUnit(count: Int, text: String) {
        #expect(FigureText.byteCount(count) == text)
    }
}
