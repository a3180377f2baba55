import CQL
import Testing

@Suite struct SyntaxErrorTests {
    @Test(arguments: [
        ("FOO", "line 1:0 no viable alternative at input 'FOO' ([FOO])"),
        ("FOO bar baz", "line 1:0 no viable alternative at input 'FOO' ([FOO]...)"),
        ("", "line 0:-1 no viable alternative at input '<EOF>'"),
        ("-- nothing", "line 0:-1 no viable alternative at input '<EOF>'"),
        (";", "line 1:0 no viable alternative at input ';' ([;])"),
        ("SELECT FROM t", "line 1:7 no viable alternative at input 'FROM' (SELECT [FROM]...)"),
        ("SELECT * FORM t", "line 1:9 mismatched input 'FORM' expecting K_FROM (SELECT * [FORM]...)"),
        ("SELECT * FROM", "line 0:-1 no viable alternative at input '<EOF>'"),
        ("SELECT *", "line 0:-1 mismatched input '<EOF>' expecting K_FROM"),
        (
            "SELECT * FROM users WHERE category = 3 ALLOW FILTERING LIMIT 5",
            "line 1:55 mismatched input 'LIMIT' expecting EOF (...category = 3 ALLOW FILTERING [LIMIT]...)"
        ),
        (
            "SELECT a FROM ks.table_a AND token(a) > 1",
            "line 1:25 mismatched input 'AND' expecting EOF (SELECT a FROM ks.table_a [AND]...)"
        ),
        (
            "select * from users;\nselect 1",
            "line 2:0 mismatched input 'select' expecting EOF (select * from users;[select]...)"
        ),
        (
            "CREATE KEYSPACE ks WITH replication = {}\n'class'",
            "line 2:0 mismatched input 'class' expecting EOF (... WITH replication = {}['clas]...)"
        ),
        (
            "alter table employee_info add salary int primary key",
            "line 1:41 mismatched input 'primary' expecting EOF (...table employee_info add salary int [primary]...)"
        ),
        ("CREATE TABLE t k int)", "line 1:15 mismatched input 'k' expecting '(' (CREATE TABLE t [k]...)"),
        ("CREATE TABEL t (k int)", "line 1:7 no viable alternative at input 'TABEL' (CREATE [TABEL]...)"),
        ("INSERT INTO t (a) VALUES (1", "line 0:-1 mismatched input '<EOF>' expecting ')'"),
        (
            "INSERT INTO t (a, select) VALUES (1, 2)",
            "line 1:18 no viable alternative at input 'select' (INSERT INTO t (a, [select]...)"
        ),
        ("UPDATE t SET a = 1", "line 0:-1 mismatched input '<EOF>' expecting K_WHERE"),
        ("DROP thing x", "line 1:5 no viable alternative at input 'thing' (DROP [thing]...)"),
        ("SELECT * FROM t WHERE a 1", "line 1:24 no viable alternative at input '1' (...* FROM t WHERE a [1])"),
        ("SELECT * FROM t LIMIT 'x'", "line 1:22 no viable alternative at input 'x' (SELECT * FROM t LIMIT [']...)"),
        ("SELECT * FROM t 'é'", "line 1:16 mismatched input 'é' expecting EOF (SELECT * FROM t [']...)"),
        ("SELECT é FROM t", "line 1:7 no viable alternative at character 'é'"),
        ("SELECT a FROM t WHERE a = 'open", "line 1:31 mismatched character '<EOF>' expecting '''"),
        ("SELECT \"open", "line 1:12 mismatched character '<EOF>' expecting '\"'"),
        ("SELECT $1", "line 1:8 mismatched character '1' expecting '$'"),
        ("SELECT /* open", "line 1:14 mismatched character '<EOF>' expecting '*'"),
        ("SELECT '🦅', FROM t", "line 1:13 no viable alternative at input 'FROM' (SELECT '🦅', [FROM]...)"),
    ])
    func theMessageNamesThePlaceAndTheLexeme(_ text: String, _ message: String) {
        let error = #expect(throws: CQLSyntaxError.self) { try CQLParser.parse(text) }
        #expect(error?.message == message)
    }

