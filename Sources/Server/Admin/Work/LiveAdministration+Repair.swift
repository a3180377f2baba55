import Administration
import Cluster
import Coordination
import DataModel
import Environment
import Primitives
import Query
import Storage

/// Repairs: beginning them, watching them, and how verified the ranges are.
extension LiveAdministration {
    var repairRoutes: [AdminRoute] {
        [
            .work("/repair") { (request) throws(AdminFailure) in try self.repair(request) },
            .get("/repair/status") { (request) throws(AdminFailure) in
                try self.repairStatus(keyspace: request.parameter("keyspace"))
            },
            .get("/repairs") { (request) throws(AdminFailure) in
                let reports: [RepairReport] = try self.repairs().coordinator.reports()
                guard let id = request.parameter("id") else {
                    return .record(["repairs": .array(reports.map { self.json($0) })])
                }
                guard let report = reports.first(where: { $0.id.description == id }) else {
                    throw .invalid("There is no repair \(id).")
                }
                return self.json(report)
            },
            .change("/repairs/cancel") { (request) throws(AdminFailure) in
                guard let text = request.parameter("id"), let id = UUID(text: text),
                    try self.repairs().coordinator.cancel(id)
                else { throw .invalid("There is no repair \(request.parameter("id") ?? "without an id") that runs.") }
            },
            .change("/repair/continuous") { (request) throws(AdminFailure) in
                try self.repairs().continuous.setEnabled(request.parameter("enabled") != "false")
            },
        ]
    }

    private func repairs() throws(AdminFailure) -> NodeRepair.Running {
        guard let running = try current().parts.repair.current else { throw .unavailable("The node is starting.") }
        return running
    }

    // MARK: Beginning

    /// How often it is looked how far a repair is.
    private static let lookPeriod: Duration = .milliseconds(250)

    private func repair(_ request: HTTPRequest) throws(AdminFailure) -> Operation {
        let (parts, metadata) = try current()
        guard let running = parts.repair.current, let topology = parts.repair.topology() else {
            throw .unavailable("The node is starting.")
        }
        let tables: [RepairTable] = try repairTables(request, parts.repair.tables(), metadata.schema)
        let options: RepairOptions = try repairOptions(request, tables, metadata)
        let plan: RepairPlan
        do throws(RepairRefusal) {
            let liveness: Liveness = parts.gossip.liveness
            plan = try RepairPlan(options, tables: tables, topology: topology, local: NodeID(parts.local.hostID)) {
                liveness.isAlive($0)
            }
        } catch { throw .invalid(error.description) }
        let time: any TimeSource = parts.host.time
        let engine = parts.engine
        let history = RepairHistory(parts, options)
        return operations.begin("repair") { [self] operation in
            let job: RepairJob = try running.coordinator.start(
                options, plan, ended: { await history.note($0) }, finished: { await history.finish($0) })
            history.begin(job.report, plan)
            operation.whenStopped { job.cancel() }
            while job.report.state == .running {
                LiveAdministration.note(job.report, operation)
                try await time.sleep(for: LiveAdministration.lookPeriod)
            }
            // What was hashed need not be hashed again by the next process.
            try await engine.saveHashes()
            let report: RepairReport = job.report
            LiveAdministration.note(report, operation)
            switch report.state {
            case .cancelled: throw CancellationError()
            case .failed: throw AdminFailure.unavailable(LiveAdministration.failureText(report))
            case .completed, .running: return json(report)
            }
        }
    }

    private static func note(_ report: RepairReport, _ operation: Operation) {
        operation.note(
            done: report.doneRangeCount + report.failedRangeCount, of: report.rangeCount, unit: "ranges")
        var text =
            "\(report.id) \(Int(report.doneShare * 1_000)) \(report.counts.rowsCompared) \(report.counts.rowsStreamed) "
            + "\(report.counts.bytesStreamed)"
        if let left = report.remainingMilliseconds { text += " \(left)" }
        operation.note(text)
    }

