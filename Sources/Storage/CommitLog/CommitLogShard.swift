import Environment
public import Primitives
import Synchronization

/// One shard's way into the commit log. Confined to the shard's loop.
///
/// In periodic mode a record is in the log's file when `append` returns, so it survives the process and may be
/// acknowledged. In the other modes it is gathered, and `onAdvance` says when it is durable.
///
/// A record that could not be written, and that has failed for whoever waited for it, is written later all the same
/// unless the log has failed for good: memtables have it, so that nothing after it may count as durable before it.
///
/// `Sendable` is unchecked because everything but `outbox` and `segments`, which guard themselves, is used on the
/// loop of the shard only.
public final class CommitLogShard: @unchecked Sendable {
    /// The last mutation that may be acknowledged.
    public private(set) var acknowledgeable: LogPosition
    /// Called on the loop, once per group, when `acknowledgeable` has grown later than `append` returned.
    public var onAdvance: ((LogPosition) -> Void)?
    /// Called on the loop when what was appended and is not yet acknowledgeable could not be made durable. It may be later.
    public var onFailure: ((StorageError) -> Void)?

    /// The place of the shard in the log, and of its loop in the host.
    public let index: Int
    let loop: any Loop
    let outbox: LogOutbox
    private let segments: LogSegments
    private let written: AsyncSignal
    private let isPeriodic: Bool
    /// The largest mutation that the log takes, in bytes.
    package let mutationLimit: Int
    private var position: LogPosition
    /// Why the log takes nothing more; what was not acknowledgeable when it failed never will be.
    public private(set) var failure: StorageError?
    /// Why the log takes nothing more for now: what could not be written is to be written first.
    private var obstacle: StorageError?
    /// What is being gathered: in periodic mode one record at a time, else those of this turn of the loop.
    private var gathered = ByteWriter(capacity: 4_096)
    private var gatheredCount: Int = 0
    private var isPublishing = false
    /// The tables of the records since the last note to the segments; the one of the last record is `lastTable`.
    private var tables: [(table: UUID, last: LogPosition)] = []
    private var lastTable: Int = 0
    /// Periodic mode: the segment and chunk that are being filled. The chunk's room ends at `chunkEnd`.
    private var segment: LogSegment?
    private var chunkOffset: Int = 0
    private var chunkEnd: Int = 0
    /// Where the last record ends.
    private var lastEnd: LogPlace

    init(
        index: Int, loop: any Loop, segments: LogSegments, written: AsyncSignal, start: LogPosition,
        firstSegment: UInt64
    ) {
        self.index = index
        self.loop = loop
        self.segments = segments
        self.written = written
        self.isPeriodic = segments.options.isPeriodic
        self.mutationLimit = segments.options.mutationLimit
        self.position = start
        self.acknowledgeable = start
        self.outbox = LogOutbox(limit: segments.options.segmentByteCount / 2)
        self.lastEnd = LogPlace(segment: firstSegment, offset: 0)
    }

    /// The position of the last mutation that was appended.
    public var lastPosition: LogPosition { position }

    /// Adds a mutation to the log.
    ///
    /// Hot: once per write. In periodic mode it makes no system call; in the others it copies the bytes.
    ///
    /// - Throws: `.tooLarge`; `.overloaded` when the log is behind; what the log failed with, when it has, or why it can
    ///   not go on for now. Nothing was appended then.
    public func append(_ mutation: RawSpan) throws(StorageError) -> LogPosition {
        if let failure { throw failure }
        if let obstacle { throw obstacle }
        let byteCount: Int = mutation.byteCount
        guard byteCount <= mutationLimit else { throw .tooLarge(byteCount: byteCount, limit: mutationLimit) }
        guard let table = UUID(mutation) else {
            throw .decoding(.truncated(offset: byteCount, missing: 16 - byteCount))
        }
        let next = LogPosition(position.value &+ 1)
        let recordByteCount: Int = LogFormat.recordHeadByteCount &+ byteCount
        if isPeriodic {
            // Behind every record there is room for the mark that ends the chunk.
            if chunkEnd &- chunkOffset < recordByteCount &+ LogFormat.recordHeadByteCount {
                try startChunk(recordByteCount)
            }
            store(mutation, next)
        } else {
            try gather(mutation, next)
        }
        position = next
        if isPeriodic { acknowledgeable = next }
        noteTable(table, next)
        return next
    }

    /// Says that the mutations of a table up to `position` are in SSTables.
    public func markFlushed(_ table: UUID, upTo position: LogPosition) {
        if isPeriodic { noteTables(isLeaving: false) }
        segments.markFlushed(DirtyTable(shard: index, table: table), upTo: position)
    }

