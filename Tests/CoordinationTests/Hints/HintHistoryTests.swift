import Cluster
import Coordination
import Environment
import Primitives
import SimulatedHost
import Testing

/// Random histories: replicas that come and go, a disk that fails, power that goes, processes that are killed.
@Suite struct HintHistoryTests {
    @Test(arguments: 1...25 as ClosedRange<UInt64>)
    func whatWasReportedDurableIsDeliveredAtLeastOnce(_ seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let world = HintWorld(seed: seed)
        world.options.fileByteCount = 500 + generator.below(2_000)
        world.options.batchByteCount = 50 + generator.below(500)
        world.replicas.losesAnswer = { ($0 &* 7 &+ Int(seed)) % 11 == 0 }
        world.replicas.refuses = { ($0 &* 5 &+ Int(seed)) % 13 == 0 }
        var promised: [NodeID: Set<Int>] = [world.a: [], world.b: []]
        var nextNumber = 0
        for _ in 0..<8 {
            do {
                let store = try world.open()
                let liveness = Liveness(local: world.local)
                let delivery = try world.deliver(store, to: liveness)
                for _ in 0..<generator.below(6) {
                    try step(world, store, liveness, &generator, &promised, &nextNumber)
                }
                if generator.oneIn(2) {
                    world.machine.disk.faults.failureProbability = 0
                    try world.run {
                        await delivery.stop()
                        await store.close()
                    }
                }
            } catch is SimulationFailure {
                // The power went.
            } catch is DiskError {
                // The store could not be opened.
            }
            world.machine.disk.crashAfterOperation = nil
            world.machine.disk.faults.failureProbability = 0
            if generator.oneIn(3) { world.machine.crash() }
            world.restart()
        }
        world.replicas.losesAnswer = { _ in false }
        world.replicas.refuses = { _ in false }
        try world.deliverEverything()
        for (id, numbers) in promised.sorted(by: { $0.key < $1.key }) {
            let applied = Set(world.replicas.numbers(id))
            #expect(applied.isSuperset(of: numbers), "seed \(seed)")
            #expect(!applied.contains(-1), "seed \(seed)")
        }
        #expect(try world.fileNames.filter { $0.hasSuffix(".hints") }.isEmpty, "seed \(seed)")
    }

    /// Some hints, and something that happens.
    private func step(
        _ world: HintWorld, _ store: HintStore, _ liveness: Liveness, _ generator: inout SeededGenerator,
        _ promised: inout [NodeID: Set<Int>], _ nextNumber: inout Int
    ) throws {
        let target = generator.oneIn(2) ? world.a : world.b
        for _ in 0..<generator.below(6) {
            let number = nextNumber
            nextNumber += 1
            do {
                if generator.oneIn(3) {
                    try world.append(store, number, for: target)
                } else {
                    try world.appendDurably(store, number, for: target)
                    promised[target, default: []].insert(number)
                }
            } catch is HintRefusal {
                // The disk failed, and whoever asked was told.
            }
        }
        switch generator.below(5) {
        case 0: world.machine.disk.faults.failureProbability = 0.15
        case 1: world.machine.disk.faults.failureProbability = 0
        case 2: world.machine.disk.crashAfterOperation = world.machine.disk.operationCount + generator.below(40)
        default:
            let isUp = generator.oneIn(2)
            try world.run { liveness.set(target, alive: isUp) }
        }
        try world.world.run(for: .milliseconds(Int64(generator.below(15_000))))
    }
}
