import CQL
import Environment
public import Storage

/// Somebody who waits until a write is as durable as the commit log's mode wants it.
public protocol DurabilityWaiter: AnyObject {
    /// The write that was registered with `tag` may be acknowledged; or, with an error, may not.
    func writeEnded(_ tag: UInt64, _ failure: StorageError?)
}

/// Writes of one shard that are in the log but not yet as durable as they have to be, in the order of their positions.
///
/// Hot: one entry for each write in the synced modes of the commit log.
package struct DurabilityQueue {
    private struct Entry {
        let position: LogPosition
        let waiter: any DurabilityWaiter
        let tag: UInt64
    }

    private var entries: [Entry] = []
    private var first = 0

    package init() {}

    package mutating func add(_ position: LogPosition, _ waiter: any DurabilityWaiter, tag: UInt64) {
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

/// Lets `async` code wait for a write.
private final class WriteContinuation: DurabilityWaiter {
    var continuation: UnsafeContinuation<StorageError?, Never>?

    func writeEnded(_ tag: UInt64, _ failure: StorageError?) {
        continuation?.resume(returning: failure)
        continuation = nil
    }
}

extension ShardExecutor {
    /// Connects the shard to its part of the commit log. Called once, at start, on the loop.
    package func watchLog() {
        store.log.onAdvance = { [unowned self] position in durability.advance(to: position) }
        store.log.onFailure = { [unowned self] failure in durability.fail(failure) }
    }

    /// Returns once the write at `position` may be acknowledged.
    package func waitUntilDurable(_ position: LogPosition) async throws {
        if store.log.acknowledgeable >= position { return }
        let failure: StorageError? = await withUnsafeContinuation { continuation in
            let waiter = WriteContinuation()
            waiter.continuation = continuation
            durability.add(position, waiter, tag: 0)
        }
        if let failure { throw failure }
    }
}
