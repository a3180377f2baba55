import Coordination
import DataModel
import Primitives
import Testing

/// What the digest of one row tells apart, and what it does not.
@Suite struct RowDigestTests {
    private static let now: Int64 = 1_000_000
    private static let frame = RowDigest.Frame(columns: [1, 2], nowSeconds: now, graceStart: now - 100)

    private struct CellText {
        var column: UInt16
        var value: String?
        var timestamp: Int64
        var deletedSeconds: Int64 = RowDigestTests.now
        var expiresSeconds: Int64 = .max
    }

    private static func row(
        marker: Int64? = 10, deletion: Deletion = .none, _ cells: [CellText]
    ) -> [UInt8] {
        var writer = ByteWriter()
        var row = RowWriter(
            marker: marker.map { RowMarker(timestamp: $0) }, baseTimestamp: marker ?? cells.first?.timestamp ?? 0,
            deletion: deletion, to: &writer)
        for cell in cells {
            if let value = cell.value {
                let bytes = Array(value.utf8)
                row.live(
                    column: cell.column, timestamp: cell.timestamp, ttl: cell.expiresSeconds == .max ? 0 : 60,
                    expiresSeconds: cell.expiresSeconds, value: bytes.span.bytes, to: &writer)
            } else {
                row.tombstone(
                    column: cell.column, timestamp: cell.timestamp, deletedSeconds: cell.deletedSeconds, to: &writer)
            }
        }
        row.finish(&writer)
        return writer.array()
    }

    private static func digest(_ row: [UInt8]?, shadow: Deletion = .none) throws -> RowDigest {
        var scratch = ByteWriter()
        guard let row else { return try RowDigest(nil, shadow: shadow, frame, scratch: &scratch) }
        return try RowDigest(row.span.bytes, shadow: shadow, frame, scratch: &scratch)
    }

    private static let whole: [CellText] = [
        CellText(column: 1, value: "a", timestamp: 10), CellText(column: 2, value: "b", timestamp: 11),
    ]

    @Test func everyPartOfARowCounts() throws {
        let usual = try Self.digest(Self.row(Self.whole))
        var others: [[UInt8]?] = [nil, Self.row(marker: 9, Self.whole), Self.row(marker: nil, Self.whole)]
        for index in Self.whole.indices {
            var value = Self.whole
            value[index].value = "c"
            var time = Self.whole
            time[index].timestamp += 1
            var dead = Self.whole
            dead[index].value = nil
            var fading = Self.whole
            fading[index].expiresSeconds = Self.now + 5
            var less = Self.whole
            less.remove(at: index)
            for cells in [value, time, dead, fading, less] { others.append(Self.row(cells)) }
        }
        for (index, other) in others.enumerated() {
            #expect(try Self.digest(other) != usual, "\(index)")
        }
        #expect(try Self.digest(Self.row(Self.whole)) == usual)
    }

    @Test func columnsThatNobodyWantsDoNotCount() throws {
        let more = Self.whole + [CellText(column: 3, value: "z", timestamp: 50)]
        #expect(try Self.digest(Self.row(more)) == Self.digest(Self.row(Self.whole)))
    }

    @Test func aRowThatIsAliveByOtherColumnsIsNotTheSameAsNone() throws {
        let other = Self.row(marker: nil, [CellText(column: 3, value: "z", timestamp: 50)])
        #expect(try Self.digest(other) != Self.digest(nil))
    }

    @Test func aDeletionCountsUnlessEverythingWantedIsNewer() throws {
        let usual = try Self.digest(Self.row(Self.whole))
        let older = Deletion(timestamp: 9, localSeconds: Self.now)
        #expect(try Self.digest(Self.row(Self.whole), shadow: older) == usual)
        #expect(try Self.digest(Self.row(deletion: older, Self.whole)) == usual)
        // A column that is not there may be so because of it: who lacks the deletion may have an older value of it.
        let half = Self.row([Self.whole[0]])
        #expect(try Self.digest(half, shadow: older) != Self.digest(half))
        #expect(try Self.digest(nil, shadow: older) != Self.digest(nil))
        let noMarker = Self.row(marker: nil, Self.whole)
        #expect(try Self.digest(noMarker, shadow: older) == Self.digest(noMarker))
    }

    @Test func aDeletionOfTheRowAndOneAroundItAreTheSame() throws {
        let deletion = Deletion(timestamp: 20, localSeconds: Self.now)
        let half: [CellText] = [CellText(column: 1, value: "a", timestamp: 30)]
        #expect(
            try Self.digest(Self.row(marker: nil, deletion: deletion, half))
                == Self.digest(Self.row(marker: nil, half), shadow: deletion))
    }

    @Test func whatIsPastItsGraceDoesNotCount() throws {
        let old = Deletion(timestamp: 20, localSeconds: Self.now - 101)
        #expect(try Self.digest(nil, shadow: old) == Self.digest(nil))
        let recent = Deletion(timestamp: 20, localSeconds: Self.now - 100)
        #expect(try Self.digest(nil, shadow: recent) != Self.digest(nil))
        let dead = [Self.whole[0], CellText(column: 2, value: nil, timestamp: 11, deletedSeconds: Self.now - 101)]
        #expect(try Self.digest(Self.row(dead)) == Self.digest(Self.row([Self.whole[0]])))
    }

    @Test func aValueWhoseTimeIsUpIsTheTombstoneThatItBecomes() throws {
        let expired = [CellText(column: 1, value: "a", timestamp: 10, expiresSeconds: Self.now - 5), Self.whole[1]]
        let dead = [CellText(column: 1, value: nil, timestamp: 10, deletedSeconds: Self.now - 5), Self.whole[1]]
        #expect(try Self.digest(Self.row(expired)) == Self.digest(Self.row(dead)))
    }

    @Test func bytesThatAreNoRowAreRefused() {
        for bytes: [UInt8] in [[], [0xFF], [1, 0, 0]] {
            #expect(throws: DecodingError.self) { try Self.digest(bytes) }
        }
    }
}
