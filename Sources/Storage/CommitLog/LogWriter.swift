import Environment
import Primitives
import Synchronization

/// Brings to the disk what the shards have written: groups in batch and group mode, syncs in periodic mode.
///
/// One task runs it, so there is one write or sync at a time.
final class LogWriter: Sendable {
    private struct State {
        var isStopped = false
        var markNumber: UInt64 = 0
        /// How often writing or syncing has failed, and how it did last.
        var failureCount: Int = 0
        var lastFailure: StorageError?
        /// Those who wait for the next write or sync to end.
        var waiting: [UnsafeContinuation<Void, Never>] = []
    }

    private let segments: LogSegments
    private let shards: [CommitLogShard]
    private let written: AsyncSignal
    private let state = Mutex(State())

    init(segments: LogSegments, shards: [CommitLogShard], written: AsyncSignal) {
        self.segments = segments
        self.shards = shards
        self.written = written
    }

    private var options: CommitLogOptions { segments.options }

    /// Between two attempts to write what could not be written.
    private static let retryPause: Duration = .milliseconds(100)

    func run() async {
        while !state.withLock({ $0.isStopped }) {
            switch options.sync {
            case .periodic(let milliseconds):
                await pause(.milliseconds(max(1, milliseconds)))
                _ = await attempt { () async throws(StorageError) in try await self.syncStores() }
            case .batch:
                await written.wait()
                await attemptGroups()
            case .group(let milliseconds):
                await written.wait()
                await pause(.milliseconds(max(0, milliseconds)))
                await attemptGroups()
            }
            wakeWaiting()
        }
        wakeWaiting()
    }

    func stop() {
        state.withLock { $0.isStopped = true }
        written.ring()
    }

