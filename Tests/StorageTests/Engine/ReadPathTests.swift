import DataModel
import Environment
import Primitives
import SimulatedHost
import Testing

@testable import Storage

@Suite struct ReadPathTests {
    private static func open(_ host: Host) async throws -> EngineUnderTest {
        var options = StorageOptions(dataDirectory: "/var/data", commitLogDirectory: "/var/log")
        options.segmentByteCount = 64 << 10
        options.isCompactionEnabled = false
        return try await EngineUnderTest.open(options, host: host)
    }

    private static func insert(_ value: UInt8, at timestamp: Int64) -> EngineChange {
        EngineChange(key: [1], kind: .insert(row: 1, value: value, ttl: 0), timestamp: timestamp, nowSeconds: 1_000)
    }

    /// Three files with the same row, newest last; a read of simple columns needs the newest alone, one of a collection
    /// all.
    @Test(arguments: [([EngineChange.a, EngineChange.b], 1), ([EngineChange.a, EngineChange.collection], 3)])
    func aReadOfOneRowStopsAtTheFileThatDecidesIt(columns: [UInt16], expected: Int) throws {
        let world = SimulatedWorld(seed: 1)
        let host: Host = world.makeHost(name: "a").host
        let count: Int = try world.run(on: host.loops[0]) {
            let test = try await ReadPathTests.open(host)
            for round in 1...3 {
                try await test.write(ReadPathTests.insert(UInt8(round), at: Int64(round) * 10))
                try await test.engine.flush()
            }
            let shard: ShardStore = test.engine.shards[0]
            let key: [UInt8] = [1]
            let command = ReadCommand(
                partitions: .one(token: Token(ofKey: key.span.bytes), key: key),
                slices: [.row(EngineChange.clustering(1))], columns: columns)
            guard let cursor = shard.table(EngineChange.table)?.cursor(command) else { return 0 }
            while true {
                switch try cursor.step() {
                case .end: return cursor.sourceCount
                case .blocked: try await cursor.load()
                case .partition, .row: continue
                }
            }
        }
        #expect(count == expected)
    }

    @Test func aCursorGoesOnAfterItsFilesWereCompactedAway() throws {
        let world = SimulatedWorld(seed: 2)
        let machine = world.makeHost(name: "a")
        let host: Host = machine.host
        let rows: Int = try world.run(on: host.loops[0]) {
            let test = try await ReadPathTests.open(host)
            for row in 0..<UInt8(100) {
                let change = EngineChange(
                    key: [1], kind: .insert(row: row, value: 200, ttl: 0), timestamp: Int64(row) + 10, nowSeconds: 1_000
                )
                try await test.write(change)
                if row == 50 { try await test.engine.flush() }
            }
            try await test.engine.flush()
            let table: TableStore? = test.engine.shards[0].table(EngineChange.table)
            guard let cursor = table?.cursor(ReadCommand(partitions: .all)) else { return 0 }
            var rows = 0
            while true {
                switch try cursor.step() {
                case .end: return rows
                case .blocked: try await cursor.load()
                case .partition: continue
                case .row:
                    rows += 1
                    if rows == 10 { try await test.engine.compact(table: EngineChange.table) }
                }
            }
        }
        #expect(rows == 100)
        try world.run(for: .seconds(1))
        #expect(machine.disk.files(under: "/var/data").filter { $0.hasSuffix(".sst") }.count == 1)
    }

    @Test func aPageBeginsInsideItsFirstPartition() throws {
        let world = SimulatedWorld(seed: 3)
        let host: Host = world.makeHost(name: "a").host
        let found: [[UInt8]: [String]] = try world.run(on: host.loops[0]) {
            let test = try await ReadPathTests.open(host)
            for key in 1...2 {
                for row in 0..<UInt8(4) {
                    let change = EngineChange(
                        key: [UInt8(key)], kind: .update(row: row, column: EngineChange.a, value: 3), timestamp: 10,
                        nowSeconds: 1_000)
                    try await test.write(change)
                }
            }
            let tokens: [(Token, [UInt8])] = [[1], [2]].map { (Token(ofKey: ($0 as [UInt8]).span.bytes), $0) }
            let first = tokens[0].0 < tokens[1].0 ? tokens[0] : tokens[1]
            var command = ReadCommand(
                partitions: .range(start: .before(first.0, first.1), end: .afterEverything))
            command.firstPartitionSlices = [
                ClusteringSlice(start: EngineChange.clustering(2), end: ClusteringBound.afterEverything)
            ]
            return try await test.visible(command, now: 2_000)
        }
        #expect(found.values.map(\.count).sorted() == [2, 4])
    }

