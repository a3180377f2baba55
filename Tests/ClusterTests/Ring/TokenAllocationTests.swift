import Cluster
import DataModel
import Primitives
import Testing

/// Where new nodes are put on the ring.
@Suite struct TokenAllocationTests {
    /// A cluster that grows one node at a time; node *n* stands in rack *n* modulo the number of racks.
    private func grown(
        to count: Int, tokens: Int, racks: Int, seed: UInt64, _ check: (Int, [Member]) -> Void = { _, _ in }
    ) -> [Member] {
        var members: [Member] = []
        for number in 1...count {
            let rack = "r\(number % racks)"
            let chosen = TokenAllocation.tokens(
                count: tokens, datacenter: "dc1", rack: rack, among: members, seed: seed &+ UInt64(number))
            members.append(member(number, "dc1", rack, tokens: chosen.map(\.value)))
            check(number, members)
        }
        return members
    }

    private func scattered(to count: Int, tokens: Int, racks: Int, seed: UInt64) -> [Member] {
        var generator = SeededGenerator(seed: seed)
        return (1...count).map { number in
            member(number, "dc1", "r\(number % racks)", tokens: (0..<tokens).map { _ in generator.token() })
        }
    }

    /// By how much the most loaded node exceeds the least loaded, over the mean.
    private func spread(_ shares: [NodeID: Double]) -> Double {
        let values: [Double] = shares.values.sorted()
        guard let least = values.first, let most = values.last else { return 0 }
        return (most - least) / (values.reduce(0, +) / Double(values.count))
    }

    private func copies(_ members: [Member]) -> Double {
        let topology = Topology(members: members, local: .none)
        return spread(topology.placement(for: .networkTopology([.init(datacenter: "dc1", factor: 3)])).shares)
    }

    private func primaries(_ members: [Member]) -> Double {
        spread(Topology(members: members, local: .none).primaryShares)
    }

    /// Growth from one node to twelve: at every size the primary ranges are even, and once there are more nodes than
    /// copies, the copies are more even than chance makes them on average.
    @Test(arguments: [1, 2, 3, 4])
    func sixteenTokensShareTheRingEvenlyAndBetterThanChance(_ racks: Int) {
        let seed: UInt64 = 41 &+ UInt64(racks)
        var held = 0.0
        var heldByChance = 0.0
        _ = grown(to: 12, tokens: 16, racks: racks, seed: seed) { count, members in
            #expect(members.last?.tokens.count == 16)
            let difference: Double = primaries(members)
            #expect(difference < 0.2, "\(count) nodes on \(racks) racks")
            guard count > 1 else { return }
            let random = scattered(to: count, tokens: 16, racks: racks, seed: seed)
            #expect(difference < primaries(random), "\(count) nodes on \(racks) racks")
            guard count >= 6, count % racks == 0 else { return }
            held += copies(members)
            heldByChance += copies(random)
        }
        #expect(held < heldByChance * 0.8, "\(racks) racks")
    }

    @Test(arguments: [1, 4, 20])
    func anyNumberOfTokensGivesDistinctOnes(_ tokens: Int) {
        let members = grown(to: 6, tokens: tokens, racks: 3, seed: 9)
        let all: [Token] = members.flatMap(\.tokens)
        #expect(all.count == 6 * tokens)
        #expect(Set(all).count == all.count)
        #expect(!all.contains(.minimum))
    }

    @Test func theSameQuestionHasTheSameAnswer() {
        #expect(grown(to: 6, tokens: 16, racks: 2, seed: 4) == grown(to: 6, tokens: 16, racks: 2, seed: 4))
    }

    @Test func everyDatacenterIsARingOfItsOwn() {
        var members: [Member] = []
        for number in 1...8 {
            let datacenter = number % 2 == 0 ? "a" : "b"
            let tokens = TokenAllocation.tokens(
                count: 16, datacenter: datacenter, rack: "r", among: members, seed: 7)
            members.append(member(number, datacenter, "r", tokens: tokens.map(\.value)))
        }
        #expect(Set(members.flatMap(\.tokens)).count == 128)
        for datacenter in ["a", "b"] {
            let own = members.filter { $0.datacenter == datacenter }
            #expect(primaries(own) < 0.2)
        }
    }

    @Test func aNodeWithHalfTheTokensGetsHalfTheData() {
        var members = grown(to: 3, tokens: 16, racks: 1, seed: 3)
        let tokens = TokenAllocation.tokens(count: 8, datacenter: "dc1", rack: "r0", among: members, seed: 1)
        members.append(member(4, "dc1", "r0", tokens: tokens.map(\.value)))
        let share: Double = Topology(members: members, local: .none).primaryShares[node(4)] ?? 0
        #expect(abs(share - 8.0 / 56) < 0.01)
    }

    @Test func nodesThatJoinCountAndNodesThatLeftDoNot() {
        var members = grown(to: 2, tokens: 4, racks: 1, seed: 3)
        members[1].state = .left
        let alone = TokenAllocation.tokens(count: 4, datacenter: "dc1", rack: "r0", among: members, seed: 1)
        let without = TokenAllocation.tokens(
            count: 4, datacenter: "dc1", rack: "r0", among: [members[0]], seed: 1)
        #expect(alone == without)
        members[1].state = .joining
        let beside = TokenAllocation.tokens(count: 4, datacenter: "dc1", rack: "r0", among: members, seed: 1)
        #expect(Set(beside).isDisjoint(with: members.flatMap(\.tokens)))
        #expect(beside != alone)
    }
}
