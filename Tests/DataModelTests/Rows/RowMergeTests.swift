import DataModel
import Primitives
import Testing

@Suite struct RowMergeTests {
    @Test(arguments: [UInt64(1), 2, 3, 4])
    func mergingIsCommutativeAssociativeAndIdempotentToTheByte(seed: UInt64) throws {
        var rows = RandomRows(seed: seed)
        for round in 0..<500 {
            try checkLaws(rows.row(), rows.row(), rows.row(), "seed \(seed), round \(round)")
        }
    }

    @Test(arguments: [UInt64(1), 2])
    func mergingCountersIsCommutativeAssociativeAndIdempotent(seed: UInt64) throws {
        var rows = RandomRows(seed: seed, hasCounters: true)
        for round in 0..<500 {
            try checkLaws(rows.row(), rows.row(), rows.row(), "seed \(seed), round \(round)")
        }
    }

    @Test func aShadowMayBeAppliedBeforeOrAfterTheMerge() throws {
        var rows = RandomRows(seed: 7)
        for round in 0..<500 {
            let a: [UInt8] = rows.row()
            let b: [UInt8] = rows.row()
            let shadow: Deletion = rows.deletion()
            let together: [UInt8] = try merge(a, b, shadow: shadow)
            let before: [UInt8] = try merge(try shadowed(a, by: shadow), try shadowed(b, by: shadow))
            let after: [UInt8] = try shadowed(try merge(a, b), by: shadow)
            #expect(together == after, "round \(round)")
            #expect(together == before, "round \(round)")
            #expect(try shadowed(together, by: shadow) == together, "round \(round)")
        }
    }

    @Test func aDamagedRowIsRefusedWhereverItIsCut() throws {
        var rows = RandomRows(seed: 11)
        let row: [UInt8] = rows.row()
        for count in 0..<row.count {
            var writer = ByteWriter()
            do {
                try RowMerge.merge(Array(row[0..<count]).span.bytes, row.span.bytes, to: &writer)
            } catch {
                continue  // a cut between two cells is a shorter row, any other is refused
            }
        }
    }

    private func checkLaws(_ a: [UInt8], _ b: [UInt8], _ c: [UInt8], _ place: Comment) throws {
        let ab: [UInt8] = try merge(a, b)
        let ba: [UInt8] = try merge(b, a)
        #expect(ab == ba, place)
        let left: [UInt8] = try merge(ab, c)
        let right: [UInt8] = try merge(a, try merge(b, c))
        #expect(left == right, place)
        #expect(try merge(a, a) == a, place)
        #expect(try merge(ab, b) == ab, place)
    }
}

@Suite struct RowPurgeTests {
    @Test func keepsAllWhileNothingMayGo() throws {
        var rows = RandomRows(seed: 3)
        for round in 0..<200 {
            let row: [UInt8] = rows.row()
            var writer = ByteWriter()
            let isKept: Bool = try RowPurge.purge(
                row.span.bytes, now: -1, graceStart: .min, purgeableBefore: .min, to: &writer)
            let kept: [UInt8] = writer.array()
            #expect(isKept ? kept == row : row.count == 9, "round \(round)")
        }
    }

    @Test func dropsTombstonesPastTheirGraceAndNoOthers() throws {
        var writer = ByteWriter()
        var row = RowWriter(marker: nil, baseTimestamp: 5, deletion: .none, to: &writer)
        row.tombstone(column: 1, timestamp: 5, deletedSeconds: 99, to: &writer)
        row.tombstone(column: 2, timestamp: 5, deletedSeconds: 100, to: &writer)
        row.tombstone(column: 3, timestamp: 7, deletedSeconds: 99, to: &writer)
        row.finish(&writer)
        var output = ByteWriter()
        let isKept: Bool = try RowPurge.purge(
            writer.span, now: 200, graceStart: 100, purgeableBefore: 7, to: &output)
        #expect(isKept)
        var reader = try RowReader(output.span)
        var columns: [UInt16] = []
        while let cell = try reader.next() { columns.append(cell.column) }
        #expect(columns == [2, 3])
    }

    @Test func turnsAnExpiredValueIntoATombstone() throws {
        var writer = ByteWriter()
        var row = RowWriter(marker: nil, baseTimestamp: 5, deletion: .none, to: &writer)
        row.live(column: 1, timestamp: 5, ttl: 10, expiresSeconds: 100, value: ([1] as [UInt8]).span.bytes, to: &writer)
        row.finish(&writer)
        var output = ByteWriter()
        let isKept: Bool = try RowPurge.purge(
            writer.span, now: 100, graceStart: 0, purgeableBefore: .max, to: &output)
        #expect(isKept)
        var reader = try RowReader(output.span)
        let cell: Cell? = try reader.next()
        #expect(cell?.isTombstone == true)
        #expect(cell?.seconds == 100)
        var gone = ByteWriter()
        let isStillKept: Bool = try RowPurge.purge(
            output.span, now: 100, graceStart: 101, purgeableBefore: .max, to: &gone)
        #expect(!isStillKept)
        let goneCount: Int = gone.count
        #expect(goneCount == 0)
    }
}

@Suite struct CellTieTests {
    private func survivor(
        _ build: (inout RowWriter, inout ByteWriter) -> Void, _ other: (inout RowWriter, inout ByteWriter) -> Void
    ) throws -> Cell? {
        func row(_ fill: (inout RowWriter, inout ByteWriter) -> Void) -> [UInt8] {
            var writer = ByteWriter()
            var row = RowWriter(marker: nil, baseTimestamp: 5, deletion: .none, to: &writer)
            fill(&row, &writer)
            row.finish(&writer)
            return writer.array()
        }
        let merged: [UInt8] = try merge(row(build), row(other))
        var reader = try RowReader(merged.span.bytes)
        return try reader.next()
    }

