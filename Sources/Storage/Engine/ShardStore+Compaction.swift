import DataModel
import Environment
import Primitives

/// Merging files in the background: one run at a time on each shard, and never while a table is being emptied.
extension ShardStore {
    /// Asks the strategy of a table, soon, whether files should be merged.
    func requestCompaction(_ table: TableStore) {
        guard options.isCompactionEnabled, !isClosed, table.isCompactedByItself else { return }
        let isWorthALook: Bool =
            table.sstables.count > 1 || table.hasDroppableFiles || !table.foreignSuspects.isEmpty
        guard isWorthALook else { return }
        if !compactionQueue.contains(where: { $0 === table }) { compactionQueue.append(table) }
        guard !isCompacting else { return }
        isCompacting = true
        compactor = host.background.run("compact", on: loop) { [self] in await emptyCompactionQueue() }
    }

    private func emptyCompactionQueue() async {
        while !isClosed, !compactionQueue.isEmpty {
            let table: TableStore = compactionQueue.removeFirst()
            do throws(StorageError) {
                if try await compactOnce(table) { requestAgain(table) }
            } catch .cancelled {
                // Whoever cancelled it knows why.
            } catch {
                backgroundFailure = error
            }
        }
        isCompacting = false
    }

    private func requestAgain(_ table: TableStore) {
        if !compactionQueue.contains(where: { $0 === table }) { compactionQueue.append(table) }
    }

    /// Does the one compaction that the strategy of a table thinks best; false when it wants none.
    private func compactOnce(_ table: TableStore) async throws(StorageError) -> Bool {
        await compactionGate.enter()
        defer { compactionGate.leave() }
        guard table.compactionBarrierCount == 0, table.isCompactedByItself, !isClosed else { return false }
        guard let inputs = table.nextCompaction(now: host.time.wallSeconds) else { return try await cleanOnce(table) }
        try await compact(inputs, of: table, .compaction)
        return true
    }

    /// Merges all files of a table into one.
    func compactFully(_ table: TableStore, _ kind: CompactionKind = .compaction) async throws(StorageError) {
        try await flush(table)
        try await compact(table, kind) { $0 }
    }

    /// Merges the files that are chosen among those of a table at the moment when nothing else compacts; none, and
    /// nothing is done.
    func compact(
        _ table: TableStore, _ kind: CompactionKind, choosing choose: ([LiveSSTable]) -> [LiveSSTable]
    ) async throws(StorageError) {
        await compactionGate.enter()
        defer { compactionGate.leave() }
        guard table.compactionBarrierCount == 0, !isClosed else { return }
        let inputs: [LiveSSTable] = choose(table.sstables)
        if !inputs.isEmpty { try await compact(inputs, of: table, kind) }
    }

    /// Ends the compaction of a table and keeps others from starting, until the caller takes its barrier away.
    func stopCompaction(of table: TableStore) async {
        table.compactionBarrierCount += 1
        compactionQueue.removeAll { $0 === table }
        while let running = table.compaction {
            running.cancel()
            await withUnsafeContinuation { running.waiting.append($0) }
        }
    }

    /// Puts what the inputs hold into a new file, in one step as everybody sees it.
    func compact(
        _ inputs: [LiveSSTable], of table: TableStore, _ kind: CompactionKind = .compaction
    ) async throws(StorageError) {
        let running = ActiveCompaction(CompactionRun(inputs: inputs.map(\.table)), kind, id: makeTaskID())
        table.compaction = running
        defer {
            table.compaction = nil
            running.tellWaiting()
        }
        let (result, output) = try await merge(inputs, of: table, running.run)
        let added: [LiveSSTable] = output.map { [$0] } ?? []
        let removed: [UInt64] = inputs.map(\.generation)
        if running.isCancelled { return await discard(added) }
        // From here on nothing is undone: the disk may have taken the edit even when it failed.
        try await editManifest { $0.replace(removed, with: added.map(\.entry), in: table.id) }
        table.replaceSSTables(removing: removed, adding: added)
        table.compactionCount += 1
        table.compactedByteCount += result.output?.byteCount ?? 0
        retire(inputs)
        tell(CompactionRecord(running, result, of: table.definition, at: host.time.wallMicroseconds))
        backgroundFailure = nil
    }

    private func merge(
        _ inputs: [LiveSSTable], of table: TableStore, _ run: CompactionRun
    ) async throws(StorageError) -> (CompactionResult, LiveSSTable?) {
        let generation: UInt64 = takeGeneration()
        let options = SSTableWriter.Options(table: table.definition, generation: generation, expectedPartitionCount: 0)
        let result: CompactionResult
        do throws(StorageError) {
            result = try await run.run(
                in: folder, disk: host.disk, options: options, purge: table.purge(compacting: inputs), time: host.time,
                throttle: throttle)
        } catch {
            await removeUnlisted(generation)
            throw error
        }
        guard let output = result.output else { return (result, nil) }
        return (result, try await LiveSSTable.open(output, in: self))
    }

