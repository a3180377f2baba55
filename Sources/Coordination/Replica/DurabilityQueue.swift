public import Storage

/// What became of a write that somebody waited for.
public enum WriteEnd: Sendable {
    /// It may be acknowledged.
    case durable
    case failed(StorageError)
    /// The log has not got it to the disk in time; it may still do so.
    case timedOut
}

/// Somebody who waits until a write is as durable as the commit log's mode wants it.
public protocol DurabilityWaiter: AnyObject {
    /// The write that was registered with `tag` has ended.
    func writeEnded(_ tag: UInt64, _ end: WriteEnd)
}

/// Who waits until something of one shard that is in the log is as durable as it has to be: those who have written it, and
/// those who have read it. In the order of positions.
///
/// Hot: one entry for each write in the synced modes of the commit log. Time is counted in ticks, so that no write reads
/// the clock.
public struct DurabilityQueue {
    private struct Entry {
        let position: LogPosition
        let waiter: any DurabilityWaiter
        let tag: UInt64
        let lastTick: UInt64
    }

    private var entries: [Entry] = []
    private var first = 0
    /// How many ticks there have been.
    package private(set) var tick: UInt64 = 0

    /// So many ticks that they never pass.
    ///
    /// Computed, because the optimiser of Swift 6.3.1 crashes on a stored one that another module uses.
    public static var forever: UInt64 { .max / 2 }

    package init() {}

    /// - Parameter ticks: how many ticks there are to wait; one more may pass.
    public mutating func add(
        _ position: LogPosition, _ waiter: any DurabilityWaiter, tag: UInt64, ticks: UInt64 = DurabilityQueue.forever
    ) {
        let entry = Entry(position: position, waiter: waiter, tag: tag, lastTick: tick &+ ticks)
        if first < entries.count, entries[entries.count - 1].position > position { return insert(entry) }
        entries.append(entry)
    }

    /// Puts in somebody who waits for less than others do, as readers may.
    private mutating func insert(_ entry: Entry) {
        var low: Int = first
        var high: Int = entries.count
        while low < high {
            let middle: Int = (low + high) / 2
            if entries[middle].position <= entry.position { low = middle + 1 } else { high = middle }
        }
        entries.insert(entry, at: low)
    }

    package var isEmpty: Bool { first == entries.count }

    /// Takes out everyone whose write is covered by `position`, one after the other; nil when there is none left.
    private mutating func takeNext(through position: LogPosition) -> Entry? {
        guard first < entries.count, entries[first].position <= position else {
            compact()
            return nil
        }
        let entry = entries[first]
        first += 1
        return entry
    }

    /// Tells everyone whose write is covered by `position`.
    package mutating func advance(to position: LogPosition) {
        while let entry = takeNext(through: position) { entry.waiter.writeEnded(entry.tag, .durable) }
    }

    /// Tells everyone that the log has failed.
    package mutating func fail(_ failure: StorageError) {
        let failed = entries[first...]
        entries = []
        first = 0
        for entry in failed { entry.waiter.writeEnded(entry.tag, .failed(failure)) }
    }

    /// Lets time pass, and tells those that have waited too long.
    package mutating func passTick() {
        tick &+= 1
        var late: [Entry] = []
        var kept: [Entry] = []
        for entry in entries[first...] {
            if entry.lastTick < tick { late.append(entry) } else { kept.append(entry) }
        }
        if late.isEmpty { return }
        entries = kept
        first = 0
        for entry in late { entry.waiter.writeEnded(entry.tag, .timedOut) }
    }

    private mutating func compact() {
        if first == entries.count {
            entries.removeAll(keepingCapacity: true)
            first = 0
        } else if first > 1024, first * 2 > entries.count {
            entries.removeFirst(first)
            first = 0
        }
    }
}
