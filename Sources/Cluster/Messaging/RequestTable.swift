/// The requests of one loop that wait for an answer.
///
/// A request has one slot for each node that it was sent to. The number of the slot, the loop's and a generation make the
/// id that travels with the message and comes back with the answer; an answer that comes when the slot has been freed
/// does not fit the generation, and is dropped.
///
///     id = generation (32 bits) │ loop (8) │ slot (24)
///
/// Deadlines are in a wheel of buckets, each a tick wide, which slots enter and leave in constant time: nearly all
/// requests are answered long before their deadline. A pure structure; the owner has the clock and the timer.
///
/// Hot: once in and once out for every request. Nothing is allocated when it has once held as many.
package final class RequestTable {
    /// What a slot held.
    package struct Taken {
        package let receiver: any ReplyReceiver
        package let tag: UInt64
        package let link: Int32
    }

    private struct Slot {
        var receiver: (any ReplyReceiver)?
        var tag: UInt64 = 0
        var deadlineTick: UInt64 = 0
        var generation: UInt32 = 1
        var link: Int32 = -1
        /// The neighbours in the bucket; of a free slot, the next free one.
        var next: Int32 = -1
        var previous: Int32 = -1
        /// The neighbours among the requests of the same link.
        var nextOfLink: Int32 = -1
        var previousOfLink: Int32 = -1
    }

    /// The requests of one link, the latest first.
    private struct LinkRequests {
        var first: Int32 = -1
        var count: Int32 = 0
    }

    /// A tick is 2^23 ns, about 8.4 ms: a request ends up to as much after its deadline, and never before it.
    package static let tickShift: UInt64 = 23
    private static let bucketCount = 2_048
    private static let bucketMask: UInt64 = 2_047

    private let loopIndex: Int
    private let limit: Int
    private let limitPerLink: Int
    private var slots: ContiguousArray<Slot> = []
    private var links: ContiguousArray<LinkRequests> = []
    private var buckets: ContiguousArray<Int32>
    private var firstFree: Int32 = -1
    /// The first tick whose deadlines have not all been looked at.
    private var tick: UInt64 = 0
    package private(set) var count = 0

    package init(loopIndex: Int, limit: Int, limitPerLink: Int) {
        self.loopIndex = loopIndex & 0xFF
        self.limit = min(limit, 1 << 24 - 1)
        self.limitPerLink = limitPerLink
        self.buckets = ContiguousArray(repeating: -1, count: RequestTable.bucketCount)
    }

    /// The loop that gave out an id.
    package static func loopIndex(of id: UInt64) -> Int { Int(id >> 24 & 0xFF) }

    package static func tick(of nanoseconds: UInt64) -> UInt64 { nanoseconds >> tickShift &+ 1 }

    package func count(of link: Int32) -> Int {
        link >= 0 && Int(link) < links.count ? Int(links[Int(link)].count) : 0
    }

    /// Gives a request a slot; returns its id, or 0 when there are too many.
    package func add(
        _ receiver: any ReplyReceiver, tag: UInt64, link: Int32, now: UInt64, deadline: UInt64
    ) -> UInt64 {
        while links.count <= Int(link) { links.append(LinkRequests()) }
        guard count < limit, Int(links[Int(link)].count) < limitPerLink else { return 0 }
        if count == 0 { tick = now >> RequestTable.tickShift }
        let index: Int32 = takeFree()
        let place = Int(index)
        slots[place].receiver = receiver
        slots[place].tag = tag
        slots[place].deadlineTick = max(RequestTable.tick(of: deadline), tick)
        enterBucket(index)
        enter(index, link)
        count &+= 1
        return UInt64(slots[place].generation) << 32 | UInt64(loopIndex) << 24 | UInt64(place)
    }

    /// The link of a request that waits; −1 when none waits under this id.
    package func link(of id: UInt64) -> Int32 {
        guard let place = place(of: id) else { return -1 }
        return slots[place].link
    }

    /// Ends a request; nil when none waits under this id.
    package func take(_ id: UInt64) -> Taken? {
        guard let place = place(of: id) else { return nil }
        return free(Int32(truncatingIfNeeded: place))
    }

    /// Ends a request of a link, whichever; nil when it has none.
    package func takeAny(of link: Int32) -> Taken? {
        guard link >= 0, Int(link) < links.count, links[Int(link)].first >= 0 else { return nil }
        return free(links[Int(link)].first)
    }

    /// Counts a request among those of another link, because it goes that way.
    package func move(_ id: UInt64, to link: Int32) {
        guard let place = place(of: id) else { return }
        while links.count <= Int(link) { links.append(LinkRequests()) }
        let index = Int32(truncatingIfNeeded: place)
        leaveLink(index)
        enter(index, link)
    }

    /// Ends a request whose deadline has passed; nil when there is none left.
    package func takeExpired(now: UInt64) -> Taken? {
        let current: UInt64 = now >> RequestTable.tickShift
        guard count > 0 else { return nil }
        // One turn of the wheel has seen every bucket.
        if current > tick, current - tick > RequestTable.bucketMask { tick = current - RequestTable.bucketMask }
        while tick <= current {
            var index: Int32 = buckets[Int(tick & RequestTable.bucketMask)]
            while index >= 0 {
                if slots[Int(index)].deadlineTick <= current { return free(index) }
                index = slots[Int(index)].next
            }
            tick &+= 1
        }
        return nil
    }

    /// A time before which no request expires; nil when none waits.
    package var nextDeadlineNanoseconds: UInt64? {
        guard count > 0 else { return nil }
        for offset in 0..<UInt64(RequestTable.bucketCount)
        where buckets[Int((tick &+ offset) & RequestTable.bucketMask)] >= 0 {
            return (tick &+ offset) << RequestTable.tickShift
        }
        return nil
    }

    // MARK: Slots

    private func place(of id: UInt64) -> Int? {
        let place = Int(id & 0xFF_FFFF)
        guard place < slots.count, slots[place].generation == UInt32(truncatingIfNeeded: id >> 32),
            slots[place].receiver != nil, RequestTable.loopIndex(of: id) == loopIndex
        else { return nil }
        return place
    }

    private func takeFree() -> Int32 {
        if firstFree >= 0 {
            let index: Int32 = firstFree
            firstFree = slots[Int(index)].next
            return index
        }
        slots.append(Slot())
        return Int32(truncatingIfNeeded: slots.count - 1)
    }

    private func free(_ index: Int32) -> Taken? {
        let place = Int(index)
        leaveBucket(index)
        let link: Int32 = leaveLink(index)
        guard let receiver = slots[place].receiver else { return nil }
        slots[place].receiver = nil
        // Never 0, so that no id is 0.
        slots[place].generation = slots[place].generation == .max ? 1 : slots[place].generation &+ 1
        slots[place].next = firstFree
        firstFree = index
        count &-= 1
        return Taken(receiver: receiver, tag: slots[place].tag, link: link)
    }

    private func enterBucket(_ index: Int32) {
        let bucket = Int(slots[Int(index)].deadlineTick & RequestTable.bucketMask)
        let next: Int32 = buckets[bucket]
        slots[Int(index)].next = next
        slots[Int(index)].previous = -1
        if next >= 0 { slots[Int(next)].previous = index }
        buckets[bucket] = index
    }

    private func leaveBucket(_ index: Int32) {
        let next: Int32 = slots[Int(index)].next
        let previous: Int32 = slots[Int(index)].previous
        if next >= 0 { slots[Int(next)].previous = previous }
        if previous >= 0 {
            slots[Int(previous)].next = next
        } else {
            buckets[Int(slots[Int(index)].deadlineTick & RequestTable.bucketMask)] = next
        }
    }

    private func enter(_ index: Int32, _ link: Int32) {
        let next: Int32 = links[Int(link)].first
        slots[Int(index)].link = link
        slots[Int(index)].nextOfLink = next
        slots[Int(index)].previousOfLink = -1
        if next >= 0 { slots[Int(next)].previousOfLink = index }
        links[Int(link)].first = index
        links[Int(link)].count &+= 1
    }

    @discardableResult
    private func leaveLink(_ index: Int32) -> Int32 {
        let link: Int32 = slots[Int(index)].link
        let next: Int32 = slots[Int(index)].nextOfLink
        let previous: Int32 = slots[Int(index)].previousOfLink
        if next >= 0 { slots[Int(next)].previousOfLink = previous }
        if previous >= 0 { slots[Int(previous)].nextOfLink = next } else { links[Int(link)].first = next }
        links[Int(link)].count &-= 1
        return link
    }
}
