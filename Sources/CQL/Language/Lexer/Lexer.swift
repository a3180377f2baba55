/// Cuts the UTF-8 text of a statement into lexemes, leaving out blanks and comments.
///
/// Hot: reads every byte of every statement that is parsed. It makes no strings; a lexeme is a range of bytes. The
/// result always ends with one lexeme of kind `end` or `invalid`.
struct Lexer {
    let bytes: [UInt8]
    private(set) var lexemes: [Lexeme] = []
    /// Why the last lexeme is `invalid`.
    private(set) var failure: LexicalFailure?
    private var position = 0

    /// What was wrong with a byte, without the line and column.
    struct LexicalFailure {
        let offset: Int
        let message: String
    }

    /// Reads all of `bytes`, which must be fewer than 2^31.
    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        lexemes.reserveCapacity(min(bytes.count / 4 + 8, CQLParser.maximumLexemeCount))
        while failure == nil, skipHidden(), position < bytes.count {
            if lexemes.count < CQLParser.maximumLexemeCount {
                scanLexeme()
            } else {
                fail(at: position, "the statement has more than \(CQLParser.maximumLexemeCount) words and signs")
            }
        }
        append(failure == nil ? .end : .invalid, to: bytes.count)
    }

    /// The byte at `offset`; zero past the end.
    @inline(__always)
    func byte(at offset: Int) -> UInt8 {
        offset < bytes.count ? bytes[offset] : 0
    }

    /// Skips blanks and comments; false when a comment does not end.
    private mutating func skipHidden() -> Bool {
        while position < bytes.count {
            guard let end = Lexer.hiddenEnd(in: bytes, at: position) else { return true }
            guard end <= bytes.count else {
                fail(at: bytes.count, Lexer.mismatch(nil, expecting: "*"))
                return false
            }
            position = end
        }
        return true
    }

    /// Where the run of blanks or the comment that starts at `offset` ends; nil when neither starts there, and one past
    /// the end of the text when a comment does not end.
    static func hiddenEnd(in bytes: [UInt8], at offset: Int) -> Int? {
        var end = offset
        while end < bytes.count, isBlank(bytes[end]) { end += 1 }
        if end > offset { return end }
        guard offset + 1 < bytes.count else { return nil }
        switch (bytes[offset], bytes[offset + 1]) {
        case (UInt8(ascii: "-"), UInt8(ascii: "-")), (UInt8(ascii: "/"), UInt8(ascii: "/")):
            while end < bytes.count, bytes[end] != UInt8(ascii: "\n"), bytes[end] != UInt8(ascii: "\r") { end += 1 }
            return min(end + 1, bytes.count)
        case (UInt8(ascii: "/"), UInt8(ascii: "*")):
            end = offset + 2
            while end + 1 < bytes.count {
                if bytes[end] == UInt8(ascii: "*"), bytes[end + 1] == UInt8(ascii: "/") { return end + 2 }
                end += 1
            }
            return bytes.count + 1
        default: return nil
        }
    }

    private mutating func scanLexeme() {
        let first = bytes[position]
        switch first {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): scanWord()
        case UInt8(ascii: "0")...UInt8(ascii: "9"): scanNumber()
        case UInt8(ascii: "'"): scanString()
        case UInt8(ascii: "\""): scanQuotedName()
        case UInt8(ascii: "$"): scanDollarString()
        case UInt8(ascii: "-"): scanMinus()
        default: scanSymbol(first)
        }
    }

    private mutating func scanWord() {
        if let end = uuidEnd(at: position) { return append(.uuid, to: end) }
        if bytes[position] == UInt8(ascii: "P"), let end = periodEnd(at: position) { return append(.duration, to: end) }
        var end = position
        var spelling = KeywordTable.Spelling()
        var hasCapital = false
        while end < bytes.count, Lexer.isWordByte(bytes[end]) {
            var byte = bytes[end]
            if byte >= UInt8(ascii: "A"), byte <= UInt8(ascii: "Z") {
                hasCapital = true
                byte |= 0x20
            }
            if end &- position < KeywordTable.maximumByteCount { spelling.set(byte, at: end &- position) }
            end &+= 1
        }
        guard end - position <= KeywordTable.maximumByteCount else {
            return append(.identifier, rewriting: hasCapital, to: end)
        }
        if spelling == Lexer.trueSpelling || spelling == Lexer.falseSpelling { return append(.boolean, to: end) }
        let keyword = KeywordTable.shared.keyword(spelling)
        append(keyword == nil ? .identifier : .keyword, keyword: keyword, rewriting: hasCapital, to: end)
    }

    private mutating func scanMinus() {
        let next = byte(at: position + 1)
        if Lexer.isDigit(next) { return scanNumber() }
        if next == UInt8(ascii: "=") { return append(.minusEqual, to: position + 2) }
        if next == UInt8(ascii: "P"), let end = periodEnd(at: position + 1) { return append(.duration, to: end) }
        if spells("nan", at: position + 1) { return append(.negativeNaN, to: position + 4) }
        if spells("infinity", at: position + 1) { return append(.negativeInfinity, to: position + 9) }
        append(.minus, to: position + 1)
    }

    private mutating func scanString() {
        let quote = UInt8(ascii: "'")
        guard let (end, hasDoubledQuote) = quotedEnd(quote) else {
            return fail(at: bytes.count, Lexer.mismatch(nil, expecting: "'"))
        }
        append(.string, rewriting: hasDoubledQuote, to: end)
    }

    private mutating func scanQuotedName() {
        guard let (end, hasDoubledQuote) = quotedEnd(UInt8(ascii: "\"")) else {
            return fail(at: bytes.count, Lexer.mismatch(nil, expecting: "\""))
        }
        append(end == position + 2 ? .emptyQuotedName : .quotedName, rewriting: hasDoubledQuote, to: end)
    }

    /// Where the text that starts with `quote` ends, and whether the quote occurs doubled in it.
    private func quotedEnd(_ quote: UInt8) -> (end: Int, hasDoubledQuote: Bool)? {
        var end = position + 1
        var hasDoubledQuote = false
        while end < bytes.count {
            if bytes[end] == quote {
                guard byte(at: end + 1) == quote else { return (end + 1, hasDoubledQuote) }
                hasDoubledQuote = true
                end += 1
            }
            end += 1
        }
        return nil
    }

    private mutating func scanDollarString() {
        let dollar = UInt8(ascii: "$")
        guard byte(at: position + 1) == dollar else {
            let next: UInt8? = position + 1 < bytes.count ? bytes[position + 1] : nil
            return fail(at: position + 1, Lexer.mismatch(next.map { _ in character(at: position + 1) }, expecting: "$"))
        }
        var end = position + 2
        while end + 1 < bytes.count {
            if bytes[end] == dollar, bytes[end + 1] == dollar { return append(.dollarString, to: end + 2) }
            end += 1
        }
        fail(at: bytes.count, Lexer.mismatch(nil, expecting: "$"))
    }

    private mutating func scanSymbol(_ first: UInt8) {
        let isBeforeEqual = byte(at: position + 1) == UInt8(ascii: "=")
        switch first {
        case UInt8(ascii: "("): append(.leftParenthesis, to: position + 1)
        case UInt8(ascii: ")"): append(.rightParenthesis, to: position + 1)
        case UInt8(ascii: "["): append(.leftBracket, to: position + 1)
        case UInt8(ascii: "]"): append(.rightBracket, to: position + 1)
        case UInt8(ascii: "{"): append(.leftBrace, to: position + 1)
        case UInt8(ascii: "}"): append(.rightBrace, to: position + 1)
        case UInt8(ascii: ","): append(.comma, to: position + 1)
        case UInt8(ascii: ";"): append(.semicolon, to: position + 1)
        case UInt8(ascii: ":"): append(.colon, to: position + 1)
        case UInt8(ascii: "?"): append(.questionMark, to: position + 1)
        case UInt8(ascii: "*"): append(.asterisk, to: position + 1)
        case UInt8(ascii: "/"): append(.slash, to: position + 1)
        case UInt8(ascii: "%"): append(.percent, to: position + 1)
        case UInt8(ascii: "="): append(.equal, to: position + 1)
        case UInt8(ascii: "."):
            let isRange = byte(at: position + 1) == UInt8(ascii: ".")
            append(isRange ? .range : .dot, to: position + (isRange ? 2 : 1))
        case UInt8(ascii: "<"): append(isBeforeEqual ? .lessOrEqual : .less, to: position + (isBeforeEqual ? 2 : 1))
        case UInt8(ascii: ">"):
            append(isBeforeEqual ? .greaterOrEqual : .greater, to: position + (isBeforeEqual ? 2 : 1))
        case UInt8(ascii: "+"): append(isBeforeEqual ? .plusEqual : .plus, to: position + (isBeforeEqual ? 2 : 1))
        case UInt8(ascii: "!") where isBeforeEqual: append(.notEqual, to: position + 2)
        default: fail(at: position, "no viable alternative at character '" + character(at: position) + "'")
        }
    }

    mutating func append(_ kind: Lexeme.Kind, keyword: Keyword? = nil, rewriting: Bool = false, to end: Int) {
        lexemes.append(
            Lexeme(kind: kind, keyword: keyword, needsRewriting: rewriting, start: Int32(position), end: Int32(end)))
        position = end
    }

    /// Where the next lexeme starts, for the parts of the lexer in other files.
    var offset: Int { position }

    private mutating func fail(at offset: Int, _ message: String) {
        failure = LexicalFailure(offset: offset, message: message)
    }

    private static func mismatch(_ found: String?, expecting expected: String) -> String {
        "mismatched character '\(found ?? "<EOF>")' expecting '\(expected)'"
    }

    /// The character that starts at `offset`, of which one is there; line ends are spelled out.
    private func character(at offset: Int) -> String {
        let tail = bytes[offset..<min(offset + 4, bytes.count)]
        guard let scalar = String(decoding: tail, as: UTF8.self).unicodeScalars.first else { return "<EOF>" }
        switch scalar {
        case "\n": return "\\n"
        case "\r": return "\\r"
        case "\t": return "\\t"
        default: return String(Character(scalar))
        }
    }

    private static let trueSpelling = spelling("true")
    private static let falseSpelling = spelling("false")

    private static func spelling(_ word: String) -> KeywordTable.Spelling {
        var spelling = KeywordTable.Spelling()
        for (index, byte) in word.utf8.enumerated() { spelling.set(byte, at: index) }
        return spelling
    }
}
