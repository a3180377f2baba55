/// The single thread of one shard: jobs run on it one after another, in the order they were given.
///
/// What is confined to a loop needs no lock. A connection, a shard's memtables and its caches each live on one loop.
public protocol Loop: AnyObject, Sendable {
    /// The place of this loop in `Host.loops`.
    var index: Int { get }

    /// Whether the caller is running on this loop.
    var isCurrent: Bool { get }

    /// For `async` code that touches what the loop owns: a task with this preference runs on the loop.
    var taskExecutor: any TaskExecutor { get }

    /// Runs `job` on this loop, after the current job. May be called from anywhere.
    func execute(_ job: @escaping @Sendable () -> Void)

    /// Runs `job` on this loop once `delay` has passed, unless cancelled first.
    func schedule(after delay: Duration, _ job: @escaping @Sendable () -> Void) -> any LoopTimer
}

/// A job that waits for its time.
public protocol LoopTimer: AnyObject, Sendable {
    /// Forgets the job if it has not run. Harmless when it has.
    func cancel()
}

/// Starts work that nobody awaits.
public protocol Background: Sendable {
    /// Runs `work` on `loop`, as a task that lives until it returns or is cancelled.
    @discardableResult
    func run(_ name: StaticString, on loop: any Loop, _ work: @escaping @Sendable () async -> Void)
        -> any BackgroundWork
}

/// Work that was started in the background.
public protocol BackgroundWork: AnyObject, Sendable {
    /// Asks the work to end; it ends at its next point of suspension that looks.
    func cancel()
    /// Returns when the work has ended.
    func wait() async
}
