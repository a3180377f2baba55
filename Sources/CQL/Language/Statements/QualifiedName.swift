/// The name of a table, type, index, view, function or aggregate, with the keyspace it was written with.
///
/// Both parts are already folded: an unquoted name is in lower case, a quoted one is as written, without its quotes.
package struct QualifiedName: Hashable, Sendable {
    /// The keyspace in front of the dot; nil when the statement leaves it to the session.
    package let keyspace: String?
    package let name: String

    package init(keyspace: String? = nil, name: String) {
        self.keyspace = keyspace
        self.name = name
    }
}
