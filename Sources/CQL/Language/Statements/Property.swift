/// One `name = value` after WITH.
package struct Property: Hashable, Sendable {
    package let name: String
    package let value: Value

    package init(name: String, value: Value) {
        self.name = name
        self.value = value
    }

    package enum Value: Hashable, Sendable {
        case literal(Literal)
        /// A bare word that is not reserved, such as `all`; in lower case.
        case word(String)
        case map([Entry])
    }

    /// One entry of a map; keys differ in their raw text, and neither side is null.
    package struct Entry: Hashable, Sendable {
        package let key: Literal
        package let value: Literal

        package init(key: Literal, value: Literal) {
            self.key = key
            self.value = value
        }
    }

    /// The value as unquoted text; nil for a map.
    package var text: String? {
        switch value {
        case .literal(let literal): literal.rawText
        case .word(let word): word
        case .map: nil
        }
    }

    /// The entries of a map as unquoted text, in the order written; nil for anything else.
    package var entries: [(key: String, value: String)]? {
        guard case .map(let entries) = value else { return nil }
        return entries.map { (key: $0.key.rawText, value: $0.value.rawText) }
    }
}
