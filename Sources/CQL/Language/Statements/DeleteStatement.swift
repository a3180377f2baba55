/// DELETE.
package struct DeleteStatement: Hashable, Sendable {
    /// What is deleted; empty for whole rows or partitions.
    package let deletions: [DeletionTarget]
    package let table: QualifiedName
    /// USING TIMESTAMP: an integer literal or a bind marker.
    package let timestamp: Term?
    package let whereClause: WhereClause
    package let condition: ConditionClause
}

/// One item between DELETE and FROM.
package enum DeletionTarget: Hashable, Sendable {
    case column(String)
    case element(column: String, key: Term)
    case field(column: String, field: String)

    package var column: String {
        switch self {
        case .column(let column), .element(let column, _), .field(let column, _): column
        }
    }
}
