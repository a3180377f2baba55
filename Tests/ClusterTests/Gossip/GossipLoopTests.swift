import Cluster
import Environment
import Primitives
import SimulatedHost
import Testing

/// Gossipers among each other, in virtual time.
@Suite struct GossipLoopTests {
    @Test(arguments: [(3, 1), (10, 2), (20, 3)])
    func aKilledNodeIsSeenDownByAllWithinTenSeconds(_ count: Int, _ seed: UInt64) throws {
        for loss in [0, 0.2] {
            let cluster = GossipCluster(count: count, seed: seed)
            cluster.net.lossProbability = loss
            try cluster.startAll()
            #expect(cluster.upPairCount == count * (count - 1), "seed \(seed), loss \(loss)")
            cluster.nodes[1].machine.kill()
            try cluster.world.run(for: .seconds(10))
            #expect(cluster.believers(in: 1).isEmpty, "seed \(seed), loss \(loss)")
            #expect(cluster.changes.allSatisfy { $0.node == cluster.nodes[1].id && !$0.isUp })
        }
    }

    @Test func aKilledNodeIsSeenDownMuchSoonerWhenItsConnectionsBreak() throws {
        let cluster = GossipCluster(count: 5, seed: 4)
        try cluster.startAll()
        cluster.nodes[2].machine.kill()
        for number in [0, 1, 3, 4] { cluster.nodes[number].gossip.connectionBroke(cluster.nodes[2].id) }
        try cluster.world.run(for: .seconds(3))
        #expect(cluster.believers(in: 2).isEmpty)
    }

    @Test func aBrokenConnectionToALiveNodeConvictsNobody() throws {
        let cluster = GossipCluster(count: 5, seed: 5)
        try cluster.startAll()
        for _ in 0..<20 {
            for number in [0, 1, 3, 4] { cluster.nodes[number].gossip.connectionBroke(cluster.nodes[2].id) }
            try cluster.world.run(for: .milliseconds(700))
        }
        #expect(cluster.changes.isEmpty)
    }

    @Test(arguments: [(3, 6), (20, 7)])
    func anAnnouncedStopIsSeenByAllWithinASecond(_ count: Int, _ seed: UInt64) throws {
        let cluster = GossipCluster(count: count, seed: seed)
        try cluster.startAll()
        let stopping = cluster.nodes[0].gossip
        let begin = cluster.now
        try cluster.world.run { await stopping.stop() }
        #expect(cluster.now - begin < 1)
        try cluster.world.run(for: .milliseconds(900))
        #expect(cluster.believers(in: 0).isEmpty)
        try cluster.world.run(for: .seconds(60))
        #expect(cluster.believers(in: 0).isEmpty)
        #expect(cluster.changes.count == count - 1)
        let seen = cluster.nodes[1].gossip
        let id = cluster.nodes[0].id
        let states = try cluster.world.run { await seen.endpoints() }
        #expect(states.first { $0.id == id }?[.statusWithPort] == "shutdown,true")
    }

    @Test func anAnnouncedStopIsHeardOfInSpiteOfLosses() throws {
        let cluster = GossipCluster(count: 20, seed: 8)
        cluster.net.lossProbability = 0.2
        try cluster.startAll()
        let stopping = cluster.nodes[0].gossip
        try cluster.world.run { await stopping.stop() }
        try cluster.world.run(for: .seconds(5))
        #expect(cluster.believers(in: 0).isEmpty)
    }

    @Test func whoBeginsToGossipAgainIsUpAgain() throws {
        let cluster = GossipCluster(count: 4, seed: 9)
        try cluster.startAll()
        let gossip = cluster.nodes[0].gossip
        try cluster.world.run { await gossip.stop() }
        try cluster.world.run(for: .seconds(20))
        gossip.start()
        try cluster.world.run(for: .seconds(2))
        #expect(cluster.upPairCount == 12)
        let states = try cluster.world.run { await gossip.endpoints() }
        #expect(states.first?[.statusWithPort] == "NORMAL")
    }

    @Test(arguments: [(3, 10), (20, 11)])
    func aNodeThatReturnsIsUpForAllWithinTwoSeconds(_ count: Int, _ seed: UInt64) throws {
        let cluster = GossipCluster(count: count, seed: seed)
        try cluster.startAll()
        cluster.nodes[1].machine.kill()
        try cluster.world.run(for: .seconds(30))
        cluster.restart(1)
        try cluster.world.run(for: .seconds(2))
        #expect(cluster.upPairCount == count * (count - 1))
    }

