package import DataModel

/// A value of the admin interface, which travels as JSON.
package protocol Report: Sendable, Equatable {
    var json: JSONValue { get }

    /// - Throws: when a member is missing or of another kind; members that are not known are passed over.
    init(json: JSONValue) throws(MalformedReport)
}

/// Why a JSON value is not the report that it should be.
package struct MalformedReport: Error, Equatable, Sendable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) {
        self.description = description
    }
}

extension JSONValue {
    package static func integer(_ value: Int) -> JSONValue { .number(String(value)) }

    /// The number, or null for what JSON cannot say: infinite and not a number.
    package static func decimal(_ value: Double) -> JSONValue {
        value.isFinite ? .number(String(value)) : .null
    }

    package static func texts(_ values: [String]) -> JSONValue { .array(values.map { .string($0) }) }

    package static func optional(_ value: String?) -> JSONValue { value.map { .string($0) } ?? .null }

    package static func optional(_ value: Int?) -> JSONValue { value.map { .integer($0) } ?? .null }

    /// An object with its members in this order.
    package static func record(_ members: KeyValuePairs<String, JSONValue>) -> JSONValue {
        .object(members.map { Member(name: $0.key, value: $0.value) })
    }
}

/// Reads the members of a JSON object by their names.
package struct JSONRecord {
    private let members: [JSONValue.Member]

    package init(_ json: JSONValue) throws(MalformedReport) {
        guard case .object(let members) = json else { throw MalformedReport("An object is missing.") }
        self.members = members
    }

    /// The value of a member; nil when it is missing or null.
    package subscript(name: String) -> JSONValue? {
        guard let value = members.last(where: { $0.name == name })?.value, value != .null else { return nil }
        return value
    }

    package func text(_ name: String) throws(MalformedReport) -> String {
        guard case .string(let text)? = self[name] else { throw wrong(name, "a text") }
        return text
    }

    package func optionalText(_ name: String) throws(MalformedReport) -> String? {
        self[name] == nil ? nil : try text(name)
    }

    package func integer(_ name: String) throws(MalformedReport) -> Int {
        guard case .number(let digits)? = self[name], let number = Int(digits) else {
            throw wrong(name, "a whole number")
        }
        return number
    }

    package func optionalInteger(_ name: String) throws(MalformedReport) -> Int? {
        self[name] == nil ? nil : try integer(name)
    }

    package func decimal(_ name: String) throws(MalformedReport) -> Double {
        guard case .number(let digits)? = self[name], let number = Double(digits) else { throw wrong(name, "a number") }
        return number
    }

    package func optionalDecimal(_ name: String) throws(MalformedReport) -> Double? {
        self[name] == nil ? nil : try decimal(name)
    }

    package func boolean(_ name: String) throws(MalformedReport) -> Bool {
        guard case .boolean(let value)? = self[name] else { throw wrong(name, "true or false") }
        return value
    }

    package func list(_ name: String) throws(MalformedReport) -> [JSONValue] {
        guard case .array(let values)? = self[name] else { throw wrong(name, "a list") }
        return values
    }

    package func texts(_ name: String) throws(MalformedReport) -> [String] {
        var texts: [String] = []
        for value in try list(name) {
            guard case .string(let text) = value else { throw wrong(name, "a list of texts") }
            texts.append(text)
        }
        return texts
    }

    package func reports<Element: Report>(
        _ name: String, of type: Element.Type
    ) throws(MalformedReport) -> [Element] {
        var reports: [Element] = []
        for value in try list(name) { reports.append(try Element(json: value)) }
        return reports
    }

    private func wrong(_ name: String, _ kind: String) -> MalformedReport {
        MalformedReport("The member \"\(name)\" is not \(kind).")
    }
}

extension JSONValue {
    /// The value of a member; null when this is no object, or has no such member.
    package subscript(name: String) -> JSONValue {
        guard case .object(let members) = self else { return .null }
        return members.last { $0.name == name }?.value ?? .null
    }

    /// The elements; none when this is no list.
    package var elements: [JSONValue] { if case .array(let elements) = self { elements } else { [] } }

    /// The members; none when this is no object.
    package var members: [Member] { if case .object(let members) = self { members } else { [] } }

    /// The text of a string or a number, the words `true` and `false`, and nothing for everything else.
    package var plainText: String {
        switch self {
        case .string(let text), .number(let text): text
        case .boolean(let value): value ? "true" : "false"
        case .null, .array, .object: ""
        }
    }

    /// The number; 0 when this is none.
    package var decimalValue: Double { if case .number(let digits) = self { Double(digits) ?? 0 } else { 0 } }

    /// The number without what is behind its point; 0 when this is none.
    package var integerValue: Int {
        if case .number(let digits) = self {
            Int(digits) ?? Int(clamping: Int64(exactly: decimalValue.rounded(.towardZero)) ?? 0)
        } else {
            0
        }
    }

    package var isTrue: Bool { self == .boolean(true) }
}
