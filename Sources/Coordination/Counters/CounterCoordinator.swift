package import Cluster
package import DataModel
package import Environment
import Primitives
import Storage

/// Counts: brings counter writes to a leader among their replicas, and is that leader for others.
///
///     deltas ─▶ leader: lock the partition ─▶ read its own count ─▶ add ─▶ apply here ─▶ contexts to the replicas
///                                                                            └─▶ both the level and this node's log
///
/// A leader adds to the count that its own storage has under its host id. That is right after a restart too: nobody else
/// writes under this id, whatever was acknowledged is in the log before the acknowledgement, and a node that has lost its
/// disk comes back with another id. What only others have of this node's counts is then not acknowledged, or the log's
/// mode allows its loss; the clock of the next count is later than theirs, because it follows the time.
///
/// Nothing in here is tried twice once it may have counted: a lost answer is a time-out of unknown outcome.
///
/// Confined to its loop; `Sendable` is unchecked for that reason.
package final class CounterCoordinator: @unchecked Sendable {
    private let view: ClusterView
    private let replica: ReplicaShard
    private let writes: WriteCoordinator
    private let host: Host
    private let locks = PartitionLocks()
    private var scratch = ByteWriter(capacity: 16)

    package init(view: ClusterView, replica: ReplicaShard, writes: WriteCoordinator, host: Host) {
        self.view = view
        self.replica = replica
        self.writes = writes
        self.host = host
    }

    /// Counts in one partition, on the shard of its token.
    ///
    /// - Parameters:
    ///   - deltas: a mutation whose counter cells are deltas (`CounterDeltas`).
    /// - Throws: `CoordinationFailure`.
    package func write(
        _ deltas: [UInt8], _ plan: ReplicaPlan, _ level: Consistency, timeoutMilliseconds: UInt32,
        trace: RequestTrace? = nil
    ) async throws(CoordinationFailure) {
        let rule: AnswerRule = plan.writeRule(level)
        let alive: UInt64 = plan.alive(view.liveness)
        if let shortage = rule.shortage(alive: alive) {
            throw .unavailable(level, required: shortage.required, alive: shortage.alive)
        }
        if plan.isLocalReader {
            return try await lead(deltas, plan, level, timeoutMilliseconds: timeoutMilliseconds, trace: trace)
        }
        var refusal = CoordinationFailure.unavailable(level, required: rule.needed, alive: 0)
        let allowed: UInt64 = level.isDatacenterLocal ? rule.members : plan.readers
        for position in leaders(plan, alive & plan.readers & allowed) {
            let leader = AwaitedLeader()
            let link: PeerLink = view.messages.link(to: plan.set.node(at: position), lane: .data)
            let outcome: SendOutcome = link.begin(
                .counterMutation, for: leader, tag: 0, timeoutMilliseconds: timeoutMilliseconds,
                placement: plan.placement, trace: trace)
            guard outcome == .ready else {
                if outcome == .overloaded { refusal = .overloaded }
                continue
            }
            let limit: UInt32 = timeoutMilliseconds - min(timeoutMilliseconds / 10, 250)
            CounterRequest(level: level, limitMilliseconds: limit, deltas: deltas).write(to: &link.output)
            link.end()
            return try end(await leader.wait(), level, rule, plan.set.node(at: position))
        }
        throw refusal
    }

    /// Who may lead, in the order in which they are asked: those of this data centre, then the others; among equals by
    /// chance, so that they share the work.
    private func leaders(_ plan: ReplicaPlan, _ alive: UInt64) -> [Int] {
        var near: [Int] = []
        var far: [Int] = []
        for position in 0..<min(plan.set.natural.count, AnswerRule.maximumReplicaCount)
        where alive & 1 << UInt64(position) != 0 {
            if plan.set.isLocal[position] { near.append(position) } else { far.append(position) }
        }
        var random = EntropyGenerator(host.entropy)
        near.shuffle(using: &random)
        far.shuffle(using: &random)
        return near + far
    }

    private func end(
        _ end: AwaitedLeader.End, _ level: Consistency, _ rule: AnswerRule, _ leader: NodeID
    ) throws(CoordinationFailure) {
        let unknown = CoordinationFailure.writeTimedOut(.counter, level, received: 0, required: rule.needed)
        switch end {
        case .answered(let body):
            let failure: CoordinationFailure?
            do throws(DecodingError) {
                failure = try CounterAnswer.read(body.span.bytes, level)
            } catch { throw unknown }
            if let failure { throw failure }
        case .failed(.refused(_, let code, _)):
            let reason: ReplicaFailure = ReplicaFailure(rawValue: code) ?? .unknown
            throw .writeFailed(.counter, level, received: 0, required: rule.needed, failures: [leader: reason])
        case .failed: throw unknown
        }
    }

    // MARK: The leader

    /// Counts as a replica that leads.
    ///
    /// - Throws: `CoordinationFailure`; `.unavailable` and `.overloaded` only when nothing was counted.
    package func lead(
        _ bytes: [UInt8], _ plan: ReplicaPlan, _ level: Consistency, timeoutMilliseconds: UInt32,
        trace: RequestTrace? = nil
    ) async throws(CoordinationFailure) {
        let rule: AnswerRule = plan.writeRule(level)
        if let shortage = rule.shortage(alive: plan.alive(view.liveness)) {
            throw .unavailable(level, required: shortage.required, alive: shortage.alive)
        }
        let deadline: UInt64 = host.time.monotonicNanoseconds &+ UInt64(timeoutMilliseconds) &* 1_000_000
        let outcome = CounterOutcome(level, rule, view.local)
        let deltas: CounterDeltas
        do throws(DecodingError) {
            deltas = try CounterDeltas(bytes)
        } catch { throw outcome.failure(.unknown) }
        guard plan.isLocalReader else { throw outcome.failure(.unknown) }
        guard let table = replica.store.table(deltas.table) else { throw outcome.failure(.incompatibleSchema) }
        trace?.add("Reading counter values and adding to them")
        let (mutation, position) = try await count(deltas, table, deadline, outcome)
        trace?.addWrite(to: table)
        if !replica.wait(for: position, outcome, tag: 0, isCounter: true) { outcome.writeEnded(0, .durable) }
        writes.replicate(
            mutation.span.bytes, appliedAt: position, plan, level, .counter,
            timeoutMilliseconds: UInt32(clamping: milliseconds(until: deadline)), observer: outcome, tag: 0,
            trace: trace)
        if let failure = await outcome.wait() { throw failure }
    }

    private func milliseconds(until deadline: UInt64) -> UInt64 {
        let now: UInt64 = host.time.monotonicNanoseconds
        return deadline > now ? max(1, (deadline - now) / 1_000_000) : 1
    }

    /// Reads, adds and applies, while nobody else counts in the partition.
    private func count(
        _ deltas: CounterDeltas, _ table: TableStore, _ deadline: UInt64, _ outcome: CounterOutcome
    ) async throws(CoordinationFailure) -> (mutation: [UInt8], position: LogPosition) {
        let patience: Duration = .milliseconds(Int64(clamping: milliseconds(until: deadline)))
        guard await locks.enter(deltas.token, within: patience, on: replica.store.loop) else { throw outcome.late }
        defer { locks.leave(deltas.token) }
        do throws(StorageError) {
            var shards: CounterShards = try await stored(deltas, table)
            guard host.time.monotonicNanoseconds < deadline else { throw .closed }
            let mutation: [UInt8]
            do throws(DecodingError) {
                mutation = try deltas.counted(by: &shards, clock: view.clock.next())
            } catch { throw .decoding(error) }
            return (mutation, try await replica.applyWithPatience(mutation, to: table))
        } catch {
            switch error {
            case .overloaded: throw .overloaded
            case .closed: throw outcome.late
            default: throw outcome.failure(.unknown)
            }
        }
    }

    /// What this node has counted, from memory where that suffices.
    private func stored(_ deltas: CounterDeltas, _ table: TableStore) async throws(StorageError) -> CounterShards {
        if let found = try storedInMemory(deltas, table) { return found }
        var found = CounterShards(node: view.local.uuid)
        let cursor: ReadCursor = table.cursor(
            ReadCommand(
                partitions: .one(token: deltas.token, key: deltas.key), slices: deltas.rows.map { .row($0) }))
        while true {
            switch try cursor.step() {
            case .end: return found
            case .blocked: try await cursor.load()
            case .partition: try CounterCoordinator.add(cursor.staticRow, nil, to: &found)
            case .row: try CounterCoordinator.add(cursor.row, [UInt8](cursor.clustering), to: &found)
            }
        }
    }

    private func storedInMemory(_ deltas: CounterDeltas, _ table: TableStore) throws(StorageError) -> CounterShards? {
        var found = CounterShards(node: view.local.uuid)
        let key: [UInt8] = deltas.key
        if deltas.countsInStaticRow {
            switch try table.readStaticRow(token: deltas.token, key: key.span.bytes, scratch: &scratch) {
            case .none: break
            case .row(let row): try CounterCoordinator.add(row, nil, to: &found)
            case .needsCursor: return nil
            }
        }
        for clustering in deltas.rows {
            let answer: RowAnswer = try table.readRow(
                token: deltas.token, key: key.span.bytes, clustering: clustering.span.bytes, columns: nil,
                scratch: &scratch)
            switch answer {
            case .none: break
            case .row(let row): try CounterCoordinator.add(row, clustering, to: &found)
            case .needsCursor: return nil
            }
        }
        return found
    }

    private static func add(
        _ row: UnsafeRawBufferPointer, _ clustering: [UInt8]?, to found: inout CounterShards
    ) throws(StorageError) {
        do throws(DecodingError) {
            try found.add(row, clustering: clustering)
        } catch { throw .decoding(error) }
    }
}

