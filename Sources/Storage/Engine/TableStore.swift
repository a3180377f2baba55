public import DataModel
import Environment
public import Primitives

/// One table on one shard: the memtable that takes its writes, those that are being flushed, and its SSTables.
///
/// `Sendable` is unchecked because every use is on the loop of its shard: requests come through `ShardStore`, which
/// others reach only by running on that loop.
public final class TableStore: @unchecked Sendable {
    public internal(set) var definition: TableDefinition
    /// Whether writes go into the commit log (`durable_writes` of the keyspace).
    public internal(set) var isLogged: Bool
    /// Whether the table is not in the schema that the engine was given: its data is kept, nobody asks for it.
    public internal(set) var isOrphan: Bool

    /// What takes the writes; made by the first one.
    var memtable: Memtable?
    /// Being written to files, oldest first.
    var frozen: [FrozenMemtable] = []
    /// Newest data first: descending by the greatest timestamp.
    private(set) var sstables: [LiveSSTable] = []
    unowned let shard: ShardStore

    /// Whether every regular column has one cell a row, and none counts.
    private(set) var isMultiCellFree: Bool = false
    /// Ids of the regular columns of one cell, ascending; reads of these alone may stop early.
    private(set) var simpleColumns: [UInt16] = []

    var writeCount = 0
    var readCount = 0
    /// Reads of ranges of partitions.
    var rangeCount = 0
    /// Files that reads of one partition looked into, and those of them that had nothing of it.
    var filterPassCount = 0
    var filterMistakeCount = 0
    var meters = TableMeters()
    var flushCount = 0
    var compactionCount = 0
    /// How often the table was emptied since the start.
    var truncationCount = 0
    /// Bytes that compactions have written.
    var compactedByteCount = 0
    /// Bytes that flushes have written.
    var flushedByteCount = 0
    /// Whether files are merged in the background (`nodetool disableautocompaction`).
    var isCompactedByItself = true
    /// The compaction that runs now.
    var compaction: ActiveCompaction?
    /// Compactions start only while this is 0.
    var compactionBarrierCount = 0
    /// The tokens whose partitions are to be kept; nil for all.
    var owned: TokenRanges?
    /// Generations of files that may hold partitions of other tokens, and that nobody has looked at since.
    var foreignSuspects: Set<UInt64> = []
    /// Files that were rewritten or removed for what they held of other tokens.
    var cleanedCount = 0
    /// Hashes of what the files hold.
    var hashes = HashTree()
    /// How often the files have come to hold something else: not with compactions.
    var contentChangeCount: UInt64 = 0
    /// Changes of the files that the manifest has, or is about to have, and readers do not.
    var contentChangesUnderWay = 0

    init(_ definition: TableDefinition, isLogged: Bool, isOrphan: Bool = false, shard: ShardStore) {
        self.definition = definition
        self.isLogged = isLogged
        self.isOrphan = isOrphan
        self.shard = shard
        noteColumns()
    }

    public var id: UUID { definition.id }

    /// Takes another definition of the same table.
    func replaceDefinition(_ definition: TableDefinition) {
        let before: TableOptions = self.definition.options
        // Hashes hold for comparisons that leave out what may be purged, so what may be purged must only grow.
        if before.gcGraceSeconds != definition.options.gcGraceSeconds
            || before.tombstoneGC != definition.options.tombstoneGC
        {
            markChanged()
        }
        self.definition = definition
        noteColumns()
    }

    private func noteColumns() {
        simpleColumns = definition.regulars.filter { !$0.type.isMultiCell && $0.type != .counter }.map(\.id).sorted()
        isMultiCellFree = simpleColumns.count == definition.regulars.count
    }

    /// Takes note of that the files hold something else in these tokens, in all when nil: from now on, in the same step
    /// in which files become live or go.
    package func markChanged(_ tokens: ClosedRange<Token>? = nil) {
        contentChangeCount &+= 1
        if let tokens { hashes.forget(tokens) } else { hashes.forgetAll() }
    }

    /// Does something that changes what the files hold in some tokens, in all when nil: what is known of them is forgotten
    /// durably with the edit of the manifest that `body` makes, and nothing new is kept until it has ended.
    func change<Value>(
        _ tokens: [ClosedRange<Token>]?, _ body: () async throws(StorageError) -> Value
    ) async throws(StorageError) -> Value {
        func mark() {
            guard let tokens else { return markChanged() }
            for run in tokens { markChanged(run) }
        }
        mark()
        contentChangesUnderWay += 1
        defer {
            contentChangesUnderWay -= 1
            mark()
        }
        return try await body()
    }

    /// Takes files in and lets others go, in one step as readers see it.
    func replaceSSTables(removing removed: [UInt64], adding added: [LiveSSTable]) {
        sstables.removeAll { removed.contains($0.generation) }
        sstables += added
        sstables.sort { left, right in
            left.maximumTimestamp != right.maximumTimestamp
                ? left.maximumTimestamp > right.maximumTimestamp : left.generation > right.generation
        }
    }

    // MARK: Reads

