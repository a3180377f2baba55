/// Everything after WHERE: relations and custom index expressions, all of which must hold.
package struct WhereClause: Hashable, Sendable {
    package let relations: [Relation]
    package let indexExpressions: [IndexExpression]

    package init(relations: [Relation] = [], indexExpressions: [IndexExpression] = []) {
        self.relations = relations
        self.indexExpressions = indexExpressions
    }

    package var isEmpty: Bool { relations.isEmpty && indexExpressions.isEmpty }
}

/// `expr(index, term)`: a question only that index understands.
package struct IndexExpression: Hashable, Sendable {
    package let index: String
    package let term: Term
    /// How many relations were written in front of it: bind markers are numbered in the order of the text.
    package let precedingRelationCount: Int

    package init(index: String, term: Term, precedingRelationCount: Int = 0) {
        self.index = index
        self.term = term
        self.precedingRelationCount = precedingRelationCount
    }
}

/// One restriction of a WHERE clause.
package struct Relation: Hashable, Sendable {
    package let subject: Subject
    package let predicate: Predicate

    package init(_ subject: Subject, _ predicate: Predicate) {
        self.subject = subject
        self.predicate = predicate
    }

    /// What is restricted.
    package enum Subject: Hashable, Sendable {
        case column(String)
        /// `(a, b)`: several clustering columns, compared as one.
        case columns([String])
        /// `token(a, b)`.
        case token([String])
        /// `m[key]`.
        case element(column: String, key: Term)
    }
}

/// What must hold for a subject, in a WHERE clause or in an IF clause.
package enum Predicate: Hashable, Sendable {
    case compare(ComparisonOperator, Term)
    case isIn(MembershipValues)
    case isNotIn(MembershipValues)
    case contains(Term)
    case containsKey(Term)
    case notContains(Term)
    case notContainsKey(Term)
    case like(Term)
    case isNotNull
    /// Both bounds belong to the range.
    case between(Term, Term)
}

package enum ComparisonOperator: String, Hashable, Sendable, CaseIterable {
    case equal = "="
    case notEqual = "!="
    case less = "<"
    case lessOrEqual = "<="
    case greater = ">"
    case greaterOrEqual = ">="
}

/// The values after IN.
package enum MembershipValues: Hashable, Sendable {
    case terms([Term])
    /// `IN ?`: the whole list is bound at once.
    case bindMarker(BindMarkerReference)
}
