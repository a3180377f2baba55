import Environment
import NIOCore
import Synchronization

/// A job that an event loop runs later.
final class SystemTimer: LoopTimer, NIOScheduledCallbackHandler {
    private struct State {
        var job: (@Sendable () -> Void)?
        var callback: NIOScheduledCallback?
    }

    private let state: Mutex<State>

    init(job: @escaping @Sendable () -> Void) {
        self.state = Mutex(State(job: job, callback: nil))
    }

    func start(on eventLoop: any EventLoop, after delay: TimeAmount) {
        // A loop that is shutting down takes no more timers: the job then never runs.
        guard let callback = try? eventLoop.scheduleCallback(in: delay, handler: self) else { return }
        state.withLock { $0.callback = callback }
    }

    func handleScheduledCallback(eventLoop: some EventLoop) {
        let job: (@Sendable () -> Void)? = take().job
        job?()
    }

    func cancel() {
        take().callback?.cancel()
    }

    private func take() -> State {
        state.withLock { state in
            let taken: State = state
            state = State(job: nil, callback: nil)
            return taken
        }
    }
}
