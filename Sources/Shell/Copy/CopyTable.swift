/// A column of a table that is copied.
struct CopyColumn: Equatable, Sendable {
    /// Ordered as a result orders columns.
    enum Kind: Int {
        case partitionKey, clustering, plain

        /// - Parameter name: as the tables of the schema have it.
        init(_ name: String) {
            switch name {
            case "partition_key": self = .partitionKey
            case "clustering": self = .clustering
            default: self = .plain
            }
        }
    }

    let name: String
    let kind: Kind
    let position: Int
    let isCounter: Bool
}

/// A table and the columns of it that are copied, and the statements for that.
struct CopyTable: Sendable {
    let keyspace: String
    let name: String
    /// In the order of the file.
    let columns: [CopyColumn]
    /// The names of the columns of the partition key, in its order.
    let partitionKey: [String]

    var shownName: String { "\(keyspace).\(name)" }
    var shownColumns: String { columns.map(\.name).joined(separator: ", ") }
    private var quotedTable: String { ShellSession.quotedName(keyspace) + "." + ShellSession.quotedName(name) }

    func selection(_ options: CopyOptions) -> String {
        let list: String = columns.map { ShellSession.quotedName($0.name) }.joined(separator: ", ")
        let key: String = partitionKey.map { ShellSession.quotedName($0) }.joined(separator: ", ")
        var bounds: [String] = []
        if let token = options.beginToken { bounds.append("token(\(key)) > \(token)") }
        if let token = options.endToken { bounds.append("token(\(key)) <= \(token)") }
        return "SELECT \(list) FROM \(quotedTable)"
            + (bounds.isEmpty ? "" : " WHERE " + bounds.joined(separator: " AND "))
    }

    /// The statement that writes a row. Its markers are in the order of `markerOrder`; the last one, which statements
    /// for counters do not have, is the timestamp.
    func insertion(_ options: CopyOptions, _ columns: [CopyColumn]) -> String {
        let names: [String] = columns.map { ShellSession.quotedName($0.name) }
        if !columns.contains(where: { $0.isCounter }) {
            let marks: String = columns.map { _ in "?" }.joined(separator: ", ")
            let timeToLive: String = options.timeToLive.map { "TTL \($0) AND " } ?? ""
            return "INSERT INTO \(quotedTable) (\(names.joined(separator: ", "))) VALUES (\(marks)) "
                + "USING \(timeToLive)TIMESTAMP ?"
        }
        let counters: [String] = columns.filter { $0.isCounter }.map { column in
            let name: String = ShellSession.quotedName(column.name)
            return "\(name) = \(name) + ?"
        }
        let keys: [String] = columns.filter { !$0.isCounter }.map { ShellSession.quotedName($0.name) + " = ?" }
        return "UPDATE \(quotedTable) SET \(counters.joined(separator: ", ")) WHERE \(keys.joined(separator: " AND "))"
    }

    /// For each marker of the insertion, the index of its column.
    static func markerOrder(_ columns: [CopyColumn]) -> [Int] {
        let indices: [Int] = Array(columns.indices)
        return indices.filter { columns[$0].isCounter } + indices.filter { !columns[$0].isCounter }
    }
}
