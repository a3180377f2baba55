package import CQL
import DataModel
package import Primitives
package import Storage

/// One page of one SELECT: takes partitions and rows from cursors, filters and groups them, and writes the rows of the
/// result.
///
/// It is handed from shard to shard while it runs, and used by one at a time.
package final class SelectRun: @unchecked Sendable {
    // Unchecked: the one task that runs the request hands it over; see above.
    package enum Progress {
        case finished, blocked, pageIsFull
        /// There is more, and it is the turn of others on the loop.
        case pausing
    }

    private let plan: SelectPlan
    private let bindings: Bindings
    private let now: Int64
    private let position: CurrentPosition
    private let pageSize: Int
    package private(set) var rows = ByteWriter(capacity: 512)
    package private(set) var rowCount = 0
    private var remaining: Int
    private let perPartitionLimit: Int
    private var remainingInPartition: Int
    /// Whether the partition that comes first was begun on the last page.
    private var resumesPartition: Bool
    private var isInPartition = false
    private var partitionHasRows = false
    private var group: RowGroup?
    private var sorted: [(clustering: [UInt8], bytes: [UInt8])] = []
    private var lastKey: [UInt8] = []
    private var lastMark: [UInt8] = []
    package private(set) var tombstoneCount = 0
    private let tombstones: TombstoneLimit
    /// An aggregate reads as many rows as there are, in pages that only it sees, and the limit is one of pages: how many
    /// tombstones there were before the present one, and how many rows it has.
    private var earlierTombstoneCount = 0
    private var innerPageRowCount = 0
    private static let innerPageSize = 5_000
    /// Bytes of rows with which a page counts as full.
    private let pageByteCount: Int

    /// The largest result of one page, in bytes.
    private static let maximumByteCount = 256 << 20
    /// Steps of a cursor before others on the loop have their turn: less than a millisecond of work.
    private static let stepsInATurn = 2_048

    package init(
        plan: SelectPlan, bindings: Bindings, limit: Int, perPartitionLimit: Int, pageSize: Int, resuming: PagingState?,
        tombstones: TombstoneLimit, pageByteCount: Int = .max
    ) {
        self.tombstones = tombstones
        self.pageByteCount = pageByteCount
        self.plan = plan
        self.bindings = bindings
        self.now = bindings.nowSeconds
        self.position = CurrentPosition(plan.table)
        self.pageSize = plan.isAggregate && plan.groupColumnCount == 0 || pageSize <= 0 ? .max : pageSize
        self.remaining = resuming?.remaining ?? limit
        self.perPartitionLimit = perPartitionLimit
        self.remainingInPartition = resuming?.remainingInPartition ?? perPartitionLimit
        self.resumesPartition = resuming.map { !$0.rowMark.isEmpty } ?? false
        if plan.isAggregate { self.group = RowGroup(plan) }
    }

    /// Whether the limit is reached, so that nothing more has to be read.
    package var isDone: Bool { remaining <= 0 }

    /// Takes what the cursor has until it ends, blocks, the page is full, or a turn is over.
    package func drive(_ cursor: ReadCursor) throws -> Progress {
        for _ in 0..<SelectRun.stepsInATurn {
            switch try cursor.step() {
            case .blocked: return .blocked
            case .end:
                try leavePartition()
                return .finished
            case .partition:
                try leavePartition()
                if isFull { return .pageIsFull }
                if isDone { return .finished }
                try enterPartition(cursor)
            case .row:
                if try !takeRow(cursor) { return isDone ? .finished : .pageIsFull }
            }
        }
        return .pausing
    }

    private var isFull: Bool { rowCount >= pageSize || rows.count >= pageByteCount }
    package var isPageFull: Bool { isFull }

    private func enterPartition(_ cursor: ReadCursor) throws {
        try position.enterPartition(key: cursor.key, staticRow: cursor.staticRow, now: now)
        isInPartition = true
        partitionHasRows = resumesPartition
        if !resumesPartition { remainingInPartition = perPartitionLimit }
        resumesPartition = false
        tombstoneCount += position.statics.tombstoneCount + cursor.rangeDeletions.count
    }

    /// Takes one row; false when the page or the limit is full.
    private func takeRow(_ cursor: ReadCursor) throws -> Bool {
        try position.enterRow(clustering: cursor.clustering, row: cursor.row, now: now)
        let deadCount: Int = position.regulars.tombstoneCount
        tombstoneCount += deadCount
        if deadCount > 0 || !position.regulars.isLive {
            // A row that was deleted as a whole has no dead cells, but is one itself.
            if deadCount == 0 { tombstoneCount += 1 }
            try tombstones.check(tombstoneCount - earlierTombstoneCount)
        }
        guard position.regulars.isLive else { return true }
        if group != nil { countInnerPage() }
        partitionHasRows = true
        guard try passes() else { return true }
        if remainingInPartition <= 0 {
            cursor.skipPartition()
            return true
        }
        if plan.isDistinct, group == nil {
            try emit()
            cursor.skipPartition()
            return !isFull && !isDone
        }
        if let group {
            if plan.groupColumnCount > 0, try startsGroup(group) {
                if group.isOpen { try emitGroup(group) }
                if isFull || isDone { return false }
                if remainingInPartition <= 0 {
                    cursor.skipPartition()
                    return true
                }
            }
            try group.add(position, bindings)
            mark()
            // Of DISTINCT, a partition is one row, however many it holds.
            if plan.isDistinct { cursor.skipPartition() }
            return true
        }
        try emit()
        if isFull || isDone { return false }
        return true
    }

    private func countInnerPage() {
        innerPageRowCount += 1
        guard innerPageRowCount == SelectRun.innerPageSize else { return }
        innerPageRowCount = 0
        earlierTombstoneCount = tombstoneCount
    }

    /// Ends the current partition: one without rows still shows its static columns.
    private func leavePartition() throws {
        guard isInPartition else { return }
        isInPartition = false
        if let group, plan.groupColumnCount > 0, group.isOpen, !isFull { try emitGroup(group) }
        guard !partitionHasRows, position.statics.isLive, !plan.restrictions.restrictsClustering, !isDone, !isFull
        else {
            return
        }
        position.leaveRow()
        guard try passes() else { return }
        if let group {
            try group.add(position, bindings)
            if plan.groupColumnCount > 0 { try emitGroup(group) }
        } else {
            try emit()
        }
    }

    private func passes() throws -> Bool {
        for filter in plan.restrictions.filters {
            guard try filter.admits(try position.array(filter.column), bindings) else { return false }
        }
        return true
    }

    // MARK: Output

    private func mark() {
        lastKey = [UInt8](position.key)
        lastMark = position.hasRow ? [UInt8](position.clustering) : []
    }

    private func emit() throws {
        let start: Int = rows.count
        if let columns = plan.plainColumns {
            for column in columns {
                try position.write(column, to: &rows)
                // A statement may name a large column many thousand times.
                if rows.count > SelectRun.maximumByteCount { throw SelectRun.tooLarge }
            }
        } else {
            for output in plan.outputs {
                SelectRun.write(try SelectorEvaluation.value(output.selector, position, bindings, []), to: &rows)
                if rows.count > SelectRun.maximumByteCount { throw SelectRun.tooLarge }
            }
        }
        if plan.sortsRows {
            let bytes = rows.withUnsafeBytes { [UInt8](UnsafeRawBufferPointer(rebasing: $0[start...])) }
            rows.truncate(to: start)
            sorted.append(([UInt8](position.clustering), bytes))
            remainingInPartition -= 1
            return
        }
        try countRow()
        mark()
    }

    private func countRow() throws {
        rowCount += 1
        remaining -= 1
        remainingInPartition -= 1
        guard rows.count <= SelectRun.maximumByteCount else { throw SelectRun.tooLarge }
    }

    private static var tooLarge: CQLError {
        .invalid(message: "The result is larger than \(maximumByteCount) bytes; ask for smaller pages")
    }

    private static func write(_ value: [UInt8]?, to writer: inout ByteWriter) {
        guard let value else { return writer.write(Int32(-1)) }
        writer.write(Int32(truncatingIfNeeded: value.count))
        writer.write(value)
    }

    // MARK: Groups

    private func startsGroup(_ group: RowGroup) throws -> Bool {
        var prefix: Int = plan.groupColumnCount - plan.table.partitionKey.count
        var functionValue: [UInt8]?
        if let function = plan.grouping.function {
            prefix -= 1
            functionValue = try SelectorEvaluation.value(function, position, bindings, [])
        }
        return group.starts(
            key: [UInt8](position.key), clustering: try position.clusteringPrefix(prefix), functionValue: functionValue)
    }

    private func emitGroup(_ group: RowGroup) throws {
        for value in try group.finish(bindings) { SelectRun.write(value, to: &rows) }
        try countRow()
    }

    /// Ends the result once every cursor has ended: the last group, the sorted rows.
    package func finish() throws {
        if let group, plan.groupColumnCount == 0 { try emitGroup(group) }
        guard plan.sortsRows else { return }
        let ascending = sorted.enumerated().sorted { left, right in
            let order = ByteOrder.compare(left.element.clustering, right.element.clustering)
            return order == 0 ? left.offset < right.offset : (order < 0) != plan.isReversed
        }
        for row in ascending.prefix(max(0, remaining)) {
            rows.write(row.element.bytes)
            rowCount += 1
        }
    }

    /// Where the next page starts, when this one is full.
    package var pagingState: PagingState {
        PagingState(
            partitionKey: lastKey, rowMark: lastMark, remaining: remaining,
            remainingInPartition: max(0, remainingInPartition))
    }
}

