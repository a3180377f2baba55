import Primitives
import Testing

@testable import CQL

@Suite struct SegmentTests {
    @Test func headerChecksumsMatchKnownValues() {
        let known: [(data: UInt64, count: Int, crc: UInt32)] = [
            (0, 0, 8_867_936), (0, 1, 59_277), (0, 3, 8_251_255), (0, 5, 11_185_162),
            (UInt64(Int64.max), 3, 8_029_951), (UInt64(Int64.max), 5, 9_326_200), (131_077, 3, 10_131_737),
            (17_181_442_053, 5, 3_672_222), (34_359_607_301, 5, 14_445_742),
        ]
        for (data, count, expected) in known {
            let crc = Segment.crc24(data, byteCount: count)
            #expect(crc == expected)
        }
    }

    @Test func payloadChecksumsMatchWhatADriverSends() {
        let payload: [UInt8] = [
            6, 16, 0, 0, 7, 0, 0, 0, 47, 0, 0, 0, 37, 83, 69, 76, 69, 67, 84, 32, 99, 108, 117, 115, 116, 101, 114,
            95, 110, 97, 109, 101, 32, 70, 82, 79, 77, 32, 115, 121, 115, 116, 101, 109, 46, 108, 111, 99, 97, 108,
            0, 1, 0, 0, 0, 0,
        ]
        let crc = payload.withUnsafeBytes { Segment.crc32($0) }
        #expect(crc == 37_932_456)
        let start: [UInt8] = [0xFA, 0x2D, 0x55, 0xCA]
        let seed = Checksum.crc32(start.span.bytes)
        #expect(seed == Segment.payloadSeed)
    }

    @Test func aSegmentWithOneOptionsEnvelopeHasItsKnownBytes() {
        let framing = Framing(version: .v5, compression: .none)
        let bytes = framing.bytes(of: [Message(.options, stream: 0, version: .v5)])
        let known: [UInt8] = [
            0x09, 0x00, 0x02, 0xA4, 0xC8, 0xC1, 0x05, 0, 0, 0, 0x05, 0, 0, 0, 0, 0x10, 0x86, 0x28, 0x4D,
        ]
        #expect(bytes == known)
    }

    @Test func smallEnvelopesShareASegmentAndLargeOnesAreSplit() throws {
        let framing = Framing(version: .v5, compression: .none)
        let small = Message(.query, stream: 1, body: [UInt8](repeating: 1, count: 100), version: .v5)
        let shared = framing.bytes(of: [small, small, small], flushEvery: 3)
        #expect(shared.count == 3 * 109 + 10)

        let large = Message(.query, stream: 1, body: [UInt8](repeating: 1, count: 300_000), version: .v5)
        let split = framing.bytes(of: [large], flushEvery: 1)
        #expect(split.count == 300_009 + 3 * 10)
        let first = try Self.header(of: split, isCompressed: false)
        #expect(first.payloadByteCount == 131_071)
        #expect(!first.isSelfContained)
    }

    @Test(arguments: [131_061, 131_062, 131_063])
    func theLargestSelfContainedEnvelopeIsExactlyASegment(bodyByteCount: Int) throws {
        let framing = Framing(version: .v5, compression: .none)
        let message = Message(
            .query, stream: 1, body: [UInt8](repeating: 7, count: bodyByteCount), version: .v5)
        let bytes = framing.bytes(of: [message])
        let header = try Self.header(of: bytes, isCompressed: false)
        #expect(header.isSelfContained == (bodyByteCount <= 131_062))
    }

    @Test func noiseTravelsUncompressedInsideACompressedSegment() throws {
        var generator = SeededGenerator(seed: 11)
        let framing = Framing(version: .v5, compression: .lz4)
        let message = Message(.query, stream: 1, body: generator.bytes(500), version: .v5)
        let bytes = framing.bytes(of: [message])
        let header = try Self.header(of: bytes, isCompressed: true)
        #expect(header.uncompressedByteCount == 0)
        #expect(header.payloadByteCount == 509)
    }

    @Test func anAbandonedEnvelopeLeavesNoTrace() {
        for compression in [Compression.none, .lz4] {
            var writer = FrameWriter(version: .v5)
            writer.startFraming(version: .v5, compression: compression)
            var output = ByteWriter()
            writer.begin(.result, stream: 1, into: &output)
            output.write([1, 2, 3])
            writer.abandon(in: &output)
            writer.finish(&output)
            let isEmpty = output.isEmpty
            #expect(isEmpty)
            writer.writeError(.overloaded(message: "a"), stream: 1, into: &output)
            writer.begin(.result, stream: 2, into: &output)
            output.write([UInt8](repeating: 0, count: 200_000))
            writer.abandon(in: &output)
            writer.writeError(.overloaded(message: "b"), stream: 2, into: &output)
            writer.finish(&output)
            var client = Framing(version: .v5, compression: compression).readBuffer(.client)
            let streams: [Int16] = client.receive(output.array()).compactMap {
                if case .message(let message) = $0 { message.stream } else { nil }
            }
            #expect(streams == [1, 2])
        }
    }

    private static func header(of bytes: [UInt8], isCompressed: Bool) throws -> Segment.Header {
        try bytes.withUnsafeBytes { (buffer: UnsafeRawBufferPointer) throws -> Segment.Header in
            let start = try #require(buffer.baseAddress)
            return try Segment.Header.load(from: start, isCompressed: isCompressed)
        }
    }
}
