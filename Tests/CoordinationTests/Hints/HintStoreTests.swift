import Cluster
import Coordination
import DataModel
import Environment
import Primitives
import SimulatedHost
import Testing

/// What is kept for replicas that are down.
@Suite struct HintStoreTests {
    @Test func hintsSurviveARestartAndAreDeliveredInTheirOrder() throws {
        let world = HintWorld(seed: 1)
        let store = try world.open()
        for number in 0..<50 { try world.append(store, number, for: number % 2 == 0 ? world.a : world.b) }
        try world.close(store)
        try world.deliverEverything()
        #expect(world.replicas.numbers(world.a) == Array(stride(from: 0, to: 50, by: 2)))
        #expect(world.replicas.numbers(world.b) == Array(stride(from: 1, to: 50, by: 2)))
        #expect(try world.fileNames.isEmpty)
        #expect(world.problems.isEmpty)
    }

    @Test func nothingIsWrittenBeforeTheFlushPeriodHasPassed() throws {
        let world = HintWorld(seed: 2)
        let store = try world.open()
        try world.append(store, 1, for: world.a)
        try world.world.run(for: .seconds(9))
        #expect(try world.fileNames.isEmpty)
        try world.world.run(for: .seconds(2))
        #expect(try world.fileNames.count == 1)
    }

    @Test func filesAreBounded() throws {
        let world = HintWorld(seed: 3)
        world.options.fileByteCount = 1_000
        let store = try world.open()
        for number in 0..<40 { try world.append(store, number, for: world.a) }
        // One that is larger than a file has one of its own.
        try world.append(store, 40, for: world.a, byteCount: 5_000)
        for number in 41..<50 { try world.append(store, number, for: world.a) }
        try world.close(store)
        let sizes = try world.fileNames.filter { $0.hasSuffix(".hints") }.map { try world.bytes($0).count }
        #expect(sizes.count > 4)
        #expect(sizes.filter { $0 > 1_000 }.count == 1)
        try world.deliverEverything()
        #expect(world.replicas.numbers(world.a).count == 50)
        #expect(world.replicas.numbers(world.a).last == 49)
    }

    @Test func aFullBufferRefuses() throws {
        let world = HintWorld(seed: 4, loopCount: 1)
        world.options.bufferByteCount = 4 << 10
        let store = try world.open()
        let (a, now) = (world.a, world.now)
        let taken: Int = try world.run {
            // Nothing is flushed before this returns.
            for number in 0..<1_000 {
                let mutation = HintWorld.mutation(number)
                do throws(HintRefusal) {
                    try store.append(for: a, created: now, grace: 10, mutation: mutation.span.bytes, on: 0)
                } catch {
                    #expect(error == .overloaded)
                    return number
                }
            }
            return 1_000
        }
        #expect(taken > 10 && taken < 100)
        // Half full was enough to begin writing, long before the period has passed.
        try world.world.run(for: .seconds(1))
        try world.append(store, 5_000, for: world.a)
        let counters = try world.run { await store.currentCounters() }
        #expect(counters.refused == 1)
        #expect(counters.created == taken + 1)
    }

