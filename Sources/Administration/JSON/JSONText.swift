package import DataModel

extension JSONValue {
    /// The text of the value on one line.
    package var compactText: String {
        switch self {
        case .null: "null"
        case .boolean(let value): value ? "true" : "false"
        case .number(let digits): digits
        case .string(let text): JSONValue.quoted(text)
        case .array(let elements): "[" + elements.map(\.compactText).joined(separator: ",") + "]"
        case .object(let members):
            "{" + members.map { JSONValue.quoted($0.name) + ":" + $0.value.compactText }.joined(separator: ",") + "}"
        }
    }

    /// The text of the value with a line for each member and element, for people; without a line feed at its end.
    package var indentedText: String { indentedText(depth: 0) }

    private func indentedText(depth: Int) -> String {
        let margin = String(repeating: "  ", count: depth + 1)
        let end: String = "\n" + String(repeating: "  ", count: depth)
        switch self {
        case .array(let elements) where !elements.isEmpty:
            let lines: [String] = elements.map { margin + $0.indentedText(depth: depth + 1) }
            return "[\n" + lines.joined(separator: ",\n") + end + "]"
        case .object(let members) where !members.isEmpty:
            let lines: [String] = members.map { member in
                margin + JSONValue.quoted(member.name) + ": " + member.value.indentedText(depth: depth + 1)
            }
            return "{\n" + lines.joined(separator: ",\n") + end + "}"
        default:
            return compactText
        }
    }
}
