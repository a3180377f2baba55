/// A place in a list of lexemes, and the rules of the grammar as methods that move it.
///
/// Every method that reads something either moves past it or throws. The rules live in the files beside this one, one
/// family of statements each.
struct StatementParser {
    let bytes: [UInt8]
    let lexemes: [Lexeme]
    let lexicalFailure: Lexer.LexicalFailure?
    var position = 0
    var bindMarkers: [BindMarker] = []
    private var depth = 0
    private var chainLength = 0

    init(_ text: String) throws(CQLSyntaxError) {
        guard text.utf8.count < Int(Int32.max) else {
            throw CQLSyntaxError(message: "the statement is too long", line: 1, column: 0)
        }
        let lexer = Lexer(Array(text.utf8))
        self.bytes = lexer.bytes
        self.lexemes = lexer.lexemes
        self.lexicalFailure = lexer.failure
    }

    /// The lexeme that is next; the last one, which ends the text, is never passed.
    var current: Lexeme {
        @inline(__always) get { lexemes[position] }
    }

    /// The lexeme `distance` places further on, or the last one.
    @inline(__always)
    func peek(_ distance: Int) -> Lexeme {
        lexemes[min(position + distance, lexemes.count - 1)]
    }

    @inline(__always)
    mutating func advance() {
        if position + 1 < lexemes.count { position += 1 }
    }

    @inline(__always)
    func isAt(_ kind: Lexeme.Kind) -> Bool { current.kind == kind }

    @inline(__always)
    func isAt(_ keyword: Keyword) -> Bool { current.keyword == keyword }

    /// Whether the next two lexemes are these words.
    func isAt(_ first: Keyword, _ second: Keyword) -> Bool {
        current.keyword == first && peek(1).keyword == second
    }

    /// Moves past a symbol if it is next.
    mutating func accept(_ kind: Lexeme.Kind) -> Bool {
        guard current.kind == kind else { return false }
        advance()
        return true
    }

    /// Moves past a word if it is next.
    mutating func accept(_ keyword: Keyword) -> Bool {
        guard current.keyword == keyword else { return false }
        advance()
        return true
    }

    /// Moves past two words if both are next.
    mutating func accept(_ first: Keyword, _ second: Keyword) -> Bool {
        guard isAt(first, second) else { return false }
        advance()
        advance()
        return true
    }

    mutating func expect(_ kind: Lexeme.Kind) throws(CQLSyntaxError) {
        guard current.kind == kind else { throw mismatch(expecting: kind.grammarName) }
        advance()
    }

    mutating func expect(_ keyword: Keyword) throws(CQLSyntaxError) {
        guard current.keyword == keyword else { throw mismatch(expecting: keyword.grammarName) }
        advance()
    }

    /// Enters one more level of nesting; `leave` must follow unless an error is thrown.
    mutating func descend() throws(CQLSyntaxError) {
        if depth == 0 { chainLength = 0 }
        guard depth < CQLParser.maximumDepth else {
            throw failure("nesting is deeper than \(CQLParser.maximumDepth) levels at input")
        }
        depth += 1
    }

    mutating func leave() { depth -= 1 }

    /// Counts one more operator, field or element of an expression: a long chain makes as deep a tree as nesting does.
    mutating func extendChain() throws(CQLSyntaxError) {
        chainLength += 1
        guard chainLength <= CQLParser.maximumChainLength else {
            throw failure("an expression has more than \(CQLParser.maximumChainLength) operators at input")
        }
    }

    /// A place to come back to when a reading turns out to be wrong.
    struct Checkpoint {
        fileprivate let position: Int
        fileprivate let depth: Int
        fileprivate let chainLength: Int
        fileprivate let bindMarkerCount: Int
    }

    var checkpoint: Checkpoint {
        Checkpoint(
            position: position, depth: depth, chainLength: chainLength, bindMarkerCount: bindMarkers.count)
    }

    mutating func restore(_ checkpoint: Checkpoint) {
        position = checkpoint.position
        depth = checkpoint.depth
        chainLength = checkpoint.chainLength
        bindMarkers.removeLast(bindMarkers.count - checkpoint.bindMarkerCount)
    }

    /// Reads one or more elements with commas between them.
    mutating func commaSeparated<Element>(
        _ element: (inout StatementParser) throws(CQLSyntaxError) -> Element
    ) throws(CQLSyntaxError) -> [Element] {
        var elements: [Element] = [try element(&self)]
        while accept(.comma) { elements.append(try element(&self)) }
        return elements
    }

    /// Reads any number of elements with commas between them, up to and including `end`.
    mutating func commaSeparated<Element>(
        until end: Lexeme.Kind, _ element: (inout StatementParser) throws(CQLSyntaxError) -> Element
    ) throws(CQLSyntaxError) -> [Element] {
        if accept(end) { return [] }
        let elements = try commaSeparated(element)
        try expect(end)
        return elements
    }

    /// Reads one or more elements with AND between them.
    mutating func andSeparated<Element>(
        _ element: (inout StatementParser) throws(CQLSyntaxError) -> Element
    ) throws(CQLSyntaxError) -> [Element] {
        var elements: [Element] = [try element(&self)]
        while accept(.and) { elements.append(try element(&self)) }
        return elements
    }

    mutating func ifExists() throws(CQLSyntaxError) -> Bool {
        guard accept(.if) else { return false }
        try expect(.exists)
        return true
    }

    mutating func ifNotExists() throws(CQLSyntaxError) -> Bool {
        guard accept(.if) else { return false }
        try expect(.not)
        try expect(.exists)
        return true
    }
}
