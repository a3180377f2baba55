import DataModel
import Environment
import Primitives
import SimulatedHost
import Testing

@testable import Storage

/// Engines on a simulated machine, one behaviour each.
@Suite struct EngineTests {
    private static func options() -> StorageOptions {
        var options = StorageOptions(dataDirectory: "/var/data", commitLogDirectory: "/var/log")
        options.segmentByteCount = 64 << 10
        options.memtableByteCount = 4 << 20
        options.blockCacheByteCount = 1 << 20
        options.isAutoSnapshotEnabled = false
        return options
    }

    private static func insert(_ key: UInt8, _ row: UInt8, _ value: UInt8, at timestamp: Int64) -> EngineChange {
        EngineChange(key: [key], kind: .insert(row: row, value: value, ttl: 0), timestamp: timestamp, nowSeconds: 1_000)
    }

    private static func all(_ test: EngineUnderTest) async throws -> [[UInt8]: [String]] {
        try await test.visible(now: test.host.time.wallSeconds)
    }

    private static func limited(_ host: Host, _ count: Int) -> Host {
        Host(
            time: host.time, entropy: host.entropy, disk: host.disk, network: host.network, background: host.background,
            loops: Array(host.loops.prefix(count)))
    }

    @Test func anEmptyFolderOpensEmptyAndOpensAgain() throws {
        let world = SimulatedWorld(seed: 1)
        let machine = world.makeHost(name: "a", loopCount: 2)
        for _ in 0..<2 {
            let host: Host = machine.host
            let found = try world.run(on: host.loops[0]) {
                let test = try await EngineUnderTest.open(EngineTests.options(), host: host)
                let found: [[UInt8]: [String]] = try await EngineTests.all(test)
                await test.engine.close()
                return found
            }
            #expect(found.isEmpty)
            machine.restart()
        }
    }

    @Test func aSecondProcessIsRefused() throws {
        let world = SimulatedWorld(seed: 2)
        let host: Host = world.makeHost(name: "a").host
        let error: (any Error)? = try world.run(on: host.loops[0]) {
            _ = try await EngineUnderTest.open(EngineTests.options(), host: host)
            do {
                _ = try await EngineUnderTest.open(EngineTests.options(), host: host)
                return nil
            } catch {
                return error
            }
        }
        #expect(error as? StorageError == .disk(.locked(path: "/var/data")))
    }

    @Test func idleTablesHoldNoMemtable() throws {
        let world = SimulatedWorld(seed: 3)
        let host: Host = world.makeHost(name: "a").host
        let byteCount: Int = try world.run(on: host.loops[0]) {
            let test = try await EngineUnderTest.open(EngineTests.options(), host: host)
            return try await test.engine.statistics(of: EngineChange.table).memtableByteCount
        }
        #expect(byteCount == 0)
    }

    @Test func aFullDiskFailsTheFlushAndLosesNothing() throws {
        let world = SimulatedWorld(seed: 4)
        let machine = world.makeHost(name: "a")
        let host: Host = machine.host
        let result: (refused: Bool, found: Int, files: Int) = try world.run(on: host.loops[0]) {
            let test = try await EngineUnderTest.open(EngineTests.options(), host: host)
            for row in 0..<200 {
                try await test.write(EngineTests.insert(UInt8(row), 1, 200, at: Int64(row) + 10))
            }
            machine.disk.faults.capacityByteCount = machine.disk.usedByteCount + 1_000
            var refused = false
            do {
                try await test.engine.flush()
            } catch {
                if case StorageError.outOfSpace = error { refused = true }
            }
            let found: Int = try await EngineTests.all(test).count
            machine.disk.faults.capacityByteCount = nil
            // The flush is tried again by itself.
            try await host.time.sleep(for: .seconds(3))
            let files: Int = try await test.engine.statistics(of: EngineChange.table).sstableCount
            return (refused, found, files)
        }
        #expect(result.refused)
        #expect(result.found == 200)
        #expect(result.files == 1)
    }

    @Test func anEngineClosesOnAFullDiskAndTheLogHasTheRest() throws {
        let world = SimulatedWorld(seed: 13)
        let machine = world.makeHost(name: "a", loopCount: 2)
        var host: Host = machine.host
        try world.run(on: host.loops[0]) { [host] in
            let test = try await EngineUnderTest.open(EngineTests.options(), host: host)
            var other: TableDefinition = EngineChange.definition
            other.id = UUID(high: 5, low: 5)
            try await test.engine.createTable(other)
            for key in 0..<UInt8(40) {
                try await test.write(EngineTests.insert(key, 1, 100, at: 10))
                try await test.write(EngineTests.insert(key, 1, 100, at: 10), table: other.id)
            }
            machine.disk.faults.capacityByteCount = machine.disk.usedByteCount
            await test.engine.close()
        }
        machine.kill()
        machine.disk.faults.capacityByteCount = nil
        host = machine.restart()
        let found: Int = try world.run(on: host.loops[0]) { [host] in
            try await EngineTests.all(try await EngineUnderTest.open(EngineTests.options(), host: host)).count
        }
        #expect(found == 40)
    }

