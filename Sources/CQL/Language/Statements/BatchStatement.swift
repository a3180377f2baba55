/// BEGIN BATCH … APPLY BATCH. Bind markers are numbered through all its statements.
package struct BatchStatement: Hashable, Sendable {
    package let kind: Kind
    package let using: UsingClause
    package let statements: [Modification]

    package enum Kind: Hashable, Sendable {
        case logged
        case unlogged
        case counter
    }
}

/// A statement that may stand in a batch.
package enum Modification: Hashable, Sendable {
    case insert(InsertStatement)
    case insertJSON(InsertJSONStatement)
    case update(UpdateStatement)
    case delete(DeleteStatement)
}
