package import Cluster
import DataModel
package import Environment
package import Primitives
import Storage
import Synchronization

/// How a repair stands, or how it has ended.
package struct RepairReport: Sendable, Hashable {
    package enum State: String, Sendable {
        case running
        case completed
        case failed
        case cancelled
    }

    package var id: UUID
    package var options: RepairOptions
    package var coordinator: NodeID
    package var state = State.running
    package var startedAtMicroseconds: Int64
    package var durationMilliseconds: Int64 = 0
    package var rangeCount: Int
    package var doneRangeCount = 0
    package var failedRangeCount = 0
    /// Of all ranges, from 0 to 1.
    package var doneShare: Double = 0
    package var counts = RepairCounts()
    /// One for each range that was not repaired: its table, the range and why; at most `failureLimit`.
    package var failures: [String] = []
    /// The same by their reasons.
    package var obstacles: [RepairObstacle] = []

    package static let failureLimit = 100

    /// How long the rest takes if it goes on like this; nil before that can be said.
    package var remainingMilliseconds: Int64? {
        guard state == .running, doneShare > 0.001 else { return nil }
        return Int64(Double(durationMilliseconds) * (1 - doneShare) / doneShare)
    }
}

/// One repair that an operator, or the node itself, has asked for: all its ranges, some at a time.
package final class RepairJob: Sendable {
    private struct State {
        var report: RepairReport
        /// For each range, how much of it is done.
        var done: [Double]
        var next = 0
    }

    package let id: UUID
    private let targets: [RepairTarget]
    private let manner: RepairManner
    private let state: Mutex<State>
    private let cancellation = RepairCancellation()
    private let cuts = RepairCuts()
    private let parts: RepairCoordinator.Parts
    private let startedAtNanoseconds: UInt64
    /// Told of each range when it has ended.
    private let ended: @Sendable (RepairedRange) async -> Void

    init(
        _ id: UUID, _ options: RepairOptions, _ targets: [RepairTarget], _ parts: RepairCoordinator.Parts,
        ended: @escaping @Sendable (RepairedRange) async -> Void
    ) {
        self.id = id
        self.targets = targets
        self.manner = options.manner
        self.parts = parts
        self.ended = ended
        self.startedAtNanoseconds = parts.host.time.monotonicNanoseconds
        let report = RepairReport(
            id: id, options: options, coordinator: parts.local, startedAtMicroseconds: parts.host.time.wallMicroseconds,
            rangeCount: targets.count)
        self.state = Mutex(State(report: report, done: targets.map { _ in 0 }))
    }

    /// How it stands.
    package var report: RepairReport {
        let now: UInt64 = parts.host.time.monotonicNanoseconds
        return state.withLock { state in
            var report: RepairReport = state.report
            guard report.state == .running else { return report }
            report.durationMilliseconds = Int64((now &- startedAtNanoseconds) / 1_000_000)
            report.doneShare = state.done.isEmpty ? 1 : state.done.reduce(0, +) / Double(state.done.count)
            return report
        }
    }

    /// Ends it at its next step; what was repaired stays.
    package func cancel() {
        cancellation.cancel()
    }

    /// Repairs all ranges. On loop 0.
    func run() async {
        let count: Int = min(max(1, state.withLock { $0.report.options.jobCount }), RepairOptions.jobLimit)
        let workers: [LoopWork<Void>] = (0..<min(count, max(1, targets.count))).map { _ in
            LoopWork("repair ranges", on: parts.host.loops[0], of: parts.host) { [self] in
                while let index = takeNext() { await repair(index) }
            }
        }
        for worker in workers {
            do { try await worker.value() } catch {
                // The work throws nothing; a node that stops ends it.
                cancellation.cancel()
            }
        }
        finish()
    }

    private func takeNext() -> Int? {
        if cancellation.isCancelled { return nil }
        return state.withLock { state in
            guard state.next < targets.count else { return nil }
            state.next += 1
            return state.next - 1
        }
    }

    private func repair(_ index: Int) async {
        let target: RepairTarget = targets[index]
        let startedAt: Int64 = parts.host.time.wallMicroseconds
        let down: [NodeID] = target.replicas.filter { !parts.liveness.isAlive($0) }.sorted()
        var failure: RepairFailure? = down.isEmpty ? nil : .down(down)
        if failure == nil {
            let session = RepairSession(
                target, manner, local: parts.local, messenger: parts.messenger, host: parts.host,
                loop: parts.host.loops[0], cuts: cuts, cancellation: cancellation
            ) { [self] counts, share in
                state.withLock { state in
                    state.report.counts.add(counts)
                    state.done[index] = max(state.done[index], min(1, share))
                }
            }
            do throws(RepairFailure) {
                if let cut = try await session.run(), let tokens = target.range.tokens {
                    parts.missed?.clear(target.table.id, tokens, cutAtSeconds: cut)
                }
            } catch { failure = error }
        }
        note(index, failure)
        await ended(
            RepairedRange(
                job: id, target: target, failure: failure, startedAtMicroseconds: startedAt,
                endedAtMicroseconds: parts.host.time.wallMicroseconds))
    }

    private func note(_ index: Int, _ failure: RepairFailure?) {
        let target: RepairTarget = targets[index]
        state.withLock { state in
            state.done[index] = 1
            guard let failure else {
                state.report.doneRangeCount += 1
                return
            }
            if failure == .cancelled { return }
            state.report.failedRangeCount += 1
            let words: String = failure.words(parts.name)
            state.report.obstacles.note(failure, words)
            if state.report.failures.count < RepairReport.failureLimit {
                state.report.failures.append(
                    "\(target.table.keyspace).\(target.table.name) \(target.range): \(words)")
            }
        }
    }

    private func finish() {
        let now: UInt64 = parts.host.time.monotonicNanoseconds
        state.withLock { state in
            state.report.durationMilliseconds = Int64((now &- startedAtNanoseconds) / 1_000_000)
            state.report.doneShare = 1
            if state.report.doneRangeCount + state.report.failedRangeCount < targets.count {
                state.report.state = .cancelled
            } else {
                state.report.state = state.report.failedRangeCount > 0 ? .failed : .completed
            }
        }
    }
}

