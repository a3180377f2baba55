import CQL
import DataModel
import Testing

@testable import Query

/// `writetime`, `maxwritetime` and `ttl`, and the parts of values.
@Suite struct CellTimesTests {
    private func node() throws -> NodeUnderTest {
        try NodeUnderTest(
            "CREATE TYPE ks.u (a int, b int, c int)",
            "CREATE TABLE ks.t (k int PRIMARY KEY, v int, m map<text, int>, s set<int>, u u, f frozen<map<text, int>>, l list<int>)",
            "UPDATE ks.t USING TIMESTAMP 10 SET v = 1, f = {'x': 1, 'y': 2}, m['a'] = 1, u.b = 2 WHERE k = 1",
            "UPDATE ks.t USING TIMESTAMP 20 AND TTL 100 SET m['c'] = 3, s = s + {5} WHERE k = 1",
            "UPDATE ks.t USING TIMESTAMP 30 SET m['b'] = 2, s = s + {4} WHERE k = 1")
    }

    @Test func cellsOfACollectionHaveTheirOwnTimes() throws {
        let node = try node()
        #expect(
            try node.row("SELECT writetime(v), writetime(m), maxwritetime(m), maxwritetime(v) FROM t")
                == "10 | [10, 30, 20] | 30 | 10")
        #expect(try node.row("SELECT ttl(v), ttl(s), ttl(f) FROM t") == "null | [null, 100] | null")
        #expect(
            try node.columns("SELECT writetime(m), ttl(m), maxwritetime(m), writetime(f), ttl(m['a']) FROM t") == [
                "writetime(m) frozen<list<bigint>>", "ttl(m) frozen<list<int>>", "maxwritetime(m) bigint",
                "writetime(f) bigint", "ttl(m['a']) int",
            ])
        #expect(try node.row("SELECT writetime(l), maxwritetime(l), ttl(l) FROM t") == "null | null | null")
    }

    @Test func elementsSlicesAndFieldsAreAskedAlone() throws {
        let node = try node()
        #expect(
            try node.row("SELECT writetime(m['a']), writetime(m['c']), ttl(m['c']), writetime(m['z']) FROM t")
                == "10 | 20 | 100 | null")
        #expect(
            try node.row(
                "SELECT writetime(m['b'..]), writetime(m['a'..'b']), maxwritetime(m[..'b']), writetime(m['d'..]) FROM t"
            ) == "[30, 20] | [10, 30] | 30 | null")
        #expect(
            try node.row(
                "SELECT writetime(s[5]), ttl(s[5]), writetime(s[..4]), writetime(f['x']), writetime(f['q']) FROM t")
                == "20 | 100 | [30] | 10 | null")
        #expect(
            try node.row("SELECT writetime(u), writetime(u.b), writetime(u.a), ttl(u.b) FROM t")
                == "[null, 10, null] | 10 | null | null")
    }

    @Test func keysHaveNoTimes() throws {
        let node = try node()
        #expect(
            node.message("SELECT writetime(k) FROM t")
                == "Cannot use selection function writetime on PRIMARY KEY part k")
        #expect(node.message("SELECT ttl(k) FROM t") == "Cannot use selection function ttl on PRIMARY KEY part k")
    }

    @Test func partsOfValuesAreSelected() throws {
        let node = try node()
        #expect(
            try node.row("SELECT m['a'], m['z'], m['b'..], s[4], s[9], s[5..], u.b, f['x'] FROM t")
                == "1 | null | {'b': 2, 'c': 3} | 4 | null | {5} | 2 | 1")
        #expect(
            try node.row("SELECT m[?], m[?..?] FROM t", [.bytes([0x61]), .bytes([0x61]), .bytes([0x62])])
                == "1 | {'a': 1, 'b': 2}")
        #expect(node.message("SELECT m[?] FROM t", [.null]) == "Invalid null value for element selection on m")
        #expect(node.message("SELECT m[?..] FROM t", [.null]) == "Invalid null value for slice selection on m")
        #expect(
            node.message("SELECT l[0] FROM t") == "Element selection is only allowed on sets and maps, but l is a list")
        #expect(
            node.message("SELECT l[0..1] FROM t") == "Slice selection is only allowed on sets and maps, but l is a list"
        )
        #expect(node.message("SELECT v[0] FROM t") == "Invalid element selection: v is of type int is not a collection")
        #expect(node.message("SELECT v.a FROM t") == "Invalid field selection: v of type int is not a user type")
        #expect(node.message("SELECT u.z FROM t") == "u of type u has no field z")
    }
}
