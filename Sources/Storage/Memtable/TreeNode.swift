import DataModel

/// A key as the trees of a memtable compare it: the first eight bytes as a number, then all bytes.
struct TreeKey {
    let prefix: UInt64
    let bytes: UnsafeRawBufferPointer

    /// A key whose order is that of its bytes.
    @inline(__always)
    init(_ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
        self.prefix = TreeKey.prefix(bytes)
    }

    /// A key whose order is that of a number, then of its bytes.
    @inline(__always)
    init(ordinal: UInt64, _ bytes: UnsafeRawBufferPointer) {
        self.bytes = bytes
        self.prefix = ordinal
    }

    /// The first eight bytes as a big-endian number, zeros after the end.
    @inline(__always)
    static func prefix(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        if bytes.count >= 8 { return UInt64(bigEndian: unsafe bytes.loadUnaligned(as: UInt64.self)) }
        var prefix: UInt64 = 0
        for index in 0..<bytes.count { prefix |= UInt64(unsafe bytes[index]) << UInt64(56 &- index &* 8) }
        return prefix
    }
}

/// A node of a tree, as it lies in an arena.
///
///     node := count u16 · level u8 (0 for a leaf) · u8 · capacity u32 · next leaf · previous leaf
///             · prefix u64 × capacity · item × capacity · [child × capacity, when the level is not 0]
///
/// Prefixes behind the last entry are all ones, so that a search need not know how many entries there are.
///
/// An item is what the tree orders: a block that begins with the u32 size of its key and has the key's bytes at an
/// offset that is the same for all items of a tree. Entry *i* of an inner node has the least key below child *i*; that
/// of entry 0 is not looked at.
struct TreeNode {
    static let headByteCount: Int = 24

    let address: UnsafeMutableRawPointer

    @inline(__always)
    init(_ address: UnsafeMutableRawPointer) {
        self.address = address
    }

    static func make(level: Int, capacity: Int, arena: inout Arena) -> TreeNode {
        let node = TreeNode(arena.allocate(TreeNode.byteCount(level: level, capacity: capacity)))
        unsafe node.address.storeBytes(of: 0, as: UInt64.self)
        unsafe node.address.storeBytes(of: UInt8(truncatingIfNeeded: level), toByteOffset: 2, as: UInt8.self)
        unsafe node.address.storeBytes(of: UInt32(truncatingIfNeeded: capacity), toByteOffset: 4, as: UInt32.self)
        node.next = nil
        node.previous = nil
        unsafe node.prefixes.initialize(repeating: .max, count: capacity)
        return node
    }

    static func byteCount(level: Int, capacity: Int) -> Int {
        headByteCount &+ capacity &* (level == 0 ? 16 : 24)
    }

    @inline(__always) var count: Int {
        get { Int(unsafe address.load(as: UInt16.self)) }
        nonmutating set { unsafe address.storeBytes(of: UInt16(truncatingIfNeeded: newValue), as: UInt16.self) }
    }

    @inline(__always) var level: Int { Int(unsafe address.load(fromByteOffset: 2, as: UInt8.self)) }
    @inline(__always) var capacity: Int { Int(unsafe address.load(fromByteOffset: 4, as: UInt32.self)) }

    /// The leaf after this one.
    @inline(__always) var next: UnsafeMutableRawPointer? {
        get { unsafe address.load(fromByteOffset: 8, as: UnsafeMutableRawPointer?.self) }
        nonmutating set { unsafe address.storeBytes(of: newValue, toByteOffset: 8, as: UnsafeMutableRawPointer?.self) }
    }

    /// The leaf before this one.
    @inline(__always) var previous: UnsafeMutableRawPointer? {
        get { unsafe address.load(fromByteOffset: 16, as: UnsafeMutableRawPointer?.self) }
        nonmutating set { unsafe address.storeBytes(of: newValue, toByteOffset: 16, as: UnsafeMutableRawPointer?.self) }
    }

    @inline(__always) var prefixes: UnsafeMutablePointer<UInt64> {
        unsafe (address + TreeNode.headByteCount).assumingMemoryBound(to: UInt64.self)
    }

    @inline(__always) var items: UnsafeMutablePointer<UnsafeMutableRawPointer> {
        unsafe (address + (TreeNode.headByteCount &+ capacity &* 8))
            .assumingMemoryBound(to: UnsafeMutableRawPointer.self)
    }

    @inline(__always) var children: UnsafeMutablePointer<UnsafeMutableRawPointer> {
        unsafe (address + (TreeNode.headByteCount &+ capacity &* 16))
            .assumingMemoryBound(to: UnsafeMutableRawPointer.self)
    }

