/// A statement together with its text and the places where values will be bound.
package struct ParsedStatement: Hashable, Sendable {
    package let statement: Statement
    /// In order of appearance; `BindMarkerReference.index` points here.
    package let bindMarkers: [BindMarker]
    /// The text that was parsed, unchanged.
    package let text: String
}

/// One `?` or `:name` of a statement.
package struct BindMarker: Hashable, Sendable {
    /// Nil for `?`. The same name may be used by several markers.
    package let name: String?
    /// Where the marker starts in the UTF-8 text, in bytes.
    package let position: Int
}
