import CQL
import Cluster
import Coordination
import DataModel
import Environment
import Primitives
import Storage

/// At which levels a lightweight transaction is decided, and what was decided is written.
struct DecisionLevels: Sendable {
    let serial: Consistency
    let commit: Consistency
}

extension PartitionWork {
    /// The same, written at the time of a ballot: later decisions then win over earlier ones, and new elements of lists
    /// stand in the order of the decisions, whatever the clocks of their coordinators say.
    func written(at ballot: Ballot, _ entropy: any Entropy) -> PartitionWork {
        let places = TimeUUIDSource(from: ballot.microseconds, tie: ballot.tie, entropy: entropy)
        var work: PartitionWork = self
        work.steps = steps.map { step in
            let times = WriteTimes(
                timestamp: ballot.microseconds, timeToLive: step.times.timeToLive, nowSeconds: step.times.nowSeconds)
            var written = ModificationExecution(
                plan: step.plan, bindings: step.bindings, times: times)
            written.listPlaces = places
            return written
        }
        return work
    }
}

/// Lightweight transactions, and reads that see all of them.
///
///     statements ─▶ shard of the partition ─▶ PaxosCoordinator ─▶ rows found ─▶ ConditionDecision ─▶ mutation
extension ShardExecutor {
    /// Carries out statements of which at least one has a condition.
    func modifyConditionally(
        _ works: [PartitionWork], isBatch: Bool, _ context: RequestContext
    ) async throws -> QueryResult {
        guard let work = works.first, works.count == 1 else {
            throw CQLError.invalid(message: "Batch with conditions cannot span multiple partitions")
        }
        guard context.serialConsistency.isSerial else {
            throw CQLError.invalid(
                message: "Invalid consistency for conditional update. Must be one of SERIAL or LOCAL_SERIAL")
        }
        context.trace?.add("Determining participants of the decision")
        let shard: Int = group.slices.shard(of: work.token)
        let levels = DecisionLevels(serial: context.serialConsistency, commit: context.consistency)
        let rows: QueryRows =
            shard == index
            ? try await decideHere(work, isBatch: isBatch, levels, context.trace)
            : try await group.run(on: shard) { executor in
                try await executor.decideHere(work, isBatch: isBatch, levels, context.trace)
            }
        return QueryResult(.rows(rows))
    }

    /// Checks the conditions and writes when all hold; nobody else does so in this partition meanwhile. On the shard of
    /// the partition.
    private func decideHere(
        _ work: PartitionWork, isBatch: Bool, _ levels: DecisionLevels, _ trace: RequestTrace?
    ) async throws -> QueryRows {
        let id: UUID = work.table.definition.id
        guard store.table(id) != nil else {
            throw CQLError.invalid(message: "table \(work.table.name) does not exist")
        }
        let now: Int64 = host.time.wallSeconds
        let read = PageRequest(
            table: id, command: StoredPartition.command(work.key, clustering: try clusteringKeys(work)),
            nowSeconds: now, graceStart: now - Int64(work.table.definition.options.gcGraceSeconds),
            rowLimit: StoredPartition.rowLimit)
        let request = PaxosRequest(
            key: work.key, plan: try replicaPlan(of: work.table, work.token), serial: levels.serial,
            commit: levels.commit, read: read,
            timeouts: PaxosTimeouts(contention: timeouts.contention, write: timeouts.write), trace: trace)
        do {
            return try await coordination.paxos.decide(request) { pages, ballot in
                var found = StoredPartition()
                // What pages hold is in memory, so that nothing has to be waited for.
                for page in pages { _ = try found.take(page.cursor(isReversed: false)) }
                let decision = try ConditionDecision(work, found, isBatch: isBatch)
                trace?.add(
                    decision.isApplied
                        ? "CAS precondition holds" : "CAS precondition does not match current values")
                guard decision.isApplied else { return PaxosChoice(mutation: nil, result: decision.rows) }
                let mutation: [UInt8] = try work.written(at: ballot, host.entropy).encoded(after: found)
                try checkSize(mutation, work.key)
                return PaxosChoice(mutation: mutation, result: decision.rows)
            }
        } catch let failure as CoordinationFailure { throw cqlError(failure) }
    }

    /// What a proposal has beside its mutation when it is kept, generously: ballots, ancestors, the names of its place.
    private static let proposalOverheadByteCount = 1_024

    /// Refuses what fits the log by itself, but not as a proposal.
    private func checkSize(_ mutation: [UInt8], _ key: [UInt8]) throws {
        if mutation.isEmpty { return }
        let byteCount: Int = mutation.count + key.count + ShardExecutor.proposalOverheadByteCount
        let limit: Int = store.log.mutationLimit
        guard byteCount <= limit else { throw StorageError.tooLarge(byteCount: byteCount, limit: limit) }
    }

    // MARK: Reads

    /// Reads one page of a partition as it is after all that was decided before.
    ///
    /// - Throws: `CQLError` for what coordination says of it.
    func serialPage(
        _ request: PageRequest, of key: [UInt8], _ token: Token, _ level: Consistency, _ table: CompiledTable,
        _ trace: RequestTrace?
    ) async throws -> MergedPage {
        let shard: Int = group.slices.shard(of: token)
        if shard == index { return try await serialPageHere(request, of: key, token, level, table, trace) }
        return try await group.run(on: shard) { executor in
            try await executor.serialPageHere(request, of: key, token, level, table, trace)
        }
    }

    private func serialPageHere(
        _ request: PageRequest, of key: [UInt8], _ token: Token, _ level: Consistency, _ table: CompiledTable,
        _ trace: RequestTrace?
    ) async throws -> MergedPage {
        let read = PaxosRequest(
            key: key, plan: try replicaPlan(of: table, token), serial: level,
            // For what others have left unfinished.
            commit: level == .localSerial ? .localQuorum : .quorum, read: request,
            timeouts: PaxosTimeouts(contention: timeouts.contention, write: timeouts.write), trace: trace)
        do {
            return try await coordination.paxos.read(read)
        } catch let failure as CoordinationFailure {
            // Reads have no error for contention.
            if case .contended(let level, let received, let required, _) = failure {
                throw CQLError.readTimeout(level, received: received, required: required, isDataPresent: false)
            }
            throw cqlError(failure)
        }
    }
}
