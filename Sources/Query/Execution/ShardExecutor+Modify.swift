package import CQL
import Coordination
import DataModel
import Environment
import Primitives
import Storage

/// What a request changes in one partition: its statements, in order, each with its own values.
struct PartitionWork: Sendable {
    /// Which partition: statements of one request that change the same one are carried out together.
    struct Place: Hashable {
        let table: ObjectIdentifier
        let key: [UInt8]
    }

    let table: CompiledTable
    let key: [UInt8]
    var steps: [ModificationExecution]
    /// The mutation, when it was made before the shard of the partition is asked: for batches, whose size is checked.
    var mutation: [UInt8]?

    var token: Token { Token(ofKey: key.span.bytes) }
    var needsRead: Bool { steps.contains { $0.plan.needsRead } }

    init(table: CompiledTable, key: [UInt8], steps: [ModificationExecution]) {
        self.table = table
        self.key = key
        self.steps = steps
    }

    /// The mutation that the statements come to; empty when they change nothing.
    func encoded(after found: StoredPartition) throws -> [UInt8] {
        var update = PartitionUpdate(table: table, key: key)
        var current: StoredPartition = found
        for step in steps {
            let now: Int64 = step.times.nowSeconds
            let before: StoredPartition = current
            var own = PartitionUpdate(table: table, key: key)
            try step.apply(to: &own, statics: before.current(before.staticRow, now: now)) {
                clustering throws(CQLError) in
                before.current(before.rows[clustering], now: now)
            }
            if needsRead, steps.count > 1 { try current.absorb(own) }
            update.add(own)
        }
        guard !update.isEmpty else { return [] }
        var writer = ByteWriter()
        try update.write(to: &writer)
        return writer.array()
    }
}

/// Where in the log a mutation stands, and its size.
struct AppliedWrite: Sendable {
    let position: LogPosition
    let byteCount: Int
}

/// Writes that are more than one simple row: collections, ranges, batches, counters, conditions.
extension ShardExecutor {
    /// Carries out one modification, or the modifications of a batch when `kind` is given.
    package func modify(
        _ statements: [(plan: ModificationPlan, values: [TermValue])], kind: BatchStatement.Kind?,
        _ context: RequestContext
    ) async throws -> QueryResult {
        if let kind { try BatchRules.check(kind, statements.map(\.plan), hasTimestamp: false) }
        let isConditional: Bool = statements.contains { $0.plan.condition.isPresent }
        let timestamp: Int64 = context.timestamp ?? nextTimestamp()
        var works: [PartitionWork] = []
        var places: [PartitionWork.Place: Int] = [:]
        for statement in statements {
            let plan: ModificationPlan = statement.plan
            try ConsistencyCheck.write(context.consistency, plan.table)
            let bindings = self.bindings(statement.values, context)
            let times = try WriteTimes(plan, bindings, defaultTimestamp: timestamp)
            let step = ModificationExecution(plan: plan, bindings: bindings, times: times, node: node.hostID)
            let keys: [[UInt8]] = try plan.restrictions.partitionKeys(plan.table, bindings)
            if keys.count > 1 {
                // Every partition gets every row, so both limits together would still let one statement run for hours.
                try Restrictions.checkCombinations(keys.count, try step.clusteringKeys().count)
            }
            for key in keys {
                let place = PartitionWork.Place(table: ObjectIdentifier(plan.table), key: key)
                if let known = places[place] {
                    works[known].steps.append(step)
                } else {
                    places[place] = works.count
                    works.append(PartitionWork(table: plan.table, key: key, steps: [step]))
                }
            }
        }
        if isConditional { return try await modifyConditionally(works, isBatch: kind != nil, context) }
        var warnings: [String] = []
        if let kind {
            var size = BatchSize(node.limits)
            for place in works.indices { try size.add(&works[place]) }
            warnings = size.warnings(works, kind)
        }
        context.trace?.add("Writing to \(works.count) partitions")
        do {
            try await write(works)
        } catch is WriteTimedOut {
            let type: WriteType = works.contains { $0.table.isCounter } ? .counter : writeType(kind)
            throw CQLError.writeTimeout(type, context.consistency, received: 0, required: 1)
        }
        return QueryResult(.void, warnings: warnings)
    }

    private func writeType(_ kind: BatchStatement.Kind?) -> WriteType {
        switch kind {
        case nil: .simple
        case .logged: .batch
        case .unlogged: .unloggedBatch
        case .counter: .counter
        }
    }

