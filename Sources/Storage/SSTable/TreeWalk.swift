internal import DataModel
internal import Primitives

/// A path through the index of a tree to one data block, that can be moved to the next and to the one before.
///
/// A movement that a missing index block stops has moved nothing, and is made again after it was loaded.
struct TreeWalk {
    enum Movement {
        case moved(BlockLocation)
        case end
        case blocked
    }

    let tree: BlockTree
    private var rootPlace: BlockPlace?
    private var index: Block?
    private var indexPlace: BlockPlace?

    init(_ tree: BlockTree) {
        self.tree = tree
    }

    /// Moves to the data block in which a place is, if it is anywhere; to the first when the place is before them all.
    mutating func seek(
        _ ordinal: UInt64, _ key: UnsafeRawBufferPointer, _ clustering: UnsafeRawBufferPointer,
        _ fetcher: inout BlockFetcher
    ) throws(StorageError) -> Movement {
        guard let place = tree.root.floor(ordinal, key, clustering) ?? tree.root.firstPlace else { return .end }
        if tree.height < 2 {
            rootPlace = place
            return .moved(BlockLocation(place.body))
        }
        guard let block = try fetcher.block(BlockLocation(place.body)) else { return .blocked }
        guard let inner = block.floor(ordinal, key, clustering) ?? block.firstPlace else { return .end }
        rootPlace = place
        index = block
        indexPlace = inner
        return .moved(BlockLocation(inner.body))
    }

    mutating func next(_ fetcher: inout BlockFetcher) throws(StorageError) -> Movement {
        guard let rootPlace else { return .end }
        if let index, let indexPlace, let place = index.place(after: indexPlace) {
            self.indexPlace = place
            return .moved(BlockLocation(place.body))
        }
        guard let place = tree.root.place(after: rootPlace) else { return .end }
        return try enter(place, &fetcher) { $0.firstPlace }
    }

    mutating func previous(_ fetcher: inout BlockFetcher) throws(StorageError) -> Movement {
        guard let rootPlace else { return .end }
        if let index, let indexPlace, let place = index.place(before: indexPlace) {
            self.indexPlace = place
            return .moved(BlockLocation(place.body))
        }
        guard let place = tree.root.place(before: rootPlace) else { return .end }
        return try enter(place, &fetcher) { $0.lastPlace }
    }

    private mutating func enter(
        _ place: BlockPlace, _ fetcher: inout BlockFetcher, _ end: (Block) -> BlockPlace?
    ) throws(StorageError) -> Movement {
        if tree.height < 2 {
            rootPlace = place
            return .moved(BlockLocation(place.body))
        }
        guard let block = try fetcher.block(BlockLocation(place.body)) else { return .blocked }
        guard let inner = end(block) else { return .end }
        rootPlace = place
        index = block
        indexPlace = inner
        return .moved(BlockLocation(inner.body))
    }
}
