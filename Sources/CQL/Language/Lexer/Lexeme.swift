/// The smallest piece of a statement that means something: a kind and the bytes it covers.
struct Lexeme {
    let kind: Kind
    /// Set exactly when the kind is `keyword`.
    let keyword: Keyword?
    /// Whether the text differs from the bytes: a letter to fold, or a doubled quote.
    let needsRewriting: Bool
    let start: Int32
    let end: Int32

    var range: Range<Int> { Int(start)..<Int(end) }

    enum Kind: UInt8 {
        case identifier, quotedName, emptyQuotedName, keyword
        case string, dollarString, integer, float, boolean, duration, blob, uuid, negativeNaN, negativeInfinity
        case questionMark, colon, comma, dot, range, semicolon
        case leftParenthesis, rightParenthesis, leftBracket, rightBracket, leftBrace, rightBrace
        case equal, notEqual, less, lessOrEqual, greater, greaterOrEqual
        case plus, minus, asterisk, slash, percent, plusEqual, minusEqual
        case end
        /// Bytes that no rule matches; nothing after them has been read.
        case invalid

        /// The name that error messages give to the kind; tools compare these, so they follow Cassandra's.
        var grammarName: String {
            switch self {
            case .identifier, .keyword: "IDENT"
            case .quotedName: "QUOTED_NAME"
            case .emptyQuotedName: "EMPTY_QUOTED_NAME"
            case .string, .dollarString: "STRING_LITERAL"
            case .integer: "INTEGER"
            case .float: "FLOAT"
            case .boolean: "BOOLEAN"
            case .duration: "DURATION"
            case .blob: "HEXNUMBER"
            case .uuid: "UUID"
            case .negativeNaN: "K_NEGATIVE_NAN"
            case .negativeInfinity: "K_NEGATIVE_INFINITY"
            case .questionMark: "QMARK"
            case .range: "RANGE"
            case .end: "EOF"
            case .invalid: "<invalid>"
            default: "'" + symbol + "'"
            }
        }

        /// How a kind that is always written the same way is written; empty for all others.
        private var symbol: String {
            switch self {
            case .colon: ":"
            case .comma: ","
            case .dot: "."
            case .semicolon: ";"
            case .leftParenthesis: "("
            case .rightParenthesis: ")"
            case .leftBracket: "["
            case .rightBracket: "]"
            case .leftBrace: "{"
            case .rightBrace: "}"
            case .equal: "="
            case .notEqual: "!="
            case .less: "<"
            case .lessOrEqual: "<="
            case .greater: ">"
            case .greaterOrEqual: ">="
            case .plus: "+"
            case .minus: "-"
            case .asterisk: "*"
            case .slash: "/"
            case .percent: "%"
            case .plusEqual: "+="
            case .minusEqual: "-="
            default: ""
            }
        }
    }
}
