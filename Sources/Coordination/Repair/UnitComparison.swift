package import DataModel
import Primitives
package import Storage

/// One unit of which replicas have different versions.
package struct UnitDifference: Hashable, Sendable {
    package var token: Token
    package var key: [UInt8]
    /// Nil for the partition's head.
    package var clustering: [UInt8]?
    /// For each replica, its version; nil where it has none.
    package var hashes: [UnitHash?]

    package init(token: Token, key: [UInt8], clustering: [UInt8]?, hashes: [UnitHash?]) {
        self.token = token
        self.key = key
        self.clustering = clustering
        self.hashes = hashes
    }

    /// For each replica, the first of those that have the same version.
    package var classes: [Int] { hashes.map { hash in hashes.firstIndex { $0 == hash } ?? 0 } }
}

/// Holds the pages of several replicas against each other: a merge of lists in the same order.
///
/// A pure value: pages in, differences out.
package struct UnitComparison {
    package private(set) var differences: [UnitDifference] = []
    /// Units that at least one replica has.
    package private(set) var comparedCount = 0
    /// How far all pages reach; nil: to the end.
    package let covered: ReadMark?

    private struct Place {
        var partition = 0
        /// −1 for the head.
        var row = -1
    }

    private let pages: [UnitPage]
    private var places: [Place]

    package init(_ pages: [UnitPage]) {
        self.pages = pages
        self.covered = ReadMark.earliest(pages.map(\.covered), isReversed: false)
        self.places = pages.map { _ in Place() }
        while let first = firstUnit() {
            var hashes: [UnitHash?] = pages.map { _ in nil }
            for index in pages.indices {
                guard let unit = unit(index), UnitComparison.order(unit, first) == 0 else { continue }
                hashes[index] = hash(index)
                advance(index)
            }
            guard isCovered(first) else { continue }
            comparedCount += 1
            if hashes.contains(where: { $0 != hashes[0] }) {
                differences.append(
                    UnitDifference(token: first.token, key: first.key, clustering: first.clustering, hashes: hashes))
            }
        }
    }

    private struct Unit {
        var token: Token
        var key: [UInt8]
        var clustering: [UInt8]?
    }

    private static func order(_ left: Unit, _ right: Unit) -> Int {
        if left.token != right.token { return left.token < right.token ? -1 : 1 }
        let keys: Int = ByteOrder.compare(left.key, right.key)
        if keys != 0 { return keys }
        switch (left.clustering, right.clustering) {
        case (nil, nil): return 0
        case (nil, _): return -1
        case (_, nil): return 1
        case (let one?, let other?): return ByteOrder.compare(one, other)
        }
    }

    /// The unit that a replica's list stands on; nil at its end.
    private func unit(_ index: Int) -> Unit? {
        let place: Place = places[index]
        guard place.partition < pages[index].partitions.count else { return nil }
        let partition: UnitPage.Partition = pages[index].partitions[place.partition]
        return Unit(
            token: partition.token, key: partition.key,
            clustering: place.row < 0 ? nil : partition.rows[place.row].clustering)
    }

    private func hash(_ index: Int) -> UnitHash? {
        let place: Place = places[index]
        let partition: UnitPage.Partition = pages[index].partitions[place.partition]
        return place.row < 0 ? partition.head : partition.rows[place.row].hash
    }

    /// Moves to the next unit that a replica has.
    private mutating func advance(_ index: Int) {
        places[index].row += 1
        settle(index)
    }

    /// Passes over the ends of partitions and heads that say nothing.
    private mutating func settle(_ index: Int) {
        while places[index].partition < pages[index].partitions.count {
            let partition: UnitPage.Partition = pages[index].partitions[places[index].partition]
            if places[index].row < 0, partition.head == nil { places[index].row = 0 }
            if places[index].row < partition.rows.count { return }
            places[index].partition += 1
            places[index].row = -1
        }
    }

    private mutating func firstUnit() -> Unit? {
        var first: Unit?
        for index in pages.indices {
            settle(index)
            guard let unit = unit(index) else { continue }
            guard let best = first else {
                first = unit
                continue
            }
            if UnitComparison.order(unit, best) < 0 { first = unit }
        }
        return first
    }

    /// Whether all pages reach so far.
    private func isCovered(_ unit: Unit) -> Bool {
        guard let covered else { return true }
        if unit.token != covered.token { return unit.token < covered.token }
        let order: Int = ByteOrder.compare(unit.key, covered.key)
        if order != 0 { return order < 0 }
        guard let last = covered.clustering, let clustering = unit.clustering else { return true }
        return ByteOrder.compare(clustering, last) <= 0
    }
}

/// Holds the leaves of several replicas against each other.
package enum LeafComparison {
    /// Which leaves are not the same on all replicas, as runs of neighbours, each of at most `limit` leaves.
    ///
    /// - Parameter hashes: for each replica, one for each leaf.
    package static func differences(_ hashes: [[LeafHash]], limit: Int = 64) -> [Range<Int>] {
        guard let first = hashes.first else { return [] }
        var runs: [Range<Int>] = []
        for index in first.indices {
            guard hashes.contains(where: { $0[index] != first[index] }) else { continue }
            if let last = runs.last, last.upperBound == index, last.count < limit {
                runs[runs.count - 1] = last.lowerBound..<(index + 1)
            } else {
                runs.append(index..<(index + 1))
            }
        }
        return runs
    }
}
