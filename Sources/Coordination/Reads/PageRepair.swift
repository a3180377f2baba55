import DataModel
package import Primitives
package import Storage

/// Finds what each of several replicas is missing of what they have together (read repair, anti-entropy of one page).
///
/// A row that differs is sent whole: it is one row, and merging it again changes nothing.
package struct PageRepair {
    private let table: UUID
    private let isReversed: Bool
    private let cursors: [FragmentCursor]
    private var standing: [Bool]
    private var repairs: [[[UInt8]]]

    /// For each of `pages`, the mutations that bring its replica up to date with all of them, up to `limit`.
    ///
    /// - Throws: `.decoding` when a page is not what pages look like.
    package static func repairs(
        of pages: [ReadPage], upTo limit: ReadMark?, table: UUID, isReversed: Bool
    ) throws(StorageError) -> [[[UInt8]]] {
        var repair = PageRepair(pages, limit, table, isReversed)
        try repair.run()
        return repair.repairs
    }

    private init(_ pages: [ReadPage], _ limit: ReadMark?, _ table: UUID, _ isReversed: Bool) {
        self.table = table
        self.isReversed = isReversed
        self.cursors = pages.map { FragmentCursor($0.fragments, limit: limit, isReversed: isReversed) }
        self.standing = pages.map { _ in false }
        self.repairs = pages.map { _ in [] }
    }

    private mutating func run() throws(StorageError) {
        for index in cursors.indices { standing[index] = try isReady(cursors[index].nextPartition()) }
        while let first = firstPartition() {
            let token: Token = cursors[first].token
            let key = [UInt8](cursors[first].key)
            let active: [Bool] = cursors.indices.map { index in
                standing[index] && cursors[index].token == token
                    && key.withUnsafeBytes { ByteOrder.compare(cursors[index].key, $0) } == 0
            }
            try repairPartition(token, key, active)
            for index in cursors.indices where active[index] {
                standing[index] = try isReady(cursors[index].nextPartition())
            }
        }
    }

    private func isReady(_ step: SourceStep) -> Bool {
        if case .ready = step { return true }
        return false
    }

    private func firstPartition() -> Int? {
        var first: Int?
        for index in cursors.indices where standing[index] {
            guard let best = first else {
                first = index
                continue
            }
            let (left, right): (FragmentCursor, FragmentCursor) = (cursors[index], cursors[best])
            let order: Int =
                left.token == right.token
                ? ByteOrder.compare(left.key, right.key) : (left.token < right.token ? -1 : 1)
            if order < 0 { first = index }
        }
        return first
    }

    /// What one replica is missing of a partition.
    private struct Missing {
        var deletion: Deletion = .none
        var staticRow: [UInt8] = []
        var rows: [(clustering: [UInt8], body: [UInt8])] = []
        var ranges: [RangeDeletion] = []

        var isNothing: Bool { deletion.isNone && staticRow.isEmpty && rows.isEmpty && ranges.isEmpty }
    }

    private mutating func repairPartition(_ token: Token, _ key: [UInt8], _ active: [Bool]) throws(StorageError) {
        var missing: [Missing] = cursors.map { _ in Missing() }
        var deletion: Deletion = .none
        var ranges = RangeDeletions()
        for index in cursors.indices where active[index] {
            deletion = deletion.merged(with: cursors[index].partitionDeletion)
            for range in cursors[index].rangeDeletions { ranges.insert(range) }
        }
        ranges.removeAll { deletion.covers($0.deletion.timestamp) }
        for index in cursors.indices {
            let own: Deletion = active[index] ? cursors[index].partitionDeletion : .none
            if own != deletion { missing[index].deletion = deletion }
            let known: [RangeDeletion] = active[index] ? cursors[index].rangeDeletions : []
            missing[index].ranges = ranges.ranges.filter { !known.contains($0) }
        }
        let statics: [[UInt8]] = cursors.indices.map { active[$0] ? [UInt8](cursors[$0].staticRow) : [] }
        let (merged, differing) = try merge(statics, shadow: deletion)
        if !merged.isEmpty { for index in differing { missing[index].staticRow = merged } }
        try repairRows(active, deletion, ranges, &missing)
        for index in cursors.indices where !missing[index].isNothing {
            repairs[index].append(encode(missing[index], token, key))
        }
    }

    private func repairRows(
        _ active: [Bool], _ deletion: Deletion, _ ranges: RangeDeletions, _ missing: inout [Missing]
    ) throws(StorageError) {
        var onRow: [Bool] = cursors.map { _ in false }
        for index in cursors.indices where active[index] { onRow[index] = try isReady(cursors[index].nextRow()) }
        while let first = firstRow(onRow) {
            let clustering = [UInt8](cursors[first].clustering)
            let has: [Bool] = cursors.indices.map { index in
                onRow[index] && clustering.withUnsafeBytes { ByteOrder.compare(cursors[index].clustering, $0) } == 0
            }
            let bodies: [[UInt8]] = cursors.indices.map { has[$0] ? [UInt8](cursors[$0].row) : [] }
            let shadow: Deletion = deletion.merged(with: clustering.withUnsafeBytes { ranges.covering($0) })
            let (merged, differing) = try merge(bodies, shadow: shadow)
            if !merged.isEmpty { for index in differing { missing[index].rows.append((clustering, merged)) } }
            for index in cursors.indices where has[index] { onRow[index] = try isReady(cursors[index].nextRow()) }
        }
    }

    private func firstRow(_ onRow: [Bool]) -> Int? {
        var first: Int?
        for index in cursors.indices where onRow[index] {
            guard let best = first else {
                first = index
                continue
            }
            let order: Int = ByteOrder.compare(cursors[index].clustering, cursors[best].clustering)
            if isReversed ? order > 0 : order < 0 { first = index }
        }
        return first
    }

    /// Merges the versions of a row under a deletion, and says which of them, under the same deletion, are less.
    private func merge(
        _ versions: [[UInt8]], shadow: Deletion
    ) throws(StorageError) -> (merged: [UInt8], differing: [Int]) {
        do throws(DecodingError) {
            var merged: [UInt8] = []
            var own: [[UInt8]] = []
            for version in versions {
                let shadowed: [UInt8] = try PageRepair.shadowed(version, shadow)
                own.append(try PageRepair.canonical(shadowed))
                if merged.isEmpty {
                    merged = shadowed
                } else if !shadowed.isEmpty {
                    var writer = ByteWriter(capacity: merged.count + shadowed.count)
                    try RowMerge.merge(merged.span.bytes, shadowed.span.bytes, to: &writer)
                    merged = writer.array()
                }
            }
            merged = try PageRepair.canonical(merged)
            return (merged, own.indices.filter { own[$0] != merged })
        } catch {
            throw .decoding(error)
        }
    }

    private static func shadowed(_ row: [UInt8], _ shadow: Deletion) throws(DecodingError) -> [UInt8] {
        if row.isEmpty || shadow.isNone { return row }
        var writer = ByteWriter(capacity: row.count)
        _ = try RowMerge.apply(shadow, to: row.span.bytes, writer: &writer)
        return writer.array()
    }

    /// The bytes that every row with the same contents has.
    private static func canonical(_ row: [UInt8]) throws(DecodingError) -> [UInt8] {
        if row.isEmpty { return row }
        var writer = ByteWriter(capacity: row.count)
        try RowPurge.purge(row.span.bytes, now: .min, graceStart: .min, purgeableBefore: .min, to: &writer)
        return writer.array()
    }

    private func encode(_ missing: Missing, _ token: Token, _ key: [UInt8]) -> [UInt8] {
        var writer = ByteWriter()
        var mutation = MutationWriter(table: table, token: token, key: key.span.bytes, to: &writer)
        if !missing.deletion.isNone { mutation.partitionDeletion(missing.deletion, to: &writer) }
        if !missing.staticRow.isEmpty {
            let start: Int = mutation.beginStaticRow(&writer)
            writer.write(missing.staticRow)
            mutation.endBody(start, &writer)
        }
        mutation.beginRows(&writer)
        for row in missing.rows {
            let start: Int = mutation.beginRow(clustering: row.clustering.span.bytes, to: &writer)
            writer.write(row.body)
            mutation.endBody(start, &writer)
        }
        mutation.beginRanges(&writer)
        for range in missing.ranges {
            mutation.range(start: range.start.span.bytes, end: range.end.span.bytes, range.deletion, to: &writer)
        }
        mutation.finish(&writer)
        return writer.array()
    }
}
