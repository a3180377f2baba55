import Environment
public import Primitives

/// How long reads and writes of a table took on one shard, and what they met: for operators.
///
/// Rows that are read and written the fast way are measured one in sixteen, each then counting for sixteen, once the
/// first few hundred have been seen; everything else is measured always. Counts of reads and writes are exact and
/// elsewhere (`TableStatistics`).
public struct TableMeters: Sendable, Hashable {
    public var readNanoseconds = LogHistogram()
    public var writeNanoseconds = LogHistogram()
    /// Reads of ranges of partitions.
    public var rangeNanoseconds = LogHistogram()
    /// SSTables that a read of a partition looked into.
    public var filesPerRead = LogHistogram()
    public var rowsPerRead = LogHistogram()
    public var tombstonesPerRead = LogHistogram()

    public init() {}

    /// How much the measurement of the request with this number counts for; 0 when it is not measured.
    ///
    /// Hot: once per request.
    @inline(__always)
    static func weight(of number: Int) -> UInt64 {
        if number & 15 == 0 { return number < 256 ? 1 : 16 }
        return number < 256 ? 1 : 0
    }

    /// Adds what another shard has measured.
    public mutating func add(_ other: TableMeters) {
        readNanoseconds.add(other.readNanoseconds)
        writeNanoseconds.add(other.writeNanoseconds)
        rangeNanoseconds.add(other.rangeNanoseconds)
        filesPerRead.add(other.filesPerRead)
        rowsPerRead.add(other.rowsPerRead)
        tombstonesPerRead.add(other.tombstonesPerRead)
    }
}

/// Measures one read through a cursor. Confined to the shard's loop.
final class ReadMeter {
    private let table: TableStore
    private let startNanoseconds: UInt64
    private let isRange: Bool
    private let memtableCount: Int
    private var isDone = false

    init(_ table: TableStore, isRange: Bool, memtableCount: Int) {
        self.table = table
        self.isRange = isRange
        self.memtableCount = memtableCount
        self.startNanoseconds = table.shard.host.time.monotonicNanoseconds
    }

    /// The read has ended, or is not to go on.
    ///
    /// - Parameter absent: files that had nothing of the one partition that was read.
    func end(sources: Int, absent: Int, rows: Int, tombstones: Int) {
        if isDone { return }
        isDone = true
        let taken: UInt64 = table.shard.host.time.monotonicNanoseconds &- startNanoseconds
        if isRange {
            table.meters.rangeNanoseconds.record(taken)
        } else {
            table.meters.readNanoseconds.record(taken)
            table.meters.filesPerRead.record(UInt64(max(0, sources - memtableCount)))
            table.filterPassCount &+= max(0, sources - memtableCount)
            table.filterMistakeCount &+= absent
        }
        table.meters.rowsPerRead.record(UInt64(max(0, rows)))
        table.meters.tombstonesPerRead.record(UInt64(max(0, tombstones)))
    }
}
