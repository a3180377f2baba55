import Cluster
import DataModel
import Primitives
import Testing

/// Which nodes hold which tokens, on rings made by hand.
@Suite struct PlacementTests {
    private func natural(_ placement: Placement, _ token: Int64) -> [NodeID] {
        placement.replicas(of: Token(token)).natural
    }

    @Test func theNextNodesHoldATokenWithTheEndOfARangeInIt() {
        let members = (1...5).map { member($0, tokens: [Int64($0) * 10]) }
        let topology = Topology(members: members, local: node(1))
        let placement = topology.placement(for: .simple(factor: 3))
        #expect(natural(placement, 5) == [node(1), node(2), node(3)])
        #expect(natural(placement, 10) == [node(1), node(2), node(3)])
        #expect(natural(placement, 11) == [node(2), node(3), node(4)])
        #expect(natural(placement, 40) == [node(4), node(5), node(1)])
        #expect(natural(placement, 51) == [node(1), node(2), node(3)])
        #expect(natural(placement, .max) == [node(1), node(2), node(3)])
        #expect(natural(placement, .min) == [node(1), node(2), node(3)])
        #expect(placement.replicas(of: Token(5)) === placement.replicas(of: Token(.max)))
    }

    @Test func aNodeWithManyTokensIsOneReplica() {
        let members = [member(1, tokens: [10, 20, 30]), member(2, tokens: [40]), member(3, tokens: [25])]
        let placement = Topology(members: members, local: node(1)).placement(for: .simple(factor: 2))
        #expect(natural(placement, 1) == [node(1), node(3)])
        #expect(natural(placement, 35) == [node(2), node(1)])
    }

    @Test func moreCopiesThanNodesAreACopyOnEveryNode() {
        let members = [member(1, tokens: [10]), member(2, "dc2", tokens: [20])]
        let topology = Topology(members: members, local: node(1))
        #expect(natural(topology.placement(for: .simple(factor: 65_535)), 1) == [node(1), node(2)])
        let spread = topology.placement(for: .networkTopology([.init(datacenter: "dc1", factor: 3)]))
        #expect(natural(spread, 15) == [node(1)])
        let elsewhere = topology.placement(for: .networkTopology([.init(datacenter: "dc9", factor: 3)]))
        #expect(natural(elsewhere, 15) == [])
        #expect(natural(topology.placement(for: .simple(factor: 0)), 15) == [])
    }

    @Test func aRingWithoutTokensHasOneRangeThatNobodyHolds() {
        for members in [[], [member(1, tokens: [])], [member(1, tokens: [5], state: .left)]] {
            let placement = Topology(members: members, local: node(1)).placement(for: .simple(factor: 3))
            #expect(placement.ranges.map(\.range) == [.wholeRing])
            #expect(placement.scanRanges.map(\.range) == [.wholeRing])
            #expect(placement.replicas(of: Token(7)).count == 0)
        }
    }

    /// Three data centres whose tokens are mixed; the walk takes each data centre's nodes as it meets them.
    @Test func everyDatacenterGetsItsFactorInTheOrderOfTheRing() {
        let members = [
            member(1, "DC1", tokens: [0x123]), member(2, "DC1", tokens: [0x234]), member(3, "DC1", tokens: [0x345]),
            member(4, "DC2", tokens: [0x789]), member(5, "DC2", tokens: [0x890]), member(6, "DC3", tokens: [0x456]),
            member(7, "DC3", tokens: [0x567]), member(8, "DC1", tokens: [0x90A]), member(9, "DC3", tokens: [0x0AB]),
            member(10, "DC2", tokens: [0xABC]),
        ]
        let topology = Topology(members: members, local: node(4))
        let placement = topology.placement(
            for: .networkTopology([
                .init(datacenter: "DC1", factor: 3), .init(datacenter: "DC2", factor: 2),
                .init(datacenter: "DC3", factor: 1),
            ]))
        let set = placement.replicas(of: Token(0x123))
        #expect(set.natural == [1, 2, 3, 6, 4, 5].map { node($0) })
        #expect(set.counts.map(\.natural) == [3, 2, 1])
        #expect(set.local == ReplicaCount(datacenter: "DC2", natural: 2, pending: 0))
        #expect(set.isLocal == [false, false, false, false, true, true])
        #expect(set.datacenter(at: 3) == "DC3")
        #expect(set.position(of: node(6)) == 3)
        #expect(set.position(of: node(9)) == nil)
        #expect(set.count(in: "DC9").natural == 0)
        #expect(natural(placement, 0xABC) == [10, 9, 1, 2, 3, 4].map { node($0) })
    }

