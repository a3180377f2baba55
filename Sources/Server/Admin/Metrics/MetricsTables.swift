import Cluster
import DataModel
import Environment
import Primitives
import Query
import Storage

/// What `/metrics` shows of storage, gathered with one visit to each shard.
struct MetricsNumbers: Sendable {
    let statistics: [TableStatistics]
    // Apart from each other, so that who writes one of them does not touch the others.
    let readNanoseconds: [LogHistogram]
    let rangeNanoseconds: [LogHistogram]
    let writeNanoseconds: [LogHistogram]
    let filesPerRead: [LogHistogram]
    let pending: [UUID: Int]
    let work: [ShardWork]

    init(
        _ tables: (statistics: [TableStatistics], meters: [TableMeters]), pending: [UUID: Int], work: [ShardWork]
    ) {
        self.statistics = tables.statistics
        self.readNanoseconds = tables.meters.map { $0.readNanoseconds }
        self.rangeNanoseconds = tables.meters.map { $0.rangeNanoseconds }
        self.writeNanoseconds = tables.meters.map { $0.writeNanoseconds }
        self.filesPerRead = tables.meters.map { $0.filesPerRead }
        self.pending = pending
        self.work = work
    }
}

/// The tables of one epoch of the schema with what stands behind the names of their numbers. Kept from one request to the
/// next: to sort and to quote the names of a thousand tables takes longer than everything else.
struct MetricsLabels: Sendable {
    let epoch: UInt64
    let ids: [UUID]
    let labels: [MetricsWriter.Labels]

    init(_ metadata: ClusterMetadata) {
        let tables: [TableDefinition] = LiveAdministration.stored(LiveSchema.whole(metadata.schema))
        epoch = metadata.schema.epoch
        ids = tables.map(\.id)
        labels = tables.map { MetricsWriter.Labels(["keyspace": $0.keyspace, "table": $0.name]) }
    }
}

/// The tables' part of `/metrics`.
enum MetricsTables {
    private typealias Value = @Sendable (TableStatistics) -> Int

    private static let gauges: [(StaticString, StaticString, Value)] = [
        ("martlet_table_sstables", "SSTables.", { $0.sstableCount }),
        ("martlet_table_disk_bytes", "Bytes of SSTables.", { $0.diskByteCount }),
        ("martlet_table_uncompressed_bytes", "Bytes of rows in SSTables before compression.", { $0.rawByteCount }),
        ("martlet_table_memtable_bytes", "Bytes in memory that are not in SSTables yet.", { $0.memtableByteCount }),
        ("martlet_table_partitions", "Partitions, about.", { $0.estimatedPartitionCount }),
        ("martlet_table_tombstones", "Tombstones and expiring values in SSTables.", { $0.tombstoneCount }),
        ("martlet_table_largest_sstable_bytes", "Bytes of the largest SSTable.", { $0.largestFileByteCount }),
        ("martlet_table_file_memory_bytes", "Memory of filters and indexes.", { $0.residentByteCount }),
        ("martlet_table_filter_bytes", "Memory of filters.", { $0.filterByteCount }),
    ]
    private static let counters: [(StaticString, StaticString, Value)] = [
        ("martlet_table_reads_total", "Reads of single partitions on this node.", { $0.readCount }),
        (
            "martlet_table_filter_passes_total", "Files that reads of one partition looked into.",
            { $0.filterPassCount }
        ),
        (
            "martlet_table_filter_false_positives_total", "Those of them that had nothing of the partition.",
            { $0.filterMistakeCount }
        ),
        ("martlet_table_range_reads_total", "Reads of ranges of partitions on this node.", { $0.rangeCount }),
        ("martlet_table_writes_total", "Writes on this node.", { $0.writeCount }),
        ("martlet_table_flushes_total", "Memtables that were written to files.", { $0.flushCount }),
        ("martlet_table_flushed_bytes_total", "Bytes that flushes have written.", { $0.flushedByteCount }),
        ("martlet_table_compactions_total", "Compactions that have ended.", { $0.compactionCount }),
        ("martlet_table_compacted_bytes_total", "Bytes that compactions have written.", { $0.compactedByteCount }),
    ]
    private static let times: [(StaticString, StaticString, @Sendable (MetricsNumbers) -> [LogHistogram])] = [
        ("martlet_table_read_latency_seconds", "How long reads of partitions took here.", { $0.readNanoseconds }),
        ("martlet_table_range_latency_seconds", "How long reads of ranges took here.", { $0.rangeNanoseconds }),
        ("martlet_table_write_latency_seconds", "How long writes took here.", { $0.writeNanoseconds }),
    ]

