package import Cluster
package import Environment
package import Primitives
public import Storage

/// Why this node could not do its part as a replica.
package enum ReplicaError: Error, Equatable, Sendable {
    /// Its schema has no such table: it has to catch up first.
    case unknownTable(UUID)
    /// A read has passed more of them than it may.
    case tooManyTombstones
    /// Its metadata places the partition elsewhere than the coordinator's.
    case otherPlacement
    case storage(StorageError)
}

extension ReplicaError {
    /// What the coordinator is told.
    package static func reason(_ error: any Error) -> ReplicaFailure {
        switch error {
        case ReplicaError.unknownTable: .incompatibleSchema
        case ReplicaError.tooManyTombstones: .tooManyTombstones
        case ReplicaError.otherPlacement: .otherPlacement
        default: .unknown
        }
    }
}

/// This node as a replica, on one shard: what it writes and reads for itself and for others.
///
///     mutation ─▶ store ─▶ commit log ─▶ durable ─▶ waiter
///     page request ─▶ cursor ─▶ page
///
/// `Sendable` is unchecked because everything in it is used on its loop only.
public final class ReplicaShard: @unchecked Sendable {
    package let store: ShardStore
    package let host: Host
    private var durability = DurabilityQueue()
    /// How long writes wait for the log, in ticks of the queue.
    private let writeTicks: UInt64
    private let counterWriteTicks: UInt64
    private var isTicking = false

    /// How often late writes are looked for.
    private static let tick: Duration = .milliseconds(250)

    package init(
        store: ShardStore, host: Host, writeTimeout: Duration = .seconds(2), counterWriteTimeout: Duration = .seconds(5)
    ) {
        self.store = store
        self.host = host
        self.writeTicks = ReplicaShard.ticks(writeTimeout)
        self.counterWriteTicks = ReplicaShard.ticks(counterWriteTimeout)
    }

    private static func ticks(_ duration: Duration) -> UInt64 {
        UInt64(max(1, min(1e15, duration / tick)))
    }

    /// Connects it to the shard's part of the commit log. Called once, at start, on the loop.
    ///
    /// - Parameter noteFailure: told when the log takes no more writes, besides those who wait for it.
    package func watchLog(noteFailure: @escaping @Sendable (StorageError) -> Void = { _ in }) {
        store.log.onAdvance = { [unowned self] position in durability.advance(to: position) }
        store.log.onFailure = { [unowned self] failure in
            durability.fail(failure)
            noteFailure(failure)
        }
    }

    // MARK: Writes

    /// How long a write waits for memory and for the log before it counts as failed.
    private static let patienceNanoseconds: UInt64 = 2_000_000_000

    /// Tells `waiter` once the write at `position` may be acknowledged, or shown; false, and it is not told, when it may
    /// be now. Where the log has failed already nobody is told before time is up.
    ///
    /// Hot: once per write in the synced modes of the commit log.
    public func wait(
        for position: LogPosition, _ waiter: any DurabilityWaiter, tag: UInt64, isCounter: Bool = false
    ) -> Bool {
        if store.log.acknowledgeable >= position { return false }
        durability.add(position, waiter, tag: tag, ticks: isCounter ? counterWriteTicks : writeTicks)
        if !isTicking { startTicking() }
        return true
    }

    /// Time passes only while somebody waits, so that an idle shard sleeps.
    private func startTicking() {
        isTicking = true
        _ = store.loop.schedule(after: ReplicaShard.tick) { [weak self] in
            guard let self else { return }
            self.isTicking = false
            self.durability.passTick()
            if !self.durability.isEmpty { self.startTicking() }
        }
    }

    /// Returns once the write at `position` may be acknowledged, or is too late for its client.
    package func end(of position: LogPosition, isCounter: Bool = false) async -> WriteEnd {
        if store.log.acknowledgeable >= position { return .durable }
        if let failure = store.log.failure { return .failed(failure) }
        return await withUnsafeContinuation { continuation in
            let waiter = WriteContinuation(continuation)
            if !wait(for: position, waiter, tag: 0, isCounter: isCounter) { waiter.writeEnded(0, .durable) }
        }
    }

