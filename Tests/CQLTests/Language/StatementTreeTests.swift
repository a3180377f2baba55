import CQL
import Primitives
import Testing

@Suite struct StatementTreeTests {
    private func select(_ text: String) throws -> SelectStatement {
        guard case .select(let statement) = try CQLParser.parse(text).statement else {
            throw CQLSyntaxError(message: "not a SELECT", line: 0, column: 0)
        }
        return statement
    }

    private func selector(_ text: String) throws -> Selector {
        guard case .items(let items) = try select("SELECT \(text) FROM t").selection, let item = items.first else {
            throw CQLSyntaxError(message: "no selector", line: 0, column: 0)
        }
        return item.selector
    }

    @Test func namesFoldToLowerCaseUnlessQuoted() throws {
        let statement = try select("SELECT Col, \"Col\", \"a\"\"b\", KEY FROM Ks.\"T\"")
        #expect(statement.table == QualifiedName(keyspace: "ks", name: "T"))
        #expect(
            statement.selection
                == .items(["col", "Col", "a\"b", "key"].map { SelectedItem(selector: .column($0)) }))
    }

    @Test func aBraceLiteralIsAUserTypeWhenItsFirstKeyIsAName() throws {
        let one: Term = .literal(.integer("1"))
        #expect(try CQLParser.parseTerm("{a: 1}") == .userType([FieldTerm(field: "a", value: one)]))
        #expect(try CQLParser.parseTerm("{'a': 1}") == .map([TermEntry(key: .literal(.string("a")), value: one)]))
        let call: Term = .call(QualifiedName(name: "f"), [])
        #expect(try CQLParser.parseTerm("{f(): 1}") == .map([TermEntry(key: call, value: one)]))
        #expect(try CQLParser.parseTerm("{true: 1}") == .map([TermEntry(key: .literal(.boolean(true)), value: one)]))
        #expect(try CQLParser.parseTerm("{}") == .set([]))
        #expect(try CQLParser.parseTerm("{1}") == .set([one]))
        #expect(throws: CQLSyntaxError.self) { try CQLParser.parseTerm("{a: 1, 'b': 2}") }
        #expect(throws: CQLSyntaxError.self) { try CQLParser.parseTerm("{'a': 1, 2}") }
    }

    @Test func parenthesesHoldATypeWhenAValueFollows() throws {
        #expect(try CQLParser.parseTerm("(int)5") == .hint(.native(.int), .literal(.integer("5"))))
        #expect(try CQLParser.parseTerm("('a.B')5") == .hint(.custom("a.B"), .literal(.integer("5"))))
        #expect(try CQLParser.parseTerm("('a.B')") == .tuple([.literal(.string("a.B"))]))
        #expect(try selector("(u)v") == .hint(.userDefined(QualifiedName(name: "u")), .column("v")))
        #expect(try selector("(u)") == .tuple([.column("u")]))
        #expect(try selector("(u) AS x") == .tuple([.column("u")]))
    }

    @Test func multiplicationBindsTighterThanAdditionAndBothGroupToTheLeft() throws {
        let sum: Selector = .operation(
            .operation(.column("a"), .subtract, .operation(.column("b"), .multiply, .column("c"))), .add,
            .column("d"))
        #expect(try selector("a - b * c + d") == sum)
        #expect(try selector("-a.f") == .negation(.field(.column("a"), "f")))
    }

    @Test func theSignOfANumberBelongsToIt() throws {
        #expect(try CQLParser.parseTerm("-5") == .literal(.integer("-5")))
        #expect(try CQLParser.parseTerm("- 5") == .negation(.literal(.integer("5"))))
        let difference: Term = .operation(.literal(.integer("1")), .subtract, .literal(.integer("-5")))
        #expect(try CQLParser.parseTerm("1 - -5") == difference)
    }

    @Test(arguments: [
        ("'it''s'", Literal.string("it's")), ("$$it's$$", .string("it's")), ("''", .string("")),
        ("1", .integer("1")), ("1.", .float("1.")), ("-1.5E+3", .float("-1.5E+3")), ("1e5", .float("1e5")),
        ("TRUE", .boolean(true)), ("false", .boolean(false)), ("0x0aB", .blob(hexadecimal: "0aB")),
        ("12h30m", .duration("12h30m")), ("-1y", .duration("-1y")), ("5µs", .duration("5µs")),
        ("P3W", .duration("P3W")),
        ("PT1H1S", .duration("PT1H1S")), ("P0001-02-03T04:05:06", .duration("P0001-02-03T04:05:06")),
        ("-P1Y", .duration("-P1Y")), ("nan", .notANumber), ("-NaN", .notANumber), ("Infinity", .infinity),
        ("-INFINITY", .negativeInfinity), ("null", .null),
        ("00000000-0000-0001-0000-00000000000F", .uuid(UUID(high: 1, low: 15))),
    ])
    func constantsKeepTheirText(_ text: String, _ literal: Literal) throws {
        let term = try CQLParser.parseTerm(text)
        #expect(term == .literal(literal))
    }

    @Test func blobsDecodeWhenTheyHoldWholeBytes() {
        #expect(Literal.blob(hexadecimal: "cAfe").blobBytes == [0xCA, 0xFE])
        #expect(Literal.blob(hexadecimal: "").blobBytes == [])
        #expect(Literal.blob(hexadecimal: "abc").blobBytes == nil)
        #expect(Literal.string("ab").blobBytes == nil)
    }

    @Test func bindMarkersAreNumberedInOrderOfAppearance() throws {
        let text = "BEGIN BATCH INSERT INTO t (a) VALUES (?); UPDATE t SET b = :B WHERE k = :b AND c IN ? APPLY BATCH"
        let parsed = try CQLParser.parse(text)
        #expect(parsed.bindMarkers.map(\.name) == [nil, "b", "b", nil])
        let marks = parsed.bindMarkers.map { Array(text.utf8)[$0.position] }
        #expect(marks == Array("?::?".utf8))
        guard case .batch(let batch) = parsed.statement, case .update(let update) = batch.statements.last else {
            Issue.record("not a batch with an update")
            return
        }
        #expect(update.assignments == [.set(column: "b", value: .bindMarker(BindMarkerReference(index: 1, name: "b")))])
        #expect(update.whereClause.relations.last?.predicate == .isIn(.bindMarker(BindMarkerReference(index: 3))))
    }

    @Test func jsonAndDistinctAreColumnsOnlyWhereTheyCannotBeWords() throws {
        let both = try select("SELECT JSON DISTINCT a FROM t")
        #expect(both.isJSON && both.isDistinct)
        let column = try select("SELECT json FROM t")
        #expect(!column.isJSON && column.selection == .items([SelectedItem(selector: .column("json"))]))
        let document = try select("SELECT JSON json FROM t WHERE a = ?")
        #expect(document.isJSON && document.selection == .items([SelectedItem(selector: .column("json"))]))
        let marker = try CQLParser.parse("SELECT json, (int)? FROM t")
        #expect(marker.bindMarkers.count == 1)
    }

    @Test func updatesTellSettingFromAdding() throws {
        guard
            case .update(let update) = try CQLParser.parse(
                "UPDATE t SET a = a + 1, b = b -2, c = [1] + c, d = f(d.x()), e = 1 WHERE k = 1"
            ).statement
        else {
            Issue.record("not an update")
            return
        }
        #expect(update.assignments[0] == .add(column: "a", value: .literal(.integer("1"))))
        #expect(update.assignments[1] == .add(column: "b", value: .literal(.integer("-2"))))
        #expect(update.assignments[2] == .prepend(column: "c", value: .list([.literal(.integer("1"))])))
        #expect(update.assignments[4] == .set(column: "e", value: .literal(.integer("1"))))
    }

    @Test func everyPrimaryKeyOfATableIsKept() throws {
        guard
            case .createTable(let table) = try CQLParser.parse(
                "CREATE TABLE t (a int PRIMARY KEY, b int, PRIMARY KEY ((a, b), c))"
            ).statement
        else {
            Issue.record("not a table")
            return
        }
        #expect(table.columns.map(\.name) == ["a", "b"])
        #expect(
            table.primaryKeys == [
                PrimaryKeyDeclaration(partition: ["a"], clustering: []),
                PrimaryKeyDeclaration(partition: ["a", "b"], clustering: ["c"]),
            ])
    }

    @Test func propertiesGiveTheirTextWithoutQuotes() throws {
        guard
            case .alterTable(let table) = try CQLParser.parse(
                "ALTER TABLE t WITH a = 'x' AND b = 1.5 AND c = all AND d = {'k': 0.5, 'l': true}"
            ).statement, case .setProperties(let properties) = table.change
        else {
            Issue.record("no properties")
            return
        }
        #expect(properties.map(\.text) == ["x", "1.5", "all", nil])
        #expect(properties[3].entries?.map(\.value) == ["0.5", "true"])
    }

    @Test func userNamesKeepTheirCaseAndRoleNamesFold() throws {
        #expect(try CQLParser.parse("DROP USER Bob").statement == CQLParser.parse("DROP USER 'Bob'").statement)
        #expect(try CQLParser.parse("DROP ROLE Bob").statement == CQLParser.parse("DROP ROLE 'bob'").statement)
    }
}
