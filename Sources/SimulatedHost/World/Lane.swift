import Environment

/// A queue of jobs that run one after another, in the order they came: a loop, a disk or a clock of one machine.
///
/// The world picks freely between lanes and never inside one.
///
/// `Sendable` is unchecked because a world and all that belongs to it is used by one thread at a time.
final class Lane: TaskExecutor, @unchecked Sendable {
    enum Job {
        case task(UnownedJob)
        case closure(() -> Void)
    }

    let number: Int
    unowned let world: SimulatedWorld
    /// A dead lane belongs to a process that has ended: its jobs vanish.
    private(set) var isDead = false
    /// A suspended lane keeps what it is given and runs none of it.
    var isSuspended = false
    private var jobs: [Job] = []
    private var head = 0

    init(number: Int, world: SimulatedWorld) {
        self.number = number
        self.world = world
    }

    var isEmpty: Bool { head == jobs.count }

    func append(_ job: Job) {
        jobs.append(job)
    }

    func removeFirst() -> Job? {
        guard head < jobs.count else { return nil }
        let job: Job = jobs[head]
        head += 1
        if head == jobs.count {
            jobs.removeAll(keepingCapacity: true)
            head = 0
        } else if head > 1_024, head * 2 > jobs.count {
            jobs.removeFirst(head)
            head = 0
        }
        return job
    }

    /// Drops what waits and whatever comes later.
    func die() {
        isDead = true
        jobs.removeAll()
        head = 0
    }

    func enqueue(_ job: consuming ExecutorJob) {
        world.enqueue(.task(UnownedJob(job)), on: self)
    }

    func run(_ job: Job) {
        switch job {
        case .closure(let body): body()
        case .task(let task): task.runSynchronously(on: asUnownedTaskExecutor())
        }
    }
}

/// A job that waits for its virtual time.
///
/// `Sendable` is unchecked because a world and all that belongs to it is used by one thread at a time.
final class SimulatedTimer: LoopTimer, @unchecked Sendable {
    let dueNanoseconds: UInt64
    let sequence: UInt64
    let lane: Lane
    private var job: (() -> Void)?

    init(dueNanoseconds: UInt64, sequence: UInt64, lane: Lane, job: @escaping () -> Void) {
        self.dueNanoseconds = dueNanoseconds
        self.sequence = sequence
        self.lane = lane
        self.job = job
    }

    var isWanted: Bool { job != nil && !lane.isDead }

    func cancel() {
        job = nil
    }

    func fire() {
        let taken: (() -> Void)? = job
        job = nil
        taken?()
    }
}

/// Timers by due time, then by the order in which they were set.
struct TimerHeap {
    private var timers: [SimulatedTimer] = []

    var first: SimulatedTimer? { timers.first }

    mutating func insert(_ timer: SimulatedTimer) {
        timers.append(timer)
        var index: Int = timers.count - 1
        while index > 0 {
            let parent: Int = (index - 1) / 2
            guard precedes(index, parent) else { break }
            timers.swapAt(index, parent)
            index = parent
        }
    }

    mutating func removeFirst() -> SimulatedTimer? {
        guard let result = timers.first, let last = timers.popLast() else { return nil }
        guard !timers.isEmpty else { return result }
        timers[0] = last
        var index = 0
        while true {
            var smallest: Int = index
            let left: Int = index * 2 + 1
            if left < timers.count, precedes(left, smallest) { smallest = left }
            if left + 1 < timers.count, precedes(left + 1, smallest) { smallest = left + 1 }
            guard smallest != index else { return result }
            timers.swapAt(index, smallest)
            index = smallest
        }
    }

    private func precedes(_ left: Int, _ right: Int) -> Bool {
        let a: SimulatedTimer = timers[left]
        let b: SimulatedTimer = timers[right]
        if a.dueNanoseconds != b.dueNanoseconds { return a.dueNanoseconds < b.dueNanoseconds }
        return a.sequence < b.sequence
    }
}
