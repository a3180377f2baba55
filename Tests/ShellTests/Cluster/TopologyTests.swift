import CQL
import DataModel
import Environment
import Testing

@testable import MartletClient

@Suite struct TopologyTests {
    private func node(_ number: UInt8, in center: String = "dc1", rack: String = "r1", _ tokens: Int64...)
        -> ClusterNode
    {
        ClusterNode(
            address: SocketAddress(ipv4: 10, 0, 0, number, port: 9_042), dataCenter: center, rack: rack,
            tokens: tokens.map { Token($0) })
    }

    /// The last numbers of the addresses.
    private func replicas(_ topology: ClusterTopology, _ token: Int64) -> [UInt8] {
        topology.replicas(of: Token(token), keyspace: "ks").compactMap { topology.nodes[$0].address.host.last }
    }

    @Test func aSimpleStrategyTakesTheNextNodesOfTheRing() {
        let topology = ClusterTopology(
            nodes: [node(3, 20), node(1, 0, 30), node(2, 10)], replication: ["ks": .simple(factor: 2)])
        #expect(replicas(topology, 0) == [1, 2])
        #expect(replicas(topology, 1) == [2, 3])
        #expect(replicas(topology, 10) == [2, 3])
        #expect(replicas(topology, 25) == [1, 2])
        #expect(replicas(topology, 31) == [1, 2])
        #expect(replicas(topology, .min) == [1, 2])
    }

    @Test func factorsBeyondTheNodesTakeAllNodes() {
        let nodes: [ClusterNode] = [node(1, 0), node(2, 10)]
        #expect(replicas(ClusterTopology(nodes: nodes, replication: ["ks": .simple(factor: 9)]), 5) == [2, 1])
        #expect(replicas(ClusterTopology(nodes: nodes, replication: ["ks": .network(["dc1": 9])]), 5) == [2, 1])
        #expect(replicas(ClusterTopology(nodes: nodes, replication: ["ks": .simple(factor: 0)]), 5).isEmpty)
        #expect(replicas(ClusterTopology(nodes: nodes, replication: [:]), 5).isEmpty)
        #expect(replicas(ClusterTopology(nodes: [], replication: ["ks": .simple(factor: 1)]), 5).isEmpty)
    }

    @Test func aNetworkStrategyTakesRacksInTurnAndCountsEachDataCenter() {
        let nodes: [ClusterNode] = [
            node(1, rack: "a", 0), node(2, rack: "a", 10), node(3, rack: "b", 20), node(4, in: "dc2", 30),
            node(5, in: "dc2", 40),
        ]
        let topology = ClusterTopology(nodes: nodes, replication: ["ks": .network(["dc1": 2, "dc2": 1])])
        #expect(replicas(topology, 0) == [1, 3, 4])
        #expect(replicas(topology, 35) == [5, 1, 3])
        let three = ClusterTopology(nodes: nodes, replication: ["ks": .network(["dc1": 3])])
        #expect(replicas(three, 0) == [1, 3, 2])
    }

    @Test func optionsOfKeyspacesAreRead() {
        let package = "org.apache.cassandra.locator."
        #expect(Replication(["class": package + "SimpleStrategy", "replication_factor": "3"]) == .simple(factor: 3))
        #expect(
            Replication(["class": "NetworkTopologyStrategy", "dc1": "3", "dc2": "3/1"])
                == .network(["dc1": 3, "dc2": 3]))
        #expect(Replication(["class": package + "LocalStrategy"]) == .none)
        #expect(Replication([:]) == .none)
    }

    @Test func replicasOfTheLocalDataCenterComeFirstAndTakeTurns() {
        let nodes: [ClusterNode] = [
            node(1, 0), node(2, 10), node(3, 20), node(4, in: "dc2", 5), node(5, in: "dc2", 15),
        ]
        let topology = ClusterTopology(nodes: nodes, replication: ["ks": .network(["dc1": 2, "dc2": 1])])
        var policy = RoutingPolicy()
        func plan(_ turn: Int, down: Set<Int> = []) -> [UInt8] {
            policy.plan(topology, local: "dc1", token: Token(5), keyspace: "ks", turn: turn) { !down.contains($0) }
                .compactMap { nodes[$0].address.host.last }
        }
        #expect(plan(0) == [2, 3, 1])
        #expect(plan(1) == [3, 2, 1])
        #expect(plan(0, down: [1]) == [3, 1])
        policy.remoteNodesPerDataCenter = 1
        #expect(plan(0) == [2, 3, 1, 4])
        #expect(plan(0, down: [0, 1, 2]) == [4])
    }

    @Test func requestsAreSentAgainOnlyWhereThatHelpsAndDoesNoHarm() {
        let policy = RetryPolicy()
        func decide(_ error: any Error, _ isIdempotent: Bool = false, _ count: Int = 0) -> RetryPolicy.Decision {
            policy.decision(for: error, isIdempotent: isIdempotent, retryCount: count)
        }
        func read(_ received: Int32, _ hasData: Bool) -> CQLError {
            .readTimeout(message: "", consistency: .quorum, received: received, required: 2, isDataPresent: hasData)
        }
        func write(_ type: WriteType) -> CQLError {
            .writeTimeout(
                message: "", consistency: .quorum, received: 1, required: 2, type: type, contentions: nil)
        }
        #expect(decide(read(2, false)) == .sameNode)
        #expect(decide(read(2, false), true, 1) == .fail)
        #expect(decide(read(2, true)) == .fail)
        #expect(decide(read(1, false), true) == .fail)
        #expect(decide(write(.batchLog), true) == .sameNode)
        #expect(decide(write(.simple), true) == .fail)
        let unavailable = CQLError.unavailable(message: "", consistency: .quorum, required: 2, alive: 1)
        #expect(decide(unavailable) == .nextNode)
        #expect(decide(unavailable, true, 1) == .fail)
        #expect(decide(CQLError.isBootstrapping(message: "")) == .nextNode)
        #expect(decide(CQLError.overloaded(message: "")) == .fail)
        #expect(decide(CQLError.overloaded(message: ""), true) == .nextNode)
        #expect(decide(ClientError.connectionClosed(nil)) == .fail)
        #expect(decide(ClientError.connectionClosed(nil), true) == .nextNode)
        #expect(decide(ClientError.timedOut(.seconds(1)), true) == .fail)
        #expect(decide(CQLError.invalid(message: ""), true) == .fail)
    }

    @Test func pausesGrowUpToTheirLimit() {
        var schedule = ReconnectionSchedule()
        schedule.limit = .seconds(5)
        let pauses: [Duration] = (0..<5).map { _ in schedule.pause(random: 15) }
        #expect(pauses == [.seconds(1), .seconds(2), .seconds(4), .seconds(5), .seconds(5)])
        schedule.reset()
        #expect(schedule.pause(random: 0) == .milliseconds(850))
        #expect(schedule.pause(random: 30) == .milliseconds(2_300))
    }
}
