package import CQL
import DataModel
import Primitives

/// Preparing statements, and finding them again by their identifiers: on this shard, on all, after a restart.
extension ShardExecutor {
    /// The statement with an identifier. Hot: once per EXECUTE.
    public func prepared(_ id: StatementID) -> PreparedStatement? { statements.find(id) }

    /// Prepares a statement for running once.
    package func parse(_ text: String, keyspace: String?) throws(CQLError) -> PreparedStatement {
        try StatementPreparer(catalog, keyspace: keyspace).prepare(text)
    }

    /// Prepares a statement for EXECUTE, on every shard and for after a restart.
    package func prepare(_ text: String, keyspace: String?) async throws -> PreparedStatement {
        let own = StatementID(text: text, keyspace: keyspace)
        let unqualified = StatementID(text: text, keyspace: nil)
        if let known = statements.find(unqualified) ?? statements.find(own) { return known }
        let preparer = StatementPreparer(catalog, keyspace: keyspace)
        let statement = try preparer.prepare(text)
        // A text whose names all have their keyspaces is the same statement whatever the session's keyspace is.
        var canonical = statement
        if keyspace != nil, let same = try? StatementPreparer(catalog, keyspace: nil).prepare(text) { canonical = same }
        let ids: [StatementID] = canonical.id == own ? [own] : [canonical.id, own]
        let shared = canonical
        let byteCount: Int = StatementCache.byteCount(of: shared)
        guard byteCount <= statements.byteLimit else {
            throw CQLError.invalid(
                message:
                    "A prepared statement of \(byteCount) bytes is larger than prepared_statements_cache_size, which is "
                    + "\(statements.byteLimit) bytes")
        }
        for shard in group.executors.indices where shard != index {
            try await group.run(on: shard) { executor in _ = executor.keep(shared, ids) }
        }
        let dropped: [PreparedStatement] = keep(shared, ids)
        if case .use = shared.plan {} else { try await store(shared) }
        for old in dropped { try await forget(old) }
        return shared
    }

    /// Keeps a statement, if it still holds; returns those that had to go for it.
    func keep(_ statement: PreparedStatement, _ ids: [StatementID]) -> [PreparedStatement] {
        guard statement.holds(in: catalog) else { return [] }
        return statements.keep(statement, ids)
    }

    private func store(_ statement: PreparedStatement) async throws {
        let insert = try parse(
            "INSERT INTO system.prepared_statements (prepared_id, logged_keyspace, query_string) VALUES (?, ?, ?)",
            keyspace: nil)
        let keyspace: TermValue = statement.keyspace.map { .bytes(Array($0.utf8)) } ?? .null
        _ = try await execute(
            insert, [.bytes(statement.id.bytes), keyspace, .bytes(Array(statement.text.utf8))], RequestContext())
    }

    /// Takes a statement that had to go out of those that are prepared again after a restart.
    private func forget(_ statement: PreparedStatement) async throws {
        let delete = try parse("DELETE FROM system.prepared_statements WHERE prepared_id = ?", keyspace: nil)
        _ = try await execute(delete, [.bytes(statement.id.bytes)], RequestContext())
    }

    /// Prepares again what was prepared before the node stopped. What no longer fits the schema is left out.
    package func restoreStatements() async throws {
        let select = try parse("SELECT logged_keyspace, query_string FROM system.prepared_statements", keyspace: nil)
        let result = try await execute(select, [], RequestContext())
        guard case .rows(let rows) = result.kind else { return }
        var reader = StoredValueReader(rows.bytes)
        for _ in 0..<rows.rowCount {
            let keyspace: String? = reader.next().map { String(decoding: $0, as: UTF8.self) }
            guard let text = reader.next().map({ String(decoding: $0, as: UTF8.self) }) else { continue }
            guard let statement = try? parse(text, keyspace: keyspace) else { continue }
            let ids: [StatementID] = [statement.id]
            for shard in group.executors.indices {
                try await group.run(on: shard) { executor in _ = executor.keep(statement, ids) }
            }
        }
    }
}
