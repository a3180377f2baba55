import Primitives

/// A place in the leaves of a tree, which holds until the tree's next insertion.
struct TreePosition {
    var leaf: UnsafeMutableRawPointer
    /// May be the leaf's count: then the next entry is the first of the next leaf.
    var index: Int
}

/// The way from the root of a tree to where a key is or belongs.
struct TreePath {
    /// A tree of more levels cannot be: below a full root every level multiplies by at least 31.
    static let maximumDepth: Int = 12

    var nodes: InlineArray<12, UnsafeMutableRawPointer?> = InlineArray(repeating: nil)
    var indices: InlineArray<12, Int> = InlineArray(repeating: 0)
    /// How many inner nodes are above the leaf.
    var depth: Int = 0
    var leaf: UnsafeMutableRawPointer
    var index: Int = 0
    var isFound = false
}

/// A B+tree in an arena, ordered by `TreeKey`. Items are only ever added.
///
/// The tree itself is only the address of its root and the offset of the key in its items; a memtable has one over its
/// partitions and one over the rows of each partition. The root of a small tree is a leaf of less than full capacity.
///
/// Hot: every write and every point read goes through `locate` or `find`.
struct ArenaTree {
    static let fanOut: Int = 32
    static let smallestCapacity: Int = 4

    var root: UnsafeMutableRawPointer
    let keyOffset: Int

    @inline(__always)
    init(root: UnsafeMutableRawPointer, keyOffset: Int) {
        self.root = root
        self.keyOffset = keyOffset
    }

    /// The item with `key`.
    @inline(__always)
    func find(_ key: TreeKey) -> UnsafeMutableRawPointer? {
        var node = TreeNode(root)
        while node.level > 0 {
            node = TreeNode(unsafe node.children[node.childIndex(key, keyOffset: keyOffset)])
        }
        let found: (index: Int, isEqual: Bool) = node.lowerBound(key, from: 0, keyOffset: keyOffset)
        return found.isEqual ? unsafe node.items[found.index] : nil
    }

    /// The place of the first item whose key is not less than `key`.
    func lowerBound(_ key: TreeKey) -> (position: TreePosition, isEqual: Bool) {
        var node = TreeNode(root)
        while node.level > 0 {
            node = TreeNode(unsafe node.children[node.childIndex(key, keyOffset: keyOffset)])
        }
        let found: (index: Int, isEqual: Bool) = node.lowerBound(key, from: 0, keyOffset: keyOffset)
        return (TreePosition(leaf: node.address, index: found.index), found.isEqual)
    }

    /// The place of `key`, with the way to it, for an insertion.
    @inline(__always)
    func locate(_ key: TreeKey) -> TreePath {
        var path = TreePath(leaf: root)
        var node = TreeNode(root)
        while node.level > 0 {
            let index: Int = node.childIndex(key, keyOffset: keyOffset)
            path.nodes[path.depth] = node.address
            path.indices[path.depth] = index
            path.depth &+= 1
            node = TreeNode(unsafe node.children[index])
        }
        let found: (index: Int, isEqual: Bool) = node.lowerBound(key, from: 0, keyOffset: keyOffset)
        path.leaf = node.address
        path.index = found.index
        path.isFound = found.isEqual
        return path
    }

    /// Puts an item at a place that `locate` found empty.
    @inline(__always)
    mutating func insert(_ item: UnsafeMutableRawPointer, prefix: UInt64, at path: TreePath, arena: inout Arena) {
        let leaf = TreeNode(path.leaf)
        if leaf.count < leaf.capacity {
            leaf.insert(prefix: prefix, item: item, at: path.index)
        } else if leaf.capacity < ArenaTree.fanOut {
            growRoot(leaf, &arena).insert(prefix: prefix, item: item, at: path.index)
        } else {
            splitLeaf(leaf, inserting: item, prefix: prefix, at: path, &arena)
        }
    }

    /// Replaces a root that is a small leaf with one of twice the capacity.
    private mutating func growRoot(_ leaf: TreeNode, _ arena: inout Arena) -> TreeNode {
        let larger = TreeNode.make(level: 0, capacity: min(leaf.capacity * 2, ArenaTree.fanOut), arena: &arena)
        leaf.moveEntries(from: 0, to: larger)
        arena.release(leaf.address, byteCount: TreeNode.byteCount(level: 0, capacity: leaf.capacity))
        root = larger.address
        return larger
    }

