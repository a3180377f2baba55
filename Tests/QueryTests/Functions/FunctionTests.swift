import CQL
import DataModel
import Testing

@testable import Query

/// The built-in functions of values.
@Suite struct FunctionTests {
    private func node(_ columns: String, _ insert: String) throws -> NodeUnderTest {
        try NodeUnderTest(
            "CREATE TABLE ks.t (k int PRIMARY KEY, \(columns))",
            "INSERT INTO ks.t (k, \(insert.split(separator: "=")[0])) VALUES (1, \(insert.split(separator: "=")[1]))")
    }

    @Test func mathKeepsTheTypeOfItsArgument() throws {
        let node = try node(
            "a tinyint, c int, d bigint, e float, f double, g varint, h decimal",
            "a, c, d, e, f, g, h=-128, 100, -5, -2.5, 0.5, -100, -2.50")
        #expect(try node.row("SELECT abs(a), abs(d), abs(e), abs(g), abs(h) FROM t") == "-128 | 5 | 2.5 | 100 | 2.50")
        #expect(
            try node.columns("SELECT abs(a), exp(e), round(h), exp(g) FROM t") == [
                "system.abs(a) tinyint", "system.exp(e) float", "system.round(h) decimal", "system.exp(g) varint",
            ])
        #expect(try node.row("SELECT round(e), round(f), round(h), round(c) FROM t") == "-2.0 | 1.0 | -3 | 100")
        #expect(
            try node.row("SELECT log10(c), log(c), exp(f), exp(c) FROM t") == "2 | 4 | 1.6487212707001282 | 2147483647")
        #expect(try node.row("SELECT log(abs(g)), log10(abs(g)), exp((varint) 3) FROM t") == "4 | 2 | 20")
        #expect(
            node.message("SELECT log(g) FROM t")
                == "execution of 'system.log[varint]' failed: Natural log of number zero or less")
        #expect(
            node.message("SELECT log10(h) FROM t")
                == "execution of 'system.log10[decimal]' failed: Log10 of number zero or less")
        #expect(
            node.message("SELECT abs(k, k) FROM t")?.hasPrefix(
                "Invalid call to function abs, none of its type signatures match (known type signatures: "
                    + "system.abs : (tinyint) -> tinyint, "
            ) == true)
    }

    @Test func elementaryFunctionsOfDecimalsHaveThirtyTwoDigits() throws {
        let node = try node("h decimal", "h=2")
        #expect(
            try node.row("SELECT exp(h), log(h), log10(h) FROM t")
                == "7.3890560989306502272304274605750 | 0.69314718055994530941723212145818 | 0.30102999566398119521373889472449"
        )
        try node.run("UPDATE t SET h = 1.0000000000000000000000000000000000000001 WHERE k = 1")
        #expect(
            try node.row("SELECT log(h) FROM t").hasPrefix(
                "0.000000000000000000000000000000000000000099999999999999999999999999"))
        try node.run("UPDATE t SET h = 1E+20 WHERE k = 1")
        #expect(node.message("SELECT exp(h) FROM t") == "execution of 'system.exp[decimal]' failed: Overflow")
    }

    @Test func collectionsGiveTheirParts() throws {
        let node = try node(
            "m map<int, text>, s set<int>, l list<decimal>, f frozen<list<float>>",
            "m, s, l, f={2: 'b', 1: 'a'}, {3, 1, 2}, [1.5, 2.5, 0.1], [1, 2]")
        #expect(
            try node.row("SELECT map_keys(m), map_values(m), collection_count(m), collection_count(s) FROM t")
                == "{1, 2} | ['a', 'b'] | 2 | 3")
        #expect(
            try node.row("SELECT collection_min(s), collection_max(s), collection_sum(s), collection_avg(s) FROM t")
                == "1 | 3 | 6 | 2")
        #expect(
            try node.row(
                "SELECT collection_min(l), collection_max(l), collection_sum(l), collection_avg(l), collection_avg(f) FROM t"
            ) == "0.1 | 2.5 | 4.1 | 1.4 | 1.5")
        #expect(
            try node.columns("SELECT map_keys(m), collection_avg(l) FROM t") == [
                "system.map_keys(m) frozen<set<int>>", "system.collection_avg(l) decimal",
            ])
        #expect(try node.row("SELECT collection_sum([k, 2, 3]), collection_count((set<int>) {}) FROM t") == "6 | 0")
        #expect(
            node.message("SELECT map_keys(s) FROM t")
                == "Function system.map_keys requires a map argument, but found argument s of type frozen<set<int>>")
        #expect(
            node.message("SELECT collection_min(m) FROM t")
                == "Function system.collection_min requires a set or list argument, but found argument m of type frozen<map<int, text>>"
        )
        #expect(
            node.message("SELECT collection_sum(map_values(m)) FROM t")
                == "Function system.collection_sum requires a numeric set/list argument, but found argument "
                + "map_values(m) of type frozen<list<text>>"
        )
        #expect(
            node.message("SELECT collection_count() FROM t")
                == "Invalid number of arguments for function system.collection_count(collection)")
    }

    @Test func castsFollowTheMatrix() throws {
        let node = try node(
            "a tinyint, f double, h decimal, b boolean, i inet, u timeuuid, s timestamp, d date, x text",
            "a, f, h, b, i, u, s, d, x=-1, 300.7, 1E+3, true, '127.0.0.1', "
                + "d2177dd0-eaa2-11de-a572-001b779c76e3, '2024-01-02', '2024-01-02', 'x'"
        )
        #expect(
            try node.columns("SELECT CAST(a AS int), CAST(a AS tinyint) FROM t") == ["cast(a as int) int", "a tinyint"])
        #expect(
            try node.row(
                "SELECT CAST(a AS bigint), CAST(f AS tinyint), CAST(f AS int), CAST(h AS int), CAST(h AS "
                    + "varint), CAST(f AS decimal), CAST(a AS decimal) FROM t"
            ) == "-1 | 44 | 300 | 1000 | 1000 | 300.7 | -1")
        #expect(
            try node.row(
                "SELECT CAST(b AS text), CAST(i AS ascii), CAST(s AS text), CAST(d AS text), CAST(a AS text) FROM t")
                == "'true' | '127.0.0.1' | '2024-01-02T00:00:00.000Z' | '2024-01-02' | '-1'")
        #expect(
            try node.row("SELECT CAST(u AS date), CAST(s AS date), CAST(d AS timestamp) FROM t")
                == "'2009-12-17' | '2024-01-02' | '2024-01-02T00:00:00.000Z'")
        #expect(try node.row("SELECT cast_as_int(a), castasdouble(a) FROM t") == "-1 | -1.0")
        #expect(node.message("SELECT CAST(x AS int) FROM t") == "x cannot be cast to int")
        #expect(node.message("SELECT CAST(b AS int) FROM t") == "b cannot be cast to int")
    }

    @Test func floorFindsTheStartOfAnInterval() throws {
        let node = try node(
            "s timestamp, d date, u timeuuid, t time",
            "s, d, u, t='2024-03-31 10:17:43+0000', '2024-03-31', 50554d6e-29bb-11e5-b345-feff819cdc9f, '10:17:43'")
        #expect(
            try node.row("SELECT floor(s, 1h), floor(s, 5m), floor(s, 1mo), floor(s, 1y) FROM t")
                == "'2024-03-31T10:00:00.000Z' | '2024-03-31T10:15:00.000Z' | '2024-03-01T00:00:00.000Z' | '2024-01-01T00:00:00.000Z'"
        )
        #expect(
            try node.row("SELECT floor(s, 1h, '2024-03-31 09:30:00+0000'), floor(s, 1mo1d), floor(d, 1mo) FROM t")
                .hasPrefix("'2024-03-31T09:30:00.000Z' | "))
        #expect(
            try node.row("SELECT floor(d, 1mo), floor(u, 1d), floor(t, 15m) FROM t")
                == "'2024-03-01' | '2015-07-14T00:00:00.000Z' | '10:15:00.000000000'")
        #expect(
            node.message("SELECT floor(s, -1h) FROM t") == "Negative durations are not supported by the floor function")
        #expect(
            node.message("SELECT floor(s, 1us) FROM t")
                == "The floor cannot be computed for the 1us duration as precision is below 1 millisecond")
        #expect(
            node.message("SELECT floor(d, 1h) FROM t")
                == "The floor on date values cannot be computed for the 1h duration as precision is below 1 day")
        #expect(
            node.message("SELECT floor(t, 25h) FROM t")
                == "For time values, the floor can only be computed for durations smaller that a day")
        #expect(
            node.message("SELECT floor(s, 1h, '2025-01-01') FROM t")
                == "The floor function starting time is greater than the provided time")
    }

    @Test func jsonGoesBothWays() throws {
        let node = try node("m map<text, int>, x text", "m, x={'a': 1}, 'y'")
        #expect(try node.row("SELECT to_json(m), toJson(x), to_json(k) FROM t") == "'{\"a\": 1}' | '\"y\"' | '1'")
        #expect(try node.columns("SELECT to_json(m) FROM t") == ["system.to_json(m) text"])
        try node.run("INSERT INTO t (k, m) VALUES (2, from_json('{\"b\": 2}'))")
        #expect(try node.row("SELECT m FROM t WHERE k = fromJson('2')") == "{'b': 2}")
        #expect(
            node.message("SELECT from_json('1') FROM t")
                == "from_json() cannot be used in the selection clause of a SELECT statement")
        #expect(node.refusal("INSERT INTO t (k, m) VALUES (2, from_json('[1'))")?.code == 0x1400)
        #expect(
            node.message("INSERT INTO t (k) VALUES (from_json('\"a\"'))")
                == "execution of 'system.from_json[text]' failed: Unable to make int from 'a'")
    }

    @Test func maskedValuesHideTheirs() throws {
        let node = try node("a text, i int, l list<int>", "a, i, l='abcdef', 7, [1]")
        #expect(
            try node.row(
                "SELECT mask_null(a), mask_default(a), mask_default(i), mask_default(l), mask_replace(a, 'z'), mask_replace(i, 3) FROM t"
            ) == "null | '****' | 0 | [] | 'z' | 3")
        #expect(
            try node.row(
                "SELECT mask_inner(a, 1, 2), mask_outer(a, 1, 2), mask_inner(a, null, 1), mask_inner(a, 1, 1, "
                    + "'#'), mask_outer(a, 9, 9) FROM t"
            ) == "'a***ef' | '*bcd**' | '*****f' | 'a####f' | '******'")
        #expect(
            try node.row("SELECT mask_hash(a), mask_hash(a, 'MD5') FROM t")
                == "0xbef57ec7f53a6d40beb640a780a639c83bc29ac8a9816f1fc6c5c6dcd93c4721 | 0xe80b5017098950fc58aad83c8c14978e"
        )
        #expect(
            try node.row("SELECT mask_hash(a, 'SHA-512'), mask_hash(a, 'SHA-1') FROM t")
                == "0xe32ef19623e8ed9d267f657a81944b3d07adbb768518068e88435745564e8d41"
                + "50a0a703be2a7d88b61e3d390c2bb97e2d4c311fdc69d6b1267f05f59aa920e7"
                + " | 0x1f8ac10f23c5b5bc1167bda84b833e5c057a77d2"
        )
        #expect(node.message("SELECT mask_hash(a, 'X') FROM t") == "Hash algorithm not found: X")
        #expect(
            node.message("SELECT mask_inner(i, 1, 1) FROM t")
                == "Function system.mask_inner requires an argument of type [text|varchar|ascii], but found argument i of type int"
        )
        #expect(
            node.message("SELECT mask_inner(a, 1, 1, 'xy') FROM t")
                == "The padding argument for function system.mask_inner should be single-character, but 'xy' has 2 characters."
        )
    }

    @Test func vectorsAreCompared() throws {
        let node = try node(
            "v vector<float, 2>, w vector<float, 2>, z vector<float, 3>, i vector<int, 2>",
            "v, w, z, i=[1, 0], [0, 1], [1, 1, 1], [1, 2]")
        #expect(
            try node.row(
                "SELECT similarity_cosine(v, w), similarity_cosine(v, v), similarity_euclidean(v, w), "
                    + "similarity_dot_product(v, [3, 4]) FROM t"
            ) == "0.5 | 1.0 | 0.33333334 | 2.0")
        #expect(
            node.message("SELECT similarity_cosine(v, z) FROM t")
                == "All arguments must have the same vector dimensions")
        #expect(
            node.message("SELECT similarity_cosine(v, [0, 0]) FROM t")
                == "Function system.similarity_cosine doesn't support all-zero vectors.")
        #expect(
            node.message("SELECT similarity_cosine(i, i) FROM t")
                == "Function system.similarity_cosine requires a float vector argument, but found argument i of type vector<int, 2>"
        )
    }

    @Test func unknownAndWrongCallsAreRefusedInCassandrasWords() throws {
        let node = try node("x text", "x='y'")
        #expect(node.message("SELECT nothing(x) FROM t") == "Unknown function 'nothing'")
        #expect(node.message("INSERT INTO t (k) VALUES (nothing())") == "Unknown function nothing called")
        #expect(
            node.message("SELECT token() FROM t")
                == "Invalid number of arguments in call to function system.token: 1 required but 0 provided")
        #expect(
            node.message("SELECT int_as_blob(x) FROM t")
                == "Type error: x cannot be passed as argument 0 of function system.int_as_blob of type int")
        #expect(
            node.message("SELECT to_date(x) FROM t")
                == "Invalid call to function to_date, none of its type signatures match (known type signatures: "
                + "system.to_date : (timeuuid) -> date, system.to_date : (timestamp) -> date)"
        )
        #expect(
            node.message("SELECT 1 FROM t")
                == "Cannot infer type for term 1 in selection clause (try using a cast to force a type)")
        #expect(
            node.message("SELECT ? FROM t", [.null])
                == "Cannot infer type for term ? in selection clause (try using a cast to force a type)")
        #expect(
            node.message("SELECT sum(x) FROM t")?.hasPrefix(
                "Invalid call to function sum, none of its type signatures match (known type signatures: system.sum : (tinyint) -> tinyint"
            ) == true)
        #expect(
            node.message("SELECT max(min(k)) FROM t")
                == "aggregate functions cannot be used as arguments of aggregate functions")
    }

    @Test func callsWithHugeArgumentsAreRefused() throws {
        let node = try node("x text", "x='y'")
        try node.run("UPDATE t SET x = ? WHERE k = 1", [.bytes([UInt8](repeating: 0x61, count: 1 << 20))])
        let many = [String](repeating: "x", count: 65).joined(separator: ", ")
        #expect(node.message("SELECT [\(many)] FROM t") == "The arguments of construct are larger than 67108864 bytes")
    }

    @Test func literalsWithColumnsAndHintsAreValues() throws {
        let node = try node("v int, x text", "v, x=5, 'y'")
        #expect(
            try node.row("SELECT [k, v, 7], {k, v}, {x: v}, (k, x), (int) 3, (text) 'a' FROM t")
                == "[1, 5, 7] | {1, 5} | {'y': 5} | (1, 'y') | 3 | 'a'")
        #expect(
            try node.columns("SELECT [k, v], (k, x), (int) 3, (vector<int, 2>) [k, 3] FROM t") == [
                "[k, v] frozen<list<int>>", "(k, x) frozen<tuple<int, text>>", "(int)3 int",
                "(vector<int, 2>)[k, 3] vector<int, 2>",
            ])
        #expect(
            try node.row("SELECT (int) ?, v + (int) ? FROM t", [.bytes([0, 0, 0, 1]), .bytes([0, 0, 0, 2])]) == "1 | 7")
        #expect(node.message("SELECT (int) 'a' FROM t") == "Cannot assign value (int)'a' to (int)'a' of type int")
    }
}
