public import Primitives

/// What a table holds on one shard, or added up over shards: numbers for operators and planners.
public struct TableStatistics: Sendable, Hashable {
    public var memtableByteCount: Int = 0
    public var memtablePartitionCount: Int = 0
    public var sstableCount: Int = 0
    /// Bytes of the SSTables' files. A file that shards share after their number changed counts for each.
    public var diskByteCount: Int = 0
    /// How many partitions there may be; one that is in several places counts several times.
    public var estimatedPartitionCount: Int = 0
    public var rowCount: Int = 0
    public var tombstoneCount: Int = 0
    public var writeCount: Int = 0
    public var readCount: Int = 0
    public var flushCount: Int = 0
    public var compactionCount: Int = 0
    /// Reads of ranges of partitions.
    public var rangeCount: Int = 0
    /// Bytes of rows in the SSTables before compression.
    public var rawByteCount: Int = 0
    public var cellCount: Int = 0
    public var memtableCellCount: Int = 0
    public var partitionByteCounts = LogHistogram()
    public var partitionCellCounts = LogHistogram()
    public var largestFileByteCount: Int = 0
    /// Memory of filters, indexes and statistics of open files.
    public var residentByteCount: Int = 0
    /// Memory of the filters alone.
    public var filterByteCount: Int = 0
    /// Files that reads of one partition looked into because their filters did not rule them out, and those of them that
    /// had nothing of the partition.
    public var filterPassCount: Int = 0
    public var filterMistakeCount: Int = 0
    public var flushedByteCount: Int = 0
    public var compactedByteCount: Int = 0
    public var droppableTombstoneCount: Int = 0
    public var isFlushPending: Bool = false
    public var isCompacting: Bool = false

    public init() {}

    /// Adds what another shard has.
    public mutating func add(_ other: TableStatistics) {
        memtableByteCount += other.memtableByteCount
        memtablePartitionCount += other.memtablePartitionCount
        sstableCount += other.sstableCount
        diskByteCount += other.diskByteCount
        estimatedPartitionCount += other.estimatedPartitionCount
        rowCount += other.rowCount
        tombstoneCount += other.tombstoneCount
        writeCount += other.writeCount
        readCount += other.readCount
        flushCount += other.flushCount
        compactionCount += other.compactionCount
        rangeCount += other.rangeCount
        rawByteCount += other.rawByteCount
        cellCount += other.cellCount
        memtableCellCount += other.memtableCellCount
        partitionByteCounts.add(other.partitionByteCounts)
        partitionCellCounts.add(other.partitionCellCounts)
        largestFileByteCount = max(largestFileByteCount, other.largestFileByteCount)
        residentByteCount += other.residentByteCount
        filterByteCount += other.filterByteCount
        filterPassCount += other.filterPassCount
        filterMistakeCount += other.filterMistakeCount
        flushedByteCount += other.flushedByteCount
        compactedByteCount += other.compactedByteCount
        droppableTombstoneCount += other.droppableTombstoneCount
        isFlushPending = isFlushPending || other.isFlushPending
        isCompacting = isCompacting || other.isCompacting
    }
}
