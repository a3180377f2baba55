/// Builds the text of a CREATE statement: lines, indented by four blanks for each level.
struct StatementText {
    private(set) var text = ""
    private var indentation = 0
    private var isAtLineStart = false

    mutating func append(_ part: String) {
        if isAtLineStart, !part.isEmpty {
            text += String(repeating: "    ", count: indentation)
            isAtLineStart = false
        }
        text += part
    }

    mutating func newLine() {
        text += "\n"
        isAtLineStart = true
    }

    mutating func indent() { indentation += 1 }

    mutating func outdent() { indentation = max(0, indentation - 1) }

    /// A string constant.
    static func quoted(_ text: String) -> String {
        "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "''") + "'"
    }

    /// A map constant whose values are strings, in ascending order of keys.
    static func map(_ map: [String: String]) -> String {
        let entries: [String] = map.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
            .map { "\(quoted($0.key)): \(quoted($0.value))" }
        return "{" + entries.joined(separator: ", ") + "}"
    }
}
