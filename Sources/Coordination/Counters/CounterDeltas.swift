import DataModel
import Primitives

/// A counter write before its leader has counted it: a mutation in the one encoding, whose counter cells say by how much
/// to count. It is made once, by the coordinator, which need not know what the counters are.
///
///     value of a counter cell := delta i64        (8 bytes, which no context has: those are whole shards of 32)
///
/// Everything else in it (tombstones, deletions) stays what it is.
struct CounterDeltas {
    let table: UUID
    let token: Token
    let key: [UInt8]
    /// The clustering keys of the rows that are counted in; ascending, each once.
    let rows: [[UInt8]]
    let countsInStaticRow: Bool
    private let mutation: [UInt8]

    /// Reads all of a mutation once, so that a damaged one is refused before anything is counted.
    init(_ bytes: [UInt8]) throws(DecodingError) {
        try MutationReader.validate(bytes.span.bytes)
        var reader = try MutationReader(bytes.span.bytes)
        self.table = reader.table
        self.token = reader.token
        self.key = [UInt8](copying: reader.key)
        self.countsInStaticRow = reader.staticRow.isEmpty ? false : try CounterDeltas.counts(reader.staticRow)
        var rows: Set<[UInt8]> = []
        while let row = try reader.nextRow() {
            if try CounterDeltas.counts(row.body) { rows.insert([UInt8](copying: row.clustering)) }
        }
        self.rows = rows.sorted { ByteOrder.precedes($0, $1) }
        self.mutation = bytes
    }

    private static func counts(_ body: RawSpan) throws(DecodingError) -> Bool {
        var counts = false
        var row = try RowReader(body)
        while let cell = try row.next() {
            guard cell.flags.contains(.counter), !cell.isTombstone else { continue }
            guard cell.valueByteCount == 8 else {
                throw .invalid(offset: cell.valueOffset, what: "a counter's delta that is not 8 bytes")
            }
            counts = true
        }
        return counts
    }

    /// The mutation that comes of it: each delta has become the context of the leader's own count.
    ///
    /// The counts of other nodes are left out. Replicas merge contexts, so they lose nothing by it, the message stays
    /// small, and what a deletion has taken from another node's count is not brought back.
    func counted(by shards: inout CounterShards, clock: Int64) throws(DecodingError) -> [UInt8] {
        var reader = try MutationReader(mutation.span.bytes)
        var writer = ByteWriter(capacity: mutation.count + 64)
        var output = MutationWriter(table: table, token: token, key: reader.key, to: &writer)
        if !reader.partitionDeletion.isNone { output.partitionDeletion(reader.partitionDeletion, to: &writer) }
        if !reader.staticRow.isEmpty {
            let start: Int = output.beginStaticRow(&writer)
            try CounterDeltas.count(reader.staticRow, nil, &shards, clock, to: &writer)
            output.endBody(start, &writer)
        }
        output.beginRows(&writer)
        while let row = try reader.nextRow() {
            let start: Int = output.beginRow(clustering: row.clustering, to: &writer)
            try CounterDeltas.count(row.body, [UInt8](copying: row.clustering), &shards, clock, to: &writer)
            output.endBody(start, &writer)
        }
        output.beginRanges(&writer)
        while let range = try reader.nextRange() {
            output.range(start: range.start, end: range.end, range.deletion, to: &writer)
        }
        output.finish(&writer)
        return writer.array()
    }

    private static func count(
        _ body: RawSpan, _ clustering: [UInt8]?, _ shards: inout CounterShards, _ clock: Int64,
        to writer: inout ByteWriter
    ) throws(DecodingError) {
        var reader = try RowReader(body)
        var row = RowWriter(
            marker: reader.marker, baseTimestamp: reader.baseTimestamp, deletion: reader.deletion, to: &writer)
        while let cell = try reader.next() {
            guard cell.flags.contains(.counter), !cell.isTombstone else {
                row.copy(cell, from: body, to: &writer)
                continue
            }
            var value = ByteReader(body.extracting(cell.valueOffset..<(cell.valueOffset &+ cell.valueByteCount)))
            let delta: Int64 = try value.readInt64()
            let place = CounterShards.Place(clustering: clustering, column: cell.column)
            let context: [UInt8] = shards.count(place, by: delta, clock: clock)
            row.live(
                column: cell.column, timestamp: cell.timestamp, value: context.span.bytes, isCounter: true, to: &writer)
        }
        row.finish(&writer)
    }
}

/// What one node has counted in the rows of a partition.
struct CounterShards {
    struct Place: Hashable {
        /// Nil for the static row.
        let clustering: [UInt8]?
        let column: UInt16
    }

    private let node: UUID
    private var shards: [Place: CounterContext.Shard] = [:]

    init(node: UUID) {
        self.node = node
    }

    /// Takes note of a row as it is stored.
    mutating func add(_ row: UnsafeRawBufferPointer, clustering: [UInt8]?) throws(DecodingError) {
        if row.isEmpty { return }
        let body = unsafe RawSpan(_unsafeBytes: row)
        var reader = try RowReader(body)
        while let cell = try reader.next() {
            guard cell.flags.contains(.counter), !cell.isTombstone else { continue }
            let context = body.extracting(cell.valueOffset..<(cell.valueOffset &+ cell.valueByteCount))
            guard let shard = try CounterContext.shard(of: node, in: context) else { continue }
            shards[Place(clustering: clustering, column: cell.column)] = shard
        }
    }

    /// Counts once more; returns the context to write.
    ///
    /// The clock is the time, or one more than before where that is later. So it grows even over what is not known here
    /// any more: a count that was deleted, or one that a loss of power took from this node after others had it. They then
    /// take the new count for the newer one, as it is.
    mutating func count(_ place: Place, by delta: Int64, clock: Int64) -> [UInt8] {
        var shard: CounterContext.Shard = shards[place] ?? CounterContext.Shard(clock: 0, count: 0)
        shard.clock = max(clock, shard.clock &+ 1)
        shard.count &+= delta
        shards[place] = shard
        var writer = ByteWriter(capacity: CounterContext.shardByteCount)
        CounterContext.write(shard, of: node, to: &writer)
        return writer.array()
    }
}
