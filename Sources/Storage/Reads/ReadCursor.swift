public import DataModel
import Primitives

/// A local read: all sources of one table on one shard, merged in order, with what was deleted left out.
///
///     step() ─▶ .partition ─▶ .row ─▶ .row ─▶ … ─▶ .partition ─▶ … ─▶ .end
///        └────▶ .blocked: await load(), then step() again
///
/// Rows still hold tombstones and cells whose time is up, because replicas and compaction need them; whoever answers a
/// client judges by its own clock. Every partition that has anything at all is stepped, rows of which nothing is left
/// are not. A cursor belongs to the loop of its shard and may be kept while other things happen there.
///
/// Hot: `step` runs once per row that is read.
public final class ReadCursor {
    public enum Step: Sendable {
        case partition
        case row
        case end
        /// A block is on the disk and not in memory: `await load()`, then step again.
        case blocked
    }

    private struct Source {
        let cursor: any SourceCursor
        var partition: Place = .wanted
        var row: Place = .wanted
        var token: Token = .minimum
        /// Whether it had any partition.
        var isPresent = false
    }

    /// Where a source stands among its partitions, or among the rows of its partition.
    private enum Place {
        /// It has to be moved before it can be compared.
        case wanted
        case reached
        case ended
    }

    private let isReversed: Bool
    private var sources: [Source]
    /// Sources of a single-row read that are opened only when the newer ones leave something undecided.
    private var later: StagedSources?
    /// Nil where nobody wants to know how long it takes.
    private let meter: ReadMeter?
    /// Files that had nothing of what is wanted.
    private var absentFileCount = 0
    /// The source whose block is missing.
    private var blocked: (any SourceCursor)?
    /// Indices of the sources that have the current partition; empty between partitions.
    private var active: [Int] = []
    private var isInPartition = false
    private var isRowCurrent = false

    public private(set) var token: Token = .minimum
    /// The current partition's key; valid until the step to the next partition.
    public private(set) var key = UnsafeRawBufferPointer(start: nil, count: 0)
    /// The deletion of the whole current partition; `.none` without one.
    public private(set) var partitionDeletion: Deletion = .none
    private var ranges = RangeDeletions()
    /// Merged, with what the partition's deletion covers left out; empty when there is none. Valid like `key`.
    public private(set) var staticRow = UnsafeRawBufferPointer(start: nil, count: 0)
    /// The current row's clustering key; valid until the next step.
    public private(set) var clustering = UnsafeRawBufferPointer(start: nil, count: 0)
    /// The current row, merged, with what was deleted left out; valid until the next step.
    public private(set) var row = UnsafeRawBufferPointer(start: nil, count: 0)

    private var staticMerge = RowFold()
    private var rowMerge = RowFold()

    /// Merges sources of one table, in any order. `later` holds those that a single-row read may not need.
    package convenience init(sources: [any SourceCursor], isReversed: Bool) {
        self.init(sources: sources, isReversed: isReversed, meter: nil)
    }

    init(sources: [any SourceCursor], isReversed: Bool, later: StagedSources? = nil, meter: ReadMeter?) {
        self.meter = meter
        self.sources = sources.map { Source(cursor: $0) }
        self.isReversed = isReversed
        self.later = later
    }

    /// Moves to whatever comes next.
    public func step() throws(StorageError) -> Step {
        if later != nil, try !openStaged() { return .blocked }
        while true {
            if isInPartition {
                guard try moveRows() else { return .blocked }
                if try mergeNextRow() { return .row }
                if isInPartition { continue }
            }
            guard try movePartitions() else { return .blocked }
            guard enterNextPartition() else { return .end }
            try mergePartition()
            return .partition
        }
    }

    /// Passes over the rows of the current partition that were not stepped yet.
    public func skipPartition() {
        if isInPartition { leavePartition() }
    }

    /// After `.blocked`: brings what is missing into memory.
    public func load() async throws(StorageError) {
        guard let source = blocked else { return }
        try await source.load()
        blocked = nil
    }

    /// The deletions of ranges of the current partition that intersect the wanted slices: ascending, not overlapping.
    public var rangeDeletions: [RangeDeletion] { ranges.ranges }

    /// The last place in the log of what was read so far, and perhaps of a little more: what was read may be shown to
    /// clients and other nodes once the log is durable up to there.
    public var lastPosition: LogPosition {
        var last: LogPosition = .start
        for source in sources { last = max(last, source.cursor.lastPosition) }
        return last
    }

    /// Says that the read is over, or is not to go on, and what it has come to: for the statistics of the table.
    package func noteEnd(rows: Int, tombstones: Int) {
        meter?.end(sources: sources.count, absent: absentFileCount, rows: rows, tombstones: tombstones)
    }

    /// How many sources the cursor has opened.
    package var sourceCount: Int { sources.count }

    // MARK: Partitions

    /// Moves every source that stands on no partition; false when one is blocked.
    private func movePartitions() throws(StorageError) -> Bool {
        for index in sources.indices where sources[index].partition == .wanted {
            guard try movePartition(index) else { return false }
        }
        return true
    }

