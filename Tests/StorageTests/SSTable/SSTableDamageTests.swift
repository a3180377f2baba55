import DataModel
import Environment
import Primitives
import SimulatedHost
import Testing

@testable import Storage

@Suite struct SSTableDamageTests {
    @Test(arguments: 0..<3)
    func aFlippedBitIsReportedOrChangesNothing(seed: UInt64) throws {
        let world = SimulatedWorld(seed: seed)
        let machine = world.makeHost(name: "a")
        machine.disk.faults.cacheMissProbability = 0.5
        let disk: any Disk = machine.host.disk
        let model = TableModel(partitionCount: 12, rowLimit: 12, seed: seed)
        let compression: BlockCompression = [.none, .lz4, .zstd(level: 1)][Int(seed % 3)]
        try world.run {
            try await disk.createDirectory("/t")
            _ = try await write(model, disk: disk, options: writerOptions(compression: compression))
        }
        let intact: [UInt8] = try #require(machine.disk.contents(of: "/t/1.sst"))
        var generator = SeededGenerator(seed: seed)
        var reportedCount = 0
        for index in 0..<250 {
            var bytes: [UInt8] = intact
            // Every part of the tail in turn, else anywhere.
            let offset: Int = index < 68 ? bytes.count - 1 - index : generator.below(bytes.count)
            bytes[offset] ^= 1 << UInt8(generator.below(8))
            machine.disk.plant(bytes, at: "/t/2.sst")
            let isReported: Bool = try world.run { try await SSTableDamageTests.isReported(model, disk: disk) }
            if isReported { reportedCount += 1 }
        }
        #expect(reportedCount == 250, "every byte of the file is covered by a checksum")
    }

    /// Reads everything; true when damage was reported, false when the answers were right.
    private static func isReported(_ model: TableModel, disk: any Disk) async throws -> Bool {
        do {
            let table = try await SSTable.open(path: "/t/2.sst", disk: disk)
            let command = ReadCommand(partitions: .all)
            let cursor = table.makeCursor(command, cache: BlockCache(byteLimit: 10_000))
            let read: [ModelPartition] = try await readAll(cursor)
            #expect(read == model.answer(command))
            try await table.verify()
            return false
        } catch StorageError.damaged(let file, _, _) {
            #expect(file == "/t/2.sst")
            return true
        }
    }

    @Test func aFileThatWasCutIsDamaged() throws {
        let world = SimulatedWorld(seed: 5)
        let machine = world.makeHost(name: "a")
        let disk: any Disk = machine.host.disk
        let model = TableModel(partitionCount: 5, rowLimit: 5, seed: 5)
        try world.run {
            try await disk.createDirectory("/t")
            _ = try await write(model, disk: disk, options: writerOptions())
        }
        let intact: [UInt8] = try #require(machine.disk.contents(of: "/t/1.sst"))
        for count in [0, 1, 67, 68, 69, intact.count - 69, intact.count - 1, intact.count + 1] {
            machine.disk.plant(Array((intact + [0]).prefix(count)), at: "/t/2.sst")
            try world.run {
                do {
                    _ = try await SSTable.open(path: "/t/2.sst", disk: disk)
                    Issue.record("a file of \(count) bytes was opened")
                } catch StorageError.damaged {
                    // Expected.
                }
            }
        }
    }