    private func discard(_ files: [LiveSSTable]) async {
        for file in files {
            await file.table.close()
            await removeUnlisted(file.generation)
        }
    }

    /// Ends the shard: what is in memory goes to files as far as the disk lets it, and background work ends.
    func close() async {
        markClosed()
        for id in tableIDs {
            if let table = table(id), let running = table.compaction { running.cancel() }
        }
        compactionQueue.removeAll()
        do throws(StorageError) {
            try await flushAll()
        } catch {
            // What did not reach a file is in the log.
        }
        await flusher?.wait()
        await compactor?.wait()
        hashSaver?.cancel()
        await hashSaver?.wait()
        await saveHashes()
        for id in tableIDs {
            for file in table(id)?.sstables ?? [] { await file.table.close() }
        }
    }
}

/// A compaction that runs: whoever must have it gone says so and waits.
///
/// `Sendable` is unchecked because every use is on the loop of the shard that compacts.
final class ActiveCompaction: @unchecked Sendable {
    let run: CompactionRun
    let kind: CompactionKind
    let id: UUID
    private(set) var isCancelled = false
    var waiting: [UnsafeContinuation<Void, Never>] = []

    init(_ run: CompactionRun, _ kind: CompactionKind, id: UUID) {
        self.run = run
        self.kind = kind
        self.id = id
    }

    func cancel() {
        isCancelled = true
        run.cancel()
    }

    func tellWaiting() {
        let told: [UnsafeContinuation<Void, Never>] = waiting
        waiting.removeAll()
        for continuation in told { continuation.resume() }
    }
}

extension TableStore {
    /// How the table's files are chosen for compaction. Options that this version does not know are taken as the
    /// defaults: the statement that set them was checked elsewhere.
    private var strategy: SizeTieredStrategy {
        do throws(CompactionOptionsError) {
            return try SizeTieredStrategy(options: definition.options.compaction)
        } catch {
            return SizeTieredStrategy()
        }
    }

    /// Whether a single file may be worth a compaction of its own.
    var hasDroppableFiles: Bool { sstables.contains { $0.table.statistics.tombstoneCount > 0 } }

    /// The files that the strategy wants to be merged now; nil when none.
    func nextCompaction(now: Int64) -> [LiveSSTable]? {
        let strategy: SizeTieredStrategy = self.strategy
        guard strategy.common.isEnabled else { return nil }
        var candidates: [CompactionCandidate] = []
        for sstable in sstables {
            var candidate = CompactionCandidate(sstable.table)
            candidate.generation = sstable.generation
            candidates.append(candidate)
        }
        let grace = Int64(definition.options.gcGraceSeconds)
        guard let plan = strategy.plan(candidates, nowSeconds: now, graceSeconds: grace) else { return nil }
        let chosen: [LiveSSTable] = sstables.filter { plan.generations.contains($0.generation) }
        return chosen.isEmpty ? nil : chosen
    }

    /// What a compaction may drop: tombstones past their grace that hide nothing elsewhere in the table. Elsewhere is
    /// asked when a partition is merged, so writes and flushes that come during the run are seen.
    func purge(compacting inputs: [LiveSSTable]) -> CompactionPurge {
        var purge: CompactionPurge = tombstonePurge(compacting: inputs)
        purge.owned = owned
        return purge
    }

    private func tombstonePurge(compacting inputs: [LiveSSTable]) -> CompactionPurge {
        let now: Int64 = shard.host.time.wallSeconds
        // Nobody knows what tables without a schema keep.
        if isOrphan { return .nothing(nowSeconds: now) }
        let generations: [UInt64] = inputs.map(\.generation)
        let graceStart: Int64 = now - Int64(definition.options.gcGraceSeconds)
        #if PLANTS
        if Plant.isOn(.dropTombstone) {
            return CompactionPurge(nowSeconds: now, graceStartSeconds: .max) { _, _ in .max }
        }
        #endif
        var purge = CompactionPurge(nowSeconds: now, graceStartSeconds: graceStart) { [self] token, key in
            var limit: Int64 = .max
            if let memtable, memtable.find(token, key) != nil {
                limit = min(limit, memtable.statistics.minimumTimestamp)
            }
            for older in frozen where older.memtable.find(token, key) != nil {
                limit = min(limit, older.memtable.statistics.minimumTimestamp)
            }
            for sstable in sstables where !generations.contains(sstable.generation) {
                if sstable.table.mightContain(token) { limit = min(limit, sstable.table.statistics.minTimestamp) }
            }
            return limit
        }
        if let purgeStart = shard.purgeRule?(definition) { purge.graceStart = { token in purgeStart(token, now) } }
        #if PLANTS
        if Plant.isOn(.purgeBeforeWatermark) { purge.graceStart = nil }
        #endif
        return purge
    }
}