/// Begins repairs on this node and knows those that run and the last that have ended.
package final class RepairCoordinator: Sendable {
    /// What repairs stand on.
    package struct Parts: Sendable {
        package var host: Host
        package var local: NodeID
        package var messenger: any Messenger
        package var liveness: Liveness
        /// Where this node knows that writes were missed.
        package var missed: MissedWrites?
        /// What people call a node.
        package var name: @Sendable (NodeID) -> String

        package init(
            host: Host, local: NodeID, messenger: any Messenger, liveness: Liveness,
            missed: MissedWrites? = nil, name: @escaping @Sendable (NodeID) -> String = { $0.description }
        ) {
            self.host = host
            self.local = local
            self.messenger = messenger
            self.liveness = liveness
            self.missed = missed
            self.name = name
        }
    }

    package let parts: Parts
    private let jobs = Mutex<[RepairJob]>([])

    /// Repairs that have ended and are still known.
    package static let keptCount = 32
    package static let runningLimit = 8

    package init(_ parts: Parts) {
        self.parts = parts
    }

    /// Begins a repair of what `plan` names; it runs in the background.
    ///
    /// - Parameters:
    ///   - ended: told of each range when it has ended.
    ///   - finished: told when all have.
    package func start(
        _ options: RepairOptions, _ plan: RepairPlan,
        ended: @escaping @Sendable (RepairedRange) async -> Void = { _ in },
        finished: @escaping @Sendable (RepairReport) async -> Void = { _ in }
    ) throws(RepairRefusal) -> RepairJob {
        let job = RepairJob(makeID(), options, plan.targets, parts, ended: ended)
        let isTaken: Bool = jobs.withLock { jobs in
            guard jobs.count(where: { $0.report.state == .running }) < RepairCoordinator.runningLimit else {
                return false
            }
            jobs.append(job)
            while jobs.count > RepairCoordinator.keptCount + RepairCoordinator.runningLimit {
                guard let oldest = jobs.firstIndex(where: { $0.report.state != .running }) else { break }
                jobs.remove(at: oldest)
            }
            return true
        }
        guard isTaken else { throw .tooManyJobs(limit: RepairCoordinator.runningLimit) }
        parts.host.background.run("repair", on: parts.host.loops[0]) {
            await job.run()
            await finished(job.report)
        }
        return job
    }

    /// All that are known, the oldest first (`repair_admin list`).
    package func reports() -> [RepairReport] { jobs.withLock { $0 }.map(\.report) }

    package func report(_ id: UUID) -> RepairReport? {
        jobs.withLock { $0.first { $0.id == id } }?.report
    }

    /// Ends a repair; false when there is no such one that runs.
    package func cancel(_ id: UUID) -> Bool {
        guard let job = jobs.withLock({ $0.first { $0.id == id } }), job.report.state == .running else { return false }
        job.cancel()
        return true
    }

    /// Ends all repairs: the node stops.
    package func stop() {
        for job in jobs.withLock({ $0 }) { job.cancel() }
    }

    /// A time-based identifier, as the history of repairs has them.
    private func makeID() -> UUID {
        let ticks = UInt64(bitPattern: parts.host.time.wallMicroseconds &* 10 &+ UUID.unixEpoch)
        return .timeBased(timestamp: ticks, low: parts.host.entropy.next())
    }
}
