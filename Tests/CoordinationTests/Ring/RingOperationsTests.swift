import Cluster
import Coordination
import DataModel
import Environment
import Primitives
import SimulatedHost
import Testing

/// One after the other, because a deliberate bug is the whole process's.
@Suite(.serialized) struct RingOperationsTests {
    /// What clients saw of a run.
    private struct Outcome: Sendable {
        var lost: [String]
        var writeCount: Int
        var owners: [NodeID]
    }

    private func expect(
        _ end: RingChangeEnd, of change: @Sendable () async throws -> RingChangeEnd,
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let found: RingChangeEnd = try await change()
        #expect(found == end, sourceLocation: sourceLocation)
    }

    private func run(
        seed: UInt64, machines: Int, start: Int, _ body: @escaping @Sendable (RingWorld) async throws -> Void
    ) throws -> Outcome {
        let world = RingWorld(seed: seed, machineCount: machines)
        return try world.run { world in
            for index in 0..<start { try await world.start(index) }
            try await world.settled()
            world.load(clients: 6)
            await world.pause(500)
            try await body(world)
            try await world.settled()
            await world.pause(8_000)
            await world.endLoad()
            for token in RingWorld.tokens { await world.read(token) }
            let owners: [NodeID] = world.nodes.compactMap { $0 }.first?.topology?.owners.map(\.id) ?? []
            return Outcome(lost: world.lost, writeCount: world.writeCount, owners: owners)
        }
    }