    /// Returns when everything that was appended before the call is durable.
    ///
    /// - Throws: what went wrong meanwhile, even when the log goes on after it.
    func flush() async throws(StorageError) {
        if options.isPeriodic {
            // The writer's own rhythm may be slow; two syncs at once do no harm, each covers what was before it.
            do throws(StorageError) {
                try await syncStores()
            } catch {
                failed(error)
                throw error
            }
            return
        }
        let formerFailures: Int = state.withLock { $0.failureCount }
        while true {
            var isDone = true
            for shard in shards {
                let isHandedOver: Bool = await CommitLog.run(on: shard.loop) { shard.handOver() }
                if !isHandedOver || shard.outbox.isBusy { isDone = false }
            }
            if let failure = segments.readState({ $0.failure }) { throw failure }
            if let failure = state.withLock({ $0.failureCount > formerFailures ? $0.lastFailure : nil }) {
                throw failure
            }
            if isDone { return }
            await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
                state.withLock { $0.waiting.append(continuation) }
                written.ring()
            }
        }
    }

    private func pause(_ duration: Duration) async {
        // Cancelled only at the end, when whoever waits is to be woken at once.
        do { try await segments.host.time.sleep(for: duration) } catch { return }
    }

    private func wakeWaiting() {
        let waiting: [UnsafeContinuation<Void, Never>] = state.withLock { state in
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    /// Writes what waits; what could not be written is tried again a little later.
    private func attemptGroups() async {
        let isDone: Bool = await attempt { () async throws(StorageError) in try await self.writeGroups() }
        if isDone { return }
        wakeWaiting()
        await pause(LogWriter.retryPause)
        written.ring()
    }

    /// Returns false when it is worth another attempt.
    private func attempt(_ body: () async throws(StorageError) -> Void) async -> Bool {
        if segments.readState({ $0.failure != nil || $0.isClosed }) { return true }
        do throws(StorageError) {
            try await body()
            return true
        } catch {
            return failed(error)
        }
    }

    /// Tells the shards that what waits has failed; by policy the log stops, or goes on in another segment.
    ///
    /// - Returns: whether the log has stopped.
    @discardableResult
    private func failed(_ error: StorageError) -> Bool {
        let isFinal: Bool = options.failurePolicy == .stop && !LogWriter.isShortage(error)
        if isFinal { segments.fail(error) }
        state.withLock { state in
            state.failureCount += 1
            state.lastFailure = error
        }
        for shard in shards {
            shard.outbox.settle()
            shard.loop.execute { shard.fail(error, isFinal: isFinal) }
        }
        return isFinal
    }

    private static func isShortage(_ error: StorageError) -> Bool {
        if case .outOfSpace = error { return true }
        return false
    }

    // MARK: Groups

    /// Writes what waits in the outboxes until nothing does.
    private func writeGroups() async throws(StorageError) {
        var first = 0
        while let group = takeGroup(startingAt: first) {
            do throws(StorageError) {
                try await write(group)
            } catch {
                for entry in group { entry.shard.outbox.putBack(entry.parcel) }
                throw error
            }
            first = (first + 1) % shards.count
        }
    }

    private typealias Group = [(shard: CommitLogShard, parcel: LogOutbox.Parcel)]

    /// Takes what fits into one write, from one shard after another.
    private func takeGroup(startingAt first: Int) -> Group? {
        let room: Int = options.segmentByteCount - LogFormat.firstChunkOffset - LogFormat.pageByteCount
        var group: Group = []
        var byteCount = 0
        for step in 0..<shards.count {
            let shard: CommitLogShard = shards[(first + step) % shards.count]
            let waiting: Int = shard.outbox.byteCount
            if waiting == 0 { continue }
            let extent: Int = LogFormat.rounded(ChunkHead.byteCount + waiting, to: LogFormat.chunkAlignment)
            // The outbox may grow until it is taken, so room is left for all that it can hold.
            let most: Int = max(
                extent, LogFormat.rounded(ChunkHead.byteCount + shard.outbox.limit, to: LogFormat.chunkAlignment))
            if !group.isEmpty, byteCount + most > room { continue }
            guard let parcel = shard.outbox.take() else { continue }
            byteCount += LogFormat.rounded(ChunkHead.byteCount + parcel.bytes.count, to: LogFormat.chunkAlignment)
            group.append((shard, parcel))
        }
        return group.isEmpty ? nil : group
    }

    private func write(_ group: Group) async throws(StorageError) {
        var byteCount = 0
        for entry in group {
            byteCount += LogFormat.rounded(ChunkHead.byteCount + entry.parcel.bytes.count, to: LogFormat.chunkAlignment)
        }
        byteCount = LogFormat.rounded(byteCount, to: LogFormat.pageByteCount)
        let place: (segment: LogSegment, offset: Int) = try await takeRoom(byteCount)
        let trustedFrom: UInt64 = segments.readState { $0.trustedFrom }
        let bytes: [UInt8] = LogWriter.encode(group, byteCount, place.segment, place.offset, trustedFrom)
        for entry in group {
            segments.note(entry.parcel.tables, shard: entry.shard.index, in: place.segment.id, isLeaving: false)
        }
        #if PLANTS
        if Plant.isOn(.skipLogSync) {
            for entry in group {
                let (shard, last): (CommitLogShard, LogPosition) = (entry.shard, entry.parcel.last)
                shard.loop.execute { shard.advance(to: last) }
            }
            await pause(.seconds(2))
        }
        #endif
        do throws(DiskError) {
            try await place.segment.file.writeDurably(bytes, at: place.offset)
        } catch {
            segments.abandonActive()
            throw LogWriter.logError(error)
        }
        for entry in group {
            let shard: CommitLogShard = entry.shard
            let last: LogPosition = entry.parcel.last
            shard.outbox.settle()
            shard.loop.execute { shard.advance(to: last) }
        }
    }

    /// Room in the active segment or the next one, waiting until that is ready.
    private func takeRoom(_ byteCount: Int) async throws(StorageError) -> (segment: LogSegment, offset: Int) {
        var full: UInt64?
        while true {
            do throws(StorageError) {
                let segment: LogSegment = try segments.segment(after: full, holds: false)
                if let offset = segment.reserve(byteCount) { return (segment, offset) }
                full = segment.id
            } catch .overloaded {
                segments.work.ring()
                await segments.readiness.wait()
            }
        }
    }

    /// The bytes of one write: for each shard a chunk, then zeros up to the end of the page.
    private static func encode(
        _ group: Group, _ byteCount: Int, _ segment: LogSegment, _ offset: Int, _ trustedFrom: UInt64
    ) -> [UInt8] {
        var writer = ByteWriter(capacity: byteCount)
        for (index, entry) in group.enumerated() {
            let start: Int = writer.count
            let used: Int = ChunkHead.byteCount + entry.parcel.bytes.count
            let isLast: Bool = index == group.count - 1
            let extent: Int = isLast ? byteCount - start : LogFormat.rounded(used, to: LogFormat.chunkAlignment)
            let head = ChunkHead(
                kind: .exact, segment: segment.id, trustedFrom: trustedFrom, durableBefore: offset, byteCount: used,
                firstPosition: entry.parcel.first, shard: entry.shard.index, recordCount: entry.parcel.count,
                extent: extent, previousEnd: segment.previousEnd)
            head.write(to: &writer)
            writer.write(entry.parcel.bytes)
            writer.writeZeros(start + extent - writer.count)
        }
        return writer.array()
    }

    // MARK: Syncs

    /// Makes durable what the shards have stored, and marks in the log what is.
    private func syncStores() async throws(StorageError) {
        let before: (toSync: [LogSegment], active: LogSegment?, end: Int, trustedFrom: UInt64) =
            segments.readState { state in
                (state.unsynced, state.active, state.active?.end ?? 0, state.trustedFrom)
            }
        guard let active = before.active else { return }
        // Whoever reserved a chunk before has written its head by the time its loop has run this.
        var ends: [LogPlace] = []
        for shard in shards { ends.append(await CommitLog.run(on: shard.loop) { shard.settle() }) }
        // Nobody stores into these any more, so this sync is their last.
        let left: [UInt64] = segments.readState { state in
            before.toSync.map(\.id).filter { $0 < active.id && state.ledger.isLeft($0) }
        }
        for segment in before.toSync {
            do throws(DiskError) {
                try await segment.file.sync()
            } catch .closed {
                continue  // a clean segment that was removed meanwhile
            } catch {
                segments.abandonActive()
                throw LogWriter.logError(error)
            }
        }
        let number: UInt64 = state.withLock { state in
            state.markNumber += 1
            return state.markNumber
        }
        let mark = SyncMark(
            segment: active.id, trustedFrom: before.trustedFrom, number: number, headsBefore: before.end,
            previousEnd: active.previousEnd, ends: ends)
        var writer = ByteWriter(capacity: SyncMark.slotByteCount)
        mark.write(to: &writer)
        segments.readState { state in
            state.unsynced.removeAll { left.contains($0.id) }
            guard !state.isClosed, state.active?.id == active.id || state.sealed.contains(where: { $0.id == active.id })
            else { return }
            writer.withUnsafeBytes { active.file.store($0, at: mark.slotOffset) }
        }
    }

    /// A full disk is told apart from a broken one.
    private static func logError(_ error: DiskError) -> StorageError {
        if case .outOfSpace(let path) = error { return .outOfSpace(path) }
        return .logFailed(String(describing: error))
    }
}
