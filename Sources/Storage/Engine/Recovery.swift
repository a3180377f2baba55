import DataModel
import Environment
import Primitives

/// Brings shards to where the process before this one was: opens their files, then replays the log into memtables and
/// flushes these.
///
/// Used by one task, before the shards are handed to their loops.
///
/// `Sendable` is unchecked because the log's replay calls it from that one task only.
final class Recovery: @unchecked Sendable {
    let shards: [ShardStore]
    private let slices: ShardSlices
    private let host: Host
    /// Up to where the shards of earlier layouts have flushed a table.
    private var inherited: [DirtyTable: LogPosition] = [:]
    private(set) var replayedCount = 0
    /// Records that no table took when they were written either.
    private(set) var refusedCount = 0

    init(shards: [ShardStore], layout: ShardLayout, host: Host) {
        self.shards = shards
        self.slices = ShardSlices(count: shards.count)
        self.host = host
        for entry in layout.inherited {
            inherited[DirtyTable(shard: entry.shard, table: entry.table)] = entry.flushed
        }
    }

    /// Opens the files of all manifests. Tables that nobody named get a store too, so that nothing of them is lost
    /// before they are created or dropped.
    func openFiles() async throws(StorageError) {
        for shard in shards {
            for table in shard.manifest.tables where !table.isDropped {
                var files: [LiveSSTable] = []
                for file in table.files {
                    files.append(try await LiveSSTable.open(file, folder: shard.folder, disk: host.disk))
                }
                if !files.isEmpty { store(of: table.id, in: shard).replaceSSTables(removing: [], adding: files) }
            }
        }
    }

    /// The greatest position that anybody has recorded as flushed: the new log must begin after it.
    var lastFlushed: LogPosition {
        var last: LogPosition = inherited.values.max() ?? .start
        for shard in shards {
            for table in shard.manifest.tables { last = max(last, table.flushed) }
        }
        return last
    }

    /// Takes one record of the log that shard `writer` wrote.
    func replay(writer: Int, position: LogPosition, _ mutation: RawSpan) throws(StorageError) {
        let table: UUID
        let token: Token
        do throws(DecodingError) {
            let head = try MutationReader(mutation)
            table = head.table
            token = head.token
        } catch {
            // The record is whole, so these are the bytes that were written: nobody took them then either.
            refusedCount += 1
            return
        }
        if isFlushed(table, writer: writer, position) { return }
        let shard: ShardStore = shards[slices.shard(of: token)]
        if shard.manifest.table(table)?.isDropped == true { return }
        let store: TableStore = store(of: table, in: shard)
        let memtable: Memtable = store.memtable ?? store.makeMemtable()
        let before: Int = memtable.byteCount
        do throws(StorageError) {
            try memtable.apply(mutation)
            replayedCount += 1
        } catch .decoding {
            refusedCount += 1
        }
        shard.memtableReplayed(memtable.byteCount - before)
    }

    /// Whether memtables hold so much that `flush` is due.
    var isFull: Bool { shards.contains { $0.isReplayFull } }

    /// Writes what was replayed to files. No flushed positions are recorded: until the old log is gone, a record is
    /// replayed again after another crash, into whatever shard then owns it, and merging it twice changes nothing.
    func flush() async throws(StorageError) {
        let calls: [LoopCall<Void>] = shards.map { shard in
            LoopCall<Void>("flush what was replayed", on: shard.loop, of: host) { () throws(StorageError) in
                try await shard.flushAll()
            }
        }
        var failure: StorageError?
        for call in calls {
            do throws(StorageError) {
                try await call.value()
            } catch {
                failure = failure ?? error
            }
        }
        guard let failure else { return }
        // The start has failed: nobody is to try again in the background.
        for shard in shards { shard.loop.execute { shard.markClosed() } }
        throw failure
    }

    private func isFlushed(_ table: UUID, writer: Int, _ position: LogPosition) -> Bool {
        if let flushed = inherited[DirtyTable(shard: writer, table: table)], position <= flushed { return true }
        guard shards.indices.contains(writer), let entry = shards[writer].manifest.table(table) else { return false }
        return position <= entry.flushed
    }

    private func store(of table: UUID, in shard: ShardStore) -> TableStore {
        if let store = shard.table(table) { return store }
        let definition = TableDefinition(
            keyspace: "", name: table.description, id: table, columns: [], nextColumnID: 0)
        let store = TableStore(definition, isLogged: true, isOrphan: true, shard: shard)
        shard.addTable(store)
        return store
    }
}
