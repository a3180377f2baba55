public import DataModel
package import Environment
public import Primitives

/// The storage of one shard: its tables, its memory budget, its place in the commit log, its files.
///
///     apply ─▶ commit log ─▶ memtable ─▶ (budget, age, command) ─▶ frozen ─▶ SSTable ─▶ manifest ─▶ log released
///                                                                              └────▶ compaction ─▶ manifest
///
/// `Sendable` is unchecked because everything in it is used on its loop only. The engine runs its `async` work there
/// (`LoopCall`, `Background`), and the callers of `apply`, `table` and the reads are on that loop already; `index`,
/// `loop` and the folder never change.
public final class ShardStore: @unchecked Sendable {
    public let index: Int
    package let loop: any Loop
    let host: Host
    let options: StorageOptions
    /// Where the shard's files are.
    let folder: String
    /// Nil only while the engine opens: what an earlier process logged is flushed before there is a new log.
    private var attachedLog: CommitLogShard?
    let cache: BlockCache
    /// Where flushed files get a second name; nil when that is not wanted.
    var backupFolder: String?
    /// Why the last file that should have been backed up was not.
    var backupFailure: StorageError?
    /// Counts requests by partition, while somebody wants to know.
    var sampler: PartitionSampler?

    /// For reads of single rows.
    var rows = RowScratch()
    /// The strongest deletion of the partition or of a range that the last single-row read met over its row, whether
    /// anything of the row was left or not: what other replicas' versions of the row have to be held against.
    public internal(set) var lastShadow: Deletion = .none
    /// How many files the last single-row read looked into.
    var lastFileCount = 0
    /// The last place in the log of what the last single-row read has found.
    public internal(set) var lastReadPosition: LogPosition = .start
    /// The tokens of this shard's partitions.
    let tokens: ClosedRange<Token>

    private(set) var tables: [UUID: TableStore] = [:]
    /// What is on the disk, as the last edit left it.
    var manifest: ShardManifest
    let manifestFile: ManifestFile
    /// One edit of the manifest at a time.
    let manifestGate = SerialGate()
    /// Whether the manifest is known to be on the disk.
    private var hasManifest = false
    var nextGeneration: UInt64

    /// Memory of memtables that take writes, and of those on their way to the disk.
    private(set) var activeByteCount = 0
    private(set) var frozenByteCount = 0
    /// Where the largest memtable is flushed, and where writes are refused until one is through.
    private let flushByteCount: Int
    private let limitByteCount: Int

    /// Held while a memtable is written, and by whoever needs that none is.
    let flushGate = SerialGate()
    /// Memtables waiting to be written, oldest first, with their tables.
    var flushQueue: [(table: TableStore, memtable: FrozenMemtable)] = []
    var isFlushing = false
    /// Held by the compaction that runs.
    let compactionGate = SerialGate()
    let throttle: CompactionThrottle
    /// Which tombstones compactions keep, however old they are; nil for the grace alone.
    var purgeRule: PurgeRule?
    /// Limits how fast data is hashed.
    package let hashThrottle: CompactionThrottle
    /// Held by the one who saves hashes.
    let hashGate = SerialGate()
    /// Names the file of hashes that the manifest speaks of; 0 before the first.
    var hashSaveNumber: UInt64 = 0
    var savedHashByteCount = 0
    var hashSaver: (any BackgroundWork)?
    var compactionQueue: [TableStore] = []
    /// Told of every compaction that has ended well.
    var whenCompacted: (@Sendable (CompactionRecord) -> Void)?
    var isCompacting = false
    /// Writes that found no room.
    private var roomSeekers: [UnsafeContinuation<Void, Never>] = []
    /// Work that runs in the background and that `close` waits for.
    var flusher: (any BackgroundWork)?
    var compactor: (any BackgroundWork)?
    private(set) var isClosed = false
    /// The last failure of background work, for operators; nil once such work has succeeded again.
    package internal(set) var backgroundFailure: StorageError?

