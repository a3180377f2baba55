import Cluster
import DataModel
import Primitives
import Storage
import Testing

@testable import Coordination

@Suite struct StreamMessagesTests {
    private static let ranges = TokenRanges([Token(-5)...Token(9), Token(100)...Token.maximum])
    private static let id = UUID(high: 1, low: 2)

    @Test func everyBodyIsReadAsItWasWritten() throws {
        let open = StreamMessages.Open(
            session: StreamMessagesTests.id, epoch: 7, table: UUID(high: 3, low: 4), pull: UUID(high: 5, low: 6),
            title: "Bootstrap", ranges: StreamMessagesTests.ranges)
        #expect(try StreamMessages.Open(open.encoded()) == open)
        let opened = StreamMessages.Opened(
            restByteCount: 10, restPartitionCount: 3,
            files: [
                OfferedFile(
                    number: 1, byteCount: 99, rowCount: 4, tokens: Token(1)...Token(2), fingerprint: open.pull)
            ])
        #expect(try StreamMessages.Opened(opened.encoded()) == opened)
        var past = opened
        past.truncation = 77
        past.watermarks.raise(Token(-3)...Token(5), to: 1_000)
        #expect(try StreamMessages.Opened(past.encoded()) == past)
        let piece = StreamMessages.FilePiece(session: open.session, number: 2, offset: 1 << 40, byteCount: 5)
        #expect(try StreamMessages.FilePiece(piece.encoded()) == piece)
        let positions: [StreamPosition?] = [
            nil, StreamPosition(token: Token(3), key: [1, 2], clustering: nil),
            StreamPosition(token: Token(3), key: [], clustering: []),
        ]
        for position in positions {
            let rows = StreamMessages.Rows(
                session: open.session, lane: 1, sequence: 0, confirmed: 0, offset: 0,
                start: StreamMessages.LaneStart(ranges: StreamMessagesTests.ranges, position: position))
            #expect(try StreamMessages.Rows(rows.encoded()) == rows)
        }
        let rows = StreamMessages.Rows(session: open.session, lane: 1, sequence: 9, confirmed: 8, offset: 7)
        #expect(try StreamMessages.Rows(rows.encoded()) == rows)
    }

    @Test func cutAndChangedBodiesAreRefusedAndNeverTrap() {
        let open = StreamMessages.Open(
            session: StreamMessagesTests.id, epoch: 7, table: StreamMessagesTests.id, pull: StreamMessagesTests.id,
            title: "Rebuild", ranges: StreamMessagesTests.ranges
        ).encoded()
        let rows = StreamMessages.Rows(
            session: StreamMessagesTests.id, lane: 1, sequence: 0, confirmed: 0, offset: 0,
            start: StreamMessages.LaneStart(
                ranges: StreamMessagesTests.ranges,
                position: StreamPosition(token: Token(1), key: [1], clustering: [2]))
        ).encoded()
        for count in 0..<open.count {
            #expect(throws: DecodingError.self) { try StreamMessages.Open([UInt8](open.prefix(count))) }
        }
        var generator = SeededGenerator(seed: 5)
        for _ in 0..<3_000 {
            var bytes: [UInt8] = generator.oneIn(2) ? open : rows
            for _ in 0..<3 { bytes[generator.below(bytes.count)] = UInt8(generator.below(256)) }
            if generator.oneIn(3) { bytes.removeLast(generator.below(bytes.count)) }
            _ = try? StreamMessages.Open(bytes)
            _ = try? StreamMessages.Opened(bytes)
            _ = try? StreamMessages.Rows(bytes)
            _ = try? StreamMessages.FilePiece(bytes)
        }
    }

    @Test func rangesOfTheRingBecomeRunsOfTokens() {
        #expect(TokenRanges([RingRange.wholeRing]).runs == [Token(.min + 1)...Token.maximum])
        let wrapping = RingRange(after: Token(10), through: Token(-10))
        #expect(TokenRanges([wrapping]).runs == [Token(.min + 1)...Token(-10), Token(11)...Token.maximum])
        #expect(TokenRanges([RingRange(after: .maximum, through: .minimum)]).isEmpty)
        #expect(TokenRanges([RingRange(after: Token(1), through: Token(2))]).runs == [Token(2)...Token(2)])
        for token in [Int64.min + 1, -11, -10, -9, 10, 11, .max] {
            #expect(TokenRanges([wrapping]).contains(Token(token)) == wrapping.contains(Token(token)))
        }
    }

    @Test func theThrottleCountsWhatWasPaid() {
        var throttle = StreamThrottle(bytesPerSecond: 1_000)
        let second: UInt64 = 1_000_000_000
        #expect(throttle.limit(1 << 20) == 4 << 10)
        #expect(throttle.pay(100, now: 10 * second) == .zero)
        #expect(throttle.pay(1_000, now: 10 * second) == .seconds(1))
        #expect(throttle.pay(4_000, now: 10 * second) == .seconds(5))
        #expect(throttle.pay(1, now: 10 * second) == nil)
        #expect(throttle.pay(0, now: 10 * second) == .zero)
        #expect(throttle.pay(1_000, now: 20 * second) == .milliseconds(900))
        var open = StreamThrottle(bytesPerSecond: 0)
        #expect(open.limit(1 << 20) == 1 << 20)
        #expect(open.pay(1 << 30, now: 0) == .zero)
    }
}