    @Test func anEpochThatNobodyKnowsSealsNothing() throws {
        let outcome = try run(seed: 1, machines: 3, start: 3) { world in
            let (asker, asked) = (try world.live(0), try world.live(1))
            await #expect(throws: MessageFailure.self) {
                _ = try await asker.messages.request(
                    .ringBarrier, RingMessages.encode(.seal, .max), to: asked.id, timeout: .seconds(10))
            }
            #expect(asked.requiredEpoch < .max)
        }
        #expect(outcome.lost.isEmpty)
    }

    @Test(arguments: 1...3)
    func threeNodesGrowToSixAndShrinkToThreeWithoutLosingAnything(_ seed: UInt64) throws {
        let outcome = try run(seed: seed, machines: 6, start: 3) { world in
            for index in 3..<6 {
                let node = try await world.start(index, joins: false)
                try await expect(.done, of: { try await node.bootstrap() })
            }
            for index in [0, 4, 2] {
                let node = try world.live(index)
                let id: UUID = try await node.operations.decommission(isForced: false)
                try await expect(.done, of: { try await node.operations.end(of: id) })
                await world.pause(200)
                world.kill(index)
            }
        }
        #expect(outcome.lost.isEmpty, "seed \(seed): \(outcome.lost.prefix(3))")
        #expect(outcome.owners == [1, 3, 5].map { RingWorld.id($0) }, "seed \(seed)")
        #expect(outcome.writeCount > 100)
    }

    @Test(arguments: 1...3)
    func aDeadNodeIsReplacedAndAnotherRemoved(_ seed: UInt64) throws {
        let outcome = try run(seed: seed, machines: 6, start: 5) { world in
            world.kill(4)
            let replacement = try await world.start(5, joins: false)
            try await expect(.done, of: { try await replacement.bootstrap(replacing: RingWorld.id(4)) })
            await world.pause(500)
            world.kill(3)
            let id: UUID = try await world.live(1).operations.remove(RingWorld.id(3))
            try await expect(.done, of: { try await world.live(1).operations.end(of: id) })
        }
        #expect(outcome.lost.isEmpty, "seed \(seed): \(outcome.lost.prefix(3))")
        #expect(outcome.owners == [0, 1, 2, 5].map { RingWorld.id($0) }, "seed \(seed)")
    }

    @Test(arguments: 1...3)
    func aNodeMoves(_ seed: UInt64) throws {
        let outcome = try run(seed: seed, machines: 4, start: 4) { world in
            let tokens: [Token] = (0..<4).map { Token(ordinal: UInt64($0) << 62 | UInt64(seed) << 50) }
            let id: UUID = try await world.live(2).operations.move(to: tokens)
            try await expect(.done, of: { try await world.live(2).operations.end(of: id) })
            #expect(world.nodes[2]?.metadata?.member(RingWorld.id(2))?.tokens == tokens)
        }
        #expect(outcome.lost.isEmpty, "seed \(seed): \(outcome.lost.prefix(3))")
    }

    @Test(arguments: 1...3)
    func aJoinGoesOnAfterItsNodeWasKilledAtAnyMoment(_ seed: UInt64) throws {
        let outcome = try run(seed: seed, machines: 4, start: 3) { world in
            let node = try await world.start(3, joins: false)
            world.machines[3].host.background.run("join", on: world.machines[3].host.loops[0]) {
                do { _ = try await node.bootstrap() } catch {
                    // It is killed in the middle.
                }
            }
            await world.pause(20 + world.random(1_500))
            world.kill(3)
            await world.pause(1_000)
            world.machines[3].restart()
            let again = try await world.start(3, joins: false)
            if again.metadata?.member(again.id) == nil { try await expect(.done, of: { try await again.bootstrap() }) }
        }
        #expect(outcome.lost.isEmpty, "seed \(seed): \(outcome.lost.prefix(3))")
        #expect(outcome.owners.count == 4, "seed \(seed)")
    }

    @Test(arguments: 1...3)
    func aJoinIsTakenBackAtAnyMomentByAnotherNode(_ seed: UInt64) throws {
        let outcome = try run(seed: seed, machines: 4, start: 3) { world in
            let node = try await world.start(3, joins: false)
            world.machines[3].host.background.run("join", on: world.machines[3].host.loops[0]) {
                do { _ = try await node.bootstrap() } catch {
                    // It is taken back.
                }
            }
            while world.nodes[1]?.metadata?.changes.isEmpty ?? true { await world.pause(5) }
            await world.pause(world.random(1_000))
            let isDead: Bool = seed % 2 == 0
            if isDead { world.kill(3) }
            let present = try world.live(1)
            guard let change = present.metadata?.changes.first else { return }
            do { try await present.operations.abort(change.id) } catch RingChangeRefused.noSuchChange { return }
            try await expect(.aborted, of: { try await present.operations.end(of: change.id) })
            #expect(present.metadata?.member(RingWorld.id(3))?.state == .left)
        }
        #expect(outcome.lost.isEmpty, "seed \(seed): \(outcome.lost.prefix(3))")
    }

    /// What a client has read is not to vanish until a hint brings it. Hints that are held back by hand hold up nothing.
    @Test(arguments: [true, false]) func thoseWhoGoAreReadUntilWritesHaveArrived(_ doArrive: Bool) throws {
        let outcome = try run(seed: 6, machines: 4, start: 3) { world in
            let other = try world.live(1)
            other.hasAllArrived = false
            let node = try await world.start(3, joins: false)
            world.machines[3].host.background.run("join", on: world.machines[3].host.loops[0]) {
                do { try await expect(.done, of: { try await node.bootstrap() }) } catch { Issue.record(error) }
            }
            while other.metadata?.changes.isEmpty ?? true { await world.pause(5) }
            await world.pause(5_000)
            let change = try #require(other.metadata?.changes.first)
            #expect(other.metadata?.remaining(of: change).isEmpty == true)
            other.hasAllArrived = doArrive
            await world.pause(2_000)
            #expect((other.topology?.owners.count == 4) == doArrive)
            while other.topology?.owners.count != 4 { await world.pause(50) }
        }
        #expect(outcome.lost.isEmpty, "\(outcome.lost.prefix(3))")
        #expect(outcome.owners.count == 4)
    }

    /// However long others take for what a leaving node keeps of theirs, it can be told to stay.
    @Test func aNodeThatBringsWhatItKeepsToOthersCanStillStay() throws {
        let outcome = try run(seed: 7, machines: 4, start: 4) { world in
            let node = try world.live(2)
            node.leave.words = "hints"
            let id: UUID = try await node.operations.decommission(isForced: false)
            while !node.leave.hasBegun { await world.pause(50) }
            await world.pause(1_000)
            #expect(node.metadata?.change(id) != nil)
            try await node.operations.abort(id)
            try await expect(.aborted, of: { try await node.operations.end(of: id) })
            #expect(!node.leave.hasBegun)
        }
        #expect(outcome.lost.isEmpty, "\(outcome.lost.prefix(3))")
        #expect(outcome.owners.count == 4)
    }

    @Test func severalJoinsAtOnceWaitForEachOther() throws {
        let outcome = try run(seed: 9, machines: 6, start: 3) { world in
            for index in 3..<6 {
                let node = try await world.start(index, joins: false)
                world.machines[index].host.background.run("join", on: world.machines[index].host.loops[0]) {
                    do { try await expect(.done, of: { try await node.bootstrap() }) } catch { Issue.record(error) }
                }
            }
            while world.nodes[0]?.topology?.owners.count != 6 { await world.pause(50) }
        }
        #expect(outcome.lost.isEmpty, "\(outcome.lost.prefix(3))")
        #expect(outcome.owners.count == 6)
    }

    @Test func whatIsNotOwnedIsRemovedSomeTimeAfterTheLastChange() throws {
        _ = try run(seed: 5, machines: 5, start: 4) { world in
            let node = try await world.start(4, joins: false)
            try await expect(.done, of: { try await node.bootstrap() })
            await world.pause(12_000)
            for case let node? in world.nodes {
                let owned = node.kept.last ?? nil
                #expect(owned != nil)
                for token in node.values.keys { #expect(owned?["data"]?.contains(token) == true) }
            }
        }
    }

    #if PLANTS
    @Test func aRangeThatIsHandedOverEarlyIsFound() throws {
        Plant.active = .handOverEarly
        defer { Plant.active = nil }
        var lostCount = 0
        for seed in UInt64(1)...4 {
            lostCount += try run(seed: seed, machines: 4, start: 3) { world in
                let node = try await world.start(3, joins: false)
                _ = try await node.bootstrap()
            }.lost.count
        }
        #expect(lostCount > 0)
    }
    #endif
}
