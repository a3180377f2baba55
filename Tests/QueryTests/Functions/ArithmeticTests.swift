import CQL
import DataModel
import Testing

@testable import Query

/// Arithmetic in selections and in values.
@Suite struct ArithmeticTests {
    private static let numbers: [(name: String, type: String)] = [
        ("a", "tinyint"), ("b", "smallint"), ("c", "int"), ("d", "bigint"), ("e", "float"), ("f", "double"),
        ("g", "varint"), ("h", "decimal"),
    ]

    private func table() throws -> NodeUnderTest {
        let columns = ArithmeticTests.numbers.map { "\($0.name) \($0.type)" }.joined(separator: ", ")
        return try NodeUnderTest(
            "CREATE TABLE ks.n (k int PRIMARY KEY, \(columns))",
            "INSERT INTO ks.n (k, a, b, c, d, e, f, g, h) VALUES (1, 7, 7, 7, 7, 7, 7, 7, 7)",
            "INSERT INTO ks.n (k, a, b, c, d, e, f, g, h) VALUES (2, 0, 0, 0, 0, 0, 0, 0, 0)",
            "INSERT INTO ks.n (k, a) VALUES (3, 1)")
    }

    /// The matrix of result types in Cassandra's documentation.
    private func result(_ left: Int, _ right: Int) -> String {
        let width = [1, 2, 4, 8, 4, 8, 99, 99]
        let isFraction = [left, right].contains { [4, 5, 7].contains($0) }
        switch max(width[left], width[right]) {
        case 1: return "tinyint"
        case 2: return "smallint"
        case 4: return isFraction ? "float" : "int"
        case 8: return isFraction ? "double" : "bigint"
        default: return isFraction ? "decimal" : "varint"
        }
    }

    @Test func everyPairOfNumericTypesHasItsResultType() throws {
        let node = try table()
        for (left, a) in ArithmeticTests.numbers.enumerated() {
            for (right, b) in ArithmeticTests.numbers.enumerated() {
                let wanted: String = result(left, right)
                for sign in ["+", "-", "*", "/", "%"] {
                    let text = "SELECT \(a.name) \(sign) \(b.name) FROM n WHERE k = 1"
                    #expect(try node.columns(text) == ["\(a.name) \(sign) \(b.name) \(wanted)"])
                    let value = try node.row(text)
                    let number = try #require(Double(value), "\(text): \(value)")
                    #expect(number == ["+": 14.0, "-": 0, "*": 49, "/": 1, "%": 0][sign], "\(text)")
                }
            }
        }
    }

    @Test func nullMakesTheResultNull() throws {
        let node = try table()
        #expect(try node.row("SELECT a + b, b * a, -b, c / h FROM n WHERE k = 3") == "null | null | null | null")
    }

