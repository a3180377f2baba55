package import CQL
package import DataModel
import Primitives

/// The built-in aggregates: `count`, `min`, `max`, `sum`, `avg`.
package enum AggregateFunctions {
    package static let countRows = AggregateFunction("system.count", returns: .bigint) { CountState() }

    package static func isName(_ name: QualifiedName) -> Bool {
        guard name.keyspace == nil || name.keyspace == "system" else { return false }
        return ["count", "min", "max", "sum", "avg"].contains(name.name)
    }

    /// - Parameter shown: the function as the error text names it.
    package static func resolve(
        _ name: QualifiedName, argument type: CQLType, shown: String? = nil
    ) throws(CQLError) -> AggregateFunction {
        switch name.name {
        case "count": return AggregateFunction("system.count", returns: .bigint) { CountState() }
        case "min", "max":
            let isMaximum: Bool = name.name == "max"
            let form = ComparableForm(type)
            return AggregateFunction("system.\(name.name)", returns: type.frozen) {
                ExtremeState(form, isMaximum: isMaximum)
            }
        default:
            let isAverage: Bool = name.name == "avg"
            guard let make = NumberFold.maker(type, isAverage: isAverage) else {
                let known: String = Number.types
                    .map { "system.\(name.name) : (\($0.cqlName)) -> \($0.cqlName)" }.joined(separator: ", ")
                throw .invalid(
                    message: "Invalid call to function \(shown ?? name.name), none of its type signatures match (known "
                        + "type signatures: \(known))")
            }
            return AggregateFunction("system.\(name.name)", returns: type, make: make)
        }
    }
}

private final class CountState: AggregateState {
    private var count: Int64 = 0

    func add(_ value: [UInt8]?) throws(CQLError) { count += 1 }
    func result() throws(CQLError) -> [UInt8]? { SelectorEvaluation.bigint(count) }
}

private final class ExtremeState: AggregateState {
    private let form: ComparableForm
    private let isMaximum: Bool
    private var best: [UInt8]?

    init(_ form: ComparableForm, isMaximum: Bool) {
        self.form = form
        self.isMaximum = isMaximum
    }

    func add(_ value: [UInt8]?) throws(CQLError) {
        guard let value else { return }
        guard let best else {
            self.best = value
            return
        }
        let order: Int = form.order(value.span.bytes, best.span.bytes)
        if isMaximum ? order > 0 : order < 0 { self.best = value }
    }

    func result() throws(CQLError) -> [UInt8]? { best }
}
