internal import Primitives

/// How well a block cache does.
public struct BlockCacheStatistics: Sendable, Equatable {
    public var hitCount = 0
    public var missCount = 0
    public var evictionCount = 0
}

/// The decompressed blocks of one shard's SSTables, bounded in bytes. Confined to the shard's loop.
///
/// Scans do not wash it out: S3-FIFO (Yang, Zhang, Qiu, Yue, Vinayak, "FIFO Queues are All You Need for Cache
/// Eviction"). New blocks wait in a small queue; those that are asked for again there move to the main queue, others
/// leave and are remembered for a while, so that a second visit puts them into the main queue at once.
///
///     new ─▶ small (a tenth) ─▶ asked for again? ─▶ main ─▶ asked for lately? goes round again, else out
///                             └▶ not ─▶ out, remembered ──┘
///
/// A block that a cursor reads stays alive by the cursor's reference, in the cache or not.
public final class BlockCache {
    private struct Slot {
        var file: UInt64 = 0
        var offset: Int = 0
        var block: Block?
        var frequency: UInt8 = 0
        var isInMain = false
        /// The next slot with the same hash bucket, or the next free one; -1 for none.
        var nextInBucket: Int32 = -1
        /// The slot that came later into the same queue; -1 for none.
        var later: Int32 = -1
        var earlier: Int32 = -1
    }

    /// One first-in-first-out queue of slots.
    private struct Queue {
        var oldest: Int32 = -1
        var newest: Int32 = -1
        var byteCount = 0
    }

    /// What an entry costs beside its bytes.
    private static let overheadByteCount: Int = 160

