import Administration
import Cluster
import Coordination
import DataModel
import Environment
import Primitives
import Query
import Storage
import Synchronization

/// What tables hold, and how reads and writes of them go.
extension LiveAdministration {
    var tableRoutes: [AdminRoute] {
        [
            .get("/tablestats") { (request) throws(AdminFailure) in try await self.tableStatistics(request) },
            .get("/tablehistograms") { (request) throws(AdminFailure) in try await self.tableHistograms(request) },
            .get("/toppartitions") { (request) throws(AdminFailure) in try await self.topPartitions(request) },
            .get("/describering") { (request) throws(AdminFailure) in try self.describeRing(request) },
            .get("/rangekeysample") { (_) throws(AdminFailure) in try await self.rangeKeySample() },
        ]
    }

    // MARK: Statistics

    /// What is known of one table, over all shards.
    struct TableFigures: Sendable {
        let table: TableDefinition
        let statistics: TableStatistics
        let meters: TableMeters
        let snapshotByteCount: Int
        let pendingCompactionCount: Int
        /// From 0 to 1; nil where there is one copy.
        var repairedShare: Double?
        var speculationCount = 0
    }

    func figures(of tables: [TableDefinition]) async throws(AdminFailure) -> [TableFigures] {
        let engine: StorageEngine = try current().parts.engine
        let snapshots: [Snapshot] = try await self.snapshots()
        var snapshotBytes: [UUID: Int] = [:]
        for snapshot in snapshots { snapshotBytes[snapshot.tableID, default: 0] += snapshot.ownByteCount }
        let snapshotByteCounts: [UUID: Int] = snapshotBytes
        return try await carryOut {
            let pending: [UUID: Int] = try await engine.pendingCompactions()
            let wanted: [UUID] = tables.map(\.id)
            let all = try await engine.figures(of: wanted)
            return zip(tables, zip(all.statistics, all.meters)).map { table, figures in
                TableFigures(
                    table: table, statistics: figures.0, meters: figures.1,
                    snapshotByteCount: snapshotByteCounts[table.id] ?? 0,
                    pendingCompactionCount: pending[table.id] ?? 0)
            }
        }
    }

    /// Parameters: `name`, any number of them, is KEYSPACE or KEYSPACE.TABLE; with `ignore` all but these are wanted.
    private func tableStatistics(_ request: HTTPRequest) async throws(AdminFailure) -> JSONValue {
        let names: [String] = request.parameters("name")
        let ignores: Bool = request.flag("ignore")
        var tables: [TableDefinition] = LiveAdministration.stored(LiveSchema.whole(try current().metadata.schema))
        let count: Int = tables.count
        for name in names {
            guard tables.contains(where: { $0.keyspace == name || "\($0.keyspace).\($0.name)" == name }) else {
                throw .invalid(
                    name.contains(".")
                        ? "Unknown table: \(name)" : "Unknown keyspace: \(name)")
            }
        }
        if !names.isEmpty {
            tables = tables.filter { table in
                (names.contains(table.keyspace) || names.contains("\(table.keyspace).\(table.name)")) != ignores
            }
        }
        let figures: [TableFigures] = try await withCoordination(try await figures(of: tables))
        var members: [JSONValue.Member] = [
            JSONValue.Member(name: "total_number_of_tables", value: .integer(count))
        ]
        var place = 0
        while place < figures.count {
            let keyspace: String = figures[place].table.keyspace
            let own: [TableFigures] = figures[place...].prefix { $0.table.keyspace == keyspace }.map { $0 }
            members.append(JSONValue.Member(name: keyspace, value: LiveAdministration.keyspaceJSON(own)))
            place += own.count
        }
        return .object(members)
    }

