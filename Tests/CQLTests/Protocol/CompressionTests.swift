import Primitives
import Testing

@testable import CQL

@Suite struct CompressionTests {
    private static func samples(_ generator: inout SeededGenerator) -> [[UInt8]] {
        var samples: [[UInt8]] = [[], [7], [UInt8](repeating: 0, count: 100_000), generator.bytes(70_000)]
        samples.append(Array("SELECT key, value FROM keyspace.table WHERE key = ? AND column > ? LIMIT 100".utf8))
        for _ in 0..<60 {
            let period = 1 + generator.below(300)
            let pattern = generator.bytes(period)
            let count = generator.below(200_000)
            var sample: [UInt8] = (0..<count).map { pattern[$0 % period] }
            for _ in 0..<generator.below(40) where !sample.isEmpty {
                sample[generator.below(sample.count)] = UInt8(truncatingIfNeeded: generator.next())
            }
            samples.append(sample)
        }
        return samples
    }

    @Test(arguments: [Compression.lz4, .snappy])
    func whatIsCompressedComesBack(compression: Compression) throws {
        var generator = SeededGenerator(seed: 42)
        for sample in Self.samples(&generator) {
            var packed = ByteWriter()
            sample.withUnsafeBytes { BodyCompression.compressBody($0, with: compression, into: &packed) }
            let block = packed.array()
            #expect(block.count <= sample.count + sample.count / 100 + 64)
            let result = try Self.unpacked(block, compression, limit: 1 << 20).bytes
            #expect(result == sample)
        }
    }

    @Test func snappyReadsABlockOfTheReference() throws {
        // Length 40; the literal "a"; a copy of offset 1 and length 39 in its two-byte form.
        let block: [UInt8] = [40, 0x00, 0x61, (39 - 1) << 2 | 2, 1, 0]
        let result = try Self.unpacked(block, .snappy, limit: 100).bytes
        #expect(result == [UInt8](repeating: 0x61, count: 40))
        // The same with a copy of the short form: length 11, and offsets of four bytes.
        let short: [UInt8] = [16, 0x00, 0x61, (11 - 4) << 2 | 1, 1, (4 - 1) << 2 | 3, 1, 0, 0, 0]
        let second = try Self.unpacked(short, .snappy, limit: 100).bytes
        #expect(second == [UInt8](repeating: 0x61, count: 16))
    }

    @Test func aBodyOfTheLimitIsTakenAndOneMoreByteIsNot() throws {
        for compression in [Compression.lz4, .snappy] {
            let body = [UInt8](repeating: 3, count: 1_000)
            var packed = ByteWriter()
            body.withUnsafeBytes { BodyCompression.compressBody($0, with: compression, into: &packed) }
            let block = packed.array()
            let result = try Self.unpacked(block, compression, limit: 1_000).bytes
            #expect(result == body)
            #expect(throws: FrameFailure.self) {
                _ = try Self.unpacked(block, compression, limit: 999)
            }
        }
    }

    @Test(arguments: [Compression.lz4, .snappy])
    func damagedBlocksNeitherCrashNorGrowPastTheLimit(compression: Compression) {
        var generator = SeededGenerator(seed: 77)
        let text: [UInt8] = Array(String(repeating: "the quick brown fox ", count: 60).utf8)
        var packed = ByteWriter()
        text.withUnsafeBytes { BodyCompression.compressBody($0, with: compression, into: &packed) }
        let sound = packed.array()
        for _ in 0..<20_000 {
            var damaged = sound
            for _ in 0..<(1 + generator.below(4)) {
                damaged[generator.below(damaged.count)] = UInt8(truncatingIfNeeded: generator.next())
            }
            damaged.removeLast(generator.below(damaged.count))
            let held = (try? Self.unpacked(damaged, compression, limit: 4_000))?.held ?? 0
            #expect(held <= 4_256)
        }
    }

    private static func unpacked(
        _ block: [UInt8], _ compression: Compression, limit: Int
    ) throws -> (bytes: [UInt8], held: Int) {
        var writer = ByteWriter()
        try block.withUnsafeBytes { (bytes: UnsafeRawBufferPointer) throws in
            try BodyCompression.decompressBody(bytes, with: compression, limit: limit, into: &writer)
        }
        return (writer.array(), writer.capacityByteCount)
    }
}