    private static func failureText(_ report: RepairReport) -> String {
        var lines: [String] = [
            "\(report.failedRangeCount) of \(report.rangeCount) ranges were not repaired (repair \(report.id)):"
        ]
        for obstacle in report.obstacles.sorted(by: { $0.rangeCount > $1.rangeCount }).prefix(10) {
            let count: String = obstacle.rangeCount == 1 ? "1 range" : "\(obstacle.rangeCount) ranges"
            lines.append("  \(obstacle.words): \(count) not repaired")
        }
        let hidden: Int = report.obstacles.count - 10
        if hidden > 0 { lines.append("  and \(hidden) more reasons") }
        return lines.joined(separator: "\n")
    }

    /// The shared tables that a request names; all that have several copies when it names none.
    private func repairTables(
        _ request: HTTPRequest, _ all: [RepairTable], _ schema: Schema
    ) throws(AdminFailure) -> [RepairTable] {
        guard let keyspace = request.parameter("keyspace") else {
            // Each repair writes its own history: it would always find that this differs.
            return all.filter { $0.keyspace != SystemKeyspaceNames.distributed }
        }
        guard LiveSchema.whole(schema).keyspace(keyspace) != nil else {
            throw .invalid("Keyspace [\(keyspace)] does not exist.")
        }
        let names: [String] = request.parameters("table")
        let chosen: [RepairTable] = all.filter { $0.keyspace == keyspace && (names.isEmpty || names.contains($0.name)) }
        for name in names where !chosen.contains(where: { $0.name == name }) {
            throw .invalid("Unknown keyspace/cf pair (\(keyspace).\(name))")
        }
        return chosen
    }

    private func repairOptions(
        _ request: HTTPRequest, _ tables: [RepairTable], _ metadata: ClusterMetadata
    ) throws(AdminFailure) -> RepairOptions {
        var options = RepairOptions(keyspace: request.parameter("keyspace") ?? "")
        options.tables = request.parameters("table")
        if let text = request.parameter("kind") {
            guard let kind = RepairOptions.Kind(rawValue: text) else { throw .invalid("There is no repair \(text).") }
            options.kind = kind
        }
        if let text = request.parameter("parallelism") {
            guard let found = RepairManner.Parallelism(rawValue: text) else {
                throw .invalid("There is no parallelism \(text).")
            }
            options.parallelism = found
        }
        options.isPrimaryOnly = request.parameter("primary") == "true"
        options.isForced = request.parameter("force") == "true"
        options.datacenters = request.parameters("datacenter")
        for text in request.parameters("host") { options.hosts.append(try repairHost(text, metadata)) }
        if let text = request.parameter("jobs") {
            guard let count = Int(text), (1...RepairOptions.jobLimit).contains(count) else {
                throw .invalid("The number of jobs is from 1 to \(RepairOptions.jobLimit).")
            }
            options.jobCount = count
        }
        options.range = try repairRange(request)
        return options
    }

    private func repairRange(_ request: HTTPRequest) throws(AdminFailure) -> RingRange? {
        func token(_ name: String) throws(AdminFailure) -> Token? {
            guard let text = request.parameter(name) else { return nil }
            guard let value = Int64(text) else { throw .invalid("\(text) is not a token.") }
            return Token(value)
        }
        let start: Token? = try token("start_token")
        let end: Token? = try token("end_token")
        guard start != nil || end != nil else { return nil }
        guard start != end else { throw .invalid("Start and end tokens must be different.") }
        return RingRange(after: start ?? .minimum, through: end ?? .minimum)
    }

    private func repairHost(_ text: String, _ metadata: ClusterMetadata) throws(AdminFailure) -> NodeID {
        let member: Member? = metadata.members.first { member in
            member.state != .left
                && (member.id.description == text || member.internode.hostText == text
                    || member.internode.description == text)
        }
        guard let member else { throw .invalid("Unknown host specified \(text).") }
        return member.id
    }

    // MARK: Watching

