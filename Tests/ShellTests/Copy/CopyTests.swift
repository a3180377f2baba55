import CQL
import DataModel
import MartletClient
import Shell
import Synchronization
import Testing

@Suite struct CopyTests {
    private func parse(_ text: String) -> Result<CopyCommand, CopyCommand.Fault>? {
        CopyCommand.parse(text)
    }

    @Test func tablesColumnsFilesAndOptionsAreRead() throws {
        let command = try #require(
            try parse("COPY ks.\"T\" (a, \"B\") FROM 'x.csv' WITH HEADER = TRUE AND delimiter='|' AND null='-'")?.get())
        #expect(command.keyspace == "ks" && command.table == "T" && command.columns == ["a", "B"])
        #expect(command.direction == .from && command.path == "x.csv")
        #expect(command.options.hasHeader && command.options.dialect.delimiter == UInt8(ascii: "|"))
        #expect(command.options.null == "-")
        let other = try #require(try parse("copy T to stdout with pagesize=7 and maxoutputsize=-1")?.get())
        #expect(other.table == "t" && other.path == nil && other.options.pageSize == 7)
        #expect(other.options.rowsPerFile == nil)
    }

    @Test(arguments: [
        "COPY", "COPY t", "COPY t TO", "COPY t TO STDIN", "COPY t FROM STDOUT", "COPY t () TO 'x'",
        "COPY t TO 'x' WITH",
        "COPY t TO 'x' WITH TTL = 3", "COPY t FROM 'x' WITH delimiter = 'ab'", "COPY t TO 'x' WITH nonsense = 1",
        "COPY t TO 'x' WITH pagesize = many", "COPY t TO 'x' WITH boolstyle = 'a,a'", "COPY t TO 'x' y",
    ])
    func whatIsNotWrittenAsItShouldBeIsRefused(_ text: String) throws {
        #expect(throws: CopyCommand.Fault.self) { try parse(text)?.get() }
        #expect(parse(text) != nil)
    }

    @Test func otherStatementsAreNoCopies() {
        #expect(parse("SELECT 1") == nil)
        #expect(parse("\"COPY\" t") == nil)
    }

    private static let address = UserDefinedType(
        keyspace: "ks", name: "address", fieldNames: ["street", "number"], fieldTypes: [.text, .int])

    @Test(arguments: [
        (CQLType.text, "it's \\n 雪\n,\"", "it's \\n 雪\n,\""), (.int, "-12", "-12"), (.boolean, "true", "True"),
        (.double, "1.5", "1.5"), (.blob, "0x00ff", "0x00ff"),
        (.timestamp, "2024-02-29 12:30:45.678+0000", "2024-02-29 12:30:45.678+0000"),
        (.date, "2024-02-29", "2024-02-29"), (.inet, "::1", "::1"),
        (.list(.text, isMultiCell: true), "['a, b', 'it''s', '[x']", "['a, b', 'it''s', '[x']"),
        (.set(.int, isMultiCell: false), "{3, 1}", "{1, 3}"),
        (
            .map(.text, .timestamp, isMultiCell: true), "{'a:b': '2024-02-29 12:30:45.678+0000'}",
            "{'a:b': '2024-02-29 12:30:45.678+0000'}"
        ),
        (
            .map(.time, .date, isMultiCell: true), "{'10:00:00': 2024-01-01}",
            "{'10:00:00.000000000': '2024-01-01'}"
        ),
        (.tuple([.int, .text, .int]), "(1, 'x', null)", "(1, 'x', null)"),
        (.userDefined(address, isMultiCell: false), "{number: 3, street: 'Main, 1'}", "{street: 'Main, 1', number: 3}"),
        (.vector(.float, dimension: 2), "[1, 2.5]", "[1, 2.5]"), (.list(.int, isMultiCell: true), "[]", "[]"),
    ])
    func valuesAreReadAndWritten(type: CQLType, field: String, shown: String) throws {
        let values = CopyValues(CopyOptions())
        let bytes = try values.value(of: field, type: type)
        #expect(values.field(of: bytes, type: type) == shown)
        #expect(try values.value(of: shown, type: type) == bytes)
    }

    @Test func separatorsStylesAndFormatsAreThoseOfTheOptions() throws {
        let text =
            "COPY t TO 'x' WITH decimalsep=',' AND thousandssep='.' AND boolstyle='yes, no' AND "
            + "datetimeformat='%d.%m.%Y %H:%M' AND null='NULL'"
        let values = CopyValues(try #require(try parse(text)?.get()).options)
        for (type, field) in [
            (CQLType.int, "1.234.567"), (.int, "-1.000"), (.double, "1.234,5"), (.boolean, "no"),
            (.timestamp, "29.02.2024 12:30"), (.text, ""), (.int, "NULL"),
        ] {
            let bytes = try values.value(of: field, type: type)
            #expect(values.field(of: bytes, type: type) == field)
        }
        #expect(try values.value(of: "NULL", type: .text) == nil)
    }

    @Test(arguments: [
        (CQLType.int, "x"), (.list(.int, isMultiCell: true), "1, 2"), (.vector(.float, dimension: 2), "[1]"),
        (.map(.int, .int, isMultiCell: true), "{1}"), (.userDefined(address, isMultiCell: false), "{zip: 1}"),
        (.tuple([.int]), "(1, 2)"), (.list(.int, isMultiCell: true), "["),
    ])
    func fieldsThatAreNoValuesAreRefused(type: CQLType, field: String) {
        #expect(throws: CopyValues.Fault.self) { try CopyValues(CopyOptions()).value(of: field, type: type) }
    }
}