    @Test func writesAreRefusedWhileMemoryIsUsedUpAndTakenAgainLater() throws {
        let world = SimulatedWorld(seed: 5)
        let machine = world.makeHost(name: "a")
        let host: Host = machine.host
        let result: (overloaded: Bool, recovered: Bool) = try world.run(on: host.loops[0]) {
            var options: StorageOptions = EngineTests.options()
            options.memtableByteCount = 1 << 20
            options.flushThreshold = 1
            options.segmentByteCount = 1 << 20
            let test = try await EngineUnderTest.open(options, host: host)
            machine.disk.faults.failingPathPart = "sst"
            machine.disk.faults.failureProbability = 1
            var overloaded = false
            var timestamp: Int64 = 10
            for _ in 0..<20_000 where !overloaded {
                timestamp += 1
                do {
                    try await test.write(
                        EngineTests.insert(UInt8(timestamp % 200), UInt8(timestamp / 200 % 200), 250, at: timestamp))
                } catch StorageError.overloaded {
                    overloaded = true
                }
            }
            machine.disk.faults.failureProbability = 0
            try await host.time.sleep(for: .seconds(3))
            try await test.write(EngineTests.insert(1, 1, 1, at: timestamp + 1))
            return (overloaded, true)
        }
        #expect(result.overloaded)
        #expect(result.recovered)
    }

    @Test func aTruncatedTableStaysEmptyAfterACrash() throws {
        let world = SimulatedWorld(seed: 6)
        let machine = world.makeHost(name: "a", loopCount: 2)
        var host: Host = machine.host
        try world.run(on: host.loops[0]) { [host] in
            let test = try await EngineUnderTest.open(EngineTests.options(), host: host)
            try await test.write(EngineTests.insert(1, 1, 1, at: 10))
            try await test.engine.flush()
            try await test.write(EngineTests.insert(2, 1, 1, at: 20))
            try await test.engine.truncate(id: EngineChange.table)
            try await test.write(EngineTests.insert(3, 1, 1, at: 5))
        }
        machine.crash()
        host = machine.restart()
        let found: [[UInt8]: [String]] = try world.run(on: host.loops[0]) { [host] in
            try await EngineTests.all(try await EngineUnderTest.open(EngineTests.options(), host: host))
        }
        #expect(found.keys.sorted { $0[0] < $1[0] } == [[3]])
    }

    @Test func aDroppedTableIsNotReplayedAndItsFilesAreGone() throws {
        let world = SimulatedWorld(seed: 7)
        let machine = world.makeHost(name: "a")
        var host: Host = machine.host
        try world.run(on: host.loops[0]) { [host] in
            let test = try await EngineUnderTest.open(EngineTests.options(), host: host)
            try await test.write(EngineTests.insert(1, 1, 1, at: 10))
            try await test.engine.flush()
            try await test.write(EngineTests.insert(2, 1, 1, at: 20))
            try await test.engine.dropTable(id: EngineChange.table)
        }
        machine.crash()
        host = machine.restart()
        let found: (orphans: Int, rows: Int) = try world.run(on: host.loops[0]) { [host] in
            let test = try await EngineUnderTest.open(EngineTests.options(), host: host, tables: [])
            let orphans: Int = try await test.engine.orphanTables().count
            try await test.engine.createTable(EngineChange.definition)
            return (orphans, try await EngineTests.all(test).count)
        }
        #expect(found.orphans == 0)
        #expect(found.rows == 0)
        #expect(!machine.disk.files().contains { $0.hasSuffix(".sst") })
    }

    @Test func dataOfATableThatNobodyNamedWaitsUntilItIsCreated() throws {
        let world = SimulatedWorld(seed: 8)
        let machine = world.makeHost(name: "a", loopCount: 2)
        var host: Host = machine.host
        try world.run(on: host.loops[0]) { [host] in
            let test = try await EngineUnderTest.open(EngineTests.options(), host: host)
            try await test.write(EngineTests.insert(1, 1, 1, at: 10))
        }
        machine.kill()
        host = machine.restart()
        let found: (orphans: [UUID], rows: Int) = try world.run(on: host.loops[0]) { [host] in
            let test = try await EngineUnderTest.open(EngineTests.options(), host: host, tables: [])
            let orphans: [UUID] = try await test.engine.orphanTables()
            try await test.engine.createTable(EngineChange.definition)
            return (orphans, try await EngineTests.all(test).count)
        }
        #expect(found.orphans == [EngineChange.table])
        #expect(found.rows == 1)
    }

