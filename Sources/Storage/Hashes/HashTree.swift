package import DataModel
package import Primitives

/// The hashes of leaves of one table on one shard that are known to be right for what its files hold.
///
/// Leaves are runs of tokens, ascending, without overlaps, cut wherever a comparison wanted them. What changes in the
/// files takes the leaves of exactly the changed partitions away; compactions take none, because they change nothing of
/// the merged view but what hashes leave out.
///
/// A value, confined to the loop of its shard.
package struct HashTree: Sendable, Equatable {
    package struct Leaf: Sendable, Equatable {
        package let tokens: ClosedRange<Token>
        package let hash: LeafHash
        package let life: LeafLife
        /// False once something inside has changed.
        fileprivate(set) var isKnown: Bool
        /// Its place in what was saved last; −1 when it is not there.
        fileprivate var savedPlace: Int32 = -1

        package init(tokens: ClosedRange<Token>, hash: LeafHash, life: LeafLife) {
            self.tokens = tokens
            self.hash = hash
            self.life = life
            self.isKnown = true
        }
    }

    /// A table has no more leaves on one shard: about 3 MiB.
    package static let leafLimit = 1 << 15

    private var leaves: [Leaf] = []
    /// Whether what was saved last has an entry of this tree.
    private(set) var isSaved = false
    /// Which leaves of that entry are not right any more.
    private(set) var stale = StaleLeaves()
    /// Whether something is known that was not saved.
    private(set) var hasUnsaved = false

    package init() {}

    package var isEmpty: Bool { leaves.isEmpty }
    /// How many leaves are known.
    package var count: Int { leaves.count(where: \.isKnown) }

    /// The leaf of exactly these tokens, if its hash is right for a frame.
    package func leaf(_ tokens: ClosedRange<Token>, _ frame: HashFrame) -> Leaf? {
        let index: Int = place(of: tokens.lowerBound)
        guard index < leaves.count, leaves[index].tokens == tokens, leaves[index].isKnown else { return nil }
        return leaves[index].life.holds(for: frame) ? leaves[index] : nil
    }

    /// The tokens of the first leaf, known or not, that ends at or after a token.
    package func cut(at token: Token) -> ClosedRange<Token>? {
        let index: Int = place(of: token)
        return index < leaves.count ? leaves[index].tokens : nil
    }

    /// Takes in leaves that ascend and do not overlap; those there that overlap them go. More than `leafLimit` are not
    /// kept.
    package mutating func put(_ added: [Leaf]) {
        guard let first = added.first, let last = added.last else { return }
        hasUnsaved = true
        let start: Int = place(of: first.tokens.lowerBound)
        var end: Int = start
        while end < leaves.count, leaves[end].tokens.lowerBound <= last.tokens.upperBound { end += 1 }
        let span: ClosedRange<Token> = first.tokens.lowerBound...last.tokens.upperBound
        // What lies between the new leaves stays.
        var merged: [Leaf] = []
        merged.reserveCapacity(added.count + end - start)
        var old: Int = start
        for leaf in added {
            while old < end, leaves[old].tokens.upperBound < leaf.tokens.lowerBound {
                merged.append(leaves[old])
                old += 1
            }
            var leaf: Leaf = leaf
            if old < end, isWorthMore(leaves[old], than: leaf, span) { continue }
            while old < end, leaves[old].tokens.overlaps(leaf.tokens) {
                if leaves[old].tokens == leaf.tokens, leaves[old].isKnown {
                    // Nothing has changed, so what is saved of it stays right in the frames that it is for.
                    leaf.savedPlace = leaves[old].savedPlace
                } else {
                    outdate(leaves[old])
                }
                old += 1
            }
            merged.append(leaf)
        }
        merged += leaves[old..<end]
        leaves.replaceSubrange(start..<end, with: merged)
        guard leaves.count > HashTree.leafLimit else { return }
        leaves.removeAll { !$0.isKnown }
        guard leaves.count > HashTree.leafLimit else { return }
        for leaf in leaves[HashTree.leafLimit...] { outdate(leaf) }
        leaves.removeLast(leaves.count - HashTree.leafLimit)
    }

    /// Whether a leaf that is known stays though a part of it was hashed apart: the rest would have to be read again.
    private func isWorthMore(_ known: Leaf, than part: Leaf, _ span: ClosedRange<Token>) -> Bool {
        known.isKnown && known.tokens.contains(part.tokens) && !span.contains(known.tokens)
    }

    /// What is saved of a leaf cannot be followed any further.
    private mutating func outdate(_ leaf: Leaf) {
        if leaf.savedPlace >= 0 { stale.insert(Int(leaf.savedPlace)) }
    }

    private mutating func forget(at index: Int) {
        guard leaves[index].isKnown else { return }
        leaves[index].isKnown = false
        outdate(leaves[index])
    }

    /// Forgets the leaf that a partition is in.
    mutating func forget(_ token: Token) {
        if leaves.isEmpty { return }
        let index: Int = place(of: token)
        guard index < leaves.count, leaves[index].tokens.contains(token) else { return }
        forget(at: index)
    }

    mutating func forget(_ tokens: ClosedRange<Token>) {
        var index: Int = place(of: tokens.lowerBound)
        while index < leaves.count, leaves[index].tokens.lowerBound <= tokens.upperBound {
            forget(at: index)
            index += 1
        }
    }

    mutating func forgetAll() {
        self = HashTree()
    }

    // MARK: Saving

    /// Appends the leaves that are known: from now on they are what was saved last.
    mutating func save(to writer: inout ByteWriter) {
        write(to: &writer)
        var place: Int32 = 0
        for index in leaves.indices {
            leaves[index].savedPlace = leaves[index].isKnown ? place : -1
            if leaves[index].isKnown { place += 1 }
        }
        stale = StaleLeaves()
        isSaved = true
        hasUnsaved = false
    }

    /// What should have been saved was not.
    mutating func saveFailed() {
        hasUnsaved = true
    }

    /// The tree of which this, as it was decoded, is what was saved last, without what has changed since.
    func restored(without stale: StaleLeaves) -> HashTree {
        var tree = HashTree()
        for (place, leaf) in leaves.enumerated() where !stale.contains(place) {
            var leaf: Leaf = leaf
            leaf.savedPlace = Int32(truncatingIfNeeded: place)
            tree.leaves.append(leaf)
        }
        tree.stale = stale
        tree.isSaved = true
        return tree
    }

    /// The index of the first leaf that ends at or after a token.
    private func place(of token: Token) -> Int {
        var low = 0
        var high: Int = leaves.count
        while low < high {
            let middle: Int = (low + high) / 2
            if leaves[middle].tokens.upperBound < token { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

// MARK: Encoding

/// leaves := count u32 · (first token i64 · last token i64 · low u64 · high u64 · units u64 · life 4 × i64)*
extension HashTree {
    private static let leafByteCount = 72

    /// Appends the leaves that are known.
    package func write(to writer: inout ByteWriter) {
        writer.write(UInt32(clamping: count))
        for leaf in leaves where leaf.isKnown {
            writer.write(leaf.tokens.lowerBound.value)
            writer.write(leaf.tokens.upperBound.value)
            writer.write(leaf.hash.low)
            writer.write(leaf.hash.high)
            writer.write(leaf.hash.unitCount)
            writer.write(leaf.life.expiredUntil)
            writer.write(leaf.life.aliveUntil)
            writer.write(leaf.life.leftOutUntil)
            writer.write(leaf.life.oldestTombstone)
        }
    }

    package init(from reader: inout ByteReader) throws(DecodingError) {
        let count = Int(try reader.readUInt32())
        try reader.need(count * HashTree.leafByteCount)
        leaves.reserveCapacity(count)
        for _ in 0..<count {
            let first = Token(try reader.readInt64())
            let last = Token(try reader.readInt64())
            guard first <= last, leaves.last.map({ $0.tokens.upperBound < first }) ?? true else {
                throw .invalid(offset: reader.offset, what: "leaves that do not ascend")
            }
            let low: UInt64 = try reader.readUInt64()
            let high: UInt64 = try reader.readUInt64()
            let hash = LeafHash(low: low, high: high, unitCount: try reader.readUInt64())
            var life = LeafLife()
            life.expiredUntil = try reader.readInt64()
            life.aliveUntil = try reader.readInt64()
            life.leftOutUntil = try reader.readInt64()
            life.oldestTombstone = try reader.readInt64()
            leaves.append(Leaf(tokens: first...last, hash: hash, life: life))
        }
        guard leaves.count <= HashTree.leafLimit else {
            throw .invalid(offset: reader.offset, what: "more leaves than a tree has")
        }
    }
}