    /// Returns once the write at `position` may be acknowledged, or shown, however long that takes: whoever sent it has a
    /// deadline of its own.
    package func waitUntilDurable(_ position: LogPosition) async throws(StorageError) {
        if store.log.acknowledgeable >= position { return }
        if let failure = store.log.failure { throw failure }
        let end: WriteEnd = await withUnsafeContinuation { continuation in
            durability.add(position, WriteContinuation(continuation), tag: 0)
        }
        if case .failed(let failure) = end { throw failure }
    }

    /// Applies a mutation, waiting for room where there is none, and returns once it may be acknowledged.
    ///
    /// - Throws: `.storage(.overloaded)` when no room came in time.
    package func apply(_ mutation: [UInt8], _ trace: RequestTrace? = nil) async throws(ReplicaError) {
        _ = try await apply(mutation, trace) { false }
    }

    /// The same; returns false, and applies nothing, when it is not wanted at the time at which it would be applied.
    func apply(
        _ mutation: [UInt8], _ trace: RequestTrace?, unless isUnwanted: () -> Bool
    ) async throws(ReplicaError) -> Bool {
        guard let id = UUID(mutation.span.bytes) else {
            throw .storage(.decoding(.truncated(offset: mutation.count, missing: 16 - mutation.count)))
        }
        guard let table = store.table(id) else { throw .unknownTable(id) }
        do throws(StorageError) {
            guard let position = try await applyWithPatience(mutation, to: table, unless: isUnwanted) else {
                return false
            }
            trace?.addWrite(to: table)
            try await waitUntilDurable(position)
            return true
        } catch { throw .storage(error) }
    }

    /// Applies a mutation once there is room for it, which need not be now.
    package func applyWithPatience(_ mutation: [UInt8], to table: TableStore) async throws(StorageError) -> LogPosition
    {
        // It is always wanted, so that there is a position.
        try await applyWithPatience(mutation, to: table) { false } ?? .start
    }

    /// The same; returns nil, and applies nothing, when it is not wanted at the time at which it would be applied.
    package func applyWithPatience(
        _ mutation: [UInt8], to table: TableStore, unless isUnwanted: () -> Bool
    ) async throws(StorageError) -> LogPosition? {
        let deadline: UInt64 = host.time.monotonicNanoseconds &+ ReplicaShard.patienceNanoseconds
        while true {
            if isUnwanted() { return nil }
            do throws(StorageError) {
                return try store.apply(mutation.span.bytes, to: table)
            } catch {
                guard case .overloaded = error, host.time.monotonicNanoseconds < deadline else { throw error }
            }
            await store.pauseForRoom()
        }
    }

    // MARK: Reads

    /// Adds this shard's part to a page, and returns once what is in it is durable: a write that is shown to somebody and
    /// is gone after a loss of power has never been.
    package func fill(
        _ page: PageWriter, _ request: PageRequest, _ trace: RequestTrace? = nil
    ) async throws(ReplicaError) {
        guard let table = store.table(request.table) else { throw .unknownTable(request.table) }
        do throws(StorageError) {
            trace?.addRead(request.command, of: table)
            let memtableCount: Int = table.memtableCount
            let cursor: ReadCursor = table.cursor(request.command)
            let before = page.counts
            try await page.fill(from: cursor)
            trace?.addMerge(of: cursor, memtableCount: memtableCount)
            cursor.noteEnd(
                rows: page.counts.rows - before.rows, tombstones: page.counts.tombstones - before.tombstones)
            try await waitUntilDurable(cursor.lastPosition)
        } catch { throw .storage(error) }
    }
}

/// Lets `async` code wait for a write.
private final class WriteContinuation: DurabilityWaiter {
    private var continuation: UnsafeContinuation<WriteEnd, Never>?

    init(_ continuation: UnsafeContinuation<WriteEnd, Never>) {
        self.continuation = continuation
    }

    func writeEnded(_ tag: UInt64, _ end: WriteEnd) {
        continuation?.resume(returning: end)
        continuation = nil
    }
}
