import CQL
import Testing

@Suite struct IdentifierTests {
    @Test(arguments: [
        ("abc", "abc"), ("a1_b", "a1_b"), ("key", "key"), ("type", "type"), ("Abc", "\"Abc\""), ("", "\"\""),
        ("1a", "\"1a\""), ("_a", "\"_a\""), ("a-b", "\"a-b\""), ("a\"b", "\"a\"\"b\""), ("select", "\"select\""),
        ("token", "\"token\""), ("columnfamily", "\"columnfamily\""), ("true", "\"true\""), ("ü", "\"ü\""),
    ])
    func namesAreQuotedOnlyWhereNeeded(_ name: String, _ expected: String) {
        #expect(Identifier.quotedIfNeeded(name) == expected)
    }

    @Test(arguments: [
        "ADD", "ALLOW", "ALTER", "AND", "APPLY", "ASC", "AUTHORIZE", "BATCH", "BEGIN", "BY", "COLUMNFAMILY", "CREATE",
        "DELETE", "DESC", "DESCRIBE", "DROP", "ENTRIES", "EXECUTE", "FROM", "FULL", "GRANT", "IF", "IN", "INDEX",
        "INFINITY", "INSERT", "INTO", "IS", "KEYSPACE", "LIMIT", "MATERIALIZED", "MODIFY", "NAN", "NORECURSIVE", "NOT",
        "NULL", "OF", "ON", "OR", "ORDER", "PRIMARY", "RENAME", "REVOKE", "SCHEMA", "SELECT", "SET", "TABLE", "TO",
        "TOKEN", "TRUNCATE", "UNLOGGED", "UPDATE", "USE", "USING", "VIEW", "WHERE", "WITH",
    ])
    func reservedWordsAreNoNamesUnlessQuoted(_ word: String) throws {
        #expect(Identifier.isReserved(word))
        #expect(throws: CQLSyntaxError.self) { try CQLParser.parse("SELECT a AS \(word) FROM t") }
        #expect(throws: CQLSyntaxError.self) { try CQLParser.parse("CREATE TABLE t (\(word) int PRIMARY KEY)") }
        _ = try CQLParser.parse("CREATE TABLE t (\"\(word)\" int PRIMARY KEY)")
    }

    @Test(arguments: [
        "access", "all", "ann", "as", "between", "cast", "clustering", "count", "custom", "default", "distinct",
        "exists", "frozen", "function", "group", "int", "json", "key", "list", "map", "masked", "mbean", "partition",
        "per", "role", "static", "text", "timestamp", "ttl", "tuple", "type", "unset", "user", "uuid", "values",
        "vector", "writetime",
    ])
    func allOtherWordsAreNames(_ word: String) throws {
        #expect(!Identifier.isReserved(word))
        let text = "CREATE TABLE t (\(word) int PRIMARY KEY, b int)"
        #expect(try CQLParser.parse(text).statement.cqlText.contains("PRIMARY KEY ((\(word)))"))
        _ = try CQLParser.parse("SELECT b, \(word) FROM t WHERE \(word) = 1")
        _ = try CQLParser.parse("UPDATE t SET \(word) = \(word) + 1 WHERE k = 1 IF \(word) = 1")
        _ = try CQLParser.parse("INSERT INTO \(word) (\(word)) VALUES ({\(word): :\(word)})")
    }
}
