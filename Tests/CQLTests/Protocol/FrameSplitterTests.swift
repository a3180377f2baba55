import CQL
import Primitives
import Testing

@Suite struct FrameSplitterTests {
    private static let options: [UInt8] = [0x04, 0x00, 0x00, 0x07, 0x05, 0, 0, 0, 0]

    @Test func aBareEnvelopeComesOutOnceItIsWhole() {
        var buffer = ReadBuffer(.server)
        for byte in Self.options.dropLast() {
            let early = buffer.receive([byte])
            #expect(early.isEmpty)
        }
        let outcomes = buffer.receive([0])
        #expect(outcomes == [.message(Message(.options, stream: 7))])
        let left = buffer.bytes
        #expect(left.isEmpty)
    }

    @Test func manyEnvelopesInOneReadComeOutInOrder() {
        var buffer = ReadBuffer(.server)
        let outcomes = buffer.receive(Self.options + Self.options + Self.options)
        #expect(outcomes == Array(repeating: .message(Message(.options, stream: 7)), count: 3))
    }

    @Test(arguments: Framing.all, [UInt64(1), 2, 3])
    func everyWayOfCuttingTheStreamGivesTheSameEnvelopes(framing: Framing, seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let messages = framing.randomMessages(40, &generator)
        let stream = framing.bytes(of: messages, flushEvery: 1 + generator.below(9))
        var buffer = framing.readBuffer(.server)
        var outcomes: [Outcome] = []
        var position = 0
        while position < stream.count {
            let most = generator.oneIn(3) ? 40 : 90_000
            let end = min(stream.count, position + 1 + generator.below(most))
            outcomes += buffer.receive(stream[position..<end])
            position = end
        }
        let expected: [Outcome] = messages.map { .message($0) }
        #expect(outcomes == expected, "seed \(seed)")
        let left = buffer.bytes
        #expect(left.isEmpty)
        let held = buffer.splitter.heldByteCount
        #expect(held <= 2 * (128 * 1024) + 2 * 300_100)
    }

    @Test func aHandshakeIsBareAndWhatFollowsIsSegmented() {
        var client = FrameWriter(version: .v5)
        var output = ByteWriter()
        client.begin(.startup, stream: 0, into: &output)
        output.writeStartup(compression: .lz4)
        client.end(in: &output)
        client.startFraming(version: .v5, compression: .lz4)
        client.begin(.query, stream: 1, into: &output)
        output.writeQuery("SELECT 1", options: QueryOptions(), version: .v5)
        client.end(in: &output)
        client.finish(&output)

        var server = ReadBuffer(.server)
        let first = server.receive(output.array(), limit: 1)
        guard case .message(let startup)? = first.first else {
            Issue.record("no STARTUP")
            return
        }
        #expect(startup.opcode == .startup)
        server.splitter.startFraming(version: .v5, compression: .lz4)
        let second = server.receive([])
        guard case .message(let query)? = second.first else {
            Issue.record("no QUERY")
            return
        }
        #expect(query.opcode == .query)
        #expect(query.stream == 1)
    }

