package import DataModel
import Environment
import Primitives

/// How far the hash tree is trusted.
package enum HashMode: UInt8, Sendable {
    /// What it knows is not read.
    case cached = 0
    /// Everything is read, and known from then on.
    case fresh = 1
    /// Everything is read and held against what the tree knew.
    case verify = 2
}

/// The hashes of some leaves, and what they cost.
package struct HashedLeaves: Sendable, Equatable {
    /// For the leaves that were asked for, from the first on; fewer when time was up.
    package var hashes: [LeafHash] = []
    /// How many leaves were known without reading.
    package var knownCount = 0
    /// Bytes of rows that were read.
    package var readByteCount = 0
    /// In `.verify`: leaves of which the tree knew something else than the files say.
    package var wrongCount = 0

    package init() {}
}

extension TableStore {
    /// The leaf, cut to the shard's tokens, that was hashed last around a token; nil when none was.
    package func knownLeaf(at token: Token) -> ClosedRange<Token>? {
        guard let leaf = hashes.cut(at: token), leaf.contains(token) else { return nil }
        return leaf
    }

    /// Whether anything that is not in a file yet is in some tokens.
    package func hasUnflushed(_ tokens: ClosedRange<Token>) -> Bool {
        if let memtable, TableStore.holds(memtable, tokens) { return true }
        return frozen.contains { TableStore.holds($0.memtable, tokens) }
    }

    private static func holds(_ memtable: Memtable, _ tokens: ClosedRange<Token>) -> Bool {
        let cursor = memtable.makeCursor(ReadCommand(partitions: PartitionRange(tokens), slices: []))
        do throws(StorageError) {
            if case .ready = try cursor.nextPartition() { return true }
            return false
        } catch {
            return true
        }
    }

    /// A read of all files and of no memtable.
    private func fileCursor(_ command: ReadCommand, isLong: Bool) -> ReadCursor {
        let cache: BlockCache? = isLong ? nil : shard.cache
        let sources: [any SourceCursor] = sstables.filter { $0.canHold(command) }.map {
            $0.table.makeCursor(command, cache: cache)
        }
        return ReadCursor(sources: sources, isReversed: false)
    }

    /// Hashes leaves of what the files hold, a little at a time, so that others have the loop in between.
    ///
    /// - Parameters:
    ///   - leaves: ascending, not overlapping, inside the shard's tokens.
    ///   - deadline: in nanoseconds of the monotonic clock: no leaf is begun after it but the first.
    /// - Throws: `.cancelled` when the task is, and what reading throws.
    package func hash(
        _ leaves: [ClosedRange<Token>], _ frame: HashFrame, _ mode: HashMode, deadline: UInt64
    ) async throws(StorageError) -> HashedLeaves {
        var result = HashedLeaves()
        var index = 0
        while index < leaves.count {
            if mode == .cached, let known = hashes.leaf(leaves[index], frame) {
                result.hashes.append(known.hash)
                result.knownCount += 1
                index += 1
                continue
            }
            if index > 0, shard.host.time.monotonicNanoseconds > deadline { return result }
            var end: Int = index + 1
            while end < leaves.count, mode != .cached || hashes.leaf(leaves[end], frame) == nil { end += 1 }
            let scan = HashScan(Array(leaves[index..<end]), frame, deadline: deadline)
            let changeCount: UInt64 = contentChangeCount
            let cursor: ReadCursor = fileCursor(scan.command, isLong: end - index > 64)
            try await scan.run(cursor, time: shard.host.time, throttle: shard.hashThrottle)
            if mode == .verify {
                result.wrongCount += scan.done.count { leaf in
                    hashes.leaf(leaf.tokens, frame).map { $0.hash != leaf.hash } ?? false
                }
            }
            // What has changed meanwhile is not in these hashes: they say what was there when the scan began.
            if changeCount == contentChangeCount { keep(scan.done) }
            result.hashes += scan.done.map(\.hash)
            result.readByteCount += scan.readByteCount
            index += scan.done.count
        }
        return result
    }

