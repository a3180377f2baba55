package import DataModel
import Environment
import Primitives

/// Hashes the units of one partition after another: its head (deletion, range deletions, static row), then each row.
///
/// What is hashed is the merged view in its one canonical form, without tombstones that may be purged and without the
/// values of cells whose time is up, so that replicas with the same data say the same however it lies in their files.
///
/// Hot while a table is hashed: once per row. Nothing is allocated but by partitions with range deletions.
package struct UnitHasher: ~Copyable {
    package let frame: HashFrame
    /// For which frames what was hashed since `beginLeaf` holds.
    package private(set) var life = LeafLife()
    private let graceStart: Int64
    private var bytes = ByteWriter(capacity: 1_024)
    private var partition = UnitHash(low: 0, high: 0)

    private static let keptByteCount = 64 << 10
    private static let headMark: UInt8 = 1
    private static let rowMark: UInt8 = 2

    package init(_ frame: HashFrame) {
        self.frame = frame
        #if PLANTS
        self.graceStart = Plant.isOn(.leafIgnoresTombstones) ? .max : frame.purgeSeconds
        #else
        self.graceStart = frame.purgeSeconds
        #endif
    }

    package mutating func beginLeaf() {
        life = LeafLife()
    }

    package mutating func beginPartition(_ token: Token, _ key: UnsafeRawBufferPointer) {
        bytes.removeAll(keepingAtMost: UnitHasher.keptByteCount)
        bytes.write(token.value)
        bytes.write(key)
        partition = hash()
    }

    /// The hash of a partition's head; nil when it says nothing.
    package mutating func head(
        deletion: Deletion, ranges: [RangeDeletion], staticRow: UnsafeRawBufferPointer
    ) throws(StorageError) -> UnitHash? {
        if deletion.isNone, ranges.isEmpty, staticRow.isEmpty { return nil }
        begin(UnitHasher.headMark)
        let start: Int = bytes.count
        if !deletion.isNone, keeps(deletion) {
            bytes.write(UInt8(1))
            deletion.write(to: &bytes)
        }
        for range in ranges where !deletion.covers(range.deletion.timestamp) && keeps(range.deletion) {
            bytes.write(UInt8(2))
            bytes.writeLength(range.start.count)
            bytes.write(range.start)
            bytes.writeLength(range.end.count)
            bytes.write(range.end)
            range.deletion.write(to: &bytes)
        }
        if !staticRow.isEmpty {
            let mark: Int = bytes.count
            bytes.write(UInt8(3))
            if try !purge(staticRow) { bytes.truncate(to: mark) }
        }
        return bytes.count == start ? nil : hash()
    }

    /// The hash of a row; nil when nothing of it is left.
    package mutating func row(
        _ clustering: UnsafeRawBufferPointer, _ row: UnsafeRawBufferPointer
    ) throws(StorageError) -> UnitHash? {
        begin(UnitHasher.rowMark)
        bytes.writeLength(clustering.count)
        bytes.write(clustering)
        return try purge(row) ? hash() : nil
    }

    private mutating func begin(_ mark: UInt8) {
        bytes.removeAll(keepingAtMost: UnitHasher.keptByteCount)
        bytes.write(mark)
        bytes.write(partition.low)
        bytes.write(partition.high)
    }

    private mutating func keeps(_ deletion: Deletion) -> Bool {
        life.note(tombstone: deletion.localSeconds, frame)
        return deletion.localSeconds >= graceStart
    }

    /// Appends what stays of a row; false when nothing does.
    private mutating func purge(_ row: UnsafeRawBufferPointer) throws(StorageError) -> Bool {
        let row = unsafe RawSpan(_unsafeBytes: row)
        do throws(DecodingError) {
            try noteLife(of: row)
            return try RowPurge.purge(
                row, now: frame.nowSeconds, graceStart: graceStart, purgeableBefore: .max, to: &bytes)
        } catch {
            throw .decoding(error)
        }
    }

    private mutating func noteLife(of row: RawSpan) throws(DecodingError) {
        var reader = try RowReader(row)
        if reader.flags.isDisjoint(with: [.deletion, .mortal, .markerExpires]) { return }
        if !reader.deletion.isNone { life.note(tombstone: reader.deletion.localSeconds, frame) }
        if let marker = reader.marker, marker.isExpiring { life.note(expiry: marker.expiresSeconds, frame) }
        while let cell = try reader.next() {
            if cell.isTombstone {
                life.note(tombstone: cell.seconds, frame)
            } else if cell.isExpiring {
                life.note(expiry: cell.seconds, frame)
            }
        }
    }

    private func hash() -> UnitHash {
        let hash: (low: UInt64, high: UInt64) = Murmur3.hash(bytes.span)
        return UnitHash(low: hash.low, high: hash.high)
    }
}
