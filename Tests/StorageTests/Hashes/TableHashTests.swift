import DataModel
import Environment
import Primitives
import SimulatedHost
import Testing

@testable import Storage

/// Hashes of what a table's files hold.
@Suite struct TableHashTests {
    private static func options() -> StorageOptions {
        var options = StorageOptions(dataDirectory: "/var/data", commitLogDirectory: "/var/log")
        options.segmentByteCount = 64 << 10
        options.isCompactionEnabled = false
        options.isAutoSnapshotEnabled = false
        options.hashByteCountPerSecond = 0
        return options
    }

    /// All tokens, in 2^`depth` equal leaves.
    private static func leaves(_ depth: Int = 4) -> [ClosedRange<Token>] {
        let width: UInt64 = 1 << UInt64(64 - depth)
        return (0..<(1 << depth)).map { index in
            let start: UInt64 = UInt64(index) * width
            return Token(ordinal: start)...Token(ordinal: start &+ (width - 1))
        }
    }

    private static func run<Value: Sendable>(
        _ seed: UInt64 = 1, _ body: @escaping @Sendable (EngineUnderTest, SimulatedMachine) async throws -> Value
    ) throws -> Value {
        let world = SimulatedWorld(seed: seed)
        let machine = world.makeHost(name: "a", loopCount: 1)
        let host: Host = machine.host
        return try world.run(on: host.loops[0]) {
            try await body(try await EngineUnderTest.open(TableHashTests.options(), host: host), machine)
        }
    }

    private static func hash(
        _ test: EngineUnderTest, _ mode: HashMode = .cached, now: Int64 = 2_000, purge: Int64 = .min
    ) async throws -> HashedLeaves {
        guard let table = test.engine.shards[0].table(EngineChange.table) else { throw EngineMismatch("no table") }
        return try await table.hash(
            leaves(), HashFrame(nowSeconds: now, purgeSeconds: purge), mode, deadline: .max)
    }

    private static func insert(_ key: UInt8, _ row: UInt8, _ value: UInt8, at timestamp: Int64) -> EngineChange {
        EngineChange(key: [key], kind: .insert(row: row, value: value, ttl: 0), timestamp: timestamp, nowSeconds: 1_000)
    }

    private static func fill(_ test: EngineUnderTest, keys: ClosedRange<UInt8> = 0...99) async throws {
        for key in keys { try await test.write(insert(key, key % 7, key, at: 1)) }
    }

    @Test func whatHasNotChangedIsNotReadAgain() throws {
        let (first, second) = try TableHashTests.run { test, _ in
            try await TableHashTests.fill(test)
            try await test.engine.flush()
            return (try await TableHashTests.hash(test), try await TableHashTests.hash(test))
        }
        #expect(first.hashes.count == 16)
        #expect(first.knownCount == 0)
        #expect(first.readByteCount > 0)
        #expect(first.hashes.reduce(0) { $0 + $1.unitCount } == 100)
        #expect(second.hashes == first.hashes)
        #expect(second.knownCount == 16)
        #expect(second.readByteCount == 0)
    }

    @Test func aFlushForgetsExactlyTheLeavesThatItChanges() throws {
        let (before, after) = try TableHashTests.run { test, _ in
            try await TableHashTests.fill(test)
            try await test.engine.flush()
            let before = try await TableHashTests.hash(test)
            try await test.write(TableHashTests.insert(3, 1, 9, at: 2))
            try await test.engine.flush()
            return (before, try await TableHashTests.hash(test))
        }
        #expect(after.knownCount == 15)
        let differing: [Int] = before.hashes.indices.filter { before.hashes[$0] != after.hashes[$0] }
        #expect(differing.count == 1)
    }

    @Test func whatIsInMemoryDoesNotCountBeforeItIsFlushed() throws {
        let (before, after, isUnflushed) = try TableHashTests.run { test, _ in
            try await TableHashTests.fill(test)
            try await test.engine.flush()
            let before = try await TableHashTests.hash(test)
            let change = TableHashTests.insert(3, 1, 9, at: 2)
            try await test.write(change)
            let table = test.engine.shards[0].table(EngineChange.table)
            let isUnflushed: [Bool] = [
                table?.hasUnflushed(change.token...change.token) ?? false,
                table?.hasUnflushed(Token(ordinal: change.token.ordinal + 1)...Token.maximum) ?? true,
            ]
            return (before, try await TableHashTests.hash(test, .fresh), isUnflushed)
        }
        #expect(after.hashes == before.hashes)
        #expect(isUnflushed == [true, false])
    }

