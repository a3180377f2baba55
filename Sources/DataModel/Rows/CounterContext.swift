public import Primitives

/// The value of a counter cell: for each node that counted, how often it did and what its part of the sum is.
///
///     context := shard*          shard := node UUID (16) · clock i64 · count i64, in ascending order of node
///
/// Merging keeps, for each node, the shard with the higher clock; a tie keeps the greater count. The same context merged
/// twice changes nothing, so retries, hints and repair cannot count twice.
public enum CounterContext {
    public static let shardByteCount: Int = 32

    /// The sum of all shards, wrapping as Cassandra's does.
    public static func total(of context: RawSpan) throws(DecodingError) -> Int64 {
        try checkShape(context)
        var sum: Int64 = 0
        var offset = 24
        while offset < context.byteCount {
            let stored = unsafe context.unsafeLoadUnaligned(fromByteOffset: offset, as: Int64.self)
            sum &+= Int64(bigEndian: stored)
            offset += shardByteCount
        }
        return sum
    }

    /// Appends the merged context of two.
    public static func merge(_ left: RawSpan, _ right: RawSpan, to writer: inout ByteWriter) throws(DecodingError) {
        try checkShape(left)
        try checkShape(right)
        var leftOffset = 0
        var rightOffset = 0
        while leftOffset < left.byteCount || rightOffset < right.byteCount {
            let order: Int
            if leftOffset >= left.byteCount {
                order = 1
            } else if rightOffset >= right.byteCount {
                order = -1
            } else {
                order = ByteOrder.compare(
                    left.extracting(leftOffset..<(leftOffset + 16)), right.extracting(rightOffset..<(rightOffset + 16)))
            }
            let leftShard = left.extracting(leftOffset..<min(leftOffset + shardByteCount, left.byteCount))
            let rightShard = right.extracting(rightOffset..<min(rightOffset + shardByteCount, right.byteCount))
            if order < 0 {
                writer.write(leftShard)
            } else if order > 0 {
                writer.write(rightShard)
            } else {
                writer.write(isNewer(leftShard, rightShard) ? leftShard : rightShard)
            }
            if order <= 0 { leftOffset += shardByteCount }
            if order >= 0 { rightOffset += shardByteCount }
        }
    }

    /// What one node has counted.
    public struct Shard: Hashable, Sendable {
        public var clock: Int64
        public var count: Int64

        public init(clock: Int64, count: Int64) {
            self.clock = clock
            self.count = count
        }
    }

    /// What a node has counted; nil when it never did.
    public static func shard(of node: UUID, in context: RawSpan) throws(DecodingError) -> Shard? {
        try checkShape(context)
        var reader = ByteReader(context)
        while !reader.isAtEnd {
            let high: UInt64 = try reader.readUInt64()
            let low: UInt64 = try reader.readUInt64()
            let clock: Int64 = try reader.readInt64()
            let count: Int64 = try reader.readInt64()
            if high == node.high, low == node.low { return Shard(clock: clock, count: count) }
        }
        return nil
    }

    /// Appends a context of which one node's count is all there is.
    public static func write(_ shard: Shard, of node: UUID, to writer: inout ByteWriter) {
        writeShard(node, clock: shard.clock, count: shard.count, to: &writer)
    }

    /// Appends a context in which `node` has counted once more, by `delta`.
    public static func increment(
        _ context: RawSpan, node: UUID, delta: Int64, to writer: inout ByteWriter
    ) throws(DecodingError) {
        try checkShape(context)
        var reader = ByteReader(context)
        var isDone = false
        while !reader.isAtEnd {
            let high = try reader.readUInt64()
            let low = try reader.readUInt64()
            let clock = try reader.readInt64()
            let count = try reader.readInt64()
            let isOwn: Bool = high == node.high && low == node.low
            if !isDone, !isOwn, (node.high, node.low) < (high, low) {
                writeShard(node, clock: 1, count: delta, to: &writer)
                isDone = true
            }
            let shard = UUID(high: high, low: low)
            writeShard(shard, clock: isOwn ? clock &+ 1 : clock, count: isOwn ? count &+ delta : count, to: &writer)
            if isOwn { isDone = true }
        }
        if !isDone { writeShard(node, clock: 1, count: delta, to: &writer) }
    }

    private static func writeShard(_ node: UUID, clock: Int64, count: Int64, to writer: inout ByteWriter) {
        writer.write(node.high)
        writer.write(node.low)
        writer.write(clock)
        writer.write(count)
    }

    private static func isNewer(_ left: RawSpan, _ right: RawSpan) -> Bool {
        let leftClock = Int64(bigEndian: unsafe left.unsafeLoadUnaligned(fromByteOffset: 16, as: Int64.self))
        let rightClock = Int64(bigEndian: unsafe right.unsafeLoadUnaligned(fromByteOffset: 16, as: Int64.self))
        if leftClock != rightClock { return leftClock > rightClock }
        let leftCount = Int64(bigEndian: unsafe left.unsafeLoadUnaligned(fromByteOffset: 24, as: Int64.self))
        let rightCount = Int64(bigEndian: unsafe right.unsafeLoadUnaligned(fromByteOffset: 24, as: Int64.self))
        return leftCount >= rightCount
    }

    private static func checkShape(_ context: RawSpan) throws(DecodingError) {
        guard context.byteCount % shardByteCount == 0 else {
            throw .invalid(offset: 0, what: "a counter context that is not whole shards")
        }
    }
}
