import DataModel
import Environment
import Primitives
import SimulatedHost
import Synchronization
import Testing

@testable import Storage

/// What operators do with tables and files.
@Suite struct MaintenanceTests {
    private static func options() -> StorageOptions {
        var options = StorageOptions(dataDirectory: "/var/data", commitLogDirectory: "/var/log")
        options.segmentByteCount = 64 << 10
        options.memtableByteCount = 4 << 20
        options.isCompactionEnabled = false
        return options
    }

    private static func insert(_ key: UInt8, _ value: UInt8, at timestamp: Int64) -> EngineChange {
        EngineChange(key: [key], kind: .insert(row: 1, value: value, ttl: 0), timestamp: timestamp, nowSeconds: 1_000)
    }

    private static let table: UUID = EngineChange.table

    /// Runs `body` with an engine whose table has `fileCount` files on each shard that has any of its keys.
    private func run<Value: Sendable>(
        files fileCount: Int = 0, loops: Int = 1,
        _ body: @escaping @Sendable (EngineUnderTest, SimulatedMachine) async throws -> Value
    ) throws -> Value {
        let world = SimulatedWorld(seed: 11)
        let machine = world.makeHost(name: "a", loopCount: loops)
        let host: Host = machine.host
        return try world.run(on: host.loops[0]) {
            let test = try await EngineUnderTest.open(MaintenanceTests.options(), host: host)
            for file in 0..<fileCount {
                for key in 0..<UInt8(20) {
                    try await test.write(MaintenanceTests.insert(key, UInt8(file), at: Int64(file) + 1))
                }
                try await test.engine.flush()
            }
            return try await body(test, machine)
        }
    }

    @Test func statisticsKnowThePartitionsOfFiles() throws {
        let statistics: TableStatistics = try run(files: 1) { test, _ in
            try await test.engine.statistics(of: MaintenanceTests.table)
        }
        #expect(statistics.partitionByteCounts.count == 20)
        #expect(statistics.partitionByteCounts.minimum > 0)
        #expect(statistics.partitionCellCounts.sum == UInt64(statistics.cellCount))
        #expect(statistics.largestFileByteCount > 0 && statistics.rawByteCount > 0)
    }

    @Test func statisticsOfTheFirstFormAreReadWithoutHistograms() throws {
        var statistics = SSTableStatistics(tableID: MaintenanceTests.table, generation: 3)
        statistics.partitionByteCounts.record(9)
        var writer = ByteWriter()
        statistics.write(to: &writer)
        var bytes: [UInt8] = writer.array()
        bytes[0] = 1
        let old = try SSTableStatistics(bytes.span.bytes)
        #expect(old.formVersion == 1 && old.partitionByteCounts.isEmpty && old.generation == 3)
        bytes[0] = 3
        #expect(throws: DecodingError.self) { _ = try SSTableStatistics(bytes.span.bytes) }
    }

    @Test func readsAndWritesAreMeasured() throws {
        let (meters, statistics) = try run(files: 2) { test, _ in
            for key in 0..<UInt8(10) { _ = try await test.readRow(key: [key], row: 1, now: 1_000) }
            return (
                try await test.engine.meters(of: MaintenanceTests.table),
                try await test.engine.statistics(of: MaintenanceTests.table)
            )
        }
        #expect(meters.writeNanoseconds.count == 40 && statistics.writeCount == 40)
        #expect(statistics.readCount == 10 && statistics.rangeCount == 0)
    }

    @Test func aRangeIsCompactedWithoutTheOthers() throws {
        let counts: [Int] = try run(files: 3, loops: 2) { test, _ in
            var counts: [Int] = []
            let lower: ClosedRange<Token> = test.engine.shards[0].tokens
            try await test.engine.compact(table: MaintenanceTests.table, tokens: lower)
            counts += try await test.engine.fromEachShard("count") {
                $0.table(MaintenanceTests.table)?.sstables.count ?? 0
            }
            try await test.engine.compact(table: MaintenanceTests.table)
            counts += try await test.engine.fromEachShard("count") {
                $0.table(MaintenanceTests.table)?.sstables.count ?? 0
            }
            return counts
        }
        #expect(counts == [1, 3, 1, 1])
    }

    @Test func filesThatAreNamedAreCompacted() throws {
        let (missing, count) = try run(files: 3) { test, machine in
            let files: [String] = machine.disk.files(under: "/var/data").filter { $0.hasSuffix(".sst") }
            let missing: [String] = try await test.engine.compact(files: [files[0], "/nowhere.sst"])
            _ = try await test.engine.compact(files: Array(files.prefix(2)))
            return (missing, try await test.engine.statistics(of: MaintenanceTests.table).sstableCount)
        }
        #expect(missing == ["/nowhere.sst"])
        #expect(count == 2)
    }

    @Test func everyCompactionIsTold() throws {
        let records: [CompactionRecord] = try run(files: 2) { test, _ in
            let heard = Mutex<[CompactionRecord]>([])
            let box = Heard()
            try await test.engine.watchCompactions { record in box.add(record) }
            _ = heard
            try await test.engine.collectGarbage(table: MaintenanceTests.table)
            return box.all
        }
        #expect(records.count == 1)
        #expect(records.first?.kind == .garbageCollection)
        #expect(records.first?.partitionsByInputCount == [0, 20])
        #expect((records.first?.inputByteCount ?? 0) > (records.first?.outputByteCount ?? 0))
    }

