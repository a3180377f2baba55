/// Types, terms and selectors.
extension CQLPrinter {
    func type(_ type: TypeName) -> String {
        switch type {
        case .native(let name): name.rawValue
        case .list(let element): "list<" + self.type(element) + ">"
        case .set(let element): "set<" + self.type(element) + ">"
        case .map(let key, let value): "map<" + self.type(key) + ", " + self.type(value) + ">"
        case .tuple(let elements): "tuple<" + list(elements, self.type) + ">"
        case .vector(let element, let dimension): "vector<" + self.type(element) + ", \(dimension)>"
        case .frozen(let inner): "frozen<" + self.type(inner) + ">"
        case .userDefined(let name): userType(name)
        case .custom(let name): string(name)
        }
    }

    /// A name of a type; unquoted keywords, and words kept for later types, would read as something else.
    func userType(_ name: QualifiedName) -> String {
        var last = nameQuotedAsKeyword(name.name)
        if quotesNames, StatementParser.reservedTypeNames.contains(name.name) { last = Identifier.quoted(name.name) }
        guard let keyspace = name.keyspace else { return last }
        return nameQuotedAsKeyword(keyspace) + "." + last
    }

    func literal(_ literal: Literal) -> String {
        guard case .string(let text) = literal else { return literal.rawText }
        return string(text)
    }

    func bindMarker(_ marker: BindMarkerReference) -> String {
        guard let markerName = marker.name else { return "?" }
        return ":" + name(markerName)
    }

    func term(_ term: Term) -> String {
        switch term {
        case .literal(let literal): return self.literal(literal)
        case .bindMarker(let marker): return bindMarker(marker)
        case .list(let elements): return "[" + terms(elements) + "]"
        case .set(let elements): return "{" + terms(elements) + "}"
        case .map(let entries): return "{" + list(entries) { self.term($0.key) + ": " + self.term($0.value) } + "}"
        case .tuple(let elements): return "(" + terms(elements) + ")"
        case .userType(let fields): return "{" + list(fields) { name($0.field) + ": " + self.term($0.value) } + "}"
        case .call(let function, let arguments): return qualifiedFunction(function) + "(" + terms(arguments) + ")"
        case .operation(let left, let sign, let right):
            let leftText = operand(left, of: sign, isRight: false)
            return leftText + " \(sign.rawValue) " + operand(right, of: sign, isRight: true)
        case .negation(let inner): return minus + primary(inner)
        case .hint(let type, let inner): return "(" + self.type(type) + ")" + primary(inner)
        case .cast(let inner, let type): return "cast(" + self.term(inner) + " as \(type.rawValue))"
        }
    }

    func terms(_ terms: [Term]) -> String { list(terms, term) }

    /// The blank keeps `- 5`, a negation, apart from the constant `-5`, and two signs from being a comment.
    private var minus: String { quotesNames ? "- " : "-" }

    private func operand(_ term: Term, of sign: ArithmeticOperator, isRight: Bool) -> String {
        guard case .operation(_, let inner, _) = term, needsParentheses(inner, in: sign, isRight) else {
            return self.term(term)
        }
        return "(" + self.term(term) + ")"
    }

    private func needsParentheses(_ inner: ArithmeticOperator, in outer: ArithmeticOperator, _ isRight: Bool) -> Bool {
        isRight ? inner.bindingStrength <= outer.bindingStrength : inner.bindingStrength < outer.bindingStrength
    }

    private func primary(_ term: Term) -> String {
        switch term {
        case .operation, .negation: "(" + self.term(term) + ")"
        default: self.term(term)
        }
    }

    func selector(_ selector: Selector) -> String {
        switch selector {
        case .column(let column): return selectedColumn(column)
        case .literal(let literal): return self.literal(literal)
        case .bindMarker(let marker): return bindMarker(marker)
        case .countRows: return quotesNames ? "count(*)" : "count"
        case .call(let function, let arguments): return qualifiedFunction(function) + "(" + selectors(arguments) + ")"
        case .cellAttribute(let attribute, let cell): return attribute.rawValue + "(" + self.selector(cell) + ")"
        case .cast(let inner, let type): return "cast(" + self.selector(inner) + " as \(type.rawValue))"
        case .hint(let type, let inner): return "(" + self.type(type) + ")" + primary(inner)
        case .field(let receiver, let field): return primary(receiver) + "." + name(field)
        case .element(let receiver, let key): return primary(receiver) + "[" + term(key) + "]"
        case .slice(let receiver, let from, let to):
            let bounds = (from.map(term) ?? "") + ".." + (to.map(term) ?? "")
            return primary(receiver) + "[" + bounds + "]"
        case .list(let elements): return "[" + selectors(elements) + "]"
        case .set(let elements): return "{" + selectors(elements) + "}"
        case .map(let entries):
            return "{" + list(entries) { self.selector($0.key) + ": " + self.selector($0.value) } + "}"
        case .tuple(let elements): return "(" + selectors(elements) + ")"
        case .operation(let left, let sign, let right):
            let leftText = operand(left, of: sign, isRight: false)
            return leftText + " \(sign.rawValue) " + operand(right, of: sign, isRight: true)
        case .negation(let inner):
            if case .operation = inner { return minus + "(" + self.selector(inner) + ")" }
            return minus + self.selector(inner)
        }
    }

    private func selectors(_ selectors: [Selector]) -> String { list(selectors, selector) }

    /// Some words that are not reserved mean something at the start of a selection or behind a type.
    private func selectedColumn(_ column: String) -> String {
        ["json", "distinct", "as"].contains(column) ? nameQuotedAsKeyword(column) : name(column)
    }

    private func operand(_ selector: Selector, of sign: ArithmeticOperator, isRight: Bool) -> String {
        guard case .operation(_, let inner, _) = selector, needsParentheses(inner, in: sign, isRight) else {
            return self.selector(selector)
        }
        return "(" + self.selector(selector) + ")"
    }

    private func primary(_ selector: Selector) -> String {
        switch selector {
        case .operation, .negation: "(" + self.selector(selector) + ")"
        default: self.selector(selector)
        }
    }
}

extension ArithmeticOperator {
    /// Stronger operators take their operands first.
    fileprivate var bindingStrength: Int {
        switch self {
        case .add, .subtract: 1
        case .multiply, .divide, .remainder: 2
        }
    }
}
