/// Writes statements and their parts as text.
struct CQLPrinter {
    static let forReading = CQLPrinter(quotesNames: true)
    static let forResultNames = CQLPrinter(quotesNames: false)

    /// Whether the text is to be parsed again; names of result columns are only for people.
    let quotesNames: Bool

    func name(_ name: String) -> String {
        quotesNames ? Identifier.quotedIfNeeded(name) : name
    }

    /// A name where even a word that is not reserved would read as something else.
    func nameQuotedAsKeyword(_ name: String) -> String {
        guard quotesNames else { return name }
        return Keyword(rawValue: name) == nil ? Identifier.quotedIfNeeded(name) : Identifier.quoted(name)
    }

    func qualified(_ name: QualifiedName) -> String {
        guard let keyspace = name.keyspace else { return self.name(name.name) }
        return self.name(keyspace) + "." + self.name(name.name)
    }

    func qualifiedFunction(_ function: QualifiedName) -> String {
        let isColumnWord = Keyword(rawValue: function.name)?.use == .columnOnly && function.name != "count"
        let last = isColumnWord ? nameQuotedAsKeyword(function.name) : name(function.name)
        guard let keyspace = function.keyspace else { return last }
        return name(keyspace) + "." + last
    }

    func list<Element>(_ elements: [Element], _ text: (Element) -> String) -> String {
        joined(elements, ", ", text)
    }

    func joined<Element>(_ elements: [Element], _ separator: String, _ text: (Element) -> String) -> String {
        var result = ""
        for (index, element) in elements.enumerated() {
            if index > 0 { result += separator }
            result += text(element)
        }
        return result
    }

    func names(_ names: [String]) -> String { list(names, name) }

    func string(_ text: String) -> String { Identifier.stringLiteral(text) }
}
