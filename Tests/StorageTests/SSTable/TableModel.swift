import DataModel
import Environment
import Primitives
import SimulatedHost

@testable import Storage

struct ModelRow: Equatable, Sendable {
    var clustering: [UInt8]
    var body: [UInt8]
}

struct ModelPartition: Equatable, Sendable {
    var token: Token
    var key: [UInt8]
    var deletion: Deletion = .none
    var staticRow: [UInt8] = []
    var ranges: [RangeDeletion] = []
    var rows: [ModelRow] = []
}

/// Makes random tables, and says what a command wants of them.
struct TableModel: Sendable {
    var partitions: [ModelPartition]

    /// - Parameter rowLimit: the most rows of a partition.
    init(partitionCount: Int, rowLimit: Int, seed: UInt64, hasDeletions: Bool = true, now: Int64 = 1_000) {
        var generator = SeededGenerator(seed: seed)
        var found: [ModelPartition] = []
        for _ in 0..<partitionCount {
            // Few tokens, so that several keys share one; keys of zero bytes and prefixes of each other.
            let token = Token(Int64(generator.below(max(2, partitionCount))) * 1_000 - 50_000)
            let key = [UInt8](repeating: UInt8(generator.below(3)), count: generator.below(5))
            guard !found.contains(where: { $0.token == token && $0.key == key }) else { continue }
            var partition = ModelPartition(token: token, key: key)
            if hasDeletions, generator.oneIn(4) { partition.deletion = Deletion(timestamp: 5, localSeconds: now) }
            if generator.oneIn(3) { partition.staticRow = TableModel.row(&generator, now: now) }
            if hasDeletions, generator.oneIn(3) { partition.ranges = TableModel.ranges(&generator, now: now) }
            let rowCount: Int = generator.oneIn(5) ? 0 : generator.below(rowLimit) + 1
            let keys = Set((0..<rowCount).map { _ in TableModel.clustering(&generator) })
            partition.rows = keys.sorted { ByteOrder.precedes($0, $1) }.map {
                ModelRow(clustering: $0, body: TableModel.row(&generator, now: now))
            }
            found.append(partition)
        }
        self.partitions = found.sorted { TableModel.precedes($0, $1) }
    }

    init(_ partitions: [ModelPartition]) {
        self.partitions = partitions
    }

    static func precedes(_ left: ModelPartition, _ right: ModelPartition) -> Bool {
        left.token == right.token ? ByteOrder.precedes(left.key, right.key) : left.token < right.token
    }

    static func clustering(_ generator: inout SeededGenerator) -> [UInt8] {
        let prefix = [UInt8](repeating: 0x40, count: generator.below(4) * 3)
        return prefix + (0..<(generator.below(3) + 1)).map { _ in UInt8(generator.below(20) + 1) }
    }

    static func row(_ generator: inout SeededGenerator, now: Int64) -> [UInt8] {
        var writer = ByteWriter()
        let timestamp = Int64(generator.below(20))
        let marker: RowMarker? = generator.oneIn(3) ? nil : RowMarker(timestamp: timestamp)
        let deletion: Deletion =
            generator.oneIn(9) ? Deletion(timestamp: Int64(generator.below(20)), localSeconds: now) : .none
        var row = RowWriter(marker: marker, baseTimestamp: timestamp, deletion: deletion, to: &writer)
        for column in 1..<UInt16(generator.below(3) + 2) {
            let writtenAt = Int64(generator.below(20))
            let value: [UInt8] = generator.bytes(generator.below(40))
            switch generator.below(5) {
            case 0: row.tombstone(column: column, timestamp: writtenAt, deletedSeconds: now, to: &writer)
            case 1:
                row.live(
                    column: column, timestamp: writtenAt, ttl: 60, expiresSeconds: now + 60, value: value.span.bytes,
                    to: &writer)
            default: row.live(column: column, timestamp: writtenAt, value: value.span.bytes, to: &writer)
            }
        }
        row.finish(&writer)
        // As a merge leaves a row: without cells that its own deletion covers.
        var merged = ByteWriter()
        let isLeft: Bool? = try? RowMerge.apply(.none, to: writer.span, writer: &merged)
        if isLeft != true {
            RowWriter(marker: RowMarker(timestamp: 50), baseTimestamp: 50, deletion: .none, to: &merged)
                .finish(&merged)
        }
        return merged.array()
    }

    static func ranges(_ generator: inout SeededGenerator, now: Int64) -> [RangeDeletion] {
        var ranges = RangeDeletions()
        for _ in 0..<(generator.below(30) + 1) {
            let start: [UInt8] = generator.oneIn(9) ? [] : clustering(&generator)
            let end: [UInt8] = generator.oneIn(9) ? ClusteringBound.afterEverything : clustering(&generator)
            let deletion = Deletion(timestamp: Int64(generator.below(20)), localSeconds: now)
            ranges.insert(RangeDeletion(start: start, end: end, deletion: deletion))
        }
        return ranges.ranges
    }

