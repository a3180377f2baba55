/// From which size on a statement is answered with a warning, and from which it is refused.
package struct QueryLimits: Sendable, Hashable {
    /// Bytes of a batch over several partitions (`batch_size_warn_threshold`, `batch_size_fail_threshold`).
    package var batchWarnByteCount = 5 << 10
    package var batchFailByteCount = 50 << 10
    /// Partitions of an unlogged batch (`unlogged_batch_across_partitions_warn_threshold`).
    package var unloggedBatchPartitionWarnCount = 10
    /// Tombstones that one page of a read passes (`tombstone_warn_threshold`, `tombstone_failure_threshold`).
    package var tombstoneWarnCount = 1_000
    package var tombstoneFailureCount = 100_000
    /// How far ahead of the node's clock the timestamp of a write may be, in microseconds; `.max` for no limit
    /// (`maximum_timestamp_fail_threshold`).
    package var maximumTimestampAheadMicroseconds: Int64 = .max

    package init() {}
}
