import Cluster
import Coordination
import Primitives
import Testing

/// Which nodes keep a batch.
@Suite struct BatchPlacesTests {
    private static func ordered(_ racks: [String], seed: UInt64) -> [(id: NodeID, rack: String)] {
        let nodes = racks.enumerated().map { (id: ReplicaWorld.id($0.offset), rack: $0.element) }
        var random = SeededGenerator(seed: seed)
        let order = BatchPlaces.ordered(nodes, localRack: "r1", &random)
        #expect(order.count == nodes.count)
        return order.compactMap { id in nodes.first { $0.id == id } }
    }

    @Test func nobodyIsOfferedWhereNobodyIs() {
        #expect(BatchPlacesTests.ordered([], seed: 1).isEmpty)
    }

    @Test(arguments: Array(UInt64(1)...20)) func twoOtherRacksComeBeforeAnyRackComesTwice(seed: UInt64) {
        let order = BatchPlacesTests.ordered(["r1", "r1", "r2", "r2", "r2", "r3", "r4"], seed: seed)
        #expect(Set(order.prefix(3).map(\.rack)) == ["r2", "r3", "r4"])
        #expect(order.suffix(2).map(\.rack) == ["r1", "r1"])
    }

    @Test(arguments: Array(UInt64(1)...20)) func oneOtherRackGivesBothNodes(seed: UInt64) {
        let order = BatchPlacesTests.ordered(["r1", "r2", "r2", "r2"], seed: seed)
        #expect(order.prefix(2).map(\.rack) == ["r2", "r2"])
    }

    @Test func theOwnRackIsTakenWhereThereIsNoOther() {
        #expect(BatchPlacesTests.ordered(["r1", "r1"], seed: 3).count == 2)
        #expect(BatchPlacesTests.ordered(["r1", "r2"], seed: 3).map(\.rack) == ["r2", "r1"])
    }

    @Test func chanceSharesTheWork() {
        let firsts = Set((1...50).map { BatchPlacesTests.ordered(["r2", "r2", "r2"], seed: UInt64($0))[0].id })
        #expect(firsts.count == 3)
    }
}