    private func movePartition(_ index: Int) throws(StorageError) -> Bool {
        let cursor: any SourceCursor = sources[index].cursor
        switch try cursor.nextPartition() {
        case .ready:
            sources[index].partition = .reached
            sources[index].isPresent = true
            sources[index].row = .wanted
            sources[index].token = cursor.token
        case .end:
            sources[index].partition = .ended
            if !sources[index].isPresent, cursor is SSTableCursor { absentFileCount &+= 1 }
        case .blocked:
            blocked = cursor
            return false
        }
        return true
    }

    /// Finds the first partition and the sources that have it; false when there is none.
    private func enterNextPartition() -> Bool {
        active.removeAll(keepingCapacity: true)
        for index in sources.indices where sources[index].partition == .reached {
            guard let first = active.first else {
                active.append(index)
                continue
            }
            let order: Int = comparePartitions(index, first)
            if order < 0 { active.removeAll(keepingCapacity: true) }
            if order <= 0 { active.append(index) }
        }
        guard let first = active.first else { return false }
        token = sources[first].token
        key = sources[first].cursor.key
        isInPartition = true
        isRowCurrent = false
        return true
    }

    private func comparePartitions(_ left: Int, _ right: Int) -> Int {
        let a: Token = sources[left].token
        let b: Token = sources[right].token
        if a != b { return a < b ? -1 : 1 }
        return ByteOrder.compare(sources[left].cursor.key, sources[right].cursor.key)
    }

    /// Merges the head of a partition: its deletions and its static row.
    private func mergePartition() throws(StorageError) {
        partitionDeletion = .none
        if !ranges.isEmpty { ranges = RangeDeletions() }
        for index in active {
            let cursor: any SourceCursor = sources[index].cursor
            partitionDeletion = partitionDeletion.merged(with: cursor.partitionDeletion)
            let more: [RangeDeletion] = cursor.rangeDeletions
            if more.isEmpty { continue }
            if ranges.isEmpty {
                ranges = RangeDeletions(sorted: more)
            } else {
                for range in more { ranges.insert(range) }
            }
        }
        staticMerge.begin(shadow: partitionDeletion)
        for index in active { try staticMerge.add(sources[index].cursor.staticRow) }
        staticRow = try staticMerge.finish()
    }

    private func leavePartition() {
        for index in active { sources[index].partition = .wanted }
        active.removeAll(keepingCapacity: true)
        isInPartition = false
        isRowCurrent = false
    }

    // MARK: Rows

    /// Moves every source of the partition that stands on no row; false when one is blocked.
    private func moveRows() throws(StorageError) -> Bool {
        if isRowCurrent {
            passRow()
            isRowCurrent = false
        }
        for index in active where sources[index].row == .wanted {
            guard try moveRow(index) else { return false }
        }
        return true
    }

    private func moveRow(_ index: Int) throws(StorageError) -> Bool {
        let cursor: any SourceCursor = sources[index].cursor
        switch try cursor.nextRow() {
        case .ready: sources[index].row = .reached
        case .end: sources[index].row = .ended
        case .blocked:
            blocked = cursor
            return false
        }
        return true
    }

    /// Sources that stand on the current row have to move. They are those that `mergeNextRow` found.
    private func passRow() {
        for index in onRow { sources[index].row = .wanted }
    }

    /// Indices of the sources that have the current row.
    private var onRow: [Int] = []

    /// Merges the first row of all sources; false when nothing is left of it, or when the partition is over.
    private func mergeNextRow() throws(StorageError) -> Bool {
        findFirstRow()
        guard let first = onRow.first else {
            leavePartition()
            return false
        }
        clustering = sources[first].cursor.clustering
        isRowCurrent = true
        var shadow: Deletion = partitionDeletion
        if !ranges.isEmpty { shadow = shadow.merged(with: ranges.covering(clustering)) }
        if onRow.count == 1, shadow.isNone {
            row = sources[first].cursor.row
            return true
        }
        rowMerge.begin(shadow: shadow)
        for index in onRow { try rowMerge.add(sources[index].cursor.row) }
        row = try rowMerge.finish()
        return !row.isEmpty
    }

    private func findFirstRow() {
        onRow.removeAll(keepingCapacity: true)
        for index in active where sources[index].row == .reached {
            guard let first = onRow.first else {
                onRow.append(index)
                continue
            }
            let order: Int = ByteOrder.compare(sources[index].cursor.clustering, sources[first].cursor.clustering)
            if order == 0 {
                onRow.append(index)
            } else if (order < 0) != isReversed {
                onRow.removeAll(keepingCapacity: true)
                onRow.append(index)
            }
        }
    }

    // MARK: Early stop

    /// Opens further sources of a single-row read, newest first, until the row is decided; false when one is blocked.
    private func openStaged() throws(StorageError) -> Bool {
        guard var staged = later else { return true }
        defer { later = staged.isDone ? nil : staged }
        while true {
            while staged.observedCount < sources.count {
                let index: Int = staged.observedCount
                if sources[index].partition == .wanted {
                    guard try movePartition(index) else { return false }
                }
                if sources[index].partition == .reached, sources[index].row == .wanted {
                    guard try moveRow(index) else { return false }
                }
                let source: Source = sources[index]
                if source.partition == .reached {
                    try staged.observe(source.cursor, hasRow: source.row == .reached)
                }
                staged.observedCount += 1
            }
            guard let next = staged.next() else {
                staged.isDone = true
                return true
            }
            sources.append(Source(cursor: next))
        }
    }
}