/// Runs for single partitions that were read at the same time, and what becomes of them.
extension SelectRun {
    /// The most bytes of rows that are kept of one partition of several.
    private static let partByteCount = 1 << 20

    /// A run for one partition, which takes no more than this one could still use.
    func makePart() -> SelectRun {
        SelectRun(
            plan: plan, bindings: bindings, limit: remaining, perPartitionLimit: perPartitionLimit,
            pageSize: pageSize == .max ? -1 : max(1, pageSize - rowCount), resuming: nil, tombstones: tombstones,
            pageByteCount: SelectRun.partByteCount)
    }

    /// Takes the rows of a partition that was read apart; false when they do not fit, and nothing was taken then.
    func take(_ part: SelectRun, isCut: Bool) throws(CQLError) -> Bool {
        guard !isCut, part.rowCount <= remaining, pageSize == .max || rowCount + part.rowCount <= pageSize,
            rows.count + part.rows.count <= SelectRun.maximumByteCount
        else { return false }
        tombstoneCount += part.tombstoneCount
        try tombstones.check(tombstoneCount)
        guard part.rowCount > 0 else { return true }
        part.rows.withUnsafeBytes { rows.write($0) }
        rowCount += part.rowCount
        remaining -= part.rowCount
        remainingInPartition = part.remainingInPartition
        lastKey = part.lastKey
        lastMark = part.lastMark
        return true
    }

    /// What the client is told of the tombstones that were passed.
    func tombstoneWarnings(_ text: String, limit: Int) -> [String] {
        guard tombstones.isCounted, tombstoneCount > limit else { return [] }
        let key: [UInt8] = lastKey
        let token: String = key.isEmpty ? "unknown" : "\(Token(ofKey: key.span.bytes).value)"
        return [
            "Read \(rowCount) live rows and \(tombstoneCount) tombstone cells for query \(text.prefix(512)); token "
                + "\(token) (see tombstone_warn_threshold)"
        ]
    }
}
