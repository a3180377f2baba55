import CQL

/// The prepared statements of a shard, found by their identifiers; those that were used longest ago make room.
///
/// Bounded in number and in bytes. Entries stand in an array and are joined into a list from the one used last to the
/// one used first, so that finding, keeping and dropping one takes the same time however many there are, and which one
/// goes follows from the order of use alone.
///
/// Hot: one `find` for every EXECUTE; nothing is allocated.
package struct StatementCache {
    private struct Entry {
        var statement: PreparedStatement?
        /// A statement may go by two identifiers: with the keyspace of the session and without.
        var ids: [StatementID]
        var byteCount: Int
        var newer: Int32
        var older: Int32
    }

    /// Statements that are kept at most.
    package static let countLimit = 10_000
    private static let none: Int32 = -1

    package let countLimit: Int
    package let byteLimit: Int
    /// About how much memory the statements take.
    package private(set) var byteCount = 0
    private var places: [StatementID: Int32] = [:]
    private var entries: [Entry] = []
    private var free: [Int32] = []
    private var newest: Int32 = none
    private var oldest: Int32 = none
    /// Where identifiers were found last, by their low bits: most requests are of a few statements, and hashing an
    /// identifier costs more than all else here.
    private var memoIDs = InlineArray<8, StatementID>(repeating: .zero)
    private var memoPlaces = InlineArray<8, Int32>(repeating: StatementCache.none)

    package init(byteLimit: Int, countLimit: Int = StatementCache.countLimit) {
        self.byteLimit = byteLimit
        self.countLimit = countLimit
    }

    /// How many statements there are.
    package var count: Int { entries.count - free.count }

    /// The statement with an identifier, which counts as a use.
    package mutating func find(_ id: StatementID) -> PreparedStatement? {
        let slot = Int(truncatingIfNeeded: id.low & 7)
        var place: Int32 = memoPlaces[slot]
        if place == StatementCache.none || memoIDs[slot] != id {
            guard let known = places[id] else { return nil }
            place = known
            memoIDs[slot] = id
            memoPlaces[slot] = known
        }
        if place != newest {
            unlink(place)
            linkAsNewest(place)
        }
        return entries[Int(place)].statement
    }

    /// Keeps a statement as the one used last; returns those that had to go for it, the oldest first.
    ///
    /// A statement that was known by one of the identifiers is replaced. One that is larger than the whole cache is not
    /// kept.
    package mutating func keep(_ statement: PreparedStatement, _ ids: [StatementID]) -> [PreparedStatement] {
        for id in ids { remove(id) }
        let size: Int = StatementCache.byteCount(of: statement)
        guard size <= byteLimit, countLimit > 0 else { return [] }
        var dropped: [PreparedStatement] = []
        while count >= countLimit || byteCount + size > byteLimit, oldest != StatementCache.none {
            if let statement = entries[Int(oldest)].statement { dropped.append(statement) }
            remove(at: oldest)
        }
        let entry = Entry(
            statement: statement, ids: ids, byteCount: size, newer: StatementCache.none, older: StatementCache.none)
        let place: Int32
        if let reused = free.popLast() {
            place = reused
            entries[Int(place)] = entry
        } else {
            place = Int32(truncatingIfNeeded: entries.count)
            entries.append(entry)
        }
        byteCount += size
        for id in ids { places[id] = place }
        linkAsNewest(place)
        return dropped
    }

    /// Forgets the statements for which `isWanted` does not hold.
    package mutating func keepOnly(_ isWanted: (PreparedStatement) -> Bool) {
        var place: Int32 = oldest
        while place != StatementCache.none {
            let next: Int32 = entries[Int(place)].newer
            if let statement = entries[Int(place)].statement, !isWanted(statement) { remove(at: place) }
            place = next
        }
    }

    /// An estimate that errs upwards: the plan grows with the text, the columns with their names and types.
    package static func byteCount(of statement: PreparedStatement) -> Int {
        let columns: Int = statement.markers.columns.count + statement.result.columns.count
        return 1_024 + 4 * statement.text.utf8.count + 256 * columns
    }

    private mutating func remove(_ id: StatementID) {
        if let place = places[id] { remove(at: place) }
    }

    private mutating func remove(at place: Int32) {
        unlink(place)
        for slot in memoPlaces.indices where memoPlaces[slot] == place { memoPlaces[slot] = StatementCache.none }
        for id in entries[Int(place)].ids { places[id] = nil }
        byteCount -= entries[Int(place)].byteCount
        entries[Int(place)].statement = nil
        entries[Int(place)].ids = []
        free.append(place)
    }

    private mutating func unlink(_ place: Int32) {
        let newer: Int32 = entries[Int(place)].newer
        let older: Int32 = entries[Int(place)].older
        if newer == StatementCache.none { newest = older } else { entries[Int(newer)].older = older }
        if older == StatementCache.none { oldest = newer } else { entries[Int(older)].newer = newer }
    }

    private mutating func linkAsNewest(_ place: Int32) {
        entries[Int(place)].newer = StatementCache.none
        entries[Int(place)].older = newest
        if newest == StatementCache.none { oldest = place } else { entries[Int(newest)].newer = place }
        newest = place
    }
}