    @Test func wholeNumbersWrapInTheirType() throws {
        let node = try NodeUnderTest(
            "CREATE TABLE ks.t (k int PRIMARY KEY, a tinyint, c int, d bigint)",
            "INSERT INTO ks.t (k, a, c, d) VALUES (1, 127, 2147483647, -9223372036854775808)")
        #expect(
            try node.row("SELECT a + a, c + 1, d - c, d / (tinyint) -1, -d, -a FROM t")
                == "-2 | -2147483648 | 9223372034707292161 | -9223372036854775808 | -9223372036854775808 | -127")
    }

    @Test(arguments: [
        ("a / a", "the operation 'tinyint / tinyint' failed: / by zero"),
        ("b % a", "the operation 'smallint % tinyint' failed: / by zero"),
        ("c / d", "the operation 'int / bigint' failed: / by zero"),
        ("g / a", "the operation 'varint / tinyint' failed: BigInteger divide by zero"),
        ("h / a", "the operation 'decimal / tinyint' failed: BigInteger divide by zero"),
        ("h % h", "the operation 'decimal % decimal' failed: Division by zero"),
    ])
    func divisionByZeroFailsInCassandrasWords(_ expression: String, _ message: String) throws {
        let node = try table()
        let error = node.refusal("SELECT \(expression) FROM n WHERE k = 2")
        #expect(error?.message == message)
        #expect(error?.code == 0x1400)
    }

    @Test func fractionsDivideByZeroToInfinity() throws {
        let node = try table()
        #expect(try node.row("SELECT e / e, f / a, (float) 1 / e FROM n WHERE k = 2") == "NaN | NaN | Infinity")
    }

    @Test func decimalsKeepTheirScaleAndQuotientsHaveThirtyTwoDigits() throws {
        let node = try NodeUnderTest(
            "CREATE TABLE ks.t (k int PRIMARY KEY, x decimal, y decimal, z varint)",
            "INSERT INTO ks.t (k, x, y, z) VALUES (1, 1.10, 3, 123456789012345678901234567890)")
        #expect(try node.row("SELECT x + y, x - x, x * x, x % y FROM t") == "4.10 | 0.00 | 1.2100 | 1.10")
        #expect(try node.row("SELECT x / y FROM t") == "0.3" + String(repeating: "6", count: 30) + "7")
        #expect(try node.row("SELECT y / y, z * z, z + 1, z % 1000 FROM t").hasPrefix("1 | "))
        #expect(
            try node.row("SELECT z * z FROM t")
                == "15241578753238836750495351562536198787501905199875019052100")
    }

    @Test func numbersOfTooManyDigitsAreRefusedInOneSentence() throws {
        let node = try NodeUnderTest("CREATE TABLE ks.t (k int PRIMARY KEY, z varint, x decimal)")
        let digits = String(repeating: "9", count: 4_096)
        try node.run("INSERT INTO t (k, z, x) VALUES (1, \(digits), \(digits))")
        #expect(try node.row("SELECT z - z, x - x FROM t") == "0 | 0")
        #expect(
            node.message("SELECT z * z FROM t")
                == "the operation 'varint * varint' failed: numbers of more than 4096 digits cannot be calculated with")
        try node.run("INSERT INTO t (k, z) VALUES (1, \(digits)9)")
        #expect(node.refusal("SELECT z + 1 FROM t")?.code == 0x1400)
        try node.run("INSERT INTO t (k, x) VALUES (1, 1E+2147483647)")
        #expect(node.message("SELECT x * x FROM t") == "the operation 'decimal * decimal' failed: Overflow")
        #expect(try node.row("SELECT x + 0.5 FROM t").hasPrefix("1.0000000000"))
    }

    @Test func momentsTakeDurations() throws {
        let node = try NodeUnderTest(
            "CREATE TABLE ks.t (k int PRIMARY KEY, s timestamp, d date, l duration)",
            "INSERT INTO ks.t (k, s, d, l) VALUES (1, '2024-01-31 10:00:00+0000', '2024-01-31', 1mo)")
        #expect(
            try node.row("SELECT s + l, s - l, d + l, d - 1y FROM t")
                == "'2024-02-29T10:00:00.000Z' | '2023-12-31T10:00:00.000Z' | '2024-02-29' | '2023-01-31'")
        #expect(
            try node.row("SELECT s + 1d2h, s - 10h FROM t") == "'2024-02-01T12:00:00.000Z' | '2024-01-31T00:00:00.000Z'"
        )
        #expect(
            node.message("SELECT d + 10h FROM t")
                == "the operation 'date + duration' failed: The duration must have a day precision. Was: 10h")
        #expect(node.message("SELECT l + s FROM t") == "the '+' operation is not supported between l and s")
        #expect(node.message("SELECT s * l FROM t") == "the '*' operation is not supported between s and l")
    }

    @Test func textsAreJoined() throws {
        let node = try NodeUnderTest(
            "CREATE TABLE ks.t (k int PRIMARY KEY, a ascii, b text)",
            "INSERT INTO ks.t (k, a, b) VALUES (1, 'x', 'y')")
        #expect(
            try node.columns("SELECT a + a, a + b, b + '!' FROM t") == ["a + a ascii", "a + b text", "b + '!' text"])
        #expect(try node.row("SELECT a + a, a + b, b + '!' FROM t") == "'xx' | 'xy' | 'y!'")
        #expect(node.message("SELECT a - b FROM t") == "the '-' operation is not supported between a and b")
    }

    @Test func operatorsBindAsInMathematics() throws {
        let node = try table()
        #expect(
            try node.row("SELECT c + c * 2, (c + c) * 2, c - 3 - 2, -(c + 1), c % 4 FROM n WHERE k = 1")
                == "21 | 28 | 2 | -8 | 3")
        #expect(try node.columns("SELECT (c + c) * 2, c - (c - 1) FROM n") == ["(c + c) * 2 int", "c - (c - 1) int"])
    }

    @Test func valuesAreCalculatedInTheTypeOfTheColumn() throws {
        let node = try table()
        try node.run(
            "UPDATE n SET a = 3 + 4 * 2, d = 3000000000 + 1, h = 1.5 * 2, g = 7 / 2, f = 7 / 2 WHERE k = 9 - 5")
        #expect(try node.row("SELECT a, d, h, g, f FROM n WHERE k = 4") == "11 | 3000000001 | 3.0 | 3 | 3.5")
        #expect(
            node.message("UPDATE n SET c = ? + 1 WHERE k = 1", [.bytes([0, 0, 0, 1])])
                == "Ambiguous '+' operation with args ? and 1: use type hint to disambiguate, example '(int) ?'")
        try node.run("UPDATE n SET c = (int) ? + 1 WHERE k = 1", [.bytes([0, 0, 0, 41])])
        #expect(try node.row("SELECT c FROM n WHERE k = 1") == "42")
        #expect(
            node.message("UPDATE n SET a = 'x' + 1 WHERE k = 1")
                == "the '+' operation is not supported between 'x' and 1")
    }
}
