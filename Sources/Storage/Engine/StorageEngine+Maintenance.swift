package import DataModel
import Environment
package import Primitives

/// What operators do with files, and ask of them.
extension StorageEngine {
    // MARK: Compaction

    /// What compacts now, by shard.
    package func compactions() async throws(StorageError) -> [CompactionProgress] {
        try await fromEachShard("list compactions") { (shard: ShardStore) in shard.compactions }.flatMap { $0 }
    }

    /// Compactions that are waiting, by table.
    package func pendingCompactions() async throws(StorageError) -> [UUID: Int] {
        let parts: [[UUID: Int]] = try await fromEachShard("count compactions") { (shard: ShardStore) in
            var counts: [UUID: Int] = [:]
            for table in shard.compactionQueue { counts[table.id, default: 0] += 1 }
            return counts
        }
        return parts.reduce(into: [:]) { sum, part in sum.merge(part, uniquingKeysWith: +) }
    }

    /// Ends compactions that run; what they have done so far is lost.
    ///
    /// - Parameters:
    ///   - kind: of which kind; of all when nil.
    ///   - id: the one with this name; all when nil.
    package func stopCompactions(kind: CompactionKind?, id: UUID?) async throws(StorageError) -> Int {
        let counts: [Int] = try await fromEachShard("stop compactions") { (shard: ShardStore) in
            shard.stopCompactions { (kind ?? $0.kind) == $0.kind && (id ?? $0.id) == $0.id }
        }
        return counts.reduce(0, +)
    }

    /// Merges the files of a table that have something within a range of tokens into one on each shard.
    package func compact(table id: UUID, tokens: ClosedRange<Token>) async throws(StorageError) {
        try await onEachShard("compact a range") { (shard) throws(StorageError) in
            guard let table = shard.table(id) else { return }
            try await shard.flush(table)
            try await shard.compact(table, .compaction) { files in
                files.filter { $0.table.tokens.map { $0.overlaps(tokens) } ?? false }
            }
        }
    }

    /// Merges the files that are named by their paths, those of a table and shard with each other.
    ///
    /// - Returns: the paths that are of no live file.
    package func compact(files paths: [String]) async throws(StorageError) -> [String] {
        let known: [[String]] = try await fromEachShard("find files") { (shard: ShardStore) in
            shard.tableIDs.flatMap { shard.table($0)?.sstables.map(\.table.path) ?? [] }.filter { paths.contains($0) }
        }
        let found: Set<String> = Set(known.flatMap { $0 })
        let missing: [String] = paths.filter { !found.contains($0) }
        guard missing.isEmpty else { return missing }
        try await onEachShard("compact files") { (shard) throws(StorageError) in
            for id in shard.tableIDs {
                guard let table = shard.table(id) else { continue }
                try await shard.compact(table, .compaction) { $0.filter { paths.contains($0.table.path) } }
            }
        }
        return []
    }

    /// Merges all files of a table and leaves out what was overwritten or deleted.
    package func collectGarbage(table id: UUID) async throws(StorageError) {
        try await onEachShard("collect garbage") { (shard) throws(StorageError) in
            if let table = shard.table(id) { try await shard.compactFully(table, .garbageCollection) }
        }
    }

    /// Writes files of a table anew, each for itself.
    ///
    /// - Parameters:
    ///   - onlyOld: whether files in the present form are left as they are.
    ///   - kind: what the work is called.
    /// - Returns: how many were written.
    package func rewrite(
        table id: UUID, onlyOld: Bool, as kind: CompactionKind
    ) async throws(StorageError) -> Int {
        let counts: [Int] = try await fromEachShardAsync("rewrite files") { (shard) throws(StorageError) in
            guard let table = shard.table(id) else { return 0 }
            try await shard.flush(table)
            let wanted: [UInt64] = table.sstables.filter { file in
                !onlyOld || file.table.statistics.formVersion != SSTableStatistics.currentForm
            }.map(\.generation)
            for generation in wanted {
                try await shard.compact(table, kind) { $0.filter { $0.generation == generation } }
            }
            return wanted.count
        }
        return counts.reduce(0, +)
    }

    /// Reads all files of a table and holds them against themselves.
    ///
    /// - Returns: how many there are, and the damage that was found, one entry for each file.
    package func verify(table id: UUID) async throws(StorageError) -> (fileCount: Int, damages: [StorageError]) {
        let parts: [[StorageError?]] = try await fromEachShardAsync("verify files") { (shard) throws(StorageError) in
            var outcomes: [StorageError?] = []
            for file in shard.table(id)?.sstables ?? [] {
                do throws(StorageError) {
                    try await file.table.verify()
                    outcomes.append(nil)
                } catch { outcomes.append(error) }
            }
            return outcomes
        }
        let all: [StorageError?] = parts.flatMap { $0 }
        return (all.count, all.compactMap { $0 })
    }

