/// Cuts a stream of text into statements, for shells and scripts.
///
/// A statement ends at a semicolon that is outside of strings, quoted names and comments, and not inside of
/// `BEGIN BATCH … APPLY BATCH`. The splitter knows no more of the grammar than that: it never throws, and leaves it to
/// the parser to say what is wrong with a statement. It reads every byte once, however the text is cut into pieces.
package struct StatementSplitter {
    /// A complete statement.
    package struct Piece: Hashable, Sendable {
        /// From the first byte that is no blank or comment up to the semicolon, which is left out.
        package let text: String
        /// Where `text` lies in everything appended so far, in bytes of UTF-8.
        package let range: Range<Int>
    }

    /// What the text that follows the last complete statement is in the middle of.
    package enum Remainder: Hashable, Sendable {
        /// Nothing but blanks and comments.
        case nothing
        /// A statement without its semicolon, which may be complete otherwise.
        case statement
        case batch
        case string
        case dollarString
        case quotedName
        case comment
    }

    private enum Place {
        case code, word, string, quotedName, dollarString, lineComment, blockComment
    }

    /// A part of the stream that starts at `base`.
    private var bytes: [UInt8] = []
    private var base = 0
    /// How many of `bytes` have been handed out.
    private var consumedCount = 0
    /// The next byte to look at, as an index into `bytes`.
    private var offset = 0
    private var place: Place = .code
    private var wordStart = 0
    /// Where the statement starts; nil until something other than blanks and comments has come.
    private var start: Int?
    private var batch = BatchProgress()

    package init() {}

    /// Cuts a whole text; of what follows the last semicolon it only says what it is.
    package static func split(_ text: String) -> (pieces: [Piece], remainder: Remainder) {
        var splitter = StatementSplitter()
        splitter.append(text)
        var pieces: [Piece] = []
        while let piece = splitter.next() { pieces.append(piece) }
        return (pieces, splitter.remainder)
    }

    package mutating func append(_ text: String) {
        forgetConsumed()
        bytes.append(contentsOf: text.utf8)
    }

    /// Takes the next statement that its semicolon ends; nil when more text is needed.
    package mutating func next() -> Piece? {
        while offset < bytes.count {
            // Two bytes decide about comments and dollars; the last byte alone must wait for its successor.
            guard offset + 1 < bytes.count || !needsSuccessor(bytes[offset]) else { return nil }
            if let piece = step() { return piece }
        }
        return nil
    }

    /// Takes what is left as a statement, for a text that ends without a semicolon; nil when there is nothing.
    package mutating func takeRemainder() -> Piece? {
        guard let start = start ?? (offset < bytes.count ? offset : nil) else { return nil }
        var end = bytes.count
        while end > start, Lexer.isBlank(bytes[end - 1]) { end -= 1 }
        return take(start..<end, consuming: bytes.count)
    }

    package var remainder: Remainder {
        switch place {
        case .string: return .string
        case .quotedName: return .quotedName
        case .dollarString: return .dollarString
        case .blockComment: return .comment
        case .code, .word, .lineComment:
            guard start != nil || offset < bytes.count else { return .nothing }
            return batch.isOpen ? .batch : .statement
        }
    }

    private func needsSuccessor(_ byte: UInt8) -> Bool {
        switch place {
        case .code, .word:
            byte == UInt8(ascii: "-") || byte == UInt8(ascii: "/") || byte == UInt8(ascii: "$")
        case .dollarString: byte == UInt8(ascii: "$")
        case .blockComment: byte == UInt8(ascii: "*")
        default: false
        }
    }

    /// Looks at one byte, or at two that belong together; returns the statement that ends there.
    private mutating func step() -> Piece? {
        let byte = bytes[offset]
        let following: UInt8 = offset + 1 < bytes.count ? bytes[offset + 1] : 0
        switch place {
        case .code: return stepInCode(byte, following)
        case .word:
            if Lexer.isWordByte(byte) {
                offset += 1
            } else {
                batch.sawWord(bytes[wordStart..<offset])
                place = .code
            }
        case .string:
            // A doubled quote ends the string and starts another: the same for a splitter.
            if byte == UInt8(ascii: "'") { place = .code }
            offset += 1
        case .quotedName:
            if byte == UInt8(ascii: "\"") { place = .code }
            offset += 1
        case .dollarString:
            let isEnd = byte == UInt8(ascii: "$") && following == UInt8(ascii: "$")
            if isEnd { place = .code }
            offset += isEnd ? 2 : 1
        case .lineComment:
            if byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") { place = .code }
            offset += 1
        case .blockComment:
            let isEnd = byte == UInt8(ascii: "*") && following == UInt8(ascii: "/")
            if isEnd { place = .code }
            offset += isEnd ? 2 : 1
        }
        return nil
    }

    private mutating func stepInCode(_ byte: UInt8, _ following: UInt8) -> Piece? {
        let pair = (byte, following)
        if Lexer.isBlank(byte) {
            offset += 1
            return nil
        }
        if pair == (UInt8(ascii: "-"), UInt8(ascii: "-")) || pair == (UInt8(ascii: "/"), UInt8(ascii: "/")) {
            place = .lineComment
            offset += 2
            return nil
        }
        if pair == (UInt8(ascii: "/"), UInt8(ascii: "*")) {
            place = .blockComment
            offset += 2
            return nil
        }
        if byte == UInt8(ascii: ";") { return endStatement() }
        if start == nil { start = offset }
        if Lexer.isLetter(byte) {
            wordStart = offset
            place = .word
        } else if byte == UInt8(ascii: "'") {
            place = .string
        } else if byte == UInt8(ascii: "\"") {
            place = .quotedName
        } else if pair == (UInt8(ascii: "$"), UInt8(ascii: "$")) {
            place = .dollarString
            offset += 1
        }
        batch.sawSymbol(byte)
        offset += 1
        return nil
    }

    /// Handles a semicolon: it ends a statement unless that is empty or a batch goes on.
    private mutating func endStatement() -> Piece? {
        let semicolon = offset
        offset += 1
        batch.sawSymbol(UInt8(ascii: ";"))
        guard let start, !batch.isOpen else { return nil }
        return take(start..<semicolon, consuming: offset)
    }

    /// Drops what has been handed out, once that is most of what is held, so that every byte moves only a few times.
    private mutating func forgetConsumed() {
        guard consumedCount > 0, consumedCount * 2 >= bytes.count else { return }
        bytes.removeSubrange(..<consumedCount)
        base += consumedCount
        offset -= consumedCount
        wordStart -= consumedCount
        start = start.map { $0 - consumedCount }
        consumedCount = 0
    }

    private mutating func take(_ range: Range<Int>, consuming end: Int) -> Piece {
        let text = String(decoding: bytes[range], as: UTF8.self)
        let piece = Piece(text: text, range: base + range.lowerBound..<base + range.upperBound)
        consumedCount = end
        offset = end
        start = nil
        place = .code
        batch = BatchProgress()
        return piece
    }
}

/// Knows from the words of a statement whether it is a batch that has not been applied yet.
private struct BatchProgress {
    private(set) var isOpen = false
    private var wordCount = 0
    private var startsWithBegin = false
    private var lastWordIsApply = false

    mutating func sawWord(_ word: ArraySlice<UInt8>) {
        wordCount += 1
        if wordCount == 1 { startsWithBegin = spells("begin", word) }
        let isBatch = spells("batch", word)
        if startsWithBegin, wordCount <= 3, isBatch, !lastWordIsApply { isOpen = true }
        if isBatch, lastWordIsApply { isOpen = false }
        lastWordIsApply = spells("apply", word)
    }

    /// A symbol between APPLY and BATCH means that they do not belong together.
    mutating func sawSymbol(_ byte: UInt8) {
        if !Lexer.isLetter(byte) { lastWordIsApply = false }
    }

    private func spells(_ word: StaticString, _ bytes: ArraySlice<UInt8>) -> Bool {
        guard bytes.count == word.utf8CodeUnitCount else { return false }
        return zip(bytes, word.description.utf8).allSatisfy { $0 | 0x20 == $1 }
    }
}
