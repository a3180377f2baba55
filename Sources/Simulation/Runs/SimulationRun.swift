import CQL
import MartletClient
import Primitives
import SimulatedHost

/// What a run is told beside its seed.
package struct RunOptions: Sendable {
    /// How many nodes; the seed says when nil.
    package var nodeCount: Int?
    /// How long clients work and faults happen.
    package var lengthMilliseconds = 20_000
    package var clientCount = 6
    /// What goes wrong; the seed says when nil.
    package var plan: FaultPlan?
    package var workloads: [WorkloadKind] = WorkloadKind.allCases
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
    /// Nil when the run has no such work.
    let rows: RowWorkload?
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
        let nodeCount: Int = options.nodeCount ?? 3 + [0, 0, 0, 1, 2, 2, 4][generator.below(7)]
        self.options = options
        let drawn = FaultPlan.drawn(
            &generator, nodeCount: nodeCount, lengthMilliseconds: options.lengthMilliseconds)
        self.plan = options.plan ?? drawn
        let settings: [String: String] = SimulationRun.settings.merging(options.settings) { $1 }
        self.cluster = try SimulatedCluster(
            seed: seed, nodeCount: nodeCount, shardCount: 1 + generator.below(2), settings: settings)
        self.clock = HistoryClock(cluster.world, keepsLines: options.keepsLines)
        self.keeper = NodeKeeper(cluster, clock)
        self.driver = FaultDriver(cluster, keeper, clock)
        let kinds: [WorkloadKind] = options.workloads
        let rows: RowWorkload? = kinds.contains(.rows) ? RowWorkload(clock) : nil
        let registers: ConditionalWorkload? = kinds.contains(.registers) ? ConditionalWorkload(clock) : nil
        let counters: CounterWorkload? = kinds.contains(.counters) ? CounterWorkload(clock) : nil
        let schema: SchemaWorkload? = kinds.contains(.schema) ? SchemaWorkload(clock, cluster) : nil
        self.rows = rows
        self.schema = schema
        let all: [(any Workload)?] = [rows, registers, counters, schema]
        self.workloads = all.compactMap { $0 }
        let drawnFrom: [(any Workload)?] = [
            rows, rows, rows, rows, rows, registers, registers, registers, counters, counters,
        ]
        self.lots = drawnFrom.compactMap { $0 }
        for number in 1...max(1, options.clientCount) {
            clients.append(
                WorkloadClient(number, cluster, generator.split(), timeout: .milliseconds(3_000)))
        }
    }

    /// Time limits of a second, so that a run sees many of them pass; little memory, so that files are written.
    private static let settings: [String: String] = [
        "write_request_timeout": "1000ms", "read_request_timeout": "1000ms", "range_request_timeout": "1500ms",
        "counter_write_request_timeout": "1000ms", "cas_contention_timeout": "1000ms", "request_timeout": "2000ms",
        "memtable_heap_space": "1MiB", "commitlog_segment_size": "1MiB", "file_cache_size": "4MiB",
        "hints_flush_period": "1s",
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
            seed: cluster.world.seed, nodeCount: cluster.nodes.count, operationCount: clock.operationCount, plan: plan,
            violations: violations, undecided: workloads.flatMap(\.undecided),
            trace: cluster.world.traceHash ^ cluster.clients.record.hash, lines: clock.lines,
            nanoseconds: cluster.world.nowNanoseconds)
    }

    private func run() async throws {
        for node in cluster.nodes { try await node.start() }
        try await makeSchema()
        clock.note("the cluster is ready")
        await withTaskGroup(of: Void.self) { group in
            group.addTask { [self] in await keeper.run() }
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

    var replicationFactor: Int { min(3, cluster.nodes.count) }

    func rest(milliseconds: Int) async {
        try? await cluster.clients.sleep(for: .milliseconds(milliseconds))
    }

    private func makeSchema() async throws {
        let connection = try await cluster.clients.connect(to: cluster.node)
        _ = try await connection.query(
            "CREATE KEYSPACE sim WITH replication = {'class': 'SimpleStrategy', 'replication_factor': \(replicationFactor)}"
        )
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
