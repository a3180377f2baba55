package import CQL
package import DataModel
import Primitives

/// A restriction that is checked row by row.
package struct Filter: Sendable {
    package enum Check: Sendable {
        case compare(ComparisonOperator, Expression)
        case isIn(Membership)
        case isNotIn(Membership)
        case contains(Expression, element: ComparableForm)
        case containsKey(Expression, element: ComparableForm)
        case notContains(Expression, element: ComparableForm)
        case notContainsKey(Expression, element: ComparableForm)
        case entry(key: Expression, ComparisonOperator, Expression, keyForm: ComparableForm, valueForm: ComparableForm)
        case between(Expression, Expression)
    }

    package var column: CompiledColumn
    package var check: Check

    /// Whether a row passes whose value of the column is `value` (nil for null).
    package func admits(_ value: [UInt8]?, _ bindings: borrowing Bindings) throws(CQLError) -> Bool {
        guard let value else { return false }
        switch check {
        case .compare(let comparison, let expression):
            let wanted = try required(expression, bindings)
            return Filter.holds(comparison, column.form.order(value.span.bytes, wanted.span.bytes))
        case .isIn(let membership):
            return try isMember(value, membership, bindings)
        case .isNotIn(let membership):
            return try !isMember(value, membership, bindings)
        case .contains(let expression, let form):
            return try contains(value, try required(expression, bindings), form, inKeys: false)
        case .notContains(let expression, let form):
            return try !contains(value, try required(expression, bindings), form, inKeys: false)
        case .containsKey(let expression, let form):
            return try contains(value, try required(expression, bindings), form, inKeys: true)
        case .notContainsKey(let expression, let form):
            return try !contains(value, try required(expression, bindings), form, inKeys: true)
        case .entry(let key, let comparison, let expression, let keyForm, let valueForm):
            guard let found = try entry(value, try required(key, bindings), keyForm) else { return false }
            let wanted = try required(expression, bindings)
            return Filter.holds(comparison, valueForm.order(found.span.bytes, wanted.span.bytes))
        case .between(let low, let high):
            let lower = try required(low, bindings)
            let upper = try required(high, bindings)
            return column.form.order(value.span.bytes, lower.span.bytes) >= 0
                && column.form.order(value.span.bytes, upper.span.bytes) <= 0
        }
    }

    package static func holds(_ comparison: ComparisonOperator, _ order: Int) -> Bool {
        switch comparison {
        case .equal: order == 0
        case .notEqual: order != 0
        case .less: order < 0
        case .lessOrEqual: order <= 0
        case .greater: order > 0
        case .greaterOrEqual: order >= 0
        }
    }

    private func required(_ expression: Expression, _ bindings: borrowing Bindings) throws(CQLError) -> [UInt8] {
        switch try expression.evaluate(bindings) {
        case .bytes(let bytes): return bytes
        case .null: throw .invalid(message: "Unsupported null value for column \(column.name)")
        case .unset: throw .invalid(message: "Unsupported unset value for column \(column.name)")
        }
    }

    private func isMember(
        _ value: [UInt8], _ membership: Membership, _ bindings: borrowing Bindings
    ) throws(CQLError) -> Bool {
        for candidate in try membership.values(bindings, named: column.name)
        where column.form.order(value.span.bytes, candidate.span.bytes) == 0 {
            return true
        }
        return false
    }

    private func contains(
        _ value: [UInt8], _ wanted: [UInt8], _ form: ComparableForm, inKeys: Bool
    ) throws(CQLError) -> Bool {
        var isMap = false
        if case .map = column.type { isMap = true }
        do throws(DecodingError) {
            var reader = try CollectionReader(value.span.bytes, isMap: isMap)
            var isKey = true
            while let element = try reader.next() {
                if !isMap || isKey == inKeys, form.order(element, wanted.span.bytes) == 0 { return true }
                isKey.toggle()
            }
            return false
        } catch { throw .serverError(message: "A stored collection of column \(column.name) is damaged") }
    }

    private func entry(_ value: [UInt8], _ key: [UInt8], _ form: ComparableForm) throws(CQLError) -> [UInt8]? {
        do throws(DecodingError) {
            var reader = try CollectionReader(value.span.bytes, isMap: true)
            while let candidate = try reader.next() {
                let isMatch: Bool = form.order(candidate, key.span.bytes) == 0
                guard let found = try reader.next() else { return nil }
                if isMatch { return [UInt8](copying: found) }
            }
            return nil
        } catch { throw .serverError(message: "A stored collection of column \(column.name) is damaged") }
    }
}
