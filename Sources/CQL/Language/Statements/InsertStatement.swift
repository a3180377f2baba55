/// INSERT INTO … VALUES.
package struct InsertStatement: Hashable, Sendable {
    package let table: QualifiedName
    package let columns: [String]
    /// May differ in number from `columns`: the parser knows no arity.
    package let values: [Term]
    package let ifNotExists: Bool
    package let using: UsingClause
}

/// INSERT INTO … JSON.
package struct InsertJSONStatement: Hashable, Sendable {
    package let table: QualifiedName
    /// A string literal or a bind marker.
    package let value: Term
    /// DEFAULT UNSET: columns that the document leaves out keep their values. Without it they become null.
    package let leavesMissingColumnsUnset: Bool
    package let ifNotExists: Bool
    package let using: UsingClause
}

/// USING TTL and TIMESTAMP; each is an integer literal or a bind marker.
package struct UsingClause: Hashable, Sendable {
    package let timeToLive: Term?
    package let timestamp: Term?

    package init(timeToLive: Term? = nil, timestamp: Term? = nil) {
        self.timeToLive = timeToLive
        self.timestamp = timestamp
    }

    package var isEmpty: Bool { timeToLive == nil && timestamp == nil }
}