    /// Writes them with a pause after each name, in which the requests of clients get their turn.
    static func write(
        _ writer: inout MetricsWriter, _ tables: MetricsLabels, _ numbers: MetricsNumbers, pause: () async -> Void
    ) async {
        let families: [(name: StaticString, help: StaticString, kind: MetricsWriter.Kind, value: Value)] =
            gauges.map { ($0, $1, .gauge, $2) } + counters.map { ($0, $1, .counter, $2) }
        let values: [Int] = values(families.map(\.value), numbers.statistics)
        for (family, entry) in families.enumerated() {
            writer.family(entry.name, entry.kind, entry.help)
            let first: Int = family * tables.labels.count
            writer.samples(tables.labels, values[first..<first + tables.labels.count])
            await pause()
        }
        writer.family("martlet_table_pending_compactions", .gauge, "Compactions that wait.")
        for (id, labels) in zip(tables.ids, tables.labels) { writer.sample(labels, numbers.pending[id] ?? 0) }
        for (name, help, histograms) in times {
            writer.family(name, .histogram, help)
            // What has never happened has no distribution.
            writer.histograms(tables.labels, histograms(numbers), bounds: .coarseTimes, isTime: true)
            await pause()
        }
        writer.family("martlet_table_sstables_per_read", .histogram, "SSTables that reads looked into.")
        writer.histograms(tables.labels, numbers.filesPerRead, bounds: .counts, isTime: false)
    }

    /// By family, and in it by table. Each table is looked at once: its statistics are large.
    private static func values(_ families: [Value], _ statistics: [TableStatistics]) -> [Int] {
        var values = [Int](repeating: 0, count: families.count * statistics.count)
        for (place, table) in statistics.enumerated() {
            for (family, value) in families.enumerated() { values[family * statistics.count + place] = value(table) }
        }
        return values
    }

    static func writeCache(_ writer: inout MetricsWriter, _ work: [ShardWork]) {
        func sum(_ value: (ShardWork) -> Int) -> Int { work.reduce(0) { $0 + value($1) } }
        writer.family("martlet_block_cache_bytes", .gauge, "Bytes of blocks in memory.")
        writer.sample(.none, sum(\.cacheByteCount))
        writer.family("martlet_block_cache_limit_bytes", .gauge, "How many there may be.")
        writer.sample(.none, sum(\.cacheByteLimit))
        writer.family("martlet_block_cache_blocks", .gauge, "Blocks in memory.")
        writer.sample(.none, sum(\.cacheEntryCount))
        writer.family("martlet_block_cache_hits_total", .counter, "Blocks that were found in memory.")
        writer.sample(.none, sum(\.cache.hitCount))
        writer.family("martlet_block_cache_misses_total", .counter, "Blocks that were not.")
        writer.sample(.none, sum(\.cache.missCount))
        writer.family("martlet_memtable_bytes", .gauge, "Memory of memtables.")
        writer.sample(MetricsWriter.Labels(["state": "active"]), sum(\.activeByteCount))
        writer.sample(MetricsWriter.Labels(["state": "flushing"]), sum(\.frozenByteCount))
    }
}
