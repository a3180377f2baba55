import CQL
import Coordination
import DataModel
import Environment
import Primitives
import Storage

/// The reads that a SELECT comes to, and the page that they fill.
final class SelectRead: @unchecked Sendable {
    // Unchecked: handed from shard to shard by the one task that runs the request.
    let run: SelectRun
    private(set) var commands: [ReadCommand] = []
    /// Whether all of the result was read.
    var isComplete = false
    private let plan: SelectPlan
    private let isResuming: Bool
    let consistency: Consistency
    /// When the client stops waiting.
    let deadline: Deadline
    private let host: Host

    var isEmpty: Bool { commands.isEmpty }

    init(
        _ plan: SelectPlan, _ bindings: Bindings, _ context: RequestContext, tombstones: TombstoneLimit,
        _ timeouts: RequestTimeouts, _ host: Host
    ) throws {
        self.plan = plan
        self.consistency = context.consistency
        self.host = host
        self.deadline = Deadline(plan.restrictions.namesPartitions ? timeouts.read : timeouts.range, host.time)
        let limit: Int = try SelectRead.limit(plan.limit, bindings, "LIMIT")
        let perPartition: Int = try SelectRead.limit(plan.perPartitionLimit, bindings, "PER PARTITION LIMIT")
        var resuming: PagingState?
        if let state = context.pagingState {
            do throws(ProtocolError) {
                resuming = try PagingState(decoding: state.span.bytes)
            } catch { throw CQLError.protocolError(message: error.message) }
        }
        if plan.sortsRows, context.pageSize > 0, limit > context.pageSize {
            throw CQLError.invalid(
                message:
                    "Cannot page queries with both ORDER BY and a IN restriction on the partition key; you must either "
                    + "remove the ORDER BY or the IN and sort client side, or disable paging for this query")
        }
        self.run = SelectRun(
            plan: plan, bindings: bindings, limit: limit, perPartitionLimit: perPartition,
            pageSize: plan.sortsRows ? -1 : context.pageSize, resuming: resuming, tombstones: tombstones)
        self.isResuming = resuming != nil
        let slices: [ClusteringSlice] = try plan.restrictions.slices(plan.table, bindings)
        if plan.restrictions.namesPartitions {
            try addPartitions(try plan.restrictions.partitionKeys(plan.table, bindings), slices, resuming)
        } else {
            try addRange(try plan.restrictions.tokenRange(bindings), slices, resuming)
        }
    }

    private static func limit(_ expression: Expression?, _ bindings: Bindings, _ name: String) throws(CQLError) -> Int {
        guard let expression else { return Int(Int32.max) }
        switch try expression.evaluate(bindings) {
        case .unset: return Int(Int32.max)
        case .null:
            throw .invalid(message: "Invalid null value of limit")
        case .bytes(let bytes):
            guard bytes.count == 4 else { throw .invalid(message: "Invalid limit value") }
            let value = bytes.reduce(Int32(0)) { $0 << 8 | Int32($1) }
            guard value > 0 else { throw .invalid(message: "\(name) must be strictly positive") }
            return Int(value)
        }
    }

    private func addPartitions(_ keys: [[UInt8]], _ slices: [ClusteringSlice], _ resuming: PagingState?) throws {
        var first = 0
        if let resuming {
            guard let place = keys.firstIndex(of: resuming.partitionKey) else {
                throw CQLError.protocolError(message: "Invalid value for the paging state")
            }
            first = resuming.rowMark.isEmpty ? place + 1 : place
        }
        for (index, key) in keys.enumerated().dropFirst(first) {
            var own = slices
            if let resuming, index == first, !resuming.rowMark.isEmpty {
                own = rest(of: slices, after: resuming.rowMark)
            }
            commands.append(command(.one(token: Token(ofKey: key.span.bytes), key: key), own))
        }
    }

