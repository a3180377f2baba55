public import DataModel
import Environment
package import Primitives
import Synchronization

/// The storage of one node: a shard for each loop, one commit log, and the folders on the disk.
///
/// Requests go to the shard that owns their token, on its loop (`slices`, `shards`). What is here is what concerns all
/// shards: opening, tables coming and going, flushing, compacting, snapshots, closing. All of it is cold.
public final class StorageEngine: Sendable {
    public let shards: [ShardStore]
    /// Which shard owns which tokens.
    public let slices: ShardSlices
    package let options: StorageOptions
    let host: Host
    let commitLog: CommitLog
    /// What the start had to say about the log, for the operator's log.
    package let openingNotes: [String]
    /// Tables whose last snapshot has been made and whose drop has not been finished.
    private let halfDropped = Mutex<Set<UUID>>([])
    /// How many files of snapshots are linked each second; 0 for no limit.
    private let linksPerSecond = Atomic<Int>(0)
    /// How tables are written as statements.
    let tableText = Mutex<(@Sendable (TableDefinition) -> String)?>(nil)

    init(
        shards: [ShardStore], options: StorageOptions, host: Host, commitLog: CommitLog, openingNotes: [String]
    ) {
        self.shards = shards
        self.slices = ShardSlices(count: shards.count)
        self.options = options
        self.host = host
        self.commitLog = commitLog
        self.openingNotes = openingNotes
    }

    /// The shard that owns a token. Hot: once per request.
    @inlinable
    public func shard(of token: Token) -> ShardStore {
        shards[slices.shard(of: token)]
    }

    // MARK: Tables

    /// Takes in a table; data that the folders have of it becomes visible. Does nothing but change the definition when
    /// it is known.
    ///
    /// - Parameter isLogged: whether writes go into the commit log (`durable_writes` of the keyspace).
    package func createTable(_ definition: TableDefinition, isLogged: Bool = true) async throws(StorageError) {
        halfDropped.withLock { _ = $0.remove(definition.id) }
        try await onEachShard("create a table") { (shard) throws(StorageError) in
            try await shard.revive(definition.id)
            if let table = shard.table(definition.id) {
                table.replaceDefinition(definition)
                table.isLogged = isLogged
                table.isOrphan = false
            } else {
                shard.addTable(TableStore(definition, isLogged: isLogged, shard: shard))
            }
        }
    }

    /// Changes the definition of a table.
    package func alterTable(_ definition: TableDefinition) async throws(StorageError) {
        try await onEachShard("alter a table") { (shard) throws(StorageError) in
            shard.table(definition.id)?.replaceDefinition(definition)
        }
    }

    /// Says whether writes of a table go into the commit log from now on.
    package func setLogged(_ isLogged: Bool, table id: UUID) async throws(StorageError) {
        try await onEachShard("change durable writes") { (shard) throws(StorageError) in
            shard.table(id)?.isLogged = isLogged
        }
    }

    /// Removes a table and all its data, here and in the log. What fails halfway is finished by the next call.
    package func dropTable(id: UUID) async throws(StorageError) {
        if !halfDropped.withLock({ $0.contains(id) }) {
            try await snapshotBefore("dropped", id)
            halfDropped.withLock { _ = $0.insert(id) }
        }
        try await onEachShard("drop a table") { (shard) throws(StorageError) in
            guard let table = shard.table(id) else { return }
            try await shard.truncate(table, isDropped: true)
        }
        halfDropped.withLock { _ = $0.remove(id) }
    }

    /// Removes all data of a table that was written before this call.
    package func truncate(id: UUID) async throws(StorageError) {
        try await snapshotBefore("truncated", id)
        try await onEachShard("truncate a table") { (shard) throws(StorageError) in
            guard let table = shard.table(id) else { return }
            try await shard.truncate(table, isDropped: false)
        }
    }

    /// Ids of tables that have data here and that no schema named, ascending: to be created or dropped.
    package func orphanTables() async throws(StorageError) -> [UUID] {
        var result: Set<UUID> = []
        for shard in shards {
            let found: [UUID] = try await LoopCall("list tables", on: shard.loop, of: host) {
                shard.tableIDs.filter { shard.table($0)?.isOrphan == true }
            }.value()
            result.formUnion(found)
        }
        return result.sorted { ($0.high, $0.low) < ($1.high, $1.low) }
    }

    /// What a table holds, over all shards.
    package func statistics(of id: UUID) async throws(StorageError) -> TableStatistics {
        var result = TableStatistics()
        for shard in shards {
            let part: TableStatistics? = try await LoopCall("count a table", on: shard.loop, of: host) {
                shard.table(id)?.statistics
            }.value()
            if let part { result.add(part) }
        }
        return result
    }

    // MARK: Files

    /// Writes what tables have in memory to files; all tables when nil.
    package func flush(tables: [UUID]? = nil) async throws(StorageError) {
        try await onEachShard("flush tables") { (shard) throws(StorageError) in
            guard let tables else { return try await shard.flushAll() }
            for id in tables {
                if let table = shard.table(id) { try await shard.flush(table) }
            }
        }
    }

    /// Merges all files of a table on each shard into one, and drops what may be dropped.
    package func compact(table id: UUID) async throws(StorageError) {
        try await onEachShard("compact a table") { (shard) throws(StorageError) in
            if let table = shard.table(id) { try await shard.compactFully(table) }
        }
    }

    /// Links no more files of snapshots each second than this (`nodetool setsnapshotthrottle`); 0 for no limit.
    package func setSnapshotPace(linksPerSecond: Int) {
        self.linksPerSecond.store(max(0, linksPerSecond), ordering: .relaxed)
    }

    var snapshotPace: Int { linksPerSecond.load(ordering: .relaxed) }

    /// Says whether files that flushes write are linked into the folder `backups` too (`nodetool enablebackup`).
    package func setBackups(_ isWanted: Bool) async throws(StorageError) {
        let folder: String? = isWanted ? options.dataDirectory + "/backups" : nil
        try await onEachShard("switch backups") { (shard) throws(StorageError) in shard.backupFolder = folder }
    }

    // MARK: The end

    /// Writes everything to files and ends. Writes and background work after this fail with `.closed`.
    package func close() async {
        for shard in shards {
            let call = LoopCall<Void>("close a shard", on: shard.loop, of: host) { () throws(StorageError) in
                await shard.close()
            }
            do throws(StorageError) {
                try await call.value()
            } catch {
                // What could not be flushed is in the log.
            }
        }
        do throws(StorageError) {
            try await commitLog.close()
        } catch {
            // The shards flushed what they could; acknowledged writes are durable either way.
        }
    }

    /// Runs work on all shards at once and waits for all; the first failure is thrown then.
    func onEachShard(
        _ name: StaticString, _ body: @escaping @Sendable (ShardStore) async throws(StorageError) -> Void
    ) async throws(StorageError) {
        let calls: [LoopCall<Void>] = shards.map { shard in
            LoopCall<Void>(name, on: shard.loop, of: host) { () throws(StorageError) in try await body(shard) }
        }
        var failure: StorageError?
        for call in calls {
            do throws(StorageError) {
                try await call.value()
            } catch {
                failure = failure ?? error
            }
        }
        if let failure { throw failure }
    }
}
