extension Statement {
    /// The statement as text that parses to an equal statement, without a semicolon.
    package var cqlText: String { CQLPrinter.forReading.statement(self) }
}

extension Term {
    /// The term as text that parses to an equal term.
    package var cqlText: String { CQLPrinter.forReading.term(self) }
}

extension Literal {
    /// The constant as a statement spells it.
    package var cqlText: String { CQLPrinter.forReading.literal(self) }
}

extension TypeName {
    /// The type as a statement spells it.
    package var cqlText: String { CQLPrinter.forReading.type(self) }
}

extension Selector {
    /// The selector as text that parses to an equal selector.
    package var cqlText: String { CQLPrinter.forReading.selector(self) }

    /// What a result calls a column without an alias: names stand without quotes, and functions as they were written,
    /// without the keyspace that they may turn out to live in.
    package var resultName: String { CQLPrinter.forResultNames.selector(self) }
}

extension Relation {
    package var cqlText: String { CQLPrinter.forReading.relation(self) }
}

extension WhereClause {
    /// What stands after WHERE.
    package var cqlText: String { CQLPrinter.forReading.relations(self) }
}

extension Property {
    package var cqlText: String { CQLPrinter.forReading.property(self) }
}

extension QualifiedName {
    /// The name with its keyspace, both quoted where needed.
    package var cqlText: String { CQLPrinter.forReading.qualified(self) }
}