    private func addRange(
        _ tokens: (first: Int64, last: Int64)?, _ slices: [ClusteringSlice], _ resuming: PagingState?
    ) throws {
        guard let tokens else { return }
        var start = PartitionPosition.before(Token(tokens.first))
        let end = PartitionPosition.after(Token(tokens.last))
        var firstSlices: [ClusteringSlice]?
        if let resuming {
            let token = Token(ofKey: resuming.partitionKey.span.bytes)
            if resuming.rowMark.isEmpty {
                start = .after(token, resuming.partitionKey)
            } else {
                start = .before(token, resuming.partitionKey)
                firstSlices = rest(of: slices, after: resuming.rowMark)
            }
        }
        guard start < end else { return }
        var read = command(.range(start: start, end: end), slices)
        read.firstPartitionSlices = firstSlices
        commands = [read]
    }

    private func command(_ partitions: PartitionRange, _ slices: [ClusteringSlice]) -> ReadCommand {
        ReadCommand(
            partitions: partitions, slices: slices, isReversed: plan.isReversed, columns: plan.wantedColumns)
    }

    /// What is left of slices once the row at `mark` has been returned.
    private func rest(of slices: [ClusteringSlice], after mark: [UInt8]) -> [ClusteringSlice] {
        let left =
            plan.isReversed
            ? ClusteringSlice(start: [], end: mark)
            : ClusteringSlice(start: mark + [0], end: ClusteringBound.afterEverything)
        return Restrictions.intersection(slices, [left])
    }

    /// Whether the partitions from this one on may be read at the same time: their rows do not depend on each other.
    func canReadAhead(from place: Int) -> Bool {
        guard !plan.isAggregate, !plan.sortsRows, commands.count - place > 1, place > 0 || !isResuming else {
            return false
        }
        if case .one = commands[place].partitions { return true }
        return false
    }

    /// Takes all that a cursor has, waiting for the disk where that is needed; true when the page is full.
    ///
    /// - Parameter loop: the loop of the cursor's shard, where the caller is.
    func drive(_ cursor: ReadCursor, on loop: any Loop) async throws -> Bool {
        try await drive(run, cursor, on: loop)
    }

    /// As `drive`, for a part of the result that is put together later.
    ///
    /// - Parameter endsInside: whether the cursor ends inside of a partition, of which a later one has the rest.
    func drive(
        _ run: SelectRun, _ cursor: ReadCursor, on loop: any Loop, endsInside: Bool = false
    ) async throws -> Bool {
        let (rowCount, tombstoneCount): (Int, Int) = (run.rowCount, run.tombstoneCount)
        while true {
            switch try run.drive(cursor, endsInside: endsInside) {
            case .finished:
                noteEnd(of: cursor, run, rowCount, tombstoneCount)
                return false
            case .pageIsFull:
                noteEnd(of: cursor, run, rowCount, tombstoneCount)
                return true
            case .pausing:
                if deadline.hasPassed(host.time) { throw timeout }
                await Task.yield()
            case .blocked:
                let lent = LentCursor(cursor: cursor)
                let loaded: Bool? = try await host.within(deadline.left(host.time), on: loop, "read") {
                    try await lent.cursor.load()
                    return true
                }
                if loaded == nil { throw timeout }
            }
        }
    }

    private func noteEnd(of cursor: ReadCursor, _ run: SelectRun, _ rowCount: Int, _ tombstoneCount: Int) {
        cursor.noteEnd(rows: run.rowCount - rowCount, tombstones: run.tombstoneCount - tombstoneCount)
    }

    /// Returns once what was read is durable up to a place in the log: before that nobody is to see it.
    func waitUntilDurable(_ position: LogPosition, in replica: ReplicaShard) async throws {
        if replica.store.log.acknowledgeable >= position { return }
        let isDurable: Bool? = try await host.within(deadline.left(host.time), on: replica.store.loop, "read") {
            try await replica.waitUntilDurable(position)
            return true
        }
        if isDurable == nil { throw timeout }
    }

    /// `Sendable` is unchecked because the cursor stays on its loop, and whoever lends it does not touch it meanwhile.
    private struct LentCursor: @unchecked Sendable {
        let cursor: ReadCursor
    }

    private var timeout: CQLError {
        .readTimeout(consistency, received: 0, required: 1, isDataPresent: false)
    }

    func result(complete: Bool) -> QueryRows {
        QueryRows(
            metadata: plan.metadata, rowCount: run.rowCount, bytes: run.rows.array(),
            pagingState: complete || run.isDone || plan.isAggregate && plan.groupColumnCount == 0
                ? nil : run.pagingState.encoded)
    }
}
