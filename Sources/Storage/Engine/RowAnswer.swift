/// What the fast path of a single-row read came to.
public enum RowAnswer {
    /// There is no such row, dead or alive.
    case none
    /// The row, merged, with what was deleted left out; valid until the next write to the table or the next such read
    /// on the shard. It may hold tombstones and cells whose time is up.
    case row(UnsafeRawBufferPointer)
    /// More than memory is needed, or more sources than the fast path takes: read with a cursor.
    case needsCursor
}
