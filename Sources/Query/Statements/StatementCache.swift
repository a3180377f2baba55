package import CQL
import DataModel
import Primitives

/// Preparing statements, and finding them again by their identifiers: on this shard, on all, after a restart.
extension ShardExecutor {
    /// Prepared statements that a shard keeps at most; the oldest go first.
    static let statementLimit = 10_000

    /// The statement with an identifier. Hot: once per EXECUTE.
    public func prepared(_ id: StatementID) -> PreparedStatement? { statements[id] }

    /// Prepares a statement for running once.
    package func parse(_ text: String, keyspace: String?) throws(CQLError) -> PreparedStatement {
        try StatementPreparer(catalog, keyspace: keyspace).prepare(text)
    }

    /// Prepares a statement for EXECUTE, on every shard and for after a restart.
    package func prepare(_ text: String, keyspace: String?) async throws -> PreparedStatement {
        let own = StatementID(text: text, keyspace: keyspace)
        let unqualified = StatementID(text: text, keyspace: nil)
        if let known = statements[unqualified] ?? statements[own] { return known }
        let preparer = StatementPreparer(catalog, keyspace: keyspace)
        let statement = try preparer.prepare(text)
        // A text whose names all have their keyspaces is the same statement whatever the session's keyspace is.
        var canonical = statement
        if keyspace != nil, let same = try? StatementPreparer(catalog, keyspace: nil).prepare(text) { canonical = same }
        let ids: [StatementID] = canonical.id == own ? [own] : [canonical.id, own]
        let shared = canonical
        for shard in group.executors.indices where shard != index {
            try await group.run(on: shard) { executor in executor.keep(shared, ids) }
        }
        keep(shared, ids)
        if case .use = shared.plan {} else { try await store(shared) }
        return shared
    }

    func keep(_ statement: PreparedStatement, _ ids: [StatementID]) {
        guard statement.holds(in: catalog) else { return }
        if statements.count >= ShardExecutor.statementLimit, let victim = statements.keys.first {
            statements[victim] = nil
        }
        for id in ids { statements[id] = statement }
    }

    private func store(_ statement: PreparedStatement) async throws {
        let insert = try parse(
            "INSERT INTO system.prepared_statements (prepared_id, logged_keyspace, query_string) VALUES (?, ?, ?)",
            keyspace: nil)
        let keyspace: TermValue = statement.keyspace.map { .bytes(Array($0.utf8)) } ?? .null
        _ = try await execute(
            insert, [.bytes(statement.id.bytes), keyspace, .bytes(Array(statement.text.utf8))], RequestContext())
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
                try await group.run(on: shard) { executor in executor.keep(statement, ids) }
            }
        }
    }
}

/// Reads values back out of the rows of a result.
package struct StoredValueReader {
    private let bytes: [UInt8]
    private var offset = 0

    package init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// The next value; nil for null, and past the end.
    package mutating func next() -> [UInt8]? {
        guard offset + 4 <= bytes.count else { return nil }
        let count = bytes[offset..<(offset + 4)].reduce(Int32(0)) { $0 << 8 | Int32($1) }
        offset += 4
        guard count >= 0, offset + Int(count) <= bytes.count else { return nil }
        defer { offset += Int(count) }
        return Array(bytes[offset..<(offset + Int(count))])
    }
}
