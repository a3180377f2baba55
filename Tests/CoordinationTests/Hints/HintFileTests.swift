import Cluster
import Coordination
import Environment
import Primitives
import SimulatedHost
import Testing

/// Files of hints that were cut, damaged, or written when the power went.
@Suite struct HintFileTests {
    /// A closed file with `count` hints for `a`, and its name.
    private func written(_ world: HintWorld, count: Int) throws -> String {
        let store = try world.open()
        for number in 0..<count { try world.append(store, number, for: world.a) }
        try world.close(store)
        return try world.fileNames.first { $0.hasSuffix(".hints") } ?? ""
    }

    private let recordByteCount: Int = 16 + 12 + HintWorld.mutation(0).count

    @Test func aFileThatEndsAnywhereGivesAllHintsBeforeItsEnd() throws {
        for cut in stride(from: 0, through: 400, by: 13) {
            let world = HintWorld(seed: 20)
            let name = try written(world, count: 3)
            let bytes = try world.bytes(name)
            try world.replace(name, Array(bytes.prefix(cut)))
            try world.deliverEverything()
            let whole = max(0, min(3, (cut - 128) / recordByteCount))
            #expect(world.replicas.numbers(world.a) == Array(0..<whole), "cut \(cut)")
            #expect(world.problems.isEmpty, "cut \(cut)")
        }
    }

