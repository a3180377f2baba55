public import DataModel
import Environment
public import Primitives

/// What a shard keeps for fast reads of one row, so that a warm one allocates nothing.
struct RowScratch: ~Copyable {
    /// Files that the fast path visits at most; a read that needs more takes a cursor.
    static let fileLimit = 4

    var lookups: [RowLookup] = [RowLookup](repeating: RowLookup(), count: RowScratch.fileLimit)
    var fold = RowFold()
    /// For a row of several versions in a frozen memtable.
    var frozen = ByteWriter(capacity: 16)

    init() {}
}

/// Single-row reads without a cursor.
extension TableStore {
    /// Reads one row, as far as memory has what is needed.
    ///
    /// Hot: once per single-row request. Nothing is allocated.
    ///
    /// - Parameters:
    ///   - columns: ids of the wanted columns, ascending; nil for all.
    ///   - scratch: where a row of several versions is put together; must stay as it is while the answer is used.
    public func readRow(
        token: Token, key: RawSpan, clustering: RawSpan, columns: [UInt16]?, scratch: inout ByteWriter
    ) throws(StorageError) -> RowAnswer {
        try key.withUnsafeBytes { (key) throws(StorageError) in
            try clustering.withUnsafeBytes { (clustering) throws(StorageError) in
                let wanted = WantedRow(token: token, key: key, clustering: clustering, columns: columns)
                return try read(wanted, &scratch)
            }
        }
    }

    /// Reads the static row of a partition, as far as memory has what is needed.
    public func readStaticRow(
        token: Token, key: RawSpan, scratch: inout ByteWriter
    ) throws(StorageError) -> RowAnswer {
        try key.withUnsafeBytes { (key) throws(StorageError) in
            try read(WantedRow(token: token, key: key, clustering: nil, columns: nil), &scratch)
        }
    }

    private func read(_ wanted: WantedRow, _ scratch: inout ByteWriter) throws(StorageError) -> RowAnswer {
        guard frozen.count <= 1 else { return .needsCursor }
        readCount &+= 1
        if let sampler = shard.sampler { sampler.noteRead(id, wanted.key) }
        let weight: UInt64 = TableMeters.weight(of: readCount)
        if weight == 0 { return try find(wanted, &scratch) }
        return try measure(wanted, weight, &scratch)
    }

    /// Reads a row that stands for others in the statistics.
    @inline(never)
    private func measure(
        _ wanted: WantedRow, _ weight: UInt64, _ scratch: inout ByteWriter
    ) throws(StorageError) -> RowAnswer {
        let start: UInt64 = shard.host.time.monotonicNanoseconds
        let answer: RowAnswer = try find(wanted, &scratch)
        var rowCount: UInt64 = 0
        switch answer {
        case .needsCursor: return answer
        case .none: break
        case .row: rowCount = 1
        }
        meters.readNanoseconds.record(shard.host.time.monotonicNanoseconds &- start, times: weight)
        meters.filesPerRead.record(UInt64(shard.lastFileCount), times: weight)
        meters.rowsPerRead.record(rowCount, times: weight)
        meters.tombstonesPerRead.record(shard.lastShadow.isNone ? 0 : 1, times: weight)
        return answer
    }

    private func find(_ wanted: WantedRow, _ scratch: inout ByteWriter) throws(StorageError) -> RowAnswer {
        var found = FoundRow()
        if let memtable { try found.add(memtable, wanted, &scratch) }
        if let older = frozen.first { try found.add(older.memtable, wanted, &shard.rows.frozen) }
        var fileCount = 0
        for sstable in sstables where sstable.table.mightContain(wanted.token) {
            if found.isAnything, try found.decides(wanted, against: sstable.maximumTimestamp, in: self) { break }
            if fileCount == RowScratch.fileLimit || found.isFull { return needsCursor() }
            guard try look(into: sstable.table, wanted, fileCount, &found) else { return needsCursor() }
            fileCount += 1
        }
        shard.lastFileCount = fileCount
        filterPassCount &+= fileCount
        filterMistakeCount &+= found.mistakeCount
        shard.lastShadow = found.shadow
        shard.lastReadPosition = found.position
        if found.count == 0 { return .none }
        if found.count == 1, found.shadow.isNone { return .row(found.rows[0]) }
        shard.rows.fold.begin(shadow: found.shadow)
        for index in 0..<found.count { try shard.rows.fold.add(found.rows[index]) }
        let row: UnsafeRawBufferPointer = try shard.rows.fold.finish()
        return row.isEmpty ? .none : .row(row)
    }

    /// The cursor counts the read.
    private func needsCursor() -> RowAnswer {
        readCount &-= 1
        return .needsCursor
    }

