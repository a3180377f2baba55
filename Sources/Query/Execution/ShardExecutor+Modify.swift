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

    var token: Token { Token(ofKey: key.span.bytes) }
    var needsRead: Bool { steps.contains { $0.plan.needsRead } }
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
        context.trace?.add("Writing to \(works.count) partitions")
        let byteCount: Int = try await write(works, context)
        guard let kind, works.count > 1 else { return .void }
        let warnings = BatchWarnings(kind: kind, tables: works.map(\.table), byteCount: byteCount)
        return QueryResult(.void, warnings: warnings.texts)
    }

    /// Writes to every partition; the result is the size of the mutations together.
    private func write(_ works: [PartitionWork], _ context: RequestContext) async throws -> Int {
        var byteCount = 0
        for work in works {
            let shard: Int = group.slices.shard(of: work.token)
            if shard == index {
                byteCount += try await writeHere(work)
            } else {
                context.trace?.add("Writing on shard \(shard)")
                byteCount += try await group.run(on: shard) { executor in try await executor.writeHere(work) }
            }
        }
        return byteCount
    }

    /// Writes to a partition of this shard, and waits until the write may be acknowledged; the result is the size of the
    /// mutation.
    func writeHere(_ work: PartitionWork) async throws -> Int {
        guard let table = store.table(work.table.definition.id) else {
            throw CQLError.invalid(message: "table \(work.table.name) does not exist")
        }
        guard work.needsRead else {
            let applied = try await apply(work, StoredPartition(), table)
            try await replica.waitUntilDurable(applied.position)
            return applied.byteCount
        }
        await locks.enter(work.token)
        let applied: AppliedWrite
        do {
            applied = try await apply(work, try await stored(work, table), table)
            locks.leave(work.token)
        } catch {
            locks.leave(work.token)
            throw error
        }
        try await replica.waitUntilDurable(applied.position)
        return applied.byteCount
    }

    private func stored(_ work: PartitionWork, _ table: TableStore) async throws -> StoredPartition {
        var keys: [[UInt8]] = []
        for step in work.steps where step.plan.namesRows { keys += try step.clusteringKeys() }
        return try await readStored(table, work.key, clustering: keys)
    }

    private func apply(
        _ work: PartitionWork, _ found: StoredPartition, _ table: TableStore
    ) async throws -> AppliedWrite {
        var update = PartitionUpdate(table: work.table, key: work.key)
        var current: StoredPartition = found
        for step in work.steps {
            let now: Int64 = step.times.nowSeconds
            let before: StoredPartition = current
            var own = PartitionUpdate(table: work.table, key: work.key)
            try step.apply(to: &own, statics: before.current(before.staticRow, now: now)) {
                clustering throws(CQLError) in
                before.current(before.rows[clustering], now: now)
            }
            if work.needsRead, work.steps.count > 1 { try current.absorb(own) }
            update.add(own)
        }
        guard !update.isEmpty else { return AppliedWrite(position: .start, byteCount: 0) }
        var writer = ByteWriter()
        try update.write(to: &writer)
        let bytes: [UInt8] = writer.array()
        let position: LogPosition = try await replica.applyWithPatience(bytes, to: table)
        return AppliedWrite(position: position, byteCount: bytes.count)
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
        let rows: QueryRows =
            shard == index
            ? try await decideHere(work, isBatch: isBatch)
            : try await group.run(on: shard) { executor in try await executor.decideHere(work, isBatch: isBatch) }
        return QueryResult(.rows(rows))
    }

    /// Checks the conditions and writes when all hold; nobody else does so in this partition meanwhile.
    func decideHere(_ work: PartitionWork, isBatch: Bool) async throws -> QueryRows {
        guard let table = store.table(work.table.definition.id) else {
            throw CQLError.invalid(message: "table \(work.table.name) does not exist")
        }
        await locks.enter(work.token)
        let rows: QueryRows
        var position: LogPosition = .start
        do {
            let found = try await stored(work, table)
            let decision = try ConditionDecision(work, found, isBatch: isBatch)
            if decision.isApplied { position = try await apply(work, found, table).position }
            rows = decision.rows
            locks.leave(work.token)
        } catch {
            locks.leave(work.token)
            throw error
        }
        try await replica.waitUntilDurable(position)
        return rows
    }
}
