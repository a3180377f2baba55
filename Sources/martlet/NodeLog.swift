import SystemHost

/// The node's log: one line for each event of its life, on standard output.
enum NodeLog {
    static func write(_ level: String, _ message: String) {
        let padded: String = level + String(repeating: " ", count: max(0, 5 - level.count))
        _ = Terminal.write("\(padded) \(message)\n")
    }
}

/// Lets the main task wait for a signal. Raised from another thread, any number of times.
final class StopSignal: Sendable {
    private let stream: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    init() {
        (stream, continuation) = AsyncStream<Void>.makeStream()
    }

    func raise() {
        continuation.yield()
        continuation.finish()
    }

    func wait() async {
        for await _ in stream { return }
    }
}
