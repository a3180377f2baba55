package import Environment
public import Primitives
import Synchronization

/// The commit log of a node: what every shard has written and no SSTable has yet.
///
///     shard ──append──▶ CommitLogShard ──store──────────────▶ segment file            periodic
///                            └──outbox──▶ LogWriter ──writeDurably──▶ segment file    batch, group
///
/// Open it after `LogReplay.run` has read what an earlier process left; the old files stay until `discardReplayed`.
public final class CommitLog: Sendable {
    /// One for each loop of the host, in their order.
    public let shards: [CommitLogShard]
    private let host: Host
    private let segments: LogSegments
    private let writer: LogWriter
    private let replayedPaths: Mutex<[String]>
    private let background: Mutex<[any BackgroundWork]>

    private init(
        shards: [CommitLogShard], host: Host, segments: LogSegments, writer: LogWriter, replayedPaths: [String]
    ) {
        self.shards = shards
        self.host = host
        self.segments = segments
        self.writer = writer
        self.replayedPaths = Mutex(replayedPaths)
        self.background = Mutex([])
    }

    /// Opens the log for writing, in new segments.
    ///
    /// - Parameters:
    ///   - replayed: what `LogReplay.run` found in the same folder.
    ///   - flushed: the greatest position that is recorded as flushed anywhere; new positions are greater.
    ///   - spacePressed: called, from any thread, when segments take more than they may; what to flush first.
    package static func open(
        _ options: CommitLogOptions, host: Host, replayed: LogReplay.Outcome, flushed: LogPosition = .start,
        spacePressed: @escaping @Sendable ([DirtyTable]) -> Void = { _ in }
    ) async throws(StorageError) -> CommitLog {
        do throws(DiskError) {
            try await host.disk.createDurableDirectory(options.directory)
        } catch {
            throw StorageError(error)
        }
        let firstSegment: UInt64 = replayed.lastSegment + 1
        let segments = LogSegments(options, host: host, firstID: firstSegment, spacePressed: spacePressed)
        try await segments.prepareFirst()
        let start: LogPosition = max(replayed.lastPosition, flushed).startOfNextRun
        let written = AsyncSignal()
        var shards: [CommitLogShard] = []
        for loop in host.loops {
            let shard = CommitLogShard(
                index: loop.index, loop: loop, segments: segments, written: written, start: start,
                firstSegment: firstSegment)
            shards.append(shard)
        }
        let writer = LogWriter(segments: segments, shards: shards, written: written)
        let log = CommitLog(
            shards: shards, host: host, segments: segments, writer: writer, replayedPaths: replayed.paths)
        log.startBackground()
        return log
    }

    private func startBackground() {
        let loop: any Loop = host.loops[0]
        let maintenance = host.background.run("commitlog.segments", on: loop) { [segments] in await segments.maintain()
        }
        let writing = host.background.run("commitlog.writer", on: loop) { [writer] in await writer.run() }
        background.withLock { $0 = [maintenance, writing] }
    }

    /// The largest mutation that the log takes.
    public var mutationLimit: Int { segments.options.mutationLimit }

    /// The bytes of all segments that are in use.
    public var byteCount: Int {
        segments.readState { $0.ledger.segmentCount } * segments.options.segmentByteCount
    }

    /// Tells that the mutations of a table up to a position of a shard are in SSTables. Runs on that shard's loop.
    public func markFlushed(_ table: UUID, shard: Int, upTo position: LogPosition) {
        shards[shard].markFlushed(table, upTo: position)
    }

    /// Removes the segments of earlier processes, once what they hold is in SSTables.
    package func discardReplayed() async throws(StorageError) {
        let paths: [String] = replayedPaths.withLock { paths in
            defer { paths = [] }
            return paths
        }
        guard !paths.isEmpty else { return }
        do throws(DiskError) {
            for path in paths { try await host.disk.remove(path) }
            try await host.disk.syncDirectory(segments.options.directory)
        } catch {
            throw StorageError(error)
        }
    }

    /// Makes durable what was appended so far.
    ///
    /// - Throws: what the log has failed with.
    package func sync() async throws(StorageError) {
        try await writer.flush()
    }

    /// Makes everything durable and lets the files go. Nothing may be appended any more.
    package func close() async throws(StorageError) {
        for shard in shards { await CommitLog.run(on: shard.loop) { shard.finish() } }
        let outcome: Result<Void, StorageError>
        do throws(StorageError) {
            try await writer.flush()
            outcome = .success(())
        } catch {
            outcome = .failure(error)
        }
        writer.stop()
        let works: [any BackgroundWork] = background.withLock { works in
            defer { works = [] }
            return works
        }
        segments.readState { $0.isClosed = true }
        segments.work.ring()
        segments.readiness.ring()
        for work in works {
            work.cancel()
            await work.wait()
        }
        await segments.close()
        try outcome.get()
    }

    /// Runs `job` on a loop and waits for it.
    static func run<Value: Sendable>(on loop: any Loop, _ job: @escaping @Sendable () -> Value) async -> Value {
        await withUnsafeContinuation { continuation in
            loop.execute { continuation.resume(returning: job()) }
        }
    }
}
