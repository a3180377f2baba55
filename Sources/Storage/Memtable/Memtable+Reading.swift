public import DataModel
public import Primitives

/// Point reads. What they return points into the memtable and is valid until its next change.
extension Memtable {
    /// The partition with `key`.
    ///
    /// Hot: once per read. It allocates nothing.
    public func find(_ token: Token, _ key: UnsafeRawBufferPointer) -> MemtablePartition? {
        guard let root else { return nil }
        let tree = ArenaTree(root: root, keyOffset: MemtablePartition.keyOffset)
        return tree.find(TreeKey(ordinal: token.ordinal, key)).map { MemtablePartition($0) }
    }

    public func find(_ token: Token, _ key: RawSpan) -> MemtablePartition? {
        key.withUnsafeBytes { find(token, $0) }
    }

    /// The body of a row; nil when the memtable does not have it. Deletions of its partition and of ranges are not
    /// applied. A row of several versions is folded into `scratch`, which then holds the result.
    ///
    /// Hot: once per read.
    public func row(
        in partition: MemtablePartition, _ clustering: UnsafeRawBufferPointer, scratch: inout ByteWriter
    ) throws(StorageError) -> UnsafeRawBufferPointer? {
        guard let rows = partition.rows else { return nil }
        if partition.rowCount == 1 {
            let row = MemtableRow(rows)
            guard ByteOrder.compare(row.key, clustering) == 0 else { return nil }
            return try body(of: row.newest, scratch: &scratch)
        }
        let tree = ArenaTree(root: rows, keyOffset: MemtableRow.keyOffset)
        guard let item = tree.find(TreeKey(clustering)) else { return nil }
        return try body(of: MemtableRow(item).newest, scratch: &scratch)
    }

    /// The static row of a partition; nil when there is none.
    public func staticRow(
        of partition: MemtablePartition, scratch: inout ByteWriter
    ) throws(StorageError) -> UnsafeRawBufferPointer? {
        guard let slot = partition.rest?.staticSlot,
            let address = unsafe slot.load(as: UnsafeMutableRawPointer?.self)
        else { return nil }
        return try body(of: RowVersion(address), scratch: &scratch)
    }

    /// The deletion of a whole partition; `.none` when it was not deleted.
    @inline(__always)
    public func deletion(of partition: MemtablePartition) -> Deletion {
        partition.rest?.deletion ?? .none
    }

    /// The strongest of the deletions that cover a row: the partition's, or a range's.
    public func shadow(of partition: MemtablePartition, _ clustering: UnsafeRawBufferPointer) -> Deletion {
        guard let rest = partition.rest else { return .none }
        guard rest.rangesNumber > 0 else { return rest.deletion }
        return rest.deletion.merged(with: ranges[rest.rangesNumber - 1].covering(clustering))
    }

    /// The range deletions of a partition.
    public func rangeDeletions(of partition: MemtablePartition) -> RangeDeletions {
        guard let rest = partition.rest, rest.rangesNumber > 0 else { return RangeDeletions() }
        return ranges[rest.rangesNumber - 1]
    }

    @inline(__always)
    func body(of version: RowVersion, scratch: inout ByteWriter) throws(StorageError) -> UnsafeRawBufferPointer {
        guard let older = version.older else { return version.body }
        var spare = ByteWriter(capacity: 16)
        do throws(DecodingError) {
            try Memtable.fold(version, older, &scratch, &spare)
        } catch {
            throw .decoding(error)
        }
        return scratch.withUnsafeBytes { $0 }
    }

    /// Merges a chain of versions into `result`, from the newest and smallest to the oldest and largest.
    static func fold(
        _ newest: RowVersion, _ second: RowVersion, _ result: inout ByteWriter, _ spare: inout ByteWriter
    ) throws(DecodingError) {
        result.removeAll()
        try merge(newest.body, second.body, to: &result)
        var next: RowVersion? = second.older
        while let version = next {
            spare.removeAll()
            try result.withUnsafeBytes { merged throws(DecodingError) in
                try merge(merged, version.body, to: &spare)
            }
            swap(&result, &spare)
            next = version.older
        }
    }

    /// Appends the merge of two bodies. Should it say nothing it is one of them, because a row has a body always.
    @inline(__always)
    static func merge(
        _ newer: UnsafeRawBufferPointer, _ older: UnsafeRawBufferPointer, to writer: inout ByteWriter
    ) throws(DecodingError) {
        if try !RowMerge.merge(newer.bytes, older.bytes, to: &writer) { writer.write(newer) }
    }
}
