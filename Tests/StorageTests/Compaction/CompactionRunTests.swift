import DataModel
import Environment
import Primitives
import SimulatedHost
import Testing

@testable import Storage

@Suite struct CompactionRunTests {
    /// What a read of several tables sees of a partition, put together the plain way.
    private static func merge(_ versions: [ModelPartition]) throws -> ModelPartition {
        var merged = ModelPartition(token: versions[0].token, key: versions[0].key)
        var ranges = RangeDeletions()
        for version in versions {
            merged.deletion = merged.deletion.merged(with: version.deletion)
            for range in version.ranges { ranges.insert(range) }
        }
        func fold(_ rows: [[UInt8]], _ shadow: Deletion) throws -> [UInt8] {
            var left: [UInt8] = []
            for row in rows where !row.isEmpty {
                var writer = ByteWriter()
                if left.isEmpty {
                    try RowMerge.apply(shadow, to: row.span.bytes, writer: &writer)
                } else {
                    try RowMerge.merge(left.span.bytes, row.span.bytes, shadow: shadow, to: &writer)
                }
                left = writer.array()
            }
            return left
        }
        merged.staticRow = try fold(versions.map(\.staticRow), merged.deletion)
        merged.ranges = ranges.ranges.filter { $0.deletion.timestamp > merged.deletion.timestamp }
        let keys: [[UInt8]] = Set(versions.flatMap { $0.rows.map(\.clustering) }).sorted { ByteOrder.precedes($0, $1) }
        for key in keys {
            let shadow: Deletion = merged.deletion.merged(with: ranges.covering(key.span.bytes))
            let rows: [[UInt8]] = versions.compactMap { $0.rows.first { $0.clustering == key }?.body }
            let row: [UInt8] = try fold(rows, shadow)
            if !row.isEmpty { merged.rows.append(ModelRow(clustering: key, body: row)) }
        }
        return merged
    }

    /// Rows by what they mean: two encodings of a row differ when they chose another base timestamp.
    private static func cells(_ partitions: [ModelPartition]) throws -> [String] {
        var lines: [String] = []
        for partition in partitions {
            lines.append("\(partition.token) \(partition.key) \(partition.deletion) \(partition.ranges)")
            for row in [ModelRow(clustering: [], body: partition.staticRow)] + partition.rows where !row.body.isEmpty {
                var reader = try RowReader(row.body.span.bytes)
                lines.append("\(row.clustering) \(String(describing: reader.marker)) \(reader.deletion)")
                while let cell = try reader.next() {
                    let value: ArraySlice<UInt8> = row.body[cell.valueOffset..<(cell.valueOffset + cell.valueByteCount)]
                    lines.append("\(cell.column) \(cell.timestamp) \(cell.ttl) \(cell.seconds) \(value)")
                }
            }
        }
        return lines
    }

    @Test(arguments: 0..<10)
    func theOutputIsTheMergeOfTheInputs(seed: UInt64) throws {
        let world = SimulatedWorld(seed: seed)
        let machine = world.makeHost(name: "a")
        machine.disk.faults.cacheMissProbability = 0.5
        let host: Host = machine.host
        let models: [TableModel] = (0..<(1 + Int(seed % 4))).map {
            TableModel(partitionCount: 15, rowLimit: 40, seed: seed * 10 + UInt64($0))
        }
        var versions: [[ModelPartition]] = []
        for partition in models.flatMap(\.partitions) {
            let place: Int? = versions.firstIndex { $0[0].token == partition.token && $0[0].key == partition.key }
            if let place { versions[place].append(partition) } else { versions.append([partition]) }
        }
        let merged: [ModelPartition] = try versions.map { try CompactionRunTests.merge($0) }
        let kept: [ModelPartition] = merged.filter {
            !$0.deletion.isNone || !$0.staticRow.isEmpty || !$0.ranges.isEmpty || !$0.rows.isEmpty
        }
        let expected = TableModel(kept.sorted { TableModel.precedes($0, $1) })
        try world.run(on: host.loops[0]) {
            let tables: [SSTable] = try await CompactionRunTests.open(models, host)
            let run = CompactionRun(inputs: tables)
            let result: CompactionResult = try await run.run(
                in: "/t", disk: host.disk, options: writerOptions(generation: 50),
                purge: .nothing(nowSeconds: 0), time: host.time,
                throttle: CompactionThrottle(bytesPerSecond: 1_000_000, time: host.time))
            guard let output = result.output else {
                #expect(expected.partitions.isEmpty)
                return
            }
            let table = try await SSTable.open(path: output.path, disk: host.disk)
            try await table.verify()
            #expect(output.statistics.partitionCount == expected.partitions.count)
            let read: [ModelPartition] = try await readAll(table.makeCursor(ReadCommand(partitions: .all), cache: nil))
            let readCells: [String] = try CompactionRunTests.cells(read)
            let expectedCells: [String] = try CompactionRunTests.cells(expected.partitions)
            #expect(readCells == expectedCells, "seed \(seed)")
        }
    }

    private static func open(_ models: [TableModel], _ host: Host) async throws -> [SSTable] {
        try await host.disk.createDirectory("/t")
        var tables: [SSTable] = []
        for (index, model) in models.enumerated() {
            let options = writerOptions(generation: UInt64(index + 1))
            if let description = try await write(model, disk: host.disk, options: options) {
                tables.append(try await SSTable.open(path: description.path, disk: host.disk))
            }
        }
        return tables
    }

