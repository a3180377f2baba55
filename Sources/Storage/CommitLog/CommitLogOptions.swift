public import Primitives

/// What the commit log is told at its start. Keys of the configuration are named in parentheses.
public struct CommitLogOptions: Sendable {
    /// What happens after a failed write or sync (`commit_failure_policy`). Failing to make a further segment is not
    /// final under any policy: it is tried again, and until then there is no room.
    public enum FailurePolicy: Sendable, Hashable {
        /// The log takes no more writes until the next start. A start that finds damage in the log fails.
        case stop
        /// What was waiting has failed for whoever waited, and is written again in another segment, where the log goes
        /// on. A start passes damage over.
        case ignore
    }

    /// (`commitlog_directory`)
    public var directory: String
    /// (`commitlog_sync`)
    public var sync: StorageOptions.Sync
    /// (`commitlog_segment_size`)
    public var segmentByteCount: Int
    /// (`commitlog_total_space`)
    public var totalByteCount: Int
    public var failurePolicy: FailurePolicy

    public static let smallestSegmentByteCount: Int = 64 << 10
    public static let largestSegmentByteCount: Int = 1 << 30

    public init(
        directory: String, sync: StorageOptions.Sync = .batch, segmentByteCount: Int = 32 << 20,
        totalByteCount: Int = 1 << 30, failurePolicy: FailurePolicy = .stop
    ) {
        self.directory = directory
        self.sync = sync
        let bounded: Int = min(
            max(segmentByteCount, CommitLogOptions.smallestSegmentByteCount), CommitLogOptions.largestSegmentByteCount)
        self.segmentByteCount = bounded / LogFormat.pageByteCount * LogFormat.pageByteCount
        self.totalByteCount = totalByteCount
        self.failurePolicy = failurePolicy
    }

    /// The largest mutation that the log takes: half a segment, as in Cassandra.
    public var mutationLimit: Int { segmentByteCount / 2 - LogFormat.pageByteCount }

    var isPeriodic: Bool {
        if case .periodic = sync { return true }
        return false
    }
}

/// A table on a shard that has mutations in the log which are in no SSTable yet.
public struct DirtyTable: Hashable, Sendable {
    public var shard: Int
    public var table: UUID

    public init(shard: Int, table: UUID) {
        self.shard = shard
        self.table = table
    }
}
