import Shell
import Testing

@Suite struct LineScreenTests {
    @Test func aShortLineIsDrawnOverItself() {
        var screen = LineScreen()
        #expect(screen.draw(prompt: "> ", text: Array("abc"), cursor: 1, columns: 80) == "\r\u{1B}[J> abc\r\u{1B}[3C")
        #expect(screen.finish() == "\r\n")
    }

    @Test func aLongLineTakesRowsAndTheNextDrawingStartsAtItsFirst() {
        var screen = LineScreen()
        let text: [Character] = Array("0123456789abc")
        #expect(screen.draw(prompt: "> ", text: text, cursor: 13, columns: 10).hasSuffix("abc\r\u{1B}[5C"))
        #expect(screen.draw(prompt: "> ", text: text, cursor: 0, columns: 10).hasPrefix("\u{1B}[1A\r"))
        #expect(screen.finish() == "\u{1B}[1B\r\n")
    }

    @Test func aFullRowMovesTheCursorToTheNext() {
        var screen = LineScreen()
        let drawn: String = screen.draw(prompt: "> ", text: Array("12345678"), cursor: 8, columns: 10)
        #expect(drawn == "\r\u{1B}[J> 12345678\r\n\r")
    }

    @Test func wideCharactersAreNotCutByTheEdge() {
        var screen = LineScreen()
        let drawn: String = screen.draw(prompt: ">", text: Array("日本日"), cursor: 3, columns: 6)
        #expect(drawn.hasSuffix("日本日\r\u{1B}[2C"))
    }
}
