import Cluster
import DataModel
import Primitives
import Testing

/// A cluster and one change of its ring, in each of its steps.
struct ChangingRing {
    let members: [Member]
    let change: RingChange
    /// Before the change, at its start, with everything handed over, after its end.
    let steps: [Topology]
    let strategy: ReplicationStrategy

    /// The ring with a random change of a random kind; nil when the ring is too small for it.
    init?(_ generator: inout SeededGenerator, _ strategy: ReplicationStrategy) {
        let all: [Member] = randomMembers(&generator)
        guard all.count > 1 else { return nil }
        let kind: RingChange.Kind = RingChange.Kind.allCases[generator.below(RingChange.Kind.allCases.count)]
        var before: [Member] = all
        var node: Member = all[all.count - 1]
        var replaced: NodeID?
        var tokens: [Token] = node.tokens
        switch kind {
        case .join: before.removeLast()
        case .replace:
            before.removeLast()
            replaced = before[0].id
            tokens = before[0].tokens
            node.datacenter = before[0].datacenter
            node.rack = before[0].rack
        case .leave, .remove: tokens = []
        case .move: tokens = (0..<(1 + generator.below(8))).map { _ in Token(generator.token()) }.sorted()
        }
        var change = RingChange(
            id: UUID(high: 1, low: 1), kind: kind, node: node.id, tokens: tokens, replaced: replaced, driver: node.id)
        var during: [Member] = before.filter { $0.id != node.id }
        var changing: Member = node
        changing.state = change.memberState
        during.append(changing)
        var after: [Member] = before.filter { $0.id != node.id && $0.id != replaced }
        if kind != .leave, kind != .remove {
            node.tokens = tokens
            node.state = .normal
            after.append(node)
        }
        let start = Topology(members: during, changes: [change], local: .none)
        change.handedOver = start.affected(by: change.id, [strategy])
        let handedOver = Topology(members: during, changes: [change], local: .none)
        self.members = all
        self.change = change
        self.strategy = strategy
        self.steps = [
            Topology(members: before, local: .none), start, handedOver, Topology(members: after, local: .none),
        ]
    }
}

@Suite struct RingChangeTests {
    private func probes(_ ring: ChangingRing, _ generator: inout SeededGenerator) -> [Token] {
        let ends: [Token] = ring.members.flatMap(\.tokens) + ring.change.tokens
        return ends + ends.map { Token($0.value &+ 1) } + (0..<10).map { _ in Token(generator.token()) } + [.maximum]
    }

