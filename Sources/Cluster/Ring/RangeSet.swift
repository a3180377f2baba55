package import DataModel

/// A set of tokens: ranges that do not wrap, ascending, none touching the next.
///
/// Two values with the same tokens are equal. `Token.minimum` is no key's token and in no set.
package struct RangeSet: Hashable, Sendable, CustomStringConvertible {
    /// The ordinals after `low` up to and with `high`; never empty.
    private struct Interval: Hashable, Sendable {
        var low: UInt64
        var high: UInt64
    }

    private var intervals: [Interval] = []

    package static let wholeRing = RangeSet([.wholeRing])

    package init() {}

    /// The tokens of some ranges, which may wrap and overlap.
    package init(_ ranges: some Sequence<RingRange>) {
        self.intervals = RangeSet.joined(ranges.flatMap(RangeSet.intervals))
    }

    private static func intervals(_ range: RingRange) -> [Interval] {
        range.unwrapped.compactMap { part in
            let high: UInt64 = part.end == .minimum ? .max : part.end.ordinal
            return part.start.ordinal < high ? Interval(low: part.start.ordinal, high: high) : nil
        }
    }

    private static func joined(_ intervals: [Interval]) -> [Interval] {
        var joined: [Interval] = []
        for interval in intervals.sorted(by: { ($0.low, $0.high) < ($1.low, $1.high) }) {
            if let last = joined.last, interval.low <= last.high {
                joined[joined.count - 1].high = max(last.high, interval.high)
            } else {
                joined.append(interval)
            }
        }
        return joined
    }

    package var isEmpty: Bool { intervals.isEmpty }

    /// How many ranges it takes to write it down.
    package var count: Int { intervals.count }

    /// The same tokens as ranges, ascending; one that goes on through the last token ends at `Token.minimum`.
    package var ranges: [RingRange] {
        intervals.map { interval in
            RingRange(
                after: Token(ordinal: interval.low),
                through: interval.high == .max ? .minimum : Token(ordinal: interval.high))
        }
    }

    /// The part of the ring that it is, from 0 to 1.
    package var share: Double {
        intervals.reduce(0) { $0 + Double($1.high - $1.low) * 0x1p-64 }
    }

    package func contains(_ token: Token) -> Bool {
        var low = 0
        var high: Int = intervals.count
        while low < high {
            let middle: Int = (low + high) / 2
            if intervals[middle].high < token.ordinal { low = middle + 1 } else { high = middle }
        }
        return low < intervals.count && intervals[low].low < token.ordinal
    }

    /// Whether every token of `other` is in it.
    package func contains(_ other: RangeSet) -> Bool { other.subtracting(self).isEmpty }

    package mutating func insert(_ range: RingRange) {
        intervals = RangeSet.joined(intervals + RangeSet.intervals(range))
    }

    package func union(_ other: RangeSet) -> RangeSet {
        var union = RangeSet()
        union.intervals = RangeSet.joined(intervals + other.intervals)
        return union
    }

    package func intersection(_ other: RangeSet) -> RangeSet {
        var common = RangeSet()
        var left = 0
        var right = 0
        while left < intervals.count, right < other.intervals.count {
            let low: UInt64 = max(intervals[left].low, other.intervals[right].low)
            let high: UInt64 = min(intervals[left].high, other.intervals[right].high)
            if low < high { common.intervals.append(Interval(low: low, high: high)) }
            if intervals[left].high < other.intervals[right].high { left += 1 } else { right += 1 }
        }
        return common
    }

    package func subtracting(_ other: RangeSet) -> RangeSet {
        var rest = RangeSet()
        var right = 0
        for interval in intervals {
            var low: UInt64 = interval.low
            while right < other.intervals.count, other.intervals[right].high <= low { right += 1 }
            var index: Int = right
            while index < other.intervals.count, other.intervals[index].low < interval.high {
                let taken: Interval = other.intervals[index]
                if taken.low > low { rest.intervals.append(Interval(low: low, high: taken.low)) }
                low = max(low, taken.high)
                index += 1
            }
            if low < interval.high { rest.intervals.append(Interval(low: low, high: interval.high)) }
        }
        return rest
    }

    package var description: String {
        "[" + ranges.map(\.description).joined(separator: ", ") + "]"
    }
}
