import DataModel
import Primitives
import Storage
import Testing

@Suite struct MemtableTests {
    /// Partitions and rows: few of both, wide partitions, and many partitions.
    static let shapes: [(UInt64, Int, Int)] = [(1, 4, 5), (2, 2, 600), (3, 3_000, 2), (4, 40, 60)]

    private func filled(_ seed: UInt64, _ keys: Int, _ rows: Int, count: Int) throws -> (Memtable, MemtableModel) {
        var mutations = RandomMutations(seed: seed, keyCount: keys, rowCount: rows)
        var model = MemtableModel()
        let memtable = Memtable(table: RandomMutations.table)
        for _ in 0..<count {
            let bytes: [UInt8] = try mutations.next(&model)
            try memtable.apply(bytes.span.bytes)
        }
        return (memtable, model)
    }

    private func bodyOfRow(
        _ clustering: [UInt8], in partition: MemtablePartition, of memtable: Memtable
    ) throws -> [UInt8]? {
        var scratch = ByteWriter()
        var body: [UInt8]?
        var failure: StorageError?
        clustering.withUnsafeBytes { bytes in
            do throws(StorageError) {
                if let row = try memtable.row(in: partition, bytes, scratch: &scratch) { body = [UInt8](row) }
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
        return body
    }

    /// What a cursor delivers of one partition.
    private struct Seen: Equatable {
        var token: Int64
        var key: [UInt8]
        var deletion: Deletion
        var staticRow: [UInt8]
        var ranges: [RangeDeletion]
        var keys: [[UInt8]] = []
        var bodies: [[UInt8]] = []
    }

    private func walk(_ cursor: MemtableCursor) throws -> [Seen] {
        var result: [Seen] = []
        while try cursor.nextPartition() == .ready {
            var seen = Seen(
                token: cursor.token.value, key: [UInt8](cursor.key), deletion: cursor.partitionDeletion,
                staticRow: [UInt8](cursor.staticRow), ranges: cursor.rangeDeletions)
            while try cursor.nextRow() == .ready {
                seen.keys.append([UInt8](cursor.clustering))
                seen.bodies.append([UInt8](cursor.row))
            }
            result.append(seen)
        }
        return result
    }

    private func expected(
        _ model: MemtableModel, _ slices: [ClusteringSlice] = [.everything], isReversed: Bool = false
    ) -> [Seen] {
        model.sortedKeys.compactMap { key in
            guard let partition = model.partitions[key] else { return nil }
            func isInside(_ row: [UInt8]) -> Bool {
                slices.contains { !ByteOrder.precedes(row, $0.start) && ByteOrder.precedes(row, $0.end) }
            }
            var rows: [(key: [UInt8], body: [UInt8])] = partition.sortedRows.filter { isInside($0.key) }
            if isReversed { rows.reverse() }
            let ranges: [RangeDeletion] = partition.ranges.ranges.filter { range in
                slices.contains { ByteOrder.precedes(range.start, $0.end) && ByteOrder.precedes($0.start, range.end) }
            }
            return Seen(
                token: key.token, key: key.bytes, deletion: partition.deletion, staticRow: partition.staticRow,
                ranges: ranges, keys: rows.map(\.key), bodies: rows.map(\.body))
        }
    }

    @Test(arguments: shapes)
    func holdsWhatASortedModelHolds(seed: UInt64, keys: Int, rows: Int) throws {
        let (memtable, model) = try filled(seed, keys, rows, count: 3_000)
        let seen: [Seen] = try walk(memtable.makeCursor(ReadCommand(partitions: .all)))
        #expect(seen == expected(model), "seed \(seed)")
        #expect(memtable.statistics.partitionCount == model.partitions.count)
        #expect(memtable.statistics.rowCount == model.partitions.values.reduce(0) { $0 + $1.rows.count })
        #expect(memtable.usedByteCount <= memtable.byteCount)
    }

    @Test(arguments: shapes)
    func findsEveryRowAndNoOther(seed: UInt64, keys: Int, rows: Int) throws {
        let (memtable, model) = try filled(seed, keys, rows, count: 1_000)
        for (key, partition) in model.partitions {
            guard let found = memtable.find(Token(key.token), key.bytes.span.bytes) else {
                Issue.record("a partition is missing, seed \(seed)")
                continue
            }
            for (clustering, body) in partition.rows {
                let row: [UInt8]? = try bodyOfRow(clustering, in: found, of: memtable)
                #expect(row == body, "seed \(seed)")
                let shadow: Deletion = clustering.withUnsafeBytes { memtable.shadow(of: found, $0) }
                let covering: Deletion = clustering.withUnsafeBytes { partition.ranges.covering($0) }
                #expect(shadow == partition.deletion.merged(with: covering))
            }
            let absent: [UInt8]? = try bodyOfRow([0xEE], in: found, of: memtable)
            #expect(absent == nil)
        }
        let absentKey: [UInt8] = [1]
        let absentPartition: MemtablePartition? = memtable.find(Token(1 << 40), absentKey.span.bytes)
        #expect(absentPartition == nil)
    }

    @Test(arguments: shapes, [false, true])
    func readsSlicesInBothDirections(shape: (UInt64, Int, Int), isReversed: Bool) throws {
        let (memtable, model) = try filled(shape.0, shape.1, shape.2, count: 1_000)
        var mutations = RandomMutations(seed: shape.0 &+ 100, keyCount: shape.1, rowCount: shape.2)
        for round in 0..<20 {
            let bounds: [[UInt8]] = (0..<4).map { _ in mutations.clustering() }.sorted { ByteOrder.precedes($0, $1) }
            let slices: [ClusteringSlice] = [
                ClusteringSlice(start: round % 2 == 0 ? [] : bounds[0], end: bounds[1]),
                ClusteringSlice(start: bounds[2], end: round % 3 == 0 ? ClusteringBound.afterEverything : bounds[3]),
            ].filter { ByteOrder.precedes($0.start, $0.end) }
            let command = ReadCommand(partitions: .all, slices: slices, isReversed: isReversed)
            let seen: [Seen] = try walk(memtable.makeCursor(command))
            #expect(seen == expected(model, slices, isReversed: isReversed), "shape \(shape), round \(round)")
        }
    }

    @Test func readsOnlyThePartitionsOfARange() throws {
        let (memtable, model) = try filled(5, 60, 3, count: 500)
        let keys: [MemtableModel.Key] = model.sortedKeys
        for first in stride(from: 0, to: keys.count, by: 7) {
            for last in stride(from: first, to: keys.count, by: 11) {
                let (low, high): (MemtableModel.Key, MemtableModel.Key) = (keys[first], keys[last])
                let start = PartitionPosition(token: Token(low.token), key: low.bytes, isAfter: first % 2 == 0)
                let end = PartitionPosition(token: Token(high.token), isAfter: last % 2 == 0)
                let command = ReadCommand(partitions: .range(start: start, end: end))
                let seen: [[UInt8]] = try walk(memtable.makeCursor(command)).map(\.key)
                let wanted: [[UInt8]] = keys.filter { key in
                    key.bytes.withUnsafeBytes { command.partitions.contains(Token(key.token), $0) }
                }.map(\.bytes)
                #expect(seen == wanted, "first \(first), last \(last)")
            }
        }
    }

    @Test(arguments: [UInt64(1), 2, 3, 4, 5, 6], [false, true])
    func aCursorSeesWhatWasThereWhileWritesGoOn(seed: UInt64, isReversed: Bool) throws {
        var mutations = RandomMutations(seed: seed, keyCount: 8, rowCount: 200)
        var model = MemtableModel()
        let memtable = Memtable(table: RandomMutations.table)
        for _ in 0..<300 {
            let bytes: [UInt8] = try mutations.next(&model)
            try memtable.apply(bytes.span.bytes)
        }
        let before: MemtableModel = model
        let cursor: MemtableCursor = memtable.makeCursor(ReadCommand(partitions: .all, isReversed: isReversed))
        var keys: [MemtableModel.Key] = []
        while try cursor.nextPartition() == .ready {
            let key = MemtableModel.Key(token: cursor.token.value, bytes: [UInt8](cursor.key))
            keys.append(key)
            var rows: [[UInt8]] = []
            while try cursor.nextRow() == .ready {
                let clustering = [UInt8](cursor.clustering)
                let body = [UInt8](cursor.row)
                #expect(model.partitions[key]?.rows[clustering] == body, "seed \(seed)")
                let more: [UInt8] = try mutations.next(&model)
                try memtable.apply(more.span.bytes)
                // What the cursor stands on is not changed by the write.
                #expect([UInt8](cursor.row) == body && [UInt8](cursor.clustering) == clustering, "seed \(seed)")
                rows.append(clustering)
            }
            let sorted: [[UInt8]] = rows.sorted { isReversed ? ByteOrder.precedes($1, $0) : ByteOrder.precedes($0, $1) }
            #expect(rows == sorted && Set(rows).count == rows.count, "seed \(seed)")
            let missed: Set<[UInt8]> = Set(before.partitions[key].map { Array($0.rows.keys) } ?? []).subtracting(rows)
            #expect(missed.isEmpty, "seed \(seed)")
        }
        #expect(Set(before.partitions.keys).subtracting(keys).isEmpty, "seed \(seed)")
    }

    @Test func appendingToALargeRowCostsNoMoreThanItsSizeTimesALogarithm() throws {
        let memtable = Memtable(table: RandomMutations.table)
        let (key, clustering): ([UInt8], [UInt8]) = ([1], [1])
        for number in 0..<4_000 {
            var row = ByteWriter()
            var cells = RowWriter(marker: nil, baseTimestamp: 1, deletion: .none, to: &row)
            let path: [UInt8] = MemtableModelKeys.bytes(number)
            let value = [UInt8](repeating: 3, count: 50)
            cells.live(column: 1, timestamp: 1, path: path.span.bytes, value: value.span.bytes, to: &row)
            cells.finish(&row)
            var writer = ByteWriter()
            var mutation = MutationWriter(
                table: RandomMutations.table, token: Token(1), key: key.span.bytes, to: &writer)
            mutation.beginRows(&writer)
            let start: Int = mutation.beginRow(clustering: clustering.span.bytes, to: &writer)
            writer.write(row.span)
            mutation.endBody(start, &writer)
            mutation.beginRanges(&writer)
            mutation.finish(&writer)
            try memtable.apply(writer.span)
        }
        guard let partition = memtable.find(Token(1), key.span.bytes) else {
            Issue.record("the partition is missing")
            return
        }
        let body: [UInt8] = try bodyOfRow(clustering, in: partition, of: memtable) ?? []
        var reader = try RowReader(body.span.bytes)
        var count = 0
        while try reader.next() != nil { count += 1 }
        #expect(count == 4_000)
        #expect(memtable.byteCount < 4 << 20)
    }

    @Test func aDamagedMutationChangesNothing() throws {
        var mutations = RandomMutations(seed: 9, keyCount: 4, rowCount: 4)
        var model = MemtableModel()
        let bytes: [UInt8] = try mutations.next(&model)
        for count in 0..<bytes.count {
            let memtable = Memtable(table: RandomMutations.table)
            let part = [UInt8](bytes[0..<count])
            #expect(throws: StorageError.self) { try memtable.apply(part.span.bytes) }
            #expect(memtable.isEmpty && memtable.statistics == MemtableStatistics() && memtable.byteCount == 0)
        }
    }

    /// A mutation of one row, or of the same row and a range that is empty, which takes the long way.
    private func mutation(_ body: [UInt8], isLong: Bool) -> [UInt8] {
        let key: [UInt8] = [1]
        var writer = ByteWriter()
        var mutation = MutationWriter(table: RandomMutations.table, token: Token(1), key: key.span.bytes, to: &writer)
        mutation.beginRows(&writer)
        let start: Int = mutation.beginRow(clustering: key.span.bytes, to: &writer)
        writer.write(body)
        mutation.endBody(start, &writer)
        mutation.beginRanges(&writer)
        if isLong { mutation.range(start: key.span.bytes, end: key.span.bytes, .none, to: &writer) }
        mutation.finish(&writer)
        return writer.array()
    }

    @Test(arguments: [UInt64(31), 32, 33])
    func countsWhatTheRowsHaveOnTheShortWayAndTheLong(seed: UInt64) throws {
        var mutations = RandomMutations(seed: seed, keyCount: 1, rowCount: 1)
        for round in 0..<500 {
            let body: [UInt8] = round % 2 == 0 ? mutations.plainRow() : mutations.row()
            let short = Memtable(table: RandomMutations.table)
            let long = Memtable(table: RandomMutations.table)
            let bytes: [UInt8] = mutation(body, isLong: false)
            let longBytes: [UInt8] = mutation(body, isLong: true)
            try short.apply(bytes.span.bytes)
            try long.apply(longBytes.span.bytes)
            #expect(short.statistics == long.statistics, "seed \(seed), round \(round)")
            var row = try RowReader(body.span.bytes)
            var (cellCount, tombstoneCount): (Int, Int) = (0, row.deletion.isNone ? 0 : 1)
            var greatest: Int64 = max(row.marker?.timestamp ?? .min, row.deletion.timestamp)
            while let cell = try row.next() {
                cellCount += 1
                tombstoneCount += cell.isTombstone ? 1 : 0
                greatest = max(greatest, cell.timestamp)
            }
            let counted: MemtableStatistics = short.statistics
            #expect(
                counted.cellCount == cellCount && counted.tombstoneCount == tombstoneCount,
                "seed \(seed), round \(round)")
            #expect(counted.maximumTimestamp == greatest && counted.mutationCount == 1, "seed \(seed), round \(round)")
        }
    }

    @Test func aRowThatSaysNothingAfterAMergeStaysReadable() throws {
        // The deletion of no time is none, so the merge of the row with itself is empty.
        var writer = ByteWriter()
        writer.write(RowFlags.deletion.rawValue)
        writer.write(Int64(5))
        Deletion.none.write(to: &writer)
        let nothing: [UInt8] = mutation(writer.array(), isLong: false)
        var mutations = RandomMutations(seed: 1, keyCount: 1, rowCount: 1)
        let body: [UInt8] = mutations.row()
        let something: [UInt8] = mutation(body, isLong: false)
        let memtable = Memtable(table: RandomMutations.table)
        for bytes in [nothing, nothing, nothing, something] { try memtable.apply(bytes.span.bytes) }
        let key: [UInt8] = [1]
        let place: MemtablePartition? = memtable.find(Token(1), key.span.bytes)
        let partition: MemtablePartition = try #require(place)
        let found: [UInt8]? = try bodyOfRow(key, in: partition, of: memtable)
        let expected: [UInt8] = try MemtableModel.merged(body, body)
        #expect(found == expected)
    }

    @Test func anEmptyMemtableHoldsNoMemory() throws {
        let memtable = Memtable(table: RandomMutations.table)
        #expect(memtable.byteCount == 0 && memtable.isEmpty)
        let cursor: MemtableCursor = memtable.makeCursor(ReadCommand(partitions: .all))
        let step: SourceStep = try cursor.nextPartition()
        #expect(step == .end)
    }

    @Test func overwritingTheSameRowUsesNoMoreMemory() throws {
        var mutations = RandomMutations(seed: 12, keyCount: 1, rowCount: 1)
        var model = MemtableModel()
        let memtable = Memtable(table: RandomMutations.table)
        for _ in 0..<20_000 {
            let bytes: [UInt8] = try mutations.next(&model)
            try memtable.apply(bytes.span.bytes)
        }
        #expect(memtable.statistics.rowCount == 1)
        #expect(memtable.byteCount <= (64 << 10) + 4_000 * 200)
    }
}
