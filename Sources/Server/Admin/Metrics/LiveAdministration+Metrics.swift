import Administration
import Cluster
import Coordination
import DataModel
import Environment
import Primitives
import Query
import Storage
import Synchronization

/// All numbers of the node for Prometheus.
extension LiveAdministration {
    var metricsRoutes: [AdminRoute] {
        [
            AdminRoute(.get, "/metrics") { (_) throws(AdminFailure) in
                .text(try await self.metrics(), contentType: "text/plain; version=0.0.4; charset=utf-8")
            }
        ]
    }

    private func metrics() async throws(AdminFailure) -> [UInt8] {
        let (parts, metadata) = try current()
        let tables: MetricsLabels = metricsLabels(metadata)
        let numbers: MetricsNumbers = try await carryOut {
            MetricsNumbers(
                try await parts.engine.figures(of: tables.ids, withPartitions: false),
                pending: try await parts.engine.pendingCompactions(), work: try await parts.engine.work())
        }
        var writer = MetricsWriter(capacity: 64 << 10 + tables.ids.count << 12)
        await writeNode(&writer, parts, metadata)
        let loop: any Loop = parts.host.loops[0]
        await MetricsTables.write(&writer, tables, numbers) {
            await withUnsafeContinuation { continuation in loop.execute { continuation.resume() } }
        }
        try await writeClients(&writer, parts)
        writeStages(&writer, try await stages(numbers.statistics, numbers.work))
        MetricsTables.writeCache(&writer, numbers.work)
        await writeInternode(&writer, parts, metadata)
        await writeHints(&writer, parts)
        return writer.finish()
    }

    private func metricsLabels(_ metadata: ClusterMetadata) -> MetricsLabels {
        if let known = labels.withLock({ $0 }), known.epoch == metadata.schema.epoch { return known }
        let made = MetricsLabels(metadata)
        labels.withLock { $0 = made }
        return made
    }

    private func writeNode(_ writer: inout MetricsWriter, _ parts: Node.Parts, _ metadata: ClusterMetadata) async {
        let version = MetricsWriter.Labels(["release": ServerVersions.release, "host_id": "\(parts.local.hostID)"])
        writer.family("martlet_node_info", .gauge, "The node's release and host id.")
        writer.sample(version, 1)
        writer.family("martlet_node_uptime_seconds", .gauge, "How long the process runs.")
        writer.sample(.none, seconds: uptimeNanoseconds)
        if let used = memory?() {
            writer.family("process_resident_memory_bytes", .gauge, "Memory of the process.")
            writer.sample(.none, used.resident)
        }
        writer.family("martlet_metadata_epoch", .gauge, "The epoch of the cluster's metadata that the node has.")
        writer.sample(.none, metadata.epoch)
        let members: [Member] = metadata.members.filter { $0.state != .left }
        let up: Int = members.count { parts.gossip.liveness.isAlive($0.id) }
        writer.family("martlet_cluster_nodes", .gauge, "Members of the cluster, as this node sees them.")
        writer.sample(MetricsWriter.Labels(["state": "up"]), up)
        writer.sample(MetricsWriter.Labels(["state": "down"]), members.count - up)
    }

    private func writeClients(_ writer: inout MetricsWriter, _ parts: Node.Parts) async throws(AdminFailure) {
        let history: ClientHistory = await clientHistory(parts)
        let requests: RequestStatistics = try await requests()
        writer.family("martlet_client_connections", .gauge, "Connections of clients.")
        writer.sample(.none, parts.sessions.reduce(0) { $0 + $1.descriptions.count })
        writer.family("martlet_client_paused_connections", .gauge, "Connections that have too much under way.")
        writer.sample(.none, history.pausedCount)
        writer.family("martlet_client_messages_total", .counter, "Messages of clients.")
        writer.sample(.none, UInt64(clamping: history.requestCount))
        writer.family("martlet_cql_statements_total", .counter, "Statements that were carried out.")
        writer.sample(MetricsWriter.Labels(["prepared": "true"]), requests.preparedStatementCount)
        writer.sample(MetricsWriter.Labels(["prepared": "false"]), requests.textStatementCount)
        writer.family(
            "martlet_client_request_latency_seconds", .histogram, "How long requests took, as clients see it.")
        for kind in RequestKind.allCases {
            writer.histogram(
                LiveAdministration.labels(kind), requests[kind].nanoseconds, bounds: .fineTimes, isTime: true)
        }
        writer.family("martlet_client_request_timeouts_total", .counter, "Requests that timed out.")
        for kind in RequestKind.allCases { writer.sample(LiveAdministration.labels(kind), requests[kind].timeouts) }
        writer.family("martlet_client_request_unavailables_total", .counter, "Requests with too few live replicas.")
        for kind in RequestKind.allCases {
            writer.sample(LiveAdministration.labels(kind), requests[kind].unavailables)
        }
        writer.family("martlet_client_request_failures_total", .counter, "Requests that failed otherwise.")
        for kind in RequestKind.allCases { writer.sample(LiveAdministration.labels(kind), requests[kind].failures) }
        let repairs: (attempted: Int, repaired: Int) = try await readRepairs(parts)
        writer.family("martlet_read_repairs_total", .counter, "Reads whose replicas differed.")
        writer.sample(MetricsWriter.Labels(["result": "repaired"]), repairs.repaired)
        writer.sample(MetricsWriter.Labels(["result": "nothing_missing"]), repairs.attempted - repairs.repaired)
        writer.family("martlet_client_requests_total", .counter, "Requests by their consistency level.")
        for kind in RequestKind.allCases {
            for (code, count) in requests[kind].byLevel.enumerated() where count > 0 {
                let level: String = Consistency(rawValue: UInt16(code))?.name ?? "\(code)"
                writer.sample(MetricsWriter.Labels(["request": kind.name, "consistency": level]), count)
            }
        }
    }

