import Primitives

/// Which segments still hold mutations that are in no SSTable. A pure value: it opens and removes no file.
///
/// A segment may be used again once it is sealed (no new chunk starts in it), nobody holds it (no shard still fills a
/// chunk of it) and no table is dirty in it.
struct LogLedger: Sendable {
    private struct Entry: Sendable {
        let segment: UInt64
        var isSealed = false
        var holderCount = 0
        /// For each table the last of its positions in this segment.
        var dirty: [DirtyTable: LogPosition] = [:]

        var isClean: Bool { isSealed && holderCount == 0 && dirty.isEmpty }
    }

    /// Ascending by segment.
    private var entries: [Entry] = []
    /// Up to where the mutations of a table are in SSTables. Records may be written after the flush that they were in.
    private var flushed: [DirtyTable: LogPosition] = [:]

    var segmentCount: Int { entries.count }

    mutating func begin(_ segment: UInt64) {
        entries.append(Entry(segment: segment))
    }

    mutating func hold(_ segment: UInt64) {
        change(segment) { $0.holderCount += 1 }
    }

    mutating func release(_ segment: UInt64) {
        change(segment) {
            require($0.holderCount > 0, "a segment is released by those who hold it")
            $0.holderCount -= 1
        }
    }

    mutating func seal(_ segment: UInt64) {
        change(segment) { $0.isSealed = true }
    }

    func isSealed(_ segment: UInt64) -> Bool {
        entries.first { $0.segment == segment }?.isSealed ?? true
    }

    /// Whether nothing is stored in a segment any more.
    func isLeft(_ segment: UInt64) -> Bool {
        entries.first { $0.segment == segment }.map { $0.isSealed && $0.holderCount == 0 } ?? true
    }

    mutating func noteDirty(_ table: DirtyTable, upTo position: LogPosition, in segment: UInt64) {
        if let done = flushed[table], position <= done { return }
        change(segment) { entry in
            let known: LogPosition = entry.dirty[table] ?? .start
            entry.dirty[table] = max(known, position)
        }
    }

    mutating func markFlushed(_ table: DirtyTable, upTo position: LogPosition) {
        flushed[table] = max(flushed[table] ?? .start, position)
        for index in entries.indices {
            if let last = entries[index].dirty[table], last <= position { entries[index].dirty[table] = nil }
        }
    }

    /// Forgets the segments that may be used again, and names them.
    mutating func takeClean() -> [UInt64] {
        let clean: [UInt64] = entries.filter(\.isClean).map(\.segment)
        entries.removeAll(where: \.isClean)
        return clean
    }

    /// What must be flushed so that the oldest segment can be used again, in ascending order.
    func oldestDirtyTables() -> [DirtyTable] {
        guard let entry = entries.first(where: { !$0.dirty.isEmpty }) else { return [] }
        return entry.dirty.keys.sorted {
            ($0.shard, $0.table.high, $0.table.low) < ($1.shard, $1.table.high, $1.table.low)
        }
    }

    private mutating func change(_ segment: UInt64, _ body: (inout Entry) -> Void) {
        guard let index = entries.lastIndex(where: { $0.segment == segment }) else { return }
        body(&entries[index])
    }
}
