import Administration
import CQL
import Cluster
import Coordination
import DataModel
import Environment
import Logging
import Primitives
import Query

/// The rows of the tables of `system_views` about other nodes and about work that is under way.
extension LiveAdministration {
    func gossipRows() async throws(AdminFailure) -> [LiveViews.Row] {
        try await gossip().nodes.compactMap { node in
            guard let address = InetAddress(text: node.endpoint.address) else { return nil }
            var row: LiveViews.Row = [
                "address": .inet(address), "port": .int(node.endpoint.port), "hostname": .text(node.endpoint.address),
                "generation": .int(node.generation), "heartbeat": .int(node.heartbeat),
            ]
            for value in node.values {
                let name: String = value.name.lowercased()
                row[name + "_version"] = .int(value.version)
                // Of the tokens there is no column: they are many.
                if name != "tokens" { row[name] = .text(value.value) }
            }
            return row
        }
    }

    func inboundRows() async throws(AdminFailure) -> [LiveViews.Row] {
        let (parts, metadata) = try current()
        var sums: [NodeID: TrafficCounts] = [:]
        for peer in await parts.trafficWithOthers() { sums[peer.node, default: TrafficCounts()].add(peer.counts) }
        return metadata.members.compactMap { member in
            guard let counts = sums[member.id], let address = InetAddress(bytes: member.internode.host) else {
                return nil
            }
            func big(_ value: UInt64) -> ViewValue { .bigint(Int(clamping: value)) }
            let dropped: UInt64 = counts.expiredIncoming &+ counts.overloadedIncoming &+ counts.malformed
            return [
                "address": .inet(address), "port": .int(Int(member.internode.port)), "dc": .text(member.datacenter),
                "rack": .text(member.rack), "received_count": big(counts.receivedMessages),
                "received_bytes": big(counts.receivedBytes), "expired_count": big(counts.expiredIncoming),
                "error_count": big(counts.malformed), "throttled_count": big(counts.overloadedIncoming),
                "corrupt_frames_unrecovered": big(counts.malformed),
                "processed_count": big(counts.receivedMessages > dropped ? counts.receivedMessages - dropped : 0),
            ]
        }
    }

    /// What clients wait for: requests of the general path, and reads of single rows that other replicas are asked about.
    func queryRows() async throws(AdminFailure) -> [LiveViews.Row] {
        let parts: Node.Parts = try current().parts
        var rows: [LiveViews.Row] = []
        for (shard, sessions) in parts.sessions.enumerated() {
            let general: [RequestInProgress] = await withUnsafeContinuation { continuation in
                parts.host.loops[shard].execute { continuation.resume(returning: sessions.requestsInProgress) }
            }
            rows += general.map { request in
                [
                    "thread_id": .text("shard-\(shard)-request-\(request.number)"),
                    "queued_micros": .bigint(request.queuedMicroseconds),
                    "running_micros": .bigint(request.runningMicroseconds), "task": .text(request.text),
                ]
            }
            let waiting: [(microseconds: Int, text: String)] = try await rowReads(of: shard, parts)
            rows += waiting.enumerated().map { index, read in
                [
                    "thread_id": .text("shard-\(shard)-read-\(index)"), "queued_micros": .bigint(0),
                    "running_micros": .bigint(read.microseconds), "task": .text(read.text),
                ]
            }
        }
        return rows
    }

    private func rowReads(
        of shard: Int, _ parts: Node.Parts
    ) async throws(AdminFailure) -> [(microseconds: Int, text: String)] {
        let now: UInt64 = time.monotonicNanoseconds
        return try await carryOut {
            try await parts.group.run(on: shard) { executor in
                executor.coordination.rowReads.waiting.map { read in
                    let id: StatementID? = LiveAdministration.statement(of: read.request)
                    let text: String = id.flatMap { executor.prepared($0)?.text } ?? ""
                    let elapsed: UInt64 = now > read.startedNanoseconds ? now &- read.startedNanoseconds : 0
                    return (Int(clamping: elapsed / 1_000), text)
                }
            }
        }
    }

