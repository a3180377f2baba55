import CQL
import DataModel

/// Refuses writes with timestamps that nobody could write over: those from the far future.
struct TimestampLimit {
    /// In microseconds; `.max` for no limit.
    private let ahead: Int64

    init(_ limits: QueryLimits) {
        self.ahead = limits.maximumTimestampAheadMicroseconds
    }

    /// - Parameter now: the node's clock, in microseconds since 1970.
    @inline(__always)
    func check(_ timestamp: Int64, now: Int64, _ table: CompiledTable) throws(CQLError) {
        guard timestamp > now, timestamp &- now > ahead else { return }
        throw refusal(timestamp, now &+ ahead, table)
    }

    private func refusal(_ timestamp: Int64, _ latest: Int64, _ table: CompiledTable) -> CQLError {
        .invalid(
            message:
                "Guardrail maximum_timestamp violated: The modification to table \(table.keyspace).\(table.name) has a "
                + "timestamp \(timestamp) after the maximum allowable failure timestamp \(latest)")
    }
}
