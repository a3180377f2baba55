import Cluster
import Coordination
import DataModel
import Environment
import Primitives
import SimulatedHost
import Storage

/// What tests of repairs do with the nodes of a `CoordinatedWorld`.
extension CoordinatedNode {
    static func repairTable(
        _ id: UUID, replication: [String: String] = ReplicaWorld.replication, mode: TombstonePurge.Mode = .repair
    ) -> RepairTable {
        RepairTable(
            id: id, keyspace: "ks", name: "t", replication: replication,
            purge: TombstonePurge(mode: mode, graceSeconds: 864_000))
    }

    func plan(_ options: RepairOptions, _ tables: [RepairTable]) throws -> RepairPlan {
        let liveness: Liveness = self.liveness
        return try RepairPlan(options, tables: tables, topology: topology, local: id) { liveness.isAlive($0) }
    }

    /// Runs a repair to its end.
    func repair(
        _ options: RepairOptions = RepairOptions(keyspace: "ks"), tables: [UUID] = [ReplicaWorld.table],
        whileRunning: @escaping @Sendable (RepairJob) async -> Void = { _ in }
    ) async throws -> RepairReport {
        let plan = try plan(options, tables.map { CoordinatedNode.repairTable($0) })
        let end = AwaitedReport()
        let job = try repairs.start(options, plan, finished: { report in end.set(report) })
        await whileRunning(job)
        return await end.wait()
    }

    /// The hashes of all that this node has of a table, in order.
    func units(_ table: UUID = ReplicaWorld.table) async throws -> UnitPage {
        let frame = HashFrame(nowSeconds: host.time.wallSeconds, purgeSeconds: HashFrame.hashesAll)
        let writer = UnitPageWriter(frame, after: nil, byteLimit: .max)
        for index in replica.shards.indices {
            try await replica.run(on: index) { shard in
                guard let store = shard.store.table(table) else { return }
                try await writer.fill(from: store.cursor(ReadCommand(partitions: .all)))
            }
        }
        return writer.page()
    }

    /// Begins to keep everything verified.
    func verifyContinuously(window: Duration) -> ContinuousRepair {
        var options = ContinuousRepair.Options()
        options.window = window
        let topology: Topology = self.topology
        let tables: [RepairTable] = [CoordinatedNode.repairTable(ReplicaWorld.table)]
        let made = ContinuousRepair(
            ContinuousRepair.Parts(
                host: host, local: id, messenger: messages, liveness: liveness, watermarks: watermarks, missed: missed,
                tables: { tables }, topology: { topology }), options)
        made.start()
        return made
    }

    /// Writes to this node alone.
    func put(_ mutation: [UInt8]) async throws { try await replica.apply(mutation) }
}

/// Lets a test wait for the end of a repair. Used by one thread at a time, as all of a world.
final class AwaitedReport: @unchecked Sendable {
    private var report: RepairReport?
    private var waiting: UnsafeContinuation<RepairReport, Never>?

    func set(_ report: RepairReport) {
        self.report = report
        waiting?.resume(returning: report)
        waiting = nil
    }

    func wait() async -> RepairReport {
        if let report { return report }
        return await withUnsafeContinuation { waiting = $0 }
    }
}

/// A change of one partition that a test brings to some replicas.
struct RepairChange {
    enum Kind {
        case row(String, value: String, ttl: UInt32 = 0)
        case deleteCell(String)
        case deleteRow(String)
        case deleteRange(String, String)
        case deletePartition
        case setStatic(String)
        /// What a node has counted.
        case counted(String, node: UInt64, clock: Int64, count: Int64)
    }

    static let staticColumn: UInt16 = 7

    let key: String
    let kinds: [Kind]
    let timestamp: Int64
    let nowSeconds: Int64

    func encoded(table: UUID = ReplicaWorld.table) -> [UInt8] {
        let bytes = Array(key.utf8)
        var writer = ByteWriter()
        var mutation = MutationWriter(
            table: table, token: Token(ofKey: bytes.span.bytes), key: bytes.span.bytes, to: &writer)
        let deletion = Deletion(timestamp: timestamp, localSeconds: nowSeconds)
        for case .deletePartition in kinds { mutation.partitionDeletion(deletion, to: &writer) }
        for case .setStatic(let text) in kinds {
            let start = mutation.beginStaticRow(&writer)
            let value = Array(text.utf8)
            var row = RowWriter(marker: nil, baseTimestamp: timestamp, deletion: .none, to: &writer)
            row.live(column: RepairChange.staticColumn, timestamp: timestamp, value: value.span.bytes, to: &writer)
            row.finish(&writer)
            mutation.endBody(start, &writer)
        }
        mutation.beginRows(&writer)
        for kind in kinds { write(kind, deletion, &mutation, &writer) }
        mutation.beginRanges(&writer)
        for case .deleteRange(let from, let to) in kinds {
            let (start, end) = (Array(from.utf8), Array(to.utf8))
            mutation.range(start: start.span.bytes, end: end.span.bytes, deletion, to: &writer)
        }
        mutation.finish(&writer)
        return writer.array()
    }

    private func write(
        _ kind: Kind, _ deletion: Deletion, _ mutation: inout MutationWriter, _ writer: inout ByteWriter
    ) {
        let name: String
        switch kind {
        case .row(let row, _, _), .deleteCell(let row), .deleteRow(let row), .counted(let row, _, _, _): name = row
        case .deleteRange, .deletePartition, .setStatic: return
        }
        let clustering = Array(name.utf8)
        let start = mutation.beginRow(clustering: clustering.span.bytes, to: &writer)
        var marker: RowMarker?
        if case .row(_, _, let ttl) = kind {
            marker = RowMarker(
                timestamp: timestamp, ttl: ttl, expiresSeconds: ttl == 0 ? .max : nowSeconds + Int64(ttl))
        }
        var shadow: Deletion = .none
        if case .deleteRow = kind { shadow = deletion }
        var row = RowWriter(marker: marker, baseTimestamp: timestamp, deletion: shadow, to: &writer)
        switch kind {
        case .row(_, let text, let ttl):
            let value = Array(text.utf8)
            row.live(
                column: ReplicaWorld.column, timestamp: timestamp, ttl: ttl,
                expiresSeconds: ttl == 0 ? .max : nowSeconds + Int64(ttl), value: value.span.bytes, to: &writer)
        case .deleteCell:
            row.tombstone(
                column: ReplicaWorld.column, timestamp: timestamp, deletedSeconds: nowSeconds, to: &writer)
        case .counted(_, let node, let clock, let count):
            var context = ByteWriter()
            CounterContext.write(
                CounterContext.Shard(clock: clock, count: count), of: UUID(high: 9, low: node), to: &context)
            row.live(
                column: CoordinatedNode.counter, timestamp: timestamp, value: context.span, isCounter: true,
                to: &writer)
        default: break
        }
        row.finish(&writer)
        mutation.endBody(start, &writer)
    }
}

extension CoordinatedWorld {
    var nowSeconds: Int64 { machines[0].host.time.wallSeconds }
}
