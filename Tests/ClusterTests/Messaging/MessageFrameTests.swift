import Cluster
import Primitives
import Testing

/// Messages in frames, on the level of bytes.
@Suite struct MessageFrameTests {
    struct Read: Equatable {
        var id: UInt64
        var body: [UInt8]
    }

    /// A frame of messages with the given bodies, whose ids count from 1.
    static func frame(_ bodies: [[UInt8]], compressing: Bool = false) -> [UInt8] {
        var writer = ByteWriter()
        var scratch = ByteWriter()
        let start = MessageFrame.begin(in: &writer)
        for (index, body) in bodies.enumerated() {
            let message = writer.count
            MessageHeader(
                verbNumber: Verb.mutation.rawValue, flags: 0, id: UInt64(index + 1), epoch: 7, clock: -3,
                timeoutMilliseconds: 2_000
            ).begin(in: &writer)
            writer.write(body)
            _ = MessageHeader.end(in: &writer, from: message)
        }
        MessageFrame.end(in: &writer, from: start, compressing: compressing, scratch: &scratch)
        return writer.array()
    }

    /// The messages of all whole frames, how many bytes were used, and what was wrong.
    static func read(_ bytes: [UInt8], limit: Int = 1 << 20) -> (messages: [Read], used: Int, fault: FrameFault?) {
        var reader = FrameReader(frameByteCount: limit)
        var messages: [Read] = []
        var used = 0
        var fault: FrameFault?
        bytes.withUnsafeBytes { all in
            reading: while true {
                switch reader.next(UnsafeRawBufferPointer(rebasing: all[used...])) {
                case .needMore: break reading
                case .malformed(let found):
                    fault = found
                    break reading
                case .frame(let payload, let consumed):
                    used += consumed
                    var offset = 0
                    while offset < payload.count {
                        guard let header = MessageHeader(payload, at: offset) else {
                            fault = .damagedMessage
                            break reading
                        }
                        let end = offset + header.messageByteCount
                        messages.append(
                            Read(id: header.id, body: [UInt8](payload[(offset + MessageHeader.byteCount)..<end])))
                        offset = end
                    }
                }
            }
        }
        return (messages, used, fault)
    }

    @Test(arguments: [false, true])
    func whatIsWrittenIsRead(_ isCompressed: Bool) {
        let bodies: [[UInt8]] = [[], [1], Array(repeating: 9, count: 5_000), [1, 2, 3]]
        let bytes = Self.frame(bodies, compressing: isCompressed)
        #expect(isCompressed == (bytes.count < 5_000))
        let (messages, used, fault) = Self.read(bytes)
        #expect(messages == bodies.enumerated().map { Read(id: UInt64($0 + 1), body: $1) })
        #expect(used == bytes.count && fault == nil)
    }

    @Test func allFieldsOfAHeaderComeBack() throws {
        let header = MessageHeader(
            verbNumber: 200, flags: 3, id: .max - 1, epoch: 1 << 40, clock: -9, timeoutMilliseconds: .max)
        var writer = ByteWriter()
        header.begin(in: &writer)
        _ = MessageHeader.end(in: &writer, from: 0)
        let read = writer.withUnsafeBytes { MessageHeader($0, at: 0) }
        #expect(read == header)
        #expect(header.isResponse && header.isFailure)
    }

    @Test func smallAndRandomPayloadsStayAsTheyAre() {
        let small = Self.frame([Array(repeating: 1, count: 400)], compressing: true)
        #expect(small.count == 16 + 36 + 400)
        var generator = SeededGenerator(seed: 1)
        let random = Self.frame([generator.bytes(4_000)], compressing: true)
        #expect(random.count == 16 + 36 + 4_000)
        #expect(Self.read(random).messages.count == 1)
    }

    @Test func aFrameMayComeInAnyTwoPieces() {
        for isCompressed in [false, true] {
            let bytes = Self.frame([[1, 2], Array(repeating: 3, count: 600)], compressing: isCompressed)
            for split in 0..<bytes.count {
                let (messages, used, fault) = Self.read(Array(bytes[..<split]))
                #expect(messages.isEmpty && used == 0 && fault == nil, "split at \(split)")
            }
            #expect(Self.read(bytes + bytes.dropLast()).messages.count == 2)
            #expect(Self.read(bytes + bytes).messages.count == 4)
        }
    }

