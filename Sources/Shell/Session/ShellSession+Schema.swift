import CQL
import MartletClient

/// Names of the schema, fetched when a completion or a colour first needs them.
struct SchemaNames {
    var keyspaces: [String]?
    var tables: [String: [String]] = [:]
    /// For each table, the kind of each column.
    var columns: [String: [String: String]] = [:]

    /// After a change of the schema everything is fetched anew.
    mutating func forget() {
        self = SchemaNames()
    }
}

extension ShellSession {
    /// What could stand at the cursor.
    package func candidates(for subject: Completion.Subject) async -> [String] {
        switch subject {
        case .keywords(let words): return words
        case .keyspaces: return await keyspaceNames()
        case .tables(let keyspace?): return await tableNames(keyspace)
        case .tables(nil):
            let keyspaces: [String] = await keyspaceNames().map { $0 + "." }
            guard let current = client?.keyspace else { return keyspaces }
            return await tableNames(current) + keyspaces
        case .columns(let keyspace, let table):
            guard let keyspace = keyspace ?? client?.keyspace else { return Completion.keywords }
            let kinds: [String: String] = await columnKinds(keyspace: keyspace, table: table)
            return kinds.keys.sorted() + Completion.keywords
        }
    }

    private func keyspaceNames() async -> [String] {
        if let known = schema.keyspaces { return known }
        let stored: [String] = await names("SELECT keyspace_name FROM system_schema.keyspaces", [])
        let virtual: [String] = await names("SELECT keyspace_name FROM system_virtual_schema.keyspaces", [])
        let all: [String] = stored + virtual
        schema.keyspaces = all
        return all
    }

    private func tableNames(_ keyspace: String) async -> [String] {
        if let known = schema.tables[keyspace] { return known }
        var all: [String] = []
        for source in ["system_schema.tables", "system_virtual_schema.tables"] {
            all += await names("SELECT table_name FROM \(source) WHERE keyspace_name = ?", [keyspace])
        }
        all += await names("SELECT view_name FROM system_schema.views WHERE keyspace_name = ?", [keyspace])
        schema.tables[keyspace] = all
        return all
    }

    /// The kind of each column of a table, by its name.
    func columnKinds(keyspace: String, table: String) async -> [String: String] {
        let key: String = "\(keyspace).\(table)"
        if let known = schema.columns[key] { return known }
        let source: String = keyspace.hasPrefix("system_v") ? "system_virtual_schema" : "system_schema"
        let text: String = "SELECT column_name, kind FROM \(source).columns WHERE keyspace_name = ? AND table_name = ?"
        var kinds: [String: String] = [:]
        // Colours and completions are extras: when the server cannot say, there are none.
        if let result = try? await client?.query(text, values: [keyspace, table]) {
            for row in result.rows {
                guard let name = try? row[0, as: String.self], let kind = try? row[1, as: String.self] else { continue }
                kinds[name] = kind
            }
        }
        schema.columns[key] = kinds
        return kinds
    }

    private func names(_ text: String, _ values: [String]) async -> [String] {
        guard let result = try? await client?.query(text, values: values) else { return [] }
        return result.rows.compactMap { (try? $0[0, as: String.self]) ?? nil }
    }
}
