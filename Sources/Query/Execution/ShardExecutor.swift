import CQL
import Cluster
public import Coordination
import DataModel
package import Environment
import Primitives
package import Storage

/// Carries out statements on one shard: its own part of the data directly, that of other shards by going there.
///
/// `Sendable` is unchecked because everything in it is used on its loop only; whoever comes from elsewhere runs there
/// first (`ShardGroup.run`).
public final class ShardExecutor: @unchecked Sendable {
    package let index: Int
    package let loop: any Loop
    package let store: ShardStore
    package let host: Host
    package let node: NodeContext
    package unowned let group: ShardGroup
    package let identifiers: TimeUUIDSource
    package internal(set) var catalog: Catalog
    package let locks = PartitionLocks()
    /// Brings reads and writes to the replicas.
    public let coordination: ShardCoordination
    /// This node as a replica, on this shard.
    public let replica: ReplicaShard
    package var statements: StatementCache
    let placements = PlacementCache()
    package private(set) var timeouts: RequestTimeouts
    private(set) var readTimeoutMilliseconds: UInt32
    private(set) var writeTimeoutMilliseconds: UInt32
    /// What clients have asked of this shard.
    public var requests = RequestStatistics()
    let timestampLimit: TimestampLimit
    /// The least random number that has a request not traced; 0 for no draw.
    package internal(set) var traceThreshold: UInt64 = 0
    // Kept between requests so that the hot paths allocate nothing.
    var fast = FastScratch()

    package init(
        index: Int, store: ShardStore, host: Host, node: NodeContext, group: ShardGroup, catalog: Catalog,
        coordination: ShardCoordination, limits: ExecutionLimits
    ) {
        self.index = index
        self.loop = host.loops[index]
        self.store = store
        self.coordination = coordination
        self.replica = coordination.replica
        self.host = host
        self.node = node
        self.group = group
        self.catalog = catalog
        self.identifiers = TimeUUIDSource(time: host.time, entropy: host.entropy)
        self.statements = StatementCache(byteLimit: limits.statementCacheByteCount)
        self.timeouts = limits.timeouts
        self.readTimeoutMilliseconds = UInt32(clamping: limits.timeouts.read.clampedNanoseconds / 1_000_000)
        self.timestampLimit = TimestampLimit(node.limits)
        self.writeTimeoutMilliseconds = UInt32(clamping: limits.timeouts.write.clampedNanoseconds / 1_000_000)
    }

    /// Gives requests from now on other time-outs.
    package func take(_ timeouts: RequestTimeouts) {
        self.timeouts = timeouts
        readTimeoutMilliseconds = UInt32(clamping: timeouts.read.clampedNanoseconds / 1_000_000)
        writeTimeoutMilliseconds = UInt32(clamping: timeouts.write.clampedNanoseconds / 1_000_000)
    }

    /// A timestamp for a write that brings none: after all that this node has given or seen.
    package func nextTimestamp() -> Int64 { coordination.view.clock.next() }

    /// The values of a request, with what its expressions need besides.
    package func bindings(_ values: [TermValue], _ context: RequestContext) -> Bindings {
        let now: Int64 = context.nowSeconds.map { $0 &* 1_000_000 } ?? host.time.wallMicroseconds
        return Bindings(values: values, nowMicroseconds: now, timeUUIDs: identifiers)
    }

    // MARK: Statements

    /// Carries out a statement. Runs on this shard's loop, and comes back to it.
    package func execute(
        _ statement: PreparedStatement, _ values: [TermValue], _ context: RequestContext
    ) async throws -> QueryResult {
        guard values.count == statement.markers.columns.count else {
            throw CQLError.invalid(
                message:
                    "Invalid amount of bind variables: expected \(statement.markers.columns.count), got \(values.count)"
            )
        }
        switch statement.plan {
        case .select(let plan):
            return try await select(plan, values, context, text: statement.text)
        case .modification(let plan):
            return try await modify([(plan, values)], kind: nil, context)
        case .batch(let batch):
            var own = context
            if let timestamp = batch.timestamp {
                let value = try timestamp.evaluate(bindings(values, context))
                if let bytes = value.bytes { own.timestamp = try WriteTimes.timestamp(bytes) }
            }
            return try await modify(batch.plans.map { ($0, values) }, kind: batch.kind, own)
        case .truncate(let table):
            return try await truncate(table)
        case .use(let keyspace):
            guard catalog.schema.keyspace(keyspace) != nil else {
                throw CQLError.invalid(message: "Keyspace '\(keyspace)' does not exist")
            }
            return QueryResult(.setKeyspace(keyspace))
        case .schema(let change):
            return try await changeSchema(change, context)
        case .describe(let describe):
            return try node.describe(describe, catalog.schema, context, coordination.view.topology)
        }
    }

    private func changeSchema(_ change: Statement, _ context: RequestContext) async throws -> QueryResult {
        let changes: SchemaChanges = node.schemaChanges
        let keyspace: String? = context.keyspace
        let result: QueryResult? = try await host.within(timeouts.other, on: loop, "schema change") {
            try await changes.apply(change, keyspace: keyspace)
        }
        guard let result else {
            throw CQLError.serverError(message: "The change of the schema takes too long; it goes on")
        }
        return result
    }

    // MARK: Reads

    /// - Parameter text: the statement, for the warnings that show it.
    package func select(
        _ plan: SelectPlan, _ values: [TermValue], _ context: RequestContext, text: String
    ) async throws -> QueryResult {
        let bindings = self.bindings(values, context)
        let read = try SelectRead(
            plan, bindings, context, tombstones: TombstoneLimit(plan.table, context, node), timeouts, host)
        try ConsistencyCheck.validateRead(context.consistency)
        if read.isEmpty { return QueryResult(.rows(read.result(complete: true)), warnings: plan.warnings) }
        if plan.table.isComputed {
            let rows: Memtable = try await node.computedRows(plan.table, catalog.schema)
            read.isComplete = true
            for command in read.commands {
                let cursor = ReadCursor(sources: [rows.makeCursor(command)], isReversed: command.isReversed)
                if try await read.drive(cursor, on: loop) {
                    read.isComplete = false
                    break
                }
                if read.run.isDone { break }
            }
        } else {
            try await readStored(read, plan, context)
        }
        try read.run.finish()
        return QueryResult(
            .rows(read.result(complete: read.isComplete)),
            warnings: plan.warnings + read.run.tombstoneWarnings(text, limit: node.limits.tombstoneWarnCount))
    }
}
