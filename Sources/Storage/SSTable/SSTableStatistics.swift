package import DataModel
package import Primitives

/// What is known about the contents of an SSTable without reading them: reads skip files by it, compaction picks files
/// by it.
package struct SSTableStatistics: Sendable, Equatable {
    package var tableID: UUID
    package var generation: UInt64
    /// Everything that the commit log of the writing shard held up to here, and that belongs to this table, is in this
    /// file or in older ones. 0 when the file does not come from a memtable.
    package var logPosition: UInt64 = 0
    package var createdSeconds: Int64 = 0
    /// For strategies with levels.
    package var level: UInt32 = 0
    /// When the data was last repaired; 0 for never.
    package var repairedAtSeconds: Int64 = 0

    /// The smallest and the largest timestamp of anything in the file, in microseconds. `minTimestamp > maxTimestamp`
    /// only when there is nothing.
    package var minTimestamp: Int64 = .max
    package var maxTimestamp: Int64 = .min
    /// The same for when tombstones were made and values expire, in seconds; `.max` and `.min` when nothing does.
    package var minLocalDeletionSeconds: Int64 = .max
    package var maxLocalDeletionSeconds: Int64 = .min
    /// Whether everything in the file dies at `maxLocalDeletionSeconds` or before: nothing lives for ever.
    package var isAllMortal = true

    package var firstToken: Token = .maximum
    package var lastToken: Token = .minimum
    package var firstKey: [UInt8] = []
    package var lastKey: [UInt8] = []
    /// Bounds of the clustering keys of rows and of the ends of range deletions; min > max when there are none.
    package var minClustering: [UInt8] = ClusteringBound.afterEverything
    package var maxClustering: [UInt8] = []

    package var partitionCount = 0
    package var rowCount = 0
    package var cellCount = 0
    /// Tombstones of every kind, and values with a time to live.
    package var tombstoneCount = 0
    package var partitionDeletionCount = 0
    package var rangeDeletionCount = 0
    package var staticRowCount = 0
    package var tombstoneDropTimes = TombstoneHistogram()
    package var keySketch = KeySketch()
    /// Bytes of the data blocks before compression.
    package var rawByteCount = 0
    /// Bytes of the largest partition before compression.
    package var largestPartitionByteCount = 0
    /// Bytes before compression, and cells, of each partition. Empty in files of the first form.
    package var partitionByteCounts = LogHistogram()
    package var partitionCellCounts = LogHistogram()
    /// The form in which the statistics were stored.
    package var formVersion: UInt8 = SSTableStatistics.currentForm

    package init(tableID: UUID, generation: UInt64) {
        self.tableID = tableID
        self.generation = generation
    }

    /// Whether a slice of rows can meet a row or a range deletion of the file. Partition deletions and static rows are
    /// not asked: look at their counts.
    package func mayIntersect(_ start: [UInt8], _ end: [UInt8]) -> Bool {
        ByteOrder.compare(start, maxClustering) <= 0 && ByteOrder.compare(minClustering, end) < 0
    }

    /// The share of tombstones that were made before `seconds` among all cells.
    package func droppableTombstoneRatio(before seconds: Int64) -> Double {
        let all: Int = max(cellCount + rangeDeletionCount + partitionDeletionCount, rowCount)
        return all == 0 ? 0 : Double(tombstoneDropTimes.count(before: seconds)) / Double(all)
    }

    // MARK: Collecting

    mutating func addTimestamp(_ timestamp: Int64) {
        if timestamp < minTimestamp { minTimestamp = timestamp }
        if timestamp > maxTimestamp { maxTimestamp = timestamp }
    }

    mutating func addDeath(at seconds: Int64) {
        if seconds < minLocalDeletionSeconds { minLocalDeletionSeconds = seconds }
        if seconds > maxLocalDeletionSeconds { maxLocalDeletionSeconds = seconds }
        tombstoneCount &+= 1
        tombstoneDropTimes.insert(seconds: seconds)
    }

    mutating func add(_ deletion: Deletion) {
        addTimestamp(deletion.timestamp)
        addDeath(at: deletion.localSeconds)
    }

    mutating func addClustering(_ clustering: UnsafeRawBufferPointer) {
        if minClustering.withUnsafeBytes({ ByteOrder.compare(clustering, $0) < 0 }) {
            minClustering = [UInt8](clustering)
        }
        if maxClustering.withUnsafeBytes({ ByteOrder.compare(clustering, $0) > 0 }) {
            maxClustering = [UInt8](clustering)
        }
    }

    /// Counts a row. Hot: once per row written.
    mutating func addRow(_ row: RawSpan) throws(DecodingError) {
        var reader: RowReader = try RowReader(row)
        if let marker = reader.marker {
            addTimestamp(marker.timestamp)
            if marker.isExpiring { addDeath(at: marker.expiresSeconds) } else { isAllMortal = false }
        }
        if !reader.deletion.isNone { add(reader.deletion) }
        while let cell = try reader.next() {
            addTimestamp(cell.timestamp)
            cellCount &+= 1
            if cell.flags.rawValue & 0x03 != 0 { addDeath(at: cell.seconds) } else { isAllMortal = false }
        }
    }
}
