public import DataModel

/// A run of rows inside a partition: from `start`, which belongs to it, to `end`, which does not. Both are
/// byte-comparable clustering keys or bounds (`ClusteringBound`).
public struct ClusteringSlice: Sendable, Hashable {
    /// Empty: from the first row.
    public var start: [UInt8]
    /// `ClusteringBound.afterEverything`: to the last row.
    public var end: [UInt8]

    public init(start: [UInt8], end: [UInt8]) {
        self.start = start
        self.end = end
    }

    public static let everything = ClusteringSlice(start: [], end: ClusteringBound.afterEverything)

    /// The one row with a clustering key. No other key is between it and itself followed by a zero byte.
    public static func row(_ clustering: [UInt8]) -> ClusteringSlice {
        ClusteringSlice(start: clustering, end: clustering + [0])
    }

    /// Whether at most one row can be inside.
    public var isSingleRow: Bool {
        end.count == start.count + 1 && end.last == 0 && end.starts(with: start)
    }
}

/// What a local read wants: which partitions, which rows of them, in which direction.
public struct ReadCommand: Sendable, Hashable {
    public var partitions: PartitionRange
    /// Ascending and not overlapping, whatever the direction. Empty: no rows, only partitions and their static rows.
    public var slices: [ClusteringSlice]
    /// For the page after the first: taken instead of `slices` for the partition that `partitions` starts at, when the
    /// start is right before a key.
    public var firstPartitionSlices: [ClusteringSlice]?
    /// Rows of a partition in descending order. Partitions always ascend.
    public var isReversed: Bool
    /// Ids of the wanted static and regular columns, ascending; nil for all. Others may come too, or be left out.
    public var columns: [UInt16]?

    public init(
        partitions: PartitionRange, slices: [ClusteringSlice] = [.everything],
        firstPartitionSlices: [ClusteringSlice]? = nil, isReversed: Bool = false, columns: [UInt16]? = nil
    ) {
        self.partitions = partitions
        self.slices = slices
        self.firstPartitionSlices = firstPartitionSlices
        self.isReversed = isReversed
        self.columns = columns
    }

    /// The slices that hold for a partition.
    public func slices(of token: Token, _ key: UnsafeRawBufferPointer) -> [ClusteringSlice] {
        guard let first = firstPartitionSlices, isFirst(token, key) else { return slices }
        return first
    }

    /// Whether the read is of one row of one partition.
    public var isSingleRow: Bool {
        guard case .one = partitions, firstPartitionSlices == nil, slices.count == 1 else { return false }
        return slices[0].isSingleRow
    }

    private func isFirst(_ token: Token, _ key: UnsafeRawBufferPointer) -> Bool {
        let start: PartitionPosition = partitions.start
        guard start.token == token, !start.isAfter, let wanted = start.key else { return false }
        return wanted.withUnsafeBytes { ByteOrder.compare($0, key) } == 0
    }
}