    /// With what is known beyond this node's own files.
    private func withCoordination(_ figures: [TableFigures]) async throws(AdminFailure) -> [TableFigures] {
        let group: ShardGroup = try current().parts.group
        let counts: [UUID: Int] = try await carryOut {
            var sums: [UUID: Int] = [:]
            for shard in group.executors.indices {
                let (pages, rows) = try await group.run(on: shard) { executor in
                    (executor.coordination.reads.speculationCounts, executor.coordination.rowReads.speculationCounts)
                }
                sums.merge(pages, uniquingKeysWith: +)
                sums.merge(rows, uniquingKeysWith: +)
            }
            return sums
        }
        let shares: [TableName: Double] = (try? repairedShares()) ?? [:]
        return figures.map { figures in
            var whole: TableFigures = figures
            whole.repairedShare = shares[TableName(keyspace: figures.table.keyspace, table: figures.table.name)]
            whole.speculationCount = counts[figures.table.id] ?? 0
            return whole
        }
    }

    private static func keyspaceJSON(_ figures: [TableFigures]) -> JSONValue {
        var reads = LogHistogram()
        var writes = LogHistogram()
        for table in figures {
            reads.add(table.meters.readNanoseconds)
            reads.add(table.meters.rangeNanoseconds)
            writes.add(table.meters.writeNanoseconds)
        }
        return .record([
            "read_count": .integer(figures.reduce(0) { $0 + $1.statistics.readCount + $1.statistics.rangeCount }),
            "read_latency_ms": milliseconds(reads),
            "write_count": .integer(figures.reduce(0) { $0 + $1.statistics.writeCount }),
            "write_latency_ms": milliseconds(writes),
            "pending_flushes": .integer(figures.count { $0.statistics.isFlushPending }),
            "tables": .object(
                figures.map { JSONValue.Member(name: $0.table.name, value: $0.json) }),
        ])
    }

    /// The mean in milliseconds; null when nothing was measured.
    static func milliseconds(_ histogram: LogHistogram) -> JSONValue {
        histogram.isEmpty ? .null : .decimal((histogram.mean / 1_000).rounded() / 1_000)
    }

    // MARK: Histograms

    private func tableHistograms(_ request: HTTPRequest) async throws(AdminFailure) -> JSONValue {
        let tables: [TableDefinition] = try chosenTables(request)
        let all: [JSONValue] = try await figures(of: tables).map { figures in
            .record([
                "keyspace": .string(figures.table.keyspace), "table": .string(figures.table.name),
                "read_latency_micros": LiveAdministration.percentiles(figures.meters.readNanoseconds, divisor: 1_000),
                "write_latency_micros": LiveAdministration.percentiles(
                    figures.meters.writeNanoseconds, divisor: 1_000),
                "range_latency_micros": LiveAdministration.percentiles(
                    figures.meters.rangeNanoseconds, divisor: 1_000),
                "sstables_per_read": LiveAdministration.percentiles(figures.meters.filesPerRead),
                "partition_size_bytes": LiveAdministration.percentiles(figures.statistics.partitionByteCounts),
                "cell_count": LiveAdministration.percentiles(figures.statistics.partitionCellCounts),
                "live_rows_per_read": LiveAdministration.percentiles(figures.meters.rowsPerRead),
                "tombstones_per_read": LiveAdministration.percentiles(figures.meters.tombstonesPerRead),
            ])
        }
        return .record(["tables": .array(all)])
    }

    /// How values are distributed; null when there are none.
    static func percentiles(_ histogram: LogHistogram, divisor: Double = 1) -> JSONValue {
        if histogram.isEmpty { return .null }
        func value(_ number: Double) -> JSONValue { .decimal((number / divisor * 1_000).rounded() / 1_000) }
        return .record([
            "count": .big(histogram.count), "p50": value(Double(histogram.percentile(0.5))),
            "p75": value(Double(histogram.percentile(0.75))), "p95": value(Double(histogram.percentile(0.95))),
            "p98": value(Double(histogram.percentile(0.98))), "p99": value(Double(histogram.percentile(0.99))),
            "p999": value(Double(histogram.percentile(0.999))), "min": value(Double(histogram.minimum)),
            "max": value(Double(histogram.maximum)), "mean": value(histogram.mean),
        ])
    }

    // MARK: The busiest partitions