    @Test(arguments: [(1, 3), (3, 1), (2, 3), (3, 2)])
    func anotherNumberOfShardsLosesNothing(before: Int, after: Int) throws {
        let world = SimulatedWorld(seed: 9)
        let machine = world.makeHost(name: "a", loopCount: 3)
        var host: Host = EngineTests.limited(machine.host, before)
        try world.run(on: host.loops[0]) { [host] in
            let test = try await EngineUnderTest.open(EngineTests.options(), host: host)
            for key in 0..<UInt8(60) {
                try await test.write(EngineTests.insert(key, 1, key, at: Int64(key) + 10))
                if key == 30 { try await test.engine.flush() }
            }
        }
        machine.kill()
        host = EngineTests.limited(machine.restart(), after)
        let found: [[UInt8]: [String]] = try world.run(on: host.loops[0]) { [host] in
            try await EngineTests.all(try await EngineUnderTest.open(EngineTests.options(), host: host))
        }
        #expect(found.count == 60)
        #expect(!found.values.contains { $0.count != 1 })
    }

    @Test func aSnapshotHoldsTheFilesOfATruncatedTable() throws {
        let world = SimulatedWorld(seed: 10)
        let machine = world.makeHost(name: "a")
        let host: Host = machine.host
        try world.run(on: host.loops[0]) {
            var options: StorageOptions = EngineTests.options()
            options.isAutoSnapshotEnabled = true
            let test = try await EngineUnderTest.open(options, host: host)
            try await test.write(EngineTests.insert(1, 1, 1, at: 10))
            try await test.engine.truncate(id: EngineChange.table)
        }
        let kept: [String] = machine.disk.files().filter {
            $0.contains("/snapshots/truncated-") && $0.hasSuffix(".sst")
        }
        #expect(kept.count == 1)
    }

    @Test(arguments: ["layout", "manifest", "sst"])
    func aFlippedBitIsReportedAsDamageAndNeverAsMissingRows(kind: String) throws {
        for seed in 0..<UInt64(40) {
            let world = SimulatedWorld(seed: seed)
            let machine = world.makeHost(name: "a")
            var host: Host = machine.host
            try world.run(on: host.loops[0]) { [host] in
                let test = try await EngineUnderTest.open(EngineTests.options(), host: host)
                for key in 0..<UInt8(50) { try await test.write(EngineTests.insert(key, 1, key, at: Int64(key) + 10)) }
                await test.engine.close()
            }
            machine.kill()
            let path: String? = machine.disk.files(under: "/var/data").first { $0.hasSuffix(kind) }
            _ = machine.disk.flipRandomBit(in: path ?? "")
            host = machine.restart()
            let outcome: String = try world.run(on: host.loops[0]) { [host] in
                do {
                    let test = try await EngineUnderTest.open(EngineTests.options(), host: host)
                    return "\(try await EngineTests.all(test).count) rows"
                } catch let error as StorageError {
                    if case .damaged(let file, _, _) = error { return file == path ? "damage" : "damage of \(file)" }
                    return "\(error)"
                }
            }
            // A bit of an SSTable that nothing looked at may be wrong without consequences.
            #expect(outcome == "damage" || (kind == "sst" && outcome == "50 rows"), "seed \(seed)")
        }
    }

    @Test(arguments: ["manifest", ".sst", "layout"])
    func aMissingFileStopsTheStart(suffix: String) throws {
        let world = SimulatedWorld(seed: 12)
        let machine = world.makeHost(name: "a")
        var host: Host = machine.host
        try world.run(on: host.loops[0]) { [host] in
            let test = try await EngineUnderTest.open(EngineTests.options(), host: host)
            try await test.write(EngineTests.insert(1, 1, 1, at: 10))
            await test.engine.close()
        }
        machine.kill()
        host = machine.restart()
        let path: String = machine.disk.files(under: "/var/data").first { $0.hasSuffix(suffix) } ?? ""
        let error: StorageError? = try world.run(on: host.loops[0]) { [host] () async throws -> StorageError? in
            try await host.disk.remove(path)
            do {
                _ = try await StorageEngine.open(EngineTests.options(), host: host, tables: [EngineChange.definition])
                return nil
            } catch let error as StorageError {
                return error
            }
        }
        guard case .damaged(let file, _, _)? = error else {
            Issue.record("not reported as damage: \(String(describing: error))")
            return
        }
        #expect(file == path)
    }
}