    /// False when a block is not in memory.
    private func look(
        into table: SSTable, _ wanted: WantedRow, _ place: Int, _ found: inout FoundRow
    ) throws(StorageError) -> Bool {
        let outcome: RowLookup.Outcome
        if let clustering = wanted.clustering {
            outcome = try table.find(
                token: wanted.token, key: wanted.key, clustering: clustering, cache: shard.cache,
                into: &shard.rows.lookups[place])
        } else {
            outcome = try table.findHeader(
                token: wanted.token, key: wanted.key, cache: shard.cache, into: &shard.rows.lookups[place])
        }
        switch outcome {
        case .blocked: return false
        case .absent:
            found.mistakeCount &+= 1
            return true
        case .present: break
        }
        found.shadow = found.shadow.merged(with: shard.rows.lookups[place].partitionDeletion)
        if wanted.clustering == nil {
            found.add(shard.rows.lookups[place].staticRow)
        } else {
            found.shadow = found.shadow.merged(with: shard.rows.lookups[place].rangeDeletion)
            found.add(shard.rows.lookups[place].row)
        }
        return true
    }
}

/// The row that a fast read is after; the static row when there is no clustering.
private struct WantedRow {
    let token: Token
    let key: UnsafeRawBufferPointer
    let clustering: UnsafeRawBufferPointer?
    let columns: [UInt16]?
}

/// The versions of a row that were found so far, and the strongest of the deletions around it.
private struct FoundRow {
    /// A version from each of two memtables and of the files.
    static let limit = RowScratch.fileLimit + 2

    var rows = InlineArray<6, UnsafeRawBufferPointer>(repeating: UnsafeRawBufferPointer(start: nil, count: 0))
    var count = 0
    var shadow: Deletion = .none
    /// Files that had nothing of the partition, although their filters did not rule that out.
    var mistakeCount = 0
    /// The last place in the log of what was found.
    var position: LogPosition = .start

    var isFull: Bool { count == FoundRow.limit }
    var isAnything: Bool { count > 0 || !shadow.isNone }

    mutating func add(_ row: UnsafeRawBufferPointer) {
        if row.isEmpty || isFull { return }
        rows[count] = row
        count += 1
    }

    mutating func add(_ memtable: Memtable, _ wanted: WantedRow, _ scratch: inout ByteWriter) throws(StorageError) {
        guard let partition = memtable.find(wanted.token, wanted.key) else { return }
        position = max(position, partition.lastPosition)
        if let clustering = wanted.clustering {
            shadow = shadow.merged(with: memtable.shadow(of: partition, clustering))
            if let row = try memtable.row(in: partition, clustering, scratch: &scratch) { add(row) }
        } else {
            shadow = shadow.merged(with: memtable.deletion(of: partition))
            if let row = try memtable.staticRow(of: partition, scratch: &scratch) { add(row) }
        }
    }

    /// Whether files with nothing newer than `timestamp` cannot change the answer.
    func decides(_ wanted: WantedRow, against timestamp: Int64, in table: TableStore) throws(StorageError) -> Bool {
        if shadow.timestamp > timestamp { return true }
        guard wanted.clustering != nil, count == 1, table.canStopEarly(wanted.columns) else { return false }
        do throws(DecodingError) {
            return try table.isNewer(rows[0], wanted.columns, than: timestamp)
        } catch {
            throw .decoding(error)
        }
    }
}

extension TableStore {
    /// Whether all wanted columns have one cell each, so that their newest version is all there is to them.
    func canStopEarly(_ columns: [UInt16]?) -> Bool {
        guard let columns else { return isMultiCellFree }
        var place = 0
        for column in columns {
            while place < simpleColumns.count, simpleColumns[place] < column { place += 1 }
            guard place < simpleColumns.count, simpleColumns[place] == column else { return false }
        }
        return true
    }

    /// Whether a version of a row has its marker and all wanted columns from after `timestamp`.
    fileprivate func isNewer(
        _ row: UnsafeRawBufferPointer, _ columns: [UInt16]?, than timestamp: Int64
    ) throws(DecodingError) -> Bool {
        let wanted: [UInt16] = columns ?? simpleColumns
        var reader = try RowReader(unsafe RawSpan(_unsafeBytes: row))
        if reader.deletion.timestamp > timestamp { return true }
        guard reader.flags.contains(.marker), reader.baseTimestamp > timestamp else { return false }
        var place = 0
        while place < wanted.count, let cell = try reader.next() {
            if cell.column < wanted[place] { continue }
            guard cell.column == wanted[place], cell.timestamp > timestamp else { return false }
            place += 1
        }
        return place == wanted.count
    }
}
