package import Cluster
import DataModel
package import Environment
package import Primitives
import Storage
import Synchronization

/// The batches that this node keeps for coordinators, and what it does with those that nobody has removed.
///
///     store ─▶ system.batches, durable ─▶ answer ─▶ … ─▶ remove
///                                                   └─▶ nobody has: replay ─▶ replicas or hints ─▶ remove
///
/// A batch that is still here after twice the time that a write may take has lost its coordinator, or not all of it has
/// reached its level. It is written once more, which changes nothing where it was written before.
package final class BatchLog: Sendable {
    package struct Options: Sendable {
        /// How often stale batches are looked for.
        package var period: Duration = .seconds(10)
        /// (`write_request_timeout`) Batches of twice this age are stale.
        package var writeTimeout: Duration = .seconds(2)
        /// (`batchlog_replay_throttle`) In bytes each second, split by the number of nodes; 0 for no limit.
        package var throttleBytesPerSecond: Int = 1_024 << 10

        package init() {}
    }

    /// What happened since the start.
    package struct Counters: Hashable, Sendable {
        package var stored = 0
        package var replayed = 0
        /// Attempts that did not bring every mutation to a replica or a hint.
        package var failedReplays = 0
        /// Mutations that were left out: of tables that are gone or were truncated since, or older than `gc_grace_seconds`.
        package var obsoleteMutations = 0
        /// Batches that cannot be read, and stay where they are.
        package var unreadable = 0

        package init() {}
    }

    private struct Shared: Sendable {
        /// When each batch was stored, by this node's clock, in microseconds.
        var storedAt: [UUID: Int64] = [:]
        var counters = Counters()
        var isReplaying = false
        var otherNodeCount = 0
        var throttleBytesPerSecond = 0
    }

    private let table: BatchTable
    private let node: NodeReplica
    private let writes: PartitionWrites
    private let clock: HybridClock
    private let host: Host
    private let options: Options
    private let tables: TableLookup
    private let truncatedAt: @Sendable (UUID) -> Int64?
    private let shared = Mutex(Shared())
    private let work = Mutex<(any BackgroundWork)?>(nil)

    /// - Parameters:
    ///   - tables: finds tables; must know all that the schema has when `start` is called.
    ///   - truncatedAt: when a table was last truncated here, by this node's clock.
    package init(
        table: BatchTable, node: NodeReplica, writes: PartitionWrites, clock: HybridClock, host: Host,
        options: Options = Options(), tables: @escaping TableLookup,
        truncatedAt: @escaping @Sendable (UUID) -> Int64? = { _ in nil }
    ) {
        self.table = table
        self.node = node
        self.writes = writes
        self.clock = clock
        self.host = host
        self.options = options
        self.tables = tables
        self.truncatedAt = truncatedAt
        shared.withLock { $0.throttleBytesPerSecond = options.throttleBytesPerSecond }
    }

    // MARK: Life

    /// Begins to replay what is stale, this process's and former ones'. Once, when the schema is known.
    package func start() {
        let started: any BackgroundWork = host.background.run("batch log", on: host.loops[0]) { [self] in
            await findStored()
            while true {
                do throws(CancellationError) {
                    try await host.time.sleep(for: options.period)
                } catch { return }
                await replay()
            }
        }
        work.withLock { $0 = started }
    }

    package func stop() async {
        let running: (any BackgroundWork)? = work.withLock { $0 }
        running?.cancel()
        await running?.wait()
    }

    /// (`nodetool setbatchlogreplaythrottle`) In bytes each second; 0 for no limit.
    package func setThrottle(bytesPerSecond: Int) {
        shared.withLock { $0.throttleBytesPerSecond = max(0, bytesPerSecond) }
    }

    /// How many other nodes may be replaying: the throttle is split between all.
    package func setOtherNodeCount(_ count: Int) {
        shared.withLock { $0.otherNodeCount = max(0, count) }
    }

    package var counters: Counters { shared.withLock { $0.counters } }

    /// How many batches are kept now.
    package var batchCount: Int { shared.withLock { $0.storedAt.count } }

    // MARK: Keeping

    /// Keeps a batch; it is durable when this returns.
    func store(_ batch: StoredBatch) async throws {
        let now: Int64 = clock.next()
        try await node.apply(table.storing(batch, at: now))
        shared.withLock { shared in
            shared.storedAt[batch.id] = now
            shared.counters.stored += 1
        }
    }

    /// Forgets a batch that is written. When that fails the batch is replayed, which changes nothing.
    func remove(_ batch: UUID) async {
        let storedAt: Int64 = shared.withLock { $0.storedAt.removeValue(forKey: batch) } ?? .min
        let removal: [UInt8] = table.removing(
            batch, at: max(clock.next(), storedAt == .min ? .min : storedAt &+ 1), nowSeconds: host.time.wallSeconds)
        do {
            try await node.apply(removal)
        } catch {
            if storedAt != .min { shared.withLock { $0.storedAt[batch] = storedAt } }
        }
    }

    // MARK: Replaying

    /// Finds what former processes have kept.
    private func findStored() async {
        for shard in node.shards.indices {
            do {
                let found: [(UUID, Int64)] = try await node.run(on: shard) { [self] in try await stored(on: $0) }
                shared.withLock { shared in
                    for (batch, time) in found where shared.storedAt[batch] == nil { shared.storedAt[batch] = time }
                }
            } catch {
                // What cannot be read now is found at the next start.
            }
        }
    }

    private func stored(on shard: ReplicaShard) async throws -> [(UUID, Int64)] {
        var found: [(UUID, Int64)] = []
        try await read(ReadCommand(partitions: .all), on: shard) { batch, row in
            var storedAt: Int64 = 0
            do throws(DecodingError) {
                storedAt = try RowReader(unsafe RawSpan(_unsafeBytes: row)).baseTimestamp
            } catch {
                // The replay counts what is unreadable.
            }
            clock.observe(storedAt)
            found.append((batch, storedAt))
        }
        return found
    }

    private func read(
        _ command: ReadCommand, on shard: ReplicaShard, _ body: (UUID, UnsafeRawBufferPointer) -> Void
    ) async throws {
        guard let store = shard.store.table(table.tableID) else { return }
        let cursor: ReadCursor = store.cursor(command)
        while true {
            switch try cursor.step() {
            case .end: return
            case .blocked: try await cursor.load()
            case .partition: continue
            case .row: if let batch = BatchTable.batch(cursor.key) { body(batch, cursor.row) }
            }
        }
    }

    /// Writes the batches that are stale (`nodetool replaybatchlog`). Does nothing while that is under way.
    package func replay() async {
        let isFirst: Bool = shared.withLock { shared in
            defer { shared.isReplaying = true }
            return !shared.isReplaying
        }
        guard isFirst else { return }
        defer { shared.withLock { $0.isReplaying = false } }
        let limit: Int64 = clock.current &- 2 &* options.writeTimeout.microseconds
        let stale: [(UUID, Int64)] = shared.withLock { shared in
            shared.storedAt.filter { $0.value <= limit }.sorted {
                ($0.value, $0.key.high, $0.key.low) < ($1.value, $1.key.high, $1.key.low)
            }.map { ($0.key, $0.value) }
        }
        for (batch, _) in stale {
            do throws(CancellationError) {
                guard try await replay(batch) else { continue }
            } catch { return }
            await remove(batch)
        }
    }

    /// Writes one batch; false when it must stay.
    private func replay(_ batch: UUID) async throws(CancellationError) -> Bool {
        let key: [UInt8] = BatchTable.key(batch)
        let token: Token = BatchTable.token(batch)
        let kept: (mutations: [[UInt8]], storedAt: Int64)
        do {
            let found: [(mutations: [[UInt8]], storedAt: Int64)] =
                try await node.run(on: node.slices.shard(of: token)) { [self] shard in
                    var found: [(mutations: [[UInt8]], storedAt: Int64)] = []
                    try await read(ReadCommand(partitions: .one(token: token, key: key)), on: shard) { _, row in
                        do throws(DecodingError) {
                            if let batch = try table.read(row) { found.append(batch) }
                        } catch {
                            // Counted below, as a row that has nothing to replay.
                        }
                    }
                    return found
                }
            guard let first = found.first else {
                // Of a later version perhaps, which a node of that version finds at its start.
                shared.withLock { shared in
                    if shared.storedAt.removeValue(forKey: batch) != nil { shared.counters.unreadable += 1 }
                }
                return false
            }
            kept = first
        } catch { return false }
        let writes: [PartitionWrite] = wanted(kept.mutations, storedAt: kept.storedAt)
        try await pace(writes.reduce(0) { $0 + $1.mutation.count })
        let failures: [CoordinationFailure?] = await self.writes.write(
            writes, .any, .batch, timeoutMilliseconds: UInt32(clamping: options.writeTimeout.microseconds / 1_000))
        let isDone: Bool = failures.allSatisfy { $0 == nil }
        shared.withLock { shared in
            if isDone { shared.counters.replayed += 1 } else { shared.counters.failedReplays += 1 }
        }
        return isDone
    }

    /// The mutations that are still to be written: those of tables that exist, that were not truncated after the batch
    /// was stored, and whose deletions nobody has forgotten yet.
    private func wanted(_ mutations: [[UInt8]], storedAt: Int64) -> [PartitionWrite] {
        let age: Int64 = max(0, clock.current &- storedAt) / 1_000_000
        let wanted: [PartitionWrite] = mutations.compactMap { mutation in
            guard let id = UUID(mutation.span.bytes), let table = tables(id), age < Int64(table.graceSeconds),
                storedAt > truncatedAt(id) ?? .min
            else { return nil }
            return PartitionWrite(mutation: mutation, replication: table)
        }
        shared.withLock { $0.counters.obsoleteMutations += mutations.count - wanted.count }
        return wanted
    }

    /// Waits as long as it takes to stay within the throttle.
    private func pace(_ byteCount: Int) async throws(CancellationError) {
        let (throttle, share): (Int, Int) = shared.withLock { ($0.throttleBytesPerSecond, $0.otherNodeCount + 1) }
        guard throttle > 0, byteCount > 0 else { return }
        let seconds: Double = Double(byteCount) * Double(share) / Double(throttle)
        try await host.time.sleep(for: .nanoseconds(Int64(min(seconds, 3_600) * 1e9)))
    }
}

extension Duration {
    /// Whole microseconds; within the range of the configuration there is no overflow.
    var microseconds: Int64 {
        let parts: (seconds: Int64, attoseconds: Int64) = components
        return parts.seconds &* 1_000_000 &+ parts.attoseconds / 1_000_000_000_000
    }
}