    /// Starts a read that merges everything the table has.
    package func cursor(_ command: ReadCommand) -> ReadCursor {
        let meter: ReadMeter = noteCursor(command)
        var sources: [any SourceCursor] = []
        if let memtable { sources.append(memtable.makeCursor(command)) }
        for memtable in frozen { sources.append(memtable.memtable.makeCursor(command)) }
        let wanted: [LiveSSTable] = sstables.filter { $0.canHold(command) }
        guard wanted.count > 1, let columns = earlyStopColumns(command) else {
            for sstable in wanted { sources.append(sstable.table.makeCursor(command, cache: shard.cache)) }
            return ReadCursor(sources: sources, isReversed: command.isReversed, meter: meter)
        }
        let cache: BlockCache = shard.cache
        let stages: [StagedSources.Stage] = wanted.map { sstable in
            StagedSources.Stage(maximumTimestamp: sstable.maximumTimestamp) {
                sstable.table.makeCursor(command, cache: cache)
            }
        }
        return ReadCursor(
            sources: sources, isReversed: command.isReversed, later: StagedSources(stages, columns: columns),
            meter: meter)
    }

    /// Counts a read through a cursor, and begins to measure it.
    private func noteCursor(_ command: ReadCommand) -> ReadMeter {
        var isRange = true
        if case .one(_, let key) = command.partitions {
            isRange = false
            if let sampler = shard.sampler { key.withUnsafeBytes { sampler.noteRead(id, $0) } }
        }
        if isRange { rangeCount &+= 1 } else { readCount &+= 1 }
        return ReadMeter(self, isRange: isRange, memtableCount: frozen.count + (memtable == nil ? 0 : 1))
    }

    /// Of how many memtables and files a read may have to merge what it finds.
    package var memtableCount: Int { frozen.count + (memtable == nil ? 0 : 1) }
    package var sstableCount: Int { sstables.count }

    /// The columns that decide a single-row read; nil when all files have to be read.
    private func earlyStopColumns(_ command: ReadCommand) -> [UInt16]? {
        guard command.isSingleRow, canStopEarly(command.columns) else { return nil }
        if command.columns == nil, !definition.statics.isEmpty { return nil }
        return command.columns ?? simpleColumns
    }

    // MARK: Numbers

    public var statistics: TableStatistics { statistics(withPartitions: true) }

    func statistics(withPartitions: Bool) -> TableStatistics {
        var result = TableStatistics()
        if let memtable { TableStore.count(memtable, into: &result) }
        for entry in frozen { TableStore.count(entry.memtable, into: &result) }
        let seconds: Int64 = withPartitions ? shard.host.time.wallSeconds : 0
        let graceStart: Int64 = seconds - Int64(definition.options.gcGraceSeconds)
        for sstable in sstables {
            let numbers: SSTableStatistics = sstable.table.statistics
            result.diskByteCount += sstable.byteCount
            result.estimatedPartitionCount += Int(clamping: numbers.partitionCount)
            result.rowCount += Int(clamping: numbers.rowCount)
            result.tombstoneCount += Int(clamping: numbers.tombstoneCount)
            result.rawByteCount += numbers.rawByteCount
            result.cellCount += numbers.cellCount
            result.largestFileByteCount = max(result.largestFileByteCount, sstable.byteCount)
            result.residentByteCount += sstable.table.residentByteCount
            result.filterByteCount += sstable.table.filterByteCount
            guard withPartitions else { continue }
            result.partitionByteCounts.add(numbers.partitionByteCounts)
            result.partitionCellCounts.add(numbers.partitionCellCounts)
            result.droppableTombstoneCount += numbers.tombstoneDropTimes.count(before: graceStart)
        }
        result.estimatedPartitionCount += result.memtablePartitionCount
        result.sstableCount = sstables.count
        result.writeCount = writeCount
        result.readCount = readCount
        result.filterPassCount = filterPassCount
        result.filterMistakeCount = filterMistakeCount
        result.flushCount = flushCount
        result.rangeCount = rangeCount
        result.flushedByteCount = flushedByteCount
        result.compactedByteCount = compactedByteCount
        result.compactionCount = compactionCount
        result.isFlushPending = !frozen.isEmpty
        result.isCompacting = compaction != nil
        return result
    }

    private static func count(_ memtable: Memtable, into result: inout TableStatistics) {
        result.memtableByteCount += memtable.byteCount
        result.memtablePartitionCount += memtable.statistics.partitionCount
        result.rowCount += memtable.statistics.rowCount
        result.memtableCellCount += memtable.statistics.cellCount
    }
}

/// A memtable that takes no writes any more, on its way into a file.
final class FrozenMemtable {
    let memtable: Memtable
    /// All log records of the table up to here are in this memtable or in earlier ones.
    let flushed: LogPosition
    /// Bytes it had when it was frozen, as the shard's budget counts them.
    let byteCount: Int
    /// What it was written to, while only the manifest does not say so yet.
    var file: LiveSSTable?
    /// Told the outcome of the next attempt.
    var waiting: [UnsafeContinuation<StorageError?, Never>] = []

    init(_ memtable: Memtable, flushed: LogPosition) {
        self.memtable = memtable
        self.flushed = flushed
        self.byteCount = memtable.byteCount
    }
}
