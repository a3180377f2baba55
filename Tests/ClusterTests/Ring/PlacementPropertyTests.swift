import Cluster
import DataModel
import Primitives
import Testing

/// What holds on every ring.
@Suite struct PlacementPropertyTests {
    private func sampleTokens(_ members: [Member], _ generator: inout SeededGenerator) -> [Token] {
        let ends: [Token] = members.flatMap(\.tokens)
        let beside: [Token] = ends.map { Token($0.value &+ 1) }
        return ends + beside + (0..<20).map { _ in Token(generator.token()) } + [.minimum, .maximum]
    }

    @Test(arguments: 0..<200)
    func replicasAreDistinctCompleteAndSpreadOverRacks(_ seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let members = randomMembers(&generator)
        let topology = Topology(members: members, local: members[0].id)
        let strategy = randomStrategy(&generator)
        let placement = topology.placement(for: strategy)
        for token in sampleTokens(members, &generator) {
            let set = placement.replicas(of: token)
            #expect(Set(set.natural).count == set.natural.count, "seed \(seed)")
            #expect(set.pending.isEmpty, "seed \(seed)")
            let inRange = placement.ranges.filter { $0.range.contains(token) }
            #expect(inRange.count == 1 && inRange[0].replicas === set, "seed \(seed)")
            let scanned = placement.scanRanges.filter { $0.range.contains(token) }
            #expect(token == .minimum || (scanned.count == 1 && scanned[0].replicas === set), "seed \(seed)")
            switch strategy {
            case .simple(let factor): #expect(set.natural.count == min(factor, members.count), "seed \(seed)")
            case .everywhere: #expect(set.natural.count == members.count, "seed \(seed)")
            case .local: break
            case .networkTopology(let factors):
                for datacenter in topology.datacenters {
                    let factor: Int = factors.first { $0.datacenter == datacenter }?.factor ?? 0
                    let all = members.filter { $0.datacenter == datacenter }
                    let taken = all.filter { set.natural.contains($0.id) }
                    #expect(taken.count == min(factor, all.count), "seed \(seed)")
                    #expect(set.count(in: datacenter).natural == taken.count, "seed \(seed)")
                    let racks: Int = Set(all.map(\.rack)).count
                    #expect(Set(taken.map(\.rack)).count == min(racks, taken.count), "seed \(seed)")
                }
            }
        }
        #expect(
            Set(placement.distinctSets.map { $0.natural + [.none] + $0.pending }).count == placement.distinctSets.count)
    }

    @Test(arguments: 0..<200)
    func aJoiningNodeIsPendingExactlyWhereItWillHoldData(_ seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var members = randomMembers(&generator)
        let strategy = randomStrategy(&generator)
        let last: Int = members.count - 1
        let joiner: NodeID = members[last].id
        let after = Topology(members: members, local: joiner).placement(for: strategy)
        members[last].state = .joining
        let during = Topology(members: members, local: joiner).placement(for: strategy)
        let before = Topology(members: Array(members.dropLast()), local: joiner).placement(for: strategy)
        for token in sampleTokens(members, &generator) {
            let set = during.replicas(of: token)
            #expect(set.natural == before.replicas(of: token).natural, "seed \(seed)")
            let gains: Bool = after.replicas(of: token).natural.contains(joiner)
            #expect(set.pending == (gains ? [joiner] : []), "seed \(seed)")
            // Nobody but the new node gets data that it did not have.
            let others = after.replicas(of: token).natural.filter { $0 != joiner }
            #expect(others.allSatisfy { set.natural.contains($0) }, "seed \(seed)")
            if !gains { #expect(others == set.natural, "seed \(seed)") }
        }
    }

    @Test(arguments: 0..<200)
    func whoTakesOverFromALeavingNodeIsPending(_ seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var members = randomMembers(&generator)
        let strategy = randomStrategy(&generator)
        let before = Topology(members: members, local: .none).placement(for: strategy)
        members[0].state = .leaving
        let during = Topology(members: members, local: .none).placement(for: strategy)
        members[0].state = .left
        let after = Topology(members: members, local: .none).placement(for: strategy)
        for token in sampleTokens(members, &generator) {
            let set = during.replicas(of: token)
            let old = before.replicas(of: token).natural
            let new = after.replicas(of: token).natural
            #expect(set.natural == old, "seed \(seed)")
            #expect(Set(set.pending) == Set(new).subtracting(old), "seed \(seed)")
        }
    }

    @Test(arguments: 0..<100)
    func withManyChangesAtOnceEveryOutcomeIsCovered(_ seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var members = randomMembers(&generator)
        let strategy = randomStrategy(&generator)
        for index in members.indices where generator.oneIn(3) {
            members[index].state = generator.oneIn(2) ? .joining : .leaving
        }
        let during = Topology(members: members, local: .none).placement(for: strategy)
        let settled: [Member] = members.map { member in
            var member: Member = member
            if member.state != .normal { member.state = member.state == .joining ? .normal : .left }
            return member
        }
        let after = Topology(members: settled, local: .none).placement(for: strategy)
        for token in sampleTokens(members, &generator) {
            let set = during.replicas(of: token)
            #expect(Set(set.natural).isDisjoint(with: set.pending), "seed \(seed)")
            #expect(after.replicas(of: token).natural.allSatisfy { set.contains($0) }, "seed \(seed)")
            #expect(set.counts.map(\.pending).reduce(0, +) == set.pending.count, "seed \(seed)")
            for position in 0..<set.count {
                #expect(set.position(of: set.node(at: position)) == position, "seed \(seed)")
            }
        }
    }
}
