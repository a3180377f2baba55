import Cluster
import Coordination
import Environment
import Primitives
import SimulatedHost
import Testing

/// How hints get to replicas that are back.
@Suite struct HintDeliveryTests {
    @Test func hintsAreDeliveredWhenTheReplicaComesUp() throws {
        let world = HintWorld(seed: 40)
        let store = try world.open()
        let liveness = Liveness(local: world.local)
        let delivery = try world.deliver(store, to: liveness)
        for number in 0..<10 { try world.append(store, number, for: world.a) }
        try world.world.run(for: .seconds(30))
        #expect(world.replicas.requestCount == 0)
        let a = world.a
        try world.run { liveness.set(a, alive: true) }
        try world.world.run(for: .seconds(1))
        #expect(world.replicas.numbers(world.a).count == 10)
        // A write that a live replica missed follows with the next flush.
        try world.append(store, 10, for: world.a)
        try world.world.run(for: .seconds(12))
        #expect(world.replicas.numbers(world.a).last == 10)
        #expect(try world.fileNames.isEmpty)
        #expect(try world.run { await delivery.currentCounters() }.delivered == 11)
    }

    @Test func whatWasNotAnsweredIsDeliveredAgain() throws {
        for seed: UInt64 in 41...50 {
            var generator = SeededGenerator(seed: seed)
            let world = HintWorld(seed: seed)
            world.options.batchByteCount = 150
            world.options.batchesInFlight = 3
            let fails = (0..<40).map { _ in generator.oneIn(3) }
            let refuses = (0..<40).map { _ in generator.oneIn(4) }
            world.replicas.losesAnswer = { $0 < 40 && fails[$0] }
            world.replicas.refuses = { $0 < 40 && refuses[$0] }
            let store = try world.open()
            for number in 0..<30 { try world.append(store, number, for: world.a) }
            let delivery = try world.deliver(store, to: Liveness(local: world.local, alive: [world.a]))
            try world.world.run(for: .seconds(600))
            let applied = world.replicas.numbers(world.a)
            #expect(Set(applied) == Set(Array(0..<30)), "seed \(seed)")
            #expect(world.replicas.mostRequestsInFlight <= 3)
            #expect(try world.fileNames.isEmpty, "seed \(seed)")
            let counters = try world.run { await delivery.currentCounters() }
            #expect(counters.delivered >= 30, "seed \(seed)")
            #expect(counters.failedBatches + counters.timedOutBatches > 0, "seed \(seed)")
        }
    }

    @Test func progressSurvivesAnOrderlyRestart() throws {
        let world = HintWorld(seed: 51)
        world.options.batchByteCount = 100
        world.options.batchesInFlight = 1
        let store = try world.open()
        for number in 0..<20 { try world.append(store, number, for: world.a) }
        try world.close(store)
        world.replicas.refuses = { $0 >= 12 }
        try world.deliverEverything()
        let before = world.replicas.numbers(world.a).count
        #expect(before == 12)
        world.restart()
        world.replicas.refuses = { _ in false }
        try world.deliverEverything()
        #expect(world.replicas.numbers(world.a) == Array(0..<20))
    }

    @Test func hintsOlderThanTheGraceOfTheirTableAreNotDelivered() throws {
        let world = HintWorld(seed: 52)
        let store = try world.open()
        let (a, now) = (world.a, world.now)
        try world.run {
            for grace in [0, 30, 100] as [UInt32] {
                let mutation = HintWorld.mutation(Int(grace))
                try store.append(for: a, created: now, grace: grace, mutation: mutation.span.bytes, on: 0)
            }
        }
        try world.world.run(for: .seconds(60))
        let delivery = try world.deliver(store, to: Liveness(local: world.local, alive: [world.a]))
        try world.world.run(for: .seconds(20))
        #expect(world.replicas.numbers(world.a) == [100])
        #expect(try world.run { await delivery.currentCounters() }.expired == 2)
        #expect(try world.fileNames.isEmpty)
    }

    @Test func hintsOfDroppedTablesAreNotDelivered() throws {
        let world = HintWorld(seed: 53)
        let store = try world.open()
        let (a, now) = (world.a, world.now)
        let dropped = HintWorld.mutation(2, table: UUID(high: 9, low: 9))
        try world.append(store, 1, for: world.a)
        try world.run {
            try store.append(for: a, created: now, grace: HintWorld.grace, mutation: dropped.span.bytes, on: 0)
        }
        let delivery = try world.deliver(store, to: Liveness(local: world.local, alive: [world.a])) {
            $0 == HintWorld.table
        }
        try world.world.run(for: .seconds(20))
        #expect(world.replicas.numbers(world.a) == [1])
        #expect(try world.run { await delivery.currentCounters() }.ofDroppedTables == 1)
    }

    @Test func deliveryIsPausedAndResumed() throws {
        let world = HintWorld(seed: 54)
        let store = try world.open()
        let delivery = try world.deliver(store, to: Liveness(local: world.local, alive: [world.a]))
        try world.run { await delivery.pause() }
        try world.append(store, 1, for: world.a)
        try world.world.run(for: .seconds(60))
        #expect(try world.run { await delivery.pauses() })
        #expect(world.replicas.requestCount == 0)
        try world.run { await delivery.resume() }
        try world.world.run(for: .seconds(1))
        #expect(world.replicas.numbers(world.a).count == 1)
    }

