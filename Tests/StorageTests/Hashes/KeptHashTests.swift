import DataModel
import Environment
import Primitives
import SimulatedHost
import Testing

@testable import Storage

/// What is known of leaves outlives flushes, compactions, restarts and crashes, and is never wrong.
@Suite struct KeptHashTests {
    private static func options() -> StorageOptions {
        var options = StorageOptions(dataDirectory: "/var/data", commitLogDirectory: "/var/log")
        options.segmentByteCount = 64 << 10
        options.isCompactionEnabled = false
        options.isAutoSnapshotEnabled = false
        options.hashByteCountPerSecond = 0
        return options
    }

    private static let leaves: [ClosedRange<Token>] = (0..<16).map { index in
        let start: UInt64 = UInt64(index) << 60
        return Token(ordinal: start)...Token(ordinal: start + (1 << 60 - 1))
    }

    private static func open(_ host: Host) async throws -> EngineUnderTest {
        try await EngineUnderTest.open(options(), host: host)
    }

    private static func hash(_ test: EngineUnderTest, _ mode: HashMode = .cached) async throws -> HashedLeaves {
        guard let table = test.engine.shards[0].table(EngineChange.table) else { throw EngineMismatch("no table") }
        return try await table.hash(
            leaves, HashFrame(nowSeconds: 2_000, purgeSeconds: .min), mode, deadline: .max)
    }

    private static func insert(_ key: UInt8, _ value: UInt8, at timestamp: Int64) -> EngineChange {
        EngineChange(
            key: [key], kind: .insert(row: key % 7, value: value, ttl: 0), timestamp: timestamp, nowSeconds: 1_000)
    }

    private static func fill(_ test: EngineUnderTest, _ keys: ClosedRange<UInt8> = 0...199) async throws {
        for key in keys { try await test.write(insert(key, key, at: 1)) }
    }

    /// How many of the leaves some keys are in.
    private static func leafCount(_ keys: [UInt8]) -> Int {
        Set(keys.map { insert($0, 0, at: 0).token.ordinal >> 60 }).count
    }

    /// How the process ends.
    enum End: CaseIterable {
        case close, kill, crash
    }

    private static func end(_ end: End, _ test: EngineUnderTest) async {
        if end == .close { await test.engine.close() }
    }

    private static func begin(_ end: End, _ machine: SimulatedMachine) -> Host {
        if end == .crash { machine.crash() }
        return machine.restart()
    }

    @Test func afterFlushesAndCompactionsOfWhatIsKnownNothingIsRead() throws {
        let world = SimulatedWorld(seed: 1)
        let machine = world.makeHost(name: "a", loopCount: 1)
        let found: [HashedLeaves] = try world.run(on: machine.host.loops[0]) {
            let test = try await KeptHashTests.open(machine.host)
            try await KeptHashTests.fill(test, 0...99)
            try await test.engine.flush()
            try await KeptHashTests.fill(test, 100...199)
            try await test.engine.flush()
            let first = try await KeptHashTests.hash(test)
            try await test.engine.compact(table: EngineChange.table)
            let second = try await KeptHashTests.hash(test)
            return [first, second, try await KeptHashTests.hash(test, .verify)]
        }
        #expect(found[1].hashes == found[0].hashes)
        #expect(found[1].readByteCount == 0)
        #expect(found[2].wrongCount == 0)
    }

    @Test(arguments: End.allCases) func whatOnceWasCheckedIsNotReadAgainByTheNextProcess(_ end: End) throws {
        let world = SimulatedWorld(seed: 2)
        let machine = world.makeHost(name: "a", loopCount: 1)
        let keys: [UInt8] = [3, 150, 151]
        let first: HashedLeaves = try world.run(on: machine.host.loops[0]) {
            let test = try await KeptHashTests.open(machine.host)
            try await KeptHashTests.fill(test)
            try await test.engine.flush()
            let first = try await KeptHashTests.hash(test)
            // Saved by itself.
            try await test.host.time.sleep(for: .seconds(60))
            // In files and merged, in a file, and in the log only.
            try await test.write(KeptHashTests.insert(keys[0], 77, at: 2))
            try await test.engine.flush()
            try await test.engine.compact(table: EngineChange.table)
            try await test.write(KeptHashTests.insert(keys[1], 77, at: 2))
            try await test.engine.flush()
            try await test.write(KeptHashTests.insert(keys[2], 77, at: 2))
            await KeptHashTests.end(end, test)
            return first
        }
        let host: Host = KeptHashTests.begin(end, machine)
        let found: [HashedLeaves] = try world.run(on: host.loops[0]) {
            let test = try await KeptHashTests.open(host)
            return [
                try await KeptHashTests.hash(test), try await KeptHashTests.hash(test),
                try await KeptHashTests.hash(test, .verify),
            ]
        }
        let changed: Int = KeptHashTests.leafCount(keys)
        #expect(found[0].knownCount == 16 - changed)
        #expect(found[0].readByteCount > 0)
        #expect(found[0].readByteCount * 16 < found[2].readByteCount * (changed + 3))
        #expect(found[1].knownCount == 16)
        #expect(found[1].readByteCount == 0)
        #expect(found[2].wrongCount == 0)
        #expect(zip(first.hashes, found[0].hashes).count { $0 != $1 } == changed)
    }

