import Shell
import Testing

@Suite struct ResultTableTests {
    private func table(_ names: [String], _ rows: [[String]]) -> ResultTable {
        func plain(_ text: String) -> StyledText { StyledText(text, color: nil) }
        return ResultTable(names: names.map(plain), rows: rows.map { $0.map(plain) })
    }

    @Test func valuesStandAtTheRightUnderTheirNames() {
        let drawn = table(["id", "name"], [["1", "anna"], ["20", "jo"]]).drawn(hasHeader: true, hasLastBlank: false)
        #expect(
            drawn == """
                 id | name
                ----+------
                  1 | anna
                 20 |   jo

                """)
    }

    @Test func wideAndCombiningCharactersAreCountedAsTheyAreShown() {
        let drawn = table(["t"], [["日本"], ["e\u{301}"], ["🦅"]]).drawn(hasHeader: true, hasLastBlank: true)
        #expect(
            drawn == """
                 t
                ------
                 日本
                    e\u{301}
                   🦅


                """)
    }

    @Test func namesThatAreWiderThanValuesEndWithoutBlanks() {
        let drawn = table(["a", "longer"], [["long value", "1"]]).drawn(hasHeader: true, hasLastBlank: false)
        #expect(
            drawn == """
                 a          | longer
                ------------+--------
                 long value |      1

                """)
    }

    @Test func aTableWithoutRowsIsAHeaderAndABlankLine() {
        #expect(table(["a"], []).drawn(hasHeader: true, hasLastBlank: false) == " a\n---\n\n")
    }

    @Test func laterPagesHaveNoHeader() {
        #expect(table(["a"], [["1"]]).drawn(hasHeader: false, hasLastBlank: false) == " 1\n")
    }

    @Test func expandedRowsAreBlocks() {
        let drawn = table(["id", "name"], [["1", "anna"], ["2", "jo"]]).drawnExpanded(firstNumber: 3)
        #expect(
            drawn == """
                @ Row 3
                ------+------
                 id   | 1
                 name | anna

                @ Row 4
                ------+------
                 id   | 2
                 name | jo


                """)
    }

    @Test func namesFillColumnsFromTopToBottom() {
        #expect(NameColumns.drawn(["a", "bb", "c"], lineWidth: 80) == "a  bb  c\n")
        #expect(NameColumns.drawn(["aaaa", "b", "cc", "d"], lineWidth: 9) == "aaaa  cc\nb     d \n")
        #expect(NameColumns.drawn(["long", "name"], lineWidth: 3) == "long\nname\n")
        #expect(NameColumns.drawn(["one"]) == "one\n")
        #expect(NameColumns.drawn([]) == "<empty>\n")
    }
}

@Suite struct DisplayWidthTests {
    @Test(arguments: [
        ("", 0), ("abc", 3), ("日本", 4), ("e\u{301}", 1), ("👩‍👩‍👧", 2), ("❤", 1), ("❤️", 2), ("👍🏽", 2), ("🇩🇪", 2), ("한", 2),
        ("a\u{200B}b", 2),
    ])
    func widthsAreThoseOfTerminals(text: String, width: Int) {
        #expect(DisplayWidth.of(text) == width)
    }
}
