import Environment
import Primitives
import Synchronization

/// The segments of the log: the one that chunks are taken from, one that is ready to follow it, and those that are full.
///
///     prepare ──▶ spare ──roll──▶ active ──roll──▶ sealed ──all flushed──▶ clean ──▶ prepare, or removed
///
/// Shared by all shards. Its lock is taken once per chunk or group, never per record; files are made and renamed by one
/// background task, ahead of need, so that rolling does not wait.
final class LogSegments: Sendable {
    struct State: Sendable {
        var ledger = LogLedger()
        var active: LogSegment?
        var spare: LogSegment?
        /// Full segments that are not clean yet.
        var sealed: [LogSegment] = []
        /// Segments whose files may be used again.
        var clean: [LogSegment] = []
        /// Segments with stores that no sync has covered, ascending.
        var unsynced: [LogSegment] = []
        /// The first segment since the last failed write: of those before, not all need be there.
        var trustedFrom: UInt64
        var nextID: UInt64
        /// Why no further segment could be made at the last attempt.
        var shortage: StorageError?
        var failure: StorageError?
        var isClosed = false
    }

    let options: CommitLogOptions
    let host: Host
    /// Rung when there is something to prepare or remove.
    let work = AsyncSignal()
    /// Rung when a segment has become ready, or cannot be made.
    let readiness = AsyncSignal()
    private let state: Mutex<State>
    private let spacePressed: @Sendable ([DirtyTable]) -> Void

    init(
        _ options: CommitLogOptions, host: Host, firstID: UInt64,
        spacePressed: @escaping @Sendable ([DirtyTable]) -> Void
    ) {
        self.options = options
        self.host = host
        self.state = Mutex(State(trustedFrom: firstID, nextID: firstID))
        self.spacePressed = spacePressed
    }

    func withState<Result: Sendable>(_ body: (inout State) throws(StorageError) -> Result) throws(StorageError)
        -> Result
    {
        let outcome: Swift.Result<Result, StorageError> = state.withLock { state in
            do throws(StorageError) { return .success(try body(&state)) } catch { return .failure(error) }
        }
        return try outcome.get()
    }

    func readState<Result: Sendable>(_ body: (inout State) -> Result) -> Result {
        state.withLock { body(&$0) }
    }

    // MARK: Taking room

    /// The segment from which a chunk may be taken when `full` has no room any more; nil for the first one.
    ///
    /// - Parameter holds: whether the caller fills chunks over time. It then holds the result until `release`.
    func segment(after full: UInt64?, holds: Bool) throws(StorageError) -> LogSegment {
        try withState { state throws(StorageError) in
            if let failure = state.failure { throw failure }
            if state.isClosed { throw .closed }
            if let active = state.active, active.id != full {
                if holds { state.ledger.hold(active.id) }
                return active
            }
            guard let next = state.spare else { throw state.shortage ?? .overloaded }
            if let old = state.active {
                old.seal()
                state.ledger.seal(old.id)
                state.sealed.append(old)
                if old.id >= state.trustedFrom { next.follow(old) }
            }
            state.spare = nil
            state.active = next
            state.ledger.begin(next.id)
            if options.isPeriodic { state.unsynced.append(next) }
            if holds { state.ledger.hold(next.id) }
            LogSegments.collectClean(&state)
            work.ring()
            return next
        }
    }

    /// Notes what a shard has put into a segment, and that it holds the segment no longer when `isLeaving`.
    func note(_ tables: [(table: UUID, last: LogPosition)], shard: Int, in segment: UInt64, isLeaving: Bool) {
        readState { state in
            for mark in tables {
                state.ledger.noteDirty(DirtyTable(shard: shard, table: mark.table), upTo: mark.last, in: segment)
            }
            if isLeaving {
                state.ledger.release(segment)
                LogSegments.collectClean(&state)
                if !state.clean.isEmpty { work.ring() }
            }
        }
    }

    func markFlushed(_ table: DirtyTable, upTo position: LogPosition) {
        readState { state in
            state.ledger.markFlushed(table, upTo: position)
            LogSegments.collectClean(&state)
            if !state.clean.isEmpty { work.ring() }
        }
    }

