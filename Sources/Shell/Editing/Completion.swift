/// What could stand at the cursor, found from the text before it.
///
/// A pure value: names of the schema are looked up by whoever has a connection.
package struct Completion: Equatable, Sendable {
    package enum Subject: Equatable, Sendable {
        case keywords([String])
        case keyspaces
        /// Tables of a keyspace, or of the current one and the names of keyspaces.
        case tables(keyspace: String?)
        /// Columns of a table, and keywords.
        case columns(keyspace: String?, table: String)
    }

    /// The part of a word that has been typed.
    package let prefix: String
    package let subject: Subject

    /// - Parameter text: the statement so far, up to the cursor.
    package init(text: String) {
        let statement: Substring = text.split(separator: ";", omittingEmptySubsequences: false).last ?? ""
        let words: [String] = Completion.words(statement)
        let isInsideWord: Bool = text.last.map { Completion.isWordCharacter($0) || $0 == "." } ?? false
        let last: String = isInsideWord ? words.last ?? "" : ""
        let before: [String] = isInsideWord ? Array(words.dropLast()) : words
        let parts: [Substring] = last.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        let keyspace: String? = parts.count == 2 ? String(parts[0]) : nil
        self.prefix = parts.last.map { String($0) } ?? ""
        self.subject = Completion.subject(before.map { $0.lowercased() }, keyspace: keyspace, raw: before)
    }

    private static let tableStarters: Set<String> = [
        "from", "into", "update", "truncate", "table", "columnfamily", "copy",
    ]
    private static let columnStarters: Set<String> = [
        "where", "and", "set", "by", "if", "(", ",", "select", "distinct",
    ]

    private static func subject(_ words: [String], keyspace: String?, raw: [String]) -> Subject {
        guard let last = words.last else { return .keywords(statementStarts) }
        switch words[0] {
        case "consistency" where words.count == 1: return .keywords(levels)
        case "serial" where words.count == 1: return .keywords(["CONSISTENCY"])
        case "serial" where words.count == 2: return .keywords(["SERIAL", "LOCAL_SERIAL"])
        case "tracing", "paging", "expand", "elapsed": return .keywords(["ON", "OFF"])
        case "show" where words.count == 1: return .keywords(["VERSION", "HOST", "CONSISTENCY", "SESSION", "REPLICAS"])
        case "describe" where words.count == 1, "desc" where words.count == 1: return .keywords(describable)
        case "use": return .keyspaces
        default: break
        }
        if last == "keyspace" { return .keyspaces }
        if tableStarters.contains(last) || keyspace != nil { return .tables(keyspace: keyspace) }
        if columnStarters.contains(last), let table = table(in: words, raw) {
            return .columns(keyspace: table.keyspace, table: table.name)
        }
        return .keywords(keywords)
    }

    /// The table that a statement names, wherever it does.
    private static func table(in words: [String], _ raw: [String]) -> (keyspace: String?, name: String)? {
        for (index, word) in words.enumerated() where tableStarters.contains(word) && index + 1 < raw.count {
            let parts: [Substring] = raw[index + 1].split(separator: ".", maxSplits: 1)
            guard let name = parts.last else { return nil }
            return (parts.count == 2 ? String(parts[0]) : nil, String(name))
        }
        return nil
    }

    static func isWordCharacter(_ character: Character) -> Bool {
        character.isLetter || character.isNumber || character == "_" || character == "\""
    }

    /// Words with the dots inside of them; other symbols stand alone.
    private static func words(_ text: Substring) -> [String] {
        var words: [String] = []
        var word = ""
        for character in text {
            if isWordCharacter(character) || character == "." {
                word.append(character)
                continue
            }
            if !word.isEmpty { words.append(word) }
            word = ""
            if !character.isWhitespace { words.append(String(character)) }
        }
        if !word.isEmpty { words.append(word) }
        return words
    }

    /// The candidates that start with what was typed, in its case of letters, sorted and each once.
    package func matching(_ candidates: [String]) -> [String] {
        let lower: String = prefix.lowercased()
        let isLowerCase: Bool = prefix.first?.isLowercase ?? false
        var found: Set<String> = []
        for candidate in candidates where candidate.lowercased().hasPrefix(lower) {
            let isKeyword: Bool = candidate == candidate.uppercased()
            found.insert(isKeyword && isLowerCase ? candidate.lowercased() : candidate)
        }
        return found.sorted()
    }

    /// What all candidates start with.
    package static func commonPrefix(_ candidates: [String]) -> String {
        guard var common = candidates.first else { return "" }
        for candidate in candidates.dropFirst() {
            while !candidate.hasPrefix(common) { common.removeLast() }
        }
        return common
    }

    private static let levels: [String] = [
        "ANY", "ONE", "TWO", "THREE", "QUORUM", "ALL", "LOCAL_QUORUM", "EACH_QUORUM", "SERIAL", "LOCAL_SERIAL",
        "LOCAL_ONE",
    ]
    private static let describable: [String] = [
        "CLUSTER", "SCHEMA", "FULL", "KEYSPACES", "KEYSPACE", "TABLES", "TABLE", "INDEX", "MATERIALIZED", "TYPES",
        "TYPE", "FUNCTIONS", "FUNCTION", "AGGREGATES", "AGGREGATE",
    ]
    private static let statementStarts: [String] = [
        "ALTER", "APPLY", "BEGIN", "CAPTURE", "CLEAR", "CONSISTENCY", "COPY", "CREATE", "DELETE", "DESCRIBE", "DROP",
        "ELAPSED", "EXIT",
        "EXPAND", "GRANT", "HELP", "HISTORY", "INSERT", "LIST", "LOGIN", "PAGING", "QUIT", "REVOKE", "SELECT", "SERIAL",
        "SHOW", "SOURCE", "TRACING", "TRUNCATE", "UPDATE", "USE",
    ]
    static let keywords: [String] = [
        "ADD", "AGGREGATE", "ALL", "ALLOW", "ALTER", "AND", "APPLY", "AS", "ASC", "BATCH", "BEGIN", "BY", "CALLED",
        "CAST", "CLUSTERING", "COMPACT", "CONTAINS", "COUNT", "COUNTER", "CREATE", "CUSTOM", "DELETE", "DESC",
        "DISTINCT", "DROP", "ENTRIES", "EXISTS", "FILTERING", "FROM", "FROZEN", "FULL", "FUNCTION", "GRANT", "GROUP",
        "IF", "IN", "INDEX", "INSERT", "INTO", "IS", "JSON", "KEY", "KEYS", "KEYSPACE", "LIKE", "LIMIT", "LIST",
        "LOGGED", "MAP", "MATERIALIZED", "NOT", "NULL", "ON", "OPTIONS", "OR", "ORDER", "PARTITION", "PASSWORD", "PER",
        "PERMISSIONS", "PRIMARY", "RENAME", "REPLACE", "REPLICATION", "ROLE", "ROLES", "SELECT", "SET", "STATIC",
        "STORAGE", "TABLE", "TIMESTAMP", "TO", "TOKEN", "TRUNCATE", "TTL", "TUPLE", "TYPE", "UNLOGGED", "UPDATE",
        "USING", "VALUES", "VIEW", "WHERE", "WITH", "WRITETIME",
    ]
}