    init(
        index: Int, host: Host, options: StorageOptions, folder: String, manifest: ShardManifest, shardCount: Int
    ) {
        self.index = index
        self.loop = host.loops[index]
        self.host = host
        self.options = options
        self.folder = folder
        self.manifest = manifest
        self.manifestFile = ManifestFile(
            path: folder + "/manifest", magic: ShardManifest.magic, disk: host.disk)
        self.nextGeneration = manifest.nextGeneration
        self.throttle = CompactionThrottle(bytesPerSecond: options.compactionByteCountPerSecond, time: host.time)
        self.hashThrottle = CompactionThrottle(
            bytesPerSecond: options.hashByteCountPerSecond / shardCount, time: host.time)
        self.tokens = ShardSlices(count: shardCount).tokens(of: index)
        self.cache = BlockCache(byteLimit: options.blockCacheByteCount / shardCount)
        self.limitByteCount = max(1 << 20, options.memtableByteCount / shardCount)
        self.flushByteCount = Int(Double(limitByteCount) * min(max(options.flushThreshold, 0.01), 1))
    }

    /// The shard's part of the commit log.
    public var log: CommitLogShard {
        guard let attachedLog else { preconditionFailure("a shard has its log once the engine is open") }
        return attachedLog
    }

    /// Where the log is; its start while there is none.
    var lastLogged: LogPosition { attachedLog?.lastPosition ?? .start }

    /// Whether what the last single-row read has found may be shown: it is as durable as what is acknowledged.
    ///
    /// Hot: once per such read.
    public var isLastReadDurable: Bool {
        guard let attachedLog else { return true }
        return lastReadPosition <= attachedLog.acknowledgeable
    }

    /// Whether it never will be, as far as the log goes: that has failed before it had it.
    public var isLastReadDoubtful: Bool { !isLastReadDurable && log.failure != nil }

    func attach(_ log: CommitLogShard) {
        attachedLog = log
    }

    /// Tells the log what it need not keep.
    func logFlushed(_ table: UUID, upTo position: LogPosition) {
        attachedLog?.markFlushed(table, upTo: position)
    }

    /// The store of a table; nil when the engine does not have it.
    public func table(_ id: UUID) -> TableStore? { tables[id] }

    /// Ids of all tables, ascending.
    var tableIDs: [UUID] {
        tables.keys.sorted { ($0.high, $0.low) < ($1.high, $1.low) }
    }

    // MARK: Writes

    /// Logs a mutation and applies it: from then on reads find it. It may be acknowledged, and what reads have found
    /// may be shown, once `log.acknowledgeable` has reached the returned position.
    ///
    /// Hot: once per write.
    ///
    /// - Throws: `.overloaded` while memory for unflushed writes is used up, `.tooLarge`, `.decoding`, or what the log
    ///   throws; the mutation was then not applied.
    public func apply(_ mutation: RawSpan, to table: TableStore) throws(StorageError) -> LogPosition {
        if activeByteCount &+ frozenByteCount >= limitByteCount { try relieve() }
        if isClosed { throw .closed }
        let weight: UInt64 = TableMeters.weight(of: table.writeCount &+ 1)
        if weight != 0 || sampler != nil { return try measure(mutation, to: table, weight) }
        return try put(mutation, into: table)
    }

    /// A write that stands for others in the statistics.
    @inline(never)
    private func measure(
        _ mutation: RawSpan, to table: TableStore, _ weight: UInt64
    ) throws(StorageError) -> LogPosition {
        sampler?.noteWrite(table.id, mutation)
        let start: UInt64 = host.time.monotonicNanoseconds
        let position: LogPosition = try put(mutation, into: table)
        if weight != 0 { table.meters.writeNanoseconds.record(host.time.monotonicNanoseconds &- start, times: weight) }
        return position
    }

    @inline(__always)
    private func put(_ mutation: RawSpan, into table: TableStore) throws(StorageError) -> LogPosition {
        let memtable: Memtable = table.memtable ?? table.makeMemtable()
        let before: Int = memtable.byteCount
        let position: LogPosition = table.isLogged ? try log.append(mutation) : .start
        try memtable.apply(mutation, at: position)
        table.writeCount &+= 1
        let grown: Int = memtable.byteCount &- before
        if grown != 0 { memoryGrew(by: grown) }
        return position
    }