    /// Gives up the active segment after a failed write: what is in it is not to be trusted to the last byte.
    func abandonActive() {
        readState { state in
            guard let old = state.active else { return }
            old.seal()
            state.ledger.seal(old.id)
            state.sealed.append(old)
            state.active = nil
            state.trustedFrom = state.spare?.id ?? state.nextID
            LogSegments.collectClean(&state)
            work.ring()
        }
    }

    func fail(_ error: StorageError) {
        readState { if $0.failure == nil { $0.failure = error } }
        readiness.ring()
    }

    private static func collectClean(_ state: inout State) {
        let clean: [UInt64] = state.ledger.takeClean()
        guard !clean.isEmpty else { return }
        state.clean += state.sealed.filter { clean.contains($0.id) }
        state.sealed.removeAll { clean.contains($0.id) }
        state.unsynced.removeAll { clean.contains($0.id) }
    }

    // MARK: Preparing and removing

    /// Makes the first segment ready. Fails when there is no room for the log at all. Its spare is made by `maintain`, so
    /// that nobody waits for it at the start.
    func prepareFirst() async throws(StorageError) {
        try await prepare()
        _ = try segment(after: nil, holds: false)
    }

    /// Prepares and removes segments until the log is closed.
    func maintain() async {
        while true {
            await work.wait()
            if readState({ $0.isClosed }) { return }
            do throws(StorageError) {
                try await prepare()
                await removeSurplus()
                pressSpace()
            } catch {
                readState { $0.shortage = error }
                readiness.ring()
                // Space may come back at any time; asking once a second is enough and costs nothing.
                do { try await host.time.sleep(for: .seconds(1)) } catch { return }
                work.ring()
            }
        }
    }

    /// Makes a spare segment unless there is one.
    private func prepare() async throws(StorageError) {
        let wanted: (id: UInt64, old: LogSegment?)? = readState { state in
            guard state.spare == nil, !state.isClosed else { return nil }
            return (state.nextID, state.clean.popLast())
        }
        guard let wanted else { return }
        let path: String = options.directory + "/" + LogFormat.segmentName(wanted.id)
        let file: any LogFile
        do throws(DiskError) {
            if let old = wanted.old {
                try await host.disk.rename(old.path, to: path)
                file = old.file
            } else {
                let access: LogAccess = options.isPeriodic ? .stored : .durable
                file = try await host.disk.openLog(path, byteCount: options.segmentByteCount, access: access)
            }
            // A segment whose name a crash could take back must not have anything that was acknowledged.
            try await host.disk.syncDirectory(options.directory)
        } catch {
            if let old = wanted.old { await old.file.close() }
            throw StorageError(error)
        }
        readState { state in
            state.spare = LogSegment(id: wanted.id, path: path, file: file, byteCount: options.segmentByteCount)
            state.nextID = wanted.id + 1
            state.shortage = nil
        }
        readiness.ring()
    }

    /// Removes clean segments beyond the one that the next preparation will use.
    private func removeSurplus() async {
        while let old = readState({ $0.clean.count > 1 ? $0.clean.removeFirst() : nil }) {
            await old.file.close()
            // A file that cannot be removed holds only what is in SSTables: the next start removes it.
            do throws(DiskError) { try await host.disk.remove(old.path) } catch { continue }
        }
    }

    /// Asks for flushes when the segments take more than they may.
    private func pressSpace() {
        let oldest: [DirtyTable] = readState { state in
            let count: Int = state.sealed.count + state.clean.count + (state.active == nil ? 0 : 1)
            return count * options.segmentByteCount > options.totalByteCount ? state.ledger.oldestDirtyTables() : []
        }
        if !oldest.isEmpty { spacePressed(oldest) }
    }

    func close() async {
        let open: [LogSegment] = readState { state in
            state.isClosed = true
            let all: [LogSegment] =
                state.sealed + state.clean + [state.active, state.spare].compactMap { $0 }
            state.sealed = []
            state.clean = []
            state.active = nil
            state.spare = nil
            return all
        }
        work.ring()
        readiness.ring()
        for segment in open { await segment.file.close() }
    }
}
