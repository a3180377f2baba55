package import DataModel

extension JSONValue {
    /// The text of the value in YAML 1.2's block style.
    package var yamlText: String {
        var text = ""
        appendYAML(to: &text, depth: 0, isInline: false)
        return text
    }

    private func appendYAML(to text: inout String, depth: Int, isInline: Bool) {
        let margin = String(repeating: "  ", count: depth)
        switch self {
        case .object(let members) where !members.isEmpty:
            var isFirst: Bool = isInline
            for member in members {
                text += isFirst ? "" : margin
                isFirst = false
                text += JSONValue.yamlKey(member.name) + ":"
                member.value.appendYAMLBehind(to: &text, depth: depth)
            }
        case .array(let elements) where !elements.isEmpty:
            for element in elements {
                text += margin + "- "
                element.appendYAML(to: &text, depth: depth + 1, isInline: true)
            }
        default: text += yamlScalar + "\n"
        }
    }

    private func appendYAMLBehind(to text: inout String, depth: Int) {
        switch self {
        case .object(let members) where !members.isEmpty:
            text += "\n"
            appendYAML(to: &text, depth: depth + 1, isInline: false)
        case .array(let elements) where !elements.isEmpty:
            text += "\n"
            appendYAML(to: &text, depth: depth, isInline: false)
        default: text += " " + yamlScalar + "\n"
        }
    }

    /// Everything that is JSON is YAML too, so texts are written as JSON's.
    private var yamlScalar: String { compactText }

    private static func yamlKey(_ name: String) -> String {
        let isPlain: Bool = name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "_"):
                true
            case UInt8(ascii: "0")...UInt8(ascii: "9"): true
            default: false
            }
        }
        let words: [String] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"]
        guard isPlain, let first = name.utf8.first, first > UInt8(ascii: "9"), !words.contains(name.lowercased())
        else { return quoted(name) }
        return name
    }
}
