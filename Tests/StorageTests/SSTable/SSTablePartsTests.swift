import DataModel
import Primitives
import Testing

@testable import Storage

@Suite struct SSTablePartsTests {
    @Test(arguments: [0.5, 0.1, 0.01, 0.001])
    func theFilterIsWrongAboutAsOftenAsAsked(chance: Double) throws {
        var generator = SeededGenerator(seed: 11)
        let filter = try #require(PartitionFilter(partitionCount: 20_000, falsePositiveChance: chance))
        let inserted: [UInt64] = (0..<20_000).map { _ in generator.next() }
        for ordinal in inserted { filter.insert(ordinal) }
        #expect(inserted.allSatisfy { filter.mayContain($0) })
        var wrong = 0
        for _ in 0..<100_000 where filter.mayContain(generator.next()) { wrong += 1 }
        let measured: Double = Double(wrong) / 100_000
        #expect(measured <= chance * 2, "measured \(measured)")
        #expect(measured >= chance / 4, "measured \(measured): the filter is larger than it has to be")
    }

    @Test func theFilterHoldsForTokensOfASmallPartOfTheRing() throws {
        let filter = try #require(PartitionFilter(partitionCount: 20_000, falsePositiveChance: 0.01))
        for index in 0..<20_000 { filter.insert(UInt64(index) &* 3 &+ 1 << 62) }
        var wrong = 0
        for index in 0..<20_000 where filter.mayContain(UInt64(index) &* 3 &+ 1 &+ 1 << 62) { wrong += 1 }
        #expect(wrong <= 400, "\(wrong) of 20000")
    }

    @Test func aFilterReadsBackAsItWasWritten() throws {
        let filter = try #require(PartitionFilter(partitionCount: 100, falsePositiveChance: 0.01))
        for index in 0..<100 { filter.insert(UInt64(index)) }
        var writer = ByteWriter()
        filter.write(to: &writer)
        let copy = try #require(writer.withUnsafeBytes { PartitionFilter($0) })
        for index in 0..<1_000 { #expect(copy.mayContain(UInt64(index)) == filter.mayContain(UInt64(index))) }
        for count in [0, 1, 5, 64, writer.count - 1] {
            let short: PartitionFilter? = writer.withUnsafeBytes {
                PartitionFilter(UnsafeRawBufferPointer(rebasing: $0[..<count]))
            }
            #expect(short == nil)
        }
    }

    @Test func noFilterIsMadeForTheChanceOfOne() {
        #expect(PartitionFilter(partitionCount: 100, falsePositiveChance: 1) == nil)
    }

    @Test(arguments: [0, 1, 100, 2_000, 50_000])
    func theSketchEstimatesHowManyKeysThereAre(count: Int) {
        var generator = SeededGenerator(seed: 5)
        var left = KeySketch()
        var right = KeySketch()
        for index in 0..<count {
            let token = Token(Int64(bitPattern: generator.next() >> 3))
            if index % 3 != 0 { left.insert(token) }
            if index % 3 != 1 { right.insert(token) }
            left.insert(token)
        }
        left.merge(right)
        #expect(abs(Double(left.estimate - count)) <= Double(count) * 0.08, "\(left.estimate) for \(count)")
    }

    @Test func theLogarithmIsRight() {
        let known: [(value: Double, logarithm: Double)] = [
            (1, 0), (2.718281828459045, 1), (10, 2.302585092994046), (0.5, -0.6931471805599453),
        ]
        for (value, wanted) in known {
            #expect(abs(naturalLogarithm(value) - wanted) < 1e-10)
        }
    }

    @Test func theHistogramStaysSmallAndKeepsItsTotal() {
        var histogram = TombstoneHistogram()
        for index in 0..<10_000 { histogram.insert(seconds: Int64(index) * 60) }
        #expect(histogram.points.count <= TombstoneHistogram.pointLimit)
        #expect(histogram.total == 10_000)
        #expect(histogram.count(before: 600_001) == 10_000)
        #expect(histogram.count(before: 0) == 0)
        let half: Int = histogram.count(before: 300_000)
        #expect(half > 4_500 && half <= 5_500)
    }

    @Test(arguments: 0..<4)
    func aSegmentIsSearchedLikeASortedList(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        for count in [0, 1, 2, 15, 16, 17, 32, 33, 200] {
            var keys: Set<[UInt8]> = []
            while keys.count < count {
                keys.insert([UInt8](repeating: 1, count: generator.below(12)) + generator.bytes(generator.below(3)))
            }
            let sorted: [[UInt8]] = keys.sorted { ByteOrder.precedes($0, $1) }
            let block: Block = try SSTablePartsTests.block(sorted)
            let segment: BlockSegment = block.segment(0)
            #expect(segment.rowCount == count)
            var targets: [[UInt8]] = sorted
            for key in sorted.prefix(40) { targets += [key + [0], Array(key.dropLast()), key + [0xFF]] }
            for target in targets + [[], [0xFF]] {
                let floor: Int? = sorted.lastIndex { !ByteOrder.precedes(target, $0) }
                let found: Int? = target.withUnsafeBytes { segment.floor($0)?.index }
                #expect(found == floor, "seed \(seed), \(count) keys, \(target)")
                let exact: Bool = target.withUnsafeBytes { segment.exact($0) != nil }
                #expect(exact == keys.contains(target))
                var rows = SegmentRows()
                let ceiling: [UInt8]? = sorted.first { !ByteOrder.precedes($0, target) }
                let isFound: Bool = rows.seek(segment, target)
                let sought: [UInt8]? = isFound ? [UInt8](rows.clustering) : nil
                #expect(sought == ceiling)
                rows.beginBackwards(segment, before: target)
                let below: [UInt8]? = sorted.last { ByteOrder.precedes($0, target) }
                let hasBelow: Bool = rows.previous()
                let before: [UInt8]? = hasBelow ? [UInt8](rows.clustering) : nil
                #expect(before == below)
            }
        }
    }

    /// A block with one partition whose rows have the given clusterings, which are their bodies as well.
    private static func block(_ keys: [[UInt8]]) throws -> Block {
        let builder = BlockBuilder()
        let empty = UnsafeRawBufferPointer(start: nil, count: 0)
        builder.beginSegment(5, empty, flags: [], deletion: .none, staticRow: empty)
        for key in keys { key.withUnsafeBytes { builder.addRow($0, $0) } }
        builder.endSegment(continuesAfter: false)
        let memory: UnsafeMutableRawBufferPointer = builder.finish { bytes in
            let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 16)
            memory.copyMemory(from: bytes)
            return memory
        }
        return try Block(adopting: memory, at: 0)
    }

