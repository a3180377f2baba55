import Administration
import CQL
import Cluster
import Coordination
import DataModel
import Environment
import Primitives
import Query
import Storage

/// The rows of the tables of `system_views` that show how the node is now.
extension LiveAdministration {
    /// None while the node starts or stops.
    func viewRows(_ table: String) async -> [LiveViews.Row] {
        do throws(AdminFailure) {
            switch table {
            case "caches": return try await cacheRows()
            case "thread_pools": return try await stages().map { LiveAdministration.row($0) }
            case "sstable_tasks": return try await taskRows()
            case "cql_metrics": return LiveAdministration.statementRows(try await requests())
            case "batch_metrics": return LiveAdministration.batchRows(try await requests())
            case "repair_status": return try repairRows()
            case "pending_hints": return try await hintRows()
            case "internode_outbound": return try await trafficRows()
            case "internode_inbound": return try await inboundRows()
            case "gossip_info": return try await gossipRows()
            case "queries": return try await queryRows()
            case "system_logs": return logRows()
            case "streaming": return try await streamRows()
            case "repairs": return try repairReportRows()
            case "snapshots": return try await snapshots().map { LiveAdministration.row($0) }
            default: return try await tableRows(table)
            }
        } catch {
            return []
        }
    }

    private func cacheRows() async throws(AdminFailure) -> [LiveViews.Row] {
        let engine: StorageEngine = try current().parts.engine
        let work: [ShardWork] = try await carryOut { try await engine.work() }
        func sum(_ value: (ShardWork) -> Int) -> Int { work.reduce(0) { $0 + value($1) } }
        let hits: Int = sum(\.cache.hitCount)
        let requests: Int = hits + sum(\.cache.missCount)
        return [
            [
                "name": .text("chunks"), "capacity_bytes": .bigint(sum(\.cacheByteLimit)),
                "size_bytes": .bigint(sum(\.cacheByteCount)), "entry_count": .int(sum(\.cacheEntryCount)),
                "request_count": .bigint(requests), "hit_count": .bigint(hits),
                "hit_ratio": .double(requests == 0 ? 0 : Double(hits) / Double(requests)),
            ]
        ]
    }

    private static func row(_ stage: Stage) -> LiveViews.Row {
        [
            "name": .text(stage.name), "active_tasks": .int(stage.active), "active_tasks_limit": .int(stage.limit),
            "pending_tasks": .int(stage.pending), "completed_tasks": .bigint(stage.completed),
            "blocked_tasks": .bigint(stage.blocked), "blocked_tasks_all_time": .bigint(stage.blockedEver),
        ]
    }

    private static func row(_ snapshot: Snapshot) -> LiveViews.Row {
        var row: LiveViews.Row = [
            "name": .text(snapshot.name), "keyspace_name": .text(snapshot.keyspace),
            "table_name": .text(snapshot.table), "created_at": .timestamp(snapshot.createdMilliseconds),
            "ephemeral": .boolean(false), "size_on_disk": .bigint(snapshot.byteCount),
            "true_size": .bigint(snapshot.ownByteCount),
        ]
        row["expires_at"] = snapshot.expiresMilliseconds.map { .timestamp($0) }
        return row
    }

    private func taskRows() async throws(AdminFailure) -> [LiveViews.Row] {
        let engine: StorageEngine = try current().parts.engine
        return try await carryOut { try await engine.compactions() }.map { running in
            let total: Double = Double(max(1, running.totalByteCount))
            return [
                "keyspace_name": .text(running.keyspace), "table_name": .text(running.table),
                "task_id": .uuid(running.id), "completion_ratio": .double(Double(running.doneByteCount) / total),
                "kind": .text(running.kind.word.lowercased()), "progress": .bigint(running.doneByteCount),
                "sstables": .int(running.inputCount), "total": .bigint(running.totalByteCount), "unit": .text("bytes"),
            ]
        }
    }

    private static func statementRows(_ requests: RequestStatistics) -> [LiveViews.Row] {
        let prepared = Double(requests.preparedStatementCount)
        let regular = Double(requests.textStatementCount)
        let figures: [(String, Double)] = [
            ("prepared_statements_executed", prepared), ("regular_statements_executed", regular),
            ("prepared_statements_ratio", prepared + regular == 0 ? 0 : prepared / (prepared + regular)),
        ]
        return figures.map { ["name": .text($0), "value": .double($1)] }
    }

    private static func batchRows(_ requests: RequestStatistics) -> [LiveViews.Row] {
        let names: [String] = [
            "partitions_per_logged_batch", "partitions_per_unlogged_batch", "partitions_per_counter_batch",
        ]
        return zip(names, requests.batchPartitions).map { name, histogram in
            [
                "name": .text(name), "p50th": .double(Double(histogram.percentile(0.5))),
                "p99th": .double(Double(histogram.percentile(0.99))),
                "p999th": .double(Double(histogram.percentile(0.999))),
                "max": .bigint(Int(clamping: histogram.maximum)),
            ]
        }
    }

