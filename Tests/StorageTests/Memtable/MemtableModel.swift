import DataModel
import Primitives
import Storage

/// What a memtable should hold: partitions and rows in sorted maps, merged one by one.
struct MemtableModel {
    struct Partition {
        var deletion: Deletion = .none
        var staticRow: [UInt8] = []
        var rows: [[UInt8]: [UInt8]] = [:]
        var ranges = RangeDeletions()

        var sortedRows: [(key: [UInt8], body: [UInt8])] {
            rows.sorted { ByteOrder.precedes($0.key, $1.key) }.map { ($0.key, $0.value) }
        }
    }

    struct Key: Hashable {
        var token: Int64
        var bytes: [UInt8]
    }

    var partitions: [Key: Partition] = [:]

    var sortedKeys: [Key] {
        partitions.keys.sorted { $0.token != $1.token ? $0.token < $1.token : ByteOrder.precedes($0.bytes, $1.bytes) }
    }

    static func merged(_ old: [UInt8]?, _ new: [UInt8]) throws -> [UInt8] {
        guard let old, !old.isEmpty else { return new }
        var writer = ByteWriter()
        try RowMerge.merge(old.span.bytes, new.span.bytes, to: &writer)
        return writer.array()
    }
}

/// Random mutations, applied to a memtable and to a model.
struct RandomMutations {
    static let table = UUID(high: 1, low: 2)

    var generator: SeededGenerator
    /// How many different partition keys and clustering keys there are.
    var keyCount: Int
    var rowCount: Int
    var largestValue: Int = 20

    init(seed: UInt64, keyCount: Int, rowCount: Int) {
        self.generator = SeededGenerator(seed: seed)
        self.keyCount = keyCount
        self.rowCount = rowCount
    }

    /// Few tokens for many keys, so that keys with the same token occur.
    mutating func key() -> MemtableModel.Key {
        let number: Int = generator.below(keyCount)
        return MemtableModel.Key(
            token: Int64(number / 2 - keyCount / 4),
            bytes: [UInt8](repeating: 7, count: number % 3) + MemtableModelKeys.bytes(number))
    }

    mutating func clustering() -> [UInt8] {
        // A long common prefix for some, so that the first eight bytes do not decide.
        let number: Int = generator.below(rowCount)
        let prefix: [UInt8] = number % 3 == 0 ? [1, 1, 1, 1, 1, 1, 1, 1, 1] : [UInt8(1 + number % 5)]
        return prefix + MemtableModelKeys.bytes(number).prefix(number % 2 == 0 ? 2 : 3)
    }

    mutating func row() -> [UInt8] {
        var writer = ByteWriter()
        let timestamp = Int64(1 + generator.below(100))
        let marker: RowMarker? = generator.oneIn(2) ? RowMarker(timestamp: timestamp) : nil
        let deletion: Deletion =
            generator.oneIn(10) ? Deletion(timestamp: Int64(1 + generator.below(100)), localSeconds: 3) : .none
        var row = RowWriter(marker: marker, baseTimestamp: timestamp, deletion: deletion, to: &writer)
        for column in 1...3 where generator.oneIn(2) {
            let value: [UInt8] = generator.bytes(generator.below(largestValue))
            row.live(column: UInt16(column), timestamp: timestamp, value: value.span.bytes, to: &writer)
        }
        if generator.oneIn(3) {
            let value: [UInt8] = generator.bytes(generator.below(largestValue))
            let path: [UInt8] = generator.bytes(1)
            row.live(column: 9, timestamp: timestamp, path: path.span.bytes, value: value.span.bytes, to: &writer)
        }
        row.tombstone(column: 12, timestamp: timestamp, deletedSeconds: 7, to: &writer)
        row.finish(&writer)
        return writer.array()
    }

    /// A row without deletion, paths and tombstones.
    mutating func plainRow() -> [UInt8] {
        var writer = ByteWriter()
        let timestamp = Int64(1 + generator.below(100))
        var row = RowWriter(
            marker: RowMarker(timestamp: timestamp), baseTimestamp: timestamp, deletion: .none, to: &writer)
        for column in 1...5 where !generator.oneIn(8) {
            let value: [UInt8] = generator.bytes(generator.below(largestValue))
            row.live(column: UInt16(column), timestamp: timestamp, value: value.span.bytes, to: &writer)
        }
        row.finish(&writer)
        return writer.array()
    }

    /// Adds a random mutation to `model` and returns its bytes.
    mutating func next(_ model: inout MemtableModel) throws -> [UInt8] {
        let key: MemtableModel.Key = self.key()
        var partition: MemtableModel.Partition = model.partitions[key] ?? MemtableModel.Partition()
        var writer = ByteWriter()
        var mutation = MutationWriter(
            table: RandomMutations.table, token: Token(key.token), key: key.bytes.span.bytes, to: &writer)
        // Often nothing but rows, as most mutations are.
        let isSimple: Bool = generator.oneIn(2)
        if !isSimple, generator.oneIn(20) {
            let deletion = Deletion(timestamp: Int64(1 + generator.below(100)), localSeconds: 5)
            mutation.partitionDeletion(deletion, to: &writer)
            partition.deletion = partition.deletion.merged(with: deletion)
        }
        if !isSimple, generator.oneIn(8) {
            let body: [UInt8] = row()
            let start: Int = mutation.beginStaticRow(&writer)
            writer.write(body)
            mutation.endBody(start, &writer)
            partition.staticRow = try MemtableModel.merged(partition.staticRow, body)
        }
        mutation.beginRows(&writer)
        for _ in 0..<(1 + generator.below(3)) {
            let clustering: [UInt8] = self.clustering()
            let body: [UInt8] = generator.oneIn(2) ? plainRow() : row()
            let start: Int = mutation.beginRow(clustering: clustering.span.bytes, to: &writer)
            writer.write(body)
            mutation.endBody(start, &writer)
            partition.rows[clustering] = try MemtableModel.merged(partition.rows[clustering], body)
        }
        mutation.beginRanges(&writer)
        if !isSimple, generator.oneIn(10) {
            let range = RangeDeletion(
                start: clustering(), end: clustering() + [0xFF],
                deletion: Deletion(timestamp: Int64(1 + generator.below(100)), localSeconds: 9))
            mutation.range(start: range.start.span.bytes, end: range.end.span.bytes, range.deletion, to: &writer)
            partition.ranges.insert(range)
        }
        mutation.finish(&writer)
        model.partitions[key] = partition
        return writer.array()
    }
}

enum MemtableModelKeys {
    static func bytes(_ number: Int) -> [UInt8] {
        [UInt8(truncatingIfNeeded: number >> 8), UInt8(truncatingIfNeeded: number), 5]
    }
}