    @Test func damageCostsOneHintAndIsReported() throws {
        let length = recordByteCount
        for offset in stride(from: 0, to: length, by: 3) {
            let world = HintWorld(seed: 21)
            let name = try written(world, count: 5)
            var bytes = try world.bytes(name)
            bytes[128 + length * 2 + offset] ^= 0x10
            try world.replace(name, bytes)
            try world.deliverEverything()
            let expected = [0, 1, 3, 4]
            #expect(world.replicas.numbers(world.a) == expected, "offset \(offset)")
            #expect(world.problems.count == 1, "offset \(offset)")
            if case .damaged(_, let count)? = world.problems.first { #expect(count == 1) } else { Issue.record() }
        }
    }

    @Test func eitherCopyOfTheHeadIsEnough() throws {
        for offset in [0, 30, 60, 64, 100, 127] {
            let world = HintWorld(seed: 22)
            let name = try written(world, count: 2)
            var bytes = try world.bytes(name)
            bytes[offset] ^= 1
            try world.replace(name, bytes)
            try world.deliverEverything()
            #expect(world.replicas.numbers(world.a).count == 2, "offset \(offset)")
        }
    }

    @Test func aFileWithoutAHeadIsPutAside() throws {
        let world = HintWorld(seed: 23)
        let name = try written(world, count: 2)
        var bytes = try world.bytes(name)
        bytes[5] ^= 1
        bytes[70] ^= 1
        try world.replace(name, bytes)
        try world.deliverEverything()
        #expect(world.replicas.applied.isEmpty)
        #expect(try world.fileNames == ["\(name).unreadable"])
        #expect(world.problems.count == 1)
    }

    @Test func aFileThatIsNamedForAnotherReplicaIsNotDelivered() throws {
        let world = HintWorld(seed: 24)
        let name = try written(world, count: 2)
        let bytes = try world.bytes(name)
        let other = name.replacing("\(world.a.uuid)", with: "\(world.b.uuid)")
        try world.replace(name, [])
        let disk = world.machine.host.disk
        try world.run {
            let file = try await disk.open("\(HintWorld.directory)/\(other)", .create)
            try await file.write(bytes, at: 0)
        }
        try world.deliverEverything()
        #expect(world.replicas.applied.isEmpty)
    }

    @Test func whatOnlyLooksLikeARecordIsNotDelivered() throws {
        let world = HintWorld(seed: 25)
        let name = try written(world, count: 2)
        let bytes = try world.bytes(name)
        // A hint that holds a whole file of hints, and whose own head is damaged.
        let store = try world.open()
        let (a, now) = (world.a, world.now)
        try world.run {
            try store.append(for: a, created: now, grace: HintWorld.grace, mutation: bytes.span.bytes, on: 0)
        }
        try world.append(store, 7, for: world.a)
        try world.close(store)
        let second = try world.fileNames.filter { $0.hasSuffix(".hints") && $0 != name }[0]
        var damaged = try world.bytes(second)
        damaged[130] ^= 1
        try world.replace(second, damaged)
        try world.replace(name, [])
        try world.deliverEverything()
        #expect(world.replicas.numbers(world.a) == [7])
    }

    @Test func randomDamageNeverBringsAWrongHint() throws {
        for seed: UInt64 in 0..<60 {
            var generator = SeededGenerator(seed: seed)
            let world = HintWorld(seed: seed)
            let name = try written(world, count: 20)
            var bytes = try world.bytes(name)
            for _ in 0...generator.below(6) {
                bytes[generator.below(bytes.count)] = UInt8(generator.below(256))
            }
            try world.replace(name, bytes)
            try world.deliverEverything()
            let known = Set(Array(0..<20))
            let applied = world.replicas.numbers(world.a)
            #expect(known.isSuperset(of: applied), "seed \(seed)")
            #expect(Set(applied).count == applied.count, "seed \(seed)")
        }
    }

    /// Hints that were reported durable, filled in while the world runs.
    private final class Promises: @unchecked Sendable {
        var kept: [NodeID: Set<Int>] = [:]
    }

    @Test(arguments: [HintOptions.Durability.synced])
    func noDurableHintIsLostWhereverThePowerGoes(_ durability: HintOptions.Durability) throws {
        var isDone = false
        var operation = 0
        while !isDone {
            let world = HintWorld(seed: UInt64(1_000 + operation))
            world.options.fileByteCount = 600
            world.options.durability = durability
            let promises = Promises()
            world.machine.disk.crashAfterOperation = operation
            do {
                let store = try world.open()
                for number in 0..<14 {
                    let target = number % 3 == 0 ? world.b : world.a
                    if number % 4 == 3 {
                        try world.append(store, number, for: target)
                    } else {
                        try world.appendDurably(store, number, for: target)
                        promises.kept[target, default: []].insert(number)
                    }
                }
                try world.close(store)
                isDone = true
            } catch is SimulationFailure {}
            world.machine.disk.crashAfterOperation = nil
            world.restart()
            try world.deliverEverything()
            let known = Set(Array(0..<14))
            for target in [world.a, world.b] {
                let applied = Set(world.replicas.numbers(target))
                #expect(applied.isSuperset(of: promises.kept[target] ?? []), "operation \(operation)")
                #expect(known.isSuperset(of: applied), "operation \(operation)")
            }
            operation += 1
            #expect(operation < 1_000)
        }
        #expect(operation > 20)
    }

    @Test func deliveryThatIsCutOffAnywhereGoesOn() throws {
        var isDone = false
        var operation = 0
        while !isDone {
            let world = HintWorld(seed: UInt64(2_000 + operation))
            world.options.fileByteCount = 900
            world.options.batchByteCount = 200
            let store = try world.open()
            for number in 0..<24 { try world.append(store, number, for: world.a) }
            try world.close(store)
            world.machine.disk.crashAfterOperation = world.machine.disk.operationCount + operation
            do {
                try world.deliverEverything()
                isDone = world.machine.state == .running
            } catch is SimulationFailure {}
            world.machine.disk.crashAfterOperation = nil
            world.restart()
            try world.deliverEverything()
            let applied = world.replicas.numbers(world.a)
            #expect(Set(applied) == Set(Array(0..<24)), "operation \(operation)")
            #expect(try world.fileNames.filter { $0.hasSuffix(".hints") }.isEmpty)
            operation += 1
            #expect(operation < 1_000)
        }
        #expect(operation > 10)
    }

    @Test func hintsThatWereWrittenSurviveAKill() throws {
        let world = HintWorld(seed: 30)
        world.options.durability = .written
        let store = try world.open()
        for number in 0..<9 { try world.appendDurably(store, number, for: world.a) }
        world.machine.kill()
        world.restart()
        try world.deliverEverything()
        #expect(world.replicas.numbers(world.a).count == 9)
    }
}