    /// Bytes a second that compactions of each shard write; 0 for no limit.
    package func setCompactionThroughput(_ bytesPerSecond: Int) async throws(StorageError) {
        try await onEachShard("set the compaction throughput") { (shard) throws(StorageError) in
            shard.throttle.bytesPerSecond = max(0, bytesPerSecond)
        }
    }

    /// Says whether files of tables are merged in the background.
    package func setCompactedByItself(_ isWanted: Bool, tables: [UUID]) async throws(StorageError) {
        try await onEachShard("switch compaction") { (shard) throws(StorageError) in
            for id in tables {
                guard let table = shard.table(id) else { continue }
                table.isCompactedByItself = isWanted
                if isWanted { shard.requestCompaction(table) }
            }
        }
    }

    /// The tables among these whose files are merged in the background.
    package func compactedByThemselves(_ tables: [UUID]) async throws(StorageError) -> [UUID] {
        let shard: ShardStore = shards[0]
        return try await LoopCall("look at compaction", on: shard.loop, of: host) {
            tables.filter { shard.table($0)?.isCompactedByItself ?? false }
        }.value()
    }

    /// Has every compaction that ends well told to `hear`, on the loop of its shard.
    package func watchCompactions(
        _ hear: @escaping @Sendable (CompactionRecord) -> Void
    ) async throws(StorageError) {
        try await onEachShard("watch compactions") { (shard) throws(StorageError) in shard.whenCompacted = hear }
    }

    // MARK: Files

    /// The paths of a table's files that may hold a partition.
    package func files(of id: UUID, holding token: Token) async throws(StorageError) -> [String] {
        let shard: ShardStore = shard(of: token)
        return try await LoopCall("find files", on: shard.loop, of: host) {
            shard.table(id)?.sstables.filter { $0.table.mightContain(token) }.map(\.table.path) ?? []
        }.value()
    }

    /// Takes files of a table in, such as those of a snapshot: they are linked, and stay where they are.
    ///
    /// - Parameter verifies: whether each is read as a whole first.
    /// - Throws: `.damaged` for a file that does not hold together or is of another table; then none is taken in.
    package func importFiles(
        _ paths: [String], into id: UUID, verifies: Bool
    ) async throws(StorageError) {
        for path in paths { try await check(path, of: id, verifies) }
        try await onEachShard("import files") { (shard) throws(StorageError) in
            if let table = shard.table(id) { try await shard.adopt(paths, into: table) }
        }
    }

    private func check(_ path: String, of id: UUID, _ verifies: Bool) async throws(StorageError) {
        let file: SSTable = try await SSTable.open(path: path, disk: host.disk)
        var failure: StorageError?
        if file.statistics.tableID != id {
            failure = .damaged(
                file: path, offset: 0, reason: "it is of the table with the id \(file.statistics.tableID), not of \(id)"
            )
        } else if verifies {
            let shard: ShardStore = shards[0]
            do throws(StorageError) {
                try await LoopCall("verify a file", on: shard.loop, of: host) { () throws(StorageError) in
                    try await file.verify()
                }.value()
            } catch { failure = error }
        }
        await file.close()
        if let failure { throw failure }
    }

    // MARK: Numbers

    /// How reads and writes of a table were, over all shards.
    package func meters(of id: UUID) async throws(StorageError) -> TableMeters {
        let parts: [TableMeters] = try await fromEachShard("measure a table") { (shard: ShardStore) in
            shard.table(id)?.meters ?? TableMeters()
        }
        return parts.reduce(into: TableMeters()) { $0.add($1) }
    }

    /// What tables hold and how reads and writes of them were, in the order of `ids`: with one visit to each shard.
    ///
    /// - Parameter withPartitions: whether it is to be known how large partitions are.
    package func figures(
        of ids: [UUID], withPartitions: Bool = true
    ) async throws(StorageError) -> (statistics: [TableStatistics], meters: [TableMeters]) {
        typealias Figures = (statistics: [TableStatistics], meters: [TableMeters])
        let parts: [Figures] = try await fromEachShard("measure tables") { (shard: ShardStore) in
            var figures: Figures = ([], [])
            figures.statistics.reserveCapacity(ids.count)
            figures.meters.reserveCapacity(ids.count)
            for id in ids {
                let table: TableStore? = shard.table(id)
                figures.statistics.append(table?.statistics(withPartitions: withPartitions) ?? TableStatistics())
                figures.meters.append(table?.meters ?? TableMeters())
            }
            return figures
        }
        guard var sums: Figures = parts.first else { return ([], []) }
        for part in parts.dropFirst() {
            for place in ids.indices {
                sums.statistics[place].add(part.statistics[place])
                sums.meters[place].add(part.meters[place])
            }
        }
        return sums
    }

