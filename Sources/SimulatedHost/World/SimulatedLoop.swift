package import Environment
import Primitives

/// A loop of a simulated machine: a lane that others give jobs to.
///
/// `Sendable` is unchecked because a world and all that belongs to it is used by one thread at a time.
package final class SimulatedLoop: Loop, @unchecked Sendable {
    package let index: Int
    let lane: Lane
    private unowned let world: SimulatedWorld

    init(index: Int, lane: Lane, world: SimulatedWorld) {
        self.index = index
        self.lane = lane
        self.world = world
    }

    package var isCurrent: Bool { world.currentLane === lane }

    package var taskExecutor: any TaskExecutor { lane }

    package func execute(_ job: @escaping @Sendable () -> Void) {
        world.enqueue(.closure(job), on: lane)
    }

    package func schedule(after delay: Duration, _ job: @escaping @Sendable () -> Void) -> any LoopTimer {
        world.schedule(afterNanoseconds: delay.wholeNanoseconds, on: lane, job)
    }
}

/// Background work in a world: tasks on the lane of their loop, their names part of the history.
///
/// `Sendable` is unchecked because a world and all that belongs to it is used by one thread at a time.
final class SimulatedBackground: Background, @unchecked Sendable {
    private unowned let world: SimulatedWorld

    init(world: SimulatedWorld) {
        self.world = world
    }

    @discardableResult
    func run(
        _ name: StaticString, on loop: any Loop, _ work: @escaping @Sendable () async -> Void
    ) -> any BackgroundWork {
        world.record("start \(name)")
        let world: SimulatedWorld = self.world
        let task = Task(executorPreference: loop.taskExecutor, priority: .medium) {
            await work()
            world.record("end \(name)")
        }
        return SimulatedWork(task: task)
    }
}

private final class SimulatedWork: BackgroundWork {
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

/// The next bits of a seed.
///
/// `Sendable` is unchecked because a world and all that belongs to it is used by one thread at a time.
final class SeededEntropy: Entropy, @unchecked Sendable {
    private var generator: SeededGenerator

    init(generator: SeededGenerator) {
        self.generator = generator
    }

    func next() -> UInt64 {
        generator.next()
    }
}