    private static func labels(_ kind: RequestKind) -> MetricsWriter.Labels {
        MetricsWriter.Labels(["request": kind.name])
    }

    private func writeStages(_ writer: inout MetricsWriter, _ stages: [Stage]) {
        let labels: [MetricsWriter.Labels] = stages.map { MetricsWriter.Labels(["stage": $0.name]) }
        writer.family("martlet_stage_active_tasks", .gauge, "Tasks that are being worked on.")
        for (stage, labels) in zip(stages, labels) { writer.sample(labels, stage.active) }
        writer.family("martlet_stage_pending_tasks", .gauge, "Tasks that wait for their turn.")
        for (stage, labels) in zip(stages, labels) { writer.sample(labels, stage.pending) }
        writer.family("martlet_stage_blocked_tasks", .gauge, "Tasks that wait because there is too much.")
        for (stage, labels) in zip(stages, labels) { writer.sample(labels, stage.blocked) }
        writer.family("martlet_stage_completed_tasks_total", .counter, "Tasks that are done.")
        for (stage, labels) in zip(stages, labels) { writer.sample(labels, stage.completed) }
    }

    private func writeInternode(
        _ writer: inout MetricsWriter, _ parts: Node.Parts, _ metadata: ClusterMetadata
    ) async {
        let traffic: [(MetricsWriter.Labels, PeerTraffic)] = await parts.trafficWithOthers().compactMap { peer in
            guard let member = metadata.member(peer.node) else { return nil }
            let labels = MetricsWriter.Labels(["peer": member.internode.description, "lane": "\(peer.lane)"])
            return (labels, peer)
        }
        writer.family("martlet_internode_connections", .gauge, "Connections with other nodes that are up.")
        for (labels, peer) in traffic { writer.sample(labels, peer.openConnections) }
        writer.family("martlet_internode_pending_bytes", .gauge, "Bytes for other nodes that have not left.")
        for (labels, peer) in traffic { writer.sample(labels, peer.pendingBytes) }
        let counters: [(StaticString, StaticString, KeyPath<TrafficCounts, UInt64>)] = [
            ("martlet_internode_sent_messages_total", "Messages to other nodes.", \.sentMessages),
            ("martlet_internode_sent_bytes_total", "Bytes to other nodes.", \.sentBytes),
            ("martlet_internode_received_messages_total", "Messages from other nodes.", \.receivedMessages),
            ("martlet_internode_received_bytes_total", "Bytes from other nodes.", \.receivedBytes),
            ("martlet_internode_request_timeouts_total", "Requests without an answer in time.", \.timedOutRequests),
            ("martlet_internode_failed_requests_total", "Requests that failed.", \.failedRequests),
            (
                "martlet_internode_expired_messages_total", "Messages that waited too long to be sent.",
                \.expiredOutgoing
            ),
            ("martlet_internode_refused_messages_total", "Messages that found too much waiting.", \.overloadedOutgoing),
            ("martlet_internode_undelivered_messages_total", "Messages without a connection.", \.undelivered),
        ]
        for (name, help, path) in counters {
            writer.family(name, .counter, help)
            for (labels, peer) in traffic { writer.sample(labels, peer.counts[keyPath: path]) }
        }
    }

    private func writeHints(_ writer: inout MetricsWriter, _ parts: Node.Parts) async {
        let kept = await parts.hints.currentCounters()
        let delivered = await parts.delivery.currentCounters()
        let backlog: [HintStore.Backlog] = await parts.hints.backlog()
        writer.family("martlet_hints_created_total", .counter, "Hints that were kept for other nodes.")
        writer.sample(.none, kept.created)
        writer.family("martlet_hints_refused_total", .counter, "Hints that were not kept.")
        writer.sample(.none, kept.refused)
        writer.family("martlet_hints_delivered_total", .counter, "Hints that were delivered.")
        writer.sample(.none, delivered.delivered)
        writer.family("martlet_hints_pending_bytes", .gauge, "Bytes of hints that wait.")
        writer.sample(.none, backlog.reduce(0) { $0 + $1.byteCount })
    }
}
