import Primitives

/// Memory that grows in chunks and is given back all at once, with lists of released blocks in between.
///
/// A memtable owns one and puts everything it keeps into it, so that dropping a memtable frees a few large chunks. The
/// first chunk is small, so that hundreds of idle tables cost little, and it is made by the first write.
///
/// Hot: several blocks per write. A block costs a comparison and an addition; memory is asked for per chunk.
struct Arena: ~Copyable {
    static let firstChunkByteCount: Int = 64 << 10
    static let largestChunkByteCount: Int = 1 << 20
    /// A block of this size gets a chunk of its own, so that the rest of the current one is not lost.
    static let ownChunkByteCount: Int = 128 << 10

    /// The chunks' bytes, which is what the process pays for.
    private(set) var chunkByteCount: Int = 0
    /// The bytes of all blocks handed out and not released.
    private(set) var usedByteCount: Int = 0
    private var next: UnsafeMutableRawPointer?
    private var remaining: Int = 0
    private var nextChunkByteCount: Int = Arena.firstChunkByteCount
    private var chunks: [UnsafeMutableRawPointer] = []
    /// The first released block of each size class; nil until a block is released.
    private var released: UnsafeMutablePointer<UnsafeMutableRawPointer?>?

    init() {}

    deinit {
        for chunk in chunks { chunk.deallocate() }
        released?.deallocate()
    }

    /// A block of at least `byteCount` bytes, aligned to 8, with anything in it.
    @inline(__always)
    mutating func allocate(_ byteCount: Int) -> UnsafeMutableRawPointer {
        let rounded: Int = (byteCount &+ 7) & ~7
        guard rounded <= remaining, let block = next else { return allocateSlowly(rounded) }
        next = unsafe block + rounded
        remaining &-= rounded
        usedByteCount &+= rounded
        return block
    }

    /// A block for something that grows and is replaced: from the released ones when one fits.
    ///
    /// - Returns: the block and its size, which is a size class and at least `byteCount`.
    mutating func allocateReplaceable(_ byteCount: Int) -> (block: UnsafeMutableRawPointer, byteCount: Int) {
        let place: Int = SizeClass.holding(byteCount)
        guard place < SizeClass.count else { return (allocate(byteCount), (byteCount &+ 7) & ~7) }
        let size: Int = SizeClass.byteCount(place)
        if let lists = released, let block = unsafe lists[place] {
            unsafe lists[place] = block.load(as: UnsafeMutableRawPointer?.self)
            usedByteCount &+= size
            return (block, size)
        }
        return (allocate(size), size)
    }

    /// Takes back a block that nobody will look at again.
    mutating func release(_ block: UnsafeMutableRawPointer, byteCount: Int) {
        let place: Int = min(SizeClass.filled(by: byteCount), SizeClass.count &- 1)
        usedByteCount &-= byteCount
        guard place > 0 else { return }
        let lists: UnsafeMutablePointer<UnsafeMutableRawPointer?> = releasedLists()
        unsafe block.storeBytes(of: lists[place], as: UnsafeMutableRawPointer?.self)
        unsafe lists[place] = block
    }

    private mutating func releasedLists() -> UnsafeMutablePointer<UnsafeMutableRawPointer?> {
        if let lists = released { return lists }
        let lists = UnsafeMutablePointer<UnsafeMutableRawPointer?>.allocate(capacity: SizeClass.count)
        unsafe lists.initialize(repeating: nil, count: SizeClass.count)
        released = lists
        return lists
    }

    @inline(never)
    private mutating func allocateSlowly(_ byteCount: Int) -> UnsafeMutableRawPointer {
        usedByteCount &+= byteCount
        if byteCount >= Arena.ownChunkByteCount || byteCount > nextChunkByteCount { return addChunk(byteCount) }
        let chunk: UnsafeMutableRawPointer = addChunk(nextChunkByteCount)
        next = unsafe chunk + byteCount
        remaining = nextChunkByteCount &- byteCount
        nextChunkByteCount = min(nextChunkByteCount * 2, Arena.largestChunkByteCount)
        return chunk
    }

    private mutating func addChunk(_ byteCount: Int) -> UnsafeMutableRawPointer {
        let chunk = UnsafeMutableRawPointer.allocate(byteCount: byteCount, alignment: 16)
        chunks.append(chunk)
        chunkByteCount += byteCount
        return chunk
    }
}

/// The sizes of replaceable blocks: multiples of 16 up to 1,024, then four to each doubling, up to 1 MiB.
enum SizeClass {
    static let count: Int = 104

    static func byteCount(_ place: Int) -> Int {
        if place <= 64 { return place &* 16 }
        let step: Int = place &- 64
        return (4 &+ step & 3) << (8 &+ step >> 2)
    }

    /// The largest class whose blocks are at most `byteCount` bytes.
    static func filled(by byteCount: Int) -> Int {
        if byteCount <= 1_024 { return byteCount >> 4 }
        let exponent: Int = Int.bitWidth &- 1 &- byteCount.leadingZeroBitCount
        return 64 &+ (exponent &- 10) &* 4 &+ (byteCount >> (exponent &- 2) & 3)
    }

    /// The smallest class whose blocks are at least `byteCount` bytes.
    static func holding(_ byteCount: Int) -> Int {
        if byteCount <= 1_024 { return max(1, (byteCount &+ 15) >> 4) }
        let place: Int = filled(by: byteCount)
        return SizeClass.byteCount(place) < byteCount ? place &+ 1 : place
    }
}
