/// What a storage engine is told at its start. Keys of the configuration are named in parentheses.
public struct StorageOptions: Sendable, Hashable {
    /// When a write may be acknowledged (`commitlog_sync`).
    public enum Sync: Sendable, Hashable {
        /// Once its log record is durable; whatever waits is written together.
        case batch
        /// As `batch`, gathering for a while first (`commitlog_sync_group_window`).
        case group(windowMilliseconds: Int)
        /// At once; the log is made durable in this rhythm (`commitlog_sync_period`).
        case periodic(milliseconds: Int)
    }

    /// The folder of everything but the commit log (`data_file_directories`).
    public var dataDirectory: String
    /// (`commitlog_directory`)
    public var commitLogDirectory: String
    public var sync: Sync = .batch
    /// (`commitlog_segment_size`)
    public var segmentByteCount: Int = 32 << 20
    /// When the log's segments take more than this, the oldest unflushed tables are flushed
    /// (`commitlog_total_space`).
    public var logSpaceByteCount: Int = 1 << 30
    /// Memory of unflushed writes, over all shards (`memtable_heap_space`).
    public var memtableByteCount: Int = 256 << 20
    /// The share of the memtable memory at which the largest memtable is flushed (`memtable_cleanup_threshold`).
    public var flushThreshold: Double = 0.4
    /// Memory for blocks of SSTables, over all shards (`file_cache_size`).
    public var blockCacheByteCount: Int = 64 << 20
    /// Bytes a second that compactions of one shard read; 0 for no limit (`compaction_throughput`).
    public var compactionByteCountPerSecond: Int = 64 << 20
    /// Bytes of rows a second that all shards together hash for repairs; 0 for no limit (`repair_throughput`).
    public var hashByteCountPerSecond: Int = 16 << 20
    /// Whether tables are compacted in the background after flushes.
    public var isCompactionEnabled: Bool = true
    /// Whether a snapshot is made before a table is truncated or dropped (`auto_snapshot`).
    public var isAutoSnapshotEnabled: Bool = true
    /// What happens when the commit log cannot be written, or is found damaged at a start (`commit_failure_policy`).
    public var commitFailurePolicy: CommitLogOptions.FailurePolicy = .stop

    public init(dataDirectory: String, commitLogDirectory: String) {
        self.dataDirectory = dataDirectory
        self.commitLogDirectory = commitLogDirectory
    }
}
