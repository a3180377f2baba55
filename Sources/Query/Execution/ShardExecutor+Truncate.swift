import CQL
import Cluster
import Coordination
import DataModel
import Environment
import Primitives

/// TRUNCATE.
extension ShardExecutor {
    /// Empties a table on all nodes; each of them must be up.
    func truncate(_ table: CompiledTable) async throws -> QueryResult {
        if SystemKeyspaceNames.isLocal(table.keyspace) {
            throw CQLError.unauthorized(message: "\(table.keyspace) keyspace is not user-modifiable.")
        }
        let coordinator: TruncationCoordinator = group.coordination.truncation
        let members: [Member] = coordination.view.topology.members
        let id: UUID = table.definition.id
        let limit: Duration = timeouts.truncate
        // The others have a little less, so that it is known who has not answered.
        let answerLimit: Duration = limit - min(limit / 10, .milliseconds(250))
        let done: Bool?
        do {
            done = try await host.within(limit, on: loop, "truncate") {
                try await coordinator.truncate(id, members: members, timeout: answerLimit)
                return true
            }
        } catch {
            throw CQLError.truncateError(message: "Error during truncate: \(ShardExecutor.words(error))")
        }
        if done == nil { throw CQLError.truncateError(message: "Truncating \(table.name) takes too long; it goes on") }
        return .void
    }

    private static func words(_ error: any Error) -> String {
        if case .storage(let failure)? = error as? TruncationFailure { return StorageFailure.words(failure) }
        return StorageFailure.words(error)
    }
}