    /// The first and the last tokens of the files of tables, ascending.
    package func edgeTokens(of ids: [UUID]) async throws(StorageError) -> [Int64] {
        let parts: [[Int64]] = try await fromEachShard("sample tokens") { (shard: ShardStore) in
            ids.flatMap { shard.table($0)?.sstables ?? [] }.compactMap(\.table.tokens).flatMap {
                [$0.lowerBound.value, $0.upperBound.value]
            }
        }
        return Set(parts.flatMap { $0 }).sorted()
    }

    /// Begins to count requests by partition, on all shards.
    package func beginSampling(tables: Set<UUID>, capacity: Int) async throws(StorageError) {
        try await onEachShard("begin to sample") { (shard) throws(StorageError) in
            shard.sampler = PartitionSampler(tables: tables, capacity: capacity)
        }
    }

    /// Ends it; what was counted, by kind.
    package func endSampling() async throws(StorageError) -> [PartitionSampler.Counts] {
        let parts: [[PartitionSampler.Counts]] = try await fromEachShard("end sampling") { (shard: ShardStore) in
            defer { shard.sampler = nil }
            return shard.sampler?.counts ?? []
        }
        var sums: [PartitionSampler.Counts] = PartitionSampler.Kind.allCases.map { _ in PartitionSampler.Counts() }
        for part in parts {
            for (place, counts) in part.enumerated() { sums[place].add(counts) }
        }
        return sums
    }

    /// What each shard has to do in the background.
    package func work() async throws(StorageError) -> [ShardWork] {
        try await fromEachShard("count work") { (shard: ShardStore) in
            ShardWork(
                isFlushing: shard.isFlushing, flushQueueCount: shard.flushQueue.count,
                compactionCount: shard.compactions.count, compactionQueueCount: shard.compactionQueue.count,
                waitingWrites: shard.roomSeekerCount, activeByteCount: shard.activeByteCount,
                frozenByteCount: shard.frozenByteCount, cacheByteLimit: shard.cache.byteLimit,
                cacheByteCount: shard.cache.byteCount, cacheEntryCount: shard.cache.count,
                cache: shard.cache.statistics)
        }
    }

    // MARK: Each shard

    /// What each shard says, in their order.
    package func fromEachShard<Value: Sendable>(
        _ name: StaticString, _ body: @escaping @Sendable (ShardStore) -> Value
    ) async throws(StorageError) -> [Value] {
        try await fromEachShardAsync(name) { (shard) throws(StorageError) in body(shard) }
    }

    private func fromEachShardAsync<Value: Sendable>(
        _ name: StaticString, _ body: @escaping @Sendable (ShardStore) async throws(StorageError) -> Value
    ) async throws(StorageError) -> [Value] {
        let calls: [LoopCall<Value>] = shards.map { shard in
            LoopCall<Value>(name, on: shard.loop, of: host) { () throws(StorageError) in try await body(shard) }
        }
        var values: [Value] = []
        var failure: StorageError?
        for call in calls {
            do throws(StorageError) {
                values.append(try await call.value())
            } catch {
                failure = failure ?? error
            }
        }
        if let failure { throw failure }
        return values
    }
}

/// What a shard has to do in the background, and the memory that it has in use.
package struct ShardWork: Sendable {
    package let isFlushing: Bool
    package let flushQueueCount: Int
    package let compactionCount: Int
    package let compactionQueueCount: Int
    /// Writes that wait for room.
    package let waitingWrites: Int
    /// Memory of memtables that take writes, and of those on their way to the disk.
    package let activeByteCount: Int
    package let frozenByteCount: Int
    package let cacheByteLimit: Int
    package let cacheByteCount: Int
    package let cacheEntryCount: Int
    package let cache: BlockCacheStatistics
}

extension ShardStore {
    /// Links files into the shard's folder and makes them live, as far as they have tokens of this shard.
    func adopt(_ paths: [String], into table: TableStore) async throws(StorageError) {
        try await ensureManifest()
        var added: [LiveSSTable] = []
        for path in paths {
            let generation: UInt64 = takeGeneration()
            do throws(DiskError) {
                try await host.disk.link(path, to: folder + "/" + SSTableName.file(generation))
                try await host.disk.syncDirectory(folder)
            } catch {
                throw StorageError(error)
            }
            let file: SSTable = try await SSTable.open(
                path: folder + "/" + SSTableName.file(generation), disk: host.disk, clip: tokens)
            if file.tokens == nil {
                await file.close()
                await removeUnlisted(generation)
                continue
            }
            let entry = ShardManifest.File(
                generation: generation, byteCount: UInt64(file.byteCount), tokens: tokens)
            added.append(LiveSSTable(file, entry: entry))
        }
        let entries: [ShardManifest.File] = added.map(\.entry)
        try await table.change(added.compactMap(\.table.tokens)) { () throws(StorageError) in
            try await editManifest { $0.add(entries, to: table.id, flushed: .start) }
            table.replaceSSTables(removing: [], adding: added)
        }
        suspectFiles(of: table)
        requestCompaction(table)
    }
}
