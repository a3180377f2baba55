import CQL
import MartletClient
import Primitives
import SimulatedHost

/// What a run is told beside its seed.
package struct RunOptions: Sendable {
    /// How many nodes; the seed says when nil.
    package var nodeCount: Int?
    /// Where nodes stand and how many copies there are; the seed says when nil.
    package var layout: ClusterShape.Layout?
    /// How long clients work and faults happen.
    package var lengthMilliseconds = 20_000
    package var clientCount = 6
    /// How many nodes more there are, which come and go while clients work; the seed says when nil and nothing is said of
    /// the other nodes either.
    package var spareCount: Int?
    /// What goes wrong; the seed says when nil.
    package var plan: FaultPlan?
    /// What clients do; the seed says when nil.
    package var workloads: [WorkloadKind]?
    /// Whether the report has all lines.
    package var keepsLines = false
    /// Keys of `conf/martlet.yaml`, for all nodes.
    package var settings: [String: String] = [:]

    package init() {}
}

/// One run: a cluster with clients, faults, a time of quiet, and the judgement.
///
///     start ─▶ schema ─▶ clients and faults ─▶ all heal ─▶ hints ─▶ reads at ALL ─▶ everything is looked at ─▶ checkers
///
/// `Sendable` is unchecked because a world and all that belongs to it is used by one thread at a time.
package final class SimulationRun: @unchecked Sendable {
    package let cluster: SimulatedCluster
    package let plan: FaultPlan
    let options: RunOptions
    let clock: HistoryClock
    let keeper: NodeKeeper
    let driver: FaultDriver
    /// Nil when all nodes stay.
    let mover: RingMover?
    let shape: ClusterShape
    let kinds: [WorkloadKind]
    /// The work of which replicas can be asked one by one.
    let rows: [RowWorkload]
    /// Nil when the run has no such work.
    let schema: SchemaWorkload?
    let workloads: [any Workload]
    /// What a client draws its next operation from: some kinds of work are more frequent than others.
    private let lots: [any Workload]
    var clients: [WorkloadClient] = []
    /// What was found to be wrong before the histories are judged.
    var violations: [Violation] = []
    private var isStopping = false

    package init(seed: UInt64, options: RunOptions = RunOptions()) throws {
        var generator = SeededGenerator(seed: seed)
        // What a run is about is drawn apart from what happens in it.
        var choices = SeededGenerator(seed: seed ^ 0x5EED_0F5A_4A7E_5EED)
        var nodeCount: Int = options.nodeCount ?? 3 + [0, 0, 0, 1, 2, 2, 4][generator.below(7)]
        // Four and seven nodes often: there most coordinators are no replica.
        if options.nodeCount == nil, options.layout == nil, choices.oneIn(3) { nodeCount = choices.oneIn(2) ? 4 : 7 }
        var spareCount: Int = options.spareCount ?? 0
        var settings: [String: String] = SimulationRun.settings
        if options.nodeCount == nil, options.layout == nil {
            if options.spareCount == nil, choices.oneIn(3) { spareCount = 1 + choices.below(2) }
            if choices.oneIn(4) { settings.merge(SimulationRun.repairing) { $1 } }
        }
        let shape = ClusterShape.drawn(
            &choices, nodeCount: nodeCount, spareCount: spareCount, isFixed: options.nodeCount != nil,
            layout: options.layout)
        let kinds: [WorkloadKind] = options.workloads ?? WorkloadKind.drawn(&choices)
        let drawn = FaultPlan.drawn(
            &generator, nodeCount: shape.nodeCount, lengthMilliseconds: options.lengthMilliseconds)
        let plan: FaultPlan = options.plan ?? drawn
        self.options = options
        self.plan = plan
        self.shape = shape
        self.kinds = kinds
        settings.merge(options.settings) { $1 }
        let cluster = try SimulatedCluster(
            seed: seed, shape: shape, shardCount: 1 + generator.below(2), settings: settings)
        self.cluster = cluster
        let clock = HistoryClock(cluster.world, keepsLines: options.keepsLines)
        self.clock = clock
        self.keeper = NodeKeeper(cluster, clock)
        self.mover =
            spareCount == 0
            ? nil
            : RingMover(cluster, shape, clock, SeededGenerator(seed: seed ^ 0x4164_6421), spareCount: spareCount)
        let driver = FaultDriver(cluster, keeper, clock)
        self.driver = driver
        // The lots of a client are in the order of the kinds.
        let made: [(kind: WorkloadKind, workload: any Workload)] = WorkloadKind.allCases.filter(kinds.contains).map {
            ($0, SimulationRun.make($0, clock, cluster, driver, shape, plan))
        }
        self.workloads = made.map(\.workload)
        self.lots = made.flatMap { Array(repeating: $0.workload, count: $0.kind.lotCount) }
        self.rows = workloads.compactMap { $0 as? RowWorkload }
        self.schema = workloads.lazy.compactMap { $0 as? SchemaWorkload }.first
        for number in 1...max(1, options.clientCount) {
            clients.append(
                WorkloadClient(number, cluster, generator.split(), timeout: .milliseconds(3_000)))
        }
    }

    private static func make(
        _ kind: WorkloadKind, _ clock: HistoryClock, _ cluster: SimulatedCluster, _ driver: FaultDriver,
        _ shape: ClusterShape, _ plan: FaultPlan
    ) -> any Workload {
        let settling: Int = plan.settlingMilliseconds
        switch kind {
        case .rows: return RowWorkload(clock, shape, hasStatic: false)
        case .statics: return RowWorkload(clock, shape, hasStatic: true)
        case .registers: return ConditionalWorkload(clock, shape)
        case .counters: return CounterWorkload(clock)
        case .schema: return SchemaWorkload(clock, cluster)
        case .batches: return BatchWorkload(clock)
        case .expiry: return ExpiryWorkload(clock) { driver.clocks }
        case .scans: return ScanWorkload(clock, isTruncating: false, settlingMilliseconds: settling)
        case .truncation: return ScanWorkload(clock, isTruncating: true, settlingMilliseconds: settling)
        case .columns: return ColumnWorkload(clock, learningMilliseconds: settling)
        }
    }

    /// In some runs ranges are verified all the time.
    private static let repairing: [String: String] = [
        "continuous_repair": "true", "continuous_repair_window": "30s", "repair_throughput": "0MiB/s",
    ]

    /// Time limits of a second, so that a run sees many of them pass; little memory, so that files are written.
    private static let settings: [String: String] = [
        // What hints alone achieve is to be seen in most runs; RepairRunTests are about repair.
        "continuous_repair": "false",
        "write_request_timeout": "1000ms", "read_request_timeout": "1000ms", "range_request_timeout": "1500ms",
        "counter_write_request_timeout": "1000ms", "cas_contention_timeout": "1000ms", "request_timeout": "2000ms",
        "memtable_heap_space": "1MiB", "commitlog_segment_size": "1MiB", "file_cache_size": "4MiB",
        "hints_flush_period": "1s", "truncate_request_timeout": "2000ms",
    ]

    /// Runs it all.
    ///
    /// - Throws: when the world stands still, which is a fault of the harness or a node that hangs.
    package func report() throws -> RunReport {
        do {
            try cluster.run(timeLimit: .seconds(600)) { [self] _ in try await run() }
            if violations.isEmpty { violations = workloads.flatMap { $0.violations() } }
        } catch {
            violations.append(
                Violation(.clusterRecovers, subject: "cluster", reason: "the run did not end: \(error)", history: []))
        }
        return RunReport(
            seed: cluster.world.seed, shape: shape, work: kinds, operationCount: clock.operationCount, plan: plan,
            violations: violations, undecided: workloads.flatMap(\.undecided),
            trace: cluster.world.traceHash ^ cluster.clients.record.hash,
            lines: clock.lines + (options.keepsLines ? nodeLines : []),
            nanoseconds: cluster.world.nowNanoseconds)
    }

    /// What the nodes have written into their logs.
    private var nodeLines: [String] {
        cluster.nodes.flatMap { node in node.logLines.map { "\(node.machine.name): \($0)" } }
    }

    private func run() async throws {
        for node in cluster.present { try await cluster.nodes[node].start() }
        try await makeSchema()
        clock.note("the cluster is ready")
        await withTaskGroup(of: Void.self) { group in
            group.addTask { [self] in await keeper.run() }
            if let mover { group.addTask { [self] in await mover.run { self.isStopping } } }
            group.addTask { [self] in
                await withTaskGroup(of: Void.self) { inner in
                    for client in clients { inner.addTask { await self.work(client) } }
                    inner.addTask { await self.driver.run(self.plan) }
                    inner.addTask { await self.rest(milliseconds: self.options.lengthMilliseconds) }
                    // The clients go on until the faults are over and the time has passed.
                    var left: Int = 2
                    for await _ in inner {
                        left -= 1
                        if left == 0 { isStopping = true }
                    }
                }
                await settle()
                keeper.stop()
            }
        }
        for client in clients { client.close() }
    }

    func rest(milliseconds: Int) async {
        try? await cluster.clients.sleep(for: .milliseconds(milliseconds))
    }

    private func makeSchema() async throws {
        let connection = try await cluster.clients.connect(to: cluster.node)
        _ = try await connection.query("CREATE KEYSPACE sim WITH replication = \(shape.replication)")
        _ = try await connection.query("USE sim")
        for statement in workloads.flatMap(\.schema) { _ = try await connection.query(statement) }
        let found = try await connection.query("SELECT id FROM system_schema.tables WHERE keyspace_name = 'sim'")
        for row in found.rows { if let id = try row[0, as: UUID.self] { driver.tables.append(id) } }
        connection.close()
    }

    private func work(_ client: WorkloadClient) async {
        while !isStopping {
            if !lots.isEmpty { await lots[client.generator.below(lots.count)].act(client) }
            // One of the clients is the one that changes the schema.
            if let schema, client.number == 1, lots.isEmpty || client.generator.oneIn(12) { await schema.act(client) }
            await client.rest(40)
        }
    }
}
