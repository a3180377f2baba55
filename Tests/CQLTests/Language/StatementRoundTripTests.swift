import CQL
import Testing

@Suite struct StatementRoundTripTests {
    @Test(arguments: ValidStatements.all)
    func printedStatementsParseToTheSameTree(_ text: String) throws {
        let parsed = try CQLParser.parse(text)
        let printed = parsed.statement.cqlText
        let again = try CQLParser.parse(printed)
        #expect(again.statement == parsed.statement, "printed as \(printed)")
        #expect(again.bindMarkers.map(\.name) == parsed.bindMarkers.map(\.name))
        #expect(again.statement.cqlText == printed)
        #expect(parsed.text == text)
    }

    @Test(arguments: [
        ("select A , b from T where K=1 limit 5", "SELECT a, b FROM t WHERE k = 1 LIMIT 5"),
        ("UPDATE t SET c+=1 WHERE k=?", "UPDATE t SET c = c + 1 WHERE k = ?"),
        ("SELECT \"Key\", \"select\", \"key\" FROM t", "SELECT \"Key\", \"select\", key FROM t"),
        ("SELECT (a+b)*-c FROM t", "SELECT (a + b) * - c FROM t"),
        ("CREATE TABLE t (k int PRIMARY KEY)", "CREATE TABLE t (k int, PRIMARY KEY ((k)))"),
        ("INSERT INTO t (a) VALUES ('it''s')", "INSERT INTO t (a) VALUES ('it''s')"),
    ])
    func statementsPrintInOneForm(_ text: String, _ expected: String) throws {
        let printed = try CQLParser.parse(text).statement.cqlText
        #expect(printed == expected)
    }

    @Test func operatorsPrintParenthesesOnlyWhereTheTreeNeedsThem() throws {
        let one: Term = .literal(.integer("1"))
        let sum: Term = .operation(one, .add, one)
        #expect(Term.operation(sum, .multiply, sum).cqlText == "(1 + 1) * (1 + 1)")
        #expect(Term.operation(sum, .subtract, sum).cqlText == "1 + 1 - (1 + 1)")
        #expect(Term.negation(sum).cqlText == "- (1 + 1)")
    }

    @Test(arguments: [
        ("count(*)", "count"), ("count(1)", "count(1)"), ("max(v)", "max(v)"), ("TTL(v)", "ttl(v)"),
        ("writetime(v)", "writetime(v)"), ("maxwritetime(v)", "maxwritetime(v)"),
        ("CAST(v AS int)", "cast(v as int)"), ("(int)v", "(int)v"), ("u.F", "u.f"), ("m['k']", "m['k']"),
        ("m['a'..'b']", "m['a'..'b']"), ("(a, b)", "(a, b)"), ("a+b", "a + b"), ("-a", "-a"),
        ("ks.f(a,  b)", "ks.f(a, b)"), ("\"Mixed\"", "Mixed"), ("[1,2]", "[1, 2]"), ("{a:1}", "{a: 1}"),
    ])
    func resultColumnsAreNamedAsWritten(_ selector: String, _ expected: String) throws {
        let statement = try CQLParser.parse("SELECT \(selector) FROM t").statement
        guard case .select(let select) = statement, case .items(let items) = select.selection else {
            Issue.record("not a selection")
            return
        }
        #expect(items.map(\.selector.resultName) == [expected])
    }

    @Test func whereClausesOfViewsStandAlone() throws {
        let clause = try CQLParser.parseWhereClause("a IS NOT NULL AND key > 5 AND \"C\" IN (1, 2)")
        #expect(clause.cqlText == "a IS NOT NULL AND key > 5 AND \"C\" IN (1, 2)")
        let again = try CQLParser.parseWhereClause(clause.cqlText)
        #expect(again == clause)
    }

    @Test func typesAndTermsStandAlone() throws {
        let type = try CQLParser.parseType("map<text, frozen<list<ks.u>>>")
        let element: TypeName = .userDefined(QualifiedName(keyspace: "ks", name: "u"))
        #expect(type == .map(key: .native(.text), value: .frozen(.list(element))))
        let term = try CQLParser.parseTerm("(0, null)")
        #expect(term == .tuple([.literal(.integer("0")), .literal(.null)]))
        #expect(throws: CQLSyntaxError.self) { try CQLParser.parseType("int int") }
        #expect(throws: CQLSyntaxError.self) { try CQLParser.parseTerm("") }
    }
}
