import Environment

/// Background work as tasks on the loop that they were given.
struct SystemBackground: Background {
    @discardableResult
    func run(
        _ name: StaticString, on loop: any Loop, _ work: @escaping @Sendable () async -> Void
    ) -> any BackgroundWork {
        SystemWork(task: Task(name: "\(name)", executorPreference: loop.taskExecutor) { await work() })
    }
}

private final class SystemWork: BackgroundWork {
    private let task: Task<Void, Never>

    init(task: Task<Void, Never>) {
        self.task = task
    }

    func cancel() {
        task.cancel()
    }

    func wait() async {
        await task.value
    }
}