    private final class Heard: Sendable {
        private let records = Mutex<[CompactionRecord]>([])
        var all: [CompactionRecord] { records.withLock { $0 } }
        func add(_ record: CompactionRecord) { records.withLock { $0.append(record) } }
    }

    @Test func filesInThePresentFormNeedNoUpgrade() throws {
        let (upgraded, all) = try run(files: 2) { test, _ in
            (
                try await test.engine.rewrite(table: MaintenanceTests.table, onlyOld: true, as: .upgrade),
                try await test.engine.rewrite(table: MaintenanceTests.table, onlyOld: false, as: .upgrade)
            )
        }
        #expect(upgraded == 0 && all == 2)
    }

    @Test func verifyingNamesTheFileThatIsDamaged() throws {
        let (good, bad) = try run(files: 2) { test, machine in
            let good = try await test.engine.verify(table: MaintenanceTests.table)
            let files: [String] = machine.disk.files(under: "/var/data").filter { $0.hasSuffix(".sst") }
            for _ in 0..<3 { _ = machine.disk.flipRandomBit(in: files[0]) }
            return (good, try await test.engine.verify(table: MaintenanceTests.table))
        }
        #expect(good.fileCount == 2 && good.damages.isEmpty)
        #expect(bad.fileCount == 2 && bad.damages.count <= 1)
    }

    @Test func aSnapshotSaysWhatIsInItAndGoesWhenItIsRemoved() throws {
        let (snapshots, files, left) = try run(files: 1) { test, machine in
            test.engine.describeTables { "CREATE TABLE \($0.name)" }
            try await test.engine.snapshot(named: "one", lasting: 5_000)
            try await test.engine.compact(table: MaintenanceTests.table)
            try await test.engine.snapshot(named: "two", tables: [MaintenanceTests.table], flushes: false)
            let all: [Snapshot] = try await test.engine.snapshots()
            let files: [String] = machine.disk.files(under: "/var/data/snapshots").map {
                String($0.split(separator: "/").last ?? "")
            }
            try await test.engine.remove(all)
            return (all, files, try await test.engine.snapshots())
        }
        #expect(snapshots.map(\.name) == ["one", "two"])
        #expect(snapshots.allSatisfy { $0.tableID == MaintenanceTests.table && $0.byteCount > 0 })
        #expect(snapshots[0].ownByteCount > snapshots[1].ownByteCount)
        #expect(snapshots[0].expiresMilliseconds == snapshots[0].createdMilliseconds + 5_000)
        #expect(snapshots[1].expiresMilliseconds == nil)
        #expect(Set(files).isSuperset(of: ["manifest.json", "schema.cql"]))
        #expect(left.isEmpty)
    }

    @Test func aSnapshotsFilesComeBackByImport() throws {
        let (gone, back) = try run(files: 2, loops: 2) { test, machine in
            try await test.engine.snapshot(named: "kept")
            let before = try await test.visible(now: 1_000)
            try await test.engine.truncate(id: MaintenanceTests.table)
            let gone: Int = try await test.visible(now: 1_000).count
            let files: [String] = machine.disk.files(under: "/var/data/snapshots/kept").filter { $0.hasSuffix(".sst") }
            try await test.engine.importFiles(files, into: MaintenanceTests.table, verifies: true)
            return (gone, try await test.visible(now: 1_000) == before)
        }
        #expect(gone == 0)
        #expect(back)
    }

    @Test func filesOfAnotherTableAreNotImported() throws {
        let other = UUID(high: 5, low: 5)
        let failure: StorageError? = try run(files: 1) { test, machine in
            let files: [String] = machine.disk.files(under: "/var/data").filter { $0.hasSuffix(".sst") }
            do {
                try await test.engine.importFiles(files, into: other, verifies: false)
                return nil
            } catch { return error as? StorageError }
        }
        guard case .damaged(_, _, let reason)? = failure else { return #expect(Bool(false), "\(failure as Any)") }
        #expect(reason.contains("\(other)"))
    }

    @Test func theBusiestPartitionsAreFound() throws {
        let (top, after) = try run { test, _ in
            try await test.engine.beginSampling(tables: [], capacity: 16)
            for round in 0..<10 as Range<Int64> {
                try await test.write(MaintenanceTests.insert(7, 1, at: round + 1))
                if round < 3 { try await test.write(MaintenanceTests.insert(8, 1, at: round + 1)) }
            }
            let counts = try await test.engine.endSampling()
            return (
                counts[PartitionSampler.Kind.writes.rawValue].top(2), try await test.engine.endSampling()[0].total
            )
        }
        #expect(top.map(\.count) == [10, 3])
        #expect(top.map(\.partition.key) == [[7], [8]])
        #expect(after == 0)
    }

    @Test(arguments: ["", ".", "..", "a/b", "a b", "\u{7F}"]) func namesThatLeadElsewhereAreRefused(name: String) {
        #expect(!Snapshot.isName(name))
        #expect(Snapshot.isName("back-up_1.é"))
    }
}