    @Test func aRackIsTakenTwiceOnlyWhenThereAreFewerRacksThanCopies() {
        let members = [
            member(1, rack: "a", at: 10), member(2, rack: "a", at: 20), member(3, rack: "a", at: 30),
            member(4, rack: "b", at: 40), member(5, rack: "b", at: 50), member(6, rack: "c", at: 60),
        ]
        let topology = Topology(members: members, local: node(1))
        func natural(_ factor: Int, _ token: Int64) -> [Int] {
            let strategy = ReplicationStrategy.networkTopology([.init(datacenter: "dc1", factor: factor)])
            let set = topology.placement(for: strategy).replicas(of: Token(token))
            return set.natural.map { Int($0.uuid.low) }
        }
        #expect(natural(1, 10) == [1])
        #expect(natural(2, 10) == [1, 4])
        #expect(natural(3, 10) == [1, 4, 6])
        #expect(natural(3, 50) == [5, 6, 1])
        // One repeat is acceptable: the first that the walk meets.
        #expect(natural(4, 10) == [1, 2, 4, 6])
        #expect(natural(4, 40) == [4, 5, 6, 1])
        #expect(natural(5, 10) == [1, 2, 3, 4, 6])
        #expect(natural(6, 10) == [1, 2, 3, 4, 5, 6])
    }

    @Test func racksOfOneNameInTwoDatacentersAreTwoRacks() {
        let members = [
            member(1, "x", "r", tokens: [10]), member(2, "y", "r", tokens: [20]), member(3, "x", "s", tokens: [30]),
            member(4, "y", "s", tokens: [40]), member(5, "x", "r", tokens: [15]),
        ]
        let placement = Topology(members: members, local: node(1)).placement(
            for: .networkTopology([.init(datacenter: "x", factor: 2), .init(datacenter: "y", factor: 2)]))
        #expect(natural(placement, 10) == [node(1), node(2), node(3), node(4)])
    }

    @Test func largeClustersKeepTheirRacksApart() {
        var members: [Member] = []
        let shapes: [(racks: Int, nodes: Int, factor: Int)] = [(2, 128, 2), (4, 256, 6), (8, 512, 6)]
        for (datacenter, shape) in shapes.enumerated() {
            for rack in 0..<shape.racks {
                for place in 1...(shape.nodes / shape.racks) {
                    let token = Int64(place) << 16 | Int64(rack) << 8 | Int64(datacenter)
                    members.append(
                        member(members.count + 1, "\(datacenter)", "\(rack)", tokens: [token]))
                }
            }
        }
        let topology = Topology(members: members, local: node(1))
        let placement = topology.placement(
            for: .networkTopology(shapes.indices.map { .init(datacenter: "\($0)", factor: shapes[$0].factor) }))
        for token: Int64 in [0x123456, 0x200000, 0x000402, 0xffffff, 0x400200] {
            let found = placement.replicas(of: Token(token)).natural
            #expect(found.count == 14)
            #expect(Set(found).count == 14)
            for (datacenter, shape) in shapes.enumerated() {
                let there = found.compactMap { topology.member($0) }.filter { $0.datacenter == "\(datacenter)" }
                #expect(there.count == shape.factor)
                #expect(Set(there.map(\.rack)).count == min(shape.racks, shape.factor))
            }
        }
    }

