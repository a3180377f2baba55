/// An expression in the list of a SELECT or in its GROUP BY.
package indirect enum Selector: Hashable, Sendable {
    case column(String)
    case literal(Literal)
    case bindMarker(BindMarkerReference)
    /// `count(*)`.
    case countRows
    /// A function; `count(1)` is one too.
    case call(QualifiedName, [Selector])
    /// `writetime(…)`, `maxwritetime(…)` or `ttl(…)` of a column, element, slice or field.
    case cellAttribute(CellAttribute, Selector)
    case cast(Selector, to: NativeTypeName)
    /// `(type) selector`.
    case hint(TypeName, Selector)
    /// `value.field`.
    case field(Selector, String)
    /// `value[key]`.
    case element(Selector, Term)
    /// `value[from..to]`; at least one bound is present.
    case slice(Selector, from: Term?, to: Term?)
    /// `[a, b]`: a list or a vector.
    case list([Selector])
    /// `{a, b}`; without elements it may as well be an empty map.
    case set([Selector])
    /// `{a: b}`; where every key is a bare name it may as well be a literal of a user-defined type.
    case map([SelectorEntry])
    /// `(a, b)`; with one element it may as well be that element in parentheses.
    case tuple([Selector])
    case operation(Selector, ArithmeticOperator, Selector)
    case negation(Selector)
}

/// One `key: value` of a map or user-defined type literal in a selection.
package struct SelectorEntry: Hashable, Sendable {
    package let key: Selector
    package let value: Selector

    package init(key: Selector, value: Selector) {
        self.key = key
        self.value = value
    }
}

/// What a cell knows about its own writing; the raw value is the spelling.
package enum CellAttribute: String, Hashable, Sendable, CaseIterable {
    case writeTime = "writetime"
    case maxWriteTime = "maxwritetime"
    case timeToLive = "ttl"
}
