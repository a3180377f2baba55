package import CQL
package import DataModel
import Primitives

/// What a function is given, as far as it is known before values are bound.
package struct FunctionArgument: Sendable {
    /// How well an argument suits a parameter.
    package enum Fit: Int, Sendable, Comparable {
        case none, weak, exact

        package static func < (left: Fit, right: Fit) -> Bool { left.rawValue < right.rawValue }
    }

    /// As error texts show it.
    package let text: String
    /// The type of a column, of a call, of what has a type hint; nil for what has no type of its own.
    package let type: CQLType?
    /// The term itself, when it has no type of its own.
    package let term: Term?

    package init(text: String, type: CQLType) {
        self.text = text
        self.type = type
        self.term = nil
    }

    package init(_ term: Term) {
        self.text = term.cqlText
        self.type = nil
        self.term = term
    }

    package var isMarker: Bool {
        if case .bindMarker? = term { return true }
        return false
    }

    /// The type that it has, or would have if nothing else were known; nil for markers and null.
    package var likelyType: CQLType? { type ?? term.flatMap(FunctionArgument.likelyType) }

    package func fit(to wanted: CQLType) -> Fit {
        if let type {
            if type.frozen == wanted.frozen { return .exact }
            return ScalarFunctions.isAssignable(type, to: wanted) ? .weak : .none
        }
        guard let term else { return .none }
        return FunctionArgument.fit(term, to: wanted)
    }

    private static func fit(_ term: Term, to wanted: CQLType) -> Fit {
        switch term {
        case .literal(.null): return wanted == .counter ? .none : .weak
        case .literal(let literal):
            guard wanted.accepts(literal.kind) else { return .none }
            return likelyType(term) == wanted ? .exact : .weak
        case .list(let elements):
            switch wanted {
            case .list(let element, _): return fit(elements, to: element)
            case .vector(let element, let dimension):
                return elements.count == dimension ? fit(elements, to: element) : .none
            default: return .none
            }
        case .set(let elements):
            if case .set(let element, _) = wanted { return fit(elements, to: element) }
            return wanted.kind == .map && elements.isEmpty ? .weak : .none
        case .map(let entries):
            guard case .map(let key, let value, _) = wanted else { return .none }
            return min(fit(entries.map(\.key), to: key), fit(entries.map(\.value), to: value))
        case .tuple(let fields):
            if fields.count == 1, wanted.kind != .tuple { return fit(fields[0], to: wanted) }
            guard case .tuple(let types) = wanted, fields.count <= types.count else { return .none }
            return zip(fields, types).map { fit($0, to: $1) }.min() ?? .none
        case .userType: return wanted.kind == .userDefined ? .weak : .none
        default: return .weak
        }
    }

    private static func fit(_ terms: [Term], to wanted: CQLType) -> Fit {
        terms.map { fit($0, to: wanted) }.min() ?? .weak
    }

    /// The smallest type that a constant fits into, and the collection that a literal looks like.
    private static func likelyType(_ term: Term) -> CQLType? {
        switch term {
        case .literal(let literal): return literal.likelyType
        case .list(let elements):
            return common(elements).map { .list($0, isMultiCell: false) }
        case .set(let elements):
            return common(elements).map { .set($0, isMultiCell: false) }
        case .map(let entries):
            guard let key = common(entries.map(\.key)), let value = common(entries.map(\.value)) else { return nil }
            return .map(key, value, isMultiCell: false)
        case .tuple(let fields):
            if fields.count == 1 { return likelyType(fields[0]) }
            let types: [CQLType] = fields.compactMap(likelyType)
            return types.count == fields.count ? .tuple(types) : nil
        default: return nil
        }
    }

    /// The one type among those of the terms that all of them fit.
    private static func common(_ terms: [Term]) -> CQLType? {
        terms.compactMap(likelyType).first { type in terms.allSatisfy { fit($0, to: type) != .none } }
    }
}

extension Literal {
    /// What the constant looks like.
    package var kind: LiteralKind {
        switch self {
        case .string, .null: .string
        case .integer: .integer
        case .float, .notANumber, .infinity, .negativeInfinity: .float
        case .boolean: .boolean
        case .uuid: .uuid
        case .blob: .hexadecimal
        case .duration: .duration
        }
    }

    /// The type that the constant has where nothing says otherwise; nil for null.
    var likelyType: CQLType? {
        switch self {
        case .null: return nil
        case .string(let text): return text.utf8.allSatisfy { $0 < 0x80 } ? .ascii : .text
        case .integer(let text): return Int32(text) != nil ? .int : Int64(text) != nil ? .bigint : .varint
        case .float(let text):
            guard let double = Double(text), let exact = DecimalValue(text: text),
                let shown = try? DecimalValue(double)
            else { return .decimal }
            return exact.order(shown) == 0 ? .double : .decimal
        case .notANumber, .infinity, .negativeInfinity: return .double
        case .boolean: return .boolean
        case .uuid(let identifier): return identifier.high >> 12 & 15 == 1 ? .timeuuid : .uuid
        case .blob: return .blob
        case .duration: return .duration
        }
    }
}
