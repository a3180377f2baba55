/// Why a text is not a statement.
package struct CQLSyntaxError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The whole message for a client; where the grammar is at fault it starts with the line and the column.
    package let message: String
    /// Counts from 1; 0 when the text ended too early.
    package let line: Int
    /// Counts UTF-16 units from 0; -1 when the text ended too early.
    package let column: Int

    package init(message: String, line: Int, column: Int) {
        self.message = message
        self.line = line
        self.column = column
    }

    package var description: String { message }
}
