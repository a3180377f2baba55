package import DataModel
import Primitives

/// Chooses the tokens of a new node so that all nodes of its data centre own about the same.
///
/// A token of the new node cuts the front off a range of another node, so the whole question is whose ranges are cut
/// and where. What each owner has beyond its new share is what it gives. Of the owner's ranges, the one is cut that
/// leaves the copies of the data, with replicas spread over racks, the most evenly spread. Pure: the same arguments
/// give the same tokens.
package enum TokenAllocation {
    /// Beyond so many tokens in the data centre chance spreads the copies well enough, and weighing every cut would
    /// take long.
    private static let weighedTokenCount = 2_048
    /// The least part of a cut range that its owner keeps.
    private static let keptShare = 0.1

    /// - Parameters:
    ///   - count: how many tokens the new node gets.
    ///   - members: all members; those that join count as if they had joined.
    ///   - seed: places the first node of a data centre on the ring.
    ///   - replicationFactor: for which the copies are spread.
    /// - Returns: `count` tokens in ascending order, none of them any member's.
    package static func tokens(
        count: Int, datacenter: String, rack: String, among members: [Member], seed: UInt64,
        replicationFactor: Int = 3
    ) -> [Token] {
        let taken: Set<Token> = Set(members.lazy.filter { $0.state != .left }.flatMap(\.tokens))
        let neighbours: [Member] = members.filter {
            $0.datacenter == datacenter && ($0.state.isOwner || $0.state == .joining) && !$0.tokens.isEmpty
        }.sorted { $0.id < $1.id }
        var chosen: [Token] = []
        if neighbours.isEmpty {
            chosen = LocalNode.evenTokens(count, offset: seed)
        } else {
            var cut = RingCut(neighbours: neighbours, rack: rack, replicationFactor: replicationFactor)
            let gifts: [Gift] = cut.gifts(count)
            for gift in gifts {
                cut.take(gift, weighs: cut.entries.count <= weighedTokenCount, keeping: keptShare)
            }
            chosen = cut.newTokens
        }
        return distinct(chosen, taken)
    }

    /// Moves tokens that somebody has to the next free place.
    private static func distinct(_ tokens: [Token], _ taken: Set<Token>) -> [Token] {
        var used: Set<Token> = taken
        used.insert(.minimum)
        var distinct: [Token] = []
        for token in tokens {
            var free: Token = token
            while !used.insert(free).inserted { free = Token(ordinal: free.ordinal &+ 1) }
            distinct.append(free)
        }
        return distinct.sorted()
    }
}

/// What one owner gives to the new node with one token.
private struct Gift {
    let owner: Int
    /// A part of the ring, from 0 to 1.
    let share: Double
}

/// The ring of one data centre while a new node cuts its way in.
private struct RingCut {
    struct Entry {
        let ordinal: UInt64
        let owner: Int
    }

    /// Ascending.
    private(set) var entries: [Entry]
    private let tokenCounts: [Int]
    /// For each node, the new one last, the number of its rack.
    private let racks: [Int]
    private let rackCount: Int
    private let replicationFactor: Int
    /// What each node holds, copies included, as parts of the ring.
    private var held: [Double]
    /// What cuts so far could not take, because no range was large enough.
    private var owed: Double = 0

    init(neighbours: [Member], rack: String, replicationFactor: Int) {
        var entries: [Entry] = []
        for (index, member) in neighbours.enumerated() {
            for token in member.tokens { entries.append(Entry(ordinal: token.ordinal, owner: index)) }
        }
        self.entries = entries.sorted { $0.ordinal < $1.ordinal }
        self.tokenCounts = neighbours.map(\.tokens.count)
        var names: [String] = []
        self.racks = (neighbours.map(\.rack) + [rack]).map { name in
            if let known = names.firstIndex(of: name) { return known }
            names.append(name)
            return names.count - 1
        }
        self.rackCount = names.count
        self.replicationFactor = replicationFactor
        self.held = [Double](repeating: 0, count: neighbours.count + 1)
        for start in self.entries.indices {
            count(HolderWalk(self, from: start), RingCut.share(self.entries, start))
        }
    }

    private var newcomer: Int { tokenCounts.count }

    var newTokens: [Token] {
        entries.filter { $0.owner == newcomer }.map { Token(ordinal: $0.ordinal) }
    }

    private static func share(_ entries: [Entry], _ index: Int) -> Double {
        if entries.count == 1 { return 1 }
        let before: UInt64 = entries[index == 0 ? entries.count - 1 : index - 1].ordinal
        return Double(entries[index].ordinal &- before) * 0x1p-64
    }

    private func share(_ index: Int) -> Double { RingCut.share(entries, index) }