    /// A command that wants something of the table, or next to it.
    func command(_ generator: inout SeededGenerator) -> ReadCommand {
        func place() -> PartitionPosition {
            let partition: ModelPartition? = partitions.isEmpty ? nil : partitions[generator.below(partitions.count)]
            let token: Token = partition?.token ?? Token(0)
            let key: [UInt8]? = generator.oneIn(3) ? nil : partition?.key
            return PartitionPosition(token: token, key: key, isAfter: generator.oneIn(2))
        }
        var range = PartitionRange.all
        if !partitions.isEmpty, generator.oneIn(2) {
            let partition: ModelPartition = partitions[generator.below(partitions.count)]
            range = .one(token: partition.token, key: generator.oneIn(6) ? [9] : partition.key)
        } else if generator.oneIn(2) {
            range = .range(start: place(), end: place())
        }
        let slices: [ClusteringSlice] = TableModel.slices(&generator)
        let first: [ClusteringSlice]? = generator.oneIn(4) ? TableModel.slices(&generator) : nil
        return ReadCommand(
            partitions: range, slices: slices, firstPartitionSlices: first, isReversed: generator.oneIn(2))
    }

    static func slices(_ generator: inout SeededGenerator) -> [ClusteringSlice] {
        if generator.oneIn(3) { return [.everything] }
        if generator.oneIn(8) { return [] }
        if generator.oneIn(4) { return [.row(clustering(&generator))] }
        let ends = Set((0..<(generator.below(5) + 2)).map { _ in clustering(&generator) })
        let sorted: [[UInt8]] = ends.sorted { ByteOrder.precedes($0, $1) }
        var slices: [ClusteringSlice] = []
        for index in stride(from: 0, to: sorted.count - 1, by: generator.oneIn(2) ? 1 : 2) {
            slices.append(ClusteringSlice(start: sorted[index], end: sorted[index + 1]))
        }
        return slices
    }

    /// What a command reads, by looking at everything.
    func answer(
        _ command: ReadCommand, clip: ClosedRange<Token> = Token.minimum...Token.maximum
    ) -> [ModelPartition] {
        var answer: [ModelPartition] = []
        for partition in partitions where clip.contains(partition.token) {
            let isWanted: Bool = partition.key.withUnsafeBytes { command.partitions.contains(partition.token, $0) }
            guard isWanted else { continue }
            let slices: [ClusteringSlice] = partition.key.withUnsafeBytes { command.slices(of: partition.token, $0) }
            var wanted: ModelPartition = partition
            wanted.rows = partition.rows.filter { row in
                slices.contains {
                    !ByteOrder.precedes(row.clustering, $0.start) && ByteOrder.precedes(row.clustering, $0.end)
                }
            }
            if command.isReversed { wanted.rows.reverse() }
            wanted.ranges = partition.ranges.filter { range in
                slices.contains { ByteOrder.precedes(range.start, $0.end) && ByteOrder.precedes($0.start, range.end) }
            }
            answer.append(wanted)
        }
        return answer
    }
}

/// Everything that a cursor gives. Some partitions are left after a few rows, which then are all that is listed.
func readAll(
    _ cursor: any SourceCursor, rowLimit: (Int) -> Int = { _ in .max }
) async throws -> [ModelPartition] {
    var read: [ModelPartition] = []
    while true {
        switch try cursor.nextPartition() {
        case .end: return read
        case .blocked:
            try await cursor.load()
            continue
        case .ready: break
        }
        var partition = ModelPartition(token: cursor.token, key: [UInt8](cursor.key))
        partition.deletion = cursor.partitionDeletion
        partition.staticRow = [UInt8](cursor.staticRow)
        partition.ranges = cursor.rangeDeletions
        let limit: Int = rowLimit(read.count)
        rows: while partition.rows.count < limit {
            switch try cursor.nextRow() {
            case .end: break rows
            case .blocked: try await cursor.load()
            case .ready:
                partition.rows.append(ModelRow(clustering: [UInt8](cursor.clustering), body: [UInt8](cursor.row)))
            }
        }
        // The head must still be what it was, after all movements between blocks.
        if [UInt8](cursor.key) != partition.key || [UInt8](cursor.staticRow) != partition.staticRow { return [] }
        read.append(partition)
    }
}

/// Options for small blocks, so that small tables have many of them and two levels of index.
func writerOptions(
    generation: UInt64 = 1, compression: BlockCompression = .lz4, blockByteCount: Int = 256, expected: Int = 100,
    filterChance: Double = 0.01
) -> SSTableWriter.Options {
    let table = TableDefinition(
        keyspace: "k", name: "t", id: UUID(high: 1, low: 2), columns: [], nextColumnID: 10)
    var options = SSTableWriter.Options(
        table: table, generation: generation, expectedPartitionCount: expected, logPosition: 7, createdSeconds: 500)
    options.compression = compression
    options.blockByteCount = blockByteCount
    options.filterChance = filterChance
    return options
}

func write(
    _ model: TableModel, in directory: String = "/t", disk: any Disk, options: SSTableWriter.Options
) async throws -> SSTableDescription? {
    let writer: SSTableWriter = try await SSTableWriter.create(in: directory, disk: disk, options: options)
    for partition in model.partitions {
        partition.key.withUnsafeBytes {
            writer.beginPartition(token: partition.token, key: $0, deletion: partition.deletion)
        }
        if !partition.staticRow.isEmpty { try partition.staticRow.withUnsafeBytes { try writer.setStaticRow($0) } }
        for range in partition.ranges { writer.addRangeDeletion(range) }
        for row in partition.rows {
            try row.clustering.withUnsafeBytes { clustering in
                try row.body.withUnsafeBytes { try writer.addRow(clustering: clustering, row: $0) }
            }
            if writer.needsDrain { try await writer.drain() }
        }
        writer.endPartition()
    }
    return try await writer.finish()
}