    @Test func filesSayTheSameHoweverTheyAreCut() throws {
        let keys: ClosedRange<UInt8> = 20...30
        let one = try TableHashTests.run { test, _ in
            try await TableHashTests.fill(test)
            for key in keys {
                try await test.write(
                    EngineChange(key: [key], kind: .deletePartition, timestamp: 2, nowSeconds: 1_500))
                try await test.write(TableHashTests.insert(key, 2, 1, at: 3))
            }
            try await test.engine.flush()
            return try await TableHashTests.hash(test)
        }
        let (many, compacted) = try TableHashTests.run { test, _ in
            try await TableHashTests.fill(test, keys: 50...99)
            for key in keys { try await test.write(TableHashTests.insert(key, 2, 1, at: 3)) }
            try await test.engine.flush()
            try await TableHashTests.fill(test, keys: 0...49)
            try await test.engine.flush()
            for key in keys {
                try await test.write(
                    EngineChange(key: [key], kind: .deletePartition, timestamp: 2, nowSeconds: 1_500))
            }
            try await test.engine.flush()
            let many = try await TableHashTests.hash(test)
            try await test.engine.setPurgeRule { _ in { _, _ in 0 } }
            try await test.engine.compact(table: EngineChange.table)
            return (many, try await TableHashTests.hash(test, .verify))
        }
        #expect(many.hashes == one.hashes)
        #expect(compacted.hashes == one.hashes)
        #expect(compacted.wrongCount == 0)
    }

    @Test func tombstonesCountUntilTheyMayBePurged() throws {
        let found = try TableHashTests.run { test, _ in
            try await TableHashTests.fill(test)
            try await test.engine.flush()
            let before = try await TableHashTests.hash(test, purge: 1_600)
            try await test.write(
                EngineChange(key: [200], kind: .deleteRow(row: 1), timestamp: 2, nowSeconds: 1_500))
            try await test.write(
                EngineChange(key: [201], kind: .deleteRange(from: 1, to: 5), timestamp: 2, nowSeconds: 1_500))
            try await test.write(
                EngineChange(
                    key: [202], kind: .deleteCell(row: 1, column: EngineChange.a), timestamp: 2, nowSeconds: 1_500))
            try await test.engine.flush()
            let young = try await TableHashTests.hash(test, purge: 1_500)
            let old = try await TableHashTests.hash(test, purge: 1_501)
            return (before.hashes, young.hashes, old.hashes)
        }
        #expect(found.0 != found.1)
        #expect(found.0 == found.2)
    }

    @Test func valuesThatExpireAreHashedAgainOnceTheyHave() throws {
        let found = try TableHashTests.run { test, _ in
            try await test.write(
                EngineChange(key: [1], kind: .insert(row: 1, value: 9, ttl: 500), timestamp: 1, nowSeconds: 1_000))
            try await test.engine.flush()
            return [
                try await TableHashTests.hash(test, now: 1_400), try await TableHashTests.hash(test, now: 1_499),
                try await TableHashTests.hash(test, now: 1_500), try await TableHashTests.hash(test, now: 1_600),
                try await TableHashTests.hash(test, now: 1_600, purge: 1_501),
            ]
        }
        #expect(found.map(\.knownCount) == [0, 16, 15, 16, 15])
        #expect(found[1].hashes == found[0].hashes)
        #expect(found[2].hashes != found[0].hashes)
        #expect(found[4].hashes.allSatisfy { $0 == .empty })
    }

    @Test func theTreeSurvivesARestartAndATruncationEmptiesIt() throws {
        let world = SimulatedWorld(seed: 5)
        let machine = world.makeHost(name: "a", loopCount: 1)
        let first = try world.run(on: machine.host.loops[0]) {
            let test = try await EngineUnderTest.open(TableHashTests.options(), host: machine.host)
            try await TableHashTests.fill(test)
            try await test.engine.flush()
            let hashes = try await TableHashTests.hash(test)
            await test.engine.close()
            return hashes
        }
        machine.restart()
        let found = try world.run(on: machine.host.loops[0]) {
            let test = try await EngineUnderTest.open(TableHashTests.options(), host: machine.host)
            let again = try await TableHashTests.hash(test)
            try await test.engine.truncate(id: EngineChange.table)
            return (again, try await TableHashTests.hash(test))
        }
        #expect(found.0.hashes == first.hashes)
        #expect(found.0.readByteCount == 0)
        #expect(found.1.hashes.allSatisfy { $0 == .empty })
    }

