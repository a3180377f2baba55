import DataModel
import Environment
import Primitives

/// Writes rows that come from elsewhere, in order, into new files of one shard that no manifest lists yet.
///
/// Confined to the loop of its shard; `Sendable` is unchecked for that reason. `TableIngest` goes there for each call.
final class RowIngest: @unchecked Sendable {
    private let shard: ShardStore
    private let table: TableStore
    /// What was asked for; rows of other tokens are refused.
    private let ranges: TokenRanges
    private let expectedPartitionCount: Int
    private let fileByteCountLimit: Int
    private var writer: SSTableWriter?
    private var generation: UInt64 = 0
    private(set) var files: [LiveSSTable] = []
    private(set) var rowCount = 0

    /// The partition that is being written, and the last row of it.
    private var partition: (token: Token, key: [UInt8])?
    private var clustering: [UInt8]?
    /// The last partition of the file that is being written.
    private var last: (token: Token, key: [UInt8])?
    /// How far the rows have come.
    private(set) var position: StreamPosition?

    /// Rows between two looks at what else the loop has to do.
    private static let rowsPerTurn: Int = 128
    /// What another node says of its number of partitions sizes a filter only up to here.
    private static let expectationLimit: Int = 1 << 22

    init(
        _ shard: ShardStore, _ table: TableStore, _ ranges: TokenRanges, expectedPartitionCount: Int,
        fileByteCountLimit: Int
    ) {
        self.shard = shard
        self.table = table
        self.ranges = ranges.clamped(to: shard.tokens)
        self.expectedPartitionCount = max(64, min(expectedPartitionCount, RowIngest.expectationLimit))
        self.fileByteCountLimit = fileByteCountLimit
    }

    /// Writes a chunk.
    ///
    /// - Returns: whether it was the last one.
    /// - Throws: `.decoding` when it is not what comes after the chunk before; the rows before are not to be used then.
    func add(_ bytes: [UInt8]) async throws(StorageError) -> Bool {
        var chunk: RowChunk = try decoded { () throws(DecodingError) in try RowChunk(bytes) }
        guard chunk.flags.contains(.continues) == (partition != nil) else {
            throw .decoding(.invalid(offset: 0, what: "a chunk that does not continue the one before"))
        }
        var untilTurn: Int = RowIngest.rowsPerTurn
        while true {
            let part: RowChunk.Part = try decoded { () throws(DecodingError) in try chunk.next() }
            switch part {
            case .end: return chunk.flags.contains(.isLast)
            case .partition(let head): try await begin(head, chunk.bytes)
            case .row(let clustering, let body): try add(clustering, body, chunk.bytes)
            case .endOfPartition: endPartition()
            }
            untilTurn -= 1
            if let writer, untilTurn == 0 || writer.needsDrain {
                untilTurn = RowIngest.rowsPerTurn
                if writer.needsDrain { try await writer.drain() }
                await Task.yield()
            }
        }
    }

    /// Ends the file that is being written: what comes next need not continue it.
    func interrupt() async throws(StorageError) {
        if partition != nil { writer?.endPartition() }
        partition = nil
        clustering = nil
        try await finishFile()
    }

    /// Gives up everything.
    func abort() async {
        if let writer {
            self.writer = nil
            await writer.abort()
            await shard.removeUnlisted(generation)
        }
        await shard.discardIngested(files)
        files = []
    }

    // MARK: Parts

    private func begin(_ head: RowChunk.Partition, _ bytes: [UInt8]) async throws(StorageError) {
        guard ranges.contains(head.token) else {
            throw .decoding(.invalid(offset: 0, what: "a partition that was not asked for"))
        }
        if let last {
            let isAfter: Bool =
                head.token == last.token ? ByteOrder.precedes(last.key, head.key) : last.token < head.token
            guard isAfter else { throw .decoding(.invalid(offset: 0, what: "partitions out of order")) }
        }
        if let writer, writer.byteCount >= fileByteCountLimit || writer.partitionCount >= 2 * expectedPartitionCount {
            try await finishFile()
        }
        let writer: SSTableWriter
        if let current = self.writer {
            writer = current
        } else {
            writer = try await makeWriter()
            self.writer = writer
        }
        head.key.withUnsafeBytes { writer.beginPartition(token: head.token, key: $0, deletion: head.deletion) }
        partition = (head.token, head.key)
        last = partition
        clustering = nil
        if !head.staticRow.isEmpty {
            try bytes.span.bytes.withUnsafeBytes { (all) throws(StorageError) in
                try writer.setStaticRow(UnsafeRawBufferPointer(rebasing: all[head.staticRow]))
            }
        }
        for range in head.ranges { writer.addRangeDeletion(range) }
    }

    private func add(
        _ place: Range<Int>, _ body: Range<Int>, _ bytes: [UInt8]
    ) throws(StorageError) {
        guard let partition, let writer else { throw .closed }
        let current = [UInt8](bytes[place])
        if let clustering, !ByteOrder.precedes(clustering, current) {
            throw .decoding(.invalid(offset: place.lowerBound, what: "rows out of order"))
        }
        try bytes.span.bytes.withUnsafeBytes { (all) throws(StorageError) in
            try writer.addRow(
                clustering: UnsafeRawBufferPointer(rebasing: all[place]),
                row: UnsafeRawBufferPointer(rebasing: all[body]))
        }
        clustering = current
        rowCount += 1
        position = StreamPosition(token: partition.token, key: partition.key, clustering: current)
    }

    private func endPartition() {
        guard let partition else { return }
        writer?.endPartition()
        position = StreamPosition(token: partition.token, key: partition.key, clustering: nil)
        self.partition = nil
        clustering = nil
    }

    // MARK: Files

    private func makeWriter() async throws(StorageError) -> SSTableWriter {
        try await shard.ensureManifest()
        generation = shard.takeGeneration()
        let options = SSTableWriter.Options(
            table: table.definition, generation: generation, expectedPartitionCount: expectedPartitionCount,
            createdSeconds: shard.host.time.wallSeconds)
        last = nil
        return try await SSTableWriter.create(in: shard.folder, disk: shard.host.disk, options: options)
    }

    private func finishFile() async throws(StorageError) {
        last = nil
        guard let writer else { return }
        let description: SSTableDescription? = try await writer.finish()
        self.writer = nil
        guard let description else { return }
        do throws(StorageError) {
            files.append(try await LiveSSTable.open(description, in: shard))
        } catch {
            await shard.removeUnlisted(generation)
            throw error
        }
    }

    private func decoded<Value>(_ body: () throws(DecodingError) -> Value) throws(StorageError) -> Value {
        do throws(DecodingError) {
            return try body()
        } catch { throw .decoding(error) }
    }
}
