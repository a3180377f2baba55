import CQL
import DataModel
import MartletClient

/// DESCRIBE: the server answers with rows, which are drawn as text.
extension ShellSession {
    func describe(_ statement: String, _ subject: String) async {
        guard let client else { return complain("not connected") }
        do {
            var options = QueryOptions(consistency: .localOne)
            var rows: [Row] = []
            var warnings: [String] = []
            options.pageSize = settings.isPaging ? settings.pageSize : nil
            while true {
                let page = try await client.query(statement, options: options)
                rows += page.rows
                warnings += page.warnings
                guard let state = page.pagingState else { break }
                options.pagingState = state
            }
            switch subject {
            case "tables", "columnfamilies", "types", "functions", "aggregates": try showNames(rows)
            case "keyspaces":
                let names: [String] = try rows.map { try ShellSession.text($0, "keyspace_name", orElse: "name") }
                show("\n" + NameColumns.drawn(names) + "\n")
            case "cluster": try showCluster(rows)
            default:
                for row in rows { show("\n" + (try row["create_statement", as: String.self] ?? "") + "\n") }
            }
            showWarnings(warnings)
        } catch let error as CQLError {
            complain(error.message)
        } catch {
            complain(ErrorText.text(error))
        }
    }

    /// Draws names under the keyspaces that they are in.
    private func showNames(_ rows: [Row]) throws {
        var keyspaces: [(name: String, names: [String])] = []
        for row in rows {
            let keyspace: String = try row["keyspace_name", as: String.self] ?? ""
            let name: String = try row["name", as: String.self] ?? ""
            if keyspaces.last?.name != keyspace { keyspaces.append((name: keyspace, names: [])) }
            keyspaces[keyspaces.count - 1].names.append(name)
        }
        for keyspace in keyspaces {
            var text = "\n"
            if client?.keyspace == nil {
                text += "Keyspace \(keyspace.name)\n" + String(repeating: "-", count: 9 + keyspace.name.count) + "\n"
            }
            show(text + NameColumns.drawn(keyspace.names))
        }
        if !keyspaces.isEmpty { show("\n") }
    }

    private func showCluster(_ rows: [Row]) throws {
        for row in rows {
            var text: String = "\nCluster: \(try row["cluster", as: String.self] ?? "")\n"
            text += "Partitioner: \(try row["partitioner", as: String.self] ?? "")\n"
            text += "Snitch: \(try row["snitch", as: String.self] ?? "")\n\n"
            if row.index(of: "range_ownership") != nil {
                text += "Range ownership:\n"
                let owners: [String: [String]] = try row["range_ownership", as: [String: [String]].self] ?? [:]
                for token in owners.keys.sorted(by: ShellSession.isBefore) {
                    let blanks: String = String(repeating: " ", count: max(0, 39 - token.count))
                    text += " \(blanks)\(token)  [\((owners[token] ?? []).joined(separator: ", "))]\n"
                }
                text += "\n"
            }
            show(text)
        }
    }

    /// The order of tokens, which are numbers.
    private static func isBefore(_ left: String, _ right: String) -> Bool {
        guard let leftNumber = Int64(left), let rightNumber = Int64(right) else { return left < right }
        return leftNumber < rightNumber
    }

    private static func text(_ row: Row, _ name: String, orElse other: String) throws -> String {
        try row[row.index(of: other) != nil ? other : name, as: String.self] ?? ""
    }
}