    @Test func localAndEverywhereKnowNoRing() {
        let members = [member(3, tokens: [10]), member(1, tokens: [20]), member(2, tokens: [30], state: .joining)]
        let topology = Topology(members: members, local: node(3))
        let local = topology.placement(for: .local)
        #expect(local.distinctSets.map(\.natural) == [[node(3)]])
        let everywhere = topology.placement(for: .everywhere)
        #expect(everywhere.distinctSets.map(\.natural) == [[node(1), node(3)]])
        #expect(everywhere.distinctSets.map(\.pending) == [[node(2)]])
        #expect(everywhere.scanRanges.map(\.range) == [.wholeRing])
        let stranger = Topology(members: members, local: .none)
        #expect(stranger.placement(for: .local).distinctSets.map(\.count) == [0])
        #expect(stranger.localDatacenter == "")
    }

    @Test func aTokenThatTwoNodesClaimBelongsToTheFirst() {
        let members = [member(2, tokens: [10]), member(1, tokens: [10]), member(3, tokens: [20])]
        let placement = Topology(members: members, local: node(1)).placement(for: .simple(factor: 3))
        #expect(natural(placement, 10) == [node(1), node(3)])
    }

    @Test func placementsOfOneStrategyAreOneObject() throws {
        let topology = Topology(members: [member(1, tokens: [10])], local: node(1))
        let first = try topology.placement(for: ["class": "SimpleStrategy", "replication_factor": "1"])
        #expect(first === topology.placement(for: .simple(factor: 1)))
        #expect(throws: ReplicationError.missingClass) { try topology.placement(for: [:]) }
    }

    @Test func scansReadTheRingInOrderWithoutWrapping() {
        let members = [member(1, tokens: [10, 20]), member(2, tokens: [30])]
        let placement = Topology(members: members, local: node(1)).placement(for: .simple(factor: 1))
        let scanned = placement.scanRanges
        #expect(
            scanned.map(\.range.description) == ["(-9223372036854775808,20]", "(20,30]", "(30,-9223372036854775808]"])
        #expect(scanned.map { $0.replicas.natural } == [[node(1)], [node(2)], [node(1)]])
        #expect(placement.ranges.map(\.range.description) == ["(30,10]", "(10,20]", "(20,30]"])
        #expect(placement.ranges(of: node(2)) == [RingRange(after: Token(20), through: Token(30))])
    }
}

extension PlacementTests {
    private func member(_ number: Int, rack: String, at token: Int64) -> Member {
        ClusterTests.member(number, "dc1", rack, tokens: [token])
    }

    private func member(
        _ number: Int, _ datacenter: String = "dc1", _ rack: String = "r1", tokens: [Int64],
        state: MemberState = .normal
    ) -> Member {
        ClusterTests.member(number, datacenter, rack, tokens: tokens, state: state)
    }
}

/// What ranges of the ring are.
@Suite struct RingRangeTests {
    @Test func theStartIsOutsideAndTheEndInside() {
        let plain = RingRange(after: Token(10), through: Token(20))
        #expect(!plain.contains(Token(10)) && plain.contains(Token(11)) && plain.contains(Token(20)))
        #expect(!plain.contains(Token(21)) && !plain.wraps)
        let wrapping = RingRange(after: Token(20), through: Token(10))
        #expect(wrapping.contains(.maximum) && wrapping.contains(Token(10)) && !wrapping.contains(Token(15)))
        #expect(
            wrapping.unwrapped == [
                RingRange(after: .minimum, through: Token(10)), RingRange(after: Token(20), through: .minimum),
            ])
        #expect(RingRange.wholeRing.contains(Token(0)) && !RingRange.wholeRing.wraps)
        #expect(RingRange(after: Token(5), through: Token(5)).contains(Token(5)))
        #expect(RingRange(after: Token(5), through: Token(5)).share == 1)
        #expect(RingRange(after: .maximum, through: Token(5)).unwrapped.count == 1)
        #expect(RingRange(after: Token(0), through: .minimum).share == 0.5)
    }
}