    private func hintRows() async throws(AdminFailure) -> [LiveViews.Row] {
        try await pendingHints().targets.compactMap { target in
            guard let id = UUID(text: target.id) else { return nil }
            var row: LiveViews.Row = [
                "host_id": .uuid(id), "files": .int(target.fileCount), "total_size": .bigint(target.byteCount),
                "status": .text(target.endpoint == nil ? "UNKNOWN" : target.isUp ? "UP" : "DOWN"),
            ]
            row["address"] = target.endpoint.flatMap { InetAddress(text: $0.address) }.map { .inet($0) }
            row["port"] = target.endpoint.map { .int($0.port) }
            row["dc"] = target.datacenter.map { .text($0) }
            row["rack"] = target.rack.map { .text($0) }
            row["oldest"] = target.oldestMicroseconds.map { .timestamp(Int64($0 / 1_000)) }
            row["newest"] = target.newestMicroseconds.map { .timestamp(Int64($0 / 1_000)) }
            return row
        }
    }

    private func trafficRows() async throws(AdminFailure) -> [LiveViews.Row] {
        let (parts, metadata) = try current()
        var sums: [NodeID: PeerTraffic] = [:]
        for peer in await parts.trafficWithOthers() {
            sums[peer.node, default: PeerTraffic(node: peer.node, lane: peer.lane)].add(peer)
        }
        return metadata.members.compactMap { member in
            guard let sum = sums[member.id], let address = InetAddress(bytes: member.internode.host) else { return nil }
            let counts: TrafficCounts = sum.counts
            func big(_ value: UInt64) -> ViewValue { .bigint(Int(clamping: value)) }
            return [
                "address": .inet(address), "port": .int(Int(member.internode.port)), "dc": .text(member.datacenter),
                "rack": .text(member.rack), "active_connections": .bigint(sum.openConnections),
                "connection_attempts": big(counts.attempts), "error_count": big(counts.undelivered),
                "expired_count": big(counts.expiredOutgoing), "overload_count": big(counts.overloadedOutgoing),
                "pending_bytes": .bigint(sum.pendingBytes), "pending_count": .bigint(sum.outstandingRequests),
                "sent_bytes": big(counts.sentBytes), "sent_count": big(counts.sentMessages),
                "successful_connection_attempts": big(counts.connections),
            ]
        }
    }

    // MARK: Tables

    private func tableRows(_ view: String) async throws(AdminFailure) -> [LiveViews.Row] {
        let tables: [TableDefinition] = LiveAdministration.stored(
            LiveSchema.whole(try current().metadata.schema))
        let figures: [TableFigures] = try await figures(of: tables)
        let requests: [UUID: TableRequests] =
            view.hasPrefix("coordinator") ? try await requests(byTable: true).byTable : [:]
        let seconds: Double = max(1, Double(uptimeNanoseconds) / 1e9)
        return figures.map { figures in
            let own: TableRequests = requests[figures.table.id] ?? TableRequests()
            let statistics: TableStatistics = figures.statistics
            var row: LiveViews.Row
            switch view {
            case "disk_usage": row = ["mebibytes": .bigint(statistics.diskByteCount >> 20)]
            case "max_partition_size":
                row = ["mebibytes": .bigint(Int(clamping: statistics.partitionByteCounts.maximum >> 20))]
            case "max_sstable_size": row = ["mebibytes": .bigint(statistics.largestFileByteCount >> 20)]
            case "rows_per_read": row = LiveAdministration.perRead(figures.meters.rowsPerRead)
            case "tombstones_per_read": row = LiveAdministration.perRead(figures.meters.tombstonesPerRead)
            case "local_read_latency":
                row = LiveAdministration.latency(figures.meters.readNanoseconds, statistics.readCount, seconds)
            case "local_write_latency":
                row = LiveAdministration.latency(figures.meters.writeNanoseconds, statistics.writeCount, seconds)
            case "local_scan_latency":
                row = LiveAdministration.latency(figures.meters.rangeNanoseconds, statistics.rangeCount, seconds)
            case "coordinator_read_latency": row = LiveAdministration.latency(own.readNanoseconds, nil, seconds)
            case "coordinator_write_latency": row = LiveAdministration.latency(own.writeNanoseconds, nil, seconds)
            default: row = LiveAdministration.latency(own.rangeNanoseconds, nil, seconds)
            }
            row["keyspace_name"] = .text(figures.table.keyspace)
            row["table_name"] = .text(figures.table.name)
            return row
        }
    }

    /// - Parameter count: how many there were, where not all were measured.
    private static func latency(_ histogram: LogHistogram, _ count: Int?, _ seconds: Double) -> LiveViews.Row {
        let count: Int = count ?? Int(clamping: histogram.count)
        func milliseconds(_ nanoseconds: UInt64) -> ViewValue { .double(Double(nanoseconds) / 1_000_000) }
        return [
            "count": .bigint(count), "max_ms": milliseconds(histogram.maximum),
            "p50th_ms": milliseconds(histogram.percentile(0.5)), "p99th_ms": milliseconds(histogram.percentile(0.99)),
            "per_second": .double(Double(count) / seconds),
        ]
    }

    private static func perRead(_ histogram: LogHistogram) -> LiveViews.Row {
        [
            "count": .bigint(Int(clamping: histogram.count)), "max": .double(Double(histogram.maximum)),
            "p50th": .double(Double(histogram.percentile(0.5))), "p99th": .double(Double(histogram.percentile(0.99))),
        ]
    }
}
