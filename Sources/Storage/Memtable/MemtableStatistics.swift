import DataModel
import Primitives

/// What is known of the contents of a memtable without looking at them. Counts include what was overwritten later.
public struct MemtableStatistics: Equatable, Sendable {
    /// Partitions that have anything at all.
    public internal(set) var partitionCount: Int = 0
    /// Different rows, static rows not among them.
    public internal(set) var rowCount: Int = 0
    public internal(set) var cellCount: Int = 0
    /// Deletions of cells, columns, rows, ranges and partitions.
    public internal(set) var tombstoneCount: Int = 0
    /// The least timestamp of anything written; `.max` when nothing was.
    public internal(set) var minimumTimestamp: Int64 = .max
    public internal(set) var maximumTimestamp: Int64 = .min
    /// When the first tombstone was made or value expires, in seconds since 1970; `.max` when there are none.
    public internal(set) var minimumDeletionSeconds: Int64 = .max
    /// The last such second; `.min` when there are none.
    public internal(set) var maximumDeletionSeconds: Int64 = .min
    public internal(set) var mutationCount: Int = 0

    public init() {}

    /// Reads a mutation to its end and counts it. Nothing else of a damaged one is done.
    ///
    /// Hot: once per write; this pass is also the check of every length in the mutation.
    mutating func count(_ bytes: RawSpan) throws(DecodingError) {
        var mutation = try MutationReader(bytes)
        if !mutation.partitionDeletion.isNone { count(mutation.partitionDeletion) }
        if !mutation.staticRow.isEmpty { try countRow(mutation.staticRow) }
        while let row = try mutation.nextRow() { try countRow(row.body) }
        while let range = try mutation.nextRange() {
            if !range.deletion.isNone { count(range.deletion) }
        }
        mutationCount &+= 1
    }

    /// Counts a mutation whose only content is a row; false, and nothing is counted, when the row is not a plain one.
    @inline(__always)
    mutating func countPlainRow(_ body: UnsafeRawBufferPointer) -> Bool {
        guard var row = PlainRow(body) else { return false }
        var least: Int64 = .max
        var greatest: Int64 = .min
        var cells: Int = 0
        while row.next() {
            cells &+= 1
            least = min(least, row.timestamp)
            greatest = max(greatest, row.timestamp)
            if row.cellFlags.rawValue & 0x03 != 0 { return countMortalRow(body) }
        }
        guard row.isPlain else { return false }
        if row.flags.contains(.marker) {
            count(timestamp: row.baseTimestamp)
            if row.flags.contains(.markerExpires) { count(deletionSeconds: row.markerExpires) }
        }
        if cells > 0 {
            count(timestamp: least)
            count(timestamp: greatest)
        }
        cellCount &+= cells
        mutationCount &+= 1
        return true
    }

    /// As `countPlainRow`, for a row with tombstones or cells that expire.
    @inline(never)
    private mutating func countMortalRow(_ body: UnsafeRawBufferPointer) -> Bool {
        guard var row = PlainRow(body) else { return false }
        var counted: MemtableStatistics = self
        if row.flags.contains(.marker) { counted.count(timestamp: row.baseTimestamp) }
        if row.flags.contains(.markerExpires) { counted.count(deletionSeconds: row.markerExpires) }
        while row.next() {
            counted.count(timestamp: row.timestamp)
            counted.cellCount &+= 1
            if row.cellFlags.rawValue & 0x03 != 0 { counted.count(deletionSeconds: row.seconds) }
            if row.cellFlags.contains(.tombstone) { counted.tombstoneCount &+= 1 }
        }
        guard row.isPlain else { return false }
        counted.mutationCount &+= 1
        self = counted
        return true
    }

    private mutating func countRow(_ bytes: RawSpan) throws(DecodingError) {
        var row = try RowReader(bytes)
        if let marker = row.marker {
            count(timestamp: marker.timestamp)
            if marker.isExpiring { count(deletionSeconds: marker.expiresSeconds) }
        }
        if !row.deletion.isNone { count(row.deletion) }
        var column: UInt16 = 0
        while let cell = try row.next() {
            guard cell.column >= column else { throw .invalid(offset: row.offset, what: "cells out of order") }
            column = cell.column
            count(timestamp: cell.timestamp)
            cellCount &+= 1
            if cell.flags.rawValue & 0x03 != 0 {
                count(deletionSeconds: cell.seconds)
                if cell.isTombstone { tombstoneCount &+= 1 }
            }
            if cell.flags.contains(.counter), cell.valueByteCount % CounterContext.shardByteCount != 0 {
                throw .invalid(offset: cell.valueOffset, what: "a counter context that is not whole shards")
            }
        }
    }

    private mutating func count(_ deletion: Deletion) {
        tombstoneCount &+= 1
        count(timestamp: deletion.timestamp)
        count(deletionSeconds: deletion.localSeconds)
    }

    @inline(__always)
    private mutating func count(timestamp: Int64) {
        if timestamp < minimumTimestamp { minimumTimestamp = timestamp }
        if timestamp > maximumTimestamp { maximumTimestamp = timestamp }
    }

    @inline(__always)
    private mutating func count(deletionSeconds: Int64) {
        if deletionSeconds < minimumDeletionSeconds { minimumDeletionSeconds = deletionSeconds }
        if deletionSeconds > maximumDeletionSeconds { maximumDeletionSeconds = deletionSeconds }
    }
}
