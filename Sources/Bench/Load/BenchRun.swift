import CQL
package import Environment
import MartletClient

/// Processor time of the two sides, in nanoseconds, as far as it can be known.
package struct ProcessorClocks: Sendable {
    /// Of the server; nil when it is not a process of this machine.
    package var server: (@Sendable () -> UInt64?)?
    /// Of this process.
    package var client: (@Sendable () -> UInt64)?

    package init(server: (@Sendable () -> UInt64?)? = nil, client: (@Sendable () -> UInt64)? = nil) {
        self.server = server
        self.client = client
    }
}

/// Carries out a plan: makes the table, prepares the statements, writes the rows, warms up, measures.
package struct BenchRun: Sendable {
    /// How long answers are awaited at the end.
    private static let drainLimit: Duration = .seconds(10)
    /// How often it is looked whether the load has ended.
    private static let pollInterval: Duration = .milliseconds(20)
    /// A benchmark whose first requests all fail is pointless.
    private static let hopelessErrorCount = 1_000

    private let plan: BenchPlan
    private let host: Host
    private let clocks: ProcessorClocks
    private let tell: @Sendable (String) -> Void

    /// - Parameter tell: takes lines about the progress.
    package init(
        _ plan: BenchPlan, on host: Host, clocks: ProcessorClocks, tell: @escaping @Sendable (String) -> Void
    ) {
        self.plan = plan
        self.host = host
        self.clocks = clocks
        self.tell = tell
    }

    /// - Throws: `BenchError`.
    package func run() async throws -> BenchReport {
        do {
            return try await carryOut()
        } catch let error as CQLError {
            throw BenchError("The server refused: \(error.message)")
        } catch let error as ClientError {
            throw BenchError("\(plan.host): \(error.description)")
        }
    }

    /// What all phases of a run share.
    private struct Ground {
        let group: LoadGroup
        let read: ExecuteTemplate
        let write: ExecuteTemplate
        let values: ValueSource
        let version: ProtocolVersion
    }

    private func carryOut() async throws -> BenchReport {
        try plan.validate()
        let address: SocketAddress = try await resolve()
        var options = ConnectionOptions()
        options.version = plan.version
        options.driverName = "martlet bench"
        options.security = try await security()
        let control = try await CQLConnection.connect(
            to: address, on: host.loops[0], network: host.network, options: options)
        options.version = control.version
        let ground: Ground = try await prepare(control, address, options)
        if plan.readShare > 0, plan.isPreloading { try await preload(ground) }
        if plan.warmup > .zero { _ = try await phase("warm-up", .duration(plan.warmup), ground, isShown: false) }
        let report: BenchReport = try await phase(plan.workload.rawValue, plan.extent, ground, isShown: true)
        ground.group.close()
        control.close()
        return report
    }

    private func resolve() async throws -> SocketAddress {
        let found: [SocketAddress]
        do {
            found = try await host.network.resolve(plan.host, port: plan.port)
        } catch {
            throw BenchError("The host \"\(plan.host)\" is not known.")
        }
        guard let first = found.first(where: { $0.host.count == 4 }) ?? found.first else {
            throw BenchError("The host \"\(plan.host)\" has no address.")
        }
        return first
    }

    private func security() async throws -> (any TransportSecurity)? {
        guard var wanted = plan.security else { return nil }
        wanted.hostName = plan.host
        do throws(NetworkError) {
            return try await host.network.prepare(wanted)
        } catch {
            guard case .insecure(let fault) = error else { throw error }
            throw BenchError("TLS cannot be set up: \(fault).")
        }
    }

    private func prepare(
        _ control: CQLConnection, _ address: SocketAddress, _ connections: ConnectionOptions
    ) async throws -> Ground {
        let table = BenchTable(plan)
        _ = try await control.query(table.createKeyspace)
        _ = try await control.query(table.createTable)
        let insert = try await control.prepare(table.insert)
        let select = try await control.prepare(table.select)
        var options = QueryOptions(consistency: plan.consistency)
        let write = ExecuteTemplate(insert, options: options, version: control.version)
        options.skipsMetadata = true
        let read = ExecuteTemplate(select, options: options, version: control.version)
        guard read.valueCount == 1, write.valueCount == plan.columns + 1 else {
            throw BenchError("The server prepared other statements than it was asked to.")
        }
        let group = try await LoadGroup.connect(to: address, plan: plan, connections, host: host)
        return Ground(
            group: group, read: read, write: write, values: ValueSource(table, seed: plan.seed),
            version: control.version)
    }

    /// Writes every row once.
    private func preload(_ ground: Ground) async throws {
        tell("writing \(plan.rows) rows")
        let count: Int = ground.group.connectionCount
        let rows: Int = plan.rows
        let progress = ground.group.start { index in
            ConnectionLoad(
                read: ground.read, write: ground.write, values: ground.values,
                sequence: RequestSequence(writingFrom: index, step: count, seed: plan.seed &+ UInt64(index)),
                inFlight: plan.inFlight, remainingCount: rows / count + (index < rows % count ? 1 : 0), pace: nil)
        }
        while !progress.isDone { try await host.time.sleep(for: BenchRun.pollInterval) }
        let counts: LoadCounts = await ground.group.takeCounts()
        if let (words, times) = counts.errorKinds.max(by: { $0.value < $1.value }) {
            throw BenchError("\(counts.errorCount) rows could not be written, \(times) of them because: \(words)")
        }
    }

    /// Sends requests until the extent is reached, and says what came of them.
    private func phase(
        _ name: String, _ extent: BenchPlan.Extent, _ ground: Ground, isShown: Bool
    ) async throws -> BenchReport {
        if !isShown { tell("warming up") }
        let clock = PhaseClock(host.time, clocks)
        let progress = ground.group.start { index in connectionLoad(index, extent, ground, clock.startNanoseconds) }
        var total = LoadCounts()
        var shownAt: UInt64 = clock.startNanoseconds
        var isStopping = false
        while !progress.isDone {
            try await host.time.sleep(for: BenchRun.pollInterval)
            let elapsed: Duration = clock.elapsed
            if case .duration(let limit) = extent, elapsed >= limit, !isStopping {
                isStopping = true
                ground.group.stop()
            }
            if case .duration(let limit) = extent, elapsed >= limit + BenchRun.drainLimit { ground.group.abandon() }
            let now: UInt64 = host.time.monotonicNanoseconds
            guard !isStopping, now &- shownAt >= 1_000_000_000 else { continue }
            let counts: LoadCounts = await ground.group.takeCounts()
            if isShown { tell(ProgressLine.text(counts, elapsed: elapsed, interval: now &- shownAt)) }
            shownAt = now
            total.add(counts)
            try checkHope(total)
        }
        let used = clock.end()
        total.add(await ground.group.takeCounts())
        return BenchReport(name, plan, version: ground.version, total, used, backlog: progress.backlog)
    }

    private func connectionLoad(
        _ index: Int, _ extent: BenchPlan.Extent, _ ground: Ground, _ start: UInt64
    ) -> ConnectionLoad {
        let count: Int = ground.group.connectionCount
        var remaining = Int.max
        if case .requests(let all) = extent { remaining = all / count + (index < all % count ? 1 : 0) }
        var pace: Pace?
        if let rate = plan.rate {
            // The connections take turns, instead of all sending at the same moment.
            let offset = UInt64(Double(index) * 1e9 / rate)
            pace = Pace(startNanoseconds: start &+ offset, requestsPerSecond: rate / Double(count))
        }
        let sequence = RequestSequence(
            rows: plan.rows, readPercent: plan.readShare, seed: plan.seed &* 1_000_003 &+ start &+ UInt64(index))
        return ConnectionLoad(
            read: ground.read, write: ground.write, values: ground.values, sequence: sequence,
            inFlight: plan.inFlight, remainingCount: remaining, pace: pace)
    }

    private func checkHope(_ counts: LoadCounts) throws(BenchError) {
        guard counts.completedCount == 0, counts.errorCount >= BenchRun.hopelessErrorCount,
            let words = counts.errorKinds.max(by: { $0.value < $1.value })?.key
        else { return }
        throw BenchError("Every request fails: \(words)")
    }
}

/// The clocks at the start of a phase.
private struct PhaseClock {
    let startNanoseconds: UInt64
    private let time: any TimeSource
    private let clocks: ProcessorClocks
    private let server: UInt64?
    private let client: UInt64?

    init(_ time: any TimeSource, _ clocks: ProcessorClocks) {
        self.time = time
        self.clocks = clocks
        self.server = clocks.server?()
        self.client = clocks.client?()
        self.startNanoseconds = time.monotonicNanoseconds
    }

    var elapsed: Duration { .nanoseconds(Int64(clamping: time.monotonicNanoseconds &- startNanoseconds)) }

    func end() -> TimeUsed {
        let elapsed: UInt64 = time.monotonicNanoseconds &- startNanoseconds
        return TimeUsed(
            elapsedNanoseconds: elapsed, serverNanoseconds: PhaseClock.difference(server, clocks.server?()),
            clientNanoseconds: PhaseClock.difference(client, clocks.client?()))
    }

    private static func difference(_ before: UInt64?, _ after: UInt64?) -> UInt64? {
        guard let before, let after, after >= before else { return nil }
        return after - before
    }
}