    @Test func aQuickRestartIsSeenAsDownAndUp() throws {
        let cluster = GossipCluster(count: 3, seed: 12)
        try cluster.startAll()
        cluster.nodes[1].machine.kill()
        cluster.restart(1)
        try cluster.world.run(for: .seconds(2))
        #expect(cluster.upPairCount == 6)
        let seen = cluster.changes.filter { $0.observer == 0 }
        #expect(seen.map(\.isUp) == [false, true])
    }

    @Test(arguments: [(20, 13), (3, 14)])
    func nobodyIsConvictedFalselyWhenOneMessageInFiveIsLost(_ count: Int, _ seed: UInt64) throws {
        let cluster = GossipCluster(count: count, seed: seed)
        cluster.net.lossProbability = 0.2
        cluster.net.slowest = .milliseconds(300)
        try cluster.startAll(settle: .seconds(30))
        #expect(cluster.upPairCount == count * (count - 1), "seed \(seed)")
        try cluster.world.run(for: .seconds(120))
        #expect(cluster.changes.isEmpty, "seed \(seed): \(cluster.changes.prefix(5))")
    }

    @Test func whoIsCutOffIsDownAndComesBackWithoutARestart() throws {
        let cluster = GossipCluster(count: 8, seed: 15)
        try cluster.startAll()
        cluster.net.isolated = [cluster.nodes[3].id]
        try cluster.world.run(for: .seconds(11))
        #expect(cluster.upPairCount == 42)
        try cluster.world.run(for: .seconds(60))
        cluster.net.isolated = []
        try cluster.world.run(for: .seconds(3))
        #expect(cluster.upPairCount == 56)
    }

    @Test func theSameSeedGivesTheSameHistory() throws {
        var hashes: [UInt64] = []
        for _ in 0..<2 {
            let cluster = GossipCluster(count: 5, seed: 16)
            cluster.net.lossProbability = 0.1
            try cluster.startAll()
            hashes.append(cluster.world.traceHash)
        }
        #expect(hashes[0] == hashes[1])
    }

    @Test func whatANodeTellsReachesAllAndTheirListeners() throws {
        let cluster = GossipCluster(count: 10, seed: 17)
        cluster.net.lossProbability = 0.2
        try cluster.startAll()
        let heard = Heard()
        cluster.nodes[9].gossip.listen { node, key, value in heard.values.append("\(node.uuid.high) \(key) \(value)") }
        cluster.nodes[0].gossip.publish(.nativeReady, "true")
        try cluster.world.run(for: .seconds(10))
        #expect(heard.values == ["1 RPC_READY true"])
    }

    @Test func aStrangerIsRefused() throws {
        let cluster = GossipCluster(count: 3, seed: 18)
        try cluster.startAll()
        let stranger = NodeID(UUID(high: 99, low: 99))
        let messenger = NetMessenger(id: stranger, host: cluster.nodes[2].machine.host, net: cluster.net)
        let hello = GossipMessage(heartbeat: Heartbeat(generation: 1, milliseconds: 1)).bytes
        let target = cluster.nodes[0].id
        #expect(throws: MessageFailure.refused(target, code: 1, reason: "the sender is not a member")) {
            try cluster.world.run {
                try await messenger.request(.hello, hello, to: target, timeout: .seconds(1))
            }
        }
    }

    @Test func theDetectorShowsPhiOfAllOthers() throws {
        let cluster = GossipCluster(count: 4, seed: 19)
        try cluster.startAll(settle: .seconds(60))
        let gossip = cluster.nodes[0].gossip
        let health = try cluster.world.run { await gossip.health() }
        #expect(health.map(\.id) == cluster.nodes[1...].map(\.id))
        #expect(health.allSatisfy { $0.isUp && $0.phi < 3 && $0.meanIntervalMilliseconds > 100 })
    }

    @Test func aNodeAloneGossipsWithNobody() throws {
        let cluster = GossipCluster(count: 1, seed: 20)
        try cluster.startAll()
        #expect(cluster.nodes[0].liveness.alive == [cluster.nodes[0].id])
        let gossip = cluster.nodes[0].gossip
        try cluster.world.run { await gossip.stop() }
    }

    private final class Heard: @unchecked Sendable {
        var values: [String] = []
    }
}