    /// Keeps what is known of leaves, but for those that a flush is about to change.
    private func keep(_ leaves: [HashTree.Leaf]) {
        if contentChangesUnderWay > 0 { return }
        defer { shard.saveHashesSoon() }
        hashes.put(
            frozen.isEmpty
                ? leaves
                : leaves.filter { leaf in
                    !frozen.contains { TableStore.holds($0.memtable, leaf.tokens) }
                })
    }
}

extension PartitionRange {
    /// All partitions of some tokens.
    package init(_ tokens: ClosedRange<Token>) {
        self = .range(start: .before(tokens.lowerBound), end: .after(tokens.upperBound))
    }
}

/// Hashes the partitions of one table, leaf by leaf.
private final class HashScan {
    /// Rows between two looks at the clock.
    private static let rowsPerTurn = 128
    /// How long a scan keeps its loop.
    private static let turnNanoseconds: UInt64 = 500_000

    let command: ReadCommand
    private let leaves: [ClosedRange<Token>]
    private let deadline: UInt64
    private var hasher: UnitHasher
    private var sum = LeafHash.empty
    private(set) var done: [HashTree.Leaf] = []
    private(set) var readByteCount = 0
    private var isLate = false

    init(_ leaves: [ClosedRange<Token>], _ frame: HashFrame, deadline: UInt64) {
        self.leaves = leaves
        self.deadline = deadline
        self.hasher = UnitHasher(frame)
        let last: Token = leaves.last?.upperBound ?? .minimum
        let tokens: ClosedRange<Token> = (leaves.first?.lowerBound ?? last)...last
        self.command = ReadCommand(partitions: PartitionRange(tokens))
    }

    func run(_ cursor: ReadCursor, time: any TimeSource, throttle: CompactionThrottle) async throws(StorageError) {
        var untilTurn: Int = HashScan.rowsPerTurn
        var startNanoseconds: UInt64 = time.monotonicNanoseconds
        var paidByteCount = 0
        while true {
            switch try cursor.step() {
            case .blocked:
                try await cursor.load()
                continue
            case .end:
                while done.count < leaves.count { endLeaf() }
                return try await throttle.spend(readByteCount - paidByteCount)
            case .partition:
                guard try begin(cursor) else { return try await throttle.spend(readByteCount - paidByteCount) }
            case .row:
                readByteCount += cursor.clustering.count + cursor.row.count
                if let unit = try hasher.row(cursor.clustering, cursor.row) { sum.add(unit) }
            }
            untilTurn -= 1
            guard untilTurn <= 0 else { continue }
            untilTurn = HashScan.rowsPerTurn
            if Task.isCancelled { throw .cancelled }
            try await throttle.spend(readByteCount - paidByteCount)
            paidByteCount = readByteCount
            let now: UInt64 = time.monotonicNanoseconds
            isLate = now > deadline
            // A clock that stands still while code runs, as a simulated one does, must not mean an endless turn.
            guard now &- startNanoseconds >= HashScan.turnNanoseconds || now == startNanoseconds else { continue }
            await Task.yield()
            startNanoseconds = time.monotonicNanoseconds
        }
    }

    /// Enters a partition, and the leaf that it is in; false when time is up.
    private func begin(_ cursor: ReadCursor) throws(StorageError) -> Bool {
        while done.count < leaves.count, leaves[done.count].upperBound < cursor.token { endLeaf() }
        if isLate, !done.isEmpty { return false }
        guard done.count < leaves.count, leaves[done.count].contains(cursor.token) else {
            cursor.skipPartition()
            return true
        }
        readByteCount += cursor.key.count + cursor.staticRow.count
        hasher.beginPartition(cursor.token, cursor.key)
        let head: UnitHash? = try hasher.head(
            deletion: cursor.partitionDeletion, ranges: cursor.rangeDeletions, staticRow: cursor.staticRow)
        if let head { sum.add(head) }
        return true
    }

    private func endLeaf() {
        done.append(HashTree.Leaf(tokens: leaves[done.count], hash: sum, life: hasher.life))
        sum = .empty
        hasher.beginLeaf()
    }
}
