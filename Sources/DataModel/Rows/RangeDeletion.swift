import Primitives

/// The deletion of all rows of a partition whose clustering keys are in `[start, end)`, compared with memcmp.
public struct RangeDeletion: Equatable, Sendable {
    public var start: [UInt8]
    public var end: [UInt8]
    public var deletion: Deletion

    @inlinable
    public init(start: [UInt8], end: [UInt8], deletion: Deletion) {
        self.start = start
        self.end = end
        self.deletion = deletion
    }
}

/// The range deletions of one partition, as a list that is sorted and does not overlap: of two that met, the stronger
/// one holds where they did.
///
/// Inserting is commutative, associative and idempotent; neighbours with the same deletion are one range, so that equal
/// sets of deletions make equal lists.
public struct RangeDeletions: Equatable, Sendable {
    /// Ascending, without overlaps, none of them empty.
    public private(set) var ranges: [RangeDeletion] = []

    @inlinable
    public init() {}

    /// Takes a list that is sorted and does not overlap already.
    public init(sorted ranges: [RangeDeletion]) {
        self.ranges = ranges
        expensively { require(isSorted, "range deletions are sorted and do not overlap") }
    }

    public var isEmpty: Bool { ranges.isEmpty }
    public var count: Int { ranges.count }

    /// The memory that the list takes, roughly.
    public var byteCount: Int { RangeDeletions.byteCount(ranges[...]) }

    private static func byteCount(_ ranges: ArraySlice<RangeDeletion>) -> Int {
        ranges.reduce(0) { $0 + 96 + $1.start.count + $1.end.count }
    }

    /// Adds a range; where it meets others the stronger deletion holds. An empty range changes nothing.
    ///
    /// Costs two binary searches and a move of what comes after, whatever the size of the list.
    ///
    /// - Returns: by how much `byteCount` has grown.
    @discardableResult
    public mutating func insert(_ range: RangeDeletion) -> Int {
        guard !range.deletion.isNone, ByteOrder.precedes(range.start, range.end) else { return 0 }
        // Everything in `first ..< last` overlaps the new range or touches one of its ends.
        let first: Int = firstIndex { ByteOrder.compare($0.end, range.start) >= 0 }
        let last: Int = firstIndex { ByteOrder.compare($0.start, range.end) > 0 }
        var pieces: [RangeDeletion] = []
        var position: [UInt8] = range.start
        for old in ranges[first..<last] {
            if ByteOrder.precedes(old.start, range.start) {
                let end: [UInt8] = RangeDeletions.lesser(old.end, range.start)
                RangeDeletions.append(RangeDeletion(start: old.start, end: end, deletion: old.deletion), to: &pieces)
            }
            let start: [UInt8] = RangeDeletions.greater(old.start, position)
            RangeDeletions.append(RangeDeletion(start: position, end: start, deletion: range.deletion), to: &pieces)
            let shared: [UInt8] = RangeDeletions.lesser(old.end, range.end)
            let stronger: Deletion = old.deletion.merged(with: range.deletion)
            RangeDeletions.append(RangeDeletion(start: start, end: shared, deletion: stronger), to: &pieces)
            position = RangeDeletions.greater(position, shared)
            let rest: [UInt8] = RangeDeletions.greater(old.start, range.end)
            RangeDeletions.append(RangeDeletion(start: rest, end: old.end, deletion: old.deletion), to: &pieces)
            if ByteOrder.precedes(range.end, old.end) { position = range.end }
        }
        RangeDeletions.append(RangeDeletion(start: position, end: range.end, deletion: range.deletion), to: &pieces)
        let growth: Int = RangeDeletions.byteCount(pieces[...]) - RangeDeletions.byteCount(ranges[first..<last])
        ranges.replaceSubrange(first..<last, with: pieces)
        expensively { require(isSorted, "range deletions are sorted and do not overlap") }
        return growth
    }

    /// Adds all ranges of another list.
    public mutating func merge(_ other: RangeDeletions) {
        if ranges.isEmpty {
            ranges = other.ranges
            return
        }
        for range in other.ranges { insert(range) }
    }

    /// The deletion that covers a row; `.none` when none does.
    ///
    /// Hot: once per row of a partition that has range deletions, and per row looked up.
    public func covering(_ clustering: UnsafeRawBufferPointer) -> Deletion {
        var low = 0
        var high: Int = ranges.count
        while low < high {
            let middle: Int = (low &+ high) / 2
            let startsAfter: Bool = ranges[middle].start.withUnsafeBytes { ByteOrder.compare($0, clustering) > 0 }
            if startsAfter { high = middle } else { low = middle &+ 1 }
        }
        guard low > 0 else { return .none }
        let isInside: Bool = ranges[low &- 1].end.withUnsafeBytes { ByteOrder.compare(clustering, $0) < 0 }
        return isInside ? ranges[low &- 1].deletion : .none
    }

    public func covering(_ clustering: RawSpan) -> Deletion {
        clustering.withUnsafeBytes { covering($0) }
    }

    /// The ranges that meet `[start, end)`, whole.
    public func intersecting(start: [UInt8], end: [UInt8]) -> ArraySlice<RangeDeletion> {
        let first: Int = firstIndex { ByteOrder.precedes(start, $0.end) }
        let last: Int = firstIndex { ByteOrder.compare($0.start, end) >= 0 }
        return ranges[first..<max(first, last)]
    }

    /// Forgets the ranges for which `isGone` holds.
    public mutating func removeAll(where isGone: (RangeDeletion) -> Bool) {
        ranges.removeAll(where: isGone)
    }

    /// The first index for which `isLate` holds, which is false for a run of ranges from the front and then true.
    private func firstIndex(where isLate: (RangeDeletion) -> Bool) -> Int {
        var low = 0
        var high: Int = ranges.count
        while low < high {
            let middle: Int = (low + high) / 2
            if isLate(ranges[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }

    private var isSorted: Bool {
        for index in ranges.indices {
            guard ByteOrder.precedes(ranges[index].start, ranges[index].end) else { return false }
            if index > 0, ByteOrder.precedes(ranges[index].start, ranges[index - 1].end) { return false }
        }
        return true
    }

    /// Appends a piece unless it is empty; one that continues the last with the same deletion makes it longer.
    private static func append(_ piece: RangeDeletion, to pieces: inout [RangeDeletion]) {
        guard ByteOrder.precedes(piece.start, piece.end) else { return }
        if let last = pieces.last, last.deletion == piece.deletion, last.end == piece.start {
            pieces[pieces.count - 1].end = piece.end
        } else {
            pieces.append(piece)
        }
    }

    private static func lesser(_ left: [UInt8], _ right: [UInt8]) -> [UInt8] {
        ByteOrder.precedes(right, left) ? right : left
    }

    private static func greater(_ left: [UInt8], _ right: [UInt8]) -> [UInt8] {
        ByteOrder.precedes(left, right) ? right : left
    }
}
