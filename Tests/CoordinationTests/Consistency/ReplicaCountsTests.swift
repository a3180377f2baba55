import Coordination
import DataModel
import Testing

@Suite struct ReplicaCountsTests {
    @Test(arguments: [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3)])
    func aQuorumIsMoreThanHalfOfTheReplicas(factor: Int, quorum: Int) {
        let counts = ReplicaCounts(
            replication: ["class": "SimpleStrategy", "replication_factor": "\(factor)"], localDatacenter: "dc1")
        #expect(counts.required(.quorum) == quorum)
        #expect(counts.required(.serial) == quorum)
        #expect(counts.required(.all) == factor)
    }

    @Test func localLevelsCountTheReplicasOfTheLocalDatacenter() {
        let counts = ReplicaCounts(
            replication: ["class": "NetworkTopologyStrategy", "dc1": "3", "dc2": "5"], localDatacenter: "dc1")
        #expect(counts.required(.localQuorum) == 2)
        #expect(counts.required(.quorum) == 5)
        #expect(counts.required(.eachQuorum) == 5)
    }
}
