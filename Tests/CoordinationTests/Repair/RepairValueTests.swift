import Cluster
import Coordination
import DataModel
import Primitives
import Storage
import Testing

/// What repairs decide without asking anybody.
@Suite struct RepairValueTests {
    // MARK: Leaves

    @Test(arguments: [0, 1, 5, 12] as [UInt8]) func leavesCoverTheirTokensWithoutGaps(_ depth: UInt8) {
        for tokens in [
            Token.minimum...Token.maximum, Token(-5)...Token(5), Token(7)...Token(7), Token(1)...Token.maximum,
        ] {
            let grid = LeafGrid(tokens: tokens, depth: depth)
            let leaves: [ClosedRange<Token>] = grid.leaves()
            #expect(UInt64(leaves.count) == grid.leafCount)
            #expect(leaves.first?.lowerBound == tokens.lowerBound)
            #expect(leaves.last?.upperBound == tokens.upperBound)
            for (left, right) in zip(leaves, leaves.dropFirst()) {
                #expect(left.upperBound.ordinal + 1 == right.lowerBound.ordinal)
            }
        }
    }

    @Test func aPartOfARangeHasTheSameLeaves() {
        let whole: [ClosedRange<Token>] = LeafGrid(tokens: Token(0)...Token.maximum, depth: 9).leaves()
        let rest = LeafGrid(tokens: whole[3].lowerBound...Token.maximum, depth: 9).leaves()
        #expect(Array(whole[3...]) == rest)
        #expect(LeafGrid(tokens: Token(0)...Token.maximum, depth: 9).leaves(limit: 3) == Array(whole.prefix(3)))
    }

    @Test func theDepthFollowsTheNumberOfPartitionsAndStaysNearWhatIsKnown() {
        let all: ClosedRange<Token> = .minimum ... .maximum
        #expect(LeafGrid.fitting(all, partitionCount: 0).depth == 0)
        #expect(LeafGrid.fitting(all, partitionCount: 3_200).depth == 7)
        #expect(LeafGrid.fitting(all, partitionCount: 3_200, known: 6).depth == 6)
        #expect(LeafGrid.fitting(all, partitionCount: 3_200, known: 1).depth == 7)
        #expect(LeafGrid.fitting(all, partitionCount: 1e12).leafCount <= UInt64(LeafGrid.leafLimit))
        let leaf: ClosedRange<Token> = LeafGrid(tokens: all, depth: 7).leaves()[5]
        #expect(LeafGrid.depth(ofPart: leaf) == 7)
        #expect(LeafGrid.depth(ofPart: all) == 0)
        #expect(LeafGrid.depth(ofPart: Token(3)...Token(9)) == nil)
    }

