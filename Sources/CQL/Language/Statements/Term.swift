/// A value in a statement: what is written, compared with, or given as an argument.
package indirect enum Term: Hashable, Sendable {
    case literal(Literal)
    case bindMarker(BindMarkerReference)
    /// `[a, b]`: a list or a vector, whichever the column is.
    case list([Term])
    /// `{a, b}`; without elements it may as well be an empty map.
    case set([Term])
    case map([TermEntry])
    /// `(a, b)`; with one element it may as well be that element in parentheses.
    case tuple([Term])
    /// `{street: 'x', number: 3}`: fields of a user-defined type.
    case userType([FieldTerm])
    case call(QualifiedName, [Term])
    case operation(Term, ArithmeticOperator, Term)
    case negation(Term)
    /// `(type) term`: says which type an otherwise ambiguous term has.
    case hint(TypeName, Term)
    /// `CAST(term AS type)`: converts a value.
    case cast(Term, to: NativeTypeName)
}

/// One `key: value` of a map literal.
package struct TermEntry: Hashable, Sendable {
    package let key: Term
    package let value: Term

    package init(key: Term, value: Term) {
        self.key = key
        self.value = value
    }
}

/// One `field: value` of a user-defined type literal.
package struct FieldTerm: Hashable, Sendable {
    package let field: String
    package let value: Term

    package init(field: String, value: Term) {
        self.field = field
        self.value = value
    }
}

/// A place where a value will be bound, `?` or `:name`.
package struct BindMarkerReference: Hashable, Sendable {
    /// The index in the statement's list of markers, in order of appearance.
    package let index: Int
    package let name: String?

    package init(index: Int, name: String? = nil) {
        self.index = index
        self.name = name
    }
}

package enum ArithmeticOperator: String, Hashable, Sendable, CaseIterable {
    case add = "+"
    case subtract = "-"
    case multiply = "*"
    case divide = "/"
    case remainder = "%"
}
