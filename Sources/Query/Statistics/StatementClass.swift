package import CQL
import DataModel
import Environment
import Primitives

extension RequestStatistics.Mishap {
    /// What an error says of a request; nil when it is the client's fault.
    package init?(_ error: CQLError) {
        switch error {
        case .unavailable: self = .unavailable
        case .readTimeout, .writeTimeout: self = .timeout
        case .readFailure, .writeFailure, .serverError, .overloaded: self = .failure
        default: return nil
        }
    }
}

/// Measures the requests of the general way.
extension ShardExecutor {
    /// Does the work of a statement and counts it.
    ///
    /// - Parameter statement: nil for a batch that is no statement.
    package func measured<Value>(
        _ statement: PreparedStatement?, _ context: RequestContext, _ work: () async throws -> Value
    ) async throws -> Value {
        var kind: RequestKind = .write
        if let statement {
            guard let own = self.kind(of: statement, context) else { return try await work() }
            kind = own
        }
        let start: UInt64 = host.time.monotonicNanoseconds
        do {
            let value: Value = try await work()
            let table: UUID? = statement?.table?.definition.id
            requests.note(
                kind, level: Int(context.consistency.rawValue), slot: table.map { requests.slot(of: $0) } ?? 0,
                nanoseconds: host.time.monotonicNanoseconds &- start)
            return value
        } catch {
            if let mishap = RequestStatistics.Mishap(StorageFailure.cqlError(error)) { requests.note(mishap, kind) }
            throw error
        }
    }

    /// Nil for what neither reads nor writes.
    private func kind(of statement: PreparedStatement, _ context: RequestContext) -> RequestKind? {
        switch statement.plan {
        case .select(let plan):
            if plan.table.isComputed { return nil }
            if context.consistency.isSerial { return .conditionalRead }
            return plan.restrictions.namesPartitions ? .read : .range
        case .modification(let plan): return plan.condition.isPresent ? .conditionalWrite : .write
        case .batch(let batch): return batch.plans.contains(where: \.condition.isPresent) ? .conditionalWrite : .write
        case .truncate, .use, .schema, .describe: return nil
        }
    }
}

extension BatchStatement.Kind {
    /// Where `RequestStatistics` counts the batch.
    var statisticsPlace: Int {
        switch self {
        case .logged: 0
        case .unlogged: 1
        case .counter: 2
        }
    }
}