    @Test func aHintThatIsTooLargeIsRefused() throws {
        let world = HintWorld(seed: 5)
        let store = try world.open()
        let (a, now) = (world.a, world.now)
        let tooLarge = [UInt8](repeating: 0, count: Hint.maximumMutationByteCount + 1)
        #expect(throws: HintRefusal.tooLarge) {
            try world.run { try store.append(for: a, created: now, grace: 1, mutation: tooLarge.span.bytes, on: 0) }
        }
    }

    @Test func aReplicaHasABoundedNumberOfBytes() throws {
        let world = HintWorld(seed: 6)
        world.options.maximumBytesPerTarget = 1_000
        let store = try world.open()
        var taken = 0
        do {
            for number in 0..<100 {
                try world.append(store, number, for: world.a)
                taken += 1
            }
        } catch {
            #expect(error as? HintRefusal == .targetFull)
        }
        #expect(taken > 3 && taken < 20)
        try world.append(store, 0, for: world.b)
        try world.close(store)
        // Delivered hints make room.
        try world.deliverEverything()
        let later = try world.open()
        try world.append(later, 0, for: world.a)
    }

    @Test func theWindowCountsFromTheBeginningOfTheOutageAndOverRestarts() throws {
        let world = HintWorld(seed: 7)
        world.options.window = .seconds(60)
        let store = try world.open()
        let (a, b) = (world.a, world.b)
        try world.run { store.note(a, isUp: false) }
        try world.append(store, 1, for: world.a)
        try world.world.run(for: .seconds(50))
        try world.append(store, 2, for: world.a)
        try world.world.run(for: .seconds(11))
        #expect(throws: HintRefusal.windowPassed) { try world.append(store, 3, for: world.a) }
        try world.append(store, 1, for: world.b)
        try world.close(store)
        world.restart()
        let later = try world.open()
        #expect(throws: HintRefusal.windowPassed) { try world.append(later, 4, for: world.a) }
        try world.run { later.note(b, isUp: false) }
        try world.append(later, 2, for: world.b)
        // Back and down again is another outage.
        try world.run {
            later.note(a, isUp: true)
            later.note(a, isUp: false)
        }
        try world.append(later, 5, for: world.a)
        later.setWindow(.zero)
        try world.world.run(for: .seconds(1))
        #expect(throws: HintRefusal.windowPassed) { try world.append(later, 6, for: world.a) }
    }

    @Test func hintsCanBeSwitchedOffForAllAndForADatacenter() throws {
        let world = HintWorld(seed: 8)
        let store = try world.open()
        func member(_ id: NodeID, _ datacenter: String) -> Member {
            Member(
                id: id, internode: .loopback(port: 1), native: .loopback(port: 2), datacenter: datacenter, rack: "r",
                tokens: [], state: .normal, releaseVersion: "5.0")
        }
        let members = [member(world.a, "dc1"), member(world.b, "dc2")]
        try world.run {
            await store.setMembers(members) { _ in true }
            await store.setEnabled(false, datacenter: "dc2")
        }
        try world.append(store, 1, for: world.a)
        #expect(throws: HintRefusal.disabled) { try world.append(store, 1, for: world.b) }
        let switches = try world.run { await store.switches() }
        #expect(switches.isEnabled)
        #expect(switches.disabledDatacenters == ["dc2"])
        try world.run { await store.setEnabled(false) }
        #expect(throws: HintRefusal.disabled) { try world.append(store, 1, for: world.a) }
        try world.run {
            await store.setEnabled(true)
            await store.setEnabled(true, datacenter: "dc2")
        }
        try world.append(store, 1, for: world.a)
        try world.append(store, 1, for: world.b)
    }

    @Test func theBacklogIsShownAndTruncated() throws {
        let world = HintWorld(seed: 9)
        let store = try world.open()
        for number in 0..<10 { try world.append(store, number, for: world.a) }
        for number in 0..<5 { try world.appendDurably(store, number, for: world.b) }
        let backlog = try world.backlog(store)
        #expect(backlog.map(\.target) == [world.a, world.b])
        #expect(backlog.map(\.hintCount) == [10, 5])
        #expect(backlog.map(\.fileCount) == [1, 1])
        #expect(backlog.allSatisfy { $0.byteCount > 100 && $0.oldestMicroseconds != nil })
        try world.append(store, 10, for: world.a)
        let a = world.a
        try world.run { await store.truncate(a) }
        #expect(try world.backlog(store).map(\.target) == [world.b])
        try world.append(store, 11, for: world.a)
        try world.run { await store.truncate() }
        #expect(try world.backlog(store).isEmpty)
        #expect(try world.fileNames.isEmpty)
        try world.append(store, 12, for: world.a)
        try world.close(store)
        try world.deliverEverything()
        #expect(world.replicas.numbers(world.a) == [12])
    }

    @Test func theBacklogIsKnownAfterAnOrderlyEndAndPartlyAfterAKill() throws {
        let world = HintWorld(seed: 10)
        var store = try world.open()
        for number in 0..<7 { try world.append(store, number, for: world.a) }
        try world.close(store)
        world.restart()
        store = try world.open()
        #expect(try world.backlog(store).map(\.hintCount) == [7])
        try world.appendDurably(store, 7, for: world.a)
        world.machine.kill()
        world.restart()
        store = try world.open()
        let backlog = try world.backlog(store)
        #expect(backlog.map(\.hintCount) == [nil])
        #expect(backlog.map(\.fileCount) == [2])
    }

    @Test func aClosedStoreTakesNothing() throws {
        let world = HintWorld(seed: 11)
        let store = try world.open()
        try world.close(store)
        try world.close(store)
        #expect(throws: HintRefusal.closed) { try world.append(store, 1, for: world.a) }
        #expect(throws: HintRefusal.closed) { try world.appendDurably(store, 1, for: world.a) }
    }

    @Test func aFailingDiskIsReportedToWhoWaits() throws {
        let world = HintWorld(seed: 12)
        let store = try world.open()
        try world.appendDurably(store, 1, for: world.a)
        world.machine.disk.faults.failureProbability = 1
        #expect(throws: HintRefusal.self) { try world.appendDurably(store, 2, for: world.a) }
        world.machine.disk.faults.failureProbability = 0
        try world.appendDurably(store, 3, for: world.a)
        try world.close(store)
        try world.deliverEverything()
        let applied = world.replicas.numbers(world.a)
        #expect(applied.contains(1))
        #expect(applied.contains(3))
        #expect(!world.problems.isEmpty)
    }

    @Test func hintsOfAllLoopsAreWritten() throws {
        let world = HintWorld(seed: 13, loopCount: 3)
        let store = try world.open()
        let (a, now) = (world.a, world.now)
        for loop in 0..<3 {
            try world.world.run(on: world.machine.host.loops[loop]) {
                try await store.appendDurably(
                    for: a, created: now, grace: HintWorld.grace, mutation: HintWorld.mutation(loop), on: loop)
            }
        }
        try world.close(store)
        try world.deliverEverything()
        #expect(world.replicas.numbers(world.a).count == 3)
    }
}
