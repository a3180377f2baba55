import Primitives
import Simulation
import Testing

@Suite struct ObservedRingTests {
    // Murmur3 puts the int keys 0 to 3 at −3485513579396041028, −4069959284402364209, −3248873570005575792 and
    // 9010454139840013625.

    @Test func replicasAreTheOwnerAndTheNextNodesAroundTheRing() {
        let shape = ClusterShape(nodeCount: 4, copyCount: 2)
        let ring = ObservedRing([(-4_000_000_000_000_000_000, 1), (0, 2), (1, 2), (2, 3), (3, 4)], shape)
        #expect(ring.replicas(of: 0) == [2, 3])
        #expect(ring.replicas(of: 1) == [1, 2])
        #expect(ring.replicas(of: 3) == [1, 2])
    }

    @Test func thereAreNoMoreReplicasThanNodes() {
        let shape = ClusterShape(nodeCount: 1, copyCount: 3)
        #expect(ObservedRing([(5, 1), (6, 1)], shape).replicas(of: 0) == [1])
        #expect(ObservedRing([], shape).replicas(of: 0) == [])
    }

    @Test func eachDatacenterHasItsCopiesOnAsManyRacksAsItCan() {
        // Nodes 1 and 3 of dc1, and 5 and 7 of dc2, are on rack1; the others on rack2.
        let shape = ClusterShape(twoDatacentersOf: 8, copyCount: 2, rackCount: 2)
        let ring = ObservedRing([(1, 1), (2, 3), (3, 5), (4, 4), (5, 7), (6, 2), (7, 6), (8, 8)], shape)
        #expect(ring.replicas(of: 0) == [1, 4, 5, 6])
        let three = ObservedRing(
            [(1, 1), (2, 3), (3, 5), (4, 4), (5, 7), (6, 2), (7, 6), (8, 8)],
            ClusterShape(twoDatacentersOf: 8, copyCount: 3, rackCount: 2))
        #expect(three.replicas(of: 0) == [1, 3, 4, 5, 6, 7])
    }
}

@Suite struct ClusterShapeTests {
    @Test func everyLayoutIsDrawnAndFitsItsNodes() {
        var copies: Set<String> = []
        for seed: UInt64 in 1...200 {
            var generator = SeededGenerator(seed: seed)
            let shape = ClusterShape.drawn(&generator, nodeCount: 3 + Int(seed % 5), isFixed: false)
            #expect((3...7).contains(shape.nodeCount), "seed \(seed)")
            for factor in shape.factors {
                #expect(factor.count <= shape.nodes(in: factor.datacenter).count, "seed \(seed)")
            }
            copies.insert(shape.copies)
        }
        #expect(copies == ["1", "2", "3", "5", "dc1:3,dc2:3"])
    }

    @Test func aNumberOfNodesThatWasAskedForStays() {
        for seed: UInt64 in 1...50 {
            var generator = SeededGenerator(seed: seed)
            for count in 1...7 {
                #expect(ClusterShape.drawn(&generator, nodeCount: count, isFixed: true).nodeCount == count)
            }
        }
    }

    @Test func theStrategyNamesTheDatacenters() {
        #expect(
            ClusterShape(nodeCount: 3, copyCount: 1).replication
                == "{'class': 'SimpleStrategy', 'replication_factor': 1}")
        #expect(
            ClusterShape(twoDatacentersOf: 5, copyCount: 3, rackCount: 1).replication
                == "{'class': 'NetworkTopologyStrategy', 'dc1': 3, 'dc2': 2}")
    }
}