    @Test func anUnknownOpcodeIsRejectedOnItsStreamAndSkipped() {
        var buffer = ReadBuffer(.server)
        let outcomes = buffer.receive([0x04, 0, 0, 9, 0x42, 0, 0, 0, 2, 1, 1] + Self.options)
        #expect(
            outcomes == [.rejected(.unknownOpcode(0x42), stream: 9), .message(Message(.options, stream: 7))])
        #expect(FrameFault.unknownOpcode(0x42).error.message == "Unknown opcode 66")
    }

    @Test func aResponseSentToAServerIsRejected() {
        var buffer = ReadBuffer(.server)
        let outcomes = buffer.receive([0x84, 0, 0, 9, 0x02, 0, 0, 0, 0])
        #expect(outcomes == [.rejected(.wrongDirection(.ready), stream: 9)])
    }

    @Test func anotherVersionOnTheSameConnectionIsRejectedAndSkipped() {
        var buffer = ReadBuffer(.server)
        let outcomes = buffer.receive(Self.options + [0x03, 0, 0, 8, 0x05, 0, 0, 0, 1, 0xFF] + Self.options)
        let fault = FrameFault.versionChanged(got: 3, connection: .v4)
        let ready = Outcome.message(Message(.options, stream: 7))
        #expect(outcomes == [ready, .rejected(fault, stream: 8), ready])
    }

    @Test func aFrameOfTheLimitPassesAndOneMoreByteIsSkippedWithoutBeingHeld() {
        let limits = FrameLimits(frameByteCount: 1_000)
        let framing = Framing(version: .v4, compression: .none)
        let good = Message(.query, stream: 1, body: [UInt8](repeating: 1, count: 991))
        let large = Message(.query, stream: 2, body: [UInt8](repeating: 2, count: 992))
        let stream = framing.bytes(of: [good, large, good])
        var buffer = ReadBuffer(.server, limits: limits)
        var outcomes: [Outcome] = []
        for byte in stream {
            outcomes += buffer.receive([byte])
            let waiting = buffer.bytes.count
            #expect(waiting < 1_000)
        }
        let fault = FrameFault.tooLong(byteCount: 1_001, limit: 1_000)
        #expect(outcomes == [.message(good), .rejected(fault, stream: 2), .message(good)])
        #expect(fault.error.message == "Request is too big: length 1001 exceeds maximum allowed length 1000.")
        #expect(fault.error.cqlError.code == 0x2200)
    }

    @Test(arguments: [Compression.none, .lz4])
    func aLargeEnvelopeInSegmentsIsSkippedAndTheConnectionGoesOn(compression: Compression) {
        let framing = Framing(version: .v5, compression: compression)
        var generator = SeededGenerator(seed: 5)
        let large = Message(.query, stream: 2, body: generator.bytes(400_000), version: .v5)
        let small = Message(.query, stream: 3, body: [1, 2, 3], version: .v5)
        let stream = framing.bytes(of: [small, large, small], flushEvery: 1)
        var buffer = framing.readBuffer(.server, limits: FrameLimits(frameByteCount: 300_000))
        let outcomes = buffer.receive(stream)
        let fault = FrameFault.tooLong(byteCount: 400_009, limit: 300_000)
        #expect(outcomes == [.message(small), .rejected(fault, stream: 2), .message(small)])
    }

    @Test func aNegativeLengthEndsTheConnection() {
        var buffer = ReadBuffer(.server)
        let outcomes = buffer.receive([0x04, 0, 0, 9, 0x05, 0xFF, 0xFF, 0xFF, 0xFE])
        #expect(outcomes == [.broken(.negativeLength(-2), stream: 9)])
    }

    @Test(arguments: [Compression.none, .lz4])
    func everyDamagedByteOfASegmentIsNoticed(compression: Compression) {
        let framing = Framing(version: .v5, compression: compression)
        let message = Message(.query, stream: 2, body: (0..<300).map { UInt8($0 % 7) }, version: .v5)
        let sound = framing.bytes(of: [message])
        for index in sound.indices {
            for bit in [UInt8(1), 0x80] {
                var damaged = sound
                damaged[index] ^= bit
                var buffer = framing.readBuffer(.server)
                let outcomes = buffer.receive(damaged)
                guard case .broken(let fault, _)? = outcomes.first, outcomes.count == 1 else {
                    Issue.record("byte \(index) is not covered")
                    continue
                }
                let headerByteCount = compression == .none ? 6 : 8
                switch fault {
                case .headerChecksum: #expect(index < headerByteCount)
                case .payloadChecksum: #expect(index >= headerByteCount)
                default: Issue.record("\(fault)")
                }
            }
        }
    }

    @Test func anEnvelopeThatLeavesItsSegmentEndsTheConnection() {
        var writer = FrameWriter(version: .v5)
        writer.startFraming(version: .v5, compression: .none)
        var output = ByteWriter()
        writer.begin(.query, stream: 4, into: &output)
        output.write([1, 2, 3])
        writer.end(in: &output)
        output.overwrite(UInt32(4), at: 6 + 5)
        writer.finish(&output)
        var buffer = Framing(version: .v5, compression: .none).readBuffer(.server)
        let outcomes = buffer.receive(output.array())
        #expect(outcomes == [.broken(.strayEnvelope, stream: 4)])
    }

    @Test func aCompressedBodyWithoutAgreementIsRejected() {
        var buffer = ReadBuffer(.server)
        let outcomes = buffer.receive([0x04, 1, 0, 9, 0x07, 0, 0, 0, 2, 1, 1] + Self.options)
        #expect(
            outcomes == [
                .rejected(.compressionNotNegotiated, stream: 9), .message(Message(.options, stream: 7)),
            ])
    }

    @Test(arguments: [Compression.lz4, .snappy])
    func aBodyThatClaimsToBecomeHugeIsRejectedBeforeMemoryIsTaken(compression: Compression) {
        let claim: [UInt8] =
            compression == .lz4 ? [0x00, 0xFF, 0xFF, 0x00, 1, 2, 3] : [0x80, 0x80, 0xFC, 0x07, 1, 2, 3]
        var buffer = Framing(version: .v4, compression: compression).readBuffer(.server)
        let header: [UInt8] = [0x04, 1, 0, 9, 0x07, 0, 0, 0, UInt8(claim.count)]
        let outcomes = buffer.receive(header + claim)
        #expect(outcomes == [.rejected(.damagedCompression, stream: 9)])
        let held = buffer.splitter.heldByteCount
        #expect(held <= 64)
    }

    @Test func aClientReadsPushedEventsAndResponses() {
        var writer = FrameWriter(version: .v4)
        var output = ByteWriter()
        let endpoint = InetEndpoint(address: .loopback, port: 9042)
        writer.writeEvent(.status(.up, endpoint), into: &output)
        writer.writeError(.overloaded(message: "busy"), stream: 3, into: &output)
        var client = ReadBuffer(.client)
        let outcomes = client.receive(output.array())
        #expect(outcomes.count == 2)
        guard case .message(let event)? = outcomes.first, case .message(let error)? = outcomes.last else { return }
        #expect(event.stream == -1)
        #expect(event.opcode == .event)
        #expect(error.opcode == .error)
    }
}
