import Simulation
import Testing

@Suite struct ObservedRingTests {
    @Test func replicasAreTheOwnerAndTheNextNodesAroundTheRing() {
        // Murmur3 puts the int keys 0 to 3 at −3485513579396041028, −4069959284402364209, −3248873570005575792 and
        // 9010454139840013625.
        let ring = ObservedRing([(-4_000_000_000_000_000_000, 1), (0, 2), (1, 2), (2, 3), (3, 4)], factor: 2)
        #expect(ring.replicas(of: 0) == [2, 3])
        #expect(ring.replicas(of: 1) == [1, 2])
        #expect(ring.replicas(of: 3) == [1, 2])
    }

    @Test func thereAreNoMoreReplicasThanNodes() {
        #expect(ObservedRing([(5, 1), (6, 1)], factor: 3).replicas(of: 0) == [1])
        #expect(ObservedRing([], factor: 3).replicas(of: 0) == [])
    }
}
