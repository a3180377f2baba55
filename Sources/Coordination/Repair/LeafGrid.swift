package import Cluster
package import DataModel

/// How a run of tokens is cut into leaves: by the borders of 2^`depth` equal parts of the whole ring, and by its own ends.
///
/// All replicas cut alike, and whoever asks about a part of a run later asks about the same leaves.
package struct LeafGrid: Hashable, Sendable {
    package let tokens: ClosedRange<Token>
    package let depth: UInt8

    /// Partitions that a leaf is meant to have.
    package static let partitionsPerLeaf = 32
    /// Leaves of one run of tokens.
    package static let leafLimit = 1 << 15
    package static let deepest: UInt8 = 48

    package init(tokens: ClosedRange<Token>, depth: UInt8) {
        self.tokens = tokens
        self.depth = min(depth, LeafGrid.deepest)
    }

    private var shift: UInt64 { 64 - UInt64(depth) }

    /// The number of a token's part of the ring.
    private func cell(_ token: Token) -> UInt64 { depth == 0 ? 0 : token.ordinal >> shift }

    /// How many leaves there are.
    package var leafCount: UInt64 { cell(tokens.upperBound) - cell(tokens.lowerBound) + 1 }

    /// The leaves, ascending, without gaps: at most `limit` of them.
    package func leaves(limit: Int = LeafGrid.leafLimit) -> [ClosedRange<Token>] {
        var leaves: [ClosedRange<Token>] = []
        var first: Token = tokens.lowerBound
        while leaves.count < limit {
            let end: UInt64 = depth == 0 ? .max : cell(first) << shift | (UInt64.max >> UInt64(depth))
            let last: Token = min(Token(ordinal: end), tokens.upperBound)
            leaves.append(first...last)
            guard last < tokens.upperBound else { break }
            first = Token(ordinal: last.ordinal + 1)
        }
        return leaves
    }

    /// The grid for a run of tokens with about so many partitions.
    ///
    /// - Parameter known: the depth of leaves that a replica knows already, which saves reading when it is about right.
    package static func fitting(
        _ tokens: ClosedRange<Token>, partitionCount: Double, known: UInt8? = nil
    ) -> LeafGrid {
        let share: Double = max(0x1p-60, Double(tokens.upperBound.ordinal - tokens.lowerBound.ordinal) * 0x1p-64)
        let wanted: Double = max(1, partitionCount / Double(partitionsPerLeaf)) / share
        var depth: UInt8 = 0
        while depth < deepest, Double(1 << UInt64(depth)) < wanted { depth += 1 }
        if let known, known <= deepest, known + 2 >= depth, known <= depth + 2 { depth = known }
        var grid = LeafGrid(tokens: tokens, depth: depth)
        while grid.depth > 0, grid.leafCount > UInt64(leafLimit) {
            grid = LeafGrid(tokens: tokens, depth: grid.depth - 1)
        }
        return grid
    }

    /// The depth of the grid that a leaf is a whole part of; nil when it is none.
    package static func depth(ofPart leaf: ClosedRange<Token>) -> UInt8? {
        let width: UInt64 = leaf.upperBound.ordinal - leaf.lowerBound.ordinal
        if width == .max { return 0 }
        let size: UInt64 = width + 1
        guard size & width == 0, leaf.lowerBound.ordinal & width == 0 else { return nil }
        return UInt8(64 - size.trailingZeroBitCount)
    }
}

extension RingRange {
    /// The tokens of a range that does not wrap; nil when there are none.
    package var tokens: ClosedRange<Token>? {
        let last: Token = end == .minimum ? .maximum : end
        guard start < last else { return nil }
        return Token(ordinal: start.ordinal + 1)...last
    }

    package init(_ tokens: ClosedRange<Token>) {
        let start: UInt64 = tokens.lowerBound.ordinal
        self.init(
            after: Token(ordinal: start == 0 ? 0 : start - 1),
            through: tokens.upperBound == .maximum ? .minimum : tokens.upperBound)
    }

    /// What this range, which does not wrap, has in common with another one, which may.
    package func intersection(_ other: RingRange) -> [RingRange] {
        guard let own = tokens else { return [] }
        return other.unwrapped.compactMap { part in
            guard let theirs = part.tokens, own.overlaps(theirs) else { return nil }
            return RingRange(own.clamped(to: theirs))
        }
    }
}