    @inline(__always)
    private func noteTable(_ table: UUID, _ position: LogPosition) {
        if lastTable < tables.count, tables[lastTable].table == table {
            tables[lastTable].last = position
        } else if let place = tables.firstIndex(where: { $0.table == table }) {
            tables[place].last = position
            lastTable = place
        } else {
            lastTable = tables.count
            tables.append((table, position))
        }
    }

    private func writeRecord(_ mutation: RawSpan, _ position: LogPosition) {
        let checksum: UInt32 = mutation.withUnsafeBytes { LogFormat.checksum($0, position, shard: index) }
        gathered.reserve(mutation.byteCount &+ 2 &* LogFormat.recordHeadByteCount)
        gathered.write(UInt32(truncatingIfNeeded: mutation.byteCount))
        gathered.write(checksum)
        gathered.write(mutation)
    }

    // MARK: Periodic

    /// Puts a record into the chunk, and zeros behind it that end the chunk until the next record.
    private func store(_ mutation: RawSpan, _ position: LogPosition) {
        guard let segment else { return }
        gathered.removeAll(keepingAtMost: 256 << 10)
        writeRecord(mutation, position)
        gathered.write(UInt64(0))
        gathered.withUnsafeBytes { segment.file.store($0, at: chunkOffset) }
        chunkOffset &+= gathered.count &- LogFormat.recordHeadByteCount
        lastEnd = LogPlace(segment: segment.id, offset: chunkOffset)
    }

    /// Takes a new chunk with room for a record of `recordByteCount`.
    @inline(never)
    private func startChunk(_ recordByteCount: Int) throws(StorageError) {
        let needed: Int = ChunkHead.byteCount + recordByteCount + LogFormat.recordHeadByteCount
        let smallest: Int = min(LogFormat.openChunkByteCount, segments.options.segmentByteCount / 8)
        let extent: Int = LogFormat.rounded(max(smallest, needed), to: LogFormat.pageByteCount)
        while true {
            let current: LogSegment
            if let held = segment {
                current = held
            } else {
                current = try segments.segment(after: nil, holds: true)
                segment = current
            }
            if let offset = current.reserve(extent) {
                endChunk()
                beginChunk(in: current, at: offset, extent: extent)
                return
            }
            let next: LogSegment = try segments.segment(after: current.id, holds: true)
            endChunk()
            noteTables(isLeaving: true)
            segment = next
        }
    }

    private func beginChunk(in segment: LogSegment, at offset: Int, extent: Int) {
        let head = ChunkHead(
            kind: .open, segment: segment.id, trustedFrom: 0, durableBefore: 0, byteCount: extent,
            firstPosition: LogPosition(position.value &+ 1), shard: index, recordCount: 0, extent: extent,
            previousEnd: segment.previousEnd)
        gathered.removeAll()
        head.write(to: &gathered)
        gathered.write(UInt64(0))
        gathered.withUnsafeBytes { segment.file.store($0, at: offset) }
        chunkOffset = offset + ChunkHead.byteCount
        chunkEnd = offset + extent
    }

    /// Marks the chunk as ended, so that a reader knows that nothing of it is missing.
    private func endChunk() {
        guard let segment, chunkEnd > 0 else { return }
        gathered.removeAll()
        gathered.write(LogFormat.endOfChunk)
        gathered.write(LogFormat.seed(LogPosition(position.value &+ 1), shard: index, length: LogFormat.endOfChunk))
        gathered.withUnsafeBytes { segment.file.store($0, at: chunkOffset) }
        chunkOffset = 0
        chunkEnd = 0
    }

    private func noteTables(isLeaving: Bool) {
        guard let segment else { return }
        segments.note(tables, shard: index, in: segment.id, isLeaving: isLeaving)
        tables.removeAll(keepingCapacity: true)
        lastTable = 0
    }

    /// Before a sync: tells the segments what is in them, and leaves one that is full. Returns where the shard's
    /// records end.
    func settle() -> LogPlace {
        guard let current = segment else { return lastEnd }
        let isFull: Bool = segments.readState { $0.ledger.isSealed(current.id) }
        if isFull { endChunk() }
        noteTables(isLeaving: isFull)
        if isFull { segment = nil }
        return lastEnd
    }

    // MARK: Batch and group

    private func gather(_ mutation: RawSpan, _ position: LogPosition) throws(StorageError) {
        let recordByteCount: Int = LogFormat.recordHeadByteCount &+ mutation.byteCount
        guard gatheredCount == 0 || gathered.count &+ recordByteCount <= outbox.limit else { throw .overloaded }
        writeRecord(mutation, position)
        gatheredCount &+= 1
        guard !isPublishing else { return }
        isPublishing = true
        loop.execute { self.publish() }
    }

