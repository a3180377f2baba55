package import DataModel
import Environment
package import Primitives

/// A live file of which all that this node shows of it is wanted: it is handed over as it is.
package struct CapturedFile: Sendable {
    package let table: SSTable
    /// The tokens between which the file has partitions that are seen here.
    package let tokens: ClosedRange<Token>

    package var byteCount: Int { table.byteCount }
    package var rowCount: Int { table.statistics.rowCount }

    /// Tells files apart that do not hold the same: made of all that the file says about itself, among it when and under
    /// which number it was written, its keys, its counts and its timestamps.
    package var fingerprint: UUID {
        var writer = ByteWriter(capacity: 8_192)
        table.statistics.write(to: &writer)
        writer.write(UInt64(table.byteCount))
        writer.write(tokens.lowerBound.value)
        writer.write(tokens.upperBound.value)
        let hash: (low: UInt64, high: UInt64) = Murmur3.hash(writer.span)
        return UUID(high: hash.high, low: hash.low)
    }
}

/// What a table held in some ranges at one moment. The files stay readable as long as this exists, whatever compaction
/// and truncation do meanwhile.
package final class StreamCapture: Sendable {
    package let tableID: UUID
    package let ranges: TokenRanges
    /// The files that go as they are.
    package let files: [CapturedFile]
    let parts: [ShardCapture]
    let host: Host

    init(_ tableID: UUID, _ ranges: TokenRanges, _ parts: [ShardCapture], host: Host) {
        self.tableID = tableID
        self.ranges = ranges
        self.parts = parts
        self.host = host
        self.files = parts.flatMap(\.whole)
    }

    /// How much there is of rows that are read and sent one by one, about.
    package func estimatedRest(in wanted: TokenRanges) -> (byteCount: Int, partitionCount: Int) {
        var byteCount = 0.0
        var partitionCount = 0.0
        for file in parts.flatMap(\.rest) {
            guard let tokens = file.tokens else { continue }
            let statistics: SSTableStatistics = file.statistics
            // Of a file that other shards see too only a part of its tokens is here.
            let all: ClosedRange<Token> =
                min(statistics.firstToken, tokens.lowerBound)...max(statistics.lastToken, tokens.upperBound)
            let share: Double = wanted.clamped(to: tokens).share(of: all)
            byteCount += share * Double(file.byteCount)
            partitionCount += share * Double(statistics.partitionCount)
        }
        return (Int(byteCount), Int(partitionCount.rounded(.up)))
    }

    /// Reads rows of some of the ranges from the files that do not go as they are.
    ///
    /// - Parameter position: where an earlier reader of the same ranges has stopped.
    package func rows(in wanted: TokenRanges, from position: StreamPosition? = nil) -> CapturedRows {
        CapturedRows(self, wanted, from: position)
    }
}

/// One shard's part of a capture.
struct ShardCapture: Sendable {
    let shard: ShardStore
    var whole: [CapturedFile] = []
    /// Those of which some tokens are wanted and others not, and those that are too small to be worth a file elsewhere.
    var rest: [SSTable] = []

    init(_ files: [LiveSSTable], of shard: ShardStore, _ ranges: TokenRanges, wholeByteCount: Int) {
        self.shard = shard
        for file in files.sorted(by: { $0.generation < $1.generation }) {
            guard let tokens = file.table.tokens, ranges.intersects(tokens) else { continue }
            if ranges.contains(tokens), file.byteCount >= wholeByteCount {
                whole.append(CapturedFile(table: file.table, tokens: tokens))
            } else {
                rest.append(file.table)
            }
        }
    }
}

extension StorageEngine {
    /// Writes what a table has in memory to files and holds all files that have something of some ranges: whatever was
    /// written before the call is in them, and perhaps more.
    ///
    /// - Parameter wholeByteCount: files below this size are never handed over as they are.
    /// - Returns: nil when there is no such table.
    package func capture(
        table id: UUID, ranges: TokenRanges, wholeByteCount: Int = 256 << 10
    ) async throws(StorageError) -> StreamCapture? {
        let calls: [LoopCall<ShardCapture?>] = shards.map { shard in
            LoopCall<ShardCapture?>("capture a table", on: shard.loop, of: host) { () throws(StorageError) in
                guard let table = shard.table(id) else { return nil }
                guard ranges.intersects(shard.tokens) else {
                    return ShardCapture([], of: shard, ranges, wholeByteCount: wholeByteCount)
                }
                try await shard.flush(table)
                // It may have been dropped, and even made again, while it was flushed.
                guard let current = shard.table(id) else { return nil }
                return ShardCapture(current.sstables, of: shard, ranges, wholeByteCount: wholeByteCount)
            }
        }
        var parts: [ShardCapture] = []
        var failure: StorageError?
        for call in calls {
            do throws(StorageError) {
                if let part = try await call.value() { parts.append(part) }
            } catch {
                failure = failure ?? error
            }
        }
        if let failure { throw failure }
        guard parts.count == shards.count else { return nil }
        return StreamCapture(id, ranges, parts, host: host)
    }
}

extension SSTable {
    /// Bytes of the file as they stand on the disk.
    package func readBytes(_ count: Int, at offset: Int) async throws(StorageError) -> [UInt8] {
        do throws(DiskError) {
            return try await file.read(count, at: offset)
        } catch { throw StorageError(error) }
    }
}
