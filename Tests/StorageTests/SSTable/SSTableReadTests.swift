import DataModel
import Environment
import Primitives
import SimulatedHost
import Testing

@testable import Storage

@Suite struct SSTableReadTests {
    private static let compressions: [BlockCompression] = [.none, .lz4, .zstd(level: 3)]

    @Test(arguments: 0..<16)
    func aTableReadsBackAsItWasWritten(seed: UInt64) throws {
        let world = SimulatedWorld(seed: seed)
        let machine = world.makeHost(name: "a")
        machine.disk.faults.cacheMissProbability = [0, 0.3, 1][Int(seed % 3)]
        let disk: any Disk = machine.host.disk
        let compression: BlockCompression = SSTableReadTests.compressions[Int(seed / 3 % 3)]
        try world.run {
            try await disk.createDirectory("/t")
            let model = TableModel(
                partitionCount: 1 + Int(seed) * 3, rowLimit: seed % 2 == 0 ? 120 : 5, seed: seed)
            let options = writerOptions(compression: compression, blockByteCount: seed % 4 == 0 ? 4_096 : 256)
            let description = try #require(try await write(model, disk: disk, options: options))
            let table = try await SSTable.open(path: description.path, disk: disk)
            #expect(table.statistics == description.statistics)
            #expect(table.byteCount == description.byteCount)
            try await table.verify()
            var generator = SeededGenerator(seed: seed &+ 99)
            let cache = BlockCache(byteLimit: seed % 5 == 0 ? 2_000 : 100_000)
            for index in 0..<90 {
                let command: ReadCommand = model.command(&generator)
                let expected: [ModelPartition] = model.answer(command)
                let cursor = table.makeCursor(command, cache: index % 4 == 0 ? nil : cache)
                let read: [ModelPartition] = try await readAll(cursor)
                #expect(read == expected, "seed \(seed), command \(index): \(command)")
                if read != expected { return }
            }
        }
    }

    @Test(arguments: 0..<8)
    func rowsThatNobodyReadsArePassedOver(seed: UInt64) throws {
        let world = SimulatedWorld(seed: seed)
        let disk: any Disk = world.makeHost(name: "a").host.disk
        try world.run {
            try await disk.createDirectory("/t")
            let model = TableModel(partitionCount: 30, rowLimit: 100, seed: seed)
            _ = try await write(model, disk: disk, options: writerOptions())
            let table = try await SSTable.open(path: "/t/1.sst", disk: disk)
            for isReversed in [false, true] {
                let command = ReadCommand(partitions: .all, isReversed: isReversed)
                var expected: [ModelPartition] = model.answer(command)
                for index in expected.indices { expected[index].rows = Array(expected[index].rows.prefix(index % 4)) }
                let cursor = table.makeCursor(command, cache: BlockCache(byteLimit: 50_000))
                let read: [ModelPartition] = try await readAll(cursor) { $0 % 4 }
                #expect(read == expected, "seed \(seed)")
            }
        }
    }

    @Test(arguments: 0..<8)
    func pointLookupsAgreeWithTheModel(seed: UInt64) throws {
        let world = SimulatedWorld(seed: seed)
        let machine = world.makeHost(name: "a")
        machine.disk.faults.cacheMissProbability = 0
        let disk: any Disk = machine.host.disk
        try world.run {
            try await disk.createDirectory("/t")
            let model = TableModel(partitionCount: 60, rowLimit: 60, seed: seed)
            _ = try await write(model, disk: disk, options: writerOptions(blockByteCount: seed % 2 == 0 ? 200 : 4_096))
            let table = try await SSTable.open(path: "/t/1.sst", disk: disk)
            let cache = BlockCache(byteLimit: 1 << 20)
            var lookup = RowLookup()
            var generator = SeededGenerator(seed: seed)
            for partition in model.partitions {
                #expect(table.mightContain(partition.token))
                var wanted: [[UInt8]] = partition.rows.map(\.clustering)
                for _ in 0..<20 { wanted.append(TableModel.clustering(&generator)) }
                for clustering in wanted {
                    let outcome: RowLookup.Outcome = try partition.key.withUnsafeBytes { key in
                        try clustering.withUnsafeBytes {
                            try table.find(
                                token: partition.token, key: key, clustering: $0, cache: cache, into: &lookup)
                        }
                    }
                    #expect(outcome == .present)
                    let row: [UInt8] = partition.rows.first { $0.clustering == clustering }?.body ?? []
                    #expect([UInt8](lookup.row) == row)
                    #expect(lookup.partitionDeletion == partition.deletion)
                    let range: Deletion = RangeDeletions(sorted: partition.ranges).covering(clustering.span.bytes)
                    #expect(lookup.rangeDeletion == range)
                }
                let header: RowLookup.Outcome = try partition.key.withUnsafeBytes {
                    try table.findHeader(token: partition.token, key: $0, cache: cache, into: &lookup)
                }
                #expect(header == .present)
                #expect([UInt8](lookup.staticRow) == partition.staticRow)
                #expect(lookup.partitionDeletion == partition.deletion)
                let absent: RowLookup.Outcome = try [UInt8]([7, 7]).withUnsafeBytes { key in
                    try table.findHeader(token: partition.token, key: key, cache: cache, into: &lookup)
                }
                #expect(absent == .absent)
            }
        }
    }