    /// The first entry from `first` on whose key is not less than `key`, and whether it is equal.
    ///
    /// Hot: once per level of every lookup.
    @inline(__always)
    func lowerBound(_ key: TreeKey, from first: Int, keyOffset: Int) -> (index: Int, isEqual: Bool) {
        let prefixes: UnsafeMutablePointer<UInt64> = self.prefixes
        let wanted: UInt64 = key.prefix
        var low: Int = first
        if capacity == ArenaTree.fanOut {
            low = max(first, TreeNode.countBelow(wanted, prefixes))
            // The least key below the first child may be less than entry 0 says, and entry 1 then too: entry 0 counts as
            // less than everything.
            if unsafe first > 0 && prefixes[0] >= wanted && prefixes[7] >= wanted {
                low = max(first, TreeNode.countBelow(wanted, prefixes) &+ 1)
            }
            if unsafe low >= count || prefixes[low] != wanted { return (low, false) }
        }
        var high: Int = count
        while low < high {
            let middle: Int = (low &+ high) >> 1
            let prefix: UInt64 = unsafe prefixes[middle]
            if prefix != wanted {
                if prefix < wanted { low = middle &+ 1 } else { high = middle }
                continue
            }
            let order: Int = ByteOrder.compare(itemKey(middle, keyOffset), key.bytes)
            if order == 0 { return (middle, true) }
            if order < 0 { low = middle &+ 1 } else { high = middle }
        }
        return (low, false)
    }

    /// How many of the prefixes of a full-sized node are less than `wanted`.
    ///
    /// Hot: a node is four cache lines that are mostly in none of the caches. The three loads that come first do not wait
    /// for each other nor for the head of the node, which a binary search would.
    @inline(__always)
    private static func countBelow(_ wanted: UInt64, _ prefixes: UnsafeMutablePointer<UInt64>) -> Int {
        var below: Int = unsafe prefixes[7] < wanted ? 8 : 0
        below &+= unsafe prefixes[15] < wanted ? 8 : 0
        below &+= unsafe prefixes[23] < wanted ? 8 : 0
        let block: UnsafeMutablePointer<UInt64> = unsafe prefixes + below
        below &+= unsafe block[0] < wanted ? 1 : 0
        below &+= unsafe block[1] < wanted ? 1 : 0
        below &+= unsafe block[2] < wanted ? 1 : 0
        below &+= unsafe block[3] < wanted ? 1 : 0
        below &+= unsafe block[4] < wanted ? 1 : 0
        below &+= unsafe block[5] < wanted ? 1 : 0
        below &+= unsafe block[6] < wanted ? 1 : 0
        below &+= unsafe block[7] < wanted ? 1 : 0
        return below
    }

    /// The entry of an inner node below which `key` belongs.
    @inline(__always)
    func childIndex(_ key: TreeKey, keyOffset: Int) -> Int {
        let found: (index: Int, isEqual: Bool) = lowerBound(key, from: 1, keyOffset: keyOffset)
        return found.isEqual ? found.index : max(0, found.index &- 1)
    }

    @inline(__always)
    func itemKey(_ index: Int, _ keyOffset: Int) -> UnsafeRawBufferPointer {
        TreeNode.key(of: unsafe items[index], keyOffset)
    }

    @inline(__always)
    static func key(of item: UnsafeMutableRawPointer, _ keyOffset: Int) -> UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(start: item + keyOffset, count: Int(item.load(as: UInt32.self)))
    }

    /// Makes room at `index` and puts an entry there. The node has room.
    func insert(
        prefix: UInt64, item: UnsafeMutableRawPointer, child: UnsafeMutableRawPointer? = nil, at index: Int
    ) {
        let moved: Int = count &- index
        unsafe (prefixes + index + 1).update(from: prefixes + index, count: moved)
        unsafe (items + index + 1).update(from: items + index, count: moved)
        unsafe prefixes[index] = prefix
        unsafe items[index] = item
        if let child {
            unsafe (children + index + 1).update(from: children + index, count: moved)
            unsafe children[index] = child
        }
        count &+= 1
    }

    /// Moves the entries from `first` on to the empty node `target`.
    func moveEntries(from first: Int, to target: TreeNode) {
        let moved: Int = count &- first
        unsafe target.prefixes.update(from: prefixes + first, count: moved)
        unsafe (prefixes + first).update(repeating: .max, count: moved)
        unsafe target.items.update(from: items + first, count: moved)
        if level > 0 { unsafe target.children.update(from: children + first, count: moved) }
        target.count = moved
        count = first
    }
}
