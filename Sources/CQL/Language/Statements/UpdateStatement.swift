/// UPDATE.
package struct UpdateStatement: Hashable, Sendable {
    package let table: QualifiedName
    package let using: UsingClause
    package let assignments: [Assignment]
    package let whereClause: WhereClause
    package let condition: ConditionClause
}

/// One item after SET.
package enum Assignment: Hashable, Sendable {
    /// `c = v`.
    case set(column: String, value: Term)
    /// `c = c + v` and `c += v`; `c = c -3` is one with a negative integer.
    case add(column: String, value: Term)
    /// `c = c - v` and `c -= v`.
    case subtract(column: String, value: Term)
    /// `c = v + c`.
    case prepend(column: String, value: Term)
    /// `c[k] = v`.
    case setElement(column: String, key: Term, value: Term)
    /// `c.f = v`.
    case setField(column: String, field: String, value: Term)

    package var column: String {
        switch self {
        case .set(let column, _), .add(let column, _), .subtract(let column, _), .prepend(let column, _),
            .setElement(let column, _, _), .setField(let column, _, _):
            column
        }
    }
}

/// The IF of an UPDATE or DELETE.
package enum ConditionClause: Hashable, Sendable {
    case none
    case ifExists
    case columns([Condition])
}

/// One condition on the current row; its predicate is never LIKE, BETWEEN or IS NOT NULL.
package struct Condition: Hashable, Sendable {
    package let subject: Subject
    package let predicate: Predicate

    package init(_ subject: Subject, _ predicate: Predicate) {
        self.subject = subject
        self.predicate = predicate
    }

    package enum Subject: Hashable, Sendable {
        case column(String)
        case element(column: String, key: Term)
        case field(column: String, field: String)
    }
}