    @Test(arguments: 0..<6)
    func aClippedTableShowsOnlyItsSlice(seed: UInt64) throws {
        let world = SimulatedWorld(seed: seed)
        let disk: any Disk = world.makeHost(name: "a").host.disk
        try world.run {
            try await disk.createDirectory("/t")
            let model = TableModel(partitionCount: 50, rowLimit: 20, seed: seed)
            _ = try await write(model, disk: disk, options: writerOptions())
            let low = Token(Int64(seed) * 4_000 - 50_000)
            let clip: ClosedRange<Token> = low...Token(low.value + 20_000)
            let table = try await SSTable.open(path: "/t/1.sst", disk: disk, clip: clip)
            var generator = SeededGenerator(seed: seed)
            for partition in model.partitions where !clip.contains(partition.token) {
                #expect(!table.mightContain(partition.token))
            }
            for index in 0..<60 {
                let command: ReadCommand = model.command(&generator)
                let cursor = table.makeCursor(command, cache: BlockCache(byteLimit: 10_000))
                let read: [ModelPartition] = try await readAll(cursor)
                #expect(read == model.answer(command, clip: clip), "seed \(seed), command \(index): \(command)")
            }
        }
    }

    @Test func aTableOfOneRowWithoutClusteringIsRead() throws {
        let world = SimulatedWorld(seed: 1)
        let disk: any Disk = world.makeHost(name: "a").host.disk
        try world.run {
            try await disk.createDirectory("/t")
            var generator = SeededGenerator(seed: 3)
            var partition = ModelPartition(token: Token(0), key: [])
            partition.rows = [ModelRow(clustering: [], body: TableModel.row(&generator, now: 5))]
            let model = TableModel([partition])
            _ = try await write(model, disk: disk, options: writerOptions())
            let table = try await SSTable.open(path: "/t/1.sst", disk: disk)
            let read: [ModelPartition] = try await readAll(table.makeCursor(ReadCommand(partitions: .all), cache: nil))
            #expect(read == [partition])
            #expect(table.statistics.rowCount == 1)
            #expect(table.tokens == Token(0)...Token(0))
        }
    }

    @Test func aRowLargerThanManyBlocksIsRead() throws {
        let world = SimulatedWorld(seed: 1)
        let disk: any Disk = world.makeHost(name: "a").host.disk
        try world.run {
            try await disk.createDirectory("/t")
            var generator = SeededGenerator(seed: 3)
            var partition = ModelPartition(token: Token(.min + 1), key: [UInt8](repeating: 7, count: 65_535))
            for index in 1...3 {
                var writer = ByteWriter()
                var row = RowWriter(marker: nil, baseTimestamp: 1, deletion: .none, to: &writer)
                let value: [UInt8] = generator.bytes(600_000)
                row.live(column: 1, timestamp: 1, value: value.span.bytes, to: &writer)
                row.finish(&writer)
                partition.rows.append(ModelRow(clustering: [UInt8(index)], body: writer.array()))
            }
            let model = TableModel([partition])
            _ = try await write(model, disk: disk, options: writerOptions())
            let table = try await SSTable.open(path: "/t/1.sst", disk: disk)
            for isReversed in [false, true] {
                let command = ReadCommand(partitions: .all, isReversed: isReversed)
                let cursor = table.makeCursor(command, cache: BlockCache(byteLimit: 1 << 20))
                let read: [ModelPartition] = try await readAll(cursor)
                #expect(read == model.answer(command))
            }
        }
    }
}