    @Test func rangesBecomeTokensAndBack() {
        for range in [RingRange(after: Token(3), through: Token(9)), RingRange(after: Token(3), through: .minimum)] {
            #expect(range.tokens.map { RingRange($0) } == range)
        }
        #expect(RingRange.wholeRing.tokens == Token(.min + 1)...Token.maximum)
        #expect(RingRange(after: Token(4), through: Token(5)).tokens == Token(5)...Token(5))
        let wrapping = RingRange(after: Token(8), through: Token(4))
        let parts: [RingRange] = RingRange(after: Token(0), through: Token(10)).intersection(wrapping)
        #expect(
            parts == [RingRange(after: Token(0), through: Token(4)), RingRange(after: Token(8), through: Token(10))])
    }

    @Test func leavesThatDifferAreJoinedUpToALimit() {
        let same = LeafHash(low: 1, high: 1, unitCount: 1)
        let other = LeafHash(low: 2, high: 1, unitCount: 1)
        let left: [LeafHash] = [same, same, same, same, same, same]
        let right: [LeafHash] = [same, other, other, other, same, other]
        #expect(LeafComparison.differences([left, left]).isEmpty)
        #expect(LeafComparison.differences([left, right, left]) == [1..<4, 5..<6])
        #expect(LeafComparison.differences([left, right], limit: 2) == [1..<3, 3..<4, 5..<6])
        #expect(LeafComparison.differences([]).isEmpty)
    }

    // MARK: Units

    private static func hash(_ number: UInt64) -> UnitHash { UnitHash(low: number, high: 0) }

    private static func partition(_ token: Int64, head: UInt64? = nil, _ rows: [(UInt8, UInt64)]) -> UnitPage.Partition
    {
        var partition = UnitPage.Partition(token: Token(token), key: [1], head: head.map { hash($0) })
        partition.rows = rows.map { UnitPage.Row(clustering: [$0.0], hash: hash($0.1)) }
        return partition
    }

    @Test func unitsThatDifferAreFoundWhicheverReplicaHasThem() {
        let comparison = UnitComparison([
            UnitPage(partitions: [
                RepairValueTests.partition(1, head: 5, [(1, 1), (2, 2)]), RepairValueTests.partition(3, [(1, 1)]),
            ]),
            UnitPage(partitions: [
                RepairValueTests.partition(1, [(2, 2), (3, 3)]), RepairValueTests.partition(2, head: 1, []),
                RepairValueTests.partition(3, [(1, 9)]),
            ]),
        ])
        let found: [String] = comparison.differences.map { difference in
            "\(difference.token) \(difference.clustering.map { "\($0)" } ?? "head") \(difference.hashes.map { $0?.low ?? 0 })"
        }
        #expect(found == ["1 head [5, 0]", "1 [1] [1, 0]", "1 [3] [0, 3]", "2 head [0, 1]", "3 [1] [1, 9]"])
        #expect(comparison.comparedCount == 6)
        #expect(comparison.covered == nil)
    }

    @Test func nothingIsSaidOfWhatAPageDoesNotReach() {
        let comparison = UnitComparison([
            UnitPage(
                covered: ReadMark(token: Token(1), key: [1], clustering: [2]),
                partitions: [RepairValueTests.partition(1, [(1, 1), (2, 2)])]),
            UnitPage(partitions: [
                RepairValueTests.partition(1, [(1, 1), (2, 7), (3, 3)]), RepairValueTests.partition(2, [(1, 1)]),
            ]),
        ])
        #expect(comparison.differences.map(\.clustering) == [[2]])
        #expect(comparison.covered == ReadMark(token: Token(1), key: [1], clustering: [2]))
    }

    @Test func noPagesAndEmptyPagesHaveNoDifferences() {
        #expect(UnitComparison([]).differences.isEmpty)
        #expect(UnitComparison([UnitPage(), UnitPage()]).comparedCount == 0)
    }

    @Test func aPageOfHashesSurvivesItsEncodingAndRefusesDamage() throws {
        let page = UnitPage(
            covered: ReadMark(token: Token(9), key: [1, 2], clustering: nil),
            partitions: [RepairValueTests.partition(1, head: 5, [(1, 1), (2, 2)]), RepairValueTests.partition(3, [])])
        var writer = ByteWriter()
        page.write(to: &writer)
        let bytes: [UInt8] = writer.array()
        #expect(try UnitPage(decoding: bytes.span.bytes) == page)
        for length in 0..<bytes.count {
            let short = Array(bytes.prefix(length))
            do { _ = try UnitPage(decoding: short.span.bytes) } catch { continue }
            // What is cut between two partitions is a shorter page.
            #expect(length >= 13)
        }
    }

    @Test func entriesGatherRowsOfOnePartitionUpToALimit() {
        let differences: [UnitDifference] = (0..<20).map { row in
            UnitDifference(token: Token(1), key: [1], clustering: row == 0 ? nil : [UInt8(row)], hashes: [nil, nil])
        }
        let entries: [UnitEntry] = UnitEntry.entries(of: differences)
        #expect(entries.map(\.rows.count) == [16, 3])
        #expect(entries.map(\.hasHead) == [true, false])
    }

    // MARK: Seconds of tokens

    @Test(arguments: 0..<20 as Range<UInt64>) func secondsOfTokensAreWhatWasSetLast(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var seconds = TokenSeconds()
        var model = [Int64](repeating: TokenSeconds.never, count: 64)
        func token(_ index: Int) -> Token { Token(ordinal: UInt64(index) << 58) }
        for _ in 0..<40 {
            let low = Int(random.next() % 64)
            let high: Int = low + Int(random.next() % UInt64(64 - low))
            let value = Int64(random.next() % 100)
            let last: Token = high == 63 ? .maximum : Token(ordinal: token(high + 1).ordinal - 1)
            seconds.raise(token(low)...last, to: value)
            for index in low...high { model[index] = max(model[index], value) }
            let wanted: ClosedRange<Int> = low...high
            #expect(seconds.smallest(in: token(low)...last) == model[wanted].min(), "seed \(seed)")
            #expect(seconds.largest(in: token(low)...last) == model[wanted].max(), "seed \(seed)")
        }
        #expect((0..<64).map { seconds.seconds(of: token($0)) } == model, "seed \(seed)")
        let parts = seconds.seconds(in: token(3)...token(60))
        #expect(parts.first?.tokens.lowerBound == token(3) && parts.last?.tokens.upperBound == token(60))
        for (part, next) in zip(parts, parts.dropFirst()) {
            #expect(
                part.tokens.upperBound.ordinal + 1 == next.tokens.lowerBound.ordinal && part.seconds != next.seconds)
        }
        #expect(parts.allSatisfy { part in seconds.smallest(in: part.tokens) == part.seconds })
        #expect(parts.allSatisfy { part in seconds.largest(in: part.tokens) == part.seconds })
    }

    @Test func aMarkSurvivesItsEncoding() throws {
        let place = RepairPlace(table: UUID(high: 1, low: 2), tokens: Token(-5)...Token(9))
        for isFinal in [true, false] {
            let mark = RepairMark(
                place: place, watermarkSeconds: 6_400, cutSeconds: 10_000,
                owners: [ReplicaWorld.id(0), ReplicaWorld.id(2)], isFinal: isFinal)
            let bytes: [UInt8] = mark.encoded()
            #expect(try RepairMark(decoding: bytes.span.bytes) == mark)
            for count in 0..<bytes.count {
                let cut: [UInt8] = Array(bytes.prefix(count))
                #expect(throws: DecodingError.self) { _ = try RepairMark(decoding: cut.span.bytes) }
            }
        }
    }

    // MARK: Purging

    @Test func theModeFollowsTheReplicationUnlessTheTableSaysIt() {
        #expect(TombstonePurge([:], graceSeconds: 1, isReplicated: true).mode == .repair)
        #expect(TombstonePurge([:], graceSeconds: 1, isReplicated: false).mode == .timeout)
        let said = TombstonePurge(
            ["mode": "immediate", "propagation_delay_in_seconds": "7"], graceSeconds: 1, isReplicated: true)
        #expect(said.mode == .immediate)
        #expect(said.watermark(ofCutAt: 100) == 93)
        #expect(TombstonePurge(mode: .timeout, graceSeconds: 100).comparisonStart(nowSeconds: 1_000) == 960)
        #expect(
            TombstonePurge(mode: .disabled, graceSeconds: 100).comparisonStart(nowSeconds: 1_000) == HashFrame.hashesAll
        )
    }

    // MARK: What other nodes say

    @Test func aMarkOfAClockThatIsAheadVouchesForNothingLater() {
        let place = RepairPlace(table: UUID(high: 1, low: 2), tokens: .minimum ... .maximum)
        let right = RepairMark(place: place, watermarkSeconds: 6_400, cutSeconds: 10_000)
        #expect(right.bounded(nowSeconds: 10_000) == right)
        let ahead = RepairMark(place: place, watermarkSeconds: 96_400, cutSeconds: 100_000)
        #expect(ahead.bounded(nowSeconds: 10_000) == right)
        let absurd = RepairMark(place: place, watermarkSeconds: .min, cutSeconds: .max)
        #expect(absurd.bounded(nowSeconds: -5).watermarkSeconds == TokenSeconds.never)
        #expect(absurd.bounded(nowSeconds: -5).cutSeconds == -5)
        #expect(TombstonePurge(mode: .repair, graceSeconds: 1).cut(ofWatermark: .max) == .max)
    }

    @Test func numbersOfOtherNodesMakeNoSumTooLarge() {
        var counts = RepairCounts()
        var largest = RepairCounts()
        largest.rowsCompared = .max
        largest.bytesRead = .max
        counts.add(largest)
        counts.add(largest)
        #expect(counts.rowsCompared == .max && counts.bytesRead == .max)
    }

    @Test func aRequestForMoreRowsThanAnEntryHasIsRefused() throws {
        func bytes(_ rowCount: Int) -> [UInt8] {
            let rows: [[UInt8]] = (0..<rowCount).map { [UInt8($0)] }
            let entry = UnitEntry(token: Token(7), key: [1], hasHead: false, rows: rows)
            return FetchRequest(table: UUID(high: 1, low: 2), entries: [entry]).encoded()
        }
        let allowed: [UInt8] = bytes(UnitEntry.rowLimit)
        let decoded = try FetchRequest(decoding: allowed.span.bytes)
        #expect(decoded.entries.first?.rows.count == UnitEntry.rowLimit)
        let refused: [UInt8] = bytes(UnitEntry.rowLimit + 1)
        #expect(throws: DecodingError.self) { _ = try FetchRequest(decoding: refused.span.bytes) }
    }
}
