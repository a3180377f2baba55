package import Environment
package import Primitives

/// A world that follows from a seed: machines with disks, clocks and a network, all in one thread and in virtual time.
///
///     let world = SimulatedWorld(seed: 42)
///     let machine = world.makeHost(name: "a", loopCount: 2)
///     let names = try world.run { try await machine.host.disk.list("/") }
///
/// Jobs run in lanes. Among the lanes that have a job at this virtual time the seed picks the next; when none has, time
/// jumps to the next timer. The same seed and the same program give the same `traceHash` on every run. What runs in
/// a world must not use `Task { }`, `Task.sleep` or anything else that leaves its executors.
///
/// `Sendable` is unchecked because a world and all that belongs to it is used by one thread at a time: the one that
/// calls `run`.
package final class SimulatedWorld: @unchecked Sendable {
    package let seed: UInt64
    /// Virtual time since the world began.
    package private(set) var nowNanoseconds: UInt64 = 0
    /// How many jobs have run.
    package private(set) var stepCount = 0
    /// The most jobs that one call to `run` may take, so that an endless loop fails instead of hanging.
    package var stepLimit = 200_000_000
    /// The net that joins the machines.
    package private(set) var network: SimulatedNetwork
    package private(set) var machines: [SimulatedMachine] = []
    /// Names of machines whose disk stopped them (`SimulatedDisk.crashAfterOperation`), in order.
    package internal(set) var crashedMachineNames: [String] = []

    private var scheduling: SeededGenerator
    private var splitting: SeededGenerator
    private var trace: TraceHash
    private var ready: [Lane] = []
    private var timers = TimerHeap()
    private var timerSequence: UInt64 = 0
    private var laneCount = 0
    private(set) var currentLane: Lane?
    private var isRunning = false
    private var mainLane: Lane?

    package init(seed: UInt64) {
        self.seed = seed
        self.splitting = SeededGenerator(seed: seed)
        self.scheduling = splitting.split()
        self.trace = TraceHash(seed: seed)
        self.network = SimulatedNetwork(generator: splitting.split())
    }

    /// A digest of the history so far: the order of jobs, their times, and what disks and networks did.
    package var traceHash: UInt64 { trace.value }

    /// Adds words of the caller's own to the history.
    package func record(_ words: String) {
        trace.mix(words)
    }

    /// Adds a number of the caller's own to the history.
    package func record(_ number: Int) {
        trace.mix(number)
    }

    /// A generator that follows from the seed and from how many were made before.
    package func makeGenerator() -> SeededGenerator {
        splitting.split()
    }

    /// Adds a machine. Without an address it gets 10.0.0.1, 10.0.0.2 and so on.
    package func makeHost(name: String, loopCount: Int = 1, address: [UInt8]? = nil) -> SimulatedMachine {
        let number: Int = machines.count + 1
        let low = UInt8(truncatingIfNeeded: number)
        let high = UInt8(truncatingIfNeeded: number >> 8)
        let machine = SimulatedMachine(
            world: self, number: number, name: name, loopCount: loopCount, host: address ?? [10, 0, high, low])
        machines.append(machine)
        return machine
    }

    // MARK: Driving

    /// Runs `body` and everything else until `body` has returned.
    ///
    /// - Parameters:
    ///   - loop: where the body runs; a lane outside all machines when nil.
    ///   - timeLimit: how much virtual time may pass.
    /// - Throws: what `body` throws, or a `SimulationFailure` when it cannot go on.
    package func run<Value: Sendable>(
        on loop: (any Loop)? = nil, timeLimit: Duration = .seconds(86_400),
        _ body: @escaping @Sendable () async throws -> Value
    ) throws -> Value {
        let outcome = Outcome<Value>()
        let formerCrashCount: Int = crashedMachineNames.count
        let executor: any TaskExecutor = loop?.taskExecutor ?? outsideLane
        Task(executorPreference: executor, priority: .medium) {
            do { outcome.result = .success(try await body()) } catch { outcome.result = .failure(error) }
        }
        let end: UInt64 = nowNanoseconds &+ timeLimit.wholeNanoseconds
        try drive { outcome.result != nil || self.nowNanoseconds > end }
        if let result = outcome.result { return try result.get() }
        if nowNanoseconds > end { throw SimulationFailure.timeLimitReached(world: description) }
        if crashedMachineNames.count > formerCrashCount, let name = crashedMachineNames.last {
            throw SimulationFailure.crashed(machine: name)
        }
        throw SimulationFailure.deadlock(world: description)
    }

    /// Runs what is due in the next `duration` of virtual time, then moves the clock to its end.
    package func run(for duration: Duration) throws {
        let end: UInt64 = nowNanoseconds &+ duration.wholeNanoseconds
        try drive { self.ready.isEmpty && (self.nextDueNanoseconds ?? .max) > end }
        nowNanoseconds = max(nowNanoseconds, end)
    }

    /// Runs until `condition` holds; it is asked before every job.
    package func run(until condition: () -> Bool) throws {
        try drive(until: condition)
        if !condition() { throw SimulationFailure.deadlock(world: description) }
    }

    /// Runs until nothing is left to do, timers included.
    package func runUntilIdle() throws {
        try drive { false }
    }

    /// For error messages: how to come back here.
    package var description: String {
        "seed \(seed), \(stepCount) jobs, \(nowNanoseconds) ns, \(ready.count) lanes ready"
    }

    private func drive(until isDone: () -> Bool) throws {
        require(!isRunning, "a world is driven by one caller at a time")
        isRunning = true
        defer { isRunning = false }
        let lastStep: Int = stepCount + stepLimit
        while !isDone() {
            guard step() else { return }
            if stepCount > lastStep { throw SimulationFailure.stepLimitReached(world: description) }
        }
    }

    /// Runs one job; false when there is none.
    private func step() -> Bool {
        // Jobs of a suspended lane become due and do not run.
        while ready.isEmpty, nextDueNanoseconds != nil { advance() }
        guard !ready.isEmpty else { return false }
        let place: Int = ready.count == 1 ? 0 : scheduling.below(ready.count)
        let lane: Lane = ready[place]
        guard let job = lane.removeFirst() else { return true }
        if lane.isEmpty {
            ready.swapAt(place, ready.count - 1)
            ready.removeLast()
        }
        stepCount += 1
        trace.mix(lane.number)
        trace.mix(nowNanoseconds)
        currentLane = lane
        lane.run(job)
        currentLane = nil
        return true
    }

    /// Moves time to the next timer and makes the jobs of that moment ready.
    private func advance() {
        guard let due = nextDueNanoseconds else { return }
        nowNanoseconds = max(nowNanoseconds, due)
        while let timer = timers.first, timer.dueNanoseconds <= nowNanoseconds {
            _ = timers.removeFirst()
            if timer.isWanted { enqueue(.closure { timer.fire() }, on: timer.lane) }
        }
    }

    /// When the first timer that still counts is due.
    private var nextDueNanoseconds: UInt64? {
        while let timer = timers.first {
            if timer.isWanted { return timer.dueNanoseconds }
            _ = timers.removeFirst()
        }
        return nil
    }

    // MARK: What the parts of the world use

    func makeLane() -> Lane {
        laneCount += 1
        return Lane(number: laneCount, world: self)
    }

    func enqueue(_ job: Lane.Job, on lane: Lane) {
        guard !lane.isDead else { return }
        if lane.isEmpty, !lane.isSuspended { ready.append(lane) }
        lane.append(job)
    }

    func schedule(
        afterNanoseconds delay: UInt64, on lane: Lane, _ job: @escaping () -> Void
    ) -> SimulatedTimer {
        timerSequence += 1
        let timer = SimulatedTimer(
            dueNanoseconds: nowNanoseconds &+ delay, sequence: timerSequence, lane: lane, job: job)
        timers.insert(timer)
        return timer
    }

    /// Ends the lanes of a process that is gone.
    func drop(_ lanes: [Lane]) {
        for lane in lanes {
            lane.die()
            ready.removeAll { $0 === lane }
        }
    }

    /// Lets lanes keep their jobs instead of running them.
    func suspend(_ lanes: [Lane]) {
        for lane in lanes where !lane.isSuspended {
            lane.isSuspended = true
            ready.removeAll { $0 === lane }
        }
    }

    /// Lets suspended lanes run on.
    func resume(_ lanes: [Lane]) {
        for lane in lanes where lane.isSuspended {
            lane.isSuspended = false
            if !lane.isEmpty, !lane.isDead { ready.append(lane) }
        }
    }

    /// Waits for virtual time on `lane`; never returns when the lane dies first.
    func pause(nanoseconds: UInt64, on lane: Lane) async {
        await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
            _ = schedule(afterNanoseconds: nanoseconds, on: lane) { continuation.resume() }
        }
    }

    private var outsideLane: Lane {
        if let lane = mainLane { return lane }
        let lane: Lane = makeLane()
        mainLane = lane
        return lane
    }
}