    @Test(arguments: 0..<400)
    func majoritiesOfNeighbouringStepsMeet(_ seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let factor: Int = 1 + generator.below(5)
        guard let ring = ChangingRing(&generator, .simple(factor: factor)) else { return }
        let needed: Int = factor / 2 + 1
        let placements: [Placement] = ring.steps.map { $0.placement(for: ring.strategy) }
        for token in probes(ring, &generator) {
            let sets: [ReplicaSet] = placements.map { $0.replicas(of: token) }
            for step in 1..<sets.count {
                for (written, read) in [(sets[step - 1], sets[step]), (sets[step], sets[step - 1])] {
                    // The most of the readers that can have missed a write.
                    let all: Set<NodeID> = Set(written.natural + written.pending)
                    let enough: Int = needed + written.pending.count
                    let readers: [NodeID] = read.natural + (read.isHandedOver ? read.pending : [])
                    let asked: Int = needed + readers.count - read.natural.count
                    guard all.count >= enough, readers.count >= asked else { continue }
                    let canMiss: Int = all.count - enough
                    let outside: Int = readers.count { !all.contains($0) }
                    let inside: Int = readers.count - outside
                    #expect(
                        outside + min(canMiss, inside) < asked,
                        "seed \(seed), step \(step), \(ring.change.kind): \(written.natural) \(written.pending)")
                }
            }
        }
    }

    /// What a majority has been seen to have while a range is handed over is at a majority before and after.
    @Test(arguments: 0..<400)
    func majoritiesWhileARangeIsHandedOverAreMajoritiesOfBeforeAndAfter(_ seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let factor: Int = 1 + generator.below(5)
        guard let ring = ChangingRing(&generator, .simple(factor: factor)) else { return }
        let placements: [Placement] = ring.steps.map { $0.placement(for: ring.strategy) }
        for token in probes(ring, &generator) {
            let sets: [ReplicaSet] = placements.map { $0.replicas(of: token) }
            let (during, asked): (ReplicaSet, Int) = (sets[2], factor / 2 + 1 + sets[2].pending.count)
            for end in [sets[0].natural, sets[3].natural] where during.isHandedOver && during.count >= asked {
                let outside: Int = Set(during.natural + during.pending).subtracting(end).count
                #expect(asked - outside >= min(factor / 2 + 1, end.count), "seed \(seed), \(ring.change.kind)")
            }
        }
    }

    @Test(arguments: 0..<200)
    func eachStepHasTheReplicasThatItSays(_ seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let strategy: ReplicationStrategy = randomStrategy(&generator)
        guard let ring = ChangingRing(&generator, strategy) else { return }
        let placements: [Placement] = ring.steps.map { $0.placement(for: strategy) }
        for token in probes(ring, &generator) {
            let sets: [ReplicaSet] = placements.map { $0.replicas(of: token) }
            let before: [NodeID] = sets[0].natural.filter { $0 != ring.change.dead }
            let after: [NodeID] = sets[3].natural
            #expect(sets[1].natural == before, "seed \(seed)")
            #expect(Set(sets[1].pending) == Set(after).subtracting(before), "seed \(seed)")
            #expect(Set(sets[2].natural) == Set(after), "seed \(seed)")
            #expect(Set(sets[2].pending) == Set(before).subtracting(after), "seed \(seed)")
            #expect(sets[0].pending.isEmpty && sets[3].pending.isEmpty, "seed \(seed)")
            #expect(sets.map(\.isHandedOver) == [false, false, !sets[2].pending.isEmpty, false], "seed \(seed)")
            let isAffected: Bool = ring.change.handedOver.contains(token)
            #expect(isAffected == (Set(sets[0].natural) != Set(after)), "seed \(seed)")
        }
    }

    @Test func halfOfWhatIsHandedOverIsOwnedByThoseWhoCome() throws {
        let members = [member(1, tokens: [0]), member(2, tokens: [100]), member(3, tokens: [200], state: .joining)]
        var change = RingChange(
            id: UUID(high: 0, low: 9), kind: .join, node: node(3), tokens: [Token(200)], driver: node(3))
        change.handedOver.insert(RingRange(after: Token(100), through: Token(150)))
        let topology = Topology(members: members, changes: [change], local: node(1))
        let placement = topology.placement(for: .simple(factor: 1))
        #expect(placement.replicas(of: Token(150)).natural == [node(3)])
        #expect(placement.replicas(of: Token(150)).pending == [node(1)])
        #expect(placement.replicas(of: Token(151)).natural == [node(1)])
        #expect(placement.replicas(of: Token(151)).pending == [node(3)])
        #expect(placement.replicas(of: Token(201)).pending.isEmpty)
        let moves = topology.moves(of: change.id, .simple(factor: 1))
        #expect(
            moves == [
                RangeMove(
                    range: RingRange(after: Token(100), through: Token(200)), before: [node(1)], after: [node(3)])
            ])
    }

    @Test func changesThatDoNotMeetGoSideBySide() throws {
        // Far apart on a ring of one copy, two joins do not meet; next to each other they do.
        let apart = metadata([0, 100, 200, 300])
        let first = joining(9, 50, apart)
        let begun = try stepped(apart) { try $0.beginning(first.change, first.member) }
        let far = joining(10, 250, apart)
        let both = try stepped(begun) { try $0.beginning(far.change, far.member) }
        #expect(both.changes.map(\.node) == [node(9), node(10)])
        let near = joining(10, 60, apart)
        #expect(throws: RingChangeRefused.busy(.join, node(9))) { _ = try begun.beginning(near.change, near.member) }
    }

    @Test func twoChangesOfOneNodeAreRefused() throws {
        let ring = metadata([0, 100, 200, 300])
        let leave = RingChange(id: UUID(high: 0, low: 1), kind: .leave, node: node(1), tokens: [], driver: node(1))
        let begun = try ring.beginning(leave, ring.members[0])
        let move = RingChange(
            id: UUID(high: 0, low: 2), kind: .move, node: node(1), tokens: [Token(5)], driver: node(1))
        #expect(throws: RingChangeRefused.busy(.leave, node(1))) { _ = try begun.beginning(move, ring.members[0]) }
        let replacing = RingChange(
            id: UUID(high: 0, low: 3), kind: .replace, node: node(9), tokens: ring.members[0].tokens,
            replaced: node(1), driver: node(9))
        #expect(throws: RingChangeRefused.busy(.leave, node(1))) {
            _ = try begun.beginning(replacing, member(9, tokens: []))
        }
    }

    @Test func aChangeGoesThroughItsStepsAndSurvivesBeingWritten() throws {
        let ring = metadata([0, 100, 200, 300])
        let join = joining(9, 50, ring)
        var present = try stepped(ring) { try $0.beginning(join.change, join.member) }
        #expect(present.member(node(9))?.state == .joining)
        #expect(present.placementEpoch == present.epoch)
        let id: UUID = join.change.id
        #expect(throws: RingChangeRefused.unfinished(rangeCount: 1)) {
            _ = try present.ending(id, after: present.changes[0].stepEpoch)
        }
        let remaining: RangeSet = present.remaining(of: present.changes[0])
        #expect(remaining == RangeSet([RingRange(after: Token(0), through: Token(50))]))
        present = try stepped(present) { try #require(try $0.handingOver(id, remaining)) }
        #expect(try present.handingOver(id, remaining) == nil)
        #expect(throws: RingChangeRefused.superseded) { _ = try present.ending(id, after: 2) }
        present = try stepped(present) { try $0.ending(id, after: $0.changes[0].stepEpoch) }
        #expect(present.changes.isEmpty)
        #expect(present.member(node(9))?.state == .normal)
        #expect(throws: RingChangeRefused.noSuchChange) { _ = try present.ending(id, after: present.epoch) }
    }

    @Test func aChangeIsTakenBackStepByStep() throws {
        let ring = metadata([0, 100, 200, 300])
        let join = joining(9, 50, ring)
        let id: UUID = join.change.id
        var present = try stepped(ring) { try $0.beginning(join.change, join.member) }
        present = try stepped(present) { try #require(try $0.handingOver(id, $0.remaining(of: $0.changes[0]))) }
        present = try stepped(present) { try #require(try $0.aborting(id)) }
        #expect(throws: RingChangeRefused.superseded) {
            _ = try present.dropping(id, after: present.changes[0].stepEpoch)
        }
        #expect(throws: RingChangeRefused.superseded) {
            _ = try present.ending(id, after: present.changes[0].stepEpoch)
        }
        present = try stepped(present) { try $0.givingBack(id, after: $0.changes[0].stepEpoch) }
        present = try stepped(present) { try $0.dropping(id, after: $0.changes[0].stepEpoch) }
        #expect(present.changes.isEmpty)
        #expect(present.member(node(9))?.state == .left)
        #expect(Topology(present, local: .none).owners.count == 4)
    }

    @Test func aNodeThatIsAssassinatedTakesItsChangeWithIt() throws {
        let ring = metadata([0, 100])
        let leave = RingChange(id: UUID(high: 0, low: 1), kind: .leave, node: node(1), tokens: [], driver: node(1))
        let begun = try stepped(ring) { try $0.beginning(leave, ring.members[0]) }
        let after = try stepped(begun) { try $0.assassinating(node(1)) }
        #expect(after.member(node(1))?.state == .left)
        #expect(after.changes.isEmpty)
        #expect(after.voters == [node(2)])
        #expect(throws: RingChangeRefused.lastNode) { _ = try after.assassinating(node(2)) }
        #expect(throws: RingChangeRefused.wrongState(node(1), .left)) { _ = try after.assassinating(node(1)) }
    }

    // MARK: Fixtures

    private func metadata(_ tokens: [Int64]) -> ClusterMetadata {
        let members: [Member] = tokens.enumerated().map { member($0.offset + 1, tokens: [$0.element]) }
        var schema = Schema()
        schema.keyspaces["data"] = KeyspaceDefinition(
            name: "data", replication: ["class": "SimpleStrategy", "replication_factor": "1"])
        var metadata = ClusterMetadata(
            founder: members[0], clusterID: UUID(high: 7, low: 7), clusterName: "test", schema: schema)
        for other in members.dropFirst() { metadata.set(other) }
        return metadata
    }

    private func joining(_ number: Int, _ token: Int64, _ ring: ClusterMetadata) -> (change: RingChange, member: Member)
    {
        let member: Member = member(number, tokens: [token])
        return (
            RingChange(
                id: UUID(high: 1, low: UInt64(number)), kind: .join, node: member.id, tokens: member.tokens,
                driver: member.id), member
        )
    }

    /// The value that a step leads to, by way of the edit.
    private func stepped(
        _ before: ClusterMetadata, _ body: (ClusterMetadata) throws -> ClusterMetadata
    ) throws -> ClusterMetadata {
        let wanted: ClusterMetadata = try body(before)
        let edit = MetadataEdit(from: before, to: wanted, id: UUID(high: 5, low: before.epoch))
        let after: ClusterMetadata = try before.applying(edit)
        #expect(after.members == wanted.members && after.changes == wanted.changes)
        let whole: [UInt8] = MetadataCodec.encode(after)
        let read: ClusterMetadata = try MetadataCodec.decodeMetadata(whole)
        #expect(read == after)
        return after
    }
}
