import DataModel
import Environment
import Primitives
import SimulatedHost
import Testing

@testable import Storage

/// What happens to partitions that a node is not to keep.
@Suite struct OwnedRangesTests {
    /// The half of the ring with the smaller tokens.
    private static let half = TokenRanges([Token.minimum...Token(0)])

    @discardableResult
    private static func run(
        _ seed: UInt64, shards: Int = 2,
        _ body: @escaping @Sendable (StreamedEngines, EngineUnderTest) async throws -> Void
    ) throws -> StreamedEngines {
        let test = StreamedEngines(seed: seed)
        test.compacts = true
        try test.world.run(on: test.machine.host.loops[0]) {
            let node = try await test.open("node", shards: shards)
            try await test.fill(node, changes: 300)
            try await test.compare(node, .all, "before")
            try await body(test, node)
        }
        return test
    }

    @Test func filesLoseForeignPartitionsByThemselves() throws {
        for shards in 1...3 {
            let test = try OwnedRangesTests.run(UInt64(shards), shards: shards) { test, node in
                try await node.engine.flush()
                try await node.engine.setOwnedRanges(OwnedRangesTests.half, tables: [EngineChange.table])
                try await node.host.time.sleep(for: .seconds(20))
                try await test.compare(node, OwnedRangesTests.half, "some time after")
                await node.engine.close()
            }
            test.machine.restart()
            try test.world.run(on: test.machine.host.loops[0]) {
                let again = try await test.open("node", shards: shards)
                try await test.compare(again, OwnedRangesTests.half, "after a restart")
            }
        }
    }

    @Test func cleanupIsDoneWhenItReturnsAndTakesMemoryToo() throws {
        try OwnedRangesTests.run(11) { test, node in
            try await node.engine.setOwnedRanges(OwnedRangesTests.half, tables: [EngineChange.table])
            try await node.engine.cleanup()
            try await test.compare(node, OwnedRangesTests.half, "after the cleanup")
            #expect(try await node.engine.cleanup(tables: [EngineChange.table]) == 0)
        }
    }

    @Test func everythingIsKeptWhereNothingWasSaidOrEverythingIsOwned() throws {
        try OwnedRangesTests.run(12) { test, node in
            try await node.engine.flush()
            let before: Int = try await node.engine.statistics(of: EngineChange.table).compactionCount
            #expect(try await node.engine.cleanup() == 0)
            try await node.engine.setOwnedRanges(.all, tables: [EngineChange.table])
            #expect(try await node.engine.cleanup() == 0)
            try await node.host.time.sleep(for: .seconds(20))
            #expect(try await node.engine.statistics(of: EngineChange.table).compactionCount == before)
            try await test.compare(node, .all, "after")
        }
    }

    @Test func aCompactionLeavesForeignPartitionsOut() throws {
        try OwnedRangesTests.run(13, shards: 1) { test, node in
            try await node.engine.setOwnedRanges(OwnedRangesTests.half, tables: [EngineChange.table])
            try await node.engine.compact(table: EngineChange.table)
            try await test.compare(node, OwnedRangesTests.half, "after the compaction")
        }
    }

    @Test func nothingOwnedMeansNoFilesAndLaterWritesStay() throws {
        try OwnedRangesTests.run(14) { test, node in
            try await node.engine.setOwnedRanges(TokenRanges.none, tables: [EngineChange.table])
            try await node.engine.cleanup()
            #expect(try await node.engine.statistics(of: EngineChange.table).sstableCount == 0)
            try await node.engine.setOwnedRanges(nil, tables: nil)
            test.model = EngineModel()
            try await test.fill(node, changes: 100)
            try await node.engine.compact(table: EngineChange.table)
            try await test.compare(node, .all, "after writes of an owner of everything")
        }
    }

    @Test func anIngestAndACleanupDoNotHarmEachOther() throws {
        let test = StreamedEngines(seed: 15)
        try test.world.run(on: test.machine.host.loops[0]) {
            let source = try await test.open("source", shards: 2)
            let target = try await test.open("target", shards: 2)
            try await test.fill(source, changes: 300)
            try await target.engine.setOwnedRanges(OwnedRangesTests.half, tables: [EngineChange.table])
            let ingest = try #require(try await TableIngest.begin(EngineChange.table, in: target.engine))
            try await test.transfer(source, into: ingest, .all, wholeByteCount: 0, isInterrupted: false)
            #expect(try await ingest.commit() == .live)
            try await target.engine.cleanup()
            try await test.compare(target, OwnedRangesTests.half, "after both")
        }
    }
}