    /// Parameters: `duration` in milliseconds, `size` of the tables in which partitions are counted, `top`.
    private func topPartitions(_ request: HTTPRequest) async throws(AdminFailure) -> JSONValue {
        let engine: StorageEngine = try current().parts.engine
        let tables: [TableDefinition] = try chosenTables(request)
        func number(_ name: String, _ usual: Int, _ range: ClosedRange<Int>) throws(AdminFailure) -> Int {
            guard let text = request.parameter(name) else { return usual }
            guard let value = Int(text), range.contains(value) else {
                throw .invalid("\(name) is a number from \(range.lowerBound) to \(range.upperBound), not \(text).")
            }
            return value
        }
        let duration: Int = try number("duration", 10_000, 1...600_000)
        let capacity: Int = try number("size", 1_024, 1...65_536)
        let top: Int = try number("top", 10, 1...1_000)
        guard isSampling.compareExchange(expected: false, desired: true, ordering: .acquiringAndReleasing).exchanged
        else { throw .unavailable("Somebody else is looking for the busiest partitions now.") }
        defer { isSampling.store(false, ordering: .releasing) }
        let chosen: Set<UUID> = Set(tables.map(\.id))
        let time: any TimeSource = self.time
        let counts: [PartitionSampler.Counts] = try await carryOut {
            try await engine.beginSampling(tables: chosen, capacity: capacity)
            try? await time.sleep(for: .milliseconds(duration))
            return try await engine.endSampling()
        }
        let names: [UUID: TableDefinition] = Dictionary(tables.map { ($0.id, $0) }) { first, _ in first }
        let samplers: [(String, PartitionSampler.Kind)] = [
            ("reads", .reads), ("writes", .writes), ("write_size", .writtenBytes),
        ]
        var members: [JSONValue.Member] = [JSONValue.Member(name: "duration_ms", value: .integer(duration))]
        for (name, kind) in samplers {
            let counted: PartitionSampler.Counts = counts[kind.rawValue]
            let entries: [JSONValue] = counted.top(top).map { entry in
                let table: TableDefinition? = names[entry.partition.table]
                return .record([
                    "keyspace": .optional(table?.keyspace), "table": .optional(table?.name),
                    "partition": .string(PartitionKeyText.text(of: entry.partition.key, table?.partitionKey ?? [])),
                    "count": .integer(entry.count), "error": .integer(counted.error),
                ])
            }
            members.append(
                JSONValue.Member(
                    name: name,
                    value: .record([
                        "total": .integer(counted.total), "cardinality": .integer(counted.byPartition.count),
                        "partitions": .array(entries),
                    ])))
        }
        return .object(members)
    }

    private func rangeKeySample() async throws(AdminFailure) -> JSONValue {
        let engine: StorageEngine = try current().parts.engine
        let ids: [UUID] = LiveAdministration.stored(LiveSchema.whole(try current().metadata.schema)).map(\.id)
        let tokens: [Int64] = try await carryOut { try await engine.edgeTokens(of: ids) }
        return .record(["tokens": .texts(tokens.map { String($0) })])
    }

    // MARK: Ranges

    /// The ranges of tokens of a keyspace, each with its replicas.
    private func describeRing(_ request: HTTPRequest) throws(AdminFailure) -> JSONValue {
        let (parts, metadata) = try current()
        let schema: Schema = LiveSchema.whole(metadata.schema)
        guard let name = request.parameter("keyspace") else { throw .invalid("The parameter keyspace is needed.") }
        guard let keyspace = schema.keyspace(name), !keyspace.isVirtual else {
            throw .invalid("The keyspace \(name) does not exist.")
        }
        let topology = Topology(metadata, local: NodeID(parts.local.hostID))
        guard let placement = try? topology.placement(for: keyspace.replication) else {
            throw .invalid("The keyspace \(name) has no replicas.")
        }
        let ranges: [JSONValue] = placement.ranges.map { placed in
            let replicas: [JSONValue] = placed.replicas.natural.compactMap { topology.member($0) }.map { member in
                .record([
                    "host": .string(member.internode.hostText), "port": .integer(Int(member.internode.port)),
                    "rpc_address": .string(member.native.hostText), "rpc_port": .integer(Int(member.native.port)),
                    "datacenter": .string(member.datacenter), "rack": .string(member.rack),
                ])
            }
            return .record([
                "start_token": .string(placed.range.start.description),
                "end_token": .string(placed.range.end.description), "replicas": .array(replicas),
            ])
        }
        return .record(["schema_version": .string(schema.version.description), "ranges": .array(ranges)])
    }
}