    /// Writes on all shards at once.
    private func write(_ works: [PartitionWork]) async throws {
        var byShard: [[PartitionWork]] = Array(repeating: [], count: group.executors.count)
        for work in works { byShard[group.slices.shard(of: work.token)].append(work) }
        _ = try await group.run(byShard, from: self) { executor, works in try await executor.writeHere(works) }
    }

    /// Writes to partitions of this shard, and waits until the writes may be acknowledged.
    private func writeHere(_ works: [PartitionWork]) async throws {
        var last: LogPosition = .start
        for work in works {
            guard let table = store.table(work.table.definition.id) else {
                throw CQLError.invalid(message: "table \(work.table.name) does not exist")
            }
            last = max(last, try await apply(work, table))
        }
        try await waitUntilDurable(last, isCounter: works.contains { $0.table.isCounter })
    }

    private func apply(_ work: PartitionWork, _ table: TableStore) async throws -> LogPosition {
        if let mutation = work.mutation {
            return mutation.isEmpty ? .start : try await replica.applyWithPatience(mutation, to: table)
        }
        guard work.needsRead else { return try await apply(work, StoredPartition(), table) }
        guard await locks.enter(work.token, within: timeouts.write, on: loop) else { throw WriteTimedOut() }
        defer { locks.leave(work.token) }
        return try await apply(work, try await stored(work, table), table)
    }

    private func stored(_ work: PartitionWork, _ table: TableStore) async throws -> StoredPartition {
        var keys: [[UInt8]] = []
        for step in work.steps where step.plan.namesRows { keys += try step.clusteringKeys() }
        return try await readStored(table, work.key, clustering: keys)
    }

    private func apply(
        _ work: PartitionWork, _ found: StoredPartition, _ table: TableStore
    ) async throws -> LogPosition {
        let mutation: [UInt8] = try work.encoded(after: found)
        return mutation.isEmpty ? .start : try await replica.applyWithPatience(mutation, to: table)
    }

    // MARK: Conditions

    private func modifyConditionally(
        _ works: [PartitionWork], isBatch: Bool, _ context: RequestContext
    ) async throws -> QueryResult {
        guard let work = works.first, works.count == 1 else {
            throw CQLError.invalid(message: "Batch with conditions cannot span multiple partitions")
        }
        guard context.serialConsistency.isSerial else {
            throw CQLError.invalid(
                message: "Invalid consistency for conditional update. Must be one of SERIAL or LOCAL_SERIAL")
        }
        let shard: Int = group.slices.shard(of: work.token)
        let level: Consistency = context.serialConsistency
        let rows: QueryRows =
            shard == index
            ? try await decideHere(work, isBatch: isBatch, level)
            : try await group.run(on: shard) { executor in
                try await executor.decideHere(work, isBatch: isBatch, level)
            }
        return QueryResult(.rows(rows))
    }

    /// Checks the conditions and writes when all hold; nobody else does so in this partition meanwhile.
    func decideHere(_ work: PartitionWork, isBatch: Bool, _ level: Consistency) async throws -> QueryRows {
        guard let table = store.table(work.table.definition.id) else {
            throw CQLError.invalid(message: "table \(work.table.name) does not exist")
        }
        guard await locks.enter(work.token, within: timeouts.contention, on: loop) else {
            throw CQLError.casTimeout(level, received: 0, required: 1, contentions: 1)
        }
        let rows: QueryRows
        var position: LogPosition = .start
        do {
            let found = try await stored(work, table)
            let decision = try ConditionDecision(work, found, isBatch: isBatch)
            if decision.isApplied { position = try await apply(work, found, table) }
            rows = decision.rows
            locks.leave(work.token)
        } catch {
            locks.leave(work.token)
            throw error
        }
        do {
            try await waitUntilDurable(position)
        } catch is WriteTimedOut {
            throw CQLError.casWriteUnknown(level, received: 0, required: 1)
        }
        return rows
    }

    /// Returns once the write at `position` may be acknowledged.
    ///
    /// - Throws: `WriteTimedOut`, or what the log failed with.
    private func waitUntilDurable(_ position: LogPosition, isCounter: Bool = false) async throws {
        switch await replica.end(of: position, isCounter: isCounter) {
        case .durable: return
        case .failed(let failure): throw failure
        case .timedOut: throw WriteTimedOut()
        }
    }
}