    @Test func everyFlippedBitIsFound() {
        let bytes = Self.frame([[1, 2, 3], [4]])
        for bit in 0..<(bytes.count * 8) {
            var damaged = bytes
            damaged[bit / 8] ^= 1 << UInt8(bit % 8)
            let (messages, _, fault) = Self.read(damaged)
            #expect(messages.isEmpty && fault != nil, "bit \(bit)")
        }
    }

    @Test func aFrameOfTheLimitIsReadAndOneMoreByteIsNot() {
        let bytes = Self.frame([Array(repeating: 1, count: 1_000 - 36)])
        #expect(Self.read(bytes, limit: 1_000).messages.count == 1)
        #expect(Self.read(bytes, limit: 999).fault == .tooLarge(byteCount: 1_000, limit: 999))
    }

    /// A frame with any header that has the right checksums.
    private func forged(_ payload: [UInt8], uncompressed: Int, length: Int? = nil) -> [UInt8] {
        var writer = ByteWriter()
        writer.write(UInt32(length ?? payload.count))
        writer.write(UInt32(uncompressed))
        let header = Checksum.crc32c(writer.span)
        writer.write(header)
        writer.write(payload.withUnsafeBytes { Checksum.crc32c($0) })
        writer.write(payload)
        return writer.array()
    }

    @Test func headersThatNoWriterMakesAreRefused() {
        #expect(Self.read(forged([], uncompressed: 0)).fault == .empty)
        let bomb = forged([0, 0, 0], uncompressed: 1 << 20)
        #expect(Self.read(bomb).fault == .damagedCompression)
        let huge = forged([1], uncompressed: 0, length: 1 << 30)
        #expect(Self.read(huge).fault == .tooLarge(byteCount: 1 << 30, limit: 1 << 20))
        let hidden = forged([1, 2, 3, 4], uncompressed: 1 << 30)
        #expect(Self.read(hidden).fault == .tooLarge(byteCount: 1 << 30, limit: 1 << 20))
        #expect(Self.read(forged(Array(repeating: 0, count: 40), uncompressed: 0)).fault == .damagedMessage)
    }

    @Test func messagesThatNoWriterMakesAreRefused() {
        let good = Array(Self.frame([[1, 2]]).dropFirst(16))
        #expect(Self.read(forged(good, uncompressed: 0)).messages.count == 1)
        for (place, value) in [(0, UInt8(1)), (3, 200), (3, 31), (5, 2), (5, 6), (5, 8), (6, 1), (7, 1)] {
            var damaged = good
            damaged[place] = value
            #expect(Self.read(forged(damaged, uncompressed: 0)).fault == .damagedMessage, "byte \(place)")
        }
        #expect(Self.read(forged(Array(good.dropLast()), uncompressed: 0)).fault == .damagedMessage)
        #expect(Self.read(forged(good + [0], uncompressed: 0)).fault == .damagedMessage)
    }

    @Test(arguments: 0..<20)
    func mutatedFramesNeverBreakTheReader(_ seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<500 {
            var payload = Array(Self.frame([generator.bytes(generator.below(80)), [1]]).dropFirst(16))
            for _ in 0..<(1 + generator.below(4)) {
                payload[generator.below(payload.count)] = UInt8(truncatingIfNeeded: generator.next())
            }
            // Right checksums around wrong contents, plain and as if compressed.
            let uncompressed = generator.oneIn(2) ? 0 : generator.below(4_000)
            _ = Self.read(forged(payload, uncompressed: uncompressed))
            _ = Self.read(generator.bytes(generator.below(200)))
        }
    }

    @Test func failuresCarryTheirCodeAndReason() {
        var writer = ByteWriter()
        FailureBody.write(code: 0x1234, reason: "närrisch", into: &writer)
        let read = FailureBody.read(writer.span)
        #expect(read.code == 0x1234 && read.reason == "närrisch")
        let empty = ByteWriter()
        let nothing = FailureBody.read(empty.span)
        #expect(nothing.code == 0 && nothing.reason.isEmpty)
        var long = ByteWriter()
        FailureBody.write(code: 1, reason: String(repeating: "é", count: 10_000), into: &long)
        #expect(long.count <= FailureBody.reasonByteCount + 2)
    }
}
