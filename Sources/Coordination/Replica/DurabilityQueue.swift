public import Storage

/// Somebody who waits until a write is as durable as the commit log's mode wants it.
public protocol DurabilityWaiter: AnyObject {
    /// The write that was registered with `tag` may be acknowledged; or, with an error, may not.
    func writeEnded(_ tag: UInt64, _ failure: StorageError?)
}

/// Writes of one shard that are in the log but not yet as durable as they have to be, in the order of their positions.
///
/// Hot: one entry for each write in the synced modes of the commit log.
public struct DurabilityQueue {
    private struct Entry {
        let position: LogPosition
        let waiter: any DurabilityWaiter
        let tag: UInt64
    }

    private var entries: [Entry] = []
    private var first = 0

    package init() {}

    public mutating func add(_ position: LogPosition, _ waiter: any DurabilityWaiter, tag: UInt64) {
        entries.append(Entry(position: position, waiter: waiter, tag: tag))
    }

    package var isEmpty: Bool { first == entries.count }

    /// Tells everyone whose write is covered by `position`.
    package mutating func advance(to position: LogPosition) {
        while first < entries.count, entries[first].position <= position {
            let entry = entries[first]
            first += 1
            entry.waiter.writeEnded(entry.tag, nil)
        }
        compact()
    }

    /// Tells everyone that the log has failed.
    package mutating func fail(_ failure: StorageError) {
        let failed = entries[first...]
        entries = []
        first = 0
        for entry in failed { entry.waiter.writeEnded(entry.tag, failure) }
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
