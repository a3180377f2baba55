import CQL
import Cluster
import Coordination
import DataModel
import Environment
import Primitives
import Storage

/// Reads one page of a SELECT from the replicas of its partitions and ranges.
///
///     parts, in order ─▶ some asked at once ─▶ pages, taken in order ─▶ SelectRun
///                                                 └─▶ a part with more than one page: its next ones, one by one
///
/// Confined to its loop; `Sendable` is unchecked for that reason.
final class ReplicaReading: @unchecked Sendable {
    private let executor: ShardExecutor
    private let read: SelectRead
    private let run: SelectRun
    private let table: CompiledTable
    private let level: Consistency
    private let trace: RequestTrace?
    private let isReversed: Bool

    init(_ executor: ShardExecutor, _ read: SelectRead, _ plan: SelectPlan, _ context: RequestContext) {
        self.executor = executor
        self.read = read
        self.run = read.run
        self.table = plan.table
        self.level = context.consistency
        self.trace = context.trace
        self.isReversed = plan.isReversed
        run.checksTombstones = false
    }

    /// What comes after a part has been taken.
    private enum Progress {
        case goesOn
        /// Nothing more is wanted.
        case isEnough
        /// The cluster has another placement now, and this is still to be read.
        case hasMoved([ReadCommand])
    }

    /// Takes parts until there are no more, or the page is full.
    func run(_ planned: [PlacedRead]) async throws {
        var parts: [PlacedRead] = planned
        var window: ReadWindow
        if case .one = parts.first?.command.partitions {
            window = ReadWindow(rows: run.missingRowCount)
        } else {
            trace?.add("Computing ranges to query: there are \(parts.count)")
            window = ReadWindow(isOpen: !run.endsByCount)
        }
        var next = 0
        while next < parts.count {
            let count: Int = min(window.count, parts.count - next)
            if parts.count > 1 { trace?.add("Reading \(count) of \(parts.count) ranges or partitions at once") }
            switch try await take(parts[next..<(next + count)]) {
            case .goesOn: next += count
            case .isEnough: return
            case .hasMoved(let unread):
                trace?.add("The ring has changed: computing ranges to query again")
                parts = try executor.placed(
                    unread + parts[(next + count)...].map(\.command), of: table, level)
                next = 0
            }
            if run.isPageFull, next < parts.count { return }
            window.note(parts: count, rows: run.rowCount, missing: run.missingRowCount)
        }
        read.isComplete = true
    }

    /// Asks for some parts at once, and takes them in order.
    private func take(_ parts: ArraySlice<PlacedRead>) async throws -> Progress {
        let byteLimit: Int = ReadWindow.byteLimit(of: parts.count)
        if parts.count == 1, let only = parts.first {
            return try await take(only) { try await self.page(only, only.command, byteLimit) }
        }
        let works: [LoopWork<MergedPage>] = parts.map { part in
            LoopWork("read from replicas", on: executor.loop, of: executor.host) { [self] in
                try await page(part, part.command, byteLimit)
            }
        }
        for (offset, (part, work)) in zip(parts, works).enumerated() {
            switch try await take(part, first: { try await work.value() }) {
            case .goesOn: continue
            case .isEnough: return .isEnough
            case .hasMoved(let unread): return .hasMoved(unread + parts.dropFirst(offset + 1).map(\.command))
            }
        }
        return .goesOn
    }

    private func page(_ part: PlacedRead, _ command: ReadCommand, _ byteLimit: Int) async throws -> MergedPage {
        var wanted: ReadCommand = command
        // Replicas may find what decides some columns in different files, and would have different digests.
        wanted.columns = nil
        let request = PageRequest(
            table: table.definition.id, command: wanted, nowSeconds: run.now,
            graceStart: run.now - Int64(table.definition.options.gcGraceSeconds), rowLimit: run.wantedRowCount,
            byteLimit: byteLimit, tombstoneLimit: run.tombstones.left(after: run.pageTombstoneCount))
        return try await executor.page(request, part.plan, level, table, read.deadline, trace)
    }

    /// Takes a part from its first page to its last.
    private func take(_ part: PlacedRead, first: () async throws -> MergedPage) async throws -> Progress {
        var command: ReadCommand = part.command
        do {
            var page: MergedPage = try await first()
            while true {
                let endsInside: Bool = page.covered?.clustering != nil
                let isFull: Bool = try await read.drive(
                    run, page.cursor(isReversed: isReversed), on: executor.loop, endsInside: endsInside)
                if isFull || run.isDone { return .isEnough }
                guard let rest = rest(of: command, after: page.covered) else {
                    try run.endPartition()
                    return .goesOn
                }
                if run.isPageFull { return .isEnough }
                command = rest
                page = try await self.page(part, command, ReadWindow.byteLimit(of: 1))
            }
        } catch is PlacementMoved { return .hasMoved([command]) }
    }

    /// What is left to read; nil when nothing is.
    private func rest(of command: ReadCommand, after covered: ReadMark?) -> ReadCommand? {
        guard var mark = covered else { return nil }
        if run.needsNoMoreOfPartition { mark.clustering = nil }
        if case .one = command.partitions, mark.clustering == nil { return nil }
        let rest: ReadCommand = command.after(mark)
        if case .one = rest.partitions { return rest.slices.isEmpty ? nil : rest }
        return rest.partitions.start < rest.partitions.end ? rest : nil
    }
}

extension ShardExecutor {
    /// Reads one page from replicas.
    ///
    /// - Throws: `CQLError` for what coordination says of it.
    func page(
        _ request: PageRequest, _ plan: ReplicaPlan, _ level: Consistency, _ table: CompiledTable, _ deadline: Deadline,
        _ trace: RequestTrace?
    ) async throws -> MergedPage {
        if level.isSerial, case .one(let token, let key) = request.command.partitions {
            return try await serialPage(request, of: key, token, level, table, trace)
        }
        let left: UInt32 = deadline.leftMilliseconds(host.time)
        guard left > 0 else {
            throw CQLError.readTimeout(
                level, received: 0, required: plan.readRule(level).needed, isDataPresent: false)
        }
        do {
            return try await coordination.reads.page(
                request, plan, level, table.readPolicy, timeoutMilliseconds: left, trace: trace)
        } catch let failure as CoordinationFailure { throw cqlError(failure) }
    }
}
