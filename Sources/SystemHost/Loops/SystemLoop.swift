import Environment
import NIOCore

/// A loop of the system host: one thread of a NIO event-loop group.
final class SystemLoop: Loop {
    let index: Int
    let eventLoop: any EventLoop
    private let executor: LoopExecutor

    init(index: Int, eventLoop: any EventLoop) {
        self.index = index
        self.eventLoop = eventLoop
        self.executor = LoopExecutor(eventLoop: eventLoop)
    }

    var isCurrent: Bool { eventLoop.inEventLoop }

    var taskExecutor: any TaskExecutor { executor }

    func execute(_ job: @escaping @Sendable () -> Void) {
        eventLoop.execute(job)
    }

    func schedule(after delay: Duration, _ job: @escaping @Sendable () -> Void) -> any LoopTimer {
        let timer = SystemTimer(job: job)
        timer.start(on: eventLoop, after: TimeAmount.nanoseconds(delay.wholeNanoseconds))
        return timer
    }
}

/// Runs the jobs of tasks on an event loop.
private final class LoopExecutor: TaskExecutor {
    private let eventLoop: any EventLoop

    init(eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        eventLoop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}

extension Duration {
    /// The duration in nanoseconds, from 0 to half the range of the type.
    var wholeNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        if seconds < 0 || attoseconds < 0 { return 0 }
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        return overflow ? .max / 2 : min(.max / 2, product &+ attoseconds / 1_000_000_000)
    }
}
