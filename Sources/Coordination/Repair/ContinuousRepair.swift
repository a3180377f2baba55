package import Cluster
import DataModel
package import Environment
import Primitives
import Storage
import Synchronization

/// Keeps every range verified, in the background: each node those of which it is the first replica that is up, and those
/// in which it knows that writes were missed.
///
///     tick ─▶ candidates ─▶ RepairSchedule ─▶ RepairSession ─▶ watermark, marks cleared
///
/// One range at a time. Where nothing has changed since, nothing is read.
package final class ContinuousRepair: Sendable {
    package struct Options: Sendable, Hashable {
        /// (`continuous_repair`)
        package var isEnabled = true
        /// Within which every range is verified once (`continuous_repair_window`).
        package var window: Duration = .seconds(24 * 3_600)
        /// How often it is looked what there is to do.
        package var tick: Duration = .seconds(5)

        package init() {}
    }

    /// What it stands on.
    package struct Parts: Sendable {
        package var host: Host
        package var local: NodeID
        package var messenger: any Messenger
        package var liveness: Liveness
        package var watermarks: RepairWatermarks
        package var missed: MissedWrites
        /// All tables of the present schema that are to be verified.
        package var tables: @Sendable () -> [RepairTable]
        /// The present members; nil before the node has any.
        package var topology: @Sendable () -> Topology?

        package init(
            host: Host, local: NodeID, messenger: any Messenger, liveness: Liveness, watermarks: RepairWatermarks,
            missed: MissedWrites, tables: @escaping @Sendable () -> [RepairTable],
            topology: @escaping @Sendable () -> Topology?
        ) {
            self.host = host
            self.local = local
            self.messenger = messenger
            self.liveness = liveness
            self.watermarks = watermarks
            self.missed = missed
            self.tables = tables
            self.topology = topology
        }
    }

    /// What happened since the start.
    package struct Counters: Sendable, Hashable {
        package var rangesVerified = 0
        package var rangesFailed = 0
        package var counts = RepairCounts()
        package var lastFailure: String?

        package init() {}
    }

    private struct Shared {
        var isEnabled: Bool
        var windowSeconds: Int64
        var counters = Counters()
        var running: RepairTarget?
        var cancellation: RepairCancellation?
        /// Not before which second a range is tried again, by its table and end.
        var notBefore: [RangeKey: Int64] = [:]
        var work: (any BackgroundWork)?
    }

    private struct RangeKey: Hashable {
        var table: UUID
        var range: RingRange
    }

    /// After how long a range that failed is tried again.
    private static let retrySeconds: Int64 = 60
    /// After how long a range is looked at again in which writes were missed just now.
    private static let markSeconds: Int64 = 10

    private let parts: Parts
    private let startedAtSeconds: Int64
    private let cuts = RepairCuts()
    private let tick: Duration
    private let shared: Mutex<Shared>

    package init(_ parts: Parts, _ options: Options = Options()) {
        self.parts = parts
        self.startedAtSeconds = parts.host.time.wallSeconds
        self.tick = options.tick
        self.shared = Mutex(
            Shared(isEnabled: options.isEnabled, windowSeconds: ContinuousRepair.seconds(options.window)))
    }

    private static func seconds(_ duration: Duration) -> Int64 { max(1, duration.components.seconds) }

    // MARK: Life and switches

    /// Begins. Once, when the node has its schema.
    package func start() {
        let started: any BackgroundWork = parts.host.background.run("continuous repair", on: parts.host.loops[0]) {
            [self] in await run()
        }
        shared.withLock { $0.work = started }
    }

    /// Ends it, without waiting for what it has asked other nodes: they may be slow, and this one stops.
    package func stop() async {
        let running = shared.withLock { shared in
            shared.isEnabled = false
            shared.cancellation?.cancel()
            return shared.work
        }
        running?.cancel()
        await save()
    }

    package func setEnabled(_ isEnabled: Bool) {
        shared.withLock { shared in
            shared.isEnabled = isEnabled
            if !isEnabled { shared.cancellation?.cancel() }
        }
    }

    package var isEnabled: Bool { shared.withLock(\.isEnabled) }
    package var windowSeconds: Int64 { shared.withLock(\.windowSeconds) }
    package var counters: Counters { shared.withLock(\.counters) }

    private func run() async {
        var lastEndNanoseconds: UInt64?
        // Nodes that were started together do not all begin together.
        let jitter: Double = Double(parts.host.entropy.next() >> 11) * 0x1p-53
        var wait: Duration = tick * (0.5 + jitter)
        var round = Round()
        while true {
            do throws(CancellationError) {
                try await parts.host.time.sleep(for: wait)
            } catch { return }
            wait = tick
            await save()
            guard isEnabled, let topology = parts.topology() else { continue }
            let now: UInt64 = parts.host.time.monotonicNanoseconds
            let seconds: Int64 = parts.host.time.wallSeconds
            let schedule = RepairSchedule(windowSeconds: windowSeconds)
            let missed: [RepairSchedule.Candidate] = missedCandidates(topology)
            if let index = schedule.next(missed, nowSeconds: seconds, isPaced: false) {
                await verify(missed[index].target, cuts)
                wait = .milliseconds(100)
                continue
            }
            if !round.isFresh(topology, now) { round = makeRound(topology, schedule, seconds, now) }
            let gap = UInt64(schedule.gapSeconds(candidateCount: round.candidateCount) * 1e9)
            guard lastEndNanoseconds.map({ now &- $0 >= gap }) ?? true else { continue }
            round.refresh { isPossible($0) }
            guard let index = schedule.next(round.oldest, nowSeconds: seconds, isPaced: true) else { continue }
            await verify(round.oldest.remove(at: index).target)
            lastEndNanoseconds = parts.host.time.monotonicNanoseconds
            if gap < 1_000_000_000 { wait = .milliseconds(100) }
        }
    }

    /// What has become known since the last time is written.
    private func save() async {
        do throws(MetadataError) {
            try await parts.watermarks.save()
            try await parts.missed.save()
        } catch {
            // It is tried again at the next tick; until then tombstones stay longer after a restart.
        }
    }

    // MARK: Choosing

    /// The ranges that are due, those verified longest ago first. With many tables there are many ranges, so that they are
    /// not looked through each time.
    private struct Round {
        private static let lifeNanoseconds: UInt64 = 60_000_000_000
        static let limit = 256

        var topology: Topology?
        var madeAtNanoseconds: UInt64 = 0
        var candidateCount = 0
        var isCutShort = false
        var oldest: [RepairSchedule.Candidate] = []

        func isFresh(_ present: Topology, _ now: UInt64) -> Bool {
            topology === present && now &- madeAtNanoseconds < Round.lifeNanoseconds && !(oldest.isEmpty && isCutShort)
        }

        mutating func refresh(_ isPossible: (RepairTarget) -> Bool) {
            for index in oldest.indices { oldest[index].isPossible = isPossible(oldest[index].target) }
        }
    }

    private func isPossible(_ target: RepairTarget) -> Bool {
        target.replicas.allSatisfy { parts.liveness.isAlive($0) }
    }

    private func makeRound(_ topology: Topology, _ schedule: RepairSchedule, _ seconds: Int64, _ now: UInt64) -> Round {
        let tables: [RepairTable] = parts.tables()
        let ids: Set<UUID> = Set(tables.map(\.id))
        parts.watermarks.keep(only: ids)
        parts.missed.keep(only: ids)
        var round = Round()
        round.topology = topology
        round.madeAtNanoseconds = now
        for table in tables {
            for target in ContinuousRepair.ranges(of: table, topology)
            where target.replicas.first(where: { parts.liveness.isAlive($0) }) == parts.local {
                round.candidateCount += 1
                let found: RepairSchedule.Candidate = candidate(target, isMissed: false)
                if schedule.isDue(found.verifiedAtSeconds, seconds) { round.oldest.append(found) }
            }
        }
        round.oldest.sort { $0.verifiedAtSeconds < $1.verifiedAtSeconds }
        if round.oldest.count > Round.limit {
            round.isCutShort = true
            round.oldest.removeLast(round.oldest.count - Round.limit)
        }
        return round
    }

    /// The parts of ranges in which this node knows that writes were missed.
    private func missedCandidates(_ topology: Topology) -> [RepairSchedule.Candidate] {
        if parts.missed.isEmpty { return [] }
        let tables: [RepairTable] = parts.tables()
        parts.missed.spread(over: tables.map(\.id))
        var found: [RepairSchedule.Candidate] = []
        for table in tables {
            let missed: [ClosedRange<Token>] = parts.missed.tokens(of: table.id)
            if missed.isEmpty { continue }
            for target in ContinuousRepair.ranges(of: table, topology) {
                guard let tokens = target.range.tokens else { continue }
                for run in missed where run.overlaps(tokens) {
                    found.append(candidate(target.part(RingRange(run.clamped(to: tokens))), isMissed: true))
                }
            }
        }
        return found
    }

    private func candidate(_ target: RepairTarget, isMissed: Bool) -> RepairSchedule.Candidate {
        let watermark: Int64 = parts.watermarks.watermark(table: target.table.id, range: target.range)
        let key = RangeKey(table: target.table.id, range: target.range)
        return RepairSchedule.Candidate(
            target: target, verifiedAtSeconds: target.table.purge.cut(ofWatermark: watermark), isMissed: isMissed,
            isPossible: isPossible(target), notBeforeSeconds: shared.withLock { $0.notBefore[key] } ?? .min)
    }

    /// The ranges of a table that have several replicas.
    private static func ranges(of table: RepairTable, _ topology: Topology) -> [RepairTarget] {
        do throws(RepairRefusal) {
            return try RepairPlan(everythingOf: table, topology: topology).targets
        } catch {
            return []
        }
    }

    // MARK: Verifying

    /// - Parameter cuts: where many ranges follow each other at once.
    private func verify(_ target: RepairTarget, _ cuts: RepairCuts? = nil) async {
        let cancellation = RepairCancellation()
        shared.withLock { shared in
            shared.running = target
            shared.cancellation = cancellation
        }
        let session = RepairSession(
            target, RepairManner(), local: parts.local, messenger: parts.messenger, host: parts.host,
            loop: parts.host.loops[0], cuts: cuts, cancellation: cancellation
        ) { [self] counts, _ in shared.withLock { $0.counters.counts.add(counts) } }
        var failure: RepairFailure?
        var cut: Int64?
        do throws(RepairFailure) {
            cut = try await session.run()
            if let cut, let tokens = target.range.tokens {
                parts.missed.clear(target.table.id, tokens, cutAtSeconds: cut)
            }
        } catch { failure = error }
        let now: Int64 = parts.host.time.wallSeconds
        // What was marked a moment ago may have been missed after the cut.
        let isStillMissed: Bool = target.range.tokens.map { parts.missed.contains(target.table.id, $0) } ?? false
        shared.withLock { shared in
            shared.running = nil
            shared.cancellation = nil
            let key = RangeKey(table: target.table.id, range: target.range)
            shared.notBefore = shared.notBefore.filter { $0.value > now }
            if let failure {
                shared.counters.rangesFailed += 1
                shared.counters.lastFailure = failure.description
                shared.notBefore[key] = now + ContinuousRepair.retrySeconds
            } else {
                shared.counters.rangesVerified += 1
                // Without a cut its owners change, and it is as it was.
                if cut == nil {
                    shared.notBefore[key] = now + ContinuousRepair.retrySeconds
                } else {
                    shared.notBefore[key] = isStillMissed ? now + ContinuousRepair.markSeconds : nil
                }
            }
        }
    }

    // MARK: What operators see

    /// How the ranges stand of which this node has a copy, by keyspace, table and range.
    package func status() -> [RangeStatus] {
        guard let topology = parts.topology() else { return [] }
        let now: Int64 = parts.host.time.wallSeconds
        let (running, window) = shared.withLock { ($0.running, $0.windowSeconds) }
        let schedule = RepairSchedule(windowSeconds: window)
        var found: [RangeStatus] = []
        for table in parts.tables() {
            for target in ContinuousRepair.ranges(of: table, topology) where target.replicas.contains(parts.local) {
                let watermark: Int64 = parts.watermarks.watermark(table: table.id, range: target.range)
                let verified: Int64 = table.purge.cut(ofWatermark: watermark)
                let isMissed: Bool = target.range.tokens.map { parts.missed.contains(table.id, $0) } ?? false
                var state: RangeStatus.State = schedule.isDue(verified, now) ? .due : .current
                let made: Int64 = table.madeAtSeconds ?? startedAtSeconds
                if schedule.isOverdue(verified, madeAtSeconds: made, now) { state = .overdue }
                if isMissed { state = .missed }
                if running?.table.id == table.id, let part = running?.range,
                    !target.range.intersection(part).isEmpty
                {
                    state = .running
                }
                found.append(
                    RangeStatus(
                        keyspace: table.keyspace, table: table.name, range: target.range,
                        verifiedAtSeconds: watermark == TokenSeconds.never ? nil : verified,
                        watermarkSeconds: watermark == TokenSeconds.never ? nil : watermark, isMissed: isMissed,
                        state: state, waitsFor: target.replicas.filter { !parts.liveness.isAlive($0) }))
            }
        }
        return found
    }
}

extension RepairTarget {
    /// The same replicas, for a part of the range.
    func part(_ range: RingRange) -> RepairTarget {
        RepairTarget(
            table: table, range: range, replicas: replicas, shares: shares, isComplete: isComplete,
            datacenters: datacenters)
    }
}