    @Test(arguments: End.allCases) func aTruncationIsNotForgottenByTheNextProcess(_ end: End) throws {
        let world = SimulatedWorld(seed: 3)
        let machine = world.makeHost(name: "a", loopCount: 1)
        try world.run(on: machine.host.loops[0]) {
            let test = try await KeptHashTests.open(machine.host)
            try await KeptHashTests.fill(test)
            try await test.engine.flush()
            _ = try await KeptHashTests.hash(test)
            try await test.engine.saveHashes()
            try await test.engine.truncate(id: EngineChange.table)
            await KeptHashTests.end(end, test)
        }
        let host: Host = KeptHashTests.begin(end, machine)
        let found: HashedLeaves = try world.run(on: host.loops[0]) {
            try await KeptHashTests.hash(try await KeptHashTests.open(host))
        }
        #expect(found.hashes.allSatisfy { $0 == .empty })
    }

    @Test func onlyTheFileThatTheManifestNamesStays() throws {
        let world = SimulatedWorld(seed: 4)
        let machine = world.makeHost(name: "a", loopCount: 1)
        let names: [[String]] = try world.run(on: machine.host.loops[0]) {
            let test = try await KeptHashTests.open(machine.host)
            func names() async throws -> [String] {
                try await test.host.disk.list(test.engine.shards[0].folder).filter { $0.hasPrefix("hashes") }
            }
            try await KeptHashTests.fill(test, 0...9)
            try await test.engine.flush()
            var found: [[String]] = []
            for key: UInt8 in 0..<3 {
                _ = try await KeptHashTests.hash(test)
                try await test.engine.saveHashes()
                // Nothing new: nothing is written.
                try await test.engine.saveHashes()
                found.append(try await names())
                try await test.write(KeptHashTests.insert(key, 9, at: 5))
                try await test.engine.flush()
            }
            return found
        }
        #expect(names == [["hashes-1"], ["hashes-2"], ["hashes-3"]])
        let host: Host = machine.restart()
        let known: Int = try world.run(on: host.loops[0]) {
            let file: any DiskFile = try await host.disk.open("/var/data/shards-1/0/hashes-2", .create)
            await file.close()
            let test = try await KeptHashTests.open(host)
            let left = try await host.disk.list(test.engine.shards[0].folder).filter { $0.hasPrefix("hashes") }
            #expect(left == ["hashes-3"])
            return try await KeptHashTests.hash(test).knownCount
        }
        #expect(known == 15)
    }

    @Test func aFileThatIsDamagedCostsOneReading() throws {
        let world = SimulatedWorld(seed: 5)
        let machine = world.makeHost(name: "a", loopCount: 1)
        try world.run(on: machine.host.loops[0]) {
            let test = try await KeptHashTests.open(machine.host)
            try await KeptHashTests.fill(test, 0...9)
            try await test.engine.flush()
            _ = try await KeptHashTests.hash(test)
            await test.engine.close()
        }
        let host: Host = machine.restart()
        let found: HashedLeaves = try world.run(on: host.loops[0]) {
            let file: any DiskFile = try await host.disk.open("/var/data/shards-1/0/hashes-1", .update)
            try await file.write([1, 2, 3], at: 40)
            await file.close()
            return try await KeptHashTests.hash(try await KeptHashTests.open(host))
        }
        #expect(found.knownCount == 0)
        #expect(found.hashes.reduce(0) { $0 + $1.unitCount } == 10)
    }

    /// Whatever happens, and wherever the power fails: what the next process knows is what reading says.
    @Test(arguments: 0..<seedCount(16)) func whatIsKnownAfterACrashIsWhatReadingSays(_ seed: Int) throws {
        let world = SimulatedWorld(seed: UInt64(seed) &+ 500)
        let machine = world.makeHost(name: "a", loopCount: 1)
        var generator = SeededGenerator(seed: UInt64(seed) &+ 900)
        var known = 0
        for process in 0..<6 {
            let host: Host = machine.host
            let seedOfProcess: UInt64 = generator.next()
            let crashesAfter: Int = 20 + Int(generator.next() % 400)
            let (test, found, verified) = try world.run(on: host.loops[0]) {
                let test = try await KeptHashTests.open(host)
                return (test, try await KeptHashTests.hash(test), try await KeptHashTests.hash(test, .verify))
            }
            known += found.knownCount
            #expect(found.hashes == verified.hashes, "seed \(seed), process \(process)")
            #expect(verified.wrongCount == 0, "seed \(seed), process \(process)")
            machine.disk.crashAfterOperation = machine.disk.operationCount + crashesAfter
            do {
                try world.run(on: host.loops[0]) {
                    try await KeptHashTests.live(test, SeededGenerator(seed: seedOfProcess))
                }
            } catch SimulationFailure.crashed {}
            machine.disk.crashAfterOperation = nil
            if process % 2 == 0 { machine.crash() }
            machine.restart()
        }
        #expect(known > 0, "seed \(seed)")
    }

    /// Half a day of a node.
    private static func live(_ test: EngineUnderTest, _ seeded: SeededGenerator) async throws {
        var generator: SeededGenerator = seeded
        for step in 0..<60 {
            switch generator.next() % 16 {
            case 0, 1: try await test.engine.flush()
            case 2: try await test.engine.compact(table: EngineChange.table)
            case 3, 4: _ = try await hash(test)
            case 5: try await test.engine.saveHashes()
            case 6 where generator.next() % 4 == 0: try await test.engine.truncate(id: EngineChange.table)
            default:
                try await test.write(
                    insert(UInt8(generator.next() % 100), UInt8(step), at: Int64(generator.next() % 1_000)))
            }
        }
    }
}