    /// An EXECUTE begins with the statement's id, in every version of the protocol.
    private static func statement(of request: [UInt8]) -> StatementID? {
        guard request.count >= 2 else { return nil }
        let count = Int(request[0]) << 8 | Int(request[1])
        guard request.count >= 2 + count else { return nil }
        let id = Array(request[2..<(2 + count)])
        return StatementID(id.span.bytes)
    }

    func logRows() -> [LiveViews.Row] {
        var last: Int64 = .min
        var order = 0
        return logs.recent.all.map { event in
            let milliseconds: Int64 = event.microseconds / 1_000
            order = milliseconds == last ? order + 1 : 0
            last = milliseconds
            let level: String = event.level == .warning ? "WARN" : "ERROR"
            return [
                "timestamp": .timestamp(milliseconds), "order_in_millisecond": .int(order),
                "logger": .text(event.label), "level": .text(level), "message": .text(event.message),
            ]
        }
    }

    // MARK: Work

    func streamRows() async throws(AdminFailure) -> [LiveViews.Row] {
        let (parts, metadata) = try current()
        let all: [StreamProgress] = parts.streams.receiver.progress() + (await parts.streams.source.progress())
        var byOperation: [UUID: [StreamProgress]] = [:]
        for stream in all { byOperation[stream.id, default: []].append(stream) }
        return byOperation.map { LiveAdministration.row($0.key, $0.value, metadata, now: time.wallMicroseconds) }
    }

    private static func row(
        _ id: UUID, _ streams: [StreamProgress], _ metadata: ClusterMetadata, now: Int64
    ) -> LiveViews.Row {
        let isDone: Bool = streams.allSatisfy(\.isDone)
        let failure: String? = streams.compactMap(\.failure).first
        func sum(_ isIncoming: Bool, _ value: (StreamProgress) -> Int) -> ViewValue {
            .bigint(streams.filter { $0.isIncoming == isIncoming }.reduce(0) { $0 + value($1) })
        }
        let total: Int = streams.reduce(0) { $0 + max($1.byteTotal, $1.byteCount) }
        let share: Double = total == 0 ? 0 : Double(streams.reduce(0) { $0 + $1.byteCount }) / Double(total)
        let status: String = failure != nil ? "failure" : isDone ? "success" : "start"
        let peers: Set<String> = Set(
            streams.map { metadata.member($0.peer)?.internode.description ?? $0.peer.description })
        var row: LiveViews.Row = [
            "id": .uuid(id), "follower": .boolean(!streams.contains(where: \.isIncoming)),
            "operation": .text(streams.first?.title ?? ""), "peers": .texts(peers.sorted()), "status": .text(status),
            // Before the end it is known only about how much there is.
            "progress_percentage": .float(isDone ? 100 : Float(min(99, (share * 10_000).rounded() / 100))),
            "bytes_to_receive": sum(true) { max($0.byteTotal, $0.byteCount) },
            "bytes_received": sum(true, \.byteCount), "bytes_to_send": sum(false) { max($0.byteTotal, $0.byteCount) },
            "bytes_sent": sum(false, \.byteCount), "files_to_receive": sum(true) { max($0.fileTotal, $0.fileCount) },
            "files_received": sum(true, \.fileCount),
            "files_to_send": sum(false) { max($0.fileTotal, $0.fileCount) }, "files_sent": sum(false, \.fileCount),
        ]
        row["failure_cause"] = failure.map { .text($0) }
        let started: Int64 = streams.map(\.startedMicroseconds).filter { $0 > 0 }.min() ?? 0
        guard started > 0 else { return row }
        let updated: Int64 = isDone ? streams.map(\.endedMicroseconds).max() ?? now : now
        row["duration_millis"] = .bigint(Int(clamping: max(0, updated - started) / 1_000))
        row["last_updated_at"] = .timestamp(updated / 1_000)
        row["status_init_timestamp"] = .timestamp(started / 1_000)
        row["status_start_timestamp"] = .timestamp(started / 1_000)
        if isDone { row["status_\(status)_timestamp"] = .timestamp(updated / 1_000) }
        return row
    }
}