    @Test func theThrottleIsSplitBetweenTheOtherNodes() throws {
        let world = HintWorld(seed: 55)
        world.options.throttleBytesPerSecond = 10_000
        world.options.batchByteCount = 1_000
        let store = try world.open()
        for number in 0..<50 { try world.append(store, number, for: world.a, byteCount: 900) }
        let delivery = try world.deliver(store, to: Liveness(local: world.local))
        try world.run { await delivery.setOtherNodeCount(2) }
        try world.world.run(for: .seconds(11))
        let liveness = Liveness(local: world.local, alive: [world.a])
        let second = try world.deliver(store, to: liveness)
        try world.run { await second.setOtherNodeCount(2) }
        try world.world.run(for: .seconds(4))
        // 5,000 bytes each second.
        let applied = world.replicas.numbers(world.a).count
        #expect(applied >= 15 && applied <= 30, "\(applied)")
        try world.run { await second.setThrottle(bytesPerSecond: 0) }
        try world.world.run(for: .seconds(1))
        #expect(world.replicas.numbers(world.a).count == 50)
    }

    @Test func truncatedHintsAreNotDelivered() throws {
        let world = HintWorld(seed: 56)
        world.options.throttleBytesPerSecond = 1_000
        world.options.batchByteCount = 500
        let store = try world.open()
        for number in 0..<50 { try world.append(store, number, for: world.a, byteCount: 400) }
        try world.close(store)
        world.restart()
        let later = try world.open()
        let delivery = try world.deliver(later, to: Liveness(local: world.local, alive: [world.a]))
        try world.world.run(for: .seconds(5))
        try world.run { await later.truncate() }
        let count = world.replicas.requestCount
        try world.world.run(for: .seconds(60))
        #expect(count > 2 && count < 30)
        #expect(world.replicas.requestCount <= count + 2)
        #expect(try world.fileNames.isEmpty)
        try world.run {
            await delivery.stop()
            await later.close()
        }
    }

    @Test func largeHintsAreDeliveredWhole() throws {
        let world = HintWorld(seed: 57)
        world.options.throttleBytesPerSecond = 0
        let store = try world.open()
        for number in 0..<4 {
            try world.appendDurably(store, number, for: world.a, byteCount: 60_000)
        }
        let huge = [UInt8](repeating: 7, count: 3 << 20)
        let (a, now) = (world.a, world.now)
        try world.run {
            try await store.appendDurably(for: a, created: now, grace: HintWorld.grace, mutation: huge, on: 0)
        }
        try world.close(store)
        try world.deliverEverything()
        #expect(world.replicas.numbers(world.a) == Array(0..<4))
    }
}

/// What a replica does with a batch.
@Suite struct HintReceiverTests {
    private let local = NodeID(UUID(high: 1, low: 1))
    private let sender = NodeID(UUID(high: 2, low: 2))

    private func hint(_ number: Int) -> Hint {
        Hint(createdMicroseconds: 5, graceSeconds: 6, mutation: HintWorld.mutation(number))
    }

    @Test func aBatchComesBackAsItWas() throws {
        let batch = HintBatch(target: local, hints: [hint(1), hint(2)])
        #expect(try HintBatch(batch.bytes) == batch)
        let bytes = batch.bytes
        for count in 0..<bytes.count {
            #expect(throws: DecodingError.self) { try HintBatch(Array(bytes[..<count])) }
        }
        #expect(throws: DecodingError.self) { try HintBatch(bytes + [0]) }
    }

    @Test func malformedMutationsArePassedOverAndCounted() async throws {
        let messenger = HandlerOnly()
        let applied = Applied()
        HintReceiver.register(on: messenger, local: local) { sender, hint in applied.hints.append(hint) }
        let broken = Hint(createdMicroseconds: 5, graceSeconds: 6, mutation: [1, 2, 3])
        let batch = HintBatch(target: local, hints: [hint(1), broken, hint(2)])
        let answer = try await messenger.answer(
            IncomingMessage(verb: .hint, sender: sender, body: batch.bytes))
        #expect(answer == [0, 0, 0, 2, 0, 0, 0, 1])
        #expect(applied.hints == [hint(1), hint(2)])
    }

    @Test func hintsForAnotherNodeAndGarbageAreRefused() async {
        let messenger = HandlerOnly()
        HintReceiver.register(on: messenger, local: local) { _, _ in Issue.record("nothing is applied") }
        let batch = HintBatch(target: sender, hints: [hint(1)])
        for (body, code) in [
            (batch.bytes, HintReceiver.refusesWrongTarget), ([9], HintReceiver.refusesMalformed),
        ] {
            do {
                _ = try await messenger.answer(IncomingMessage(verb: .hint, sender: sender, body: body))
                Issue.record("it was taken")
            } catch {
                #expect((error as? Refusal)?.code == code)
            }
        }
    }

    private final class Applied: @unchecked Sendable {
        var hints: [Hint] = []
    }
}
