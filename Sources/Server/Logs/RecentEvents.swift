package import Logging
import Synchronization

/// The last warnings and errors of a node, for those who have no access to its log.
package final class RecentEvents: Sendable {
    package struct Event: Sendable, Hashable {
        package let microseconds: Int64
        package let level: Logger.Level
        package let label: String
        package let message: String
    }

    private struct Ring {
        var events: [Event] = []
        /// Where the oldest is once there are as many as are kept.
        var oldest = 0
    }

    package static let keptCount = 1_000
    private static let messageByteCount = 2_048

    private let ring = Mutex(Ring())

    init() {}

    func add(_ microseconds: Int64, level: Logger.Level, label: String, message: String) {
        var message: String = message
        if message.utf8.count > RecentEvents.messageByteCount {
            message = String(decoding: message.utf8.prefix(RecentEvents.messageByteCount), as: UTF8.self)
        }
        let event = Event(microseconds: microseconds, level: level, label: label, message: message)
        ring.withLock { ring in
            guard ring.events.count == RecentEvents.keptCount else { return ring.events.append(event) }
            ring.events[ring.oldest] = event
            ring.oldest = (ring.oldest + 1) % RecentEvents.keptCount
        }
    }

    /// Oldest first.
    package var all: [Event] {
        ring.withLock { Array($0.events[$0.oldest...] + $0.events[..<$0.oldest]) }
    }
}
