package import CQL
package import Cluster
import DataModel
package import Environment
import Primitives
import Synchronization

/// Has changes of the schema decided by the cluster.
///
///     statement ─▶ SchemaTransition of the newest metadata ─▶ metadata log ─▶ every node's LiveSchema
///
/// When the client hears of success, every shard of this node plans against the new schema, and so do the other nodes
/// that can be reached.
package final class SchemaChanges: Sendable {
    private let log: MetadataLog
    private let applied: AppliedEpoch?
    private let time: any TimeSource
    private let timeout: Duration
    private let identifiers: TimeUUIDSource

    /// - Parameters:
    ///   - timeout: for how long a change is tried (`request_timeout`).
    ///   - applied: by which value this node acts; nil when it acts by each value that the log tells it of.
    package init(log: MetadataLog, host: Host, timeout: Duration, applied: AppliedEpoch? = nil) {
        self.log = log
        self.applied = applied
        self.time = host.time
        self.timeout = timeout
        self.identifiers = TimeUUIDSource(time: host.time, entropy: host.entropy)
    }

    package func apply(_ statement: Statement, keyspace: String?) async throws -> QueryResult {
        let made = Mutex<SchemaTransition?>(nil)
        let tableID: UUID = identifiers.next()
        let now: Int64 = time.wallMicroseconds
        let change: @Sendable (ClusterMetadata) throws -> ClusterMetadata? = { before in
            let context = SchemaContext(
                keyspace: keyspace, nowMicroseconds: now, newTableID: tableID,
                dataCenters: SchemaChanges.datacenters(of: before))
            let schema: Schema = LiveSchema.whole(before.schema)
            let transition: SchemaTransition? = try SchemaTransition.applying(statement, to: schema, context: context)
            if let transition { try SchemaChanges.checkRing(before, transition.schema) }
            made.withLock { $0 = transition }
            guard let transition, transition.event != nil else { return nil }
            var after: ClusterMetadata = before
            after.set(transition.schema)
            return after
        }
        let decided: ClusterMetadata
        do {
            // What need not be changed is so in the newest schema, not only in the one that this node knows.
            decided = try await log.change(timeout: timeout, provesNoChange: true, change)
        } catch let failure as MetadataFailure {
            if case .notKept(_, isDecided: true) = failure { throw CQLError.serverError(message: "\(failure)") }
            throw CQLError.serverError(message: "The schema could not be changed: \(failure)")
        } catch let error as CQLError { throw error } catch {
            throw CQLError.serverError(message: "The schema could not be changed: \(StorageFailure.words(error))")
        }
        if let obstacle = applied?.obstacle(to: decided.epoch) {
            throw CQLError.serverError(
                message: "The schema change was decided and will be applied, but this node could not apply it yet "
                    + "and keeps trying: \(obstacle)")
        }
        guard let transition = made.withLock({ $0 }) else {
            throw CQLError.serverError(message: "This statement does not change the schema")
        }
        guard let event = transition.event else { return QueryResult(.void, warnings: transition.warnings) }
        return QueryResult(.schemaChange(event), warnings: transition.warnings)
    }

    /// Refuses to move data by two rules at once: of a keyspace and of the ring.
    private static func checkRing(_ before: ClusterMetadata, _ after: Schema) throws(CQLError) {
        if before.changes.isEmpty { return }
        for keyspace in before.schema.sortedKeyspaces {
            guard let altered = after.keyspace(keyspace.name), altered.replication != keyspace.replication else {
                continue
            }
            let nodes: String = before.changes.map(\.node.description).joined(separator: ", ")
            throw .configError(
                message: "Cannot alter RF while some endpoints are not in normal state (no range movements): [\(nodes)]"
            )
        }
    }

    /// How many nodes each data centre has.
    private static func datacenters(of metadata: ClusterMetadata) -> [String: Int] {
        var counts: [String: Int] = [:]
        for member in metadata.members where member.state != .left { counts[member.datacenter, default: 0] += 1 }
        return counts
    }
}