/// Waits until a counter write is at its level and in its leader's log: a count that only others have would be lost with
/// the leader's next one, which starts from what the leader has.
///
/// Confined to its loop; `Sendable` is unchecked for that reason.
private final class CounterOutcome: WriteObserver, DurabilityWaiter, @unchecked Sendable {
    private let level: Consistency
    private let rule: AnswerRule
    private let local: NodeID
    private var isReplicated = false
    private var isDurable = false
    private var isOver = false
    private var failure: CoordinationFailure?
    private var waiting: UnsafeContinuation<Void, Never>?

    init(_ level: Consistency, _ rule: AnswerRule, _ local: NodeID) {
        self.level = level
        self.rule = rule
        self.local = local
    }

    /// Time was up before anything was counted, or before this node's log had it.
    var late: CoordinationFailure {
        .writeTimedOut(.counter, level, received: isReplicated ? max(0, rule.needed - 1) : 0, required: rule.needed)
    }

    /// This node could not do its part.
    func failure(_ reason: ReplicaFailure) -> CoordinationFailure {
        .writeFailed(
            .counter, level, received: isReplicated ? max(0, rule.needed - 1) : 0, required: rule.needed,
            failures: [local: reason])
    }

    func coordinatedWriteEnded(_ tag: UInt64, _ failure: (any Error)?) {
        isReplicated = failure == nil
        finish(failure.map { $0 as? CoordinationFailure ?? late })
    }

    func writeEnded(_ tag: UInt64, _ end: WriteEnd) {
        switch end {
        case .durable:
            isDurable = true
            finish(nil)
        case .failed: finish(failure(.unknown))
        case .timedOut: finish(late)
        }
    }

    private func finish(_ failure: CoordinationFailure?) {
        guard !isOver, failure != nil || (isReplicated && isDurable) else { return }
        isOver = true
        self.failure = failure
        waiting?.resume()
        waiting = nil
    }

    func wait() async -> CoordinationFailure? {
        if !isOver { await withUnsafeContinuation { waiting = $0 } }
        return failure
    }
}
