import DataModel
import Primitives

/// The older files of a single-row read, newest first, and what the newer sources have already decided.
///
/// A file whose newest timestamp is older than everything that is known of the row cannot change the answer: it need
/// not be opened. That holds for columns of one cell only; collections and counters gather from everywhere.
package struct StagedSources {
    /// One file that may have to be read.
    package struct Stage {
        package let maximumTimestamp: Int64
        package let open: () -> any SourceCursor

        package init(maximumTimestamp: Int64, open: @escaping () -> any SourceCursor) {
            self.maximumTimestamp = maximumTimestamp
            self.open = open
        }
    }

    private var stages: ArraySlice<Stage>
    private let columns: [UInt16]
    /// The newest timestamp of each wanted column; `.min` while none was seen.
    private var cellTimestamps: [Int64]
    private var markerTimestamp: Int64 = .min
    private var deletion: Deletion = .none
    /// How many of the sources have been looked at.
    var observedCount = 0
    /// Whether no further file is needed.
    var isDone = false

    /// - Parameters:
    ///   - stages: in any order.
    ///   - columns: ids of the wanted columns, ascending; none of them static, multi-cell or a counter.
    package init(_ stages: [Stage], columns: [UInt16]) {
        self.stages = stages.sorted { $0.maximumTimestamp > $1.maximumTimestamp }[...]
        self.columns = columns
        self.cellTimestamps = [Int64](repeating: .min, count: columns.count)
    }

    /// Takes note of what a source says about the row.
    mutating func observe(_ source: any SourceCursor, hasRow: Bool) throws(StorageError) {
        deletion = deletion.merged(with: source.partitionDeletion)
        guard hasRow else { return }
        for range in source.rangeDeletions where StagedSources.covers(range, source.clustering) {
            deletion = deletion.merged(with: range.deletion)
        }
        do throws(DecodingError) {
            try observe(row: unsafe RawSpan(_unsafeBytes: source.row))
        } catch {
            throw .decoding(error)
        }
    }

    private mutating func observe(row: RawSpan) throws(DecodingError) {
        var reader = try RowReader(row)
        deletion = deletion.merged(with: reader.deletion)
        if let marker = reader.marker { markerTimestamp = max(markerTimestamp, marker.timestamp) }
        var index = 0
        while let cell = try reader.next() {
            while index < columns.count, columns[index] < cell.column { index += 1 }
            guard index < columns.count else { return }
            if columns[index] == cell.column { cellTimestamps[index] = max(cellTimestamps[index], cell.timestamp) }
        }
    }

    /// Opens the next file that can still matter; nil when none can.
    mutating func next() -> (any SourceCursor)? {
        guard let stage = stages.first, !isDecided(against: stage.maximumTimestamp) else { return nil }
        stages = stages.dropFirst()
        return stage.open()
    }

    /// Whether nothing written at or before `timestamp` can change the row. Equal timestamps can: ties are settled by
    /// what the cells hold.
    private func isDecided(against timestamp: Int64) -> Bool {
        if deletion.timestamp > timestamp { return true }
        guard markerTimestamp > timestamp else { return false }
        return cellTimestamps.allSatisfy { $0 > timestamp }
    }
}

extension StagedSources {
    private static func covers(_ range: RangeDeletion, _ clustering: UnsafeRawBufferPointer) -> Bool {
        guard range.start.withUnsafeBytes({ ByteOrder.compare($0, clustering) <= 0 }) else { return false }
        return range.end.withUnsafeBytes { ByteOrder.compare(clustering, $0) < 0 }
    }
}
