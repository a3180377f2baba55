import Cluster
import Coordination
import DataModel
import Environment
import Primitives
import Query
import Synchronization

/// Writes down a repair that an operator has asked for, for the whole cluster to see:
/// `system_distributed.parent_repair_history` has a row for it, `repair_history` one for each of its ranges.
///
/// It is for people and their tools to read. A repair neither fails nor waits long when it cannot be written.
final class RepairHistory: Sendable {
    private struct State {
        var repaired: Set<String> = []
        /// In a row.
        var failureCount = 0
    }

    private static let range =
        "INSERT INTO system_distributed.repair_history (keyspace_name, columnfamily_name, id, parent_id, range_begin, "
        + "range_end, coordinator, coordinator_port, participants, participants_v2, status, started_at, finished_at, "
        + "exception_message) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    private static let start =
        "INSERT INTO system_distributed.parent_repair_history (parent_id, keyspace_name, columnfamily_names, "
        + "requested_ranges, started_at, options) VALUES (?, ?, ?, ?, ?, ?)"
    private static let success =
        "UPDATE system_distributed.parent_repair_history SET finished_at = ?, successful_ranges = ? WHERE parent_id = ?"
    private static let failure =
        "UPDATE system_distributed.parent_repair_history SET finished_at = ?, successful_ranges = ?, "
        + "exception_message = ?, exception_stacktrace = ? WHERE parent_id = ?"
    /// After so many writes that failed no more are tried for ranges.
    private static let failureLimit = 3

    private let group: ShardGroup
    private let metadata: MetadataLog
    private let host: Host
    private let local: NodeID
    private let isKept: Bool
    private let state = Mutex(State())

    /// What only looks leaves no history.
    init(_ parts: Node.Parts, _ options: RepairOptions) {
        self.group = parts.group
        self.metadata = parts.metadata
        self.host = parts.host
        self.local = NodeID(parts.local.hostID)
        self.isKept = !options.manner.isPreview
    }

    // MARK: The repair

    /// The repair has begun.
    func begin(_ report: RepairReport, _ plan: RepairPlan) {
        guard isKept else { return }
        let keyspaces: [String] = Set(plan.targets.map(\.table.keyspace)).sorted()
        let keyspace: String =
            report.options.keyspace.isEmpty ? keyspaces.joined(separator: ",") : report.options.keyspace
        let values: [TermValue] = [
            .bytes(report.id.bytes), RepairHistory.text(keyspace),
            RepairHistory.texts(Set(plan.targets.map(\.table.name))),
            RepairHistory.texts(Set(plan.targets.map(\.range.description))),
            RepairHistory.time(report.startedAtMicroseconds), RepairHistory.options(report.options),
        ]
        host.background.run("write down a repair", on: host.loops[0]) { [self] in
            await write(RepairHistory.start, values)
        }
    }

    /// All of it has ended.
    func finish(_ report: RepairReport) async {
        guard isKept else { return }
        let repaired: Set<String> = state.withLock { $0.repaired }
        let finishedAt: Int64 = report.startedAtMicroseconds + report.durationMilliseconds * 1_000
        let common: [TermValue] = [RepairHistory.time(finishedAt), RepairHistory.texts(repaired)]
        let id: TermValue = .bytes(report.id.bytes)
        if report.state == .completed {
            await write(RepairHistory.success, common + [id])
            return
        }
        let message: String =
            report.state == .cancelled
            ? "The repair was cancelled" : report.obstacles.map(\.words).joined(separator: "; ")
        let failures: String = report.failures.joined(separator: "\n")
        await write(
            RepairHistory.failure, common + [RepairHistory.text(message), RepairHistory.text(failures), id])
    }

    // MARK: Its ranges

    /// One range has ended.
    func note(_ range: RepairedRange) async {
        guard isKept else { return }
        let target: RepairTarget = range.target
        let name: String = target.range.description
        let isTried: Bool = state.withLock { state in
            if range.failure == nil { state.repaired.insert(name) }
            return state.failureCount < RepairHistory.failureLimit
        }
        guard isTried, let members = metadata.current else { return }
        let addresses: [SocketAddress] = target.replicas.compactMap { members.member($0)?.internode }
        let own: SocketAddress = members.member(local)?.internode ?? .loopback(port: 0)
        let isDone: Bool = await write(
            RepairHistory.range,
            [
                RepairHistory.text(target.table.keyspace), RepairHistory.text(target.table.name),
                .bytes(makeID(range.endedAtMicroseconds).bytes), .bytes(range.job.bytes),
                RepairHistory.text(target.range.start.description), RepairHistory.text(target.range.end.description),
                .bytes(own.host), RepairHistory.int(Int32(own.port)),
                .bytes(CollectionValue.set(addresses.map(\.host), of: .inet)),
                RepairHistory.texts(Set(addresses.map(\.description))),
                RepairHistory.text(range.failure == nil ? "SUCCESS" : "FAILED"),
                RepairHistory.time(range.startedAtMicroseconds), RepairHistory.time(range.endedAtMicroseconds),
                range.failure.map { failure in
                    RepairHistory.text(
                        failure.words { NodeRepair.name(of: $0, in: members) })
                } ?? .unset,
            ])
        state.withLock { $0.failureCount = isDone ? 0 : $0.failureCount + 1 }
    }

    private func makeID(_ microseconds: Int64) -> UUID {
        .timeBased(
            timestamp: UInt64(bitPattern: microseconds &* 10 &+ UUID.unixEpoch), low: host.entropy.next())
    }

    // MARK: Writing

    /// False when it could not be written.
    @discardableResult
    private func write(_ text: String, _ values: [TermValue]) async -> Bool {
        do {
            try await group.run(on: 0) { executor in
                let statement = try executor.parse(text, keyspace: nil)
                _ = try await executor.execute(statement, values, RequestContext(consistency: .one))
            }
            return true
        } catch {
            // What the repair has done it has done.
            return false
        }
    }

    private static func text(_ value: String) -> TermValue { .bytes(Array(value.utf8)) }

    private static func texts(_ values: Set<String>) -> TermValue {
        .bytes(CollectionValue.set(values.map { Array($0.utf8) }, of: .text))
    }

    private static func int(_ value: Int32) -> TermValue {
        .bytes(withUnsafeBytes(of: value.bigEndian) { Array($0) })
    }

    private static func time(_ microseconds: Int64) -> TermValue {
        .bytes(withUnsafeBytes(of: (microseconds / 1_000).bigEndian) { Array($0) })
    }

    /// By the names that Cassandra has for them.
    private static func options(_ options: RepairOptions) -> TermValue {
        let named: [(String, String)] = [
            ("parallelism", options.parallelism.rawValue), ("primaryRange", String(options.isPrimaryOnly)),
            ("incremental", String(options.kind == .incremental)), ("jobThreads", String(options.jobCount)),
            ("dataCenters", options.datacenters.joined(separator: ",")),
            ("hosts", options.hosts.map(\.description).joined(separator: ",")),
            ("forceRepair", String(options.isForced)),
        ]
        return .bytes(
            CollectionValue.map(
                named.map { (key: Array($0.0.utf8), value: Array($0.1.utf8)) }, keyType: .text))
    }
}
