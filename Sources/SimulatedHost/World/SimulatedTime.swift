import Environment

/// The clock of one machine: virtual time, with a wall clock that a test can set wrong.
///
/// `Sendable` is unchecked because a world and all that belongs to it is used by one thread at a time.
package final class SimulatedTime: TimeSource, @unchecked Sendable {
    /// What the wall clock shows when a world begins: 2024-01-01 UTC.
    package static let startMicroseconds: Int64 = 1_704_067_200_000_000

    /// How far the wall clock is ahead of the world's; negative when it is behind.
    package private(set) var skewMicroseconds: Int64 = 0
    /// How much faster than the world the wall clock runs, in parts per million; negative when it is slower.
    package private(set) var driftPartsPerMillion: Int64 = 0
    private var driftStartNanoseconds: UInt64 = 0
    private unowned let world: SimulatedWorld
    private var lane: Lane

    init(world: SimulatedWorld, lane: Lane) {
        self.world = world
        self.lane = lane
    }

    package var wallMicroseconds: Int64 {
        let elapsed = Int64(clamping: world.nowNanoseconds / 1_000)
        return SimulatedTime.startMicroseconds &+ elapsed &+ skewMicroseconds &+ driftMicroseconds
    }

    /// A second ahead of the world, so that code which takes 0 for "never" is not helped by luck.
    package var monotonicNanoseconds: UInt64 { world.nowNanoseconds &+ 1_000_000_000 }

    /// Moves the wall clock by a jump, forwards or back.
    package func jump(byMicroseconds jump: Int64) {
        skewMicroseconds = skewMicroseconds &+ jump
    }

    /// Lets the wall clock run at another speed from now on; what it has drifted so far stays.
    package func drift(partsPerMillion: Int64) {
        skewMicroseconds = skewMicroseconds &+ driftMicroseconds
        driftStartNanoseconds = world.nowNanoseconds
        driftPartsPerMillion = partsPerMillion
    }

    package func sleep(for duration: Duration) async throws(CancellationError) {
        if Task.isCancelled { throw CancellationError() }
        let sleeper = Sleeper()
        let delay: UInt64 = duration.wholeNanoseconds
        let finished: Bool = await withTaskCancellationHandler {
            await withUnsafeContinuation { (continuation: UnsafeContinuation<Bool, Never>) in
                sleeper.continuation = continuation
                sleeper.timer = world.schedule(afterNanoseconds: delay, on: lane) { sleeper.wake(finished: true) }
            }
        } onCancel: {
            sleeper.wake(finished: false)
        }
        if !finished { throw CancellationError() }
    }

    /// Gives the clock the lane of the process that now runs.
    func move(to lane: Lane) {
        self.lane = lane
    }

    private var driftMicroseconds: Int64 {
        let elapsed = Int64(clamping: (world.nowNanoseconds - driftStartNanoseconds) / 1_000)
        return elapsed.multipliedReportingOverflow(by: driftPartsPerMillion).partialValue / 1_000_000
    }
}

/// One task that sleeps: woken once, by its timer or by its cancellation.
///
/// `Sendable` is unchecked because a world and all that belongs to it is used by one thread at a time.
private final class Sleeper: @unchecked Sendable {
    var continuation: UnsafeContinuation<Bool, Never>?
    var timer: SimulatedTimer?

    func wake(finished: Bool) {
        timer?.cancel()
        timer = nil
        let waiting: UnsafeContinuation<Bool, Never>? = continuation
        continuation = nil
        waiting?.resume(returning: finished)
    }
}
