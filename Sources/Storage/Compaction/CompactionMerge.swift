package import DataModel
internal import Primitives

/// What a compaction may leave out, and when.
package struct CompactionPurge {
    /// Seconds since 1970.
    package var nowSeconds: Int64
    /// Tombstones that were made before this second may go: now less the table's grace.
    package var graceStartSeconds: Int64
    /// Says the same for the partitions of a token, where it is not the same for all; nil where it is.
    package var graceStart: ((Token) -> Int64)?
    /// For a partition: the smallest timestamp that it can have outside of the compaction, in other files or in
    /// memtables; `.max` when it cannot be there. A tombstone that is not older than something there stays.
    package var purgeableBefore: (Token, UnsafeRawBufferPointer) -> Int64
    /// The tokens whose partitions are kept; nil for all.
    package var owned: TokenRanges?

    package init(
        nowSeconds: Int64, graceStartSeconds: Int64,
        purgeableBefore: @escaping (Token, UnsafeRawBufferPointer) -> Int64
    ) {
        self.nowSeconds = nowSeconds
        self.graceStartSeconds = graceStartSeconds
        self.purgeableBefore = purgeableBefore
    }

    /// Keeps every tombstone.
    package static func nothing(nowSeconds: Int64) -> CompactionPurge {
        CompactionPurge(nowSeconds: nowSeconds, graceStartSeconds: .min) { _, _ in .min }
    }

}

/// One source of a merge, and whether it stands on a partition or a row.
private final class MergeSource {
    enum State {
        /// The cursor has to be moved.
        case behind
        case ready
        case ended
    }

    let cursor: any SourceCursor
    var partition: State = .behind
    var row: State = .ended

    init(_ cursor: any SourceCursor) {
        self.cursor = cursor
    }
}

/// Merges sorted sources into one run of partitions, with everything left out that is deleted and that may be purged.
///
/// The caller moves it by `nextPartition` and `nextRow`. What comes out is exactly what a read of all sources would
/// see, with the tombstones that must stay. Pointers are valid until the next movement.
final class CompactionMerge {
    private let sources: [MergeSource]
    private let purge: CompactionPurge
    /// The sources that have the current partition.
    private var members: [MergeSource] = []
    private var fold = RowFold()
    private var purged = ByteWriter(capacity: 4_096)
    private var purgeLimit: Int64 = .min
    /// Tombstones of the current partition that were made before this second may go.
    private var graceStart: Int64 = .min
    private var allRanges = RangeDeletions()
    /// The members whose current row was given out last.
    private var used: [MergeSource] = []
    /// The source that a blocked call waits for.
    private var blocked: MergeSource?
    private(set) var droppedRowCount = 0
    /// Partitions of tokens that the node is not to keep.
    private(set) var foreignPartitionCount = 0
    /// How many partitions were in how many sources: by the number of sources less one.
    private(set) var partitionsBySourceCount: [Int] = []

    private(set) var token: Token = .minimum
    private(set) var key: [UInt8] = []
    /// The deletions that stay.
    private(set) var partitionDeletion: Deletion = .none
    private(set) var ranges: [RangeDeletion] = []
    private(set) var staticRow: [UInt8] = []
    private(set) var row = UnsafeRawBufferPointer(start: nil, count: 0)
    private var fullDeletion: Deletion = .none

    init(_ cursors: [any SourceCursor], purge: CompactionPurge) {
        self.sources = cursors.map { MergeSource($0) }
        self.purge = purge
    }

    private func countPartition() {
        while partitionsBySourceCount.count < members.count { partitionsBySourceCount.append(0) }
        partitionsBySourceCount[members.count - 1] += 1
    }

    /// The clustering key of the current row.
    var clustering: UnsafeRawBufferPointer {
        used.first?.cursor.clustering ?? UnsafeRawBufferPointer(start: nil, count: 0)
    }

    func load() async throws(StorageError) {
        guard let blocked else { return }
        self.blocked = nil
        try await blocked.cursor.load()
    }

    /// Moves to the next partition of any source that is to be kept.
    func nextPartition() throws(StorageError) -> SourceStep {
        while true {
            let step: SourceStep = try findPartition()
            guard step == .ready else { return step }
            if let owned = purge.owned, !owned.contains(token) {
                foreignPartitionCount += 1
                continue
            }
            key = [UInt8](members[0].cursor.key)
            for member in members { member.row = .behind }
            try mergeHead()
            return .ready
        }
    }

