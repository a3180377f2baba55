import CQL
import DataModel
import Primitives

/// The rows that an aggregate query puts into one row of its result.
///
/// What is selected beside the aggregates shows the values of the group's first row.
final class RowGroup {
    private let plan: SelectPlan
    private var states: [any AggregateState] = []
    private var key: [UInt8] = []
    private var clustering: [UInt8] = []
    private(set) var isOpen = false
    private var functionValue: [UInt8]?
    /// The outputs with the values of the group's first row; empty as long as there is none.
    private var first: [CompiledSelector] = []

    init(_ plan: SelectPlan) {
        self.plan = plan
        reset()
    }

    private func reset() {
        states = plan.aggregates.map { $0.function.makeState() }
        isOpen = false
        first = []
    }

    /// Whether a row with this key belongs to another group than the one before it; it begins one then.
    ///
    /// - Parameter functionValue: of the function in GROUP BY, when there is one.
    func starts(key: [UInt8], clustering: [UInt8], functionValue: [UInt8]?) -> Bool {
        if isOpen, key == self.key, clustering == self.clustering, functionValue == self.functionValue { return false }
        self.key = key
        self.clustering = clustering
        self.functionValue = functionValue
        return true
    }

    func add(_ position: CurrentPosition, _ bindings: Bindings) throws {
        if !isOpen {
            isOpen = true
            for output in plan.outputs {
                first.append(
                    output.selector.holdsAggregate
                        ? try SelectorEvaluation.fixed(output.selector, position, bindings)
                        : .term(.constant(try SelectorEvaluation.value(output.selector, position, bindings, []))))
            }
        }
        for (index, use) in plan.aggregates.enumerated() {
            guard let argument = use.argument else {
                try states[index].add(nil)
                continue
            }
            if let value = try SelectorEvaluation.value(argument, position, bindings, []) {
                try states[index].add(value)
            }
        }
    }

    /// The values of the group's row; the group is empty afterwards.
    func finish(_ bindings: Bindings) throws -> [[UInt8]?] {
        var results: [[UInt8]?] = []
        for state in states { results.append(try state.result()) }
        var values: [[UInt8]?] = []
        for (index, output) in plan.outputs.enumerated() {
            // Without any row there are no values but those of the aggregates.
            if first.isEmpty, !output.selector.holdsAggregate {
                values.append(nil)
            } else {
                let selector: CompiledSelector = first.isEmpty ? output.selector : first[index]
                values.append(try SelectorEvaluation.value(selector, bindings, aggregates: results))
            }
        }
        reset()
        return values
    }
}

extension CompiledSelector {
    var holdsAggregate: Bool {
        switch self {
        case .aggregate: true
        case .call(_, let arguments): arguments.contains(where: \.holdsAggregate)
        default: false
        }
    }
}
