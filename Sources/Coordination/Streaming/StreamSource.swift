package import Cluster
import DataModel
package import Environment
package import Primitives
package import Storage

/// Gives ranges of tables to nodes that ask for them.
///
///     streamOpen ─▶ flush, hold the files ─▶ streamFile, streamRows (again when an answer was lost) ─▶ streamClose
///
/// A session keeps its files readable and nothing else; one that nobody asks anything of ends when its lease does. What
/// is sent is throttled. Confined to loop 0, where messages are carried out; methods may be called from anywhere and go
/// there.
///
/// `Sendable` is unchecked because everything that changes does so on loop 0.
package final class StreamSource: @unchecked Sendable {
    let engine: StorageEngine
    let host: Host
    let messenger: any Messenger
    let settings: StreamSettings
    private let appliedEpoch: @Sendable () -> UInt64
    private let isRemote: @Sendable (NodeID) -> Bool
    let truncate: @Sendable (UUID) async throws -> Void
    private let truncations: TruncationTimes?
    private let watermarks: RepairWatermarks?

    private var sessions: [UUID: StreamSession] = [:]
    /// Sessions whose files are being gathered.
    private var opening: Set<UUID> = []
    private var near: StreamThrottle
    private var far: StreamThrottle
    private var isStopped = false
    private var isSweeping = false
    /// How often each table was emptied since the start.
    var truncationCounts: [UUID: Int] = [:]
    /// Who has fetched of which table, and when.
    var fetchers: [UUID: [NodeID: UInt64]] = [:]

    private static let sweepPause: Duration = .seconds(30)

    /// - Parameters:
    ///   - appliedEpoch: the epoch of the metadata that all of this node goes by.
    ///   - isRemote: whether a node is in another data centre.
    ///   - truncate: empties a table of this node, for another that has emptied it and had given it to this one.
    ///   - truncations, watermarks: what whoever fetches here takes over.
    package init(
        engine: StorageEngine, host: Host, messenger: any Messenger, settings: StreamSettings = StreamSettings(),
        appliedEpoch: @escaping @Sendable () -> UInt64, isRemote: @escaping @Sendable (NodeID) -> Bool = { _ in false },
        truncate: @escaping @Sendable (UUID) async throws -> Void, truncations: TruncationTimes? = nil,
        watermarks: RepairWatermarks? = nil
    ) {
        self.truncations = truncations
        self.watermarks = watermarks
        self.engine = engine
        self.host = host
        self.messenger = messenger
        self.settings = settings
        self.appliedEpoch = appliedEpoch
        self.isRemote = isRemote
        self.truncate = truncate
        self.near = StreamThrottle(bytesPerSecond: settings.bytesPerSecond)
        self.far = StreamThrottle(bytesPerSecond: settings.interDatacenterBytesPerSecond)
    }

    /// Has this node answer. Called once, before messages come.
    package func register() {
        messenger.handle(.streamOpen) { [self] in try await answering($0, open) }
        messenger.handle(.streamFile) { [self] in try await answering($0, piece) }
        messenger.handle(.streamRows) { [self] in try await answering($0, rows) }
        messenger.handle(.streamClose) { [self] in try await answering($0, close) }
        messenger.handle(.streamTruncated) { [self] in try await answering($0, truncatedThere) }
    }

    /// Ends all sessions; further requests are refused.
    package func stop() async {
        await onLoop { [self] in
            isStopped = true
            sessions = [:]
        }
    }

    /// Changes the throttle; 0 for no limit (`nodetool setstreamthroughput`, `setinterdcstreamthroughput`).
    package func setThroughput(bytesPerSecond: Int, interDatacenter: Int) async {
        await onLoop { [self] in
            near.bytesPerSecond = max(0, bytesPerSecond)
            far.bytesPerSecond = max(0, interDatacenter)
        }
    }

    package func throughput() async -> (bytesPerSecond: Int, interDatacenter: Int) {
        await onLoop { [self] in (near.bytesPerSecond, far.bytesPerSecond) }
    }

    /// What is being sent now.
    package func progress() async -> [StreamProgress] {
        await onLoop { [self] in
            sessions.values.map(\.progress).sorted {
                ($0.id.high, $0.id.low, $0.peer, $0.table ?? "") < ($1.id.high, $1.id.low, $1.peer, $1.table ?? "")
            }
        }
    }

    func onLoop<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Value {
        await withUnsafeContinuation { continuation in
            host.loops[0].execute { continuation.resume(returning: body()) }
        }
    }

    /// Says to the other node what went wrong.
    private func answering(
        _ message: IncomingMessage, _ body: (IncomingMessage) async throws -> [UInt8]
    ) async throws -> [UInt8] {
        if isStopped { throw Refusal(code: StreamRefusal.gone, reason: "this node is stopping") }
        do {
            return try await body(message)
        } catch let error as DecodingError {
            throw Refusal(code: StreamRefusal.malformed, reason: "\(error)")
        } catch let error as StorageError {
            throw Refusal(code: StreamRefusal.failed, reason: "\(error)")
        }
    }

    // MARK: Sessions

    private func open(_ message: IncomingMessage) async throws -> [UInt8] {
        let request = try StreamMessages.Open(message.body)
        if let session = sessions[request.session], session.peer == message.sender, session.request == request {
            session.usedAtNanoseconds = host.time.monotonicNanoseconds
            return session.answer
        }
        guard appliedEpoch() >= request.epoch else {
            throw Refusal(code: StreamRefusal.behind, reason: "the epoch \(request.epoch) is not applied here yet")
        }
        guard sessions[request.session] == nil, opening.count + sessions.count < settings.sessionCount,
            opening.insert(request.session).inserted
        else { throw Refusal(code: StreamRefusal.busy, reason: "this node streams as much as it may") }
        defer { opening.remove(request.session) }
        let count: Int = truncationCounts[request.table] ?? 0
        // Remembered before the files are held: a truncation that ends meanwhile has to know.
        noteFetcher(message.sender, of: request.table)
        let past = StreamedPast(
            truncation: truncations?.finished(request.table) ?? 0,
            watermarks: watermarks?.watermarks(request.table, request.ranges) ?? TokenSeconds())
        let capture: StreamCapture? = try await engine.capture(
            table: request.table, ranges: request.ranges, wholeByteCount: settings.wholeByteCount)
        guard let capture else {
            throw Refusal(code: StreamRefusal.unknownTable, reason: "this node has no table with id \(request.table)")
        }
        guard count == truncationCounts[request.table] ?? 0, !isStopped else {
            throw Refusal(code: StreamRefusal.busy, reason: "the table is being emptied")
        }
        noteFetcher(message.sender, of: request.table)
        let session = StreamSession(request, of: message.sender, capture, past, now: host.time.monotonicNanoseconds)
        session.progress.table = await name(of: request.table)
        sessions[request.session] = session
        startSweeping()
        return session.answer
    }

    private func name(of table: UUID) async -> String? {
        let shard: ShardStore = engine.shards[0]
        return await withUnsafeContinuation { continuation in
            shard.loop.execute {
                let definition = shard.table(table)?.definition
                continuation.resume(returning: definition.map { "\($0.keyspace).\($0.name)" })
            }
        }
    }

    private func session(_ id: UUID, of peer: NodeID) throws(Refusal) -> StreamSession {
        guard let session = sessions[id], session.peer == peer else {
            throw Refusal(code: StreamRefusal.gone, reason: "no such session")
        }
        session.usedAtNanoseconds = host.time.monotonicNanoseconds
        return session
    }

    private func close(_ message: IncomingMessage) throws -> [UInt8] {
        let body: [UInt8] = message.body
        guard body.count == 16, let id = UUID(body.span.bytes) else {
            throw Refusal(code: StreamRefusal.malformed, reason: "no id of a session")
        }
        if let session = sessions[id], session.peer == message.sender { sessions[id] = nil }
        return []
    }

    // MARK: Data

    private func piece(_ message: IncomingMessage) async throws -> [UInt8] {
        let request = try StreamMessages.FilePiece(message.body)
        let session: StreamSession = try session(request.session, of: message.sender)
        let isFar: Bool = isRemote(session.peer)
        let limit: Int = (isFar ? far : near).limit(settings.chunkByteCount)
        let bytes: [UInt8] = try await session.piece(request, byteCountLimit: limit)
        try await pay(bytes.count, isFar: isFar)
        return bytes
    }

    ///     rows answer := byte count of the chunk u32 · bytes of it from the wanted offset on
    private func rows(_ message: IncomingMessage) async throws -> [UInt8] {
        let request = try StreamMessages.Rows(message.body)
        let session: StreamSession = try session(request.session, of: message.sender)
        let isFar: Bool = isRemote(session.peer)
        let lane: StreamLane = try session.lane(request)
        let before: Int = lane.rowCount
        let chunk: [UInt8]
        do {
            chunk = try await lane.chunk(request, byteCount: (isFar ? far : near).limit(settings.chunkByteCount))
        } catch let error as StorageError {
            // Where its cursors are nobody knows.
            session.forget(request.lane)
            throw error
        }
        session.progress.rowCount += max(0, lane.rowCount - before)
        let offset = Int(request.offset)
        guard offset <= chunk.count, chunk.count <= StreamMessages.chunkByteCountLimit else {
            throw Refusal(code: StreamRefusal.malformed, reason: "a place behind the end of a chunk")
        }
        let count: Int = min(chunk.count - offset, StreamMessages.answerByteCountLimit)
        try await pay(count, isFar: isFar)
        session.progress.byteCount += count
        var writer = ByteWriter(capacity: 4 + count)
        writer.write(UInt32(truncatingIfNeeded: chunk.count))
        chunk.withUnsafeBytes { writer.write(UnsafeRawBufferPointer(rebasing: $0[offset..<(offset + count)])) }
        return writer.array()
    }

    private func pay(_ byteCount: Int, isFar: Bool) async throws {
        let now: UInt64 = host.time.monotonicNanoseconds
        guard let wait = isFar ? far.pay(byteCount, now: now) : near.pay(byteCount, now: now) else {
            throw Refusal(code: StreamRefusal.busy, reason: "the throttle is behind")
        }
        if wait > .zero { try await host.time.sleep(for: wait) }
    }

    // MARK: Leases

    private func startSweeping() {
        guard !isSweeping else { return }
        isSweeping = true
        _ = host.loops[0].schedule(after: StreamSource.sweepPause) { [weak self] in self?.sweep() }
    }

    private func sweep() {
        isSweeping = false
        let now: UInt64 = host.time.monotonicNanoseconds
        let lease = UInt64(max(0, settings.lease / .nanoseconds(1)))
        sessions = sessions.filter { now - $0.value.usedAtNanoseconds < lease }
        if !sessions.isEmpty { startSweeping() }
    }

    /// Ends the sessions of a table.
    func endSessions(of table: UUID) {
        sessions = sessions.filter { $0.value.request.table != table }
    }

    private func noteFetcher(_ peer: NodeID, of table: UUID) {
        fetchers[table, default: [:]][peer] = host.time.monotonicNanoseconds
        forgetFetchers()
    }
}
