public import Primitives

/// Writes a mutation: all changes of one request to one partition of one table. The same bytes go into the commit log,
/// the memtable, the messages between nodes, hints and the batch log.
///
///     mutation  := table UUID (16) · token i64 · key (u16 length · bytes) · flags u8
///                  · [partition deletion] · [static row: u32 length · row]
///                  · u32 row count · row*  · u32 range count · range*
///     row       := clustering (u32 length · bytes) · body (u32 length · bytes of the row encoding)
///     range     := start (u32 length · bytes) · end (u32 length · bytes) · deletion
///
/// Clustering keys are byte-comparable; ranges are half open (`ClusteringBound`). Rows may come in any order and more
/// than once: whoever applies them merges.
public struct MutationWriter: Sendable {
    @usableFromInline let flagsOffset: Int
    @usableFromInline var flags: MutationFlags = []
    @usableFromInline var countOffset: Int = 0
    @usableFromInline var rowCount: UInt32 = 0

    /// Writes the head. Then, in this order: `partitionDeletion`, `beginStaticRow`, `beginRows`, rows, `beginRanges`,
    /// ranges, `finish`.
    @inlinable
    public init(table: UUID, token: Token, key: RawSpan, to writer: inout ByteWriter) {
        writer.reserve(64 &+ key.byteCount)
        writer.write(table.high)
        writer.write(table.low)
        writer.write(token.value)
        writer.write(UInt16(truncatingIfNeeded: key.byteCount))
        writer.write(key)
        self.flagsOffset = writer.count
        writer.write(UInt8(0))
    }

    @inlinable
    public mutating func partitionDeletion(_ deletion: Deletion, to writer: inout ByteWriter) {
        flags.formUnion(.partitionDeletion)
        deletion.write(to: &writer)
    }

    /// Leaves room for the length of the static row that is written next; pass the result to `endBody`.
    @inlinable
    public mutating func beginStaticRow(_ writer: inout ByteWriter) -> Int {
        flags.formUnion(.staticRow)
        return beginBody(&writer)
    }

    @inlinable
    public mutating func beginRows(_ writer: inout ByteWriter) {
        countOffset = writer.count
        writer.write(UInt32(0))
    }

    /// Writes a row's clustering key and leaves room for the length of its body, which is written next; pass the result
    /// to `endBody`.
    @inlinable
    public mutating func beginRow(clustering: RawSpan, to writer: inout ByteWriter) -> Int {
        rowCount &+= 1
        writer.write(UInt32(truncatingIfNeeded: clustering.byteCount))
        writer.write(clustering)
        return beginBody(&writer)
    }

    @inlinable
    public mutating func beginBody(_ writer: inout ByteWriter) -> Int {
        writer.write(UInt32(0))
        return writer.count
    }

    @inlinable
    public mutating func endBody(_ start: Int, _ writer: inout ByteWriter) {
        writer.overwrite(UInt32(truncatingIfNeeded: writer.count &- start), at: start &- 4)
    }

    @inlinable
    public mutating func beginRanges(_ writer: inout ByteWriter) {
        writer.overwrite(rowCount, at: countOffset)
        countOffset = writer.count
        rowCount = 0
        writer.write(UInt32(0))
    }

    @inlinable
    public mutating func range(start: RawSpan, end: RawSpan, _ deletion: Deletion, to writer: inout ByteWriter) {
        rowCount &+= 1
        writer.write(UInt32(truncatingIfNeeded: start.byteCount))
        writer.write(start)
        writer.write(UInt32(truncatingIfNeeded: end.byteCount))
        writer.write(end)
        deletion.write(to: &writer)
    }

    @inlinable
    public mutating func finish(_ writer: inout ByteWriter) {
        writer.overwrite(rowCount, at: countOffset)
        writer.overwrite(flags.rawValue, at: flagsOffset)
    }
}

public struct MutationFlags: OptionSet, Sendable {
    public let rawValue: UInt8
    @inlinable public init(rawValue: UInt8) { self.rawValue = rawValue }

    public static let partitionDeletion = MutationFlags(rawValue: 0x01)
    public static let staticRow = MutationFlags(rawValue: 0x02)
    public static let all: MutationFlags = [.partitionDeletion, .staticRow]
}
