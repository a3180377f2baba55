package import Environment
package import Primitives
public import Storage

/// Why this node could not do its part as a replica.
package enum ReplicaError: Error, Equatable, Sendable {
    /// Its schema has no such table: it has to catch up first.
    case unknownTable(UUID)
    case storage(StorageError)
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

    package init(store: ShardStore, host: Host) {
        self.store = store
        self.host = host
    }

    /// Connects it to the shard's part of the commit log. Called once, at start, on the loop.
    package func watchLog() {
        store.log.onAdvance = { [unowned self] position in durability.advance(to: position) }
        store.log.onFailure = { [unowned self] failure in durability.fail(failure) }
    }

    // MARK: Writes

    /// How long a write waits for memory and for the log before it counts as failed.
    private static let patienceNanoseconds: UInt64 = 2_000_000_000

    /// Tells `waiter` once the write at `position` may be acknowledged; false, and it is not told, when it may be now.
    ///
    /// Hot: once per write in the synced modes of the commit log.
    public func wait(for position: LogPosition, _ waiter: any DurabilityWaiter, tag: UInt64) -> Bool {
        if store.log.acknowledgeable >= position { return false }
        durability.add(position, waiter, tag: tag)
        return true
    }

    /// Returns once the write at `position` may be acknowledged.
    package func waitUntilDurable(_ position: LogPosition) async throws(StorageError) {
        if store.log.acknowledgeable >= position { return }
        let failure: StorageError? = await withUnsafeContinuation { continuation in
            durability.add(position, WriteContinuation(continuation), tag: 0)
        }
        if let failure { throw failure }
    }

    /// Applies a mutation, waiting for room where there is none, and returns once it may be acknowledged.
    ///
    /// - Throws: `.storage(.overloaded)` when no room came in time.
    package func apply(_ mutation: [UInt8]) async throws(ReplicaError) {
        guard let id = UUID(mutation.span.bytes) else {
            throw .storage(.decoding(.truncated(offset: mutation.count, missing: 16 - mutation.count)))
        }
        guard let table = store.table(id) else { throw .unknownTable(id) }
        do throws(StorageError) {
            try await waitUntilDurable(try await applyWithPatience(mutation, to: table))
        } catch { throw .storage(error) }
    }

    /// Applies a mutation once there is room for it, which need not be now.
    package func applyWithPatience(_ mutation: [UInt8], to table: TableStore) async throws(StorageError) -> LogPosition
    {
        let deadline: UInt64 = host.time.monotonicNanoseconds &+ ReplicaShard.patienceNanoseconds
        while true {
            do throws(StorageError) {
                return try store.apply(mutation.span.bytes, to: table)
            } catch {
                guard case .overloaded = error, host.time.monotonicNanoseconds < deadline else { throw error }
            }
            await store.pauseForRoom()
        }
    }

    // MARK: Reads

    /// Adds this shard's part to a page.
    package func fill(_ page: PageWriter, _ request: PageRequest) async throws(ReplicaError) {
        guard let table = store.table(request.table) else { throw .unknownTable(request.table) }
        do throws(StorageError) {
            try await page.fill(from: table.cursor(request.command))
        } catch { throw .storage(error) }
    }
}

/// Lets `async` code wait for a write.
private final class WriteContinuation: DurabilityWaiter {
    private var continuation: UnsafeContinuation<StorageError?, Never>?

    init(_ continuation: UnsafeContinuation<StorageError?, Never>) {
        self.continuation = continuation
    }

    func writeEnded(_ tag: UInt64, _ failure: StorageError?) {
        continuation?.resume(returning: failure)
        continuation = nil
    }
}
