/// SELECT.
package struct SelectStatement: Hashable, Sendable {
    package let table: QualifiedName
    package let isJSON: Bool
    package let isDistinct: Bool
    package let selection: Selection
    package let whereClause: WhereClause
    package let groupBy: [Selector]
    package let orderBy: [Ordering]
    /// An integer literal or a bind marker.
    package let perPartitionLimit: Term?
    /// An integer literal or a bind marker.
    package let limit: Term?
    package let allowsFiltering: Bool
}

/// What a SELECT or a view takes from a table.
package enum Selection: Hashable, Sendable {
    /// `*`.
    case all
    case items([SelectedItem])
}

/// One expression of a selection and the name after AS.
package struct SelectedItem: Hashable, Sendable {
    package let selector: Selector
    package let alias: String?

    package init(selector: Selector, alias: String? = nil) {
        self.selector = selector
        self.alias = alias
    }
}

/// One item of ORDER BY.
package struct Ordering: Hashable, Sendable {
    package let column: String
    /// The vector after ANN OF; nil for an order by clustering.
    package let nearestTo: Term?
    package let isDescending: Bool

    package init(column: String, nearestTo: Term? = nil, isDescending: Bool = false) {
        self.column = column
        self.nearestTo = nearestTo
        self.isDescending = isDescending
    }
}
