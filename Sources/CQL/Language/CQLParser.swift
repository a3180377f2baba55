/// Turns text into statements.
///
/// Pure: it knows no schema and resolves no name. Whatever the text, it returns a statement or throws; how deep a
/// statement may nest, and so how deep anything that walks its tree recurses, is bounded.
package enum CQLParser {
    /// How deep terms, types, selectors and parentheses may nest in each other.
    package static let maximumDepth = 100
    /// How many operators, fields and elements one expression may chain, such as `a + b + c`.
    package static let maximumChainLength = 250
    /// How many words, constants and signs a statement may have. A tree takes hundreds of bytes for each, so a statement
    /// of small ones would take far more memory than its text.
    package static let maximumLexemeCount = 1 << 20
    /// The protocol counts bind markers in 16 bits.
    package static let maximumBindMarkerCount = 65_535

    /// Parses one statement, which any number of semicolons may follow.
    package static func parse(_ text: String) throws(CQLSyntaxError) -> ParsedStatement {
        var parser = try StatementParser(text)
        let statement = try parser.statement()
        while parser.accept(.semicolon) {}
        guard parser.isAt(.end) else { throw parser.mismatch(expecting: Lexeme.Kind.end.grammarName) }
        return ParsedStatement(statement: statement, bindMarkers: parser.bindMarkers, text: text)
    }

    /// Parses one term that stands alone, such as the initial state of an aggregate in a schema table.
    package static func parseTerm(_ text: String) throws(CQLSyntaxError) -> Term {
        var parser = try StatementParser(text)
        let term = try parser.term()
        guard parser.isAt(.end) else { throw parser.mismatch(expecting: Lexeme.Kind.end.grammarName) }
        return term
    }

    /// Parses one type that stands alone, such as the type of a column in a schema table.
    package static func parseType(_ text: String) throws(CQLSyntaxError) -> TypeName {
        var parser = try StatementParser(text)
        let type = try parser.typeName()
        guard parser.isAt(.end) else { throw parser.mismatch(expecting: Lexeme.Kind.end.grammarName) }
        return type
    }

    /// Parses what stands after WHERE, such as the clause of a view in a schema table.
    package static func parseWhereClause(_ text: String) throws(CQLSyntaxError) -> WhereClause {
        var parser = try StatementParser(text)
        let clause = try parser.relations()
        guard parser.isAt(.end) else { throw parser.mismatch(expecting: Lexeme.Kind.end.grammarName) }
        return clause
    }
}