    /// One partition with a deletion, a range deletion, a row tombstone and an expired cell, all from second 100, and
    /// one live row from later.
    private static func dyingTable() -> TableModel {
        var partition = ModelPartition(token: Token(1), key: [1])
        partition.deletion = Deletion(timestamp: 5, localSeconds: 100)
        partition.ranges = [
            RangeDeletion(start: [2], end: [3], deletion: Deletion(timestamp: 6, localSeconds: 100))
        ]
        func row(_ build: (inout ByteWriter) -> Void) -> [UInt8] {
            var writer = ByteWriter()
            build(&writer)
            return writer.array()
        }
        let value: [UInt8] = [1]
        partition.rows = [
            ModelRow(
                clustering: [4],
                body: row {
                    RowWriter(
                        marker: nil, baseTimestamp: 7, deletion: Deletion(timestamp: 7, localSeconds: 100), to: &$0
                    ).finish(&$0)
                }),
            ModelRow(
                clustering: [5],
                body: row {
                    var row = RowWriter(marker: nil, baseTimestamp: 8, deletion: .none, to: &$0)
                    row.live(
                        column: 1, timestamp: 8, ttl: 10, expiresSeconds: 100, value: value.span.bytes, to: &$0)
                    row.finish(&$0)
                }),
            ModelRow(
                clustering: [6],
                body: row {
                    RowWriter(marker: RowMarker(timestamp: 9), baseTimestamp: 9, deletion: .none, to: &$0).finish(&$0)
                }),
        ]
        return TableModel([partition])
    }

    /// (seconds now, grace, smallest timestamp elsewhere) → what is left: partition deletions, ranges, rows.
    private static let purgeCases: [(now: Int64, grace: Int64, elsewhere: Int64, left: [Int])] = [
        (200, 100, .max, [1, 1, 3]),
        (201, 100, .max, [0, 0, 1]),
        (201, 100, 5, [1, 1, 3]),
        (201, 100, 6, [0, 1, 3]),
        (201, 100, 7, [0, 0, 3]),
        (201, 100, 8, [0, 0, 2]),
        (201, 100, 9, [0, 0, 1]),
        (1_000, 2_000, .max, [1, 1, 3]),
    ]

    @Test(arguments: purgeCases.indices)
    func tombstonesGoOnlyWhenTheirGraceIsOverAndNothingOlderIsElsewhere(index: Int) throws {
        let example = CompactionRunTests.purgeCases[index]
        let world = SimulatedWorld(seed: 1)
        let host: Host = world.makeHost(name: "a").host
        try world.run(on: host.loops[0]) {
            let tables: [SSTable] = try await CompactionRunTests.open([CompactionRunTests.dyingTable()], host)
            let purge = CompactionPurge(
                nowSeconds: example.now, graceStartSeconds: example.now - example.grace
            ) { _, _ in example.elsewhere }
            let result: CompactionResult = try await CompactionRun(inputs: tables).run(
                in: "/t", disk: host.disk, options: writerOptions(generation: 9), purge: purge, time: host.time,
                throttle: nil)
            let output = try #require(result.output)
            let table = try await SSTable.open(path: output.path, disk: host.disk)
            let read: [ModelPartition] = try await readAll(table.makeCursor(ReadCommand(partitions: .all), cache: nil))
            let partition = try #require(read.first)
            #expect([partition.deletion.isNone ? 0 : 1, partition.ranges.count, partition.rows.count] == example.left)
        }
    }

    @Test func aCompactionThatLeavesNothingWritesNoFile() throws {
        var model: TableModel = CompactionRunTests.dyingTable()
        model.partitions[0].rows.removeLast()
        let world = SimulatedWorld(seed: 1)
        let host: Host = world.makeHost(name: "a").host
        let wanted: TableModel = model
        try world.run(on: host.loops[0]) {
            let tables: [SSTable] = try await CompactionRunTests.open([wanted], host)
            let purge = CompactionPurge(nowSeconds: 1_000, graceStartSeconds: 900) { _, _ in .max }
            let result: CompactionResult = try await CompactionRun(inputs: tables).run(
                in: "/t", disk: host.disk, options: writerOptions(generation: 9), purge: purge, time: host.time,
                throttle: nil)
            #expect(result.output == nil)
            let names: [String] = try await host.disk.list("/t")
            #expect(names == ["1.sst"])
        }
    }

    @Test func aCancelledCompactionLeavesNoFile() throws {
        let world = SimulatedWorld(seed: 1)
        let host: Host = world.makeHost(name: "a").host
        try world.run(on: host.loops[0]) {
            let model = TableModel(partitionCount: 100, rowLimit: 50, seed: 3)
            let tables: [SSTable] = try await CompactionRunTests.open([model], host)
            let run = CompactionRun(inputs: tables)
            run.cancel()
            await #expect(throws: StorageError.cancelled) {
                _ = try await run.run(
                    in: "/t", disk: host.disk, options: writerOptions(generation: 9), purge: .nothing(nowSeconds: 0),
                    time: host.time, throttle: nil)
            }
            let names: [String] = try await host.disk.list("/t")
            #expect(names == ["1.sst"])
        }
    }

    @Test func theThrottleKeepsToItsRate() throws {
        let world = SimulatedWorld(seed: 1)
        let host: Host = world.makeHost(name: "a").host
        try world.run(on: host.loops[0]) {
            let throttle = CompactionThrottle(bytesPerSecond: 1_000_000, time: host.time)
            let start: UInt64 = host.time.monotonicNanoseconds
            for _ in 0..<100 { try await throttle.spend(20_000) }
            let elapsed: UInt64 = host.time.monotonicNanoseconds - start
            #expect(elapsed > 1_980_000_000 && elapsed < 2_100_000_000, "\(elapsed) ns for two seconds' worth")
        }
    }
}
