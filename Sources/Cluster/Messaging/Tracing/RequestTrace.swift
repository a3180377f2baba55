package import Environment
package import Primitives
import Synchronization

/// The story of a traced request on one node: of its coordinator, which gathers what all nodes tell, or of a node that
/// was sent a message of it, whose answer takes the story back.
///
///     coordinator ─ message, with the session ─▶ replica: events ─ answer, with the events ─▶ coordinator: all events
///
/// Requests that are not traced have none, and pay for it with the test whether they have.
///
/// Added to on whichever loop works for the request.
public final class RequestTrace: Sendable {
    private struct State {
        var events: [TraceEvent] = []
        /// Messages that have not been answered.
        var openCount = 0
        var waiting: UnsafeContinuation<Void, Never>?

        mutating func takeWaiting() -> UnsafeContinuation<Void, Never>? {
            defer { waiting = nil }
            return waiting
        }
    }

    /// The session: what whoever reads the trace knows it by.
    package let id: UUID
    /// By the wall clock, since 1970.
    package let startedMicroseconds: Int64
    private let startedNanoseconds: UInt64
    /// The internode address of this node.
    package let source: SocketAddress
    private let host: Host
    private let state = Mutex(State())

    /// The most events that a trace has; what else happens is left out.
    private static let eventCount = 4_096

    package init(id: UUID, source: SocketAddress, host: Host) {
        self.id = id
        self.startedMicroseconds = host.time.wallMicroseconds
        self.startedNanoseconds = host.time.monotonicNanoseconds
        self.source = source
        self.host = host
    }

    /// A story of the same request for itself, which began at the same time.
    package init(branchOf other: RequestTrace) {
        self.id = other.id
        self.startedMicroseconds = other.startedMicroseconds
        self.startedNanoseconds = other.startedNanoseconds
        self.source = other.source
        self.host = other.host
    }

    /// How long ago the request began here.
    package var elapsedMicroseconds: Int64 {
        Int64(clamping: (host.time.monotonicNanoseconds &- startedNanoseconds) / 1_000)
    }

    /// Tells what has happened now, on this node.
    package func add(_ activity: String) {
        let elapsed: Int64 = elapsedMicroseconds
        // Of one clock, so that the events of a node are in their order whatever is done to its wall clock.
        let event = TraceEvent(
            wallMicroseconds: startedMicroseconds &+ elapsed, elapsedMicroseconds: UInt32(clamping: elapsed),
            source: source, thread: thread, activity: activity)
        add([event])
    }

    private var thread: String {
        guard let loop = host.loops.first(where: { $0.isCurrent }) else { return "background" }
        return "shard-\(loop.index)"
    }

    /// Adds what other nodes tell.
    package func add(_ events: [TraceEvent]) {
        state.withLock { state in
            let room: Int = RequestTrace.eventCount - state.events.count
            state.events += events.prefix(max(0, room))
        }
    }

    /// Takes out what has been told since the last time, in the order in which it came.
    package func takeEvents() -> [TraceEvent] {
        state.withLock { state in
            let events: [TraceEvent] = state.events
            state.events = []
            return events
        }
    }

    // MARK: Messages under way

    func messageBegan() { state.withLock { $0.openCount += 1 } }

    func messageEnded() {
        let waiting: UnsafeContinuation<Void, Never>? = state.withLock { state in
            state.openCount -= 1
            return state.openCount == 0 ? state.takeWaiting() : nil
        }
        waiting?.resume()
    }

    /// Whether messages have not been answered yet.
    package var hasOpenMessages: Bool { state.withLock { $0.openCount > 0 } }

    /// Returns once all messages have been answered, or time is up. Called by one at a time, on `loop`.
    package func settle(within limit: Duration, on loop: any Loop) async {
        guard hasOpenMessages else { return }
        let timer: any LoopTimer = loop.schedule(after: limit) { [self] in
            state.withLock { $0.takeWaiting() }?.resume()
        }
        await withUnsafeContinuation { continuation in
            let isSettled: Bool = state.withLock { state in
                if state.openCount > 0 { state.waiting = continuation }
                return state.openCount == 0
            }
            if isSettled { continuation.resume() }
        }
        timer.cancel()
    }
}
