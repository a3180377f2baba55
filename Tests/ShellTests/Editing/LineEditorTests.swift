import Shell
import Testing

@Suite struct LineEditorTests {
    private func editor(_ keys: String, history: [String] = []) -> LineEditor {
        var past = LineHistory()
        for entry in history { past.add(entry) }
        var editor = LineEditor(history: past)
        for byte in keys.utf8 { _ = editor.feed(byte) }
        return editor
    }

    private func line(_ keys: String, history: [String] = []) -> String {
        let edited: LineEditor = editor(keys, history: history)
        var text = String(edited.text)
        text.insert("|", at: text.index(text.startIndex, offsetBy: edited.cursor))
        return text
    }

    @Test(arguments: [
        ("abc", "abc|"), ("abc\u{1B}[D\u{1B}[Dx", "ax|bc"), ("abc\u{01}x", "x|abc"),
        ("abc\u{1B}[Hx\u{1B}[Fy", "xabcy|"), ("abc\u{7F}", "ab|"), ("\u{7F}a", "a|"),
        ("abc\u{01}\u{1B}[3~", "|bc"), ("abc\u{01}\u{04}", "|bc"),
        ("one two\u{1B}b", "one |two"),
        ("one two\u{1B}[1;5D\u{1B}[1;5D", "|one two"), ("one two\u{01}\u{1B}f", "one| two"),
        ("ab\u{14}", "ba|"), ("日本\u{1B}[D\u{7F}", "|本"), ("e\u{301}x\u{7F}", "e\u{301}|"),
        ("a\u{1B}[99zb", "ab|"),
        ("a\u{1B}OHb", "b|a"),
    ]) func keysEdit(keys: String, expected: String) {
        #expect(line(keys) == expected)
    }

    @Test(arguments: [
        ("one two\u{17}", "one |"), ("one two\u{17}\u{17}\u{19}", "one two|"), ("one two\u{15}", "|"),
        ("one two\u{01}\u{0B}\u{19}\u{19}", "one twoone two|"), ("one two\u{01}\u{1B}d", "| two"),
        ("a.b c\u{1B}\u{7F}", "a.b |"),
    ]) func whatIsKilledCanBeYanked(keys: String, expected: String) {
        #expect(line(keys) == expected)
    }

    @Test func arrowsWalkThroughTheHistoryAndBack() {
        let past = ["first", "second"]
        #expect(line("new\u{1B}[A", history: past) == "second|")
        #expect(line("new\u{1B}[A\u{1B}[A\u{1B}[A", history: past) == "first|")
        #expect(line("new\u{1B}[A\u{1B}[A\u{1B}[B\u{1B}[B", history: past) == "new|")
        #expect(line("new\u{1B}[B", history: past) == "new|")
    }

    @Test func theHistoryIsSearchedBackwards() {
        let past = ["select a", "insert", "select b"]
        #expect(line("\u{12}sel", history: past) == "select b|")
        #expect(line("\u{12}sel\u{12}", history: past) == "select a|")
        #expect(line("\u{12}sel\u{12}\u{12}", history: past) == "select a|")
        #expect(editor("\u{12}ins", history: past).searchPrompt == "(reverse-i-search)`ins': ")
        #expect(editor("\u{12}zzz", history: past).searchPrompt == "(failed reverse-i-search)`zzz': ")
        #expect(editor("\u{12}ins\u{05}", history: past).searchPrompt == nil)
    }

    @Test func linesAreAcceptedAndTheNextBeginsEmpty() {
        var edited = editor("abc")
        #expect(edited.feed(0x0D) == .accepted("abc"))
        #expect(edited.text.isEmpty)
    }

    @Test func controlCAndControlDAskToStop() {
        var edited = editor("abc")
        #expect(edited.feed(0x03) == .interrupted)
        edited.begin()
        #expect(edited.feed(0x04) == .ended)
        #expect(edited.feed(0x09) == .wantsCompletion)
        #expect(edited.feed(0x0C) == .clearScreen)
    }

    @Test func completionsReplaceWhatWasTyped() {
        var edited = editor("SELECT * FR")
        edited.replaceBeforeCursor(2, with: "FROM ")
        #expect(String(edited.text) == "SELECT * FROM ")
        edited.replaceBeforeCursor(100, with: "")
        #expect(edited.text.isEmpty)
    }

    @Test func damagedBytesDoNoHarm() {
        var edited = LineEditor()
        for byte: UInt8 in [0xFF, 0xC3, 0x41, 0xE6, 0x97, 0x1B, 0x5B, 0x41, 0xF0, 0x9F, 0xA6, 0x85, 0x80] {
            _ = edited.feed(byte)
        }
        #expect(String(edited.text) == "A🦅")
    }

    @Test func historiesAreBoundedAndKeepOneOfEqualNeighbours() {
        var history = LineHistory()
        for number in 0..<(LineHistory.limit + 5) { history.add("line \(number)") }
        #expect(history.entries.count == LineHistory.limit)
        #expect(history.entries.first == "line 5")
        history.add("line 1004")
        history.add("   ")
        history.add("two\nlines")
        #expect(history.entries.last == "two lines")
        #expect(LineHistory(contents: history.contents) == history)
    }
}