    @Test(arguments: [
        ("SELECT * FROM ?", "Bind variables cannot be used for table names"),
        ("SELECT * FROM ?.t", "Bind variables cannot be used for keyspace names"),
        ("DROP INDEX ?", "Bind variables cannot be used for index names"),
        ("DROP ROLE ?", "Bind variables cannot be used for role names"),
        ("UPDATE t SET a = b + 1 WHERE k = 1", "Only expressions of the form X = X +<value> are supported."),
        ("UPDATE t SET a = [1] + b WHERE k = 1", "Only expressions of the form X = <value> + X are supported."),
        ("UPDATE t SET a = b -1 WHERE k = 1", "Only expressions of the form X = X - <value> are supported."),
        ("UPDATE t SET a = 1, a = 2 WHERE k = 1", "Multiple incompatible setting of column a"),
        ("UPDATE t SET a[0] = 1, a = [2] WHERE k = 1", "Multiple incompatible setting of column a"),
        ("ALTER TABLE t WITH a = 1 AND A = 2", "Multiple definitions for property 'a'"),
        ("ALTER TABLE t WITH a = {'x': 1, 'x': 2}", "Multiple definition for property x"),
        (
            "ALTER TABLE t WITH a = {'x': ?}",
            "Invalid property value: ? for property: 'x' (bind variables are not supported in DDL queries)"
        ),
        (
            "ALTER TABLE t WITH a = {?: 1}",
            "Invalid property name: ? (bind variables are not supported in DDL queries)"
        ),
        ("ALTER TABLE t WITH a = {'x': [1]}", "Invalid property value: [1] for property: 'x'"),
        ("CREATE TYPE byte (a int)", "Invalid (reserved) user type name byte"),
        (
            "CREATE ROLE r WITH HASHED PASSWORD = 'a' AND PASSWORD = 'b'",
            "Options 'password' and 'hashed password' are mutually exclusive"
        ),
        (
            "CREATE MATERIALIZED VIEW v AS SELECT * FROM t PRIMARY KEY (a) WITH COMPACT STORAGE",
            "COMPACT STORAGE tables are not allowed starting with version 4.0"
        ),
    ])
    func whatTheLanguageRefusesIsSaidInWords(_ text: String, _ message: String) {
        let error = #expect(throws: CQLSyntaxError.self) { try CQLParser.parse(text) }
        #expect(error?.message == message)
    }

    @Test(arguments: [
        "SELECT * FROM t WHERE", "SELECT * FROM t WHERE a = 1 OR b = 2", "SELECT * FROM t WHERE a IN 1",
        "SELECT * FROM t WHERE (a, b) = 1", "SELECT * FROM t WHERE (a, b) IN (1, 2)", "SELECT a b FROM t",
        "SELECT * FROM t ORDER v", "SELECT * FROM t LIMIT 1 PER PARTITION LIMIT 2", "SELECT f(*) FROM t",
        "SELECT a, FROM t", "SELECT * FROM a.b.c", "SELECT m[] FROM t", "SELECT m[..] FROM t", "SELECT token FROM t",
        "INSERT INTO t VALUES (1)", "INSERT INTO t () VALUES ()", "INSERT INTO t (a) VALUES (b)",
        "INSERT INTO t (a) VALUES (1) USING TTL 1 IF NOT EXISTS", "INSERT INTO t JSON 5", "UPDATE t SET WHERE k = 1",
        "UPDATE t SET a = b WHERE k = 1", "DELETE * FROM t WHERE k = 1", "DELETE FROM t", "BEGIN BATCH",
        "BEGIN BATCH SELECT * FROM t; APPLY BATCH", "BEGIN BATCH INSERT INTO t (a) VALUES (1)", "TRUNCATE", "USE",
        "USE a.b", "CREATE KEYSPACE ks", "CREATE TABLE t ()", "CREATE TABLE t (k int PRIMARY)", "CREATE TABLE t (k)",
        "CREATE TABLE t (k list<int)", "CREATE TABLE t (k map<int>)", "CREATE TABLE t (k vector<int>)",
        "CREATE TABLE t (k vector<float, 99999999999>)", "CREATE TABLE t (k int) WITH CLUSTERING ORDER BY (k)",
        "CREATE TABLE t (token int PRIMARY KEY)", "ALTER TABLE t", "ALTER TABLE t DROP a USING TIMESTAMP ?",
        "ALTER TABLE t DROP a USING TIMESTAMP 99999999999999999999", "ALTER TABLE t RENAME a b", "ALTER TYPE u DROP a",
        "CREATE INDEX i t (a)", "CREATE OR REPLACE TABLE t (k int PRIMARY KEY)", "GRANT SELECT TO r",
        "GRANT FLY ON t TO r", "LIST r", "CREATE USER \"x\"", "DESCRIBE", "DESCRIBE TABLE", "DESCRIBE t WITH x",
        "SELECT 1 -3 FROM t", "SELECT * FROM t; SELECT * FROM t", "SELECT * FROM t\u{A0}", "SELECT a\u{0}b FROM t",
        "SELECT 0x0g FROM t WHERE", "SELECT '", "SELECT $", "SELECT $$", "SELECT $$a$", "SELECT \"", "!", "@", "#",
        "CREATE TABLE t (k \"\" PRIMARY KEY)", "CREATE TABLE t (\"\" int PRIMARY KEY)",
    ])
    func brokenStatementsAreRefused(_ text: String) {
        #expect(throws: CQLSyntaxError.self) { try CQLParser.parse(text) }
    }

    @Test func theErrorOfTheLikelierReadingIsReported() {
        let error = #expect(throws: CQLSyntaxError.self) { try CQLParser.parse("SELECT JSON a, b c FROM t") }
        #expect(error?.message == "line 1:17 mismatched input 'c' expecting K_FROM (SELECT JSON a, b [c]...)")
    }

    @Test func aMessageDoesNotRepeatAHugeLexeme() {
        let name = String(repeating: "x", count: 1_000_000)
        let error = #expect(throws: CQLSyntaxError.self) { try CQLParser.parse(name) }
        #expect((error?.message.utf8.count ?? 0) < 4000)
        let behind = #expect(throws: CQLSyntaxError.self) { try CQLParser.parse("/* \(name) */ 'é\(name)' ;") }
        #expect((behind?.message.utf8.count ?? 0) < 6000)
    }
}