    private func findPartition() throws(StorageError) -> SourceStep {
        for member in members { member.partition = .behind }
        members.removeAll(keepingCapacity: true)
        used.removeAll(keepingCapacity: true)
        for source in sources where source.partition == .behind {
            guard try move(source, \.partition, try source.cursor.nextPartition()) else { return .blocked }
        }
        for source in sources where source.partition == .ready { join(source) }
        guard let first = members.first else { return .end }
        countPartition()
        token = first.cursor.token
        return .ready
    }

    /// False when blocked.
    private func move(
        _ source: MergeSource, _ state: ReferenceWritableKeyPath<MergeSource, MergeSource.State>, _ step: SourceStep
    ) throws(StorageError) -> Bool {
        switch step {
        case .blocked:
            blocked = source
            return false
        case .end: source[keyPath: state] = .ended
        case .ready: source[keyPath: state] = .ready
        }
        return true
    }

    /// Makes the source a member when no source with an earlier partition was seen.
    private func join(_ source: MergeSource) {
        if let first = members.first {
            let order: Int =
                source.cursor.token == first.cursor.token
                ? ByteOrder.compare(source.cursor.key, first.cursor.key)
                : (source.cursor.token < first.cursor.token ? -1 : 1)
            if order > 0 { return }
            if order < 0 { members.removeAll(keepingCapacity: true) }
        }
        members.append(source)
    }

    private func mergeHead() throws(StorageError) {
        fullDeletion = .none
        allRanges = RangeDeletions()
        for member in members {
            fullDeletion = fullDeletion.merged(with: member.cursor.partitionDeletion)
            for range in member.cursor.rangeDeletions { allRanges.insert(range) }
        }
        purgeLimit = key.withUnsafeBytes { purge.purgeableBefore(token, $0) }
        graceStart = purge.graceStart.map { $0(token) } ?? purge.graceStartSeconds
        partitionDeletion = isPurgeable(fullDeletion) ? .none : fullDeletion
        ranges = allRanges.ranges.filter {
            $0.deletion.timestamp > fullDeletion.timestamp && !isPurgeable($0.deletion)
        }
        fold.begin(shadow: fullDeletion)
        for member in members { try fold.add(member.cursor.staticRow) }
        staticRow = [UInt8](try purgedRow(try fold.finish()))
    }

    private func isPurgeable(_ deletion: Deletion) -> Bool {
        deletion.timestamp < purgeLimit && deletion.localSeconds < graceStart
    }

    /// Moves to the next row of the partition that something is left of.
    func nextRow() throws(StorageError) -> SourceStep {
        while true {
            for member in used { member.row = .behind }
            used.removeAll(keepingCapacity: true)
            for member in members where member.row == .behind {
                guard try move(member, \.row, try member.cursor.nextRow()) else { return .blocked }
            }
            for member in members where member.row == .ready { joinRow(member) }
            guard let first = used.first else { return .end }
            var shadow: Deletion = fullDeletion
            if !allRanges.isEmpty { shadow = shadow.merged(with: allRanges.covering(first.cursor.clustering)) }
            fold.begin(shadow: shadow)
            for member in used { try fold.add(member.cursor.row) }
            row = try purgedRow(try fold.finish())
            if !row.isEmpty { return .ready }
            droppedRowCount += 1
        }
    }

    private func joinRow(_ member: MergeSource) {
        if let first = used.first {
            let order: Int = ByteOrder.compare(member.cursor.clustering, first.cursor.clustering)
            if order > 0 { return }
            if order < 0 { used.removeAll(keepingCapacity: true) }
        }
        used.append(member)
    }

    /// What stays of a merged row; empty when nothing does.
    private func purgedRow(_ row: UnsafeRawBufferPointer) throws(StorageError) -> UnsafeRawBufferPointer {
        // The first byte of a row is its flags: without these two nothing in it can die.
        guard let first = row.first else { return row }
        if RowFlags(rawValue: first).isDisjoint(with: [.deletion, .mortal]) { return row }
        purged.removeAll()
        do throws(DecodingError) {
            try RowPurge.purge(
                unsafe RawSpan(_unsafeBytes: row), now: purge.nowSeconds, graceStart: graceStart,
                purgeableBefore: purgeLimit, to: &purged)
        } catch {
            throw .decoding(error)
        }
        return purged.withUnsafeBytes { $0 }
    }
}
