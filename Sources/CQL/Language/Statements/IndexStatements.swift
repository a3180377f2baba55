/// CREATE INDEX.
package struct CreateIndexStatement: Hashable, Sendable {
    /// Nil when the server is to find a name.
    package let name: String?
    package let table: QualifiedName
    package let ifNotExists: Bool
    package let isCustom: Bool
    package let targets: [IndexedColumn]
    /// The class or short name after USING.
    package let indexClass: String?
    package let properties: [Property]
}

/// What an index holds of a column.
package struct IndexedColumn: Hashable, Sendable {
    package let column: String
    package let part: Part

    package enum Part: String, Hashable, Sendable, CaseIterable {
        /// The column without any function around it.
        case simple = ""
        case values, keys, entries, full
    }
}