    /// Reads a row of a partition with a key of one byte, in both ways; whether what was found is durable.
    private static func isDurable(_ key: UInt8, _ table: TableStore, _ shard: ShardStore) throws -> Bool {
        let bytes: [UInt8] = [key]
        let token = Token(ofKey: bytes.span.bytes)
        let clustering: [UInt8] = EngineChange.clustering(1)
        var scratch = ByteWriter()
        _ = try table.readRow(
            token: token, key: bytes.span.bytes, clustering: clustering.span.bytes, columns: nil, scratch: &scratch)
        let cursor: ReadCursor = table.cursor(ReadCommand(partitions: .one(token: token, key: bytes)))
        var isAtEnd = false
        while !isAtEnd { if case .end = try cursor.step() { isAtEnd = true } }
        #expect(cursor.lastPosition == shard.lastReadPosition)
        return shard.isLastReadDurable
    }

    @Test func aReadSaysWhetherWhatItFoundIsDurable() throws {
        let world = SimulatedWorld(seed: 3)
        let machine = world.makeHost(name: "a")
        let host: Host = machine.host
        try world.run(on: host.loops[0]) {
            let test = try await ReadPathTests.open(host)
            let shard: ShardStore = test.engine.shards[0]
            let table: TableStore = try #require(shard.table(EngineChange.table))
            try await test.write(ReadPathTests.insert(1, at: 10))
            func apply(_ key: UInt8, at timestamp: Int64) throws -> LogPosition {
                let change = EngineChange(
                    key: [key], kind: .insert(row: 1, value: 9, ttl: 0), timestamp: timestamp, nowSeconds: 1_000)
                let bytes: [UInt8] = change.encoded(table: EngineChange.table)
                return try shard.apply(bytes.span.bytes, to: table)
            }
            let position: LogPosition = try apply(2, at: 20)
            // What others write does not matter to a partition.
            #expect(try ReadPathTests.isDurable(1, table, shard))
            #expect(try !ReadPathTests.isDurable(2, table, shard))
            #expect(!shard.isLastReadDoubtful)
            try await test.waiters[0].wait(for: position, shard.log)
            #expect(try ReadPathTests.isDurable(2, table, shard))
            // A log that fails leaves what it did not take in doubt, and nothing else.
            machine.disk.faults.failingPathPart = "/var/log"
            machine.disk.faults.failureProbability = 1
            let lost: LogPosition = try apply(1, at: 30)
            await #expect(throws: StorageError.self) { try await test.waiters[0].wait(for: lost, shard.log) }
            #expect(try !ReadPathTests.isDurable(1, table, shard))
            #expect(shard.isLastReadDoubtful)
            #expect(try ReadPathTests.isDurable(2, table, shard))
            #expect(!shard.isLastReadDoubtful)
        }
    }

    @Test func whatIsInAFileIsDurableWhateverTheLogSays() throws {
        let world = SimulatedWorld(seed: 4)
        let host: Host = world.makeHost(name: "a").host
        try world.run(on: host.loops[0]) {
            let test = try await ReadPathTests.open(host)
            let shard: ShardStore = test.engine.shards[0]
            let table: TableStore = try #require(shard.table(EngineChange.table))
            try await test.write(ReadPathTests.insert(1, at: 10))
            try await test.engine.flush()
            #expect(try ReadPathTests.isDurable(1, table, shard))
            #expect(shard.lastReadPosition == .start)
        }
    }
}