    /// Hands what was gathered in this turn of the loop to the writer, unless that is behind: then it asks again.
    private func publish() {
        isPublishing = false
        guard gatheredCount > 0 else { return }
        let first = LogPosition(position.value &- UInt64(gatheredCount) &+ 1)
        guard outbox.add(&gathered, count: gatheredCount, first: first, tables: tables) else { return }
        gatheredCount = 0
        tables.removeAll(keepingCapacity: true)
        lastTable = 0
        written.ring()
    }

    /// The writer has made everything up to `position` durable.
    func advance(to position: LogPosition) {
        obstacle = nil
        if position > acknowledgeable {
            acknowledgeable = position
            onAdvance?(position)
        }
        publish()
    }

    /// Hands over what was gathered; whether nothing is left here.
    func handOver() -> Bool {
        publish()
        return gatheredCount == 0
    }

    /// What waits has failed. When that is final it is dropped, and further mutations are refused; else it is written as
    /// soon as that is possible, and nothing more is taken before.
    func fail(_ error: StorageError, isFinal: Bool) {
        if isFinal {
            failure = error
            outbox.drop()
            gathered.removeAll(keepingAtMost: 64 << 10)
            gatheredCount = 0
            tables.removeAll()
            lastTable = 0
        } else if !isPeriodic, gatheredCount > 0 || outbox.isBusy {
            obstacle = error
        }
        onFailure?(error)
    }

    /// Ends the shard's part: everything is handed over, and nothing more is taken.
    func finish() {
        if isPeriodic {
            endChunk()
            noteTables(isLeaving: true)
            segment = nil
        } else {
            publish()
        }
        failure = .closed
    }
}

/// Where a shard leaves its records for the writer.
///
/// `Sendable` is unchecked because every access is under the lock.
final class LogOutbox: @unchecked Sendable {
    /// Records of one shard, one after another, as they go into a chunk.
    struct Parcel: Sendable {
        var bytes: [UInt8]
        var count: Int
        var first: LogPosition
        var tables: [(table: UUID, last: LogPosition)]

        var last: LogPosition { LogPosition(first.value &+ UInt64(count) &- 1) }
    }

    let limit: Int
    private let lock = Mutex<Void>(())
    private var writer = ByteWriter(capacity: 4_096)
    private var count: Int = 0
    private var first: LogPosition = .start
    private var tables: [(table: UUID, last: LogPosition)] = []
    private var isInFlight = false
    /// What was taken and could not be written: it goes first.
    private var failed: Parcel?

    init(limit: Int) {
        self.limit = limit
    }

    /// Takes all that `records` holds and leaves it empty; false, and nothing is taken, when there is too much here.
    func add(
        _ records: inout ByteWriter, count more: Int, first start: LogPosition,
        tables added: [(table: UUID, last: LogPosition)]
    ) -> Bool {
        lock.withLock { _ in
            if count == 0 {
                swap(&writer, &records)
                first = start
            } else {
                guard writer.count + records.count <= limit else { return false }
                writer.write(records.span)
            }
            count += more
            tables += added
            records.removeAll(keepingAtMost: 256 << 10)
            return true
        }
    }

    /// The bytes that the next parcel has at least.
    var byteCount: Int { lock.withLock { _ in failed?.bytes.count ?? writer.count } }

    /// Takes what waits; nil when there is nothing.
    func take() -> Parcel? {
        lock.withLock { _ in
            if let parcel = failed {
                failed = nil
                isInFlight = true
                return parcel
            }
            guard count > 0 else { return nil }
            let parcel = Parcel(bytes: writer.array(), count: count, first: first, tables: tables)
            writer.removeAll(keepingAtMost: 256 << 10)
            count = 0
            tables = []
            isInFlight = true
            return parcel
        }
    }

    /// Takes back what could not be written.
    func putBack(_ parcel: Parcel) {
        lock.withLock { _ in failed = parcel }
    }

    /// Forgets what waits.
    func drop() {
        lock.withLock { _ in
            failed = nil
            writer.removeAll(keepingAtMost: 256 << 10)
            count = 0
            tables = []
        }
    }

    /// Whether anything waits or is being written.
    var isBusy: Bool { lock.withLock { _ in isInFlight || count > 0 || failed != nil } }

    /// What was taken has been written, or has failed.
    func settle() {
        lock.withLock { _ in isInFlight = false }
    }
}
