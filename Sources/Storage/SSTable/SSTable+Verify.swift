internal import DataModel
internal import Environment
internal import Primitives

extension SSTable {
    /// Reads the whole file and holds it against itself: checksums, structure, order, rows, counts.
    ///
    /// - Throws: `.damaged` at the first thing that is wrong.
    package func verify() async throws(StorageError) {
        var rowsCheck = TreeCheck(table: self)
        try await verify(rows, &rowsCheck) { (body) throws(StorageError) in try self.verifyRow(body) }
        var deletionsCheck = TreeCheck(table: self)
        if let deletions {
            try await verify(deletions, &deletionsCheck) { (body) throws(StorageError) in
                _ = try StoredRange(body, self)
            }
        }
        guard rowsCheck.partitionCount == statistics.partitionCount, rowsCheck.rowCount == statistics.rowCount,
            deletionsCheck.rowCount == statistics.rangeDeletionCount
        else {
            throw .damaged(file: path, offset: 0, reason: "the statistics count other rows than the file has")
        }
    }

    private func verify(
        _ tree: BlockTree, _ check: inout TreeCheck, _ body: (UnsafeRawBufferPointer) throws(StorageError) -> Void
    ) async throws(StorageError) {
        var fetcher = BlockFetcher(self, cache: nil, isScan: true)
        var walk = TreeWalk(tree)
        let start = UnsafeRawBufferPointer(start: nil, count: 0)
        var isFirst = true
        while true {
            let movement: TreeWalk.Movement =
                isFirst ? try walk.seek(0, start, start, &fetcher) : try walk.next(&fetcher)
            switch movement {
            case .end: return
            case .blocked: try await fetcher.load()
            case .moved(let location):
                isFirst = false
                var block: Block? = try fetcher.block(location)
                while block == nil {
                    try await fetcher.load()
                    block = try fetcher.block(location)
                }
                if let block { try check.add(block, at: location.offset, body) }
            }
        }
    }

    private func verifyRow(_ body: UnsafeRawBufferPointer) throws(StorageError) {
        do throws(DecodingError) {
            var reader = try RowReader(unsafe RawSpan(_unsafeBytes: body))
            while try reader.next() != nil {}
        } catch {
            throw .damaged(file: path, offset: 0, reason: "a row cannot be decoded")
        }
    }
}

/// The order and the counts of a tree, block after block.
private struct TreeCheck {
    let table: SSTable
    var partitionCount = 0
    var rowCount = 0
    private var ordinal: UInt64 = 0
    private var key: [UInt8] = []
    /// The clustering of the last row of the partition; nil before its first.
    private var clustering: [UInt8]?
    private var isExpectingMore = false

    init(table: SSTable) {
        self.table = table
    }

    mutating func add(
        _ block: Block, at offset: Int, _ body: (UnsafeRawBufferPointer) throws(StorageError) -> Void
    ) throws(StorageError) {
        for index in 0..<block.segmentCount {
            let segment: BlockSegment = block.segment(index)
            let continues: Bool = segment.flags.contains(.continuesBefore)
            let order: Int =
                partitionCount == 0 || block.ordinal(index) > ordinal
                ? 1 : (block.ordinal(index) < ordinal ? -1 : key.withUnsafeBytes { ByteOrder.compare(segment.key, $0) })
            guard continues == isExpectingMore, continues ? order == 0 && partitionCount > 0 : order > 0 else {
                throw .damaged(file: table.path, offset: offset, reason: "partitions are out of order")
            }
            if !continues {
                partitionCount += 1
                ordinal = block.ordinal(index)
                key = [UInt8](segment.key)
                clustering = nil
            }
            isExpectingMore = segment.flags.contains(.continuesAfter)
            try add(segment, at: offset, body)
        }
    }

    private mutating func add(
        _ segment: BlockSegment, at offset: Int, _ body: (UnsafeRawBufferPointer) throws(StorageError) -> Void
    ) throws(StorageError) {
        var rows = SegmentRows()
        rows.begin(segment)
        while rows.next() {
            let current = [UInt8](rows.clustering)
            if let clustering, !ByteOrder.precedes(clustering, current) {
                throw .damaged(file: table.path, offset: offset, reason: "rows are out of order")
            }
            clustering = current
            rowCount += 1
            try body(rows.body)
        }
        if !segment.staticRow.isEmpty { try body(segment.staticRow) }
    }
}
