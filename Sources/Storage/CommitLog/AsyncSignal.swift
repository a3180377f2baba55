import Synchronization

/// A bell: whoever waits goes on once it has been rung since the last wait. One waiter at a time.
final class AsyncSignal: Sendable {
    private enum State {
        case quiet
        case rung
        case waiting(UnsafeContinuation<Void, Never>)
    }

    private let state = Mutex<State>(.quiet)

    /// Rings. Several rings before a wait are one.
    func ring() {
        let waiter: UnsafeContinuation<Void, Never>? = state.withLock { state in
            if case .waiting(let continuation) = state {
                state = .quiet
                return continuation
            }
            state = .rung
            return nil
        }
        waiter?.resume()
    }

    /// Returns once the bell has been rung.
    func wait() async {
        await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
            let isRung: Bool = state.withLock { state in
                if case .rung = state {
                    state = .quiet
                    return true
                }
                state = .waiting(continuation)
                return false
            }
            if isRung { continuation.resume() }
        }
    }
}