    /// Frees memory for a write that finds none.
    private func relieve() throws(StorageError) {
        flushLargest()
        throw .overloaded
    }

    /// Returns when it is worth trying again what was refused with `.overloaded`.
    ///
    /// All that wait are called together, in the order in which they came. They look for themselves, because room
    /// appears in many places: a flush that ended, a log that caught up, a disk that was full.
    public func pauseForRoom() async {
        await withUnsafeContinuation { (seeker: UnsafeContinuation<Void, Never>) in
            roomSeekers.append(seeker)
            guard roomSeekers.count == 1 else { return }
            _ = loop.schedule(after: .milliseconds(2)) { self.callRoomSeekers() }
        }
    }

    var roomSeekerCount: Int { roomSeekers.count }

    private func callRoomSeekers() {
        let called: [UnsafeContinuation<Void, Never>] = roomSeekers
        roomSeekers = []
        for seeker in called { seeker.resume() }
    }

    private func memoryGrew(by byteCount: Int) {
        activeByteCount &+= byteCount
        if activeByteCount > flushByteCount { flushLargest() }
    }

    func memtableFroze(_ byteCount: Int) {
        activeByteCount -= byteCount
        frozenByteCount += byteCount
    }

    func memtableVanished(frozenByteCount byteCount: Int) {
        frozenByteCount -= byteCount
    }

    /// Counts a memtable that was filled without `apply`: at the start, from the log.
    func memtableReplayed(_ byteCount: Int) {
        activeByteCount += byteCount
    }

    /// Whether the log's replay should pause to flush.
    var isReplayFull: Bool { activeByteCount > flushByteCount }

    /// Sends the table with the most memory to the disk.
    func flushLargest() {
        var largest: TableStore?
        var most = 0
        for id in tableIDs {
            guard let table = tables[id], let memtable = table.memtable, memtable.byteCount > most else { continue }
            most = memtable.byteCount
            largest = table
        }
        if let largest { requestFlush(largest) }
    }

    // MARK: Tables

    /// Takes in a table; the engine has checked that it is not there.
    func addTable(_ table: TableStore) {
        tables[table.id] = table
    }

    func removeTable(_ id: UUID) {
        tables[id] = nil
    }

    /// Ends the writing. Background work ends at its next look.
    func markClosed() {
        isClosed = true
    }

    // MARK: Manifest

    /// Changes the manifest, durably. When it throws, the shard goes on with the old one, and the disk has either.
    func editManifest(_ edit: (inout ShardManifest) -> Void) async throws(StorageError) {
        await manifestGate.enter()
        defer { manifestGate.leave() }
        var next: ShardManifest = manifest
        edit(&next)
        next.nextGeneration = nextGeneration
        // Which leaves have changed is durable with what has changed them.
        next.hashSave = hashSave
        if next == manifest { return }
        try await manifestFile.write(next.encoded())
        manifest = next
        hasManifest = true
    }

    /// Makes the manifest before the first file of the shard, so that files without one are a sign of damage.
    func ensureManifest() async throws(StorageError) {
        if hasManifest { return }
        await manifestGate.enter()
        defer { manifestGate.leave() }
        if hasManifest { return }
        try await manifestFile.write(manifest.encoded())
        hasManifest = true
    }

    /// The generation of the next file.
    func takeGeneration() -> UInt64 {
        nextGeneration += 1
        return nextGeneration - 1
    }
}

extension TableStore {
    func makeMemtable() -> Memtable {
        let made = Memtable(table: id)
        memtable = made
        let period = Int64(definition.options.memtableFlushPeriodMilliseconds)
        if period > 0 {
            _ = shard.loop.schedule(after: .milliseconds(period)) { [weak self, weak made] in
                guard let self, let made, self.memtable === made else { return }
                self.shard.requestFlush(self)
            }
        }
        return made
    }
}
