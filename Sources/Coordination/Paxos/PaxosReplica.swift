import DataModel
import Environment
package import Primitives
import Storage

/// This node as a replica in the decisions of the partitions of one shard: promises, accepts, commits, and has it in the
/// commit log before it answers.
///
///     message ─▶ the partition's turn ─▶ state read ─▶ PaxosAcceptor ─▶ state written ─▶ durable ─▶ answer
///
/// One message of a partition at a time reads and writes its state; the waiting for the log is outside of the turn, for
/// the log keeps the order.
///
/// Confined to the shard's loop; `Sendable` is unchecked for that reason.
package final class PaxosReplica: @unchecked Sendable {
    package let shard: ReplicaShard
    private let table: PaxosTable
    let acceptor: PaxosAcceptor
    /// When a table was last truncated on this node, in microseconds since 1970.
    private let truncatedAt: @Sendable (UUID) -> Int64?
    /// Where partitions are; nil in tests of one replica alone.
    let placement: PaxosPlacement?
    let locks = PartitionLocks()
    var courtesy: PromiseCourtesy
    private var scratch = ByteWriter(capacity: 256)

    /// How long a message waits for its partition.
    static let patience: Duration = .seconds(2)

    /// - Parameter courtesy: for how long those who began later let somebody finish to whom a promise was made.
    package init(
        shard: ReplicaShard, table: PaxosTable, acceptor: PaxosAcceptor = PaxosAcceptor(),
        courtesy: Duration = .milliseconds(200), placement: PaxosPlacement? = nil,
        truncatedAt: @escaping @Sendable (UUID) -> Int64? = { _ in nil }
    ) {
        self.placement = placement
        self.truncatedAt = truncatedAt
        self.shard = shard
        self.table = table
        self.acceptor = acceptor
        self.courtesy = PromiseCourtesy(courtesy)
    }

    // MARK: What replicas are asked

    /// Promises a ballot, and reads with it.
    ///
    /// - Throws: `ReplicaError`.
    package func prepare(_ request: PaxosPrepare) async throws(ReplicaError) -> PrepareAnswer {
        let token: Token = request.token
        try await agree(on: request.placement, request.table, token)
        let (promise, position): (PaxosPromise, LogPosition) = try await inTurn(token) {
            () throws(ReplicaError) in
            try checkPlacement(request.placement, request.table, token)
            return try await answer(request, token)
        }
        guard case .promised = promise else { return PrepareAnswer(promise: promise, page: nil) }
        // After the state: the page then has every decision that the state tells of.
        var page: ReadPage?
        if let read = request.read {
            let writer = PageWriter(read)
            try await shard.fill(writer, read)
            guard !writer.hasTooManyTombstones else { throw .tooManyTombstones }
            page = writer.page()
        }
        try await waitUntilDurable(position)
        return PrepareAnswer(promise: promise, page: page)
    }

    private func answer(_ request: PaxosPrepare, _ token: Token) async throws(ReplicaError) -> (
        PaxosPromise, LogPosition
    ) {
        let stored: PaxosTable.Stored = try await read(request.table, request.key, token)
        let now: UInt64 = shard.host.time.monotonicNanoseconds
        if courtesy.mustWait(token, since: request.since, now: now) {
            return (.refused(by: stored.state.floor, isCourtesy: true), .start)
        }
        let (next, promise): (PaxosState, PaxosPromise) = acceptor.prepare(request.ballot, stored.state)
        guard case .promised = promise else { return (promise, .start) }
        courtesy.promised(token, request.ballot, since: request.since, now: now)
        return (promise, try await write(next, over: stored, request.table, request.key))
    }

    /// Accepts a proposal, after it has applied the decision that comes with it.
    ///
    /// - Returns: nil when it is accepted, else the ballot that stands against it.
    package func propose(_ request: PaxosPropose) async throws(ReplicaError) -> Ballot? {
        let token: Token = request.token
        try await agree(on: request.placement, request.table, token)
        let (refusedBy, position): (Ballot?, LogPosition) = try await inTurn(token) { () throws(ReplicaError) in
            try checkPlacement(request.placement, request.table, token)
            var stored: PaxosTable.Stored = try await read(request.table, request.key, token)
            if let decision = request.decision {
                _ = try await apply(decision, &stored, request.table, request.key)
            }
            let (next, refusedBy): (PaxosState, Ballot?) = acceptor.propose(request.proposal, stored.state)
            if request.proposal.isEmpty || refusedBy != nil { courtesy.finished(token, request.proposal.ballot) }
            return (refusedBy, try await write(next, over: stored, request.table, request.key))
        }
        if refusedBy == nil { try await waitUntilDurable(position) }
        return refusedBy
    }

    /// Applies a decision.
    package func commit(_ request: PaxosCommitMessage) async throws(ReplicaError) {
        let token: Token = request.token
        if request.decision.isEmpty { return release(request) }
        let position: LogPosition = try await inTurn(token) { () throws(ReplicaError) in
            var stored: PaxosTable.Stored = try await read(request.table, request.key, token)
            courtesy.finished(token, request.decision.ballot)
            return try await apply(request.decision, &stored, request.table, request.key)
        }
        try await waitUntilDurable(position)
    }

    /// Shows a ballot no more courtesy, of which nothing more comes.
    package func release(_ request: PaxosCommitMessage) {
        courtesy.finished(request.token, request.decision.ballot)
    }

    /// The row first and then the state, in the order of the log: a state that says that a decision has been applied is
    /// never there without it.
    private func apply(
        _ decision: PaxosProposal, _ stored: inout PaxosTable.Stored, _ table: UUID, _ key: [UInt8]
    ) async throws(ReplicaError) -> LogPosition {
        let (next, isToApply): (PaxosState, Bool) = acceptor.commit(decision, stored.state)
        let isGone: Bool = truncatedAt(table).map { decision.origin.microseconds <= $0 } ?? false
        guard isToApply, !isGone else { return shard.store.log.lastPosition }
        guard let target = shard.store.table(table) else { throw .unknownTable(table) }
        if !decision.isEmpty {
            do throws(StorageError) {
                _ = try await shard.applyWithPatience(decision.mutation, to: target)
            } catch { throw .storage(error) }
        }
        let position: LogPosition = try await write(next, over: stored, table, key)
        stored = try await read(table, key, Token(ofKey: key.span.bytes))
        return position
    }

    // MARK: Where the partition is

    /// Waits until this node knows as much as a coordinator; refuses one that places the partition elsewhere.
    private func agree(on stamp: PlacementStamp, _ table: UUID, _ token: Token) async throws(ReplicaError) {
        guard let placement else { return }
        guard shard.store.table(table) != nil else { throw .unknownTable(table) }
        guard await placement.agrees(with: stamp, table, token) else { throw .otherPlacement }
    }

    /// The same for a message that had to wait for its turn.
    private func checkPlacement(_ stamp: PlacementStamp, _ table: UUID, _ token: Token) throws(ReplicaError) {
        guard let placement else { return }
        guard placement.isCurrent(stamp.fingerprint, table, token) else { throw .otherPlacement }
    }

    // MARK: The state

    /// Runs `body` while nobody else reads and writes the state of the partition.
    private func inTurn<Value>(
        _ token: Token, _ body: () async throws(ReplicaError) -> Value
    ) async throws(ReplicaError) -> Value {
        guard await locks.enter(token, within: PaxosReplica.patience, on: shard.store.loop) else {
            throw .storage(.overloaded)
        }
        defer { locks.leave(token) }
        return try await body()
    }

    /// The state of a partition, as this replica has it.
    func read(
        _ table: UUID, _ key: [UInt8], _ token: Token
    ) async throws(ReplicaError) -> PaxosTable.Stored {
        var stored: PaxosTable.Stored = try await readRow(table, key, token)
        if let time = truncatedAt(table) { stored.state = stored.state.truncated(at: time) }
        return stored
    }

    private func readRow(_ table: UUID, _ key: [UInt8], _ token: Token) async throws(ReplicaError) -> PaxosTable.Stored
    {
        guard shard.store.table(table) != nil else { throw .unknownTable(table) }
        guard let store = shard.store.table(self.table.id) else { throw .unknownTable(self.table.id) }
        let now: Int64 = shard.host.time.wallSeconds
        do {
            let clustering: [UInt8] = try self.table.clustering(of: table)
            let answer: RowAnswer = try store.readRow(
                token: token, key: key.span.bytes, clustering: clustering.span.bytes, columns: nil, scratch: &scratch)
            switch answer {
            case .none: return PaxosTable.Stored()
            case .row(let row): return try self.table.read(unsafe RawSpan(_unsafeBytes: row), now: now)
            case .needsCursor: break
            }
            let cursor: ReadCursor = store.cursor(
                ReadCommand(partitions: .one(token: token, key: key), slices: [.row(clustering)]))
            while true {
                switch try cursor.step() {
                case .end: return PaxosTable.Stored()
                case .partition: continue
                case .blocked: try await cursor.load()
                case .row: return try self.table.read(unsafe RawSpan(_unsafeBytes: cursor.row), now: now)
                }
            }
        } catch {
            throw PaxosReplica.failure(error)
        }
    }

    /// Writes a state, if it is another than what is stored; returns where in the log it is, at the latest.
    func write(
        _ state: PaxosState, over stored: PaxosTable.Stored, _ table: UUID, _ key: [UInt8]
    ) async throws(ReplicaError) -> LogPosition {
        // What is stored may not be durable yet, and the answer tells of it.
        if state == stored.state { return shard.store.log.lastPosition }
        guard let store = shard.store.table(self.table.id) else { throw .unknownTable(self.table.id) }
        let grace = Int(shard.store.table(table)?.definition.options.gcGraceSeconds ?? 0)
        let lifetime = PaxosTable.Lifetime(now: shard.host.time.wallSeconds, graceSeconds: grace)
        do {
            let mutation: [UInt8] = try self.table.mutation(for: table, key: key, from: stored, to: state, lifetime)
            return try await shard.applyWithPatience(mutation, to: store)
        } catch {
            throw PaxosReplica.failure(error)
        }
    }

    private func waitUntilDurable(_ position: LogPosition) async throws(ReplicaError) {
        do throws(StorageError) {
            try await shard.waitUntilDurable(position)
        } catch { throw .storage(error) }
    }

    private static func failure(_ error: any Error) -> ReplicaError {
        switch error {
        case let error as ReplicaError: error
        case let error as StorageError: .storage(error)
        case let error as DecodingError: .storage(.decoding(error))
        default: .storage(.decoding(.invalid(offset: 0, what: "a table id that is none")))
        }
    }
}