    @Test func timeThatIsUpEndsWithTheLeavesThatAreDone() throws {
        let found = try TableHashTests.run { test, _ in
            try await TableHashTests.fill(test, keys: 0...250)
            try await test.engine.flush()
            guard let table = test.engine.shards[0].table(EngineChange.table) else { throw EngineMismatch("no table") }
            return try await table.hash(
                TableHashTests.leaves(), HashFrame(nowSeconds: 2_000, purgeSeconds: 0), .cached, deadline: 0)
        }
        #expect(found.hashes.count >= 1)
        #expect(found.hashes.count < 16)
    }

    @Test func compactionKeepsTombstonesThatTheRuleProtects() throws {
        let counts = try TableHashTests.run { test, _ in
            let now: Int64 = test.host.time.wallSeconds
            let old: Int64 = now - 900_000
            try await test.write(EngineChange(key: [1], kind: .deletePartition, timestamp: 2, nowSeconds: old))
            try await test.write(EngineChange(key: [2], kind: .deleteRow(row: 1), timestamp: 2, nowSeconds: old))
            let kept: Token = EngineChange(key: [1], kind: .deletePartition, timestamp: 2, nowSeconds: 0).token
            try await test.engine.setPurgeRule { _ in { token, now in token == kept ? 0 : now - 864_000 } }
            try await test.engine.flush()
            try await test.engine.compact(table: EngineChange.table)
            let first = try await TableHashTests.hash(test, .fresh)
            try await test.engine.setPurgeRule(nil)
            try await test.engine.compact(table: EngineChange.table)
            let second = try await TableHashTests.hash(test, .fresh)
            return [first, second].map { $0.hashes.reduce(0) { $0 + $1.unitCount } }
        }
        #expect(counts == [1, 0])
    }

    /// What is known is always what reading would say, whatever happens in between.
    @Test(arguments: 0..<seedCount(12)) func whatIsKnownIsWhatReadingSays(_ seed: Int) throws {
        let wrong: String? = try TableHashTests.run(UInt64(seed) &+ 77) { test, _ in
            var random = SeededGenerator(seed: UInt64(seed) &+ 1_000)
            let base: Int64 = test.host.time.wallSeconds
            try await test.engine.setPurgeRule { _ in { _, _ in base } }
            for step in 0..<160 {
                switch random.next() % 12 {
                case 0: try await test.engine.flush()
                case 1: try await test.engine.compact(table: EngineChange.table)
                case 2:
                    let now: Int64 = base + Int64(step)
                    let known = try await TableHashTests.hash(test, .cached, now: now, purge: base)
                    let verified = try await TableHashTests.hash(test, .verify, now: now, purge: base)
                    if known.hashes != verified.hashes || verified.wrongCount > 0 { return "at step \(step)" }
                default:
                    try await test.write(TableHashTests.change(&random, step, base - 50 + Int64(step)))
                }
            }
            return nil
        }
        #expect(wrong == nil, "seed \(seed)")
    }

    private static func change(_ random: inout SeededGenerator, _ step: Int, _ nowSeconds: Int64) -> EngineChange {
        let row = UInt8(random.next() % 4)
        let kind: EngineChange.Kind =
            switch random.next() % 9 {
            case 0: .deletePartition
            case 1: .deleteRange(from: row, to: row + 2)
            case 2: .deleteRow(row: row)
            case 3: .deleteCell(row: row, column: EngineChange.b)
            case 4: .setStatic(value: UInt8(step % 200))
            case 5: .put(row: row, path: UInt8(random.next() % 3), value: 3)
            case 6: .replace(row: row, path: 1, value: 4)
            case 7: .insert(row: row, value: 5, ttl: UInt32(1 + random.next() % 60))
            default: .insert(row: row, value: UInt8(step % 200), ttl: 0)
            }
        return EngineChange(
            key: [UInt8(random.next() % 40)], kind: kind, timestamp: Int64(random.next() % 200), nowSeconds: nowSeconds)
    }
}
