package import DataModel

/// How far a stream of rows has come: everything before the position has been handed over.
package struct StreamPosition: Sendable, Hashable {
    package var token: Token
    package var key: [UInt8]
    /// The last row of the partition that was handed over; nil when all of the partition was.
    package var clustering: [UInt8]?

    package init(token: Token, key: [UInt8], clustering: [UInt8]?) {
        self.token = token
        self.key = key
        self.clustering = clustering
    }

    /// What a read has to begin with to go on from here, up to the end of `run`; nil when nothing of the run is left.
    ///
    /// A partition that was cut is read again with its deletions and its static row, and with the rows that are left.
    func command(in run: ClosedRange<Token>) -> ReadCommand? {
        let end: PartitionPosition = .after(run.upperBound)
        if token < run.lowerBound {
            return ReadCommand(partitions: .range(start: .before(run.lowerBound), end: end))
        }
        guard token <= run.upperBound else { return nil }
        guard let clustering else {
            return ReadCommand(partitions: .range(start: .after(token, key), end: end))
        }
        // No other key is between a key and itself followed by a zero byte.
        let rest = ClusteringSlice(start: clustering + [0], end: ClusteringBound.afterEverything)
        return ReadCommand(
            partitions: .range(start: .before(token, key), end: end), firstPartitionSlices: [rest])
    }

    /// The tokens of a set that may still have something.
    package func remaining(of ranges: TokenRanges) -> TokenRanges {
        ranges.clamped(to: token...Token.maximum)
    }
}
