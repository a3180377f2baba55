package import DataModel
package import Environment
package import Primitives

/// A finished SSTable: where it is and what is known about it.
package struct SSTableDescription: Sendable, Equatable {
    package var path: String
    package var byteCount: Int
    package var statistics: SSTableStatistics

    package var generation: UInt64 { statistics.generation }
}

/// Writes one SSTable, front to back, with memory bounded by a few blocks.
///
/// One owner calls, for each partition in ascending order of (token, key): `beginPartition`, then `setStaticRow`, then
/// `addRangeDeletion` and then `addRow` in ascending order, then `endPartition`; and `drain` whenever `needsDrain`
/// says so. In the end `finish` or `abort`. The file has its name only once it is complete and durable.
package final class SSTableWriter {
    package struct Options: Sendable {
        package var tableID: UUID
        package var generation: UInt64
        package var compression: BlockCompression
        /// Bytes of a data block before compression.
        package var blockByteCount: Int
        package var filterChance: Double
        /// How many partitions will come, about: it sizes the filter.
        package var expectedPartitionCount: Int
        package var logPosition: UInt64 = 0
        package var createdSeconds: Int64 = 0
        package var level: UInt32 = 0
        package var repairedAtSeconds: Int64 = 0

        package init(
            table: TableDefinition, generation: UInt64, expectedPartitionCount: Int, logPosition: UInt64 = 0,
            createdSeconds: Int64 = 0
        ) {
            self.tableID = table.id
            self.generation = generation
            self.compression = BlockCompression(options: table.options.compression)
            self.blockByteCount = BlockCompression.blockByteCount(options: table.options.compression)
            self.filterChance = table.options.bloomFilterFalsePositiveChance
            self.expectedPartitionCount = expectedPartitionCount
            self.logPosition = logPosition
            self.createdSeconds = createdSeconds
        }
    }

    /// No row is larger than this.
    static let rowByteCountLimit: Int = 1 << 28
    private static let drainByteCount: Int = 256 * 1_024

    private let directory: String
    private let disk: any Disk
    private let file: any DiskFile
    private let generation: UInt64
    private let output: BlockOutput
    private let rows: BlockTreeWriter
    private let deletions: BlockTreeWriter
    private let filter: PartitionFilter?
    private var statistics: SSTableStatistics
    private var isFinished = false

    // The partition that is being written.
    private var token: Token = .minimum
    private var key: [UInt8] = []
    private var partitionDeletion: Deletion = .none
    private var staticRow: [UInt8] = []
    private var isInPartition = false
    private var hasRowsSegment = false
    private var hasRangeDeletions = false
    private var partitionByteCount = 0
    /// Cells of the partitions before this one.
    private var earlierCellCount = 0
    private var body = ByteWriter(capacity: 64)

    package static func create(
        in directory: String, disk: any Disk, options: Options
    ) async throws(StorageError) -> SSTableWriter {
        let path: String = directory + "/" + SSTableName.temporary(options.generation)
        do throws(DiskError) {
            let file: any DiskFile = try await disk.open(path, .create)
            return SSTableWriter(directory: directory, disk: disk, file: file, options: options)
        } catch {
            throw StorageError(error)
        }
    }

    private init(directory: String, disk: any Disk, file: any DiskFile, options: Options) {
        self.directory = directory
        self.disk = disk
        self.file = file
        self.generation = options.generation
        self.output = BlockOutput(compression: options.compression)
        self.rows = BlockTreeWriter(output: output, blockByteCount: options.blockByteCount)
        self.deletions = BlockTreeWriter(output: output, blockByteCount: options.blockByteCount)
        self.filter = PartitionFilter(
            partitionCount: options.expectedPartitionCount, falsePositiveChance: options.filterChance)
        var statistics = SSTableStatistics(tableID: options.tableID, generation: options.generation)
        statistics.logPosition = options.logPosition
        statistics.createdSeconds = options.createdSeconds
        statistics.level = options.level
        statistics.repairedAtSeconds = options.repairedAtSeconds
        self.statistics = statistics
    }

    /// Bytes written so far, drained or not.
    package var byteCount: Int { output.offset }
    package var partitionCount: Int { statistics.partitionCount }

    // MARK: Adding

    package func beginPartition(token: Token, key: UnsafeRawBufferPointer, deletion: Deletion) {
        require(!isInPartition, "a partition is ended before the next begins")
        if statistics.partitionCount > 0 {
            let order: Int = self.key.withUnsafeBytes { ByteOrder.compare($0, key) }
            require(self.token < token || (self.token == token && order < 0), "partitions are written in order")
        }
        self.token = token
        self.key = [UInt8](key)
        partitionDeletion = deletion
        staticRow = []
        isInPartition = true
        hasRowsSegment = false
        hasRangeDeletions = false
        partitionByteCount = key.count
        earlierCellCount = statistics.cellCount
    }

    package func setStaticRow(_ row: UnsafeRawBufferPointer) throws(StorageError) {
        require(isInPartition && !hasRowsSegment, "a static row comes before the rows of its partition")
        guard row.count <= SSTableWriter.rowByteCountLimit else {
            throw .tooLarge(byteCount: row.count, limit: SSTableWriter.rowByteCountLimit)
        }
        try count(row)
        staticRow = [UInt8](row)
        statistics.staticRowCount += 1
        partitionByteCount += row.count
    }

    package func addRangeDeletion(_ range: RangeDeletion) {
        require(isInPartition && !hasRowsSegment, "range deletions come before the rows of their partition")
        if !hasRangeDeletions { beginDeletions() }
        hasRangeDeletions = true
        body.removeAll()
        body.writeLength(range.end.count)
        body.write(range.end)
        range.deletion.write(to: &body)
        range.start.withUnsafeBytes { start in
            body.withUnsafeBytes { deletions.addRow(start, $0) }
            statistics.addClustering(start)
        }
        range.end.withUnsafeBytes { statistics.addClustering($0) }
        statistics.add(range.deletion)
        statistics.rangeDeletionCount += 1
        partitionByteCount += range.start.count + body.count
    }

    /// Hot: once per row that is flushed or compacted.
    package func addRow(clustering: UnsafeRawBufferPointer, row: UnsafeRawBufferPointer) throws(StorageError) {
        require(isInPartition, "rows belong to a partition")
        guard row.count <= SSTableWriter.rowByteCountLimit, clustering.count <= SSTableWriter.rowByteCountLimit else {
            throw .tooLarge(byteCount: row.count + clustering.count, limit: SSTableWriter.rowByteCountLimit)
        }
        try count(row)
        if !hasRowsSegment { beginRows() }
        rows.addRow(clustering, row)
        statistics.addClustering(clustering)
        statistics.rowCount &+= 1
        partitionByteCount &+= clustering.count &+ row.count
    }

    package func endPartition() {
        require(isInPartition, "a partition is begun before it is ended")
        if !hasRowsSegment { beginRows() }
        rows.endPartition()
        if hasRangeDeletions || !partitionDeletion.isNone { deletions.endPartition() }
        isInPartition = false
        filter?.insert(token.ordinal)
        if statistics.partitionCount == 0 {
            statistics.firstToken = token
            statistics.firstKey = key
        }
        statistics.lastToken = token
        statistics.partitionCount += 1
        statistics.keySketch.insert(token)
        statistics.largestPartitionByteCount = max(statistics.largestPartitionByteCount, partitionByteCount)
        statistics.partitionByteCounts.record(UInt64(partitionByteCount))
        statistics.partitionCellCounts.record(UInt64(statistics.cellCount - earlierCellCount))
        if !partitionDeletion.isNone {
            statistics.add(partitionDeletion)
            statistics.partitionDeletionCount += 1
        }
    }

    private func beginRows() {
        hasRowsSegment = true
        var flags: SegmentFlags = []
        if !staticRow.isEmpty { flags.formUnion(.hasStaticRow) }
        if hasRangeDeletions {
            flags.formUnion(.hasDeletions)
        } else if !partitionDeletion.isNone {
            beginDeletions()
            flags.formUnion(.hasDeletions)
        }
        staticRow.withUnsafeBytes {
            rows.beginPartition(token.ordinal, key, flags: flags, deletion: .none, staticRow: $0)
        }
    }

    private func beginDeletions() {
        deletions.beginPartition(
            token.ordinal, key, flags: [], deletion: partitionDeletion,
            staticRow: UnsafeRawBufferPointer(start: nil, count: 0))
    }

    private func count(_ row: UnsafeRawBufferPointer) throws(StorageError) {
        do throws(DecodingError) {
            try statistics.addRow(unsafe RawSpan(_unsafeBytes: row))
        } catch {
            throw .decoding(error)
        }
    }

    // MARK: To the disk

    /// Whether enough is waiting for the disk that `drain` should be called before more is added.
    @inline(__always)
    package var needsDrain: Bool { output.pending.count >= SSTableWriter.drainByteCount }

    /// Writes what is waiting.
    package func drain() async throws(StorageError) {
        guard !output.pending.isEmpty else { return }
        let (bytes, offset) = output.takePending()
        do throws(DiskError) {
            try await file.write(bytes, at: offset)
        } catch {
            throw StorageError(error)
        }
    }

    /// Completes the file, makes it durable and gives it its name.
    ///
    /// - Returns: nil when nothing was added; there is then no file.
    package func finish() async throws(StorageError) -> SSTableDescription? {
        require(!isInPartition && !isFinished, "a file is finished once, between partitions")
        guard statistics.partitionCount > 0 else {
            await abort()
            return nil
        }
        isFinished = true
        writeTail()
        try await drain()
        let temporary: String = directory + "/" + SSTableName.temporary(generation)
        let path: String = directory + "/" + SSTableName.file(generation)
        do throws(DiskError) {
            try await file.sync()
            await file.close()
            try await disk.rename(temporary, to: path)
            try await disk.syncDirectory(directory)
        } catch {
            throw StorageError(error)
        }
        return SSTableDescription(path: path, byteCount: output.offset, statistics: statistics)
    }

    /// Gives the file up and removes it. Errors are of no interest: a file that stays is removed at the next start.
    package func abort() async {
        isFinished = true
        await file.close()
        do throws(DiskError) {
            try await disk.remove(directory + "/" + SSTableName.temporary(generation))
        } catch {
            // The temporary name is never read; the engine removes what is left of such files when it opens.
        }
    }

    private func writeTail() {
        statistics.lastKey = key
        let dataTree: (root: BlockLocation, height: UInt8) = rows.finish()
        let deletionsTree: (root: BlockLocation, height: UInt8)? = deletions.isEmpty ? nil : deletions.finish()
        statistics.rawByteCount = rows.rawByteCount
        var section = ByteWriter(capacity: 8_192)
        var filterLocation: BlockLocation?
        if let filter {
            filter.write(to: &section)
            filterLocation = section.withUnsafeBytes { output.appendPlain($0) }
            section.removeAll()
        }
        statistics.write(to: &section)
        let statisticsLocation: BlockLocation = section.withUnsafeBytes { output.appendPlain($0) }
        let footer = SSTableFooter(
            dataRoot: dataTree.root, deletionsRoot: deletionsTree?.root, filter: filterLocation,
            statistics: statisticsLocation, dataHeight: dataTree.height, deletionsHeight: deletionsTree?.height ?? 0)
        let offset: Int = output.offset
        footer.write(to: &output.pending, at: offset)
    }
}