/// Where a body that the world runs puts its result.
///
/// `Sendable` is unchecked because a world and all that belongs to it is used by one thread at a time.
private final class Outcome<Value: Sendable>: @unchecked Sendable {
    var result: Result<Value, any Error>?
}

/// Why a world cannot go on.
package enum SimulationFailure: Error, Equatable {
    /// Nothing is left to do, and the body has not returned: it waits for something that never happens.
    case deadlock(world: String)
    /// A disk stopped its machine, and the body waits for it.
    case crashed(machine: String)
    case timeLimitReached(world: String)
    case stepLimitReached(world: String)
}

extension Duration {
    /// The duration in nanoseconds; 0 when negative, the largest number when too long.
    var wholeNanoseconds: UInt64 {
        let (seconds, attoseconds) = components
        if seconds < 0 || attoseconds < 0 { return 0 }
        let (product, overflow) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
        // Half the range: sums of a time and a delay must not wrap.
        return overflow ? .max / 2 : min(.max / 2, product &+ UInt64(attoseconds) / 1_000_000_000)
    }
}

/// Waits for ever: the fate of whoever awaits a machine that is gone.
func neverReturn() async -> Never {
    while true {
        await withUnsafeContinuation { (_: UnsafeContinuation<Void, Never>) in }
    }
}
