package import DataModel
internal import Primitives

/// Walks what a command wants of one SSTable: partitions in ascending order, and the rows of each in either direction.
///
/// Confined to the loop of its shard. A call that needs a block which is not in memory changes nothing and says
/// `.blocked`; after `load` the same call goes on where it was. It keeps its file, and the blocks that it points into.
package final class SSTableCursor: SourceCursor {
    /// What `nextPartition` does next.
    enum PartitionStage {
        /// Finds the block where the wanted partitions begin.
        case seek
        /// Gets the block at `location`, then enters it.
        case fetch(Entry)
        /// Looks at the segments from `segmentIndex` on.
        case scan
        /// Moves to the next block.
        case advance
        /// Finds the last block of the partition, whose further rows nobody wants.
        case skip
        /// Finds the static row, which is in an earlier block of the partition.
        case header
        /// Gets the partition's deletions.
        case deletions
        /// Stands on a partition.
        case ready
        case ended
    }

    /// Where in a block that was fetched the search for a partition goes on.
    enum Entry {
        case start
        case first
        case afterPartition
    }

    let table: SSTable
    let command: ReadCommand
    var fetcher: BlockFetcher
    private var stage: PartitionStage = .seek
    var walk: TreeWalk
    /// The data block that `walk` is to lead to.
    var location = BlockLocation(offset: 0, storedByteCount: 0)
    /// The block of the current row, and its segment of the partition.
    var block: Block?
    var segmentIndex = 0
    /// Whether `walk` has left `block`.
    var hasLeftBlock = false
    private var isPastStart = false
    private let isOnePartition: Bool

    package private(set) var token: Token = .minimum
    package private(set) var key = UnsafeRawBufferPointer(start: nil, count: 0)
    package var partitionDeletion: Deletion = .none
    package private(set) var staticRow = UnsafeRawBufferPointer(start: nil, count: 0)
    package var rangeDeletions: [RangeDeletion] = []
    private var keyBlock: Block?
    private var staticBlock: Block?
    /// Where the partition's first block is, when only its static row is wanted of it.
    private var headerLocation: BlockLocation?

    // Rows of the partition.
    var slices: [ClusteringSlice] = []
    var sliceIndex = 0
    var rowStage: RowStage = .done
    var rows = SegmentRows()

    // Deletions of the partition.
    var deletionsStage: DeletionsStage = .seek
    var deletionsWalk: TreeWalk?
    var deletionsLocation = BlockLocation(offset: 0, storedByteCount: 0)

    init(_ table: SSTable, _ command: ReadCommand, cache: BlockCache?) {
        self.table = table
        self.command = command
        self.walk = TreeWalk(table.rows)
        if case .one(let token, _) = command.partitions {
            self.isOnePartition = true
            self.fetcher = BlockFetcher(table, cache: cache, isScan: false)
            if !table.mightContain(token) { stage = .ended }
        } else {
            self.isOnePartition = false
            self.fetcher = BlockFetcher(table, cache: cache, isScan: true)
            if let tokens = table.tokens, command.partitions.intersects(tokens) {} else { stage = .ended }
        }
    }

    package var clustering: UnsafeRawBufferPointer { rows.clustering }
    package var row: UnsafeRawBufferPointer { rows.body }
    var ordinal: UInt64 { token.ordinal }

    package func load() async throws(StorageError) {
        try await fetcher.load()
    }

    package func nextPartition() throws(StorageError) -> SourceStep {
        if case .ready = stage { leavePartition() }
        while true {
            switch stage {
            case .ready: return .ready
            case .ended: return .end
            case .seek: if try !seekStart() { return .blocked }
            case .fetch(let entry):
                guard let next = try fetcher.block(location) else { return .blocked }
                block = next
                hasLeftBlock = false
                try enter(next, entry)
            case .scan: scan()
            case .advance:
                switch try walk.next(&fetcher) {
                case .blocked: return .blocked
                case .end: stage = .ended
                case .moved(let next):
                    location = next
                    stage = .fetch(.first)
                }
            case .skip:
                let end = ClusteringBound.afterEverything
                let movement: TreeWalk.Movement = try end.span.bytes.withUnsafeBytes { (end) throws(StorageError) in
                    try walk.seek(ordinal, key, end, &fetcher)
                }
                if !take(movement, .afterPartition) { return .blocked }
            case .header: if try !fetchHeader() { return .blocked }
            case .deletions:
                if try !fetchDeletions() { return .blocked }
                stage = .ready
            }
        }
    }

    /// Decides how to get from the current partition to the next.
    private func leavePartition() {
        rowStage = .done
        guard !isOnePartition, let block else {
            stage = .ended
            return
        }
        if hasLeftBlock || block.segment(segmentIndex).flags.contains(.continuesAfter) {
            stage = .skip
        } else {
            segmentIndex += 1
            stage = .scan
        }
    }

    /// False when blocked.
    private func take(_ movement: TreeWalk.Movement, _ entry: Entry) -> Bool {
        switch movement {
        case .blocked: return false
        case .end: stage = .ended
        case .moved(let next):
            location = next
            stage = .fetch(entry)
        }
        return true
    }

    /// Leads `walk` to the first wanted partition; to the wanted rows, when only one partition is wanted.
    private func seekStart() throws(StorageError) -> Bool {
        let start: PartitionPosition = command.partitions.start
        var clustering: [UInt8] = []
        var key: [UInt8] = start.key ?? []
        var token: Token = start.token
        if isOnePartition {
            let slices: [ClusteringSlice] = key.withUnsafeBytes { command.slices(of: token, $0) }
            clustering = (command.isReversed ? slices.last?.end : slices.first?.start) ?? []
        } else if token < table.clip.lowerBound {
            token = table.clip.lowerBound
            key = []
        }
        let ordinal: UInt64 = token.ordinal
        let movement: TreeWalk.Movement = try key.span.bytes.withUnsafeBytes { (key) throws(StorageError) in
            try clustering.span.bytes.withUnsafeBytes { (clustering) throws(StorageError) in
                try walk.seek(ordinal, key, clustering, &fetcher)
            }
        }
        return take(movement, .start)
    }

    private func enter(_ block: Block, _ entry: Entry) throws(StorageError) {
        switch entry {
        case .first:
            segmentIndex = 0
            stage = .scan
        case .afterPartition:
            guard let index = block.find(ordinal, key) else { throw lostPartition() }
            segmentIndex = index + 1
            stage = .scan
        case .start:
            let start: PartitionPosition = command.partitions.start
            let key: [UInt8] = start.key ?? []
            if isOnePartition {
                guard let index = key.withUnsafeBytes({ block.find(start.token.ordinal, $0) }) else {
                    stage = .ended
                    return
                }
                segmentIndex = index
                found(block, block.segment(index), start.token)
            } else if let index = rowsOfFirst(in: block) {
                isPastStart = true
                segmentIndex = index
                found(block, block.segment(index), start.token)
            } else {
                let ordinal: UInt64 = max(start.token, table.clip.lowerBound).ordinal
                segmentIndex = block.lowerBound(ordinal)
                stage = .scan
            }
        }
    }

    /// The segment with all rows of the partition that a range begins with, when only the partition's head is in the block
    /// before; nil otherwise.
    ///
    /// The index leads there when the first of the rows has an empty clustering key: that is not after the place that was
    /// sought.
    private func rowsOfFirst(in block: Block) -> Int? {
        let start: PartitionPosition = command.partitions.start
        guard let key = start.key, !start.isAfter, table.clip.contains(start.token) else { return nil }
        return key.withUnsafeBytes { key in
            guard let index = block.find(start.token.ordinal, key),
                block.segment(index).flags.contains(.continuesBefore),
                !command.partitions.end.isBefore(start.token, key)
            else { return nil }
            return index
        }
    }

    /// Goes on to the next segment that begins a wanted partition. Hot: once per partition that is scanned.
    private func scan() {
        guard let block else {
            stage = .ended
            return
        }
        while segmentIndex < block.segmentCount {
            let segment: BlockSegment = block.segment(segmentIndex)
            let token = Token(ordinal: block.ordinal(segmentIndex))
            if token > table.clip.upperBound || command.partitions.end.isBefore(token, segment.key) {
                stage = .ended
                return
            }
            if !segment.flags.contains(.continuesBefore), isPastStart || isAfterStart(token, segment.key) {
                isPastStart = true
                found(block, segment, token)
                return
            }
            segmentIndex += 1
        }
        stage = .advance
    }

    private func isAfterStart(_ token: Token, _ key: UnsafeRawBufferPointer) -> Bool {
        token >= table.clip.lowerBound && command.partitions.start.isBefore(token, key)
    }

    private func found(_ block: Block, _ segment: BlockSegment, _ token: Token) {
        self.token = token
        key = segment.key
        keyBlock = block
        staticRow = segment.staticRow
        staticBlock = nil
        partitionDeletion = .none
        rangeDeletions = []
        slices = command.slices(of: token, key)
        beginRows()
        let isStaticElsewhere: Bool = segment.flags.contains(.hasStaticRow) && !segment.flags.contains(.staticRow)
        deletionsStage = .seek
        headerLocation = nil
        if isStaticElsewhere {
            stage = .header
        } else {
            stage = segment.flags.contains(.hasDeletions) ? .deletions : .ready
        }
    }

    /// Gets the first block of the partition for its static row. False when blocked.
    private func fetchHeader() throws(StorageError) -> Bool {
        if headerLocation == nil {
            var walk = TreeWalk(table.rows)
            let start = UnsafeRawBufferPointer(start: nil, count: 0)
            guard case .moved(let found) = try walk.seek(ordinal, key, start, &fetcher) else { return false }
            headerLocation = found
        }
        guard let headerLocation, let first = try fetcher.block(headerLocation) else { return false }
        guard let index = first.find(ordinal, key) else { throw lostPartition() }
        staticRow = first.segment(index).staticRow
        staticBlock = first
        let hasDeletions: Bool = first.segment(index).flags.contains(.hasDeletions)
        stage = hasDeletions ? .deletions : .ready
        return true
    }

    func lostPartition() -> StorageError {
        .damaged(file: table.path, offset: location.offset, reason: "an index leads to a block without the partition")
    }
}