    public private(set) var byteLimit: Int
    public private(set) var statistics = BlockCacheStatistics()
    private var slots: [Slot] = []
    private var firstFree: Int32 = -1
    private var buckets: [Int32]
    private var small = Queue()
    private var main = Queue()
    private var entryCount = 0
    /// Hashes of blocks that left the small queue, each with the number of the departure.
    private var departed: [(hash: UInt64, number: Int)]
    private var departureCount = 0
    let decompressor = BlockDecompressor()
    /// For the stored form of blocks that are read on the loop.
    private(set) var scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 * 1_024, alignment: 16)

    public init(byteLimit: Int) {
        self.byteLimit = max(0, byteLimit)
        self.buckets = [Int32](repeating: -1, count: 256)
        self.departed = [(hash: UInt64, number: Int)](repeating: (0, -1 << 40), count: 256)
    }

    deinit {
        scratch.deallocate()
    }

    /// Bytes held, with what the entries cost.
    public var byteCount: Int { small.byteCount + main.byteCount }
    public var count: Int { entryCount }

    /// Changes the limit; what is too much leaves at once.
    public func resize(byteLimit: Int) {
        self.byteLimit = max(0, byteLimit)
        evict()
    }

    /// The block at an offset of a file; nil when it is not here.
    ///
    /// Hot: two or three times per point read.
    @inline(__always)
    func find(_ file: UInt64, _ offset: Int) -> Block? {
        let hash: UInt64 = BlockCache.hash(file, offset)
        let found: Block? = buckets.withUnsafeBufferPointer { buckets in
            slots.withUnsafeMutableBufferPointer { slots in
                var index: Int32 = buckets[Int(truncatingIfNeeded: hash) & (buckets.count &- 1)]
                while index >= 0 {
                    let place = Int(index)
                    if slots[place].offset == offset, slots[place].file == file {
                        if slots[place].frequency < 3 { slots[place].frequency &+= 1 }
                        return slots[place].block
                    }
                    index = slots[place].nextInBucket
                }
                return nil
            }
        }
        if found == nil { statistics.missCount &+= 1 } else { statistics.hitCount &+= 1 }
        return found
    }

    /// Adds a block that `find` did not find.
    func insert(_ block: Block, _ file: UInt64, _ offset: Int) {
        let cost: Int = block.byteCount + BlockCache.overheadByteCount
        // A block that would push out a good part of the cache is not worth it.
        guard cost <= byteLimit / 4, indexOf(file, offset) == nil else { return }
        if entryCount >= buckets.count { grow() }
        let hash: UInt64 = BlockCache.hash(file, offset)
        let index: Int32 = takeFreeSlot()
        let bucket: Int = Int(truncatingIfNeeded: hash) & (buckets.count - 1)
        let wasHere: Bool = hasDepartedLately(hash)
        slots[Int(index)] = Slot(
            file: file, offset: offset, block: block, isInMain: wasHere, nextInBucket: buckets[bucket])
        buckets[bucket] = index
        entryCount += 1
        push(index, cost)
        evict()
    }

    /// Forgets the blocks of a file that is gone.
    public func removeFile(_ file: UInt64) {
        for index in slots.indices where slots[index].block != nil && slots[index].file == file {
            unlink(Int32(index))
            free(Int32(index))
        }
    }

    /// Room for `byteCount` stored bytes; nil for blocks so large that they are read off the loop.
    func scratch(_ byteCount: Int) -> UnsafeMutableRawBufferPointer? {
        guard byteCount <= 1 << 20 else { return nil }
        if scratch.count < byteCount {
            scratch.deallocate()
            scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: byteCount, alignment: 16)
        }
        return UnsafeMutableRawBufferPointer(rebasing: scratch[..<byteCount])
    }

    // MARK: Eviction

    private func evict() {
        while small.byteCount + main.byteCount > byteLimit {
            if small.oldest >= 0, small.byteCount > byteLimit / 10 || main.oldest < 0 {
                evictFromSmall()
            } else {
                evictFromMain()
            }
        }
    }

    private func evictFromSmall() {
        let index: Int32 = small.oldest
        let cost: Int = unlink(index)
        if slots[Int(index)].frequency > 0 {
            slots[Int(index)].frequency = 0
            slots[Int(index)].isInMain = true
            push(index, cost)
            return
        }
        let hash: UInt64 = BlockCache.hash(slots[Int(index)].file, slots[Int(index)].offset)
        departureCount += 1
        departed[Int(truncatingIfNeeded: hash >> 20) & (departed.count - 1)] = (hash, departureCount)
        free(index)
        statistics.evictionCount += 1
    }

    private func evictFromMain() {
        let index: Int32 = main.oldest
        guard index >= 0 else { return }
        let cost: Int = unlink(index)
        if slots[Int(index)].frequency > 0 {
            slots[Int(index)].frequency -= 1
            push(index, cost)
            return
        }
        free(index)
        statistics.evictionCount += 1
    }

    /// Whether a block left the small queue no longer ago than as many departures as there are entries.
    private func hasDepartedLately(_ hash: UInt64) -> Bool {
        let entry: (hash: UInt64, number: Int) = departed[Int(truncatingIfNeeded: hash >> 20) & (departed.count - 1)]
        return entry.hash == hash && departureCount - entry.number < max(16, entryCount)
    }

    // MARK: Slots and queues

    private func push(_ index: Int32, _ cost: Int) {
        if slots[Int(index)].isInMain {
            BlockCache.append(index, to: &main, &slots)
            main.byteCount += cost
        } else {
            BlockCache.append(index, to: &small, &slots)
            small.byteCount += cost
        }
    }

    /// Takes a slot out of its queue and returns what it cost there.
    @discardableResult
    private func unlink(_ index: Int32) -> Int {
        let cost: Int = (slots[Int(index)].block?.byteCount ?? 0) + BlockCache.overheadByteCount
        if slots[Int(index)].isInMain {
            BlockCache.remove(index, from: &main, &slots)
            main.byteCount -= cost
        } else {
            BlockCache.remove(index, from: &small, &slots)
            small.byteCount -= cost
        }
        return cost
    }

    private static func append(_ index: Int32, to queue: inout Queue, _ slots: inout [Slot]) {
        slots[Int(index)].earlier = queue.newest
        slots[Int(index)].later = -1
        if queue.newest >= 0 { slots[Int(queue.newest)].later = index } else { queue.oldest = index }
        queue.newest = index
    }

    private static func remove(_ index: Int32, from queue: inout Queue, _ slots: inout [Slot]) {
        let earlier: Int32 = slots[Int(index)].earlier
        let later: Int32 = slots[Int(index)].later
        if earlier >= 0 { slots[Int(earlier)].later = later } else { queue.oldest = later }
        if later >= 0 { slots[Int(later)].earlier = earlier } else { queue.newest = earlier }
    }

    private func takeFreeSlot() -> Int32 {
        if firstFree >= 0 {
            let index: Int32 = firstFree
            firstFree = slots[Int(index)].nextInBucket
            return index
        }
        slots.append(Slot())
        return Int32(slots.count - 1)
    }

    /// Takes a slot that is in no queue out of its bucket, and drops its block.
    private func free(_ index: Int32) {
        let hash: UInt64 = BlockCache.hash(slots[Int(index)].file, slots[Int(index)].offset)
        let bucket: Int = Int(truncatingIfNeeded: hash) & (buckets.count - 1)
        if buckets[bucket] == index {
            buckets[bucket] = slots[Int(index)].nextInBucket
        } else {
            var before: Int32 = buckets[bucket]
            while before >= 0, slots[Int(before)].nextInBucket != index { before = slots[Int(before)].nextInBucket }
            if before >= 0 { slots[Int(before)].nextInBucket = slots[Int(index)].nextInBucket }
        }
        slots[Int(index)] = Slot(nextInBucket: firstFree)
        firstFree = index
        entryCount -= 1
    }

    private func indexOf(_ file: UInt64, _ offset: Int) -> Int? {
        let hash: UInt64 = BlockCache.hash(file, offset)
        var index: Int32 = buckets[Int(truncatingIfNeeded: hash) & (buckets.count - 1)]
        while index >= 0 {
            if slots[Int(index)].offset == offset, slots[Int(index)].file == file { return Int(index) }
            index = slots[Int(index)].nextInBucket
        }
        return nil
    }

    private func grow() {
        buckets = [Int32](repeating: -1, count: buckets.count * 2)
        departed = [(hash: UInt64, number: Int)](repeating: (0, -1 << 40), count: buckets.count)
        for index in slots.indices where slots[index].block != nil {
            let hash: UInt64 = BlockCache.hash(slots[index].file, slots[index].offset)
            let bucket: Int = Int(truncatingIfNeeded: hash) & (buckets.count - 1)
            slots[index].nextInBucket = buckets[bucket]
            buckets[bucket] = Int32(index)
        }
    }

    @inline(__always)
    private static func hash(_ file: UInt64, _ offset: Int) -> UInt64 {
        var bits: UInt64 = UInt64(truncatingIfNeeded: offset) ^ file &* 0x9E37_79B9_7F4A_7C15
        bits = (bits ^ bits >> 29) &* 0xBF58_476D_1CE4_E5B9
        return bits ^ bits >> 32
    }
}
