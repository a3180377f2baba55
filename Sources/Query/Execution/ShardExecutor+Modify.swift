package import CQL
import Cluster
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
        let isSeenByLater: Bool = steps.count > 1 && needsRead
        for step in steps {
            let now: Int64 = step.times.nowSeconds
            let before: StoredPartition = current
            var own = PartitionUpdate(table: table, key: key)
            try step.apply(to: &own, statics: before.current(before.staticRow, now: now)) {
                clustering throws(CQLError) in
                before.current(before.rows[clustering], now: now)
            }
            if isSeenByLater { try current.absorb(own) }
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
        defer { if let kind { requests.noteBatch(kind.statisticsPlace, partitions: works.count) } }
        var places: [PartitionWork.Place: Int] = [:]
        for statement in statements {
            let plan: ModificationPlan = statement.plan
            try ConsistencyCheck.validateWrite(context.consistency, plan.table, isConditional: isConditional)
            let bindings = self.bindings(statement.values, context)
            let times = try WriteTimes(plan, bindings, defaultTimestamp: timestamp)
            try timestampLimit.check(times.timestamp, now: host.time.wallMicroseconds, plan.table)
            let step = ModificationExecution(plan: plan, bindings: bindings, times: times)
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
        context.trace?.add("Determining replicas for \(works.count == 1 ? "mutation" : "\(works.count) mutations")")
        if works.first?.table.isCounter == true {
            try await writeCounters(works, context.consistency, context.trace)
        } else {
            try await write(works, kind, context)
        }
        return QueryResult(.void, warnings: warnings)
    }

    // MARK: Plain writes

    /// Writes to the replicas of all partitions at once.
    private func write(
        _ works: [PartitionWork], _ kind: BatchStatement.Kind?, _ context: RequestContext
    ) async throws {
        let level: Consistency = context.consistency
        if works.contains(where: \.needsRead) { try ConsistencyCheck.validateReadBeforeWrite(level) }
        try checkWriters(works, level)
        if kind == .logged, works.count > 1 { return try await writeLogged(works, level, context.trace) }
        let kind: WriteKind = works.count <= 1 ? .simple : .unloggedBatch
        let terms = WriteTerms(
            level: level, kind: kind, deadline: Deadline(timeouts.write, host.time), trace: context.trace)
        _ = try await group.run(byShard(works), from: self) { executor, works in
            try await executor.writeHere(works, terms)
        }
    }

    func byShard(_ works: [PartitionWork]) -> [[PartitionWork]] {
        var byShard: [[PartitionWork]] = Array(repeating: [], count: group.executors.count)
        for work in works { byShard[group.slices.shard(of: work.token)].append(work) }
        return byShard
    }

    /// Refuses, before anything is written, what some partition has too few live replicas for.
    func checkWriters(_ works: [PartitionWork], _ level: Consistency) throws {
        guard level != .any else { return }
        var seen: Set<ObjectIdentifier> = []
        for work in works {
            let plan: ReplicaPlan = try replicaPlan(of: work.table, work.token)
            guard seen.insert(ObjectIdentifier(plan)).inserted else { continue }
            let alive: UInt64 = plan.alive(coordination.view.liveness)
            guard let shortage = plan.writeRule(level).shortage(alive: alive) else { continue }
            throw CQLError.unavailable(level, required: shortage.required, alive: shortage.alive)
        }
    }

    /// Writes partitions of this shard, and waits until the writes may be acknowledged.
    private func writeHere(_ works: [PartitionWork], _ terms: WriteTerms) async throws {
        let gather = WriteGather()
        var last: LogPosition = .start
        for work in works {
            guard let table = store.table(work.table.definition.id) else {
                throw CQLError.invalid(message: "table \(work.table.name) does not exist")
            }
            let plan: ReplicaPlan = try replicaPlan(of: work.table, work.token)
            if plan.isLocalOnly {
                do {
                    last = max(last, try await apply(work, table, within: timeouts.write))
                    terms.trace?.addWrite(to: table)
                } catch is WriteTimedOut {
                    throw CQLError.writeTimeout(terms.kind.writeType, terms.level, received: 0, required: 1)
                }
            } else if work.needsRead {
                try await readAndSend(work, table, plan, terms, gather)
            } else {
                try send(try work.mutation ?? work.encoded(after: StoredPartition()), table, plan, terms, gather)
            }
        }
        do {
            try await waitUntilDurable(last)
        } catch is WriteTimedOut {
            throw CQLError.writeTimeout(terms.kind.writeType, terms.level, received: 0, required: 1)
        }
        if let failure = await gather.end() { throw told(failure) }
    }

    /// Brings a mutation on its way to its replicas.
    private func send(
        _ mutation: [UInt8], _ table: TableStore, _ plan: ReplicaPlan, _ terms: WriteTerms, _ gather: WriteGather
    ) throws {
        if mutation.isEmpty { return }
        let limit: Int = store.log.mutationLimit
        guard mutation.count <= limit else { throw StorageError.tooLarge(byteCount: mutation.count, limit: limit) }
        gather.begin()
        do {
            try coordination.writes.write(
                mutation.span.bytes, to: table, plan, terms.level, terms.kind,
                timeoutMilliseconds: max(1, terms.deadline.leftMilliseconds(host.time)), observer: gather, tag: 0,
                trace: terms.trace)
        } catch { throw told(error) }
    }

    /// What must be known of a partition is read at the level of the write, as Cassandra does; requests that come to
    /// this node see each other's writes.
    private func readAndSend(
        _ work: PartitionWork, _ table: TableStore, _ plan: ReplicaPlan, _ terms: WriteTerms, _ gather: WriteGather
    ) async throws {
        guard await locks.enter(work.token, within: terms.deadline.left(host.time), on: loop) else {
            throw CQLError.writeTimeout(
                terms.kind.writeType, terms.level, received: 0, required: plan.writeRule(terms.level).needed)
        }
        defer { locks.leave(work.token) }
        let found: StoredPartition = try await readReplicas(
            work.table, work.key, clustering: try clusteringKeys(work), plan, terms.level, terms.deadline, terms.trace)
        try send(try work.encoded(after: found), table, plan, terms, gather)
    }

    func told(_ failure: any Error) -> any Error {
        (failure as? CoordinationFailure).map(cqlError) ?? failure
    }

    // MARK: This node's own data

    /// Applies what a request changes in a partition of which this node is the only replica.
    private func apply(_ work: PartitionWork, _ table: TableStore, within limit: Duration) async throws -> LogPosition {
        if let mutation = work.mutation {
            return mutation.isEmpty ? .start : try await replica.applyWithPatience(mutation, to: table)
        }
        guard work.needsRead else { return try await apply(work, StoredPartition(), table) }
        guard await locks.enter(work.token, within: limit, on: loop) else { throw WriteTimedOut() }
        defer { locks.leave(work.token) }
        return try await apply(work, try await stored(work, table), table)
    }

    func clusteringKeys(_ work: PartitionWork) throws -> [[UInt8]] {
        var keys: [[UInt8]] = []
        for step in work.steps where step.plan.namesRows { keys += try step.clusteringKeys() }
        return keys
    }

    func stored(_ work: PartitionWork, _ table: TableStore) async throws -> StoredPartition {
        try await readStored(table, work.key, clustering: try clusteringKeys(work))
    }

    private func apply(
        _ work: PartitionWork, _ found: StoredPartition, _ table: TableStore
    ) async throws -> LogPosition {
        let mutation: [UInt8] = try work.encoded(after: found)
        return mutation.isEmpty ? .start : try await replica.applyWithPatience(mutation, to: table)
    }

    /// Returns once the write at `position` may be acknowledged.
    ///
    /// - Throws: `WriteTimedOut`, or what the log failed with.
    private func waitUntilDurable(_ position: LogPosition) async throws {
        switch await replica.end(of: position) {
        case .durable: return
        case .failed(let failure): throw failure
        case .timedOut: throw WriteTimedOut()
        }
    }
}
