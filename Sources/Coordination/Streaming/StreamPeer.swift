import Cluster
import Environment
import Primitives

/// Why a request of a stream has no answer that can be used.
enum StreamTrouble: Error {
    /// The session, or what was asked of it, is not there any more: another session goes on.
    case gone
    /// The source has no such table.
    case unknownTable
    case failure(StreamFailure)
}

/// The node that gives, as one that fetches sees it: asks, and asks again what was lost.
struct StreamPeer: Sendable {
    let node: NodeID
    /// For people.
    let name: String
    let table: String
    let messenger: any Messenger
    let host: Host
    let settings: StreamSettings
    let control: PullControl

    /// - Throws: `StreamTrouble`.
    func ask(_ verb: Verb, _ body: [UInt8]) async throws -> [UInt8] {
        var pause: Duration = settings.pause
        var start: UInt64 = host.time.monotonicNanoseconds
        while true {
            try checkCancellation()
            let failure: MessageFailure
            do throws(MessageFailure) {
                return try await messenger.request(verb, body, to: node, timeout: settings.requestTimeout)
            } catch { failure = error }
            switch failure {
            case .refused(_, StreamRefusal.gone, _): throw StreamTrouble.gone
            case .refused(_, StreamRefusal.unknownTable, _): throw StreamTrouble.unknownTable
            case .refused(_, StreamRefusal.busy, _):
                // It is there, and will have room.
                start = host.time.monotonicNanoseconds
            case .refused(_, StreamRefusal.behind, _), .unreachable, .timedOut, .overloaded: break
            case .refused(_, let code, let reason):
                // What the transport says itself may be over soon; what the source says will stay so.
                if code < 0xFF00 { throw fail { .refused(peer: $0, table: $1, reason: reason) } }
            case .malformed(_, let reason): throw fail { .damaged(peer: $0, table: $1, reason: reason) }
            case .closed: throw fail { .unreachable(peer: $0, table: $1, reason: "this node is stopping") }
            }
            let waited: UInt64 = host.time.monotonicNanoseconds &- start
            guard Duration.nanoseconds(Int64(clamping: waited)) < settings.patience else {
                throw fail { .unreachable(peer: $0, table: $1, reason: StreamPeer.words(failure)) }
            }
            try await sleep(pause)
            pause = min(pause * 2, settings.pause * 16)
        }
    }

    func sleep(_ duration: Duration) async throws {
        do throws(CancellationError) {
            try await host.time.sleep(for: duration)
        } catch { throw StreamTrouble.failure(.cancelled) }
    }

    func checkCancellation() throws(StreamTrouble) {
        if control.isCancelled || Task.isCancelled { throw .failure(.cancelled) }
    }

    func fail(_ body: (_ peer: String, _ table: String) -> StreamFailure) -> StreamTrouble {
        .failure(body(name, table))
    }

    func damaged(_ reason: String) -> StreamTrouble {
        fail { .damaged(peer: $0, table: $1, reason: reason) }
    }

    private static func words(_ failure: MessageFailure) -> String {
        switch failure {
        case .unreachable: "it cannot be reached"
        case .timedOut: "no answer came in time"
        case .overloaded: "too much waits for it"
        case .refused(_, _, let reason): reason
        case .malformed(_, let reason): reason
        case .closed: "this node is stopping"
        }
    }
}
