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
    /// Seconds since 1970: what counts as expired.
    let now: Int64
    private let position: CurrentPosition
    private let pageSize: Int
    package private(set) var rows = ByteWriter(capacity: 512)
    package private(set) var rowCount = 0
    private var remaining: Int
    private let perPartitionLimit: Int
    private var remainingInPartition: Int
    /// The partition that was begun on the page before; nil when that ended with a whole one.
    private var resumedKey: [UInt8]?
    private var isInPartition = false
    private var partitionHasRows = false
    /// Whether a cursor has ended inside the partition, and the next one may go on in it.
    private var isSuspended = false
    /// Whether nothing more of the partition is wanted.
    private var hasPassedPartition = false
    private let held = HeldPartition()
    private var group: RowGroup?
    private var sorted: [(clustering: [UInt8], bytes: [UInt8])] = []
    private var lastKey: [UInt8] = []
    private var lastMark: [UInt8] = []
    package private(set) var tombstoneCount = 0
    let tombstones: TombstoneLimit
    /// An aggregate reads as many rows as there are, in pages that only it sees, and the limit is one of pages: how many
    /// tombstones there were before the present one, and how many rows it has.
    private var earlierTombstoneCount = 0
    private var innerPageRowCount = 0
    private static let innerPageSize = 5_000
    /// Whether the limit of tombstones is held here; replicas that are asked for pages hold it by themselves.
    var checksTombstones = true
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
        self.resumedKey = resuming.flatMap { $0.rowMark.isEmpty ? nil : $0.partitionKey }
        if plan.isAggregate { self.group = RowGroup(plan) }
    }

    /// Whether the limit is reached, so that nothing more has to be read.
    package var isDone: Bool { remaining <= 0 }

    /// Takes what the cursor has until it ends, blocks, the page is full, or a turn is over.
    ///
    /// - Parameter endsInside: whether the cursor ends inside of a partition, of which a later one has the rest.
    package func drive(_ cursor: ReadCursor, endsInside: Bool = false) throws -> Progress {
        for _ in 0..<SelectRun.stepsInATurn {
            switch try cursor.step() {
            case .blocked: return .blocked
            case .end:
                if endsInside { isSuspended = isInPartition } else { try leavePartition() }
                return .finished
            case .partition:
                if isSuspended, held.hasKey(cursor.key) {
                    resume(cursor)
                    continue
                }
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

    /// How many rows it makes sense to ask for at once.
    var wantedRowCount: Int {
        let isOpen: Bool = plan.isAggregate || plan.sortsRows || !plan.restrictions.filters.isEmpty
        let usable: Int = min(pageSize == .max ? .max : pageSize - rowCount, remaining)
        return isOpen ? SelectRun.innerPageSize : min(max(1, usable), SelectRun.innerPageSize)
    }

    /// Whether the rows that are found say when there are enough of them.
    var endsByCount: Bool { !plan.sortsRows && (pageSize != .max || remaining < Int(Int32.max)) }

    /// The rows that are still wanted.
    var missingRowCount: Int { min(pageSize == .max ? .max : pageSize - rowCount, remaining) }

    /// The tombstones of the present page.
    var pageTombstoneCount: Int { tombstoneCount - earlierTombstoneCount }

    private var isFull: Bool { rowCount >= pageSize || rows.count >= pageByteCount }
    package var isPageFull: Bool { isFull }

    private func enterPartition(_ cursor: ReadCursor) throws {
        // Copied, because the partition is left only when the cursor already stands on what follows.
        held.hold(key: cursor.key, staticRow: cursor.staticRow)
        try position.enterPartition(key: held.key, staticRow: held.staticRow, now: now)
        isInPartition = true
        isSuspended = false
        hasPassedPartition = false
        let isResumed: Bool = resumedKey.map { held.hasKey($0) } ?? false
        partitionHasRows = isResumed
        if !isResumed { remainingInPartition = perPartitionLimit }
        resumedKey = nil
        tombstoneCount += position.statics.tombstoneCount + cursor.rangeDeletions.count
    }

    /// Goes on with the partition in which the last cursor ended.
    private func resume(_ cursor: ReadCursor) {
        isSuspended = false
        if hasPassedPartition { cursor.skipPartition() }
    }

    private func passPartition(_ cursor: ReadCursor) {
        hasPassedPartition = true
        cursor.skipPartition()
    }

    /// Whether the rest of the partition in which a cursor has ended can be left unread.
    var needsNoMoreOfPartition: Bool { isSuspended && hasPassedPartition }

    /// Ends the partition in which the last cursor ended, because there is nothing more of it.
    func endPartition() throws {
        isSuspended = false
        try leavePartition()
    }

    /// Takes one row; false when the page or the limit is full.
    private func takeRow(_ cursor: ReadCursor) throws -> Bool {
        try position.enterRow(clustering: cursor.clustering, row: cursor.row, now: now)
        let deadCount: Int = position.regulars.tombstoneCount
        tombstoneCount += deadCount
        if deadCount > 0 || !position.regulars.isLive {
            // A row that was deleted as a whole has no dead cells, but is one itself.
            if deadCount == 0 { tombstoneCount += 1 }
            if checksTombstones { try tombstones.check(pageTombstoneCount) }
        }
        guard position.regulars.isLive else { return true }
        if group != nil { countInnerPage() }
        partitionHasRows = true
        guard try passes() else { return true }
        if remainingInPartition <= 0 {
            passPartition(cursor)
            return true
        }
        if plan.isDistinct, group == nil {
            try emit()
            passPartition(cursor)
            return !isFull && !isDone
        }
        if let group {
            if plan.groupColumnCount > 0, try startsGroup(group) {
                if group.isOpen { try emitGroup(group) }
                if isFull || isDone { return false }
                if remainingInPartition <= 0 {
                    passPartition(cursor)
                    return true
                }
            }
            try group.add(position, bindings)
            mark()
            // Of DISTINCT, a partition is one row, however many it holds.
            if plan.isDistinct { passPartition(cursor) }
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
        isSuspended = false
        if let group, plan.groupColumnCount > 0, group.isOpen, !isFull { try emitGroup(group) }
        guard !partitionHasRows, position.statics.isLive, !plan.restrictions.restrictsClustering, !isDone, !isFull
        else {
            return
        }
        position.leaveRow()
        guard try passes() else { return }
        if let group {
            try group.add(position, bindings)
            mark()
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
        // Of DISTINCT, a partition is one row: what comes next is another partition.
        lastMark = position.hasRow && !plan.isDistinct ? [UInt8](position.clustering) : []
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
