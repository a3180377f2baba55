/// Messages in the shape that Cassandra's parser gives them, which tools match:
/// `line 1:9 mismatched input 'FORM' expecting K_FROM (SELECT * [FORM]...)`.
extension StatementParser {
    /// How many lexemes, blanks and comments before the offending one a message repeats.
    private static let shownLexemeCount = 10
    /// A message cuts a longer lexeme, and longer text in front of it, here, in bytes.
    private static let maximumShownByteCount = 1000

    /// The error for a lexeme that none of several rules can start with.
    func noViableAlternative() -> CQLSyntaxError {
        failure("no viable alternative at input")
    }

    /// The error for a lexeme where exactly one other would have done.
    func mismatch(expecting expected: String) -> CQLSyntaxError {
        failure("mismatched input", " expecting " + expected)
    }

    /// The error for text that the grammar allows and the language does not; its message stands alone.
    func refusal(_ message: String) -> CQLSyntaxError {
        let place = place(of: Int(current.start))
        return CQLSyntaxError(message: message, line: place.line, column: place.column)
    }

    /// The error at the next lexeme: place, what is wrong, the lexeme, `suffix`, and the text around it.
    func failure(_ problem: String, _ suffix: String = "") -> CQLSyntaxError {
        if isAt(.invalid), let lexicalFailure {
            let place = place(of: lexicalFailure.offset)
            let message = "line \(place.line):\(place.column) \(lexicalFailure.message)"
            return CQLSyntaxError(message: message, line: place.line, column: place.column)
        }
        if isAt(.end) {
            return CQLSyntaxError(message: "line 0:-1 \(problem) '<EOF>'\(suffix)", line: 0, column: -1)
        }
        let place = place(of: Int(current.start))
        let shown = escaped(displayText(current))
        let message = "line \(place.line):\(place.column) \(problem) '\(shown)'\(suffix) (\(snippet()))"
        return CQLSyntaxError(message: message, line: place.line, column: place.column)
    }

    /// Lines count from 1, columns from 0 in UTF-16 units.
    private func place(of offset: Int) -> (line: Int, column: Int) {
        var line = 1
        var lineStart = 0
        for index in 0..<min(offset, bytes.count) where bytes[index] == UInt8(ascii: "\n") {
            line += 1
            lineStart = index + 1
        }
        return (line, decoded(lineStart..<min(offset, bytes.count)).utf16.count)
    }

    /// The text around the next lexeme, with that lexeme in brackets.
    private func snippet() -> String {
        let offending = Int(current.start)
        var start = max(snippetStart(), offending - StatementParser.maximumShownByteCount)
        while isContinuation(start) { start += 1 }
        // The brackets enclose as many characters as the lexeme has without its quotes, from where it starts.
        var missing = displayText(current).unicodeScalars.count
        var highlightEnd = offending
        while highlightEnd < bytes.count, bytes[highlightEnd] != UInt8(ascii: "\n") {
            if !isContinuation(highlightEnd) {
                guard missing > 0 else { break }
                missing -= 1
            }
            highlightEnd += 1
        }
        var endOfText = bytes.count
        while endOfText > highlightEnd, bytes[endOfText - 1] == UInt8(ascii: "\n") { endOfText -= 1 }
        var text = start == 0 ? "" : "..."
        text += decoded(start..<offending).filter { $0 != "\n" && $0 != "\r\n" }
        text += "[" + decoded(offending..<highlightEnd) + "]"
        return highlightEnd < endOfText ? text + "..." : text
    }

    /// Whether a byte is in the middle of a character.
    private func isContinuation(_ offset: Int) -> Bool {
        offset < bytes.count && bytes[offset] & 0xC0 == 0x80
    }

    private func snippetStart() -> Int {
        var remaining = StatementParser.shownLexemeCount
        var index = position
        var start = Int(current.start)
        while remaining > 0 {
            let gapStart = index > 0 ? Int(lexemes[index - 1].end) : 0
            var hidden: [Int] = []
            var offset = gapStart
            while offset < Int(lexemes[index].start), let end = Lexer.hiddenEnd(in: bytes, at: offset), end > offset {
                hidden.append(offset)
                offset = end
            }
            for begin in hidden.reversed() where remaining > 0 {
                start = begin
                remaining -= 1
            }
            guard index > 0, remaining > 0 else { break }
            index -= 1
            start = Int(lexemes[index].start)
            remaining -= 1
        }
        return start
    }

    /// What a message calls a lexeme: its text, a string or quoted name without the quotes.
    private func displayText(_ lexeme: Lexeme) -> String {
        switch lexeme.kind {
        case .end, .invalid: return "<EOF>"
        case .string, .dollarString, .quotedName: return cut(content(lexeme))
        default: return cut(decoded(lexeme.range))
        }
    }

    private func cut(_ text: String) -> String {
        guard text.utf8.count > StatementParser.maximumShownByteCount else { return text }
        return String(decoding: text.utf8.prefix(StatementParser.maximumShownByteCount), as: UTF8.self)
    }

    private func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