    /// What each owner gives: all that it has beyond a share in proportion to its number of tokens.
    func gifts(_ count: Int) -> [Gift] {
        let total = Double(tokenCounts.reduce(count, +))
        var excess: [Double] = tokenCounts.map { -Double($0) / total }
        for index in entries.indices { excess[entries[index].owner] += share(index) }
        var cuts = [Int](repeating: 0, count: excess.count)
        for _ in 0..<count {
            var best = 0
            for owner in excess.indices
            where excess[owner] / Double(cuts[owner] + 1) > excess[best] / Double(cuts[best] + 1) { best = owner }
            cuts[best] += 1
        }
        // Those that are not asked, because there are more owners than tokens, leave their part to the others.
        let asked: Double = excess.indices.reduce(0) { cuts[$1] > 0 ? $0 + max(0, excess[$1]) : $0 }
        let wanted: Double = Double(count) / total
        var gifts: [Gift] = []
        // In turns, so that no owner has given all before another has begun.
        for turn in 0..<count {
            for owner in excess.indices where turn < cuts[owner] {
                let part: Double = asked > 0 ? max(0, excess[owner]) / asked : 0
                gifts.append(Gift(owner: owner, share: wanted * part / Double(cuts[owner])))
            }
        }
        return gifts
    }

    /// Cuts one range of the gift's owner.
    mutating func take(_ gift: Gift, weighs: Bool, keeping keptShare: Double) {
        let wanted: Double = gift.share + owed
        let ranges: [Int] = entries.indices.filter { entries[$0].owner == gift.owner }
            .sorted { (share($1), $0) < (share($0), $1) }
        guard let largest = ranges.first else { return }
        let fitting: [Int] = ranges.filter { share($0) * (1 - keptShare) >= wanted }
        guard !fitting.isEmpty else {
            let share: Double = share(largest) * (1 - keptShare)
            owed = wanted - share
            cut(largest, share)
            return
        }
        owed = 0
        guard weighs, fitting.count > 1 else { return cut(fitting[0], wanted) }
        var best: RingCut?
        var least = Double.infinity
        for index in fitting {
            var tried: RingCut = self
            tried.cut(index, wanted)
            let unevenness: Double = tried.held.reduce(0) { $0 + $1 * $1 }
            if unevenness < least { (best, least) = (tried, unevenness) }
        }
        if let best { self = best }
    }

    /// Gives the front of a range to the new node.
    ///
    /// Only the holders of ranges from which the walk meets the new token change, and those lie right before it: when
    /// the walk from one start ends before the token, the walks from all earlier starts do too.
    private mutating func cut(_ index: Int, _ part: Double) {
        let before: UInt64 = entries[index == 0 ? entries.count - 1 : index - 1].ordinal
        let ordinal: UInt64 = before &+ UInt64(min(max(1, part * 0x1p64), 0x1p63))
        let place: Int = entries.firstIndex { $0.ordinal > ordinal } ?? entries.count
        let old: RingCut = self
        entries.insert(Entry(ordinal: ordinal, owner: newcomer), at: place)
        let count: Int = entries.count
        let next: Int = place + 1 == count ? 0 : place + 1
        recount(next, place, old)
        recount(place, nil, old)
        var start: Int = place == 0 ? count - 1 : place - 1
        while start != next {
            let walk = HolderWalk(self, from: start)
            guard walk.visits(place, of: count) else { break }
            recount(start, place, old)
            start = start == 0 ? count - 1 : start - 1
        }
    }

    /// Replaces what the holders of a range had of it, before the token at `place` was there, by what they have now.
    private mutating func recount(_ start: Int, _ place: Int?, _ old: RingCut) {
        if let place {
            let former: Int = start > place ? start - 1 : start
            count(HolderWalk(old, from: former), -old.share(former))
        }
        count(HolderWalk(self, from: start), share(start))
    }

    private mutating func count(_ walk: HolderWalk, _ share: Double) {
        for holder in walk.holders { held[holder] += share }
    }

    /// Who holds the range that ends at an entry.
    private struct HolderWalk {
        let start: Int
        private(set) var holders: [Int] = []
        /// How many entries the walk has looked at.
        private(set) var length = 0

        init(_ ring: RingCut, from start: Int) {
            self.start = start
            var racks: [Int] = []
            var repeatsLeft: Int = ring.replicationFactor - ring.rackCount
            let copies: Int = min(ring.replicationFactor, ring.racks.count)
            var index: Int = start
            // The new node may have no token yet, and then fewer nodes than copies are found in one round.
            while holders.count < copies, length < ring.entries.count {
                let owner: Int = ring.entries[index].owner
                index = index + 1 == ring.entries.count ? 0 : index + 1
                length += 1
                if holders.contains(owner) { continue }
                if racks.contains(ring.racks[owner]) {
                    if repeatsLeft <= 0 { continue }
                    repeatsLeft -= 1
                } else {
                    racks.append(ring.racks[owner])
                }
                holders.append(owner)
            }
        }

        func visits(_ place: Int, of count: Int) -> Bool {
            (place >= start ? place - start : place + count - start) < length
        }
    }
}
