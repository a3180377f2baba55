import DataModel
import Environment
import Primitives
import SimulatedHost
import Testing

@testable import Storage

/// Tables come and go while the disk fails at each operation in turn: what is tried again ends as if nothing had happened.
@Suite struct TableChangeFaultTests {
    private static let dropped = UUID(high: 7, low: 7)

    private static func options(snapshots: Bool) -> StorageOptions {
        var options = StorageOptions(dataDirectory: "/var/data", commitLogDirectory: "/var/log")
        options.segmentByteCount = 64 << 10
        options.memtableByteCount = 4 << 20
        options.blockCacheByteCount = 1 << 20
        options.isAutoSnapshotEnabled = snapshots
        return options
    }

    private static func insert(_ key: UInt8) -> EngineChange {
        EngineChange(
            key: [key], kind: .insert(row: 1, value: 1, ttl: 0), timestamp: Int64(key) + 10, nowSeconds: 1_000)
    }

    /// Whether the operation so many after the first of the drop was one of the drop's, so that it failed.
    private func drop(failing operation: Int, snapshots: Bool) throws -> Bool {
        let world = SimulatedWorld(seed: 3)
        let machine = world.makeHost(name: "a", loopCount: 2)
        var host: Host = machine.host
        let options = TableChangeFaultTests.options(snapshots: snapshots)
        let hasFailed: Bool = try world.run(on: host.loops[0]) { [host] in
            let test = try await EngineUnderTest.open(options, host: host)
            for key in UInt8(1)...8 { try await test.write(TableChangeFaultTests.insert(key)) }
            try await test.engine.flush()
            for key in UInt8(9)...12 { try await test.write(TableChangeFaultTests.insert(key)) }
            machine.disk.faults.failingOperation = machine.disk.operationCount + operation
            var hasFailed = false
            do {
                try await test.engine.dropTable(id: EngineChange.table)
            } catch { hasFailed = true }
            machine.disk.faults.failingOperation = nil
            try await test.engine.dropTable(id: EngineChange.table)
            try await test.engine.dropTable(id: EngineChange.table)
            for shard in test.engine.shards { #expect(shard.table(EngineChange.table) == nil) }
            let snapshots: [String] = machine.disk.files().filter { $0.contains("/snapshots/") }
            #expect(Set(snapshots.map { $0.split(separator: "/")[3] }).count <= 1, "\(operation): \(snapshots)")
            return hasFailed
        }
        machine.crash()
        host = machine.restart()
        try world.run(on: host.loops[0]) { [host] in
            let test = try await EngineUnderTest.open(options, host: host, tables: [])
            #expect(try await test.engine.orphanTables().isEmpty, "operation \(operation)")
            // It may be made again, also when that fails on one of the shards at first.
            machine.disk.faults.failingOperation = machine.disk.operationCount + operation
            do {
                try await test.engine.createTable(EngineChange.definition)
            } catch { machine.disk.faults.failingOperation = nil }
            machine.disk.faults.failingOperation = nil
            try await test.engine.createTable(EngineChange.definition)
            #expect(try await test.visible(now: 1_000).isEmpty, "operation \(operation)")
            try await test.write(TableChangeFaultTests.insert(1))
            #expect(try await test.visible(now: 1_000).count == 1, "operation \(operation)")
        }
        return hasFailed
    }

    @Test(arguments: [false, true]) func aDropThatFailsHalfwayIsFinishedByTheNextAttempt(snapshots: Bool) throws {
        var failureCount = 0
        for operation in 0..<60 where try drop(failing: operation, snapshots: snapshots) { failureCount += 1 }
        #expect(failureCount > 5)
    }
}
