import Cluster
import Coordination
import DataModel
import Environment
import Primitives
import Testing

/// Which ranges a repair consists of.
@Suite struct RepairPlanTests {
    private static let replication: [String: String] = ["class": "NetworkTopologyStrategy", "dc1": "2", "dc2": "1"]
    private static let table = RepairTable(
        id: ReplicaWorld.table, keyspace: "ks", name: "t", replication: replication,
        purge: TombstonePurge(mode: .repair, graceSeconds: 864_000))

    private static func members() -> [Member] {
        ["dc1", "dc1", "dc1", "dc2"].enumerated().map { index, datacenter in
            let address = SocketAddress.loopback(port: UInt16(7_000 + index))
            return Member(
                id: ReplicaWorld.id(index), internode: address, native: address, datacenter: datacenter,
                rack: "r\(index)", tokens: LocalNode.evenTokens(4, offset: UInt64(index) &* 0x1555_5555_5555_5555),
                state: .normal, releaseVersion: "1")
        }
    }

    private static func plan(_ index: Int, _ options: RepairOptions, dead: [Int] = []) throws(RepairRefusal)
        -> RepairPlan
    {
        try RepairPlan(
            options, tables: [table], topology: Topology(members: members(), local: ReplicaWorld.id(index)),
            local: ReplicaWorld.id(index)
        ) { node in !dead.contains { ReplicaWorld.id($0) == node } }
    }

    private static func share(_ plans: [RepairPlan]) -> Double {
        plans.flatMap(\.targets).reduce(0) { $0 + $1.range.share }
    }

    @Test func primaryRangesOfAllNodesAreTheRingOnce() throws {
        var options = RepairOptions(keyspace: "ks")
        options.isPrimaryOnly = true
        let plans: [RepairPlan] = try (0..<4).map { try RepairPlanTests.plan($0, options) }
        #expect(abs(RepairPlanTests.share(plans) - 1) < 0.000_001)
        #expect(plans.flatMap(\.targets).allSatisfy { $0.isComplete && $0.replicas.count == 3 && !$0.range.wraps })
    }

    @Test func withoutOptionsANodeRepairsWhatItHolds() throws {
        let plans: [RepairPlan] = try (0..<4).map { try RepairPlanTests.plan($0, RepairOptions(keyspace: "ks")) }
        #expect(abs(RepairPlanTests.share(plans) - 3) < 0.000_001)
        #expect(plans[0].targets.allSatisfy { $0.replicas.contains(ReplicaWorld.id(0)) })
    }

    @Test func someTokensAreRepairedWhoeverHoldsThem() throws {
        var options = RepairOptions(keyspace: "ks")
        let wanted = RingRange(after: Token(.max - 1_000), through: Token(.min + 1_000))
        options.range = wanted
        for index in 0..<4 {
            let targets: [RepairTarget] = try RepairPlanTests.plan(index, options).targets
            #expect(targets.count >= 2)
            #expect(abs(targets.reduce(0) { $0 + $1.range.share } - wanted.share) < 1e-15)
        }
    }

    @Test func dataCentresAndHostsLimitTheReplicas() throws {
        var options = RepairOptions(keyspace: "ks")
        options.datacenters = ["dc1"]
        let local: RepairPlan = try RepairPlanTests.plan(0, options)
        #expect(
            local.targets.allSatisfy { !$0.isComplete && $0.replicas.count == 2 && $0.datacenters == ["dc1", "dc1"] })
        options.datacenters = ["dc2"]
        #expect(throws: RepairRefusal.localDatacenterMissing("dc1")) { try RepairPlanTests.plan(0, options) }
        // One replica there has nobody to be compared with.
        #expect(try RepairPlanTests.plan(3, options).targets.isEmpty)
        options.datacenters = ["dc9"]
        #expect(throws: RepairRefusal.unknownDatacenter("dc9")) { try RepairPlanTests.plan(0, options) }
        options.datacenters = []
        options.hosts = [ReplicaWorld.id(0), ReplicaWorld.id(3)]
        let both: RepairPlan = try RepairPlanTests.plan(0, options)
        #expect(!both.targets.isEmpty)
        #expect(both.targets.allSatisfy { Set($0.replicas) == Set(options.hosts) })
        options.hosts = [ReplicaWorld.id(1)]
        #expect(throws: RepairRefusal.localHostMissing) { try RepairPlanTests.plan(0, options) }
        options.isPrimaryOnly = true
        #expect(throws: RepairRefusal.primaryOfSome) { try RepairPlanTests.plan(0, options) }
    }

    @Test func forceLeavesOutWhoIsDown() throws {
        var options = RepairOptions(keyspace: "ks")
        let whole: RepairPlan = try RepairPlanTests.plan(0, options, dead: [3])
        #expect(whole.targets.allSatisfy { $0.isComplete })
        options.isForced = true
        let forced: RepairPlan = try RepairPlanTests.plan(0, options, dead: [3])
        #expect(forced.targets.count == whole.targets.count)
        #expect(forced.targets.allSatisfy { !$0.isComplete && $0.replicas.count == 2 })
    }
}
