import Administration
import Cluster
import Coordination
import DataModel
import Environment
import Query

/// How much of each table is known to be the same on all replicas.
extension LiveAdministration {
    /// A table by its names.
    struct TableName: Hashable {
        let keyspace: String
        let table: String
    }

    /// The part of what this node has of each table that was verified within the window, from 0 to 1. Tables of which
    /// there is one copy are absent.
    func repairedShares() throws(AdminFailure) -> [TableName: Double] {
        let parts: Node.Parts = try current().parts
        guard let continuous = parts.repair.current?.continuous else { return [:] }
        let oldest: Int64 = parts.host.time.wallSeconds &- continuous.windowSeconds
        var sums: [TableName: (verified: Double, whole: Double)] = [:]
        for range in continuous.status() {
            let name = TableName(keyspace: range.keyspace, table: range.table)
            let isVerified: Bool = !range.isMissed && range.verifiedAtSeconds.map { $0 >= oldest } ?? false
            let share: Double = range.range.share
            sums[name, default: (0, 0)].whole += share
            if isVerified { sums[name, default: (0, 0)].verified += share }
        }
        return sums.mapValues { $0.whole > 0 ? min(1, $0.verified / $0.whole) : 1 }
    }

    /// The rows of `system_views.repairs`.
    func repairReportRows() throws(AdminFailure) -> [LiveViews.Row] {
        let (parts, metadata) = try current()
        guard let running = parts.repair.current else { return [] }
        return running.coordinator.reports().map { report in
            let options: RepairOptions = report.options
            let started: Int64 = report.startedAtMicroseconds / 1_000
            let updated: Int64 = started &+ report.durationMilliseconds
            var row: LiveViews.Row = [
                "id": .uuid(report.id), "completed": .boolean(report.state != .running),
                "duration_millis": .bigint(Int(clamping: report.durationMilliseconds)),
                "last_updated_at": .timestamp(updated), "keyspace_name": .text(options.keyspace),
                "type": .text(options.kind.rawValue), "table_names": .texts(options.tables),
                "options_parallelism": .text(options.parallelism.rawValue.uppercased()),
                "options_primary_range": .boolean(options.isPrimaryOnly),
                "options_force_repair": .boolean(options.isForced), "options_job_threads": .int(options.jobCount),
                "options_incremental": .boolean(options.kind.rawValue == "incremental"),
                "options_subrange_repair": .boolean(options.range != nil),
                "options_data_centers": .textSet(options.datacenters),
                "options_hosts": .textSet(
                    options.hosts.map { metadata.member($0)?.internode.description ?? $0.description }),
                "options_column_families": .textSet(options.tables), "state_init_timestamp": .timestamp(started),
                "state_start_timestamp": .timestamp(started), "state_repair_start_timestamp": .timestamp(started),
            ]
            switch report.state {
            case .running:
                row["status"] = .text("repair_start")
            case .completed:
                row["status"] = .text("success")
                row["state_success_timestamp"] = .timestamp(updated)
                row["success_message"] = .text("\(report.doneRangeCount) ranges are equal on their replicas")
            case .failed, .cancelled:
                row["status"] = .text("failure")
                row["state_failure_timestamp"] = .timestamp(updated)
                let reasons: String = report.failures.joined(separator: "; ")
                row["failure_cause"] = .text(report.state == .cancelled ? "It was stopped." : reasons)
            }
            return row
        }
    }

    /// Of all tables together; nil where no table has several copies.
    func repairedPercent() -> Double? {
        guard let shares = try? repairedShares(), !shares.isEmpty else { return nil }
        return LiveAdministration.percent(shares.values.reduce(0, +) / Double(shares.count))
    }

    /// With five decimal places; 0 of nothing.
    static func ratio(_ part: Int, of whole: Int) -> Double {
        whole == 0 ? 0 : (Double(part) / Double(whole) * 100_000).rounded() / 100_000
    }

    /// With two decimal places.
    static func percent(_ share: Double) -> Double { (share * 10_000).rounded() / 100 }
}