extension LiveAdministration.TableFigures {
    /// With the names of Cassandra's `tablestats --format json`.
    var json: JSONValue {
        let partitions: LogHistogram = statistics.partitionByteCounts
        let ratio: Double =
            statistics.rawByteCount == 0 ? -1 : Double(statistics.diskByteCount) / Double(statistics.rawByteCount)
        let droppable: Double =
            statistics.cellCount == 0
            ? 0 : Double(statistics.droppableTombstoneCount) / Double(max(1, statistics.cellCount))
        return .record([
            "table_id": .string(table.id.description), "sstable_count": .integer(statistics.sstableCount),
            "max_sstable_size": .integer(statistics.largestFileByteCount),
            "space_used_live": .integer(statistics.diskByteCount),
            "space_used_total": .integer(statistics.diskByteCount),
            "space_used_by_snapshots_total": .integer(snapshotByteCount),
            "off_heap_memory_used_total": .integer(statistics.residentByteCount + statistics.memtableByteCount),
            "sstable_compression_ratio": .decimal((ratio * 100_000).rounded() / 100_000),
            "number_of_partitions_estimate": .integer(statistics.estimatedPartitionCount),
            "memtable_cell_count": .integer(statistics.memtableCellCount),
            "memtable_data_size": .integer(statistics.memtableByteCount),
            "memtable_switch_count": .integer(statistics.flushCount),
            "speculative_retries": .integer(speculationCount),
            "local_read_count": .integer(statistics.readCount + statistics.rangeCount),
            "local_range_read_count": .integer(statistics.rangeCount),
            "local_read_latency_ms": LiveAdministration.milliseconds(meters.readNanoseconds),
            "local_range_latency_ms": LiveAdministration.milliseconds(meters.rangeNanoseconds),
            "local_write_count": .integer(statistics.writeCount),
            "local_write_latency_ms": LiveAdministration.milliseconds(meters.writeNanoseconds),
            "local_read_write_ratio": .decimal(
                LiveAdministration.ratio(statistics.readCount + statistics.rangeCount, of: statistics.writeCount)),
            "pending_flushes": .integer(statistics.isFlushPending ? 1 : 0),
            "pending_compactions": .integer(pendingCompactionCount),
            "compactions_completed": .integer(statistics.compactionCount),
            "bytes_flushed": .integer(statistics.flushedByteCount),
            "compaction_bytes_written": .integer(statistics.compactedByteCount),
            // What has one copy is as equal as it can be.
            "percent_repaired": .decimal(LiveAdministration.percent(repairedShare ?? 1)),
            "bloom_filter_false_positives": .integer(statistics.filterMistakeCount),
            "bloom_filter_false_ratio": .decimal(
                LiveAdministration.ratio(statistics.filterMistakeCount, of: statistics.filterPassCount)),
            "bloom_filter_space_used": .integer(statistics.filterByteCount),
            "file_memory_used": .integer(statistics.residentByteCount),
            "compacted_partition_minimum_bytes": .big(partitions.minimum),
            "compacted_partition_maximum_bytes": .big(partitions.maximum),
            "compacted_partition_mean_bytes": .integer(Int(partitions.mean)),
            "average_live_cells_per_slice": meters.rowsPerRead.isEmpty ? .null : .decimal(meters.rowsPerRead.mean),
            "maximum_live_cells_per_slice": .big(meters.rowsPerRead.maximum),
            "average_tombstones_per_slice": meters.tombstonesPerRead.isEmpty
                ? .null : .decimal(meters.tombstonesPerRead.mean),
            "maximum_tombstones_per_slice": .big(meters.tombstonesPerRead.maximum),
            "droppable_tombstone_ratio": .decimal((droppable * 100_000).rounded() / 100_000),
        ])
    }
}