    @inline(never)
    private mutating func splitLeaf(
        _ leaf: TreeNode, inserting item: UnsafeMutableRawPointer, prefix: UInt64, at path: TreePath,
        _ arena: inout Arena
    ) {
        let isAppending: Bool = leaf.next == nil && path.index == leaf.count
        let isPrepending: Bool = leaf.previous == nil && path.index == 0
        let point: Int = ArenaTree.splitPoint(leaf.count, isAppending, isPrepending)
        let right = TreeNode.make(level: 0, capacity: ArenaTree.fanOut, arena: &arena)
        leaf.moveEntries(from: point, to: right)
        right.next = leaf.next
        right.previous = leaf.address
        if let after = leaf.next { TreeNode(after).previous = right.address }
        leaf.next = right.address
        if path.index <= point {
            leaf.insert(prefix: prefix, item: item, at: path.index)
        } else {
            right.insert(prefix: prefix, item: item, at: path.index &- point)
        }
        insertChild(right, above: path, isAppending: isAppending, isPrepending: isPrepending, &arena)
    }

    /// Hangs a new right neighbour into the inner nodes above, splitting those that are full.
    private mutating func insertChild(
        _ new: TreeNode, above path: TreePath, isAppending: Bool, isPrepending: Bool, _ arena: inout Arena
    ) {
        var child: TreeNode = new
        var depth: Int = path.depth
        while depth > 0 {
            depth &-= 1
            guard let address = path.nodes[depth] else { break }
            let node = TreeNode(address)
            let place: Int = path.indices[depth] &+ 1
            let prefix: UInt64 = unsafe child.prefixes[0]
            let item: UnsafeMutableRawPointer = unsafe child.items[0]
            if node.count < node.capacity {
                node.insert(prefix: prefix, item: item, child: child.address, at: place)
                return
            }
            let point: Int = ArenaTree.splitPoint(node.count, isAppending, isPrepending)
            let right = TreeNode.make(level: node.level, capacity: ArenaTree.fanOut, arena: &arena)
            node.moveEntries(from: point, to: right)
            if place <= point {
                node.insert(prefix: prefix, item: item, child: child.address, at: place)
            } else {
                right.insert(prefix: prefix, item: item, child: child.address, at: place &- point)
            }
            child = right
        }
        addRoot(above: child, &arena)
    }

    private mutating func addRoot(above right: TreeNode, _ arena: inout Arena) {
        let left = TreeNode(root)
        require(left.level + 1 < TreePath.maximumDepth, "a tree has fewer levels than a path can hold")
        let top = TreeNode.make(level: left.level + 1, capacity: ArenaTree.fanOut, arena: &arena)
        unsafe top.insert(prefix: left.prefixes[0], item: left.items[0], child: left.address, at: 0)
        unsafe top.insert(prefix: right.prefixes[0], item: right.items[0], child: right.address, at: 1)
        root = top.address
    }

    /// Where a full node is cut: in the middle, or near the end at which keys keep coming, so that nodes stay full.
    private static func splitPoint(_ count: Int, _ isAppending: Bool, _ isPrepending: Bool) -> Int {
        isAppending ? count &- 1 : isPrepending ? 1 : count / 2
    }

    // MARK: Walking

    /// The item at a place, which moves to the next leaf when its own is used up; nil at the end.
    @inline(__always)
    static func item(at position: inout TreePosition) -> UnsafeMutableRawPointer? {
        var leaf = TreeNode(position.leaf)
        while position.index >= leaf.count {
            guard let next = leaf.next else { return nil }
            leaf = TreeNode(next)
            position = TreePosition(leaf: next, index: 0)
        }
        return unsafe leaf.items[position.index]
    }

    /// Moves a place back by one and returns the item there; nil at the front.
    @inline(__always)
    static func itemBefore(_ position: inout TreePosition) -> UnsafeMutableRawPointer? {
        while position.index == 0 {
            guard let previous = TreeNode(position.leaf).previous else { return nil }
            position = TreePosition(leaf: previous, index: TreeNode(previous).count)
        }
        position.index &-= 1
        return unsafe TreeNode(position.leaf).items[position.index]
    }
}