    @Test func theCacheStaysWithinItsLimitAndSurvivesScans() throws {
        let cache = BlockCache(byteLimit: 40_000)
        func block() throws -> Block { try SSTablePartsTests.block((0..<20).map { [UInt8]([1, UInt8($0)]) }) }
        for _ in 0..<3 {
            for offset in 0..<20 where cache.find(1, offset) == nil { cache.insert(try block(), 1, offset) }
        }
        // A scan of many blocks that nobody asks for twice.
        for offset in 0..<2_000 where cache.find(2, offset) == nil {
            cache.insert(try block(), 2, offset)
            #expect(cache.byteCount <= 40_000)
        }
        let kept: Int = (0..<20).filter { cache.find(1, $0) != nil }.count
        #expect(kept == 20, "\(kept) of 20 blocks that were used again are left")
        cache.removeFile(1)
        #expect(cache.find(1, 0) == nil)
        cache.removeFile(2)
        #expect(cache.count == 0)
        #expect(cache.byteCount == 0)
    }

    @Test(arguments: 0..<4)
    func theCacheAgreesWithAModel(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let cache = BlockCache(byteLimit: 20_000)
        var blocks: [Int: ObjectIdentifier] = [:]
        for _ in 0..<5_000 {
            let offset: Int = generator.below(600)
            let file = UInt64(offset % 5)
            if let found = cache.find(file, offset) {
                #expect(blocks[offset] == ObjectIdentifier(found))
            } else {
                let block: Block = try SSTablePartsTests.block([[UInt8(1)]])
                cache.insert(block, file, offset)
                blocks[offset] = ObjectIdentifier(block)
            }
            if generator.oneIn(500) { cache.removeFile(UInt64(generator.below(5))) }
            if generator.oneIn(900) { cache.resize(byteLimit: 1_000 + generator.below(30_000)) }
            #expect(cache.byteCount <= cache.byteLimit)
        }
    }

    @Test func theCacheOfNoBytesHoldsNothing() throws {
        let cache = BlockCache(byteLimit: 0)
        cache.insert(try SSTablePartsTests.block([[1]]), 1, 1)
        #expect(cache.count == 0)
        #expect(cache.find(1, 1) == nil)
    }

    @Test func theCompressionOptionIsUnderstood() {
        #expect(BlockCompression(options: TableOptions().compression) == .lz4)
        #expect(BlockCompression(options: [:]) == .none)
        #expect(BlockCompression(options: ["class": "LZ4Compressor", "enabled": "false"]) == .none)
        #expect(BlockCompression(options: ["class": "org.apache.cassandra.io.compress.NoopCompressor"]) == .none)
        #expect(BlockCompression(options: ["class": "ZstdCompressor"]) == .zstd(level: 3))
        #expect(BlockCompression(options: ["class": "ZstdCompressor", "compression_level": "9"]) == .zstd(level: 9))
        #expect(BlockCompression(options: ["class": "SnappyCompressor"]) == .lz4)
        #expect(BlockCompression.blockByteCount(options: ["chunk_length_in_kb": "64"]) == 65_536)
        #expect(BlockCompression.blockByteCount(options: ["chunk_length_in_kb": "x"]) == 16_384)
    }
}