    @Test func aTombstoneBeatsAValueOfTheSameTime() throws {
        let cell: Cell? = try survivor(
            { $0.live(column: 1, timestamp: 5, value: ([9] as [UInt8]).span.bytes, to: &$1) },
            { $0.tombstone(column: 1, timestamp: 5, deletedSeconds: 1, to: &$1) })
        #expect(cell?.isTombstone == true)
    }

    @Test func anExpiringValueBeatsOneThatLivesAndLosesToATombstone() throws {
        let expiring: Cell? = try survivor(
            { $0.live(column: 1, timestamp: 5, value: ([9] as [UInt8]).span.bytes, to: &$1) },
            { $0.live(column: 1, timestamp: 5, ttl: 3, expiresSeconds: 4, value: ([1] as [UInt8]).span.bytes, to: &$1) }
        )
        #expect(expiring?.isExpiring == true)
        let deleted: Cell? = try survivor(
            { $0.tombstone(column: 1, timestamp: 5, deletedSeconds: 1, to: &$1) },
            {
                $0.live(
                    column: 1, timestamp: 5, ttl: 3, expiresSeconds: 400, value: ([1] as [UInt8]).span.bytes, to: &$1)
            })
        #expect(deleted?.isTombstone == true)
    }

    @Test func theLongerExpiryThenTheGreaterValueStays() throws {
        let longer: Cell? = try survivor(
            {
                $0.live(column: 1, timestamp: 5, ttl: 3, expiresSeconds: 4, value: ([9] as [UInt8]).span.bytes, to: &$1)
            },
            { $0.live(column: 1, timestamp: 5, ttl: 3, expiresSeconds: 5, value: ([1] as [UInt8]).span.bytes, to: &$1) }
        )
        #expect(longer?.seconds == 5)
        let greater: Cell? = try survivor(
            { $0.live(column: 1, timestamp: 5, value: ([9] as [UInt8]).span.bytes, to: &$1) },
            { $0.live(column: 1, timestamp: 5, value: ([9, 0] as [UInt8]).span.bytes, to: &$1) })
        #expect(greater?.valueByteCount == 2)
    }

    @Test func aDeletedCounterStaysDeleted() throws {
        let cell: Cell? = try survivor(
            { $0.tombstone(column: 1, timestamp: 1, deletedSeconds: 1, to: &$1) },
            {
                $0.live(
                    column: 1, timestamp: 5, value: [UInt8](repeating: 0, count: 32).span.bytes, isCounter: true,
                    to: &$1)
            })
        #expect(cell?.isTombstone == true)
    }

    @Test func countersTakeTheNewerShardOfEachNodeAndCountOnce() throws {
        let node = UUID(high: 1, low: 2)
        let other = UUID(high: 1, low: 1)
        func increment(_ context: [UInt8], _ who: UUID, _ delta: Int64) throws -> [UInt8] {
            var writer = ByteWriter()
            try CounterContext.increment(context.span.bytes, node: who, delta: delta, to: &writer)
            return writer.array()
        }
        let one: [UInt8] = try increment([], node, 5)
        let two: [UInt8] = try increment(one, node, -2)
        let both: [UInt8] = try increment(one, other, 100)
        var merged = ByteWriter()
        try CounterContext.merge(two.span.bytes, both.span.bytes, to: &merged)
        let total: Int64 = try CounterContext.total(of: merged.span)
        #expect(total == 103)
        #expect(throws: DecodingError.self) {
            try CounterContext.total(of: [1, 2, 3].span.bytes)
        }
    }
}

@Suite struct RangeDeletionsTests {
    @Test(arguments: [UInt64(1), 2, 3])
    func theListEqualsAModelByPointsInAnyOrder(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        for round in 0..<200 {
            var ranges: [RangeDeletion] = []
            for _ in 0..<generator.below(12) {
                let start = UInt8(generator.below(30))
                let end = UInt8(generator.below(30))
                let deletion = Deletion(
                    timestamp: Int64(generator.below(4)), localSeconds: Int64(generator.below(2)))
                ranges.append(RangeDeletion(start: [start], end: [end], deletion: deletion))
            }
            var list = RangeDeletions()
            var byteCount = 0
            for range in ranges { byteCount += list.insert(range) }
            #expect(list.byteCount == byteCount, "seed \(seed), round \(round)")
            var shuffled = RangeDeletions()
            for range in ranges.shuffled(using: &generator) { shuffled.insert(range) }
            #expect(list == shuffled, "seed \(seed), round \(round)")
            var twice: RangeDeletions = list
            twice.merge(list)
            #expect(twice == list, "seed \(seed), round \(round)")
            for point in UInt8(0)..<31 {
                var expected: Deletion = .none
                for range in ranges where range.start[0] <= point && point < range.end[0] {
                    expected = expected.merged(with: range.deletion)
                }
                let key: [UInt8] = [point]
                let found: Deletion = key.withUnsafeBytes { list.covering($0) }
                #expect(found == expected, "seed \(seed), round \(round), point \(point)")
            }
        }
    }

    @Test func anEmptyRangeChangesNothing() {
        var list = RangeDeletions()
        list.insert(RangeDeletion(start: [5], end: [5], deletion: Deletion(timestamp: 1, localSeconds: 1)))
        list.insert(RangeDeletion(start: [6], end: [5], deletion: Deletion(timestamp: 1, localSeconds: 1)))
        #expect(list.isEmpty)
    }
}