    @Test(arguments: 0..<4)
    func blocksOfRandomBytesAreRefusedWithoutACrash(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var intact: [UInt8] = []
        let builder = BlockBuilder()
        let empty = UnsafeRawBufferPointer(start: nil, count: 0)
        for ordinal in 0..<20 {
            builder.beginSegment(UInt64(ordinal), empty, flags: [], deletion: .none, staticRow: empty)
            for row in 0..<(ordinal * 3) {
                [UInt8(row)].withUnsafeBytes { bytes in builder.addRow(bytes, bytes) }
            }
            builder.endSegment(continuesAfter: false)
        }
        builder.finish { intact = [UInt8]($0) }
        for _ in 0..<2_000 {
            var bytes: [UInt8] = intact
            for _ in 0...generator.below(3) { bytes[generator.below(bytes.count)] = UInt8(generator.below(256)) }
            let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 16)
            memory.copyBytes(from: bytes)
            guard let block = try? Block(adopting: memory, at: 0) else { continue }
            // Whatever passes the check can be walked and searched.
            for index in 0..<block.segmentCount {
                var rows = SegmentRows()
                rows.begin(block.segment(index))
                while rows.next() {}
                rows.beginBackwards(block.segment(index))
                while rows.previous() {}
            }
            for ordinal in 0..<20 { _ = bytes.withUnsafeBytes { block.floor(UInt64(ordinal), empty, $0) } }
        }
    }

    @Test func nothingAddedMeansNoFile() throws {
        let world = SimulatedWorld(seed: 5)
        let machine = world.makeHost(name: "a")
        let disk: any Disk = machine.host.disk
        try world.run {
            try await disk.createDirectory("/t")
            let description = try await write(TableModel([]), disk: disk, options: writerOptions())
            #expect(description == nil)
            let names: [String] = try await disk.list("/t")
            #expect(names == [])
        }
    }

    @Test func anAbortedFileIsGone() throws {
        let world = SimulatedWorld(seed: 5)
        let disk: any Disk = world.makeHost(name: "a").host.disk
        try world.run {
            try await disk.createDirectory("/t")
            let writer = try await SSTableWriter.create(in: "/t", disk: disk, options: writerOptions())
            let before: [String] = try await disk.list("/t")
            #expect(before == ["1.sst.tmp"])
            await writer.abort()
            let after: [String] = try await disk.list("/t")
            #expect(after == [])
        }
    }

    @Test func aFullDiskIsReportedAsSuch() throws {
        let world = SimulatedWorld(seed: 5)
        let machine = world.makeHost(name: "a")
        let disk: any Disk = machine.host.disk
        machine.disk.faults.capacityByteCount = 3_000
        try world.run {
            try await disk.createDirectory("/t")
            let model = TableModel(partitionCount: 100, rowLimit: 50, seed: 5)
            do {
                _ = try await write(model, disk: disk, options: writerOptions(compression: .none))
                Issue.record("a file larger than the disk was written")
            } catch StorageError.outOfSpace {
                // Expected.
            }
        }
    }

    @Test func aRetiredFileIsLetGoAfterTheLastCursor() throws {
        let world = SimulatedWorld(seed: 5)
        let disk: any Disk = world.makeHost(name: "a").host.disk
        try world.run {
            try await disk.createDirectory("/t")
            let model = TableModel(partitionCount: 3, rowLimit: 3, seed: 1)
            _ = try await write(model, disk: disk, options: writerOptions())
            let removed = Removed()
            var table: SSTable? = try await SSTable.open(path: "/t/1.sst", disk: disk)
            var cursor: SSTableCursor? = table?.makeCursor(ReadCommand(partitions: .all), cache: nil)
            table?.retire { removed.paths.append($0) }
            table = nil
            #expect(cursor != nil)
            #expect(removed.paths == [])
            cursor = nil
            #expect(removed.paths == ["/t/1.sst"])
        }
    }

    /// `Sendable` is unchecked because a world runs on one thread.
    private final class Removed: @unchecked Sendable {
        var paths: [String] = []
    }

    @Test func namesOfFilesAreUnderstood() {
        #expect(SSTableName.generation(of: SSTableName.file(17)) == 17)
        for name in ["17.sst.tmp", "x.sst", "017.sst", ".sst", "17", "-1.sst", "99999999999999999999.sst"] {
            #expect(SSTableName.generation(of: name) == nil)
        }
        #expect(SSTableName.isTemporary(SSTableName.temporary(17)))
    }
}
