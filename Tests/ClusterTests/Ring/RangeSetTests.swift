import Cluster
import DataModel
import Primitives
import Testing

@Suite struct RangeSetTests {
    private func range(_ start: Int64, _ end: Int64) -> RingRange {
        RingRange(after: Token(start), through: Token(end))
    }

    @Test func joinsRangesThatTouchOrOverlap() {
        let set = RangeSet([range(5, 10), range(0, 5), range(20, 30), range(25, 40)])
        #expect(set.ranges == [range(0, 10), range(20, 40)])
        #expect(set == RangeSet([range(20, 40), range(0, 10)]))
    }

    @Test func aRangeThatWrapsIsTwo() {
        let set = RangeSet([range(10, -10)])
        #expect(set.contains(Token(11)))
        #expect(set.contains(Token.maximum))
        #expect(set.contains(Token(-10)))
        #expect(!set.contains(Token(-9)))
        #expect(!set.contains(Token(10)))
        #expect(set.ranges.count == 2)
    }

    @Test func theWholeRingHasEveryTokenOnce() {
        #expect(RangeSet.wholeRing == RangeSet([RingRange(after: Token(7), through: Token(7))]))
        #expect(RangeSet.wholeRing == RangeSet([RingRange(after: .minimum, through: .maximum)]))
        #expect(RangeSet.wholeRing.ranges == [.wholeRing])
        #expect(RangeSet.wholeRing.share == 1)
        #expect(RangeSet.wholeRing.contains(.maximum))
        #expect(!RangeSet.wholeRing.contains(.minimum))
        #expect(RangeSet().isEmpty)
    }

    @Test(arguments: 0..<200)
    func isASetOfTokens(_ seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let borders: [Token] = (0..<6).map { _ in Token(generator.token()) } + [.minimum, .maximum]
        func random() -> RangeSet {
            RangeSet(
                (0..<generator.below(5)).map { _ in
                    RingRange(
                        after: borders[generator.below(borders.count)], through: borders[generator.below(borders.count)]
                    )
                })
        }
        let left: RangeSet = random()
        let right: RangeSet = random()
        let probes: [Token] = borders + borders.map { Token($0.value &+ 1) } + borders.map { Token($0.value &- 1) }
        for token in probes where token != .minimum {
            let inLeft: Bool = left.contains(token)
            let inRight: Bool = right.contains(token)
            #expect(left.union(right).contains(token) == (inLeft || inRight), "seed \(seed)")
            #expect(left.intersection(right).contains(token) == (inLeft && inRight), "seed \(seed)")
            #expect(left.subtracting(right).contains(token) == (inLeft && !inRight), "seed \(seed)")
            #expect(RangeSet(left.ranges).contains(token) == inLeft, "seed \(seed)")
        }
        #expect(left.subtracting(right).union(left.intersection(right)) == left, "seed \(seed)")
        #expect(left.contains(left.intersection(right)), "seed \(seed)")
        #expect(RangeSet(left.ranges) == left, "seed \(seed)")
    }
}
