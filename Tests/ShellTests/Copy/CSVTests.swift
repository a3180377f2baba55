import Shell
import Testing

@Suite struct CSVTests {
    private func rows(_ text: String, _ dialect: CSVDialect = CSVDialect(), pieceByteCount: Int = 1_000) -> [[String]] {
        var reader = CSVReader(dialect)
        var rows: [[String]] = []
        let bytes: [UInt8] = Array(text.utf8)
        for start in stride(from: 0, to: bytes.count, by: pieceByteCount) {
            reader.append(Array(bytes[start..<min(bytes.count, start + pieceByteCount)]))
            while let row = reader.next() { rows.append(row) }
        }
        reader.finish()
        while let row = reader.next() { rows.append(row) }
        return rows
    }

    @Test(arguments: [1, 2, 3, 1_000])
    func fieldsAreCutAtDelimitersOutsideOfQuotes(pieceByteCount: Int) {
        let text = "a,b,\r\n\"c,\"\"d\"\"\",\"e\\\"f\",\\,\n\n,\n\"line\nend\",x,\"\"\nlast"
        #expect(
            rows(text, pieceByteCount: pieceByteCount) == [
                ["a", "b", ""], ["c,\"d\"", "e\"f", ","], ["", ""], ["line\nend", "x", ""], ["last"],
            ])
    }

    @Test func nothingIsNoRow() {
        #expect(rows("").isEmpty)
        #expect(rows("\n\r\n\n").isEmpty)
        #expect(rows("\"\"\n") == [[""]])
    }

    @Test(arguments: [",", ";", "\t"], ["\"", "'"])
    func whatIsWrittenIsReadAgain(delimiter: String, quote: String) throws {
        for isDoubling in [false, true] {
            var dialect = CSVDialect()
            dialect.delimiter = try #require(delimiter.utf8.first)
            dialect.quote = try #require(quote.utf8.first)
            if isDoubling { dialect.escape = dialect.quote }
            let fields: [[String]] = [
                ["a", "", "b,c;d\te"], ["\"", "'", "\\"], ["x\ny", "x\r\ny", "\\n"], ["雪", "'quoted'", "\"\""], [""],
            ]
            var writer = CSVWriter(dialect)
            for row in fields { writer.write(row) }
            #expect(rows(String(decoding: writer.take(), as: UTF8.self), dialect) == fields)
        }
    }
}
