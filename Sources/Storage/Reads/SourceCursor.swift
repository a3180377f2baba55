package import DataModel

/// What one movement of a source cursor came to.
package enum SourceStep: Sendable {
    /// The cursor stands on the next partition or row.
    case ready
    /// There is no further one.
    case end
    /// A block is missing: `load`, then make the same call again.
    case blocked
}

/// One sorted source of a read: a memtable or an SSTable, walked partition by partition and row by row.
///
/// Hot: every read and every compaction walks its sources through this. A cursor belongs to the loop of its shard. It
/// keeps what it reads alive, and stays valid when its caller waits between two calls.
package protocol SourceCursor: AnyObject {
    /// Moves to the next partition of the range, ascending by token and key. Rows of the last one that were not read
    /// are passed over.
    func nextPartition() throws(StorageError) -> SourceStep

    var token: Token { get }
    /// Valid until the next call of `nextPartition`.
    var key: UnsafeRawBufferPointer { get }
    var partitionDeletion: Deletion { get }
    /// Empty when there is none. Valid until the next call of `nextPartition`.
    var staticRow: UnsafeRawBufferPointer { get }
    /// Those of this partition that intersect the wanted slices: ascending, not overlapping.
    var rangeDeletions: [RangeDeletion] { get }

    /// Moves to the next row of the partition inside the wanted slices, in the wanted direction.
    func nextRow() throws(StorageError) -> SourceStep

    /// Valid until the next call of `nextRow` or `nextPartition`.
    var clustering: UnsafeRawBufferPointer { get }
    /// The row's body; valid as long as `clustering`.
    var row: UnsafeRawBufferPointer { get }

    /// The last place in the log of whatever was read so far: what was read is durable once the log is, up to there.
    var lastPosition: LogPosition { get }

    /// After `.blocked`: brings what is missing into memory. Then the same call is made again.
    func load() async throws(StorageError)
}

extension SourceCursor {
    /// Files are durable.
    package var lastPosition: LogPosition { .start }
}
