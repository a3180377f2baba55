internal import DataModel
package import Environment
internal import Primitives
internal import Synchronization

/// What a compaction made of its inputs.
package struct CompactionResult: Sendable, Equatable {
    /// Nil when nothing was left.
    package var output: SSTableDescription?
    package var inputByteCount: Int
    package var rowCount: Int
    package var partitionCount: Int
    /// Rows of which nothing was left.
    package var droppedRowCount: Int
    /// How many partitions were in how many inputs: by the number of inputs less one.
    package var partitionsByInputCount: [Int] = []
}

/// Merges some SSTables into a new one. Runs on the loop of its shard, a little at a time.
///
/// The inputs are only read; whoever started the run replaces them by the output in the manifest, in one step. A run
/// that fails or is cancelled leaves no file.
package final class CompactionRun: Sendable {
    /// Rows between two looks at the clock and at cancellation.
    private static let rowsPerTurn: Int = 128
    /// How long a run keeps its loop.
    private static let turnNanoseconds: UInt64 = 500_000

    package let inputs: [SSTable]
    private let isCancelled = Atomic<Bool>(false)
    private let readBytes = Atomic<Int>(0)

    package init(inputs: [SSTable]) {
        self.inputs = inputs
    }

    package var inputByteCount: Int { inputs.reduce(0) { $0 + $1.byteCount } }
    /// How much of the inputs is done, about, in bytes of output.
    package var doneByteCount: Int { readBytes.load(ordering: .relaxed) }

    /// Ends the run at its next turn; it then throws `.cancelled`.
    package func cancel() {
        isCancelled.store(true, ordering: .relaxed)
    }

    /// How many partitions the output will have at most, about: what the inputs have together, without counting twice.
    package var estimatedPartitionCount: Int {
        let sum: Int = inputs.reduce(0) { $0 + $1.statistics.partitionCount }
        guard inputs.count > 1 else { return sum }
        var sketch = KeySketch()
        for input in inputs { sketch.merge(input.statistics.keySketch) }
        // The estimate is a few percent off; a filter that is a little too large is the better error.
        return min(sum, sketch.estimate + sketch.estimate / 16 + 16)
    }

    /// Does the work.
    ///
    /// - Parameters:
    ///   - options: of the output; its expected count of partitions, log position and dates are set here.
    ///   - throttle: nil for full speed.
    package func run(
        in directory: String, disk: any Disk, options: SSTableWriter.Options, purge: CompactionPurge,
        time: any TimeSource, throttle: CompactionThrottle?
    ) async throws(StorageError) -> CompactionResult {
        var options: SSTableWriter.Options = options
        options.expectedPartitionCount = estimatedPartitionCount
        options.logPosition = inputs.map(\.statistics.logPosition).max() ?? 0
        options.createdSeconds = purge.nowSeconds
        options.repairedAtSeconds = inputs.map(\.statistics.repairedAtSeconds).min() ?? 0
        let cursors: [any SourceCursor] = inputs.map { $0.makeCursor(ReadCommand(partitions: .all), cache: nil) }
        let merge = CompactionMerge(cursors, purge: purge)
        let writer: SSTableWriter = try await SSTableWriter.create(in: directory, disk: disk, options: options)
        var turn = CompactionTurn(time: time, throttle: throttle)
        do throws(StorageError) {
            let rowCount: Int = try await write(merge, to: writer, &turn)
            let partitionCount: Int = writer.partitionCount
            let output: SSTableDescription? = try await writer.finish()
            return CompactionResult(
                output: output, inputByteCount: inputByteCount, rowCount: rowCount, partitionCount: partitionCount,
                droppedRowCount: merge.droppedRowCount, partitionsByInputCount: merge.partitionsBySourceCount)
        } catch {
            await writer.abort()
            throw error
        }
    }

    private func write(
        _ merge: CompactionMerge, to writer: SSTableWriter, _ turn: inout CompactionTurn
    ) async throws(StorageError) -> Int {
        var rowCount = 0
        var untilTurn: Int = CompactionRun.rowsPerTurn
        partitions: while true {
            switch try merge.nextPartition() {
            case .end: break partitions
            case .blocked:
                try await merge.load()
                continue
            case .ready: break
            }
            var isOpen = false
            if hasHead(merge) {
                try open(merge, writer)
                isOpen = true
            }
            rows: while true {
                switch try merge.nextRow() {
                case .end: break rows
                case .blocked:
                    try await merge.load()
                    continue
                case .ready: break
                }
                if !isOpen {
                    try open(merge, writer)
                    isOpen = true
                }
                try writer.addRow(clustering: merge.clustering, row: merge.row)
                rowCount += 1
                untilTurn -= 1
                if untilTurn <= 0 || writer.needsDrain {
                    untilTurn = CompactionRun.rowsPerTurn
                    try await endTurn(writer, &turn)
                }
            }
            if isOpen { writer.endPartition() }
            untilTurn -= 4
            if untilTurn <= 0 {
                untilTurn = CompactionRun.rowsPerTurn
                try await endTurn(writer, &turn)
            }
        }
        return rowCount
    }

    /// Whether a partition has something to keep even without rows.
    private func hasHead(_ merge: CompactionMerge) -> Bool {
        !merge.partitionDeletion.isNone || !merge.ranges.isEmpty || !merge.staticRow.isEmpty
    }

    private func open(_ merge: CompactionMerge, _ writer: SSTableWriter) throws(StorageError) {
        merge.key.withUnsafeBytes {
            writer.beginPartition(token: merge.token, key: $0, deletion: merge.partitionDeletion)
        }
        let staticRow: [UInt8] = merge.staticRow
        if !staticRow.isEmpty {
            try staticRow.span.bytes.withUnsafeBytes { (row) throws(StorageError) in
                try writer.setStaticRow(row)
            }
        }
        for range in merge.ranges { writer.addRangeDeletion(range) }
    }

    /// Writes what is waiting, lets others have the loop, and keeps to the rate.
    private func endTurn(_ writer: SSTableWriter, _ turn: inout CompactionTurn) async throws(StorageError) {
        if isCancelled.load(ordering: .relaxed) || Task.isCancelled { throw .cancelled }
        if writer.needsDrain { try await writer.drain() }
        readBytes.store(writer.byteCount, ordering: .relaxed)
        try await turn.end(writtenByteCount: writer.byteCount)
    }

    /// When the run last gave its loop away, and what it has paid for.
    private struct CompactionTurn {
        let time: any TimeSource
        let throttle: CompactionThrottle?
        var startNanoseconds: UInt64
        var paidByteCount = 0

        init(time: any TimeSource, throttle: CompactionThrottle?) {
            self.time = time
            self.throttle = throttle
            self.startNanoseconds = time.monotonicNanoseconds
        }

        mutating func end(writtenByteCount: Int) async throws(StorageError) {
            let spent: Int = writtenByteCount - paidByteCount
            paidByteCount = writtenByteCount
            if let throttle { try await throttle.spend(spent) }
            let now: UInt64 = time.monotonicNanoseconds
            // A clock that stands still while code runs, as a simulated one does, must not mean an endless turn.
            guard now &- startNanoseconds >= CompactionRun.turnNanoseconds || now == startNanoseconds else { return }
            await Task.yield()
            startNanoseconds = time.monotonicNanoseconds
        }
    }
}
