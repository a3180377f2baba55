import CQL
import Testing

@Suite struct StatementSplitterTests {
    @Test func statementsEndAtSemicolons() {
        let (pieces, remainder) = StatementSplitter.split(" USE a ; ;\nSELECT 1;\n")
        #expect(pieces.map(\.text) == ["USE a ", "SELECT 1"])
        #expect(pieces.map(\.range) == [1..<7, 11..<19])
        #expect(remainder == .nothing)
    }

    @Test func semicolonsInsideOfStringsNamesAndCommentsDoNotCount() {
        let text = "a 'x;''y' ;b \"x;\"\"\" ;c $$x;'$y$$ ;d -- x;\n ;e /* x;*y */ ;f // x;\r ;g $ ; h - / ;"
        let (pieces, remainder) = StatementSplitter.split(text)
        #expect(pieces.count == 8)
        #expect(pieces.first?.text == "a 'x;''y' ")
        #expect(remainder == .nothing)
    }

    @Test func commentsBeforeAStatementAreNoPartOfIt() {
        let (pieces, _) = StatementSplitter.split("-- one;\n/* two; */ USE a; -- three")
        #expect(pieces.map(\.text) == ["USE a"])
    }

    @Test func aBatchIsOneStatement() {
        let text = "begin batch INSERT x; UPDATE y; apply batch; USE a; BEGIN UNLOGGED BATCH d; APPLY BATCH;"
        let (pieces, remainder) = StatementSplitter.split(text)
        #expect(pieces.count == 3)
        #expect(pieces.first?.text == "begin batch INSERT x; UPDATE y; apply batch")
        #expect(remainder == .nothing)
    }

    @Test(arguments: [
        ("", StatementSplitter.Remainder.nothing), ("  -- x", .nothing), ("USE a", .statement),
        ("USE a; x", .statement),
        ("BEGIN BATCH x;", .batch), ("BEGIN COUNTER BATCH", .batch), ("BEGIN BATCH APPLY BATCH", .statement),
        ("BEGIN BATCH INSERT 'apply batch';", .batch), ("SELECT 'a;", .string), ("SELECT 'a'';", .string),
        ("SELECT \"a;", .quotedName), ("SELECT $$a;$", .dollarString), ("SELECT /* a;", .comment), ("/* a *", .comment),
        ("-", .statement),
    ])
    func theRemainderSaysWhatIsOpen(_ text: String, _ expected: StatementSplitter.Remainder) {
        var splitter = StatementSplitter()
        splitter.append(text)
        while splitter.next() != nil {}
        // A word or symbol at the very end is only known to be over when something follows.
        splitter.append("\n")
        while splitter.next() != nil {}
        #expect(splitter.remainder == expected)
    }

    @Test func theLastStatementNeedsNoSemicolon() {
        var splitter = StatementSplitter()
        splitter.append("USE a; SELECT 1 \n")
        #expect(splitter.next()?.text == "USE a")
        #expect(splitter.next() == nil)
        #expect(splitter.remainder == .statement)
        let last = splitter.takeRemainder()
        #expect(last?.text == "SELECT 1")
        #expect(last?.range == 7..<15)
        #expect(splitter.takeRemainder() == nil)
        #expect(splitter.remainder == .nothing)
    }

    @Test func theSizeOfThePiecesMakesNoDifference() {
        let texts = ValidStatements.all.map { $0.hasSuffix(";") ? $0 : $0 + "\n;" }
        let whole = StatementSplitter.split(texts.joined())
        var splitter = StatementSplitter()
        var pieces: [StatementSplitter.Piece] = []
        for scalar in texts.joined().unicodeScalars {
            splitter.append(String(Character(scalar)))
            while let piece = splitter.next() { pieces.append(piece) }
        }
        #expect(pieces == whole.pieces)
        #expect(pieces.count == texts.count)
        #expect(splitter.remainder == .nothing)
        #expect(whole.remainder == .nothing)
    }
}
