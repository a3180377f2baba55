package import CQL
package import DataModel
import Primitives

/// A value of a request, as a plan sees it: bound, null, or left as it was.
package enum TermValue: Sendable, Equatable {
    case null
    case unset
    case bytes([UInt8])

    package var bytes: [UInt8]? {
        if case .bytes(let bytes) = self { return bytes }
        return nil
    }

    package var isNull: Bool { self == .null }
}

/// What an expression is evaluated against: the values of one request, and its idea of now.
package struct Bindings: Sendable {
    package var values: [TermValue]
    /// Microseconds since 1970.
    package var nowMicroseconds: Int64
    /// Makes a time-based identifier that no other request gets.
    package var timeUUIDs: TimeUUIDSource?

    package init(values: [TermValue], nowMicroseconds: Int64, timeUUIDs: TimeUUIDSource?) {
        self.values = values
        self.nowMicroseconds = nowMicroseconds
        self.timeUUIDs = timeUUIDs
    }

    package var nowSeconds: Int64 { nowMicroseconds / 1_000_000 }

    package func value(_ index: Int) throws(CQLError) -> TermValue {
        guard values.indices.contains(index) else {
            throw .invalid(message: "Invalid amount of bind variables")
        }
        return values[index]
    }
}

/// A term whose type is known: what is left to do once values are bound.
package indirect enum Expression: Sendable {
    /// Nil is null.
    case constant([UInt8]?)
    case marker(Int, ValueValidator)
    case list([Expression], column: String)
    case set([Expression], element: CQLType, column: String)
    case map([(key: Expression, value: Expression)], key: CQLType, column: String)
    case tuple([Expression])
    case vector([Expression], element: CQLType)
    case call(ScalarFunction, [Expression])
    /// The value that a JSON document has for a column.
    case documentField(Expression, DocumentField)

    package var isConstant: Bool {
        if case .constant = self { return true }
        return false
    }

    /// The index of the marker that this is, nothing else; the hot paths read such values where they lie.
    package var markerIndex: Int? {
        if case .marker(let index, _) = self { return index }
        return nil
    }

    package func evaluate(_ bindings: borrowing Bindings) throws(CQLError) -> TermValue {
        switch self {
        case .constant(let bytes):
            return bytes.map(TermValue.bytes) ?? .null
        case .marker(let index, let validator):
            let value = try bindings.value(index)
            if case .bytes(let bytes) = value { try Expression.check(bytes, validator) }
            return value
        case .list(let elements, let column):
            return .bytes(CollectionValue.list(try Expression.elements(elements, bindings, column)))
        case .set(let elements, let type, let column):
            return .bytes(CollectionValue.set(try Expression.elements(elements, bindings, column), of: type))
        case .map(let entries, let key, let column):
            var pairs: [(key: [UInt8], value: [UInt8])] = []
            for entry in entries {
                let parts = try Expression.elements([entry.key, entry.value], bindings, column)
                pairs.append((parts[0], parts[1]))
            }
            return .bytes(CollectionValue.map(pairs, keyType: key))
        case .tuple(let fields):
            var values: [[UInt8]?] = []
            for field in fields {
                let value = try field.evaluate(bindings)
                if value == .unset {
                    throw .invalid(message: "Invalid unset value for tuple field number \(values.count)")
                }
                values.append(value.bytes)
            }
            return .bytes(CollectionValue.tuple(values))
        case .vector(let elements, let type):
            let values = try Expression.elements(elements, bindings, "vector")
            do throws(InvalidValue) {
                return .bytes(try CollectionValue.vector(values, of: type))
            } catch { throw .invalid(message: error.description) }
        case .call(let function, let arguments):
            var values: [[UInt8]?] = []
            for argument in arguments { values.append(try argument.evaluate(bindings).bytes) }
            return try function.call(values, bindings).map(TermValue.bytes) ?? .null
        case .documentField(let document, let field):
            return try field.value(in: try document.evaluate(bindings))
        }
    }

    /// The value of an expression without markers and calls.
    package func evaluateConstant() throws(CQLError) -> [UInt8]? {
        try evaluate(Bindings(values: [], nowMicroseconds: 0, timeUUIDs: nil)).bytes
    }

    package static func check(_ bytes: [UInt8], _ validator: borrowing ValueValidator) throws(CQLError) {
        do throws(InvalidValue) {
            try validator.check(bytes.span.bytes)
        } catch { throw .invalid(message: error.description) }
    }

    private static func elements(
        _ elements: [Expression], _ bindings: borrowing Bindings, _ column: String
    ) throws(CQLError) -> [[UInt8]] {
        var values: [[UInt8]] = []
        for element in elements {
            switch try element.evaluate(bindings) {
            case .bytes(let bytes): values.append(bytes)
            case .null: throw .invalid(message: "null is not supported inside collections")
            case .unset: throw .invalid(message: "unset value is not supported inside collections")
            }
        }
        return values
    }
}