    private func json(_ report: RepairReport) -> JSONValue {
        .record([
            "id": .string(report.id.description), "keyspace": .string(report.options.keyspace),
            "tables": .texts(report.options.tables), "kind": .string(report.options.kind.rawValue),
            "coordinator": .string(report.coordinator.description), "state": .string(report.state.rawValue),
            "started_ms": .integer(Int(clamping: report.startedAtMicroseconds / 1_000)),
            "ranges": .integer(report.rangeCount), "ranges_done": .integer(report.doneRangeCount),
            "ranges_failed": .integer(report.failedRangeCount),
            "rows_compared": .integer(report.counts.rowsCompared),
            "rows_streamed": .integer(report.counts.rowsStreamed),
            "bytes_streamed": .integer(report.counts.bytesStreamed),
            "bytes_read": .integer(report.counts.bytesRead), "differences": .integer(report.counts.differences),
            "wrong_hashes": .integer(report.counts.wrongLeaves),
            "duration_ms": .integer(Int(clamping: report.durationMilliseconds)),
            "failures": .texts(report.failures),
            "obstacles": .array(
                report.obstacles.map { obstacle in
                    var nodes: [NodeID] = []
                    switch obstacle.failure {
                    case .participant(let node, _): nodes = [node]
                    case .down(let down): nodes = down
                    case .cancelled: break
                    }
                    return .record([
                        "nodes": .texts(nodes.map(\.description)), "reason": .string(obstacle.words),
                        "ranges": .integer(obstacle.rangeCount),
                    ])
                }),
        ])
    }

    private func repairStatus(keyspace: String?) throws(AdminFailure) -> JSONValue {
        let (parts, metadata) = try current()
        let continuous: ContinuousRepair = try repairs().continuous
        let now: Int64 = parts.host.time.wallSeconds
        let ranges: [RangeStatus] = continuous.status().filter { keyspace == nil || $0.keyspace == keyspace }
        let counters: ContinuousRepair.Counters = continuous.counters
        return .record([
            "enabled": .boolean(continuous.isEnabled),
            "window_seconds": .integer(Int(clamping: continuous.windowSeconds)),
            "ranges_verified": .integer(counters.rangesVerified), "ranges_failed": .integer(counters.rangesFailed),
            "rows_compared": .integer(counters.counts.rowsCompared),
            "rows_streamed": .integer(counters.counts.rowsStreamed),
            "bytes_streamed": .integer(counters.counts.bytesStreamed),
            "last_failure": .optional(counters.lastFailure),
            "ranges": .array(
                ranges.map { range in
                    .record([
                        "keyspace": .string(range.keyspace), "table": .string(range.table),
                        "start_token": .string(range.range.start.description),
                        "end_token": .string(range.range.end.description), "state": .string(range.state.rawValue),
                        "verified_seconds_ago": .optional(range.verifiedAtSeconds.map { Int(clamping: now - $0) }),
                        "watermark": .optional(range.watermarkSeconds.map { Int(clamping: $0) }),
                        "missed": .boolean(range.isMissed),
                        "waits_for": .texts(
                            range.waitsFor.map { metadata.member($0)?.internode.description ?? $0.description }),
                    ])
                }),
        ])
    }

    /// The rows of `system_views.repair_status`.
    func repairRows() throws(AdminFailure) -> [LiveViews.Row] {
        let (parts, metadata) = try current()
        let continuous: ContinuousRepair = try repairs().continuous
        let now: Int64 = parts.host.time.wallSeconds
        return continuous.status().map { range in
            var row: LiveViews.Row = [
                "keyspace_name": .text(range.keyspace), "table_name": .text(range.table),
                "start_token": .text(range.range.start.description), "end_token": .text(range.range.end.description),
                "state": .text(range.state.rawValue), "missed": .boolean(range.isMissed),
                "waits_for": .text(
                    range.waitsFor.map { metadata.member($0)?.internode.description ?? $0.description }
                        .joined(separator: ",")),
                "window_seconds": .bigint(Int(clamping: continuous.windowSeconds)),
            ]
            row["age_seconds"] = range.verifiedAtSeconds.map { .bigint(Int(clamping: now - $0)) }
            row["verified_at"] = range.verifiedAtSeconds.map { .timestamp($0 &* 1_000) }
            row["watermark"] = range.watermarkSeconds.map { .timestamp($0 &* 1_000) }
            return row
        }
    }
}
