import Cluster
import Testing

/// What replication maps mean.
@Suite struct ReplicationStrategyTests {
    private let package = "org.apache.cassandra.locator."

    @Test func classesAreKnownByTheirShortAndTheirFullName() throws {
        for prefix in ["", package] {
            let simple = try ReplicationStrategy(["class": prefix + "SimpleStrategy", "replication_factor": "3"])
            #expect(simple == .simple(factor: 3))
            let everywhere = try ReplicationStrategy(["class": prefix + "EverywhereStrategy"])
            #expect(everywhere == .everywhere)
            let local = try ReplicationStrategy(["class": prefix + "LocalStrategy"])
            #expect(local == .local)
            let spread = try ReplicationStrategy([
                "class": prefix + "NetworkTopologyStrategy", "b": "2", "a": "3", "none": "0",
            ])
            #expect(
                spread
                    == .networkTopology([.init(datacenter: "a", factor: 3), .init(datacenter: "b", factor: 2)]))
            #expect(spread.totalFactor == 5)
            #expect(spread.factor(in: "a") == 3)
            #expect(spread.factor(in: "none") == 0)
            #expect(simple.factor(in: "a") == nil)
        }
    }

    @Test func oneFactorStandsForAllDatacentersThatHaveNoneOfTheirOwn() throws {
        let map = ["class": "NetworkTopologyStrategy", "replication_factor": "3", "b": "1"]
        let spread = try ReplicationStrategy(map, datacenters: ["a", "b"])
        #expect(spread == .networkTopology([.init(datacenter: "a", factor: 3), .init(datacenter: "b", factor: 1)]))
    }

    @Test func transientReplicasAreCountedAsFullOnes() throws {
        let simple = try ReplicationStrategy(["class": "SimpleStrategy", "replication_factor": "3/1"])
        #expect(simple == .simple(factor: 3))
    }

    @Test func nonsenseIsRefusedInWords() {
        #expect(throws: ReplicationError.missingClass) { try ReplicationStrategy([:]) }
        #expect(throws: ReplicationError.unknownClass("Nowhere")) { try ReplicationStrategy(["class": "Nowhere"]) }
        #expect(throws: ReplicationError.missingFactor) { try ReplicationStrategy(["class": "SimpleStrategy"]) }
        for text in ["", "x", "-1", "1.5", "65536", "/3", "99999999999999999999"] {
            #expect(throws: ReplicationError.invalidFactor(text)) {
                try ReplicationStrategy(["class": "SimpleStrategy", "replication_factor": text])
            }
            #expect(throws: ReplicationError.invalidFactor(text)) {
                try ReplicationStrategy(["class": "NetworkTopologyStrategy", "dc1": text])
            }
        }
    }
}
